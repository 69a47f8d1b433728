//! Jobs and needs that come later: builds that turn out to need more.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::durations::{guess, known_seconds};
use super::{Job, JobId, Queue, Released, State, WaitError};

impl Queue {
    /// Takes a running job back: it turned out to need more. `needs` has what the job needs, and every further job
    /// that takes, each with what it needs in turn (in no cycle of their own; a plan has none). Of the jobs that the
    /// queue has already, those that wait get the needs as well. Needs that are no jobs, or are built, count as met.
    /// The job runs again when all it needs is built, at once where that is so now; if something it needs has failed,
    /// it is among the blocked ones.
    ///
    /// # Errors
    /// The new needs close a cycle, or the job is not running; nothing has changed then.
    pub fn wait(
        &mut self,
        id: &JobId,
        mut needs: BTreeMap<String, BTreeSet<String>>,
        durations: &BTreeMap<String, f64>,
    ) -> Result<Released, WaitError> {
        let running = self.place(id).filter(|place| self.jobs[*place].state == State::Running);
        let Some(place) = running else { return Err(WaitError::NotRunning(id.clone())) };
        if let Some(cycle) = self.cycle_through(&id.0, &needs) {
            return Err(WaitError::Cycle(cycle));
        }
        self.jobs[place].state = State::Waiting;
        needs.entry(id.0.clone()).or_default();
        Ok(self.extend(needs, durations))
    }

    /// Adds jobs by name, each with the jobs it needs (in no cycle); those that are there and wait get the needs as
    /// well. What the queue has and does not wait is left as it is.
    pub fn extend(&mut self, needs: BTreeMap<String, BTreeSet<String>>, durations: &BTreeMap<String, f64>) -> Released {
        let guess = guess(durations);
        for name in needs.keys().filter(|name| !self.places.contains_key(*name)).collect::<Vec<_>>() {
            self.add(name, known_seconds(durations, name).unwrap_or(guess));
        }
        let (mut waiting, mut lost) = (Vec::new(), Vec::new());
        for (name, needed) in needs {
            let Some(place) = self.places.get(&name).copied() else { continue };
            if self.jobs[place].state == State::Waiting {
                waiting.push(place);
                lost.extend(self.add_needs(place, &needed).then_some(place));
            }
        }
        let blocked = self.block(lost);
        let mut ready = Vec::new();
        for place in waiting {
            let job = &mut self.jobs[place];
            if job.state == State::Waiting && job.missing == 0 {
                job.state = State::Ready;
                ready.push(job.id.clone());
            }
        }
        self.order();
        Released { ready, blocked }
    }

    fn add(&mut self, name: &str, own: f64) {
        self.places.insert(name.to_owned(), self.jobs.len());
        self.jobs.push(Job {
            id: JobId(name.to_owned()),
            state: State::Waiting,
            missing: 0,
            needs: Vec::new(),
            dependents: Vec::new(),
            own,
            remaining: own,
        });
        self.open += 1;
    }

    /// Adds needs to a job that waits; says whether one of them has failed.
    fn add_needs(&mut self, place: usize, needed: &BTreeSet<String>) -> bool {
        let mut has_failed = false;
        for name in needed {
            let Some(needed) = self.places.get(name).copied() else { continue };
            match self.jobs[needed].state {
                State::Built => {}
                State::Failed => has_failed = true,
                State::Waiting | State::Ready | State::Running => {
                    let job = &mut self.jobs[place];
                    if let Err(at) = job.needs.binary_search(&needed) {
                        job.needs.insert(at, needed);
                        job.missing += 1;
                        self.jobs[needed].dependents.push(place);
                    }
                }
            }
        }
        has_failed
    }

    /// The shortest way from a job back to itself, each job needing the next, once it and those that wait have these
    /// needs as well.
    fn cycle_through<'a>(&'a self, start: &'a str, new: &'a BTreeMap<String, BTreeSet<String>>) -> Option<Vec<JobId>> {
        let mut needed_by: BTreeMap<&str, &str> = BTreeMap::new();
        let mut open = VecDeque::from([start]);
        while let Some(name) = open.pop_front() {
            for needed in self.needs_with(name, start, new) {
                if needed == start {
                    let mut path = vec![name];
                    while let Some(at) = path.last().filter(|at| **at != start).and_then(|at| needed_by.get(at)) {
                        path.push(at);
                    }
                    return Some(path.into_iter().rev().map(|name| JobId(name.to_owned())).collect());
                }
                if let Entry::Vacant(entry) = needed_by.entry(needed) {
                    entry.insert(name);
                    open.push_back(needed);
                }
            }
        }
        None
    }

    /// What a job needs that has not ended, with the new needs if it would get them.
    fn needs_with<'a>(
        &'a self,
        name: &'a str,
        start: &str,
        new: &'a BTreeMap<String, BTreeSet<String>>,
    ) -> impl Iterator<Item = &'a str> {
        let job = |name: &str| self.places.get(name).map(|place| &self.jobs[*place]);
        let gets = name == start || job(name).is_none_or(|job| job.state == State::Waiting);
        let more = new.get(name).filter(|_| gets).into_iter().flatten().map(|needed| &**needed);
        let had = job(name).into_iter().flat_map(|job| &job.needs).map(|place| &*self.jobs[*place].id.0);
        had.chain(more).filter(move |needed| match job(needed) {
            Some(job) => !job.state.has_ended(),
            None => new.contains_key(*needed),
        })
    }
}
