//! The remaining path of each job: its own duration and the longest chain of those that wait for it.

use super::ready::Ready;
use super::{Job, JobId, Queue, State};

impl Queue {
    /// The seconds from the start of a job to the end of the longest chain that waits for it.
    #[must_use]
    pub fn remaining_path(&self, id: &JobId) -> Option<f64> {
        self.job(id).map(|job| job.remaining)
    }

    /// The longest chain of jobs that have not ended, in order: what bounds the time of the run.
    #[must_use]
    pub fn critical_path(&self) -> Vec<JobId> {
        let longest = |jobs: &mut dyn Iterator<Item = &Job>| -> Option<JobId> {
            let open = jobs.filter(|job| !job.state.has_ended());
            open.min_by(|a, b| b.remaining.total_cmp(&a.remaining).then_with(|| a.id.cmp(&b.id)))
                .map(|job| job.id.clone())
        };
        let mut path = Vec::new();
        let mut next = longest(&mut self.jobs.iter());
        while let Some(id) = next.filter(|_| path.len() < self.jobs.len()) {
            let dependents = self.job(&id).into_iter().flat_map(|job| &job.dependents);
            next = longest(&mut dependents.map(|place| &self.jobs[*place]));
            path.push(id);
        }
        path
    }

    /// Measures the path of every job and orders the ready ones by it. One look at each job and need.
    pub(super) fn order(&mut self) {
        self.measure();
        let places = self.jobs.iter().enumerate().filter(|(_, job)| job.state == State::Ready);
        self.ready = places.map(|(place, job)| Ready::new(job, place)).collect();
    }

    /// Measures the path of every job, dependents before what they need. What failed is not waited for.
    fn measure(&mut self) {
        let mut unmeasured: Vec<usize> = self.jobs.iter().map(|job| job.dependents.len()).collect();
        let mut next: Vec<usize> = (0..self.jobs.len()).filter(|place| unmeasured[*place] == 0).collect();
        while let Some(place) = next.pop() {
            let job = &self.jobs[place];
            let behind = job.dependents.iter().map(|dependent| &self.jobs[*dependent]);
            let behind = behind.filter(|dependent| dependent.state != State::Failed);
            let longest = behind.map(|dependent| dependent.remaining).fold(0.0, f64::max);
            for needed in &job.needs {
                unmeasured[*needed] -= 1;
                if unmeasured[*needed] == 0 {
                    next.push(*needed);
                }
            }
            let job = &mut self.jobs[place];
            job.remaining = job.own + longest;
        }
    }
}
