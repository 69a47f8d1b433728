//! The dispatcher: one loop that starts what is ready, hears executors and signals, and comes to an end.
//!
//! It knows slots, running tasks and the wishes of whoever started the run; what a job is, and what its end changes, is
//! the business of its [`Work`]. Builds are such work ([`builds`]). The first Ctrl-C lets running jobs finish and starts
//! no more; the second, or SIGTERM, ends them. All leave a state from which the same command goes on.
//!
//! ```text
//! queue ─► start ─┬─► over at once
//!   ▲             └─► executor ─┬─► message ─► hear
//!   └────── finish ◄────────────┘ end
//! ```

mod builds;
mod ending;
mod more;
mod run;
mod sources;

use std::collections::HashMap;
use std::pin::Pin;
use std::time::Instant;

use planner::{JobId, Queue};
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};

use super::stop::{Stop, StopSignals};
use crate::error::CommandError;

pub(super) use run::run;
pub use run::{RunEnd, RunOptions, num_cpus};

/// A job that is running: what it ends with. Dropping it ends whatever it has started.
pub type Executor<End> = Pin<Box<dyn Future<Output = End> + Send>>;

/// What the jobs of a queue are, and what becomes of them. Only the dispatcher calls it, one call at a time.
pub trait Work {
    /// What executors send while they run.
    type Message: Send + 'static;
    /// What an executor ends with.
    type End: Send + 'static;

    /// The jobs.
    fn queue(&mut self) -> &mut Queue;

    /// Starts a job that the queue has just given. `None` if it came to its end here, which the queue knows by then.
    ///
    /// # Errors
    /// The run cannot go on.
    fn start(
        &mut self,
        id: &JobId,
        sender: &mpsc::UnboundedSender<Self::Message>,
    ) -> Result<Option<Executor<Self::End>>, CommandError>;

    /// Hears what an executor sent.
    ///
    /// # Errors
    /// The run cannot go on.
    fn hear(&mut self, message: Self::Message) -> Result<(), CommandError>;

    /// Takes the end of a job over, `seconds` after its start, and tells the queue; an executor that broke off has none.
    ///
    /// # Errors
    /// The run cannot go on.
    fn finish(&mut self, id: &JobId, seconds: f64, end: Result<Self::End, JoinError>) -> Result<(), CommandError>;

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
    tasks: JoinSet<W::End>,
    /// The job of each task, and when it was started. Only looked up, so its order never matters.
    running: HashMap<Id, (JobId, Instant)>,
}

impl<'a, W: Work> Dispatcher<'a, W> {
    /// A dispatcher of this work, with so many jobs at once.
    pub fn new(work: &'a mut W, slots: usize) -> Self {
        Self { work, slots, tasks: JoinSet::new(), running: HashMap::new() }
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
            self.fill(&sender)?;
            if self.tasks.is_empty() && (self.work.is_stopping() || self.work.queue().is_done()) {
                return Ok(());
            }
            tokio::select! {
                Some(message) = messages.recv() => self.work.hear(message)?,
                Some(ended) = self.tasks.join_next_with_id() => self.finish(ended)?,
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

    /// Starts what is ready while there are slots.
    fn fill(&mut self, sender: &mpsc::UnboundedSender<W::Message>) -> Result<(), CommandError> {
        while !self.work.is_stopping() && self.tasks.len() < self.slots {
            let Some(id) = self.work.queue().next_ready() else { break };
            if let Some(executor) = self.work.start(&id, sender)? {
                let task = self.tasks.spawn(executor);
                self.running.insert(task.id(), (id, Instant::now()));
            }
        }
        Ok(())
    }

    fn finish(&mut self, ended: Result<(Id, W::End), JoinError>) -> Result<(), CommandError> {
        let (task, end) = match ended {
            Ok((task, end)) => (task, Ok(end)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some((id, started)) = self.running.remove(&task) else { return Ok(()) };
        self.work.finish(&id, started.elapsed().as_secs_f64(), end)
    }
}

#[cfg(test)]
mod tests;
