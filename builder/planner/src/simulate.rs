//! What a run would take: jobs with needs and durations, run on a model of time by the very [`Queue`] that orders
//! real builds.
//!
//! - [`Workload`]: what is run, checked.
//! - [`Timeline`]: when each job starts and ends with so many slots.
//! - [`job_server`]: the same with cores that move between running jobs.
//! - [`file`]: a workload as JSON.
//! - [`help`]: what would make the run shorter.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::explain::nearest::nearest_names;
use crate::queue::{durations, needs_among};
use crate::{BuildGraph, JobId, Outcome, Queue};

pub mod file;
pub mod help;
pub mod job_server;
mod timeline;

pub use help::Help;
pub use timeline::{Bound, Span, Timeline};

/// What a job needs and takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// The jobs that must have ended before it starts.
    pub needs: BTreeSet<String>,
    /// How long it takes, in seconds; for the model of a job server, on one core.
    pub seconds: f64,
    /// The share of `seconds` that more cores make shorter, from 0 to 1, by Amdahl's law.
    pub parallel: f64,
}

/// Why jobs cannot be simulated.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WorkloadError {
    /// There are no jobs.
    #[error("there are no packages")]
    Empty,
    /// A job needs what is no job.
    #[error("`{job}` needs `{need}`, which is not among the packages{}", alike(.nearest))]
    UnknownNeed {
        /// The job.
        job: String,
        /// What it needs.
        need: String,
        /// Jobs with names like it.
        nearest: Vec<String>,
    },
    /// Jobs need each other.
    #[error("{} needs {} in turn", .0.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(" needs "), .0[0])]
    Cycle(Vec<JobId>),
    /// A duration is negative or no number, or all together are too large for one.
    #[error("`{job}` takes {seconds} seconds; a duration is 0 or more")]
    Seconds {
        /// The job.
        job: String,
        /// What is said to be its duration.
        seconds: f64,
    },
    /// A parallel share is not between 0 and 1.
    #[error("`{job}` has the parallel share {parallel}; a share is from 0 to 1")]
    Share {
        /// The job.
        job: String,
        /// What is said to be its share.
        parallel: f64,
    },
}

fn alike(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("; spelled alike: {}", names.join(", ")) }
}

/// Jobs that can be run to their end: there are some, what they need is there, and none needs itself in turn.
#[derive(Clone, Debug)]
pub struct Workload {
    jobs: BTreeMap<String, Work>,
    critical_path: Vec<JobId>,
    path_seconds: f64,
    work_seconds: f64,
}

impl Workload {
    /// Checks and measures jobs by name.
    ///
    /// # Errors
    /// They cannot be run to their end, or a number means nothing.
    pub fn new(jobs: BTreeMap<String, Work>) -> Result<Self, WorkloadError> {
        if jobs.is_empty() {
            return Err(WorkloadError::Empty);
        }
        let mut sum = 0.0;
        for (name, work) in &jobs {
            sum += work.seconds;
            if !(work.seconds >= 0.0 && f64::is_finite(sum)) {
                return Err(WorkloadError::Seconds { job: name.clone(), seconds: work.seconds });
            }
            if !(0.0..=1.0).contains(&work.parallel) {
                return Err(WorkloadError::Share { job: name.clone(), parallel: work.parallel });
            }
            if let Some(need) = work.needs.iter().find(|need| !jobs.contains_key(*need)) {
                let nearest = nearest_names(need, jobs.keys().map(|name| &**name));
                return Err(WorkloadError::UnknownNeed { job: name.clone(), need: need.clone(), nearest });
            }
        }
        let workload = Self::measured(jobs);
        let mut queue = workload.queue();
        while let Some(id) = queue.next_ready() {
            queue.finish(&id, Outcome::Done);
        }
        if queue.is_done() { Ok(workload) } else { Err(WorkloadError::Cycle(cycle(&workload.jobs, &queue))) }
    }

    /// Source packages of a graph, each with those of them it needs, as long as `durations` (seconds by source package)
    /// or else their [guess](durations::guess) say, with one parallel share for all.
    ///
    /// # Errors
    /// There are none, or some need each other.
    pub fn of_graph<'a>(
        graph: &BuildGraph,
        names: impl IntoIterator<Item = &'a str>,
        durations: &BTreeMap<String, f64>,
        parallel: f64,
    ) -> Result<Self, WorkloadError> {
        let guess = durations::guess(durations);
        let jobs = needs_among(graph, names).into_iter().map(|(name, needs)| {
            let seconds = durations::known_seconds(durations, &name).unwrap_or(guess);
            (name, Work { needs, seconds, parallel })
        });
        Self::new(jobs.collect())
    }

    /// Every job, by name.
    #[must_use]
    pub fn jobs(&self) -> &BTreeMap<String, Work> {
        &self.jobs
    }

    /// The longest chain of jobs that need each other, in order: no number of slots makes a run shorter than it.
    #[must_use]
    pub fn critical_path(&self) -> &[JobId] {
        &self.critical_path
    }

    /// The seconds of the critical path.
    #[must_use]
    pub fn path_seconds(&self) -> f64 {
        self.path_seconds
    }

    /// The seconds of all jobs together.
    #[must_use]
    pub fn work_seconds(&self) -> f64 {
        self.work_seconds
    }

    /// The same jobs with other seconds and parallel shares, those that `times` gives.
    ///
    /// # Errors
    /// A number means nothing.
    pub fn with_times(&self, times: impl Fn(&str, &Work) -> (f64, f64)) -> Result<Self, WorkloadError> {
        let jobs = self.jobs.iter().map(|(name, work)| {
            let (seconds, parallel) = times(name, work);
            (name.clone(), Work { needs: work.needs.clone(), seconds, parallel })
        });
        Self::new(jobs.collect())
    }

    /// Measures jobs that are known to be good.
    fn measured(jobs: BTreeMap<String, Work>) -> Self {
        let work_seconds = jobs.values().map(|work| work.seconds).sum();
        let mut workload = Self { jobs, critical_path: Vec::new(), path_seconds: 0.0, work_seconds };
        let queue = workload.queue();
        workload.critical_path = queue.critical_path();
        workload.path_seconds = workload.critical_path.first().and_then(|id| queue.remaining_path(id)).unwrap_or(0.0);
        workload
    }

    /// The queue of a run that starts.
    fn queue(&self) -> Queue {
        let needs = self.jobs.iter().map(|(name, work)| (name.clone(), work.needs.clone())).collect();
        let seconds = self.jobs.iter().map(|(name, work)| (name.clone(), work.seconds)).collect();
        Queue::from_needs(needs, &seconds)
    }
}

/// A way from a job back to itself, each needing the next, among those that a queue was left with.
fn cycle(jobs: &BTreeMap<String, Work>, queue: &Queue) -> Vec<JobId> {
    let is_left = |name: &&String| queue.is_open(&JobId((*name).clone()));
    let mut way: Vec<&String> = Vec::new();
    let mut places: BTreeMap<&String, usize> = BTreeMap::new();
    // What is left needs something that is left, so this comes back to where it was.
    let mut next = jobs.keys().find(is_left);
    while let Some(name) = next {
        if let Some(first) = places.insert(name, way.len()) {
            way.drain(..first);
            break;
        }
        way.push(name);
        next = jobs[name].needs.iter().find(is_left);
    }
    way.into_iter().map(|name| JobId(name.clone())).collect()
}

#[cfg(test)]
mod tests;
