//! What may start now: a pure state machine over the jobs of a plan. No waves and no barriers: a job is ready as
//! soon as all it needs is built, and the one with the longest remaining path goes first.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
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

/// What the end of a job changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// Jobs that may start now and could not before, sorted.
    pub ready: Vec<JobId>,
    /// Jobs that will never start, because they need the failed one directly or not, sorted.
    pub blocked: Vec<JobId>,
}

/// Seconds assumed for a job without history.
const UNKNOWN_DURATION: f64 = 60.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Ready,
    Running,
    Ended,
}

#[derive(Clone, Debug)]
struct Job {
    state: State,
    /// What it needs and is not built yet.
    missing: usize,
    /// What needs it.
    dependents: BTreeSet<JobId>,
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
        let mut jobs: BTreeMap<JobId, Job> = BTreeMap::new();
        for name in needs.keys() {
            let job = Job { state: State::Waiting, missing: 0, dependents: BTreeSet::new(), remaining: 0.0 };
            jobs.insert(JobId(name.clone()), job);
        }
        for (name, needed) in needs {
            let id = JobId(name);
            let mut missing = 0;
            for needed in needed {
                if let Some(job) = jobs.get_mut(&JobId(needed)) {
                    job.dependents.insert(id.clone());
                    missing += 1;
                }
            }
            if let Some(job) = jobs.get_mut(&id) {
                job.missing = missing;
            }
        }
        let mut queue = Self { open: jobs.len(), jobs, ready: BinaryHeap::new() };
        queue.measure(durations);
        let free: Vec<JobId> =
            queue.jobs.iter().filter(|(_, job)| job.missing == 0).map(|(id, _)| id.clone()).collect();
        free.into_iter().for_each(|id| queue.make_ready(id));
        queue
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
        job.state = State::Ended;
        self.open -= 1;
        let mut reached: Vec<JobId> = job.dependents.iter().cloned().collect();
        match outcome {
            Outcome::Done => {
                for id in reached {
                    let Some(job) = self.jobs.get_mut(&id) else { continue };
                    job.missing -= 1;
                    if job.missing == 0 && job.state == State::Waiting {
                        self.make_ready(id.clone());
                        released.ready.push(id);
                    }
                }
            }
            Outcome::Failed => {
                while let Some(id) = reached.pop() {
                    let Some(job) = self.jobs.get_mut(&id).filter(|job| job.state == State::Waiting) else { continue };
                    job.state = State::Ended;
                    self.open -= 1;
                    reached.extend(job.dependents.iter().cloned());
                    released.blocked.push(id);
                }
                released.blocked.sort();
            }
        }
        released
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
            let open = ids.filter_map(|id| Some((id, self.jobs.get(id).filter(|job| job.state != State::Ended)?)));
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

    /// Sets `remaining` of every job, dependents before what they need.
    fn measure(&mut self, durations: &BTreeMap<String, f64>) {
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
            let own = durations.get(&id.0).copied().filter(|seconds| *seconds >= 0.0).unwrap_or(UNKNOWN_DURATION);
            let behind = self.jobs.get(&id).into_iter().flat_map(|job| &job.dependents);
            let longest = behind.filter_map(|id| Some(self.jobs.get(id)?.remaining)).fold(0.0, f64::max);
            if let Some(job) = self.jobs.get_mut(&id) {
                job.remaining = own + longest;
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
