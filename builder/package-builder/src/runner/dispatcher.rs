//! The dispatcher: owns the queue, what is published and what is known; the only one that changes them.
//!
//! Executors are tasks that build one job each and send messages: what a build root asks for, and at last the job's
//! end. A job's RPMs are published before anything that needs them is started. The first Ctrl-C lets running jobs
//! finish and starts no more; the second, or SIGTERM, ends them. All leave a state from which the same command goes on.
//!
//! ```text
//! queue ─► start ─┬─► key known: unchanged
//!   ▲             └─► executor ─┬─► built ─► publish ─► verdict
//!   │                           ├─► failed ───────────► verdict
//!   │    decide ([`more`]) ◄────┤ its root asks for more
//!   │      └─ install / stop ──►│
//!   └───────────────────────────┴─► stopped, to wait or for another root: no verdict
//! ```

mod more;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use planner::{JobId, Outcome, Plan, Queue};
use report::{EventKind, TimeLimit, Verdict};
use repository::read_rpm;
use sandbox::{ExecStatus, Sandbox};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::error::CommandError;
use crate::host::Layout;
use crate::seeds::{Seed, SeedRpm};
use crate::sources::{FetchSettings, SourceRequest};

use super::cause::cause_of;
use super::events::Events;
use super::ground::bring;
use super::inputs::{FetchedSources, fetch_requests, fetch_settings};
use super::job::{JobEnd, JobError, JobOrder, JobReport, run_job};
use super::planning::Planning;
use super::prepare::{Prepared, Start, prepare_job};
use super::state::BuiltPackage;
use super::stop::{Stop, StopSignals};
use more::{AskDispatcher, Asked};

/// How a run goes about its plan.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Builds at once.
    pub jobs: usize,
    /// Stop at the first failure.
    pub fail_fast: bool,
    /// Whether `%check` runs.
    pub check: bool,
    /// Longest time of one build.
    pub timeout: Duration,
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct RunEnd {
    /// Whether the user stopped it.
    pub interrupted: bool,
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
    /// Why cycles are not built as they should be: their members never came out the same.
    pub unsettled: Vec<String>,
}

/// What an executor sends.
enum Message {
    /// A build root says what the build needs; it waits for the answer.
    Asked(Asked),
    /// The job is over.
    Finished(Finished),
}

/// The end of a job.
struct Finished {
    id: JobId,
    seconds: f64,
    outcome: Result<JobReport, JobError>,
}

/// What is known of a job that is running.
struct Running {
    /// What its root has by now.
    prepared: Prepared,
    /// The key of the root with what the spec states alone, for a root that is asked; what it answers is remembered
    /// for this key.
    asked_at: String,
}

/// Runs a plan to its end.
///
/// # Errors
/// Publishing or recording the state failed: the repository is as it was, and nothing more can be done.
pub(super) async fn run(
    planning: &mut Planning,
    plan: &Plan,
    sources: &FetchedSources,
    layer: PathBuf,
    sandbox: Arc<dyn Sandbox>,
    options: &RunOptions,
    events: &Arc<Events>,
) -> Result<RunEnd, CommandError> {
    let layout = Layout::new(&planning.settings.output);
    let mut dispatcher = Dispatcher {
        queue: Queue::new(plan, &planning.graph, &planning.state.durations()),
        work: layout.work().join(events.run()),
        layout,
        planning,
        sources,
        layer,
        sandbox,
        options,
        events,
        forced: plan
            .stale
            .iter()
            .filter(|(_, reason)| matches!(reason, planner::StaleReason::Forced))
            .map(|(name, _)| name.clone())
            .collect(),
        running: BTreeMap::new(),
        rounds: BTreeMap::new(),
        tasks: JoinSet::new(),
        end: RunEnd::default(),
        stopping: false,
    };
    let outcome = dispatcher.run().await;
    // Aborted jobs drop their sessions, which ends whatever ran in them.
    dispatcher.tasks.shutdown().await;
    if let Err(error) = std::fs::remove_dir_all(&dispatcher.work)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        events.emit(EventKind::Diagnostic {
            text: format!("warning: cannot remove `{}`: {error}", dispatcher.work.display()),
        });
    }
    outcome.map(|()| std::mem::take(&mut dispatcher.end))
}

struct Dispatcher<'a> {
    queue: Queue,
    layout: Layout,
    work: PathBuf,
    planning: &'a mut Planning,
    sources: &'a FetchedSources,
    layer: PathBuf,
    sandbox: Arc<dyn Sandbox>,
    options: &'a RunOptions,
    events: &'a Arc<Events>,
    forced: BTreeSet<String>,
    running: BTreeMap<JobId, Running>,
    /// How often a root of each job asked for more.
    rounds: BTreeMap<JobId, u32>,
    tasks: JoinSet<()>,
    end: RunEnd,
    stopping: bool,
}

impl Dispatcher<'_> {
    async fn run(&mut self) -> Result<(), CommandError> {
        let (sender, mut messages) = mpsc::unbounded_channel();
        let mut signals = StopSignals::new()
            .map_err(|error| CommandError::infrastructure(format!("signals cannot be taken over: {error}")))?;
        let mut running = 0;
        loop {
            while !self.stopping && running < self.options.jobs {
                let Some(id) = self.queue.next_ready() else { break };
                if self.start(id, &sender)? {
                    running += 1;
                }
            }
            if running == 0 && (self.stopping || self.queue.is_done()) {
                return Ok(());
            }
            tokio::select! {
                Some(message) = messages.recv() => match message {
                    Message::Asked(asked) => self.answer(asked)?,
                    Message::Finished(finished) => {
                        running -= 1;
                        self.finish(finished)?;
                    }
                },
                stop = signals.next() => {
                    let again = self.end.interrupted;
                    self.stopping = true;
                    self.end.interrupted = true;
                    if again || stop == Stop::Now {
                        return Ok(());
                    }
                    self.events.emit(EventKind::Diagnostic {
                        text: format!("interrupted: finishing {running} running, starting no more; Ctrl-C again stops at once"),
                    });
                }
            }
        }
    }

    /// Starts a job. Returns whether one is running now: a job whose key turns out to be known, or that cannot
    /// be prepared, ends here.
    fn start(&mut self, id: JobId, sender: &mpsc::UnboundedSender<Message>) -> Result<bool, CommandError> {
        let nevr = self.nevr(&id);
        let sources = match self.sources.get(&id.0) {
            Some(Ok(sources)) => JobSources::Here(sources.clone()),
            Some(Err(lacking)) => {
                self.end.infrastructure |= lacking.is_infrastructure;
                self.end.lacking_sources += 1;
                return self.give_up(&id, &nevr, Verdict::NoSource { reason: lacking.reason.clone() });
            }
            // It was not in the plan, but turned out to be needed.
            None => JobSources::to_fetch(self.planning, &id.0),
        };
        let start = match prepare_job(self.planning, &id.0) {
            Ok(start) => start,
            Err(reason) if self.planning.locked.is_some() => {
                self.end.unlike_lock += 1;
                return self.give_up(&id, &nevr, Verdict::UnlikeLock { reason });
            }
            Err(reason) => return self.give_up(&id, &nevr, Verdict::Unresolvable { reason }),
        };
        let known = self.planning.state.packages.get(&id.0);
        let same = known.is_some_and(|built| Some(&built.known.key) == start.key.as_ref() && self.is_published(built));
        if same && !self.forced.contains(&id.0) {
            self.report(&id, &nevr, Verdict::Unchanged, None, (0.0, 0.0), None, Vec::new());
            self.release(&id, Outcome::Done);
            return Ok(false);
        }
        self.events.emit(EventKind::JobStarted { package: id.0.clone(), nevr });
        let Start { root: prepared, asked_at, must_ask: ask, .. } = start;
        let mut order = JobOrder {
            package: id.0.clone(),
            spec: self.planning.specs[&id.0].path.clone(),
            sources: Vec::new(),
            install: prepared.install.clone(),
            layer: self.layer.clone(),
            work: self.work.join(&id.0),
            logs: self.layout.logs(self.events.run(), &id.0),
            defines: self.planning.defines_of(&id.0),
            cpus: (num_cpus() / self.options.jobs).max(1),
            check: self.options.check,
            ask,
            timeout: self.options.timeout,
        };
        let (seeds, sets, bringing) =
            (prepared.seeds.clone(), Arc::clone(&self.planning.seed_sets), Arc::clone(self.events));
        let (sandbox, events, sender) = (Arc::clone(&self.sandbox), Arc::clone(self.events), sender.clone());
        self.running.insert(id.clone(), Running { prepared, asked_at });
        self.tasks.spawn(async move {
            let started = Instant::now();
            let package = order.package.clone();
            let more = AskDispatcher::new(&id, &sender, &sets, &events);
            let on_phase = move |phase: &str| {
                events.emit(EventKind::JobPhase { package: package.clone(), phase: section(phase) });
            };
            let outcome = async {
                order.sources = sources.bring(&order.package, &bringing).await?;
                bring_seeds(&seeds, sets, &bringing).await?;
                run_job(&order, &sandbox, &more, &on_phase).await
            };
            let outcome = outcome.await;
            let seconds = started.elapsed().as_secs_f64();
            // The dispatcher only goes away when the run is being stopped; then nobody needs the message.
            let _ = sender.send(Message::Finished(Finished { id, seconds, outcome }));
        });
        Ok(true)
    }

    fn finish(&mut self, finished: Finished) -> Result<(), CommandError> {
        let Finished { id, seconds, outcome } = finished;
        let nevr = self.nevr(&id);
        let running = self.running.remove(&id);
        let report = match outcome {
            Ok(report) => report,
            Err(JobError::Sources(lacking)) => {
                self.end.infrastructure |= lacking.is_infrastructure;
                self.end.lacking_sources += 1;
                self.give_up(&id, &nevr, Verdict::NoSource { reason: lacking.reason })?;
                return Ok(());
            }
            Err(error) => {
                self.end.infrastructure = true;
                self.give_up(&id, &nevr, Verdict::Infrastructure { reason: error.to_string() })?;
                return Ok(());
            }
        };
        if let Some(error) = &report.log_error {
            self.events
                .emit(EventKind::Diagnostic { text: format!("warning: the log of `{}` is not whole: {error}", id.0) });
        }
        let log = report.log.display().to_string();
        match report.end {
            JobEnd::Failed { phase, status, tail } => {
                let own = seconds - report.rpmbuild.as_secs_f64();
                let verdict = self.verdict_of(&phase, status);
                self.report(&id, &nevr, verdict, cause_of(&tail), (seconds, own), Some(log), Vec::new());
                self.release(&id, Outcome::Failed);
            }
            JobEnd::Stopped(stopped) => self.stopped(&id, stopped, seconds, report.rpmbuild.as_secs_f64(), log)?,
            JobEnd::Built(files) => {
                let published = Instant::now();
                let Some(Running { prepared, .. }) = running else { return Ok(()) };
                if let Some(unlike) = self.unlike_lock(&id, &files)? {
                    let own = seconds - report.rpmbuild.as_secs_f64();
                    self.report(&id, &nevr, unlike, None, (seconds, own), Some(log), Vec::new());
                    self.release(&id, Outcome::Failed);
                    return Ok(());
                }
                let (verdict, rpms) = self.publish(&id, prepared, &files, report.rpmbuild.as_secs_f64())?;
                let seconds = seconds + published.elapsed().as_secs_f64();
                let own = seconds - report.rpmbuild.as_secs_f64();
                self.report(&id, &nevr, verdict, None, (seconds, own), Some(log), rpms);
                self.release(&id, Outcome::Done);
            }
        }
        let work = self.work.join(&id.0);
        if let Err(error) = std::fs::remove_dir_all(&work) {
            self.events
                .emit(EventKind::Diagnostic { text: format!("warning: cannot remove `{}`: {error}", work.display()) });
        }
        Ok(())
    }

    /// Publishes what a build gave, unless it is what is published already, and records its key.
    fn publish(
        &mut self,
        id: &JobId,
        prepared: Prepared,
        files: &[PathBuf],
        seconds: f64,
    ) -> Result<(Verdict, Vec<String>), CommandError> {
        let trouble = |error: repository::RepositoryError| CommandError::infrastructure(error.to_string());
        let files = files.iter().map(read_rpm).collect::<Result<Vec<_>, _>>().map_err(trouble)?;
        let built = files.iter().filter(|rpm| rpm.is_built());
        let rpms: BTreeMap<_, _> = built.map(|rpm| (rpm.metadata.nevra.to_string(), rpm.identity.clone())).collect();
        let before = self.planning.state.packages.get(&id.0);
        let unchanged = before.is_some_and(|built| built.rpms == rpms && self.is_published(built));
        let mut added = Vec::new();
        if !unchanged {
            let (change, seeds) = self.planning.change(&id.0, &files);
            let bringing = tokio::task::block_in_place(|| self.planning.bring(&seeds, self.events));
            bringing.map_err(|error| CommandError::infrastructure(error.to_string()))?;
            let generation = self.planning.generations.publish(&change).map_err(trouble)?;
            added = files.iter().map(|rpm| rpm.metadata.nevra.file_name()).collect();
            self.events.emit(EventKind::Published { generation: generation.number(), added: added.clone() });
            self.planning.set_published(generation);
        }
        let built = BuiltPackage { known: prepared.known, rpms, seconds, unchecked: !self.options.check };
        self.planning.state.packages.insert(id.0.clone(), built);
        self.planning.state.save(&self.layout.state())?;
        Ok((if unchanged { Verdict::Unchanged } else { Verdict::Success }, added))
    }

    /// Why the lock, if there is one, does not let what a build gave be published.
    fn unlike_lock(&mut self, id: &JobId, files: &[PathBuf]) -> Result<Option<Verdict>, CommandError> {
        let unlike = self.planning.unlike_lock(&id.0, files);
        let unlike = unlike.map_err(|error| CommandError::infrastructure(error.to_string()))?;
        self.end.unlike_lock += usize::from(unlike.is_some());
        Ok(unlike.map(|reason| Verdict::UnlikeLock { reason }))
    }

    fn is_published(&self, built: &BuiltPackage) -> bool {
        let published: BTreeSet<_> = self.planning.universe.published.iter().map(|rpm| rpm.nevra.to_string()).collect();
        built.rpms.keys().all(|nevra| published.contains(nevra))
    }

    fn verdict_of(&self, phase: &str, status: ExecStatus) -> Verdict {
        let phase = section(phase);
        match status {
            ExecStatus::TimedOut => Verdict::TimedOut { limit: TimeLimit::Total, phase },
            ExecStatus::Idle => Verdict::TimedOut { limit: TimeLimit::Idle, phase },
            ExecStatus::OutOfMemory => Verdict::OutOfMemory { phase },
            ExecStatus::Exited(_) | ExecStatus::Signaled(_) if disk_is_full(self.layout.root()) => {
                Verdict::OutOfDisk { phase }
            }
            ExecStatus::Exited(_) | ExecStatus::Signaled(_) => Verdict::Failed { phase },
        }
    }

    fn give_up(&mut self, id: &JobId, nevr: &str, verdict: Verdict) -> Result<bool, CommandError> {
        self.report(id, nevr, verdict, None, (0.0, 0.0), None, Vec::new());
        self.release(id, Outcome::Failed);
        Ok(false)
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one event, given once each")]
    fn report(
        &mut self,
        id: &JobId,
        nevr: &str,
        verdict: Verdict,
        cause: Option<String>,
        (seconds, own_seconds): (f64, f64),
        log: Option<String>,
        rpms: Vec<String>,
    ) {
        if verdict.is_failure() && self.options.fail_fast {
            self.stopping = true;
        }
        self.events.emit(EventKind::JobFinished {
            package: id.0.clone(),
            nevr: nevr.to_owned(),
            verdict,
            cause,
            seconds,
            own_seconds,
            log,
            rpms,
        });
    }

    /// Tells the queue, and reports what can never start now.
    fn release(&mut self, id: &JobId, outcome: Outcome) {
        if outcome == Outcome::Failed {
            self.end.failed.insert(id.0.clone());
        }
        for blocked in self.queue.finish(id, outcome).blocked {
            self.report_blocked(&blocked, &id.0);
        }
    }

    fn report_blocked(&mut self, id: &JobId, by: &str) {
        self.end.failed.insert(id.0.clone());
        let (nevr, verdict) = (self.nevr(id), Verdict::BlockedBy { package: by.to_owned() });
        self.report(id, &nevr, verdict, None, (0.0, 0.0), None, Vec::new());
    }

    fn nevr(&self, id: &JobId) -> String {
        self.planning.specs.get(&id.0).map(|spec| format!("{}-{}", id.0, spec.package.evr())).unwrap_or_default()
    }
}

/// The sources of a job: fetched before the run, or to be fetched by the executor.
enum JobSources {
    Here(Vec<(String, PathBuf)>),
    ToFetch(Vec<SourceRequest>, FetchSettings),
}

impl JobSources {
    fn to_fetch(planning: &Planning, package: &str) -> Self {
        let requests = planning.inputs.get(package).map(|inputs| inputs.requests.clone()).unwrap_or_default();
        Self::ToFetch(requests, fetch_settings(planning))
    }

    async fn bring(self, package: &str, events: &Arc<Events>) -> Result<Vec<(String, PathBuf)>, JobError> {
        let (requests, settings) = match self {
            Self::Here(sources) => return Ok(sources),
            Self::ToFetch(requests, settings) => (requests, settings),
        };
        let (package, events) = (package.to_owned(), Arc::clone(events));
        let fetching = tokio::task::spawn_blocking(move || {
            fetch_requests(&[&package], &requests, &settings, &events).remove(&package)
        });
        let fetched = fetching.await.map_err(|error| JobError::Broken(error.to_string()))?;
        fetched.unwrap_or(Ok(Vec::new())).map_err(JobError::Sources)
    }
}

/// Makes sure that the RPMs of seeds are there, which may take a download.
async fn bring_seeds(rpms: &[SeedRpm], sets: Arc<[Seed]>, events: &Arc<Events>) -> Result<(), JobError> {
    let (rpms, events) = (rpms.to_vec(), Arc::clone(events));
    let bringing = tokio::task::spawn_blocking(move || bring(&sets, &rpms.iter().collect::<Vec<_>>(), &events));
    bringing.await.map_err(|error| JobError::Broken(error.to_string()))?.map_err(JobError::Seed)
}

/// A phase as rpm's section, where it is one.
fn section(phase: &str) -> String {
    match phase {
        "prep" | "generate_buildrequires" | "conf" | "build" | "install" | "check" | "clean" => format!("%{phase}"),
        other => other.to_owned(),
    }
}

/// Whether less than 16 MiB are left where builds write.
fn disk_is_full(path: &std::path::Path) -> bool {
    rustix::fs::statvfs(path).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < 16 << 20)
}

/// The CPUs this process may use.
#[must_use]
pub fn num_cpus() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}
