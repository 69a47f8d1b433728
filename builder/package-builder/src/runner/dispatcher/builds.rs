//! Builds as the dispatcher's work: owns the queue, what is published and what is known, and is the only one that
//! changes them.
//!
//! Executors build one job each and send what a build root asks for. A job's RPMs are published before anything that
//! needs them is started.
//!
//! ```text
//! queue ─► start ─┬─► key known: unchanged
//!   ▲             └─► executor ─┬─► built ─► publish ─► verdict (`ending`)
//!   │                           ├─► failed ───────────► verdict
//!   │          decide (`more`) ◄────┤ its root asks for more
//!   │      └─ install / stop ──►│
//!   └───────────────────────────┴─► stopped, to wait or for another root: no verdict
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use planner::{Claim, Estimate, Held, JobId, Outcome, Queue, Room};
use report::{EventKind, Verdict};
use sandbox::Sandbox;
use tokio::sync::mpsc;
use tokio::task::JoinError;

use super::ending::Taken;
use super::more::{AskDispatcher, Asked};
use super::retry::Retries;
use super::run::{RunEnd, RunOptions, num_cpus};
use super::sources::{JobSources, bring_seeds};
use super::{Begun, Executor, Next, Work};
use crate::buildroot::Layers;
use crate::error::CommandError;
use crate::host::Layout;
use crate::runner::events::Events;
use crate::runner::inputs::FetchedSources;
use crate::runner::job::{JobError, JobOrder, JobReport, run_job};
use crate::runner::jobserver::{JobServer, Membership};
use crate::runner::planning::Planning;
use crate::runner::prepare::{Prepared, Start, prepare_job};

/// What is known of a job that is running.
pub(super) struct Running {
    /// What its root has by now.
    pub(super) prepared: Prepared,
    /// The key of the root with what the spec states alone, for a root that is asked; what it answers is remembered
    /// for this key.
    pub(super) asked_at: String,
    /// The most memory it may use.
    pub(super) memory: Option<u64>,
    /// When it was started.
    pub(super) since: Instant,
}

/// The builds of one run.
pub(super) struct Builds<'a> {
    pub(super) queue: Queue,
    pub(super) layout: Layout,
    pub(super) work: PathBuf,
    pub(super) planning: &'a mut Planning,
    pub(super) sources: &'a FetchedSources,
    pub(super) layers: &'a Layers,
    pub(super) sandbox: Arc<dyn Sandbox>,
    pub(super) options: &'a RunOptions,
    pub(super) events: &'a Arc<Events>,
    pub(super) forced: BTreeSet<String>,
    pub(super) running: BTreeMap<JobId, Running>,
    /// How often a root of each job asked for more.
    pub(super) rounds: BTreeMap<JobId, u32>,
    pub(super) retries: Retries,
    /// Jobs that were short of memory once and run alone.
    pub(super) lone: BTreeSet<JobId>,
    /// Jobs that it was said of why they wait.
    pub(super) held: BTreeSet<JobId>,
    /// Who shares the CPUs out among builds that understand it.
    pub(super) job_server: Option<JobServer>,
    pub(super) end: RunEnd,
    pub(super) stopping: bool,
    /// When the time that is left was last told.
    pub(super) forecast: Option<Instant>,
}

impl Work for Builds<'_> {
    type Message = Asked;
    type End = Result<JobReport, JobError>;

    fn queue(&mut self) -> &mut Queue {
        &mut self.queue
    }

    fn claim(&mut self, id: &JobId) -> Claim {
        let claim = Claim::of(&self.estimate(id), self.options.memory, self.options.jobs);
        Claim { alone: self.lone.contains(id), ..claim }
    }

    fn room(&mut self) -> Room {
        let machine = &self.options.machine;
        Room {
            memory: self.options.memory,
            disk: machine.free_disk(self.layout.root()),
            // Whoever asks for more builds at once than there are CPUs gets them.
            cpus: Some(num_cpus().max(self.options.jobs) as f64),
            pressure: machine.too_much_pressure(),
        }
    }

    fn hold(&mut self, id: &JobId, held: &Held) {
        // That the CPUs are busy is what a run is for.
        if *held != Held::Cpus && self.held.insert(id.clone()) {
            let (package, nevr, reason) = (id.0.clone(), self.nevr(id), held.to_string());
            self.events.emit(EventKind::JobHeld { package, nevr, reason });
        }
    }

    fn start(&mut self, id: &JobId, sender: &mpsc::UnboundedSender<Asked>) -> Result<Begun<Self::End>, CommandError> {
        Ok(match self.prepare(id) {
            Ok((order, sources)) => Begun::Running(self.executor(id, order, sources, sender)),
            Err(Next::Queue) => Begun::Over,
            Err(Next::Again(after)) => Begun::Again(after),
        })
    }

    fn hear(&mut self, message: Asked) -> Result<(), CommandError> {
        self.answer(message)
    }

    fn finish(&mut self, id: &JobId, seconds: f64, end: Result<Self::End, JoinError>) -> Result<Next, CommandError> {
        let end = end.unwrap_or_else(|error| Err(JobError::Broken(error.to_string())));
        self.take_end(id, seconds, end)
    }

    fn is_stopping(&self) -> bool {
        self.stopping || self.options.window_is_over()
    }

    fn interrupt(&mut self, finishing: Option<usize>) {
        self.stopping = true;
        self.end.interrupted = true;
        if let Some(running) = finishing {
            self.events.emit(EventKind::Diagnostic {
                text: format!("interrupted: finishing {running} running, starting no more; Ctrl-C again stops at once"),
            });
        }
    }
}

impl Builds<'_> {
    /// All that a job is built from, or what follows where it is not built: its key turns out to be known, it cannot be
    /// prepared, or not yet.
    fn prepare(&mut self, id: &JobId) -> Result<(JobOrder, JobSources), Next> {
        let nevr = self.nevr(id);
        let sources = match self.sources.get(&id.0) {
            Some(Ok(sources)) => JobSources::Here(sources.clone()),
            // Asking for it before the run was the first attempt.
            Some(Err(lacking)) if self.retries.attempt(id) == 1 => {
                return Err(self.take_error(id, JobError::Sources(lacking.clone())));
            }
            // It was not in the plan, but turned out to be needed; or it is asked for once more.
            Some(Err(_)) | None => JobSources::to_fetch(self.planning, &id.0),
        };
        let start = match prepare_job(self.planning, &id.0) {
            Ok(start) => start,
            Err(reason) if self.planning.locked.is_some() => {
                self.end.unlike_lock += 1;
                self.give_up(id, &nevr, Verdict::UnlikeLock { reason });
                return Err(Next::Queue);
            }
            Err(reason) => {
                self.give_up(id, &nevr, Verdict::Unresolvable { reason });
                return Err(Next::Queue);
            }
        };
        let known = self.planning.state.packages().get(&id.0);
        let same = known.is_some_and(|built| Some(&built.known.key) == start.key.as_ref() && self.is_published(built));
        if same && !self.forced.contains(&id.0) {
            self.report(id, &nevr, Verdict::Unchanged, None, Taken::default(), None, Vec::new());
            self.release(id, Outcome::Done);
            return Err(Next::Queue);
        }
        self.events.emit(EventKind::JobStarted { package: id.0.clone(), nevr });
        let claim = self.claim(id);
        let memory = self.options.memory.map(|memory| claim.most_memory(memory, self.options.jobs));
        let Start { root: prepared, asked_at, must_ask: ask, .. } = start;
        let order = JobOrder {
            package: id.0.clone(),
            spec: self.planning.specs[&id.0].path.clone(),
            sources: Vec::new(),
            install: prepared.install.clone(),
            layer: self.layers.base.clone(),
            library: Some(Arc::clone(&self.layers.library)),
            alike: self.alike(id, &prepared),
            work: self.work_of(id),
            logs: self.layout.logs(self.events.run(), &id.0),
            defines: self.planning.defines_of(&id.0),
            cpus: (num_cpus() / self.options.jobs).max(1),
            job_server: None,
            check: self.options.check,
            ask,
            memory,
            limits: self.options.limits.clone(),
        };
        self.running.insert(id.clone(), Running { prepared, asked_at, memory, since: Instant::now() });
        self.tell_forecast();
        Ok((order, sources))
    }

    /// What a job is expected to take.
    fn estimate(&self, id: &JobId) -> Estimate {
        self.planning.estimates.of(&id.0).unwrap_or_default()
    }

    fn executor(
        &self,
        id: &JobId,
        mut order: JobOrder,
        sources: JobSources,
        sender: &mpsc::UnboundedSender<Asked>,
    ) -> Executor<Result<JobReport, JobError>> {
        let seeds = self.running.get(id).map(|running| running.prepared.seeds.clone()).unwrap_or_default();
        let (sets, events, sandbox) =
            (Arc::clone(&self.planning.seed_sets), Arc::clone(self.events), Arc::clone(&self.sandbox));
        let more = AskDispatcher::new(id, sender, &sets, &events);
        let member = self.join_job_server(id, &order.work);
        order.job_server = member.as_ref().map(|member| member.folder.clone());
        Box::pin(async move {
            order.sources = sources.bring(&order.package, &events).await?;
            bring_seeds(&seeds, sets, &events).await?;
            let package = order.package.clone();
            let on_phase = move |phase: &str| {
                events.emit(EventKind::JobPhase { package: package.clone(), phase: section(phase) });
            };
            let report = run_job(&order, &sandbox, &more, &on_phase).await;
            drop(member);
            report
        })
    }

    /// Has a build take part in the job server, if there is one. A build that cannot only has its own share.
    fn join_job_server(&self, id: &JobId, work: &Path) -> Option<Membership> {
        let remaining = self.queue.remaining_path(id).unwrap_or_default();
        match self.job_server.as_ref()?.join(id, &work.join("jobs"), remaining) {
            Ok(member) => Some(member),
            Err(error) => {
                self.warn(format!("`{}` is built without the job server: {error}", id.0));
                None
            }
        }
    }
}

/// A phase as rpm's section, where it is one.
pub(super) fn section(phase: &str) -> String {
    match phase {
        "prep" | "generate_buildrequires" | "conf" | "build" | "install" | "check" | "clean" => format!("%{phase}"),
        other => other.to_owned(),
    }
}
