//! `build`, which is also `-i`: plan, fetch, build, publish, and the summary.

mod ending;
mod leaving;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use jiff::Zoned;
use planner::Plan;
use report::{EventKind, Everyone, ExpectedFailure, Json, Recorder};
use sandbox::docker::DockerSandbox;
use sandbox::linux::LinuxSandbox;
use sandbox::{Sandbox, SandboxError};
use tokio::runtime::Runtime;

use crate::buildroot::{self, BaseLayer, BaseProgress, Layers, Library};
use crate::cli::{BuildArgs, JobServerChoice, SandboxChoice};
use crate::config::{ExpectedFailures, Settings};
use crate::error::{CommandError, IoContext};
use crate::history;
use crate::host::{Layout, OutputLock, Runs};
use crate::runner::{
    Events, Locked, Passes, Planning, RunEnd, RunOptions, ThisMachine, Window, emit_base_progress, emit_plan,
    fetch_sources, memory_for_builds, new_run_id, num_cpus, remove_leftovers,
};
use crate::seeds::SeedRpm;
use ending::{Built, finish, interrupted};
use leaving::unless_interrupted;

/// So many bytes are written at most for the layers over a base that are kept.
const MOST_LAYERS: u64 = 20 << 30;

/// A run that has a journal, and how it ended.
pub(super) struct Ran {
    /// Its id.
    pub(super) id: String,
    /// Its end as that of the command.
    pub(super) outcome: Result<(), CommandError>,
}

pub(super) fn run(settings: Settings, arguments: &BuildArgs) -> Result<(), CommandError> {
    run_within(settings, arguments, None)?.outcome
}

/// Runs a build that starts no job after a moment, if one is given.
///
/// # Errors
/// It did not become a run: the command line is wrong, another one is writing, or nothing can be built here.
pub(super) fn run_within(
    settings: Settings,
    arguments: &BuildArgs,
    until: Option<Instant>,
) -> Result<Ran, CommandError> {
    if arguments.targets.names.is_empty() && !arguments.targets.all {
        return Err(CommandError::usage("no package is named").hint("name packages, or say `--all`"));
    }
    let layout = Layout::new(&settings.output);
    let command = std::env::args().collect::<Vec<_>>().join(" ");
    let _lock = OutputLock::take(&layout, &command)?;
    let runtime = Arc::new(runtime()?);
    let sandbox = runtime.block_on(choose_sandbox(arguments.sandbox))?;
    let id = new_run_id();
    let folder = layout.run(&id);
    std::fs::create_dir_all(&folder).doing("create", &folder)?;
    let history = history::Recorder::open(&layout.state());
    let reporters = Everyone::default().and(Recorder::append_to(&folder.join("events.jsonl"))).and(history.clone());
    let reporters =
        if arguments.json { reporters.and(Json::new(std::io::stdout())) } else { reporters.and(super::terminal()) };
    let events = Arc::new(Events::new(id, reporters));
    let jobs = arguments.jobs.map_or_else(num_cpus, std::num::NonZeroUsize::get);
    events.emit(EventKind::RunStarted {
        command,
        tree: settings.tree.display().to_string(),
        jobs,
        sandbox: sandbox.name().to_owned(),
    });
    runtime.block_on(remove_leftovers(&layout.work(), &events));
    let window = until.map(|until| {
        let window = Arc::new(Window::default());
        let watching = runtime.spawn(Arc::clone(&window).watch(until, Arc::clone(&events)));
        (window, watching)
    });
    let listens = Arc::new(AtomicBool::new(false));
    let work = Work {
        arguments: arguments.clone(),
        jobs,
        window: window.as_ref().map(|(window, _)| Arc::clone(window)),
        runtime: Arc::clone(&runtime),
        sandbox,
        events: Arc::clone(&events),
        listens: Arc::clone(&listens),
    };
    let built = unless_interrupted(&runtime, &listens, move || work.build(settings));
    if let Some((_, watching)) = window {
        watching.abort();
    }
    if let Some(error) = history.first_error() {
        let text = format!("warning: what the builds took is not, or not wholly, recorded: {error}");
        events.emit(EventKind::Diagnostic { text });
    }
    let outcome = match built.and_then(Option::transpose) {
        Ok(Some(built)) => finish(&built, arguments, &events),
        Ok(None) => Err(interrupted(&layout, &events)),
        Err(error) => {
            let hints: String = error.hints.iter().map(|hint| format!("\nhint: {hint}")).collect();
            events.emit_last(EventKind::RunBroke { reason: format!("{}{hints}", error.message) });
            Err(error)
        }
    };
    events.finish();
    let id = events.run().to_owned();
    if let Err(error) = Runs::new(&layout).write_results(&id) {
        // With standard error gone there is nobody left to tell.
        let _ = writeln!(std::io::stderr(), "warning: the run has no results: {}", error.message);
    }
    Ok(Ran { id, outcome })
}

/// What the work of a run needs besides the settings.
struct Work {
    arguments: BuildArgs,
    jobs: usize,
    window: Option<Arc<Window>>,
    runtime: Arc<Runtime>,
    sandbox: Arc<dyn Sandbox>,
    events: Arc<Events>,
    /// Whether builds are running, which listen to signals.
    listens: Arc<AtomicBool>,
}

impl Work {
    /// Plans, fetches and builds.
    fn build(self, settings: Settings) -> Result<Built, CommandError> {
        let Self { arguments, jobs, window, runtime, sandbox, events, listens } = self;
        let layout = Layout::new(&settings.output);
        let locked = arguments.locked.as_deref().map(Locked::read).transpose()?;
        let mut planning = Planning::with(settings, &events, locked)?;
        planning.show_broken(&events);
        let plan = planning.plan(&arguments.targets, arguments.force)?;
        write_plan(&plan, &layout.run(events.run()).join("plan.json"))?;
        let expected = expected_failures(&planning, &plan, &arguments)?;
        if arguments.targets.all {
            emit_broken(&planning, &events);
        }
        if !expected.is_empty() {
            events.emit(EventKind::FailuresExpected { entries: expected.clone() });
        }
        emit_plan(&plan, &events);
        if plan.stale.is_empty() {
            write_lock(&mut planning, &arguments, false, &events);
            return Ok(Built { planning, plan, expected, end: RunEnd::default() });
        }
        // Sources come while the base layer is made: one waits for the network, the other for the disk.
        let (layer, sources) = std::thread::scope(|scope| {
            let fetching = scope.spawn(|| fetch_sources(&planning, &plan, &events));
            let layer = runtime.block_on(base_layer(&planning, &*sandbox, &events));
            (layer, fetching.join())
        });
        let sources = sources.map_err(|_| CommandError::infrastructure("fetching sources broke off"))??;
        let options = RunOptions {
            jobs,
            fail_fast: arguments.fail_fast,
            check: !arguments.nocheck,
            memory: arguments.limits.memory.or_else(memory_for_builds),
            machine: Arc::new(ThisMachine),
            job_server: arguments.limits.job_server == JobServerChoice::Auto,
            limits: arguments.limits.of_job(),
            window,
        };
        let layers = runtime.block_on(layers(&planning.settings, layer?, &sandbox))?;
        let (targets, library) = (&arguments.targets, Arc::clone(&layers.library));
        let passes =
            Passes { targets, sources, layers, sandbox, options: &options, events: &events, listens: &listens };
        let outcome = runtime.block_on(passes.run(&mut planning, &plan));
        write_lock(&mut planning, &arguments, true, &events);
        if let Err(error) = runtime.block_on(library.collect(MOST_LAYERS)) {
            events.emit(EventKind::Diagnostic { text: format!("warning: old layers are not removed: {error}") });
        }
        Ok(Built { planning, plan, expected, end: outcome? })
    }
}

/// What the tree expects to fail today.
fn expected_failures(
    planning: &Planning,
    plan: &Plan,
    arguments: &BuildArgs,
) -> Result<Vec<ExpectedFailure>, CommandError> {
    let broken = planning.broken.iter().map(|spec| spec.package.as_str());
    let packages: BTreeSet<&str> = planning.specs.keys().map(String::as_str).chain(broken).collect();
    let expected = ExpectedFailures::read(&planning.settings.tree, &packages)?;
    let fresh = plan.fresh.iter().map(String::as_str).collect();
    Ok(expected.on(Zoned::now().date(), !arguments.nocheck, &fresh))
}

/// Tells the broken specs that a run of the whole tree leaves out.
fn emit_broken(planning: &Planning, events: &Events) {
    for spec in &planning.broken {
        let reason = spec.diagnostics.first().map(|first| match &first.place {
            Some(place) => format!("{place}: {}", first.message),
            None => first.message.clone(),
        });
        events.emit(EventKind::SpecBroken {
            package: spec.package.clone(),
            spec: spec.name.clone(),
            reason: reason.unwrap_or_default(),
        });
    }
}

/// Writes down what was built from what, of a run that failed as well. Failing to do so fails no build.
fn write_lock(planning: &mut Planning, arguments: &BuildArgs, has_built: bool, events: &Events) {
    let path = Layout::new(&planning.settings.output).run(events.run()).join("lock.json");
    if let Err(error) = planning.lock_of_run(&arguments.targets, has_built).write(&path) {
        events.emit(EventKind::Diagnostic { text: format!("warning: the run has no lock: {}", error.message) });
    }
}

async fn base_layer(planning: &Planning, sandbox: &dyn Sandbox, events: &Events) -> Result<BaseLayer, CommandError> {
    let started = Instant::now();
    let rpms: Vec<_> = planning.base.iter().map(|index| &planning.seeds[*index]).collect();
    let progress = |progress: BaseProgress| emit_base_progress(&progress, events);
    let bring = |rpms: &[&SeedRpm]| planning.bring(rpms, events);
    let layer = buildroot::prepare_base(&rpms, &planning.settings.cache, sandbox, &bring, &progress)
        .await
        .map_err(|error| CommandError::infrastructure(format!("base layer: {error}")))?;
    events.emit(EventKind::BaseReady { digest: layer.digest.clone(), seconds: started.elapsed().as_secs_f64() });
    Ok(layer)
}

/// The base with the layers over it.
async fn layers(settings: &Settings, base: BaseLayer, sandbox: &Arc<dyn Sandbox>) -> Result<Layers, CommandError> {
    let library = Library::open(&settings.cache, &base.digest, sandbox).await;
    let library = library.map_err(|error| CommandError::infrastructure(format!("layers over the base: {error}")))?;
    Ok(Layers { base: base.directory, library: Arc::new(library) })
}

fn write_plan(plan: &Plan, path: &Path) -> Result<(), CommandError> {
    let text =
        serde_json::to_vec_pretty(plan).map_err(|error| CommandError::infrastructure(format!("no JSON: {error}")))?;
    std::fs::write(path, text).doing("write", path)
}

/// The runtime that waits for processes and engines.
pub(super) fn runtime() -> Result<Runtime, CommandError> {
    Runtime::new().map_err(|error| CommandError::infrastructure(format!("no threads can be started: {error}")))
}

/// The sandbox of a choice; `auto` is [`choose_sandbox`]'s business and means `linux` here.
pub(super) fn sandbox_of(choice: SandboxChoice) -> Arc<dyn Sandbox> {
    match choice {
        SandboxChoice::Docker => Arc::new(DockerSandbox::new()),
        SandboxChoice::Linux | SandboxChoice::Auto => Arc::new(LinuxSandbox::new()),
    }
}

async fn choose_sandbox(choice: SandboxChoice) -> Result<Arc<dyn Sandbox>, CommandError> {
    let candidates: &[SandboxChoice] = match choice {
        SandboxChoice::Auto => &[SandboxChoice::Docker, SandboxChoice::Linux],
        SandboxChoice::Docker => &[SandboxChoice::Docker],
        SandboxChoice::Linux => &[SandboxChoice::Linux],
    };
    let mut failure = CommandError::infrastructure("nothing can be built here: no sandbox works");
    for candidate in candidates {
        let sandbox = sandbox_of(*candidate);
        match sandbox.check().await {
            Ok(()) => return Ok(sandbox),
            Err(SandboxError::Unavailable { reason, hint }) => {
                failure.message.push_str(&format!("\n  {candidate:?}: {reason}"));
                failure = failure.hint(hint);
            }
            Err(error) => failure.message.push_str(&format!("\n  {candidate:?}: {error}")),
        }
    }
    Err(failure)
}
