//! What specs are evaluated on and build roots are made of: the stage's seeds, the base layer's packages and the
//! macros in it. It needs no spec, so one spec can be evaluated without the others.

use std::sync::Arc;
use std::time::Instant;

use planner::{Index, PackageId, SeedPackage, Universe};
use report::EventKind;
use rpmspec_parser::MacroContext;
use rpmspec_parser::rpm::Dependency;

use crate::buildroot::{self, BaseProgress};
use crate::config::{Settings, ShellPolicy};
use crate::error::{CommandError, ErrorKind};
use crate::host::{SandboxedShell, Shell};
use crate::seeds::{self, PrepareOptions, Seed, SeedError, SeedProgress, SeedRpm, StageSettings};

use super::conventions;
use super::events::Events;
use super::locked::Locked;

/// A stage without its specs.
pub struct Ground {
    /// The stage that is built.
    pub stage: StageSettings,
    /// The seeds, in the stage's order, without their packages: those are in `seeds`.
    pub seed_sets: Arc<[Seed]>,
    /// The RPMs of all seeds, in the order of [`Universe::seeds`].
    pub seeds: Vec<SeedRpm>,
    /// Indexes into `seeds`: what the base layer is made of.
    pub base: Vec<usize>,
    /// The seeds' packages, to resolve with.
    pub universe: Universe,
    /// The macros of the base's rpm with [`Self::defines`] on top.
    pub context: MacroContext,
    /// Macros for evaluation and for rpmbuild alike.
    pub defines: Vec<(String, String)>,
}

impl Ground {
    /// Prepares the seeds and reads the base's macros, for the tree's architecture or another one.
    ///
    /// # Errors
    /// A setting, a stage file or a seed is broken.
    pub fn lay(settings: &Settings, events: &Events, target: Option<&str>) -> Result<Self, CommandError> {
        Self::lay_by(settings, events, target, None)
    }

    /// The same with the base of a lock, if there is one.
    pub(super) fn lay_by(
        settings: &Settings,
        events: &Events,
        target: Option<&str>,
        locked: Option<&Locked>,
    ) -> Result<Self, CommandError> {
        let stages = seeds::read_stages(&settings.tree).map_err(|error| CommandError::input(error.to_string()))?;
        let [stage] = stages.stages.as_slice() else {
            return Err(CommandError::input(format!(
                "`{}` defines {} stages; exactly one can be built so far",
                settings.stages.display(),
                stages.stages.len()
            )));
        };
        let mut universe = Universe {
            arch: settings.file.distribution.architecture.clone(),
            prefer: settings.file.resolve.prefer.clone(),
            base: parse_base(stage)?,
            ..Universe::default()
        };
        let (mut seed_sets, mut rpms) = (Vec::new(), Vec::new());
        for name in &stage.seeds {
            let seed_settings =
                stages.seeds.get(name).ok_or_else(|| CommandError::input(format!("no seed `{name}`")))?;
            let mut seed = prepare_seed(name, seed_settings, settings, events)?;
            for rpm in std::mem::take(&mut seed.packages) {
                universe.seeds.push(SeedPackage { seed: name.clone(), metadata: rpm.metadata.clone() });
                rpms.push(rpm);
            }
            seed_sets.push(seed);
        }
        let base = match locked {
            Some(locked) => locked.base(&rpms)?,
            None => base_of(&universe)?,
        };
        let defines = conventions::defines(settings);
        let base_rpms: Vec<_> = base.iter().map(|index| &rpms[*index]).collect();
        let bring = |rpms: &[&SeedRpm]| bring(&seed_sets, rpms, events);
        let mut context =
            buildroot::macro_context(&base_rpms, &settings.cache, &bring, target.unwrap_or(&universe.arch))
                .map_err(|error| CommandError::infrastructure(error.to_string()))?;
        context.defines.extend(defines.iter().cloned());
        Ok(Self { stage: stage.clone(), seed_sets: seed_sets.into(), seeds: rpms, base, universe, context, defines })
    }

    /// Where specs run their shell commands, as the settings say. A sandbox needs the base layer, which is made when
    /// the first command comes.
    #[must_use]
    pub fn shell(&self, settings: &Settings, events: &Arc<Events>) -> Shell {
        match settings.shell {
            ShellPolicy::Host => Shell::Host,
            ShellPolicy::Refuse => Shell::Refused,
            ShellPolicy::Sandboxed => {
                let rpms: Vec<_> = self.base.iter().map(|index| self.seeds[*index].clone()).collect();
                let digest = buildroot::base_digest(&rpms.iter().collect::<Vec<_>>());
                let (sets, events) = (Arc::clone(&self.seed_sets), Arc::clone(events));
                let cache = settings.cache.clone();
                let shell = SandboxedShell::over(&settings.cache, &digest, move |runtime, sandbox| {
                    let rpms: Vec<_> = rpms.iter().collect();
                    let bring = |rpms: &[&SeedRpm]| bring(&sets, rpms, &events);
                    let progress = |progress| emit_base_progress(&progress, &events);
                    let layer = buildroot::prepare_base(&rpms, &cache, sandbox, &bring, &progress);
                    let layer = runtime.block_on(layer);
                    let layer = layer.map_err(|error| CommandError::infrastructure(format!("base layer: {error}")));
                    Ok(layer?.directory)
                });
                Shell::Sandboxed(Box::new(shell))
            }
        }
    }
}

/// Tells how the making of a base layer goes on.
pub fn emit_base_progress(progress: &BaseProgress, events: &Events) {
    let (doing, total) = match progress {
        BaseProgress::Unpacking { packages } => ("unpacking", packages),
        BaseProgress::Installing { packages } => ("installing", packages),
        BaseProgress::Ready { .. } => return,
    };
    let total = Some(*total as u64).filter(|total| *total > 0);
    events.emit(EventKind::SeedProgress { name: "base layer".to_owned(), doing: doing.to_owned(), done: 0, total });
}

fn parse_base(stage: &StageSettings) -> Result<Vec<Dependency>, CommandError> {
    let parse = |text: &String| {
        Dependency::parse(text)
            .map_err(|error| CommandError::input(format!("stage `{}`, `buildroot`: {error}", stage.name)))
    };
    stage.buildroot.iter().map(parse).collect()
}

/// Indexes of the seeds' packages that the base layer is made of.
fn base_of(universe: &Universe) -> Result<Vec<usize>, CommandError> {
    let ids = planner::install_set(&Index::new(universe), &[], &[], None, None).map_err(|explanation| {
        CommandError::input(format!("the stage's `buildroot` cannot be installed: {explanation}"))
    })?;
    let seed = |id: PackageId| match id {
        PackageId::Seed(index) => Some(index),
        _ => None,
    };
    Ok(ids.into_iter().filter_map(seed).collect())
}

/// Makes sure that RPMs of seeds are in the cache and are what they should be, and tells how that goes on.
pub(super) fn bring(sets: &[Seed], rpms: &[&SeedRpm], events: &Events) -> Result<(), SeedError> {
    sets.iter().try_for_each(|seed| seed.ensure(rpms, &|progress| emit_progress(&seed.name, &progress, events)))
}

fn emit_progress(name: &str, progress: &SeedProgress, events: &Events) {
    let (doing, done, total) = match progress {
        SeedProgress::Resolving => ("resolving", 0, None),
        SeedProgress::Downloading { packages, .. } => ("downloading", 0, Some(*packages as u64)),
        SeedProgress::Converted { done, total, .. } => ("converting", *done as u64, Some(*total as u64)),
        SeedProgress::Ready { .. } => return,
    };
    events.emit(EventKind::SeedProgress { name: name.to_owned(), doing: doing.to_owned(), done, total });
}

fn prepare_seed(
    name: &str,
    seed: &seeds::SeedSettings,
    settings: &Settings,
    events: &Events,
) -> Result<Seed, CommandError> {
    let started = Instant::now();
    let options = PrepareOptions { cache: &settings.cache, offline: settings.offline, refresh: false };
    let progress = |progress: SeedProgress| emit_progress(name, &progress, events);
    let seed = seeds::prepare(name, seed, options, &progress).map_err(|error| {
        let kind = if error.is_infrastructure() { ErrorKind::Infrastructure } else { ErrorKind::Input };
        CommandError::new(kind, error.to_string())
    })?;
    events.emit(EventKind::SeedPrepared {
        name: name.to_owned(),
        packages: seed.packages.len(),
        seconds: started.elapsed().as_secs_f64(),
    });
    Ok(seed)
}
