//! What may start now: a pure state machine over the jobs of a plan. No waves and no barriers: a job is ready as
//! soon as all it needs is built, and the one with the longest remaining path goes first.
//!
//! ```text
//! waiting ─► ready ─► running ─┬─► built
//!    ▲ │                │      └─► failed
//!    │ └────────────────┼────────► failed: something it needs did
//!    └──────────────────┘ it turned out to need more ([`Queue::wait`])
//! ```
//!
//! - [`durations`]: how long jobs are taken to be.
//! - `growth`: jobs and needs that come later, and cycles these would close.
//! - `paths`: the remaining path of each job.
//! - `ready`: the order of ready jobs.
//!
//! Inside, jobs are places in one vector; names are looked up where they come in.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{BuildGraph, Plan};

pub mod durations;
mod growth;
mod paths;
mod ready;

use ready::Ready;

/// A job: the name of the source package it builds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub String);

impl fmt::Display for JobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How a job ended, as far as the queue cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its RPMs are published, new or unchanged.
    Done,
    /// There are no RPMs; whatever needs it cannot be built.
    Failed,
}

/// What the end of a job, or its going back to wait, changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// Jobs that may start now and could not before, sorted.
    pub ready: Vec<JobId>,
    /// Jobs that will never start, because they need a failed one directly or not, sorted.
    pub blocked: Vec<JobId>,
}

/// Why a job cannot wait for what it needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// Jobs would wait for each other for ever.
    #[error("{} needs {} in turn", .0.iter().map(|id| &*id.0).collect::<Vec<_>>().join(" needs "), .0[0])]
    Cycle(Vec<JobId>),
    /// Only a running job can turn out to need more.
    #[error("{0} is not running")]
    NotRunning(JobId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Ready,
    Running,
    Built,
    Failed,
}

impl State {
    fn has_ended(self) -> bool {
        matches!(self, Self::Built | Self::Failed)
    }
}

#[derive(Clone, Debug)]
struct Job {
    id: JobId,
    state: State,
    /// How much of what it needs is not built yet.
    missing: usize,
    /// What it needs, sorted by place; without what was built before the job came to need it.
    needs: Vec<usize>,
    /// What needs it; the other direction of `needs`.
    dependents: Vec<usize>,
    /// How long it takes by itself, in seconds.
    own: f64,
    /// Its own duration and the longest chain of those that wait for it, in seconds.
    remaining: f64,
}

/// The queue of one run. Owned by the dispatcher; nobody else touches it.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    /// Every job; a job keeps its place.
    jobs: Vec<Job>,
    places: HashMap<String, usize>,
    ready: BinaryHeap<Ready>,
    open: usize,
}

impl Queue {
    /// Queues what the plan says is stale. `durations` are seconds of earlier builds by source package; a job that has
    /// none is taken to be as long as the [guess](durations::guess) says.
    #[must_use]
    pub fn new(plan: &Plan, graph: &BuildGraph, durations: &BTreeMap<String, f64>) -> Self {
        Self::from_needs(needs_among(graph, plan.stale.iter().map(|(name, _)| &**name)), durations)
    }

    /// Queues jobs by name, each with the jobs it needs. Needs that are no jobs themselves count as met; jobs that
    /// need each other never become ready (a plan has none: they are blocked).
    #[must_use]
    pub fn from_needs(needs: BTreeMap<String, BTreeSet<String>>, durations: &BTreeMap<String, f64>) -> Self {
        let mut queue = Self::default();
        queue.extend(needs, durations);
        queue
    }

    /// The job to start now: the one with the longest remaining path; of equals the one that more jobs need directly,
    /// then the first by name. It counts as running from here on. `None` when nothing is ready: wait for a running
    /// job, or stop if [`is_done`](Self::is_done).
    pub fn next_ready(&mut self) -> Option<JobId> {
        let Ready { id, place, .. } = self.ready.pop()?;
        self.jobs[place].state = State::Running;
        Some(id)
    }

    /// Records the end of a running job. A job that is not running changes nothing.
    pub fn finish(&mut self, id: &JobId, outcome: Outcome) -> Released {
        let Some(place) = self.place(id).filter(|place| self.jobs[*place].state == State::Running) else {
            return Released::default();
        };
        self.open -= 1;
        match outcome {
            Outcome::Done => Released { ready: self.release_dependents(place), blocked: Vec::new() },
            Outcome::Failed => {
                self.jobs[place].state = State::Failed;
                let blocked = self.block(self.jobs[place].dependents.clone());
                if !blocked.is_empty() {
                    // What never starts counts in nobody's path any more.
                    self.order();
                }
                Released { ready: Vec::new(), blocked }
            }
        }
    }

    /// Whether there is a job of this name, ended or not.
    #[must_use]
    pub fn has(&self, id: &JobId) -> bool {
        self.place(id).is_some()
    }

    /// Whether a job has ended without RPMs, or never will start.
    #[must_use]
    pub fn has_failed(&self, id: &JobId) -> bool {
        self.job(id).is_some_and(|job| job.state == State::Failed)
    }

    /// Whether a job is still to end.
    #[must_use]
    pub fn is_open(&self, id: &JobId) -> bool {
        self.job(id).is_some_and(|job| !job.state.has_ended())
    }

    /// Whether every job has ended or is blocked.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.open == 0
    }

    fn place(&self, id: &JobId) -> Option<usize> {
        self.places.get(&id.0).copied()
    }

    fn job(&self, id: &JobId) -> Option<&Job> {
        self.place(id).map(|place| &self.jobs[place])
    }

    /// Marks a job as built; gives what that makes ready, sorted.
    fn release_dependents(&mut self, built: usize) -> Vec<JobId> {
        self.jobs[built].state = State::Built;
        let mut released = Vec::new();
        for at in 0..self.jobs[built].dependents.len() {
            let place = self.jobs[built].dependents[at];
            let job = &mut self.jobs[place];
            job.missing -= 1;
            if job.missing == 0 && job.state == State::Waiting {
                job.state = State::Ready;
                released.push(job.id.clone());
                self.ready.push(Ready::new(job, place));
            }
        }
        released.sort();
        released
    }

    /// Ends waiting jobs, and all that need them, as failed; gives them sorted.
    fn block(&mut self, mut reached: Vec<usize>) -> Vec<JobId> {
        let mut blocked = Vec::new();
        while let Some(place) = reached.pop() {
            let job = &mut self.jobs[place];
            if job.state == State::Waiting {
                job.state = State::Failed;
                self.open -= 1;
                reached.extend_from_slice(&job.dependents);
                blocked.push(job.id.clone());
            }
        }
        blocked.sort();
        blocked
    }
}

/// Source packages, each with those of them that its build root draws on.
pub(crate) fn needs_among<'a>(
    graph: &BuildGraph,
    names: impl IntoIterator<Item = &'a str>,
) -> BTreeMap<String, BTreeSet<String>> {
    let names: BTreeSet<&str> = names.into_iter().collect();
    let needs = names.iter().map(|name| {
        let needs = graph.nodes.get(*name).into_iter().flat_map(|node| &node.needs);
        ((*name).to_owned(), needs.map(|edge| edge.to.clone()).filter(|to| names.contains(&**to)).collect())
    });
    needs.collect()
}

#[cfg(test)]
mod tests;
