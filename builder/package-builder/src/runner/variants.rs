//! Bootstrap variants: what a spec evaluates to `--with bootstrap`, and which of its two forms is in force.
//!
//! Which packages are to be built as their variants is the graph's decision ([`planner::BuildGraph::variants`]), made
//! anew whenever something was published. [`Planning::settle`] then puts the variants in their places everywhere:
//! evaluated specs, sources, universe; so all that follows (plan, key, build root, build) needs no case of its own.

use std::collections::{BTreeMap, BTreeSet};

use planner::{InputDigest, Variant};

use super::inputs::Inputs;
use super::planning::Planning;
use crate::error::CommandError;
use crate::host::{BrokenSpec, Context, Evaluated, HostWorld, Remembered, evaluate_files};

/// The options of rpmbuild that a variant is built with; part of its key.
pub(super) const OPTIONS: &str = "--with bootstrap";

/// The macro that these options define.
const MACRO: (&str, &str) = ("_with_bootstrap", "--with-bootstrap");

/// The form of each source package with two that is not in force.
#[derive(Debug, Default)]
pub struct Variants {
    others: BTreeMap<String, (Evaluated, Inputs)>,
    /// The source packages whose variant is in force.
    taken: BTreeSet<String>,
}

impl Variants {
    /// Evaluates the specs of some source packages as their variants. Those that are broken are in the second value.
    ///
    /// # Errors
    /// A name is unknown, or a variant has another name than the package itself.
    pub(super) fn evaluate(
        planning: &Planning,
        context: &Context,
        world: &HostWorld,
    ) -> Result<(Self, Vec<BrokenSpec>), CommandError> {
        let (stage, settings) = (&planning.stage, &planning.settings);
        let mut files = Vec::new();
        for name in &stage.bootstrap {
            let is_broken = planning.broken.iter().any(|broken| broken.package == *name);
            match planning.specs.get(name) {
                Some(spec) => files.push(spec.path.clone()),
                None if is_broken => {}
                None => {
                    let message =
                        format!("stage `{}`, `bootstrap`: no source package `{name}` in the tree", stage.name);
                    return Err(CommandError::input(message));
                }
            }
        }
        if files.is_empty() {
            return Ok((Self::default(), Vec::new()));
        }
        let mut source = context.source().clone();
        source.defines.push((MACRO.0.to_owned(), MACRO.1.to_owned()));
        let context = Context::new(source, Vec::new());
        let remembered = Remembered::open(&settings.cache, &context);
        let (evaluated, broken) = evaluate_files(&settings.tree, files, &context, world, &remembered)?;
        let mut others = BTreeMap::new();
        for spec in evaluated {
            let name = spec.package.name.clone();
            if !stage.bootstrap.contains(&name) {
                return Err(CommandError::input(format!(
                    "`{}` is called `{name}` as a bootstrap variant; it must keep its name",
                    spec.name
                )));
            }
            let inputs = Inputs::read(&spec)?;
            others.insert(name, (spec, inputs));
        }
        Ok((Self { others, taken: BTreeSet::new() }, broken))
    }

    /// The variant of a source package, to resolve with.
    pub(super) fn of(&self, name: &str) -> Option<Box<Variant>> {
        let (spec, _) = self.others.get(name)?;
        Some(Box::new(Variant { source: spec.package.clone(), generated: Vec::new() }))
    }
}

impl Planning {
    /// Adds the bootstrap variants that the stage declares. One that is broken counts as a broken spec.
    pub(super) fn add_variants(&mut self, context: &Context, world: &HostWorld) -> Result<(), CommandError> {
        let (variants, broken) = Variants::evaluate(self, context, world)?;
        for tree in &mut self.universe.tree {
            tree.other = variants.of(&tree.source.name);
        }
        self.variants = variants;
        self.broken.extend(broken);
        Ok(())
    }

    /// Resolves every build root with what is published now, or takes it from the lock, and puts those bootstrap variants
    /// in force that the graph asks for.
    pub fn settle(&mut self) {
        self.take_variants(BTreeSet::new());
        self.graph = planner::resolve(&self.universe);
        self.doubt_generated();
        self.use_lock();
        self.take_variants(self.graph.variants());
    }

    /// The options that a source package is built with as its bootstrap variant, where that is in force.
    #[must_use]
    pub fn variant(&self, package: &str) -> Option<String> {
        self.variants.taken.contains(package).then(|| OPTIONS.to_owned())
    }

    /// The digests of what a source package is built from, and of what its bootstrap variant is, whichever is in force.
    pub(super) fn forms(&self, package: &str) -> (Option<InputDigest>, Option<InputDigest>) {
        let now = self.specs.get(package).zip(self.inputs.get(package)).map(|(spec, inputs)| inputs.digest(spec));
        let other = self.variants.others.get(package).map(|(spec, inputs)| inputs.digest(spec));
        if self.variants.taken.contains(package) { (other, now) } else { (now, other) }
    }

    /// The macros that a source package is built with.
    #[must_use]
    pub fn defines_of(&self, package: &str) -> Vec<(String, String)> {
        let variant = self.variant(package).map(|_| (MACRO.0.to_owned(), MACRO.1.to_owned()));
        self.defines.iter().cloned().chain(variant).collect()
    }

    fn take_variants(&mut self, names: BTreeSet<String>) {
        for (name, (other, other_inputs)) in &mut self.variants.others {
            if self.variants.taken.contains(name) == names.contains(name) {
                continue;
            }
            if let (Some(spec), Some(inputs)) = (self.specs.get_mut(name), self.inputs.get_mut(name)) {
                std::mem::swap(spec, other);
                std::mem::swap(inputs, other_inputs);
            }
        }
        self.universe.take_variants(&names);
        self.variants.taken = names;
    }
}
