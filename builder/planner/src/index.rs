//! Every package by name, capability and file, and the order in which providers are preferred.
//!
//! The order, for a need that the tree states (`BuildRequires` of a spec, `Requires` of a package of the tree):
//! the tree's certain providers, the tree's packages that take the place of a seed's provider of the same name,
//! the seeds' providers, the tree's packages whose `%files` patterns may match. For a need that a seed's package
//! or the base states: the seeds' providers, then the tree's in the order above. Within each: the `prefer` list,
//! earlier operands of `or`, a package named like the capability, the name, the newest version.

pub(crate) mod replace;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use rayon::prelude::*;
use rpmspec_parser::Place;
use rpmspec_parser::rpm::{Capability, Dependency, PackageMetadata, RichOperator};
use rpmspec_parser::spec::{Located, SourcePackage};
use serde::{Deserialize, Serialize};

use crate::clauses::{TooComplex, refused, required};
use crate::predict::{Prediction, predictions};
use crate::{Blocker, TreePackage, Universe};

/// Where a package's header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PackageId {
    /// In [`Universe::seeds`].
    Seed(usize),
    /// In [`Universe::published`].
    Published(usize),
    /// Nowhere yet: predicted from a spec.
    Predicted {
        /// In [`Universe::tree`].
        tree: usize,
        /// Its number among the packages of the spec.
        package: usize,
    },
}

/// A package of the index.
#[derive(Clone, Debug)]
pub(crate) struct Package<'u> {
    pub(crate) id: PackageId,
    pub(crate) metadata: Cow<'u, PackageMetadata>,
    /// The source package of the tree, as a place in [`Universe::tree`].
    pub(crate) tree: Option<usize>,
    /// The seed's name.
    pub(crate) seed: Option<&'u str>,
    /// The number of its name.
    pub(crate) name: u32,
    /// Why it is never used.
    pub(crate) withheld: Option<String>,
    /// Whether it is published and its spec has another version by now. It is withheld but where a cycle is opened.
    pub(crate) is_earlier: bool,
    pub(crate) statements: Vec<Statement>,
}

impl Package<'_> {
    pub(crate) fn origin(&self) -> String {
        match self.seed {
            None => "the tree".to_owned(),
            // What is published stands in for a seed where a repository is looked at by itself.
            Some("") => "published".to_owned(),
            Some(seed) => format!("seed {seed}"),
        }
    }
}

/// One clause of a package's or spec's dependencies, with packages in place of atoms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) kind: StatementKind,
    /// One of these must be there, the preferred first…
    pub(crate) present: Vec<u32>,
    /// …unless nothing of one of these lists is there.
    pub(crate) absent: Vec<Vec<u32>>,
}

/// Which tag a clause comes from, and its place in that tag's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatementKind {
    Requires(usize),
    Conflicts(usize),
    Obsoletes(usize),
}

/// How sure it is that a package offers a capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// Its header, or its spec, says so.
    Certain,
    /// A seed's package of the same name, whose place it takes, does.
    Inherited,
    /// A pattern of its `%files` may match.
    Possible,
}

/// The clauses of what a spec needs and refuses in its build root.
type Built = Result<Vec<Statement>, TooComplex>;

/// The index over one [`Universe`]. Building it costs a few milliseconds; it serves any number of resolutions.
#[derive(Debug)]
pub struct Index<'u> {
    pub(crate) universe: &'u Universe,
    pub(crate) packages: Vec<Package<'u>>,
    /// The packages of every name.
    pub(crate) names: Vec<Vec<u32>>,
    by_name: HashMap<String, u32>,
    by_provide: HashMap<String, Vec<(u32, u32)>>,
    by_file: HashMap<String, Vec<u32>>,
    predictions: Vec<(u32, Prediction)>,
    prefer: HashMap<&'u str, usize>,
    /// Usable source packages of the tree by name.
    pub(crate) sources: BTreeMap<&'u str, usize>,
    /// Source packages of the tree that cannot be used, by name.
    pub(crate) blocked: BTreeMap<&'u str, Blocker>,
    /// Whether all that a source package is predicted to give is published, by place in the tree.
    pub(crate) is_published: Vec<bool>,
    /// Packages for other architectures, with the names of their seeds; never used, only told of.
    pub(crate) foreign: Vec<(&'u PackageMetadata, &'u str)>,
    /// The place of every package in the order of their NEVRAs.
    pub(crate) ranks: Vec<u32>,
    /// The packages of every source package, by place in the tree.
    pub(crate) of_tree: Vec<Vec<u32>>,
    /// The clauses of what every spec needs and refuses in its build root, by place in the tree.
    pub(crate) built: Vec<Built>,
    /// The same for what a spec evaluates to otherwise ([`TreePackage::other`]).
    pub(crate) built_otherwise: Vec<Option<Built>>,
    /// The clauses of the base.
    pub(crate) base: Built,
}

impl<'u> Index<'u> {
    /// Indexes a universe.
    #[must_use]
    pub fn new(universe: &'u Universe) -> Self {
        let prefer = universe.prefer.iter().enumerate().rev().map(|(index, name)| (&**name, index)).collect();
        let mut index = Self {
            universe,
            packages: Vec::new(),
            names: Vec::new(),
            by_name: HashMap::new(),
            by_provide: HashMap::new(),
            by_file: HashMap::new(),
            predictions: Vec::new(),
            prefer,
            sources: BTreeMap::new(),
            blocked: BTreeMap::new(),
            is_published: vec![false; universe.tree.len()],
            foreign: Vec::new(),
            ranks: Vec::new(),
            of_tree: vec![Vec::new(); universe.tree.len()],
            built: Vec::new(),
            built_otherwise: Vec::new(),
            base: Ok(Vec::new()),
        };
        let by_place: Vec<_> = universe.tree.par_iter().map(|tree| predictions(&tree.source, &universe.arch)).collect();
        index.sort_out_sources(&by_place);
        index.add_packages(by_place);
        index.rank();
        index.add_files();
        index.add_statements();
        index
    }

    /// Tells the source packages that can be used from those that cannot.
    fn sort_out_sources(&mut self, predicted: &[Vec<Prediction>]) {
        let (universe, arch) = (self.universe, &self.universe.arch);
        let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, tree) in universe.tree.iter().enumerate() {
            by_name.entry(&tree.source.name).or_default().push(place);
        }
        let specs = |places: &[usize]| {
            let specs: BTreeSet<_> = places.iter().map(|place| universe.tree[*place].spec.clone()).collect();
            specs.into_iter().collect::<Vec<_>>()
        };
        let mut makers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (name, places) in by_name {
            let [place] = *places else {
                self.blocked.insert(name, Blocker::DuplicateName { name: name.to_owned(), specs: specs(&places) });
                continue;
            };
            let source = &universe.tree[place].source;
            let is_for = |list: &[String]| list.iter().any(|one| one == arch || one == "noarch");
            if (!source.exclusive_archs.is_empty() && !is_for(&source.exclusive_archs))
                || source.exclude_archs.contains(arch)
            {
                let (only, not) = (source.exclusive_archs.clone(), source.exclude_archs.clone());
                let blocker = Blocker::ExcludedArchitecture { name: name.to_owned(), arch: arch.clone(), only, not };
                self.blocked.insert(name, blocker);
                continue;
            }
            self.sources.insert(name, place);
            for prediction in &predicted[place] {
                makers.entry(&prediction.metadata.nevra.name).or_default().push(place);
            }
        }
        for (package, mut places) in makers {
            places.dedup();
            if places.len() > 1 {
                let blocker = Blocker::DuplicatePackage { package: package.to_owned(), specs: specs(&places) };
                for place in places {
                    let name = &*universe.tree[place].source.name;
                    self.sources.remove(name);
                    self.blocked.entry(name).or_insert_with(|| blocker.clone());
                }
            }
        }
    }

    fn add_packages(&mut self, predicted: Vec<Vec<Prediction>>) {
        let universe = self.universe;
        for (place, seed) in universe.seeds.iter().enumerate() {
            self.add(PackageId::Seed(place), Cow::Borrowed(&seed.metadata), None, Some(&seed.seed), None);
        }
        let mut by_source_rpm: HashMap<String, usize> = HashMap::new();
        let mut wanted: Vec<HashSet<String>> = vec![HashSet::new(); universe.tree.len()];
        for (place, predictions) in predicted.into_iter().enumerate() {
            let name = &*universe.tree[place].source.name;
            let withheld = self.blocked.get(name).map(ToString::to_string);
            for prediction in predictions {
                let id = PackageId::Predicted { tree: place, package: prediction.package };
                if withheld.is_none() {
                    wanted[place].insert(prediction.metadata.nevra.to_string());
                    if let Some(source_rpm) = &prediction.metadata.source_rpm {
                        by_source_rpm.insert(source_rpm.clone(), place);
                    }
                }
                let metadata = Cow::Owned(prediction.metadata.clone());
                if let Some(number) = self.add(id, metadata, Some(place), None, withheld.clone()) {
                    self.predictions.push((number, prediction));
                }
            }
        }
        for (number, metadata) in universe.published.iter().enumerate() {
            let Some(source_rpm) = &metadata.source_rpm else { continue };
            let id = PackageId::Published(number);
            let Some(place) = by_source_rpm.get(source_rpm).copied() else {
                // What is published of a spec that is gone is of no use to a build; what is of another version is
                // where a cycle is opened.
                if let Some(place) = source_name(source_rpm).and_then(|name| self.sources.get(name)).copied() {
                    let withheld = Some("published of another version of its spec".to_owned());
                    if let Some(number) = self.add(id, Cow::Borrowed(metadata), Some(place), None, withheld) {
                        self.packages[number as usize].is_earlier = true;
                    }
                }
                continue;
            };
            wanted[place].remove(&metadata.nevra.to_string());
            self.add(id, Cow::Borrowed(metadata), Some(place), None, None);
        }
        for (place, wanted) in wanted.iter().enumerate() {
            let name = &*universe.tree[place].source.name;
            self.is_published[place] = wanted.is_empty() && self.sources.contains_key(name);
        }
    }

    fn add(
        &mut self,
        id: PackageId,
        metadata: Cow<'u, PackageMetadata>,
        tree: Option<usize>,
        seed: Option<&'u str>,
        withheld: Option<String>,
    ) -> Option<u32> {
        if metadata.nevra.arch != self.universe.arch && metadata.nevra.arch != "noarch" {
            if let Cow::Borrowed(metadata) = metadata {
                self.foreign.push((metadata, seed.unwrap_or_default()));
            }
            return None;
        }
        let number = to_number(self.packages.len());
        let names = &mut self.names;
        let name = *self.by_name.entry(metadata.nevra.name.clone()).or_insert_with(|| {
            names.push(Vec::new());
            to_number(names.len() - 1)
        });
        self.names[name as usize].push(number);
        for (place, provided) in metadata.provides.iter().enumerate() {
            let entry = (number, to_number(place));
            match self.by_provide.get_mut(&provided.name) {
                Some(entries) => entries.push(entry),
                None => {
                    self.by_provide.insert(provided.name.clone(), vec![entry]);
                }
            }
        }
        if let Some(place) = tree {
            self.of_tree[place].push(number);
        }
        let (is_earlier, statements) = (false, Vec::new());
        self.packages.push(Package { id, metadata, tree, seed, name, withheld, is_earlier, statements });
        Some(number)
    }

    fn rank(&mut self) {
        let mut order: Vec<u32> = (0..to_number(self.packages.len())).collect();
        order.par_sort_by_key(|number| (&self.packages[*number as usize].metadata.nevra, *number));
        self.ranks = vec![0; order.len()];
        for (rank, number) in (0u32..).zip(order) {
            self.ranks[number as usize] = rank;
        }
    }

    /// Files are many and few are asked for: only those are indexed.
    fn add_files(&mut self) {
        let mut asked: HashSet<&str> = HashSet::new();
        let stated = self
            .packages
            .iter()
            .flat_map(|package| package.metadata.requires.iter().chain(&package.metadata.conflicts));
        let built = self.universe.tree.iter().flat_map(|tree| {
            let other = tree.other.iter().map(|other| (&other.source, &other.generated));
            let both = std::iter::once((&tree.source, &tree.generated)).chain(other);
            both.flat_map(|(source, generated)| {
                source.build_requires.iter().chain(generated).chain(&source.build_conflicts)
            })
        });
        for dependency in stated.chain(built.map(|located| &located.value)).chain(&self.universe.base) {
            asked.extend(dependency.capabilities().iter().map(|c| &*c.name).filter(|name| name.starts_with('/')));
        }
        let lengths: HashSet<usize> = asked.iter().map(|path| path.len()).collect();
        let mut by_file: HashMap<String, Vec<u32>> =
            asked.iter().map(|path| ((*path).to_owned(), Vec::new())).collect();
        for (number, package) in self.packages.iter().enumerate() {
            for file in package.metadata.files.iter().filter(|file| lengths.contains(&file.len())) {
                if let Some(numbers) = by_file.get_mut(file) {
                    numbers.push(to_number(number));
                }
            }
        }
        self.by_file = by_file;
    }

    fn add_statements(&mut self) {
        let base: Vec<_> = self.universe.base.iter().map(|value| Located::new(value.clone(), None)).collect();
        self.base = self.outer(&base, &[], false, &mut Atoms::default());
        let built = |atoms: &mut Atoms, tree: &TreePackage| self.built(tree, atoms);
        (self.built, self.built_otherwise) = self.universe.tree.par_iter().map_init(Atoms::default, built).unzip();
        let stated = |atoms: &mut Atoms, (number, package): (usize, &Package<'u>)| {
            self.statements_of(to_number(number), package, atoms)
        };
        let all: Vec<_> = self.packages.par_iter().enumerate().map_init(Atoms::default, stated).collect();
        for (package, statements) in self.packages.iter_mut().zip(all) {
            match statements {
                Ok(statements) => package.statements = statements,
                Err(error) => {
                    package.withheld = package.withheld.take().or(Some(error.to_string()));
                    package.is_earlier = false;
                }
            }
        }
    }

    /// The clauses of what a spec needs in its build root, and of what it needs otherwise.
    fn built(&self, tree: &TreePackage, atoms: &mut Atoms) -> (Built, Option<Built>) {
        let mut built = |source: &SourcePackage, generated: &[Located<Dependency>]| {
            self.outer(&[&*source.build_requires, generated].concat(), &source.build_conflicts, true, atoms)
        };
        let otherwise = tree.other.as_ref().map(|other| built(&other.source, &other.generated));
        (built(&tree.source, &tree.generated), otherwise)
    }

    fn statements_of(
        &self,
        number: u32,
        package: &Package<'_>,
        atoms: &mut Atoms,
    ) -> Result<Vec<Statement>, TooComplex> {
        let by_tree = package.tree.is_some();
        let mut statements = Vec::new();
        for (place, dependency) in package.metadata.requires.iter().enumerate() {
            self.add_required(StatementKind::Requires(place), dependency, by_tree, atoms, &mut statements)?;
        }
        for (place, dependency) in package.metadata.conflicts.iter().enumerate() {
            self.add_refused(StatementKind::Conflicts(place), dependency, by_tree, atoms, &mut statements)?;
        }
        // A plain conflict does not mean the package itself. In rich dependencies it counts like any other package, for
        // conflicts too (rpm's `unsatisfiedDepend`): what it offers is met, a condition on it is true.
        let is_plain = |place: usize| matches!(package.metadata.conflicts[place], Dependency::Capability(_));
        statements.retain_mut(|statement| {
            if let StatementKind::Conflicts(place) = statement.kind
                && is_plain(place)
            {
                statement.absent.iter_mut().for_each(|packages| packages.retain(|other| *other != number));
                return !statement.absent.iter().any(Vec::is_empty);
            }
            let never = statement.present.contains(&number) || statement.absent.iter().any(Vec::is_empty);
            statement.absent.retain(|packages| !packages.contains(&number));
            !never
        });
        for (place, obsoleted) in package.metadata.obsoletes.iter().enumerate() {
            let packages = self.by_name.get(&obsoleted.name).map(|name| &self.names[*name as usize]);
            let is_obsoleted = |other: &u32| {
                let other = &self.packages[*other as usize];
                other.name != package.name
                    && Capability::exact(&*obsoleted.name, other.metadata.nevra.evr.clone()).overlaps(obsoleted)
            };
            let packages: Vec<u32> = packages.into_iter().flatten().copied().filter(is_obsoleted).collect();
            if !packages.is_empty() {
                let kind = StatementKind::Obsoletes(place);
                statements.push(Statement { kind, present: Vec::new(), absent: vec![packages] });
            }
        }
        Ok(statements)
    }

    /// The clauses of what is needed and refused from outside any package: by a spec, or by the base.
    pub(crate) fn outer_statements(
        &self,
        needs: &[Located<Dependency>],
        refuses: &[Located<Dependency>],
        by_tree: bool,
    ) -> Result<Vec<Statement>, TooComplex> {
        self.outer(needs, refuses, by_tree, &mut Atoms::default())
    }

    fn outer(
        &self,
        needs: &[Located<Dependency>],
        refuses: &[Located<Dependency>],
        by_tree: bool,
        atoms: &mut Atoms,
    ) -> Result<Vec<Statement>, TooComplex> {
        let mut statements = Vec::new();
        for (place, need) in needs.iter().enumerate() {
            self.add_required(StatementKind::Requires(place), &need.value, by_tree, atoms, &mut statements)?;
        }
        for (place, refused) in refuses.iter().enumerate() {
            self.add_refused(StatementKind::Conflicts(place), &refused.value, by_tree, atoms, &mut statements)?;
        }
        Ok(statements)
    }

    fn add_required(
        &self,
        kind: StatementKind,
        dependency: &Dependency,
        by_tree: bool,
        atoms: &mut Atoms,
        into: &mut Vec<Statement>,
    ) -> Result<(), TooComplex> {
        if let Dependency::Capability(capability) = dependency {
            if !capability.name.starts_with("rpmlib(") {
                let present = self.preferred(&[dependency], by_tree, atoms);
                into.push(Statement { kind, present, absent: Vec::new() });
            }
            return Ok(());
        }
        for clause in required(dependency)? {
            let present = self.preferred(&clause.present, by_tree, atoms);
            let absent = clause.absent.iter().map(|atom| self.numbers(atom, atoms)).collect();
            into.push(Statement { kind, present, absent });
        }
        Ok(())
    }

    fn add_refused(
        &self,
        kind: StatementKind,
        dependency: &Dependency,
        by_tree: bool,
        atoms: &mut Atoms,
        into: &mut Vec<Statement>,
    ) -> Result<(), TooComplex> {
        for clause in refused(dependency)? {
            let present = self.preferred(&clause.present, by_tree, atoms);
            let absent: Vec<_> = clause.absent.iter().map(|atom| self.numbers(atom, atoms)).collect();
            into.push(Statement { kind, present, absent });
        }
        Ok(())
    }

    /// The packages that meet one of the atoms, in the order in which a need of the tree prefers them, with how sure
    /// that is.
    pub(crate) fn offers(&self, operands: &[&Dependency]) -> Vec<(u32, Certainty)> {
        let mut atoms = Atoms::default();
        let mut certainty: BTreeMap<u32, Certainty> = BTreeMap::new();
        for (number, found) in operands.iter().flat_map(|atom| self.candidates(atom, &mut atoms)) {
            certainty.entry(number).and_modify(|old| *old = found.min(*old)).or_insert(found);
        }
        let preferred = self.preferred(operands, true, &mut atoms);
        preferred.into_iter().filter_map(|number| Some((number, *certainty.get(&number)?))).collect()
    }

    fn numbers(&self, atom: &Dependency, atoms: &mut Atoms) -> Vec<u32> {
        self.candidates(atom, atoms).iter().map(|(number, _)| *number).collect()
    }

    /// The packages that meet one of the atoms, in the order of preference.
    fn preferred(&self, operands: &[&Dependency], by_tree: bool, atoms: &mut Atoms) -> Vec<u32> {
        if let [atom] = operands
            && let Some(sorted) = atoms.sorted.get(&(by_tree, (*atom).clone()))
        {
            return sorted.clone();
        }
        let mut keyed = Vec::new();
        for (operand, atom) in operands.iter().enumerate() {
            for (number, certainty) in self.candidates(atom, atoms) {
                let package = &self.packages[number as usize];
                let name = &*package.metadata.nevra.name;
                let rank = match (package.tree.is_some(), certainty) {
                    (false, _) => {
                        if by_tree {
                            2
                        } else {
                            0
                        }
                    }
                    (true, Certainty::Certain) => {
                        if by_tree {
                            0
                        } else {
                            1
                        }
                    }
                    (true, Certainty::Inherited) => {
                        if by_tree {
                            1
                        } else {
                            2
                        }
                    }
                    (true, Certainty::Possible) => 3,
                };
                let preferred = self.prefer.get(name).copied().unwrap_or(usize::MAX);
                let is_other = !matches!(atom, Dependency::Capability(capability) if capability.name == name);
                let evr = Reverse(&package.metadata.nevra.evr);
                keyed.push(((rank, preferred, operand, is_other, name, evr, number), number));
            }
        }
        keyed.sort();
        let mut seen = HashSet::new();
        let sorted: Vec<u32> =
            keyed.into_iter().map(|(_, number)| number).filter(|number| seen.insert(*number)).collect();
        if let [atom] = operands {
            atoms.sorted.insert((by_tree, (*atom).clone()), sorted.clone());
        }
        sorted
    }

    /// The packages that an atom stands for, by number.
    fn candidates(&self, atom: &Dependency, atoms: &mut Atoms) -> Vec<(u32, Certainty)> {
        let found: BTreeMap<u32, Certainty> = match atom {
            Dependency::Capability(capability) => self.providers(capability, atoms),
            Dependency::Rich(rich) => {
                let mut operands = rich.operands.iter().map(|operand| self.candidates(operand, atoms));
                let mut found: BTreeMap<u32, Certainty> = operands.next().into_iter().flatten().collect();
                for operand in operands {
                    let operand: BTreeMap<u32, Certainty> = operand.into_iter().collect();
                    match rich.operator {
                        RichOperator::Without => found.retain(|number, _| !operand.contains_key(number)),
                        RichOperator::Or => operand.into_iter().for_each(|(number, certainty)| {
                            found.entry(number).and_modify(|old| *old = certainty.min(*old)).or_insert(certainty);
                        }),
                        // Inside `with` and `without` there is one package at a time, so `and` means the same.
                        _ => found.retain(|number, certainty| {
                            operand.get(number).is_some_and(|other| {
                                *certainty = (*certainty).max(*other);
                                true
                            })
                        }),
                    }
                }
                found
            }
        };
        found.into_iter().collect()
    }

    fn providers(&self, wanted: &Capability, atoms: &mut Atoms) -> BTreeMap<u32, Certainty> {
        let mut found = BTreeMap::new();
        for (number, place) in self.by_provide.get(&wanted.name).into_iter().flatten() {
            if self.packages[*number as usize].metadata.provides[*place as usize].overlaps(wanted) {
                found.insert(*number, Certainty::Certain);
            }
        }
        if wanted.name.starts_with('/') {
            match self.by_file.get(&wanted.name) {
                Some(numbers) => found.extend(numbers.iter().map(|number| (*number, Certainty::Certain))),
                None => {
                    let holds = |package: &Package<'_>| package.metadata.files.contains(&wanted.name);
                    let holders = self.packages.iter().enumerate().filter(|(_, package)| holds(package));
                    found.extend(holders.map(|(number, _)| (to_number(number), Certainty::Certain)));
                }
            }
        }
        if wanted.name.starts_with('/') || wanted.name.contains('(') {
            let seeds: Vec<u32> = found.keys().copied().filter(|n| self.packages[*n as usize].seed.is_some()).collect();
            for seed in seeds {
                let namesakes = &self.names[self.packages[seed as usize].name as usize];
                let predicted = |n: &&u32| matches!(self.packages[**n as usize].id, PackageId::Predicted { .. });
                for namesake in namesakes.iter().filter(predicted) {
                    found.entry(*namesake).or_insert(Certainty::Inherited);
                }
            }
            for number in self.possible(&wanted.name, atoms) {
                found.entry(number).or_insert(Certainty::Possible);
            }
        }
        found
    }

    fn possible(&self, name: &str, atoms: &mut Atoms) -> Vec<u32> {
        // All symbol versions of a library are in the same file.
        let name = match name.split_once('(') {
            Some((soname, _)) if soname.contains(".so") => &name[..=soname.len()],
            _ => name,
        };
        if let Some(numbers) = atoms.possible.get(name) {
            return numbers.clone();
        }
        let may = self.predictions.iter().filter(|(_, prediction)| prediction.may_offer(name));
        let numbers: Vec<u32> = may.map(|(number, _)| *number).collect();
        atoms.possible.insert(name.to_owned(), numbers.clone());
        numbers
    }

    /// The packages and capabilities there are, for suggestions; sorted.
    pub(crate) fn known_names(&self) -> BTreeSet<&str> {
        self.packages.iter().flat_map(|package| &package.metadata.provides).map(|provided| &*provided.name).collect()
    }

    /// Packages with a capability of this name, whatever its version.
    pub(crate) fn named_alike(&self, capability: &Capability) -> Vec<u32> {
        let named = self.by_provide.get(&capability.name).into_iter().flatten();
        named.map(|(number, _)| *number).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether the `prefer` list names a package.
    pub(crate) fn is_preferred(&self, package: &Package<'_>) -> bool {
        self.prefer.contains_key(&*package.metadata.nevra.name)
    }

    /// Where a package of the tree states something.
    pub(crate) fn place_of(&self, package: &Package<'_>, kind: StatementKind) -> Option<Place> {
        let packages = &self.universe.tree[package.tree?].source.packages;
        let stated = packages.iter().find(|stated| stated.name == package.metadata.nevra.name)?;
        let metadata = &package.metadata;
        let place = |list: &[Located<Dependency>], wanted: &Dependency| {
            list.iter().find(|one| one.value == *wanted)?.place.clone()
        };
        match kind {
            StatementKind::Requires(at) => place(&stated.requires, &metadata.requires[at]),
            StatementKind::Conflicts(at) => place(&stated.conflicts, &metadata.conflicts[at]),
            StatementKind::Obsoletes(at) => {
                stated.obsoletes.iter().find(|one| one.value == metadata.obsoletes[at])?.place.clone()
            }
        }
    }

    /// The source package of the tree a package is built from.
    pub(crate) fn source_name(&self, package: &Package<'_>) -> Option<&'u str> {
        package.tree.map(|place| &*self.universe.tree[place].source.name)
    }
}

/// What has been looked up already.
#[derive(Default)]
struct Atoms {
    sorted: HashMap<(bool, Dependency), Vec<u32>>,
    possible: HashMap<String, Vec<u32>>,
}

/// The name of the source package in the file name of its RPM, `NAME-VERSION-RELEASE.src.rpm`.
fn source_name(source_rpm: &str) -> Option<&str> {
    source_rpm.rsplitn(3, '-').nth(2)
}

/// Packages and names are numbered in 32 bits; more than four thousand million of them do not fit into memory.
fn to_number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
