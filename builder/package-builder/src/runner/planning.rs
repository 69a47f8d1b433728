//! From a tree on disk to a plan: seeds, macros, specs, sources' checksums, graph. What this gives is all that
//! the verbs `plan`, `graph`, `fetch` and `build` start from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use planner::{Blocker, BuildGraph, Circumstances, InputDigest, Plan, Targets, TreePackage, Universe};
use report::EventKind;
use repository::{Change, Generation, Generations, RpmFile, SeedFile};
use rpmspec_parser::rpm::{Nevra, PackageMetadata};

use crate::buildroot;
use crate::cli::TargetArgs;
use crate::config::Settings;
use crate::error::{CommandError, ErrorKind};
use crate::history::{Estimates, machine_id};
use crate::host::{BrokenSpec, Context, Evaluated, HostWorld, Layout, Remembered, Snippets, evaluate_tree};
use crate::seeds::{Seed, SeedError, SeedRpm, StageSettings};

use super::conventions::KEY_VERSION;
use super::events::{Events, now_milliseconds};
use super::generated;
use super::ground::{Ground, bring};
use super::inputs::Inputs;
use super::locked::Locked;
use super::state::State;
use super::variants::Variants;

/// A tree with everything that decisions about it need.
pub struct Planning {
    /// The settings in force.
    pub settings: Settings,
    /// The stage that is built.
    pub stage: StageSettings,
    /// The seeds, in the stage's order, without their packages: those are in `seeds`.
    pub seed_sets: Arc<[Seed]>,
    /// The RPMs of all seeds, in the order of [`Universe::seeds`]; to be used after [`Planning::bring`].
    pub seeds: Vec<SeedRpm>,
    /// Indexes into `seeds`: what the base layer is made of.
    pub base: Vec<usize>,
    /// The specs that evaluate, by source package.
    pub specs: BTreeMap<String, Evaluated>,
    /// The specs that do not.
    pub broken: Vec<BrokenSpec>,
    /// The lines that diagnostics are about.
    pub snippets: Snippets,
    /// What there is to resolve with.
    pub universe: Universe,
    /// Who needs whom.
    pub graph: BuildGraph,
    /// The published repository.
    pub generations: Generations,
    /// What is published now.
    pub published: Option<Generation>,
    /// What is known of earlier builds.
    pub state: State,
    /// What builds are expected to take.
    pub estimates: Estimates,
    /// Sources with their checksums, by source package.
    pub inputs: BTreeMap<String, Inputs>,
    /// Macros for evaluation and for rpmbuild alike.
    pub defines: Vec<(String, String)>,
    /// The lock that decides build roots, if there is one.
    pub locked: Option<Locked>,
    /// Bootstrap variants.
    pub variants: Variants,
}

impl Planning {
    /// Prepares the seeds, evaluates every spec and resolves every build root.
    ///
    /// # Errors
    /// A setting, a stage file or a seed is broken. Broken specs are no error here.
    pub fn new(settings: Settings, events: &Arc<Events>) -> Result<Self, CommandError> {
        Self::with(settings, events, None)
    }

    /// The same, with build roots from a lock if there is one.
    ///
    /// # Errors
    /// The same, or the base layer is not what the lock says.
    pub fn with(settings: Settings, events: &Arc<Events>, locked: Option<Locked>) -> Result<Self, CommandError> {
        let ground = Ground::lay_by(&settings, events, None, locked.as_ref())?;
        let shell = ground.shell(&settings, events);
        let Ground { stage, seed_sets, seeds: rpms, base, mut universe, context, defines } = ground;
        let started = Instant::now();
        let world = HostWorld::new(now_milliseconds() / 1000, &context, shell);
        let snippets = Snippets::new(&settings.tree, &context);
        let context = Context::new(context, Vec::new());
        let remembered = Remembered::open(&settings.cache, &context);
        let (evaluated, broken) = evaluate_tree(&settings.tree, &settings.specs, &context, &world, &remembered)?;
        events.emit(EventKind::SpecsEvaluated {
            count: evaluated.len() + broken.len(),
            errors: broken.len(),
            seconds: started.elapsed().as_secs_f64(),
        });
        let layout = Layout::new(&settings.output);
        let generations =
            Generations::open(layout.root()).map_err(|error| CommandError::infrastructure(error.to_string()))?;
        let published = generations.current();
        universe.published = published_metadata(published.as_ref());
        let mut state = State::load(&layout.state())?;
        let mut inputs = BTreeMap::new();
        for spec in &evaluated {
            let of_spec = Inputs::read(spec)?;
            if let Some(locked) = &locked {
                locked.remember(&mut state, &spec.package.name, &of_spec.digest(spec));
            }
            let generated = generated::remembered(&state, spec, &of_spec);
            inputs.insert(spec.package.name.clone(), of_spec);
            let (source, spec) = (spec.package.clone(), spec.name.clone());
            universe.tree.push(TreePackage { source, spec, generated, ..TreePackage::default() });
        }
        let specs: BTreeMap<_, _> = evaluated.into_iter().map(|spec| (spec.package.name.clone(), spec)).collect();
        let estimates = estimates(&layout, &state, specs.keys().map(String::as_str), events);
        let mut planning = Self {
            stage,
            seed_sets,
            seeds: rpms,
            settings,
            base,
            specs,
            broken,
            snippets,
            universe,
            graph: BuildGraph::default(),
            generations,
            published,
            state,
            estimates,
            inputs,
            defines,
            locked,
            variants: Variants::default(),
        };
        planning.add_variants(&context, &world)?;
        planning.settle();
        Ok(planning)
    }

    /// Makes sure that RPMs of seeds are in the cache and are what they should be.
    ///
    /// # Errors
    /// One cannot be had.
    pub fn bring(&self, rpms: &[&SeedRpm], events: &Events) -> Result<(), SeedError> {
        bring(&self.seed_sets, rpms, events)
    }

    /// The digest of the base layer, known before it is made.
    #[must_use]
    pub fn base_digest(&self) -> String {
        let rpms: Vec<_> = self.base.iter().map(|index| &self.seeds[*index]).collect();
        buildroot::base_digest(&rpms)
    }

    /// The identities of everything a build root can hold, by NEVRA. A seed's RPM is its content.
    #[must_use]
    pub fn identities(&self) -> BTreeMap<String, String> {
        let seeds = self.seeds.iter().map(|rpm| (rpm.metadata.nevra.to_string(), rpm.sha256.clone()));
        let published = self.published.iter().flat_map(Generation::built);
        seeds.chain(published.map(|rpm| (rpm.metadata.nevra.to_string(), rpm.identity.clone()))).collect()
    }

    /// What decides besides the graph whether a build is known.
    #[must_use]
    pub fn circumstances(&self, forced: BTreeSet<String>) -> Circumstances {
        Circumstances {
            identities: self.identities(),
            base_layer: self.base_digest(),
            rpm_version: self.rpm_version(),
            tool_key_version: KEY_VERSION,
            extra: BTreeMap::new(),
            forced,
        }
    }

    /// The version of the rpm that builds: the base's `rpm-build`.
    #[must_use]
    pub fn rpm_version(&self) -> String {
        let builder =
            self.base.iter().map(|index| &self.seeds[*index].metadata.nevra).find(|nevra| nevra.name == "rpm-build");
        builder.map(|nevra| nevra.evr.to_string()).unwrap_or_default()
    }

    /// The digests of what goes into each build from the tree.
    #[must_use]
    pub fn input_digests(&self) -> BTreeMap<String, InputDigest> {
        let names = self.specs.keys();
        names.filter_map(|name| Some((name.clone(), self.input_digest(name)?))).collect()
    }

    /// The digests of what goes into one build from the tree.
    #[must_use]
    pub fn input_digest(&self, package: &str) -> Option<InputDigest> {
        let digest = self.inputs.get(package)?.digest(self.specs.get(package)?);
        Some(InputDigest { variant: self.variant(package), ..digest })
    }

    /// Decides what must be built for the targets; broken specs among them are in the plan's blocked list's
    /// stead in [`broken`](Self::broken).
    ///
    /// # Errors
    /// A target is unknown, its spec is broken, or the lock that decides does not fit.
    pub fn plan(&self, targets: &TargetArgs, force: bool) -> Result<Plan, CommandError> {
        if targets.names.is_empty() && !targets.all {
            return Err(CommandError::usage("no package is named").hint("name packages, or say `--all`"));
        }
        for name in &targets.names {
            if let Some(broken) = self.broken.iter().find(|broken| &broken.package == name) {
                let lines: Vec<_> =
                    broken.diagnostics.iter().map(|said| self.snippets.plain(&broken.name, said)).collect();
                return Err(CommandError::input(format!(
                    "`{}` cannot be evaluated:\n{}",
                    broken.name,
                    lines.join("\n")
                )));
            }
        }
        let wanted = if targets.all { Targets::All } else { Targets::Named(targets.names.clone()) };
        let forced = if force { self.forced(&wanted)? } else { BTreeSet::new() };
        let plan = |forced| {
            planner::plan(&self.graph, &wanted, &self.state.known(), &self.input_digests(), &self.circumstances(forced))
        };
        let mut plan = plan(forced).map_err(|error| CommandError::usage(error.to_string()))?;
        self.check_lock(&plan)?;
        let stale = plan.stale.iter().map(|(name, _)| name).filter(|_| self.locked.is_none());
        plan.unasked = stale.filter(|name| self.must_ask(name) && self.generated(name).is_none()).cloned().collect();
        Ok(plan)
    }

    /// Takes over what was just published.
    pub fn set_published(&mut self, generation: Generation) {
        self.universe.published = published_metadata(Some(&generation));
        self.published = Some(generation);
    }

    /// What to publish when a source package has given these RPMs: they replace its earlier ones, and seeds add what
    /// clients need besides the tree's packages, so that a repository is always enough to install from. The second
    /// value is the RPMs of these seeds that are not published yet, to be brought before.
    #[must_use]
    pub fn change(&self, package: &str, rpms: &[RpmFile]) -> (Change, Vec<&SeedRpm>) {
        let others = self.published.iter().flat_map(Generation::built).filter(|rpm| rpm.source_package() != package);
        let built = rpms.iter().filter(|rpm| rpm.is_built());
        let published = others.chain(built).map(|rpm| PackageMetadata::clone(&rpm.metadata)).collect();
        let universe = Universe {
            seeds: self.universe.seeds.clone(),
            published,
            arch: self.universe.arch.clone(),
            prefer: self.universe.prefer.clone(),
            ..Universe::default()
        };
        let seeds: Vec<_> = planner::companions(&universe).into_iter().map(|place| &self.seeds[place]).collect();
        let files = seeds.iter().map(|rpm| SeedFile { path: rpm.path.clone(), sha256: rpm.sha256.clone() });
        let change = Change {
            add: rpms.iter().map(|rpm| rpm.path.clone()).collect(),
            remove: BTreeSet::from([package.to_owned()]),
            seeds: Some(files.collect()),
        };
        let published: BTreeSet<_> =
            self.published.iter().flat_map(Generation::packages).map(|rpm| &rpm.sha256).collect();
        (change, seeds.into_iter().filter(|rpm| !published.contains(&rpm.sha256)).collect())
    }

    /// The published file of a package.
    #[must_use]
    pub fn published_path(&self, nevra: &Nevra) -> Option<PathBuf> {
        let mut packages = self.published.iter().flat_map(Generation::built);
        packages.find(|rpm| rpm.metadata.nevra == *nevra).map(|rpm| rpm.path.clone())
    }

    /// Shows what is wrong with specs, without stopping anything.
    pub fn show_broken(&self, events: &Events) {
        let warnings = self.specs.values().flat_map(|spec| spec.diagnostics.iter().map(|said| (&spec.name, said)));
        let errors = self.broken.iter().flat_map(|spec| spec.diagnostics.iter().map(|said| (&spec.name, said)));
        for (name, diagnostic) in errors.chain(warnings) {
            events.emit(EventKind::Diagnostic { text: self.snippets.plain(name, diagnostic) });
        }
    }

    /// The error for a name that no spec has, with the nearest ones.
    #[must_use]
    pub fn unknown_package(&self, name: &str) -> CommandError {
        match self.plan(&TargetArgs { names: vec![name.to_owned()], all: false }, false) {
            Err(error) => error,
            Ok(_) => CommandError::usage(format!("`{name}` is a binary package; name its source package")),
        }
    }

    fn forced(&self, wanted: &Targets) -> Result<BTreeSet<String>, CommandError> {
        let plan = planner::plan(
            &self.graph,
            wanted,
            &BTreeMap::new(),
            &self.input_digests(),
            &self.circumstances(BTreeSet::new()),
        )
        .map_err(|error| CommandError::usage(error.to_string()))?;
        Ok(plan.targets.into_iter().collect())
    }
}

/// What builds are expected to take, by the history, or where there is none of a package by its last build. A history
/// that cannot be read is worth a warning and no more.
fn estimates<'a>(
    layout: &Layout,
    state: &State,
    packages: impl Iterator<Item = &'a str>,
    events: &Events,
) -> Estimates {
    let estimates = Estimates::read(&layout.state(), &machine_id(), packages);
    let mut estimates = estimates.unwrap_or_else(|error| {
        let text = format!("warning: what earlier builds took is not known: {}", error.message);
        events.emit(EventKind::Diagnostic { text });
        Estimates::default()
    });
    estimates.add_seconds(state.packages().iter().map(|(name, built)| (name.as_str(), built.seconds)));
    estimates
}

/// The error of a plan in which something that was asked for cannot be built at all.
#[must_use]
pub fn blocked_targets(plan: &Plan) -> Option<CommandError> {
    let blocked: Vec<_> = plan
        .blocked
        .iter()
        .filter(|(_, blocker)| !matches!(blocker, Blocker::BlockedBy { .. } | Blocker::ExcludedArchitecture { .. }))
        .map(|(name, blocker)| format!("`{name}` cannot be built: {blocker}"))
        .collect();
    (!blocked.is_empty()).then(|| CommandError::new(ErrorKind::Input, blocked.join("\n")))
}

/// The headers of what was built from the tree and is published.
fn published_metadata(generation: Option<&Generation>) -> Vec<PackageMetadata> {
    generation.into_iter().flat_map(Generation::built).map(|rpm| PackageMetadata::clone(&rpm.metadata)).collect()
}
