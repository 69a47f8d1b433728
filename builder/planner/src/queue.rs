//! What may start now: a pure state machine over the jobs of a plan. No waves and no barriers: a job is ready as
//! soon as all it needs is built, and the one with the longest remaining path goes first.
//!
//! ```text
//! waiting ─► ready ─► running ─┬─► built
//!    ▲ │                │      └─► failed
//!    │ └────────────────┼────────► failed: something it needs did
//!    └──────────────────┘ it turned out to need more ([`Queue::wait`])
//! ```

use std::cmp::Ordering;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{BuildGraph, Plan};

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

/// Seconds assumed for a job without history.
const UNKNOWN_DURATION: f64 = 60.0;

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
    state: State,
    /// What it needs and is not built yet.
    missing: usize,
    /// What needs it.
    dependents: BTreeSet<JobId>,
    /// How long it takes by itself, in seconds.
    own: f64,
    /// Its own duration and the longest chain of those that wait for it, in seconds.
    remaining: f64,
}

/// The queue of one run. Owned by the dispatcher; nobody else touches it.
#[derive(Clone, Debug)]
pub struct Queue {
    jobs: BTreeMap<JobId, Job>,
    ready: BinaryHeap<Ready>,
    open: usize,
}

impl Queue {
    /// Queues what the plan says is stale. `durations` are seconds of earlier builds by source package.
    #[must_use]
    pub fn new(plan: &Plan, graph: &BuildGraph, durations: &BTreeMap<String, f64>) -> Self {
        let stale: BTreeSet<&str> = plan.stale.iter().map(|(name, _)| &**name).collect();
        let needs = stale.iter().map(|name| {
            let needs = graph.nodes.get(*name).into_iter().flat_map(|node| &node.needs);
            ((*name).to_owned(), needs.map(|edge| edge.to.clone()).filter(|to| stale.contains(&**to)).collect())
        });
        Self::from_needs(needs.collect(), durations)
    }

    /// Queues jobs by name, each with the jobs it needs. Needs that are no jobs themselves count as met; jobs that
    /// need each other never become ready (a plan has none: they are blocked).
    #[must_use]
    pub fn from_needs(needs: BTreeMap<String, BTreeSet<String>>, durations: &BTreeMap<String, f64>) -> Self {
        let mut queue = Self { open: 0, jobs: BTreeMap::new(), ready: BinaryHeap::new() };
        queue.add(needs, durations);
        queue
    }

    /// Takes a running job back: it turned out to need more. `needs` has what the job needs, and every further job
    /// that takes, each with what it needs in turn (in no cycle of their own; a plan has none). Of the jobs that the
    /// queue has already, those that wait get the needs as well. Needs that are no jobs, or are built, count as met. The job runs again when all it needs is built, at once where that is
    /// so now; if something it needs has failed, it is among the blocked ones.
    ///
    /// # Errors
    /// The new needs close a cycle, or the job is not running; nothing has changed then.
    pub fn wait(
        &mut self,
        id: &JobId,
        needs: BTreeMap<String, BTreeSet<String>>,
        durations: &BTreeMap<String, f64>,
    ) -> Result<Released, WaitError> {
        if self.jobs.get(id).is_none_or(|job| job.state != State::Running) {
            return Err(WaitError::NotRunning(id.clone()));
        }
        let mut next = self.clone();
        next.set_state(id, State::Waiting);
        let released = next.add(needs, durations);
        if let Some(cycle) = next.cycle_through(id) {
            return Err(WaitError::Cycle(cycle));
        }
        *self = next;
        Ok(released)
    }

    /// The job to start now; it counts as running from here on. `None` when nothing is ready: wait for a running
    /// job, or stop if [`is_done`](Self::is_done).
    pub fn next_ready(&mut self) -> Option<JobId> {
        let Ready { id, .. } = self.ready.pop()?;
        self.set_state(&id, State::Running);
        Some(id)
    }

    /// Records the end of a running job. A job that is not running changes nothing.
    pub fn finish(&mut self, id: &JobId, outcome: Outcome) -> Released {
        let mut released = Released::default();
        let Some(job) = self.jobs.get_mut(id).filter(|job| job.state == State::Running) else { return released };
        self.open -= 1;
        match outcome {
            Outcome::Done => {
                job.state = State::Built;
                for id in job.dependents.clone() {
                    let Some(job) = self.jobs.get_mut(&id) else { continue };
                    job.missing -= 1;
                    if job.missing == 0 && job.state == State::Waiting {
                        self.make_ready(id.clone());
                        released.ready.push(id);
                    }
                }
            }
            Outcome::Failed => {
                job.state = State::Failed;
                let dependents = job.dependents.iter().cloned().collect();
                released.blocked = self.block(dependents);
            }
        }
        released
    }

    /// Adds jobs by name, each with the jobs it needs (in no cycle); those that are there and wait get the needs as
    /// well. What the queue has and does not wait is left as it is.
    pub fn extend(&mut self, needs: BTreeMap<String, BTreeSet<String>>, durations: &BTreeMap<String, f64>) -> Released {
        self.add(needs, durations)
    }

    /// Whether there is a job of this name, ended or not.
    #[must_use]
    pub fn has(&self, id: &JobId) -> bool {
        self.jobs.contains_key(id)
    }

    /// Whether a job has ended without RPMs, or never will start.
    #[must_use]
    pub fn has_failed(&self, id: &JobId) -> bool {
        self.jobs.get(id).is_some_and(|job| job.state == State::Failed)
    }

    /// Whether a job is still to end.
    #[must_use]
    pub fn is_open(&self, id: &JobId) -> bool {
        self.jobs.get(id).is_some_and(|job| !job.state.has_ended())
    }

    /// Whether every job has ended or is blocked.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.open == 0
    }

    /// The seconds from the start of a job to the end of the longest chain that waits for it.
    #[must_use]
    pub fn remaining_path(&self, id: &JobId) -> Option<f64> {
        self.jobs.get(id).map(|job| job.remaining)
    }

    /// The longest chain of jobs that have not ended, in order: what bounds the time of the run.
    #[must_use]
    pub fn critical_path(&self) -> Vec<JobId> {
        let longest = |ids: &mut dyn Iterator<Item = &JobId>| -> Option<JobId> {
            let open = ids.filter_map(|id| Some((id, self.jobs.get(id).filter(|job| !job.state.has_ended())?)));
            open.min_by(|(left, a), (right, b)| b.remaining.total_cmp(&a.remaining).then_with(|| left.cmp(right)))
                .map(|(id, _)| id.clone())
        };
        let mut path = Vec::new();
        let mut next = longest(&mut self.jobs.keys());
        while let Some(id) = next.filter(|_| path.len() < self.jobs.len()) {
            next = self.jobs.get(&id).and_then(|job| longest(&mut job.dependents.iter()));
            path.push(id);
        }
        path
    }

    /// Adds jobs, and needs to those that are there and wait. Measures all paths anew.
    fn add(&mut self, needs: BTreeMap<String, BTreeSet<String>>, durations: &BTreeMap<String, f64>) -> Released {
        for name in needs.keys() {
            let seconds = durations.get(name).copied().filter(|seconds| *seconds >= 0.0);
            if let Entry::Vacant(entry) = self.jobs.entry(JobId(name.clone())) {
                let (state, own) = (State::Waiting, seconds.unwrap_or(UNKNOWN_DURATION));
                entry.insert(Job { state, missing: 0, dependents: BTreeSet::new(), own, remaining: own });
                self.open += 1;
            }
        }
        let (mut free, mut lost) = (Vec::new(), Vec::new());
        for (name, needed) in needs {
            let id = JobId(name);
            if self.jobs.get(&id).is_none_or(|job| job.state != State::Waiting) {
                continue;
            }
            let mut missing = 0;
            for needed in needed {
                let Some(job) = self.jobs.get_mut(&JobId(needed)) else { continue };
                match job.state {
                    State::Built => {}
                    State::Failed => lost.push(id.clone()),
                    _ => missing += usize::from(job.dependents.insert(id.clone())),
                }
            }
            if let Some(job) = self.jobs.get_mut(&id) {
                job.missing += missing;
                free.extend((job.missing == 0).then_some(id));
            }
        }
        self.measure();
        let blocked = self.block(lost);
        free.retain(|id| !blocked.contains(id));
        // The jobs that are ready have other paths now.
        self.ready.clear();
        free.iter().for_each(|id| self.set_state(id, State::Ready));
        let ready = self.jobs.iter().filter(|(_, job)| job.state == State::Ready);
        self.ready = ready.map(|(id, job)| Ready { remaining: job.remaining, id: id.clone() }).collect();
        Released { ready: free, blocked }
    }

    /// Ends waiting jobs, and all that need them, as failed; gives them sorted.
    fn block(&mut self, mut reached: Vec<JobId>) -> Vec<JobId> {
        let mut blocked = Vec::new();
        while let Some(id) = reached.pop() {
            let Some(job) = self.jobs.get_mut(&id).filter(|job| job.state == State::Waiting) else { continue };
            job.state = State::Failed;
            self.open -= 1;
            reached.extend(job.dependents.iter().cloned());
            blocked.push(id);
        }
        blocked.sort();
        blocked
    }

    /// The shortest way from a job back to itself, each job needing the next.
    fn cycle_through(&self, start: &JobId) -> Option<Vec<JobId>> {
        let mut needed_by_way: BTreeMap<&JobId, &JobId> = BTreeMap::new();
        let mut open = VecDeque::from([start]);
        while let Some(id) = open.pop_front() {
            let job = self.jobs.get(id).filter(|job| !job.state.has_ended());
            for dependent in job.into_iter().flat_map(|job| &job.dependents) {
                if dependent == start {
                    // Walked from what is needed to who needs it, so the way back is the way of needs.
                    let mut path = vec![start.clone()];
                    let mut at = id;
                    while at != start {
                        path.push(at.clone());
                        at = needed_by_way.get(at)?;
                    }
                    return Some(path);
                }
                if let Entry::Vacant(entry) = needed_by_way.entry(dependent) {
                    entry.insert(id);
                    open.push_back(dependent);
                }
            }
        }
        None
    }

    /// Sets `remaining` of every job, dependents before what they need.
    fn measure(&mut self) {
        let mut waiting: BTreeMap<JobId, usize> = BTreeMap::new();
        let mut needed_by: BTreeMap<JobId, Vec<JobId>> = BTreeMap::new();
        for (id, job) in &self.jobs {
            waiting.insert(id.clone(), job.dependents.len());
            for dependent in &job.dependents {
                needed_by.entry(dependent.clone()).or_default().push(id.clone());
            }
        }
        let mut measured: Vec<JobId> =
            waiting.iter().filter(|(_, left)| **left == 0).map(|(id, _)| id.clone()).collect();
        while let Some(id) = measured.pop() {
            let behind = self.jobs.get(&id).into_iter().flat_map(|job| &job.dependents);
            let longest = behind.filter_map(|id| Some(self.jobs.get(id)?.remaining)).fold(0.0, f64::max);
            if let Some(job) = self.jobs.get_mut(&id) {
                job.remaining = job.own + longest;
            }
            for needed in needed_by.remove(&id).unwrap_or_default() {
                if let Some(left) = waiting.get_mut(&needed) {
                    *left -= 1;
                    if *left == 0 {
                        measured.push(needed);
                    }
                }
            }
        }
    }

    fn make_ready(&mut self, id: JobId) {
        self.set_state(&id, State::Ready);
        let remaining = self.jobs.get(&id).map_or(0.0, |job| job.remaining);
        self.ready.push(Ready { remaining, id });
    }

    fn set_state(&mut self, id: &JobId, state: State) {
        if let Some(job) = self.jobs.get_mut(id) {
            job.state = state;
        }
    }
}

/// A ready job, ordered so that the heap gives the longest remaining path first, then the first by name.
#[derive(Clone, Debug)]
struct Ready {
    remaining: f64,
    id: JobId,
}

impl Ord for Ready {
    fn cmp(&self, other: &Self) -> Ordering {
        self.remaining.total_cmp(&other.remaining).then_with(|| other.id.cmp(&self.id))
    }
}

impl PartialOrd for Ready {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ready {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ready {}

#[cfg(test)]
mod tests;
