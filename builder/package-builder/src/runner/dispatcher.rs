//! The dispatcher: one loop that starts what is ready, hears executors and signals, and comes to an end.
//!
//! It knows slots, running tasks and the wishes of whoever started the run; what a job is, and what its end changes, is
//! the business of its [`Work`]. Builds are such work ([`builds`]). The first Ctrl-C lets running jobs finish and starts
//! no more; the second, or SIGTERM, ends them. All leave a state from which the same command goes on.
//!
//! ```text
//! queue ─► admission ─► start ─┬─► over at once
//!   ▲       ▲                  └─► executor ─┬─► message ─► hear
//!   │       └── rest ◄── finish ◄────────────┘ end
//!   └─────────────────────┘
//! ```
//! A job that is to be tried again gives its slot back while it rests, and still counts as running for the queue.

mod alike;
mod builds;
mod ending;
mod expecting;
mod more;
mod retry;
mod run;
mod sources;

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::time::{Duration, Instant};

use planner::{Admission, Claim, Decision, Held, JobId, Queue, Room};
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};

use super::stop::{Stop, StopSignals};
use crate::error::CommandError;

pub(super) use run::run;
pub use run::{RunEnd, RunOptions, num_cpus};

/// After what time it is looked again whether what nothing of ours holds back may start.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// A job that is running: what it ends with. Dropping it ends whatever it has started.
pub type Executor<End> = Pin<Box<dyn Future<Output = End> + Send>>;

/// What a start came to.
pub enum Begun<End> {
    /// The job runs.
    Running(Executor<End>),
    /// It came to its end, which the queue knows by then.
    Over,
    /// It is to be started after this time.
    Again(Duration),
}

/// What follows the end of an executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The queue knows how the job goes on, or that it is over.
    Queue,
    /// It starts again after this time.
    Again(Duration),
}

/// What the jobs of a queue are, and what becomes of them. Only the dispatcher calls it, one call at a time.
pub trait Work {
    /// What executors send while they run.
    type Message: Send + 'static;
    /// What an executor ends with.
    type End: Send + 'static;

    /// The jobs.
    fn queue(&mut self) -> &mut Queue;

    /// What a job that is ready is counted for while it runs.
    fn claim(&mut self, id: &JobId) -> Claim;

    /// What there is for all jobs together, now.
    fn room(&mut self) -> Room;

    /// A job waits though it is ready and there is a slot; this is told again and again while it is so.
    fn hold(&mut self, id: &JobId, held: &Held);

    /// Starts a job that was admitted.
    ///
    /// # Errors
    /// The run cannot go on.
    fn start(
        &mut self,
        id: &JobId,
        sender: &mpsc::UnboundedSender<Self::Message>,
    ) -> Result<Begun<Self::End>, CommandError>;

    /// Hears what an executor sent.
    ///
    /// # Errors
    /// The run cannot go on.
    fn hear(&mut self, message: Self::Message) -> Result<(), CommandError>;

    /// Takes the end of an executor over, `seconds` after its start, and tells the queue unless the job is tried again;
    /// an executor that broke off has no end of its own.
    ///
    /// # Errors
    /// The run cannot go on.
    fn finish(&mut self, id: &JobId, seconds: f64, end: Result<Self::End, JoinError>) -> Result<Next, CommandError>;

    /// Whether no more jobs are to be started.
    fn is_stopping(&self) -> bool;

    /// Whoever started the run wants it to end: from here on it is stopping. So many running jobs are finished first;
    /// `None` if they are ended.
    fn interrupt(&mut self, finishing: Option<usize>);
}

/// Takes the jobs of a queue to their end, so many at a time.
pub struct Dispatcher<'a, W: Work> {
    work: &'a mut W,
    slots: usize,
    admission: Admission,
    tasks: JoinSet<W::End>,
    /// The job of each task, and when it was started. Only looked up, so its order never matters.
    running: HashMap<Id, (JobId, Instant)>,
    /// Jobs that are tried again, each until its time has come.
    resting: JoinSet<JobId>,
    /// Those whose time has come.
    rested: VecDeque<JobId>,
}

impl<'a, W: Work> Dispatcher<'a, W> {
    /// A dispatcher of this work, with so many jobs at once.
    pub fn new(work: &'a mut W, slots: usize) -> Self {
        Self {
            work,
            slots,
            admission: Admission::default(),
            tasks: JoinSet::new(),
            running: HashMap::new(),
            resting: JoinSet::new(),
            rested: VecDeque::new(),
        }
    }

    /// Runs until every job has ended or is blocked, or the run is stopped. No executor is left afterwards.
    ///
    /// # Errors
    /// Those of the work, and signals that cannot be taken over.
    pub async fn run(mut self) -> Result<(), CommandError> {
        let outcome = self.turn().await;
        // Aborted jobs drop their sessions, which ends whatever ran in them.
        self.tasks.shutdown().await;
        outcome
    }

    async fn turn(&mut self) -> Result<(), CommandError> {
        let (sender, mut messages) = mpsc::unbounded_channel();
        let mut signals = StopSignals::new()
            .map_err(|error| CommandError::infrastructure(format!("signals cannot be taken over: {error}")))?;
        let mut interrupted = false;
        loop {
            let look_again = self.fill(&sender)?;
            if self.tasks.is_empty() && (self.work.is_stopping() || self.work.queue().is_done()) {
                return Ok(());
            }
            tokio::select! {
                Some(message) = messages.recv() => self.work.hear(message)?,
                Some(ended) = self.tasks.join_next_with_id() => self.finish(ended)?,
                Some(Ok(id)) = self.resting.join_next() => self.rested.push_back(id),
                () = tokio::time::sleep(LOOK_AGAIN), if look_again => {}
                stop = signals.next() => {
                    let at_once = std::mem::replace(&mut interrupted, true) || stop == Stop::Now;
                    self.work.interrupt((!at_once).then(|| self.tasks.len()));
                    if at_once {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Starts what is ready and admitted while there are slots. Returns whether what is held back may be admitted
    /// without the end of any job.
    fn fill(&mut self, sender: &mpsc::UnboundedSender<W::Message>) -> Result<bool, CommandError> {
        while !self.work.is_stopping() && self.tasks.len() < self.slots {
            while let Some(id) = self.rested.pop_front().or_else(|| self.work.queue().next_ready()) {
                let (claim, remaining) = (self.work.claim(&id), self.work.queue().remaining_path(&id));
                self.admission.offer(id, claim, remaining.unwrap_or_default());
            }
            let id = match self.admission.next(&self.work.room()) {
                Decision::Start(id) => id,
                Decision::Wait(id, held) => {
                    self.work.hold(&id, &held);
                    return Ok(held.may_pass_by_itself());
                }
                Decision::Nothing => break,
            };
            match self.work.start(&id, sender)? {
                Begun::Running(executor) => {
                    let task = self.tasks.spawn(executor);
                    self.running.insert(task.id(), (id, Instant::now()));
                }
                Begun::Over => self.admission.ended(&id),
                Begun::Again(after) => self.rest(id, after),
            }
        }
        Ok(false)
    }

    fn finish(&mut self, ended: Result<(Id, W::End), JoinError>) -> Result<(), CommandError> {
        let (task, end) = match ended {
            Ok((task, end)) => (task, Ok(end)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some((id, started)) = self.running.remove(&task) else { return Ok(()) };
        self.admission.ended(&id);
        if let Next::Again(after) = self.work.finish(&id, started.elapsed().as_secs_f64(), end)? {
            self.rest(id, after);
        }
        Ok(())
    }

    fn rest(&mut self, id: JobId, time: Duration) {
        self.admission.ended(&id);
        self.resting.spawn(async move {
            tokio::time::sleep(time).await;
            id
        });
    }
}

#[cfg(test)]
mod tests;
