//! One run of a plan: how it goes about it, and how it ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use planner::{Plan, Queue};
use report::EventKind;
use sandbox::Sandbox;

use super::Dispatcher;
use super::builds::Builds;
use super::retry::Retries;
use crate::buildroot::Layers;
use crate::error::CommandError;
use crate::host::Layout;
use crate::runner::events::Events;
use crate::runner::inputs::FetchedSources;
use crate::runner::job::JobLimits;
use crate::runner::jobserver::JobServer;
use crate::runner::machine::Machine;
use crate::runner::planning::Planning;
use crate::runner::window::Window;

/// How a run goes about its plan.
#[derive(Clone)]
pub struct RunOptions {
    /// Builds at once.
    pub jobs: usize,
    /// Stop at the first failure.
    pub fail_fast: bool,
    /// Whether `%check` runs.
    pub check: bool,
    /// The memory that all builds may use together, in bytes; `None` where it is not known and not said.
    pub memory: Option<u64>,
    /// Where they run.
    pub machine: Arc<dyn Machine>,
    /// Whether builds share the CPUs by a job server.
    pub job_server: bool,
    /// What else each build may use up.
    pub limits: JobLimits,
    /// The time in which builds are started, if that is limited.
    pub window: Option<Arc<Window>>,
}

impl RunOptions {
    /// Whether the time in which builds are started is over.
    pub(super) fn window_is_over(&self) -> bool {
        self.window.as_ref().is_some_and(|window| window.is_over())
    }
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct RunEnd {
    /// Whether the user stopped it.
    pub interrupted: bool,
    /// Whether its time window ended before all was tried.
    pub window_over: bool,
    /// Whether the machine failed, not a package.
    pub infrastructure: bool,
    /// Packages that could not be started for want of a source.
    pub lacking_sources: usize,
    /// Packages that are not what the lock says.
    pub unlike_lock: usize,
    /// Packages of cycles that have settled, and how they are not what the lock says.
    pub settled_unlike_lock: Vec<(String, String)>,
    /// Source packages that ended without RPMs, or were not started because of one.
    pub failed: BTreeSet<String>,
    /// Those of them that were not started, each with the package that failed by itself.
    pub blocked: BTreeMap<String, String>,
    /// Why cycles are not built as they should be: their members never came out the same.
    pub unsettled: Vec<String>,
}

/// Runs a plan to its end.
///
/// # Errors
/// Publishing or recording the state failed: the repository is as it was, and nothing more can be done.
pub(in crate::runner) async fn run(
    planning: &mut Planning,
    plan: &Plan,
    sources: &FetchedSources,
    layers: &Layers,
    sandbox: Arc<dyn Sandbox>,
    options: &RunOptions,
    events: &Arc<Events>,
) -> Result<RunEnd, CommandError> {
    let layout = Layout::new(&planning.settings.output);
    let forced = plan.stale.iter().filter(|(_, reason)| matches!(reason, planner::StaleReason::Forced));
    let mut builds = Builds {
        queue: Queue::new(plan, &planning.graph, &planning.estimates.durations()),
        work: layout.work().join(events.run()),
        layout,
        planning,
        sources,
        layers,
        sandbox,
        options,
        events,
        forced: forced.map(|(name, _)| name.clone()).collect(),
        running: BTreeMap::new(),
        rounds: BTreeMap::new(),
        retries: Retries::default(),
        lone: BTreeSet::new(),
        held: BTreeSet::new(),
        // A single build has all CPUs anyway.
        job_server: (options.job_server && options.jobs > 1).then(|| JobServer::start(num_cpus())),
        end: RunEnd::default(),
        stopping: false,
        forecast: None,
    };
    builds.tell_forecast();
    let outcome = Dispatcher::new(&mut builds, options.jobs).run().await;
    builds.end.window_over = options.window_is_over() && !builds.queue.is_done();
    if let Err(error) = std::fs::remove_dir_all(&builds.work)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        events.emit(EventKind::Diagnostic {
            text: format!("warning: cannot remove `{}`: {error}", builds.work.display()),
        });
    }
    outcome.map(|()| builds.end)
}

/// The CPUs this process may use.
#[must_use]
pub fn num_cpus() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}
