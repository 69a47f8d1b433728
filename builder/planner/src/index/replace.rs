//! One header in place of another, and whose clauses that changes.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use rpmspec_parser::rpm::{Capability, Dependency, PackageMetadata};
use rpmspec_parser::spec::Located;

use super::{Atoms, Index, PackageId, to_number};

/// Who states a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    /// A package, by number.
    Package(u32),
    /// A spec, by place in the tree.
    Spec(usize),
    Base,
}

/// Who asks for what, by name.
#[derive(Debug, Default)]
pub(crate) struct Askers(HashMap<String, Vec<Asking>>);

/// Whose clauses are others than before.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    /// Packages by number, the replaced one among them.
    pub(crate) packages: BTreeSet<u32>,
    /// Specs by place in the tree.
    pub(crate) specs: BTreeSet<usize>,
    pub(crate) base: bool,
}

impl Askers {
    /// Lists who asks for what.
    pub(crate) fn new(index: &Index<'_>) -> Self {
        let mut askers = Self::default();
        for (number, package) in index.packages.iter().enumerate() {
            askers.add_package(to_number(number), &package.metadata);
        }
        for (place, tree) in index.universe.tree.iter().enumerate() {
            let other = tree.other.as_ref().map(|other| (&other.source, &other.generated));
            for (source, generated) in std::iter::once((&tree.source, &tree.generated)).chain(other) {
                let stated = source.build_requires.iter().chain(generated).chain(&source.build_conflicts);
                askers.add(Asking::Spec(place), stated.map(|located| &located.value));
            }
        }
        askers.add(Asking::Base, index.universe.base.iter());
        askers
    }

    fn add_package(&mut self, number: u32, metadata: &PackageMetadata) {
        self.add(Asking::Package(number), metadata.requires.iter().chain(&metadata.conflicts));
    }

    fn add<'a>(&mut self, asking: Asking, stated: impl Iterator<Item = &'a Dependency>) {
        for capability in stated.flat_map(Dependency::capabilities) {
            match self.0.get_mut(&capability.name) {
                Some(list) if list.last() == Some(&asking) => {}
                Some(list) => list.push(asking),
                None => {
                    self.0.insert(capability.name.clone(), vec![asking]);
                }
            }
        }
    }
}

impl Index<'_> {
    /// Puts another header of the same NEVRA and source package in the place of a seed's or published one, and makes
    /// the clauses anew that this can change. `None`, and nothing is done, where the rest of the index would change too.
    pub(crate) fn replace(&mut self, id: PackageId, metadata: PackageMetadata, askers: &mut Askers) -> Option<Changed> {
        let number = self.packages.iter().position(|package| package.id == id)?;
        let package = &self.packages[number];
        let old = &package.metadata;
        let is_same = old.nevra.to_string() == metadata.nevra.to_string() && old.source_rpm == metadata.source_rpm;
        if !is_same || matches!(id, PackageId::Predicted { .. }) || (package.withheld.is_some() && !package.is_earlier)
        {
            return None;
        }
        let names = self.rename(number, &old.clone(), &metadata);
        askers.add_package(to_number(number), &metadata);
        self.packages[number].metadata = Cow::Owned(metadata);
        let mut changed = Changed::default();
        changed.packages.insert(to_number(number));
        let (mut packages, mut specs, mut base) = (changed.packages.clone(), BTreeSet::new(), false);
        for asking in names.iter().filter_map(|name| askers.0.get(name)).flatten() {
            match asking {
                Asking::Package(number) => drop(packages.insert(*number)),
                Asking::Spec(place) => drop(specs.insert(*place)),
                Asking::Base => base = true,
            }
        }
        self.restate(&packages, &specs, base, &mut changed)?;
        Some(changed)
    }

    /// Enters what a package offers now; gives the names and paths of which it offers something else than before.
    fn rename(&mut self, number: usize, old: &PackageMetadata, new: &PackageMetadata) -> BTreeSet<String> {
        let number = to_number(number);
        for provided in &old.provides {
            if let Some(entries) = self.by_provide.get_mut(&provided.name) {
                entries.retain(|(other, _)| *other != number);
            }
        }
        for (place, provided) in new.provides.iter().enumerate() {
            self.by_provide.entry(provided.name.clone()).or_default().push((number, to_number(place)));
        }
        let of_name = |metadata: &PackageMetadata, name: &str| -> Vec<Capability> {
            metadata.provides.iter().filter(|provided| provided.name == name).cloned().collect()
        };
        let all = old.provides.iter().chain(&new.provides).map(|provided| &provided.name);
        let mut names: BTreeSet<String> = all.cloned().collect();
        names.retain(|name| of_name(old, name) != of_name(new, name));
        let (before, after): (BTreeSet<&String>, BTreeSet<&String>) =
            (old.files.iter().collect(), new.files.iter().collect());
        for path in before.symmetric_difference(&after) {
            names.insert((*path).clone());
            if let Some(numbers) = self.by_file.get_mut(*path) {
                numbers.retain(|other| *other != number);
                numbers.extend(after.contains(path).then_some(number));
            }
        }
        names
    }

    /// Makes clauses anew and notes which ones differ; `None` where some are too many now.
    fn restate(
        &mut self,
        packages: &BTreeSet<u32>,
        specs: &BTreeSet<usize>,
        base: bool,
        changed: &mut Changed,
    ) -> Option<()> {
        let mut atoms = Atoms::default();
        for number in packages {
            let package = &self.packages[*number as usize];
            let statements = self.statements_of(*number, package, &mut atoms).ok()?;
            if statements != package.statements {
                self.packages[*number as usize].statements = statements;
                changed.packages.insert(*number);
            }
        }
        for place in specs {
            let (built, otherwise) = self.built(&self.universe.tree[*place], &mut atoms);
            if built != self.built[*place] || otherwise != self.built_otherwise[*place] {
                (self.built[*place], self.built_otherwise[*place]) = (built, otherwise);
                changed.specs.insert(*place);
            }
        }
        if base {
            let needs: Vec<_> = self.universe.base.iter().map(|value| Located::new(value.clone(), None)).collect();
            let base = self.outer(&needs, &[], false, &mut atoms);
            changed.base = base != self.base;
            self.base = base;
        }
        Some(())
    }
}
