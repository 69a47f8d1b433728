//! What would make a run shorter: for the longest jobs of the critical path, the run with the job at half its length,
//! or cut in two.

use std::num::NonZeroUsize;

use serde::Serialize;

use super::{Work, Workload};
use crate::JobId;

/// What changing one job would do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Help {
    /// The job.
    pub job: JobId,
    /// How long it takes now, in seconds.
    pub seconds: f64,
    /// The makespan if it took half of that, in seconds.
    pub if_halved: f64,
    /// The makespan if it were two jobs of half of that, in seconds: each with all its needs, and both needed by all
    /// that needs it.
    pub if_split: f64,
}

impl Workload {
    /// What halving or splitting the longest jobs of the critical path would do, at most so many of them; what helps
    /// most first, of equals by name. Jobs of no length are left out.
    #[must_use]
    pub fn what_helps(&self, slots: NonZeroUsize, most: usize) -> Vec<Help> {
        let mut path: Vec<(&JobId, f64)> =
            self.critical_path.iter().map(|id| (id, self.jobs[&id.0].seconds)).filter(|(_, own)| *own > 0.0).collect();
        path.sort_by(|(left, a), (right, b)| b.total_cmp(a).then_with(|| left.cmp(right)));
        let helps = path.into_iter().take(most).map(|(id, seconds)| Help {
            job: id.clone(),
            seconds,
            if_halved: self.halved(&id.0).run(slots).seconds,
            if_split: self.split(&id.0).run(slots).seconds,
        });
        let mut helps: Vec<Help> = helps.collect();
        helps.sort_by(|a, b| a.if_halved.total_cmp(&b.if_halved).then_with(|| a.job.cmp(&b.job)));
        helps
    }

    /// The same with a job at half its length.
    fn halved(&self, name: &str) -> Self {
        let mut jobs = self.jobs.clone();
        if let Some(work) = jobs.get_mut(name) {
            work.seconds /= 2.0;
        }
        Self::measured(jobs)
    }

    /// The same with two jobs in the place of one.
    fn split(&self, name: &str) -> Self {
        let mut jobs = self.halved(name).jobs;
        let mut other = format!("{name}, second half");
        while jobs.contains_key(&other) {
            other.push('\'');
        }
        for work in jobs.values_mut().filter(|work| work.needs.contains(name)) {
            work.needs.insert(other.clone());
        }
        let half: Option<Work> = jobs.get(name).cloned();
        jobs.extend(half.map(|half| (other, half)));
        Self::measured(jobs)
    }
}
