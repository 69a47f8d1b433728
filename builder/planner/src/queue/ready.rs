//! The order of ready jobs.

use std::cmp::Ordering;

use super::{Job, JobId};

/// A ready job, ordered so that a heap gives the longest remaining path first; of equals the one that more jobs need
/// directly, then the first by name. All that need a job, directly or not, would take a set for each job to count; the
/// remaining path looks that far already.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    remaining: f64,
    dependents: usize,
    pub(super) id: JobId,
    pub(super) place: usize,
}

impl Ready {
    pub(super) fn new(job: &Job, place: usize) -> Self {
        Self { remaining: job.remaining, dependents: job.dependents.len(), id: job.id.clone(), place }
    }
}

impl Ord for Ready {
    fn cmp(&self, other: &Self) -> Ordering {
        let longest = self.remaining.total_cmp(&other.remaining);
        longest.then(self.dependents.cmp(&other.dependents)).then_with(|| other.id.cmp(&self.id))
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
