//! The rules of other builders as small list schedulers: they differ in when jobs that became ready are collected.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use planner::simulate::Workload;

/// When jobs that became ready are put in the queue, and in which order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Collect {
    /// At once, behind those that are there (first in, first out: the Azure Linux toolkit). Those that one job releases
    /// go by name; another order of these moves the result by a percent or two.
    AtOnce,
    /// When the queue is empty, by the longest remaining path (Photon's builder).
    WhenEmpty,
    /// When the queue is empty and nothing runs, the longest job first: so in waves by depth.
    WhenNothingRuns,
}

/// Jobs by place, in the order of their names.
pub(crate) struct Graph {
    /// In half seconds: whole numbers add up exactly, and the graph's durations are such.
    own: Vec<u64>,
    missing: Vec<usize>,
    dependents: Vec<Vec<usize>>,
    path: Vec<u64>,
}

impl Graph {
    pub(crate) fn new(workload: &Workload) -> Self {
        let jobs = workload.jobs();
        let places: BTreeMap<&str, usize> = jobs.keys().enumerate().map(|(place, name)| (&**name, place)).collect();
        let mut dependents = vec![Vec::new(); jobs.len()];
        for (place, work) in jobs.values().enumerate() {
            work.needs.iter().for_each(|need| dependents[places[&**need]].push(place));
        }
        let own: Vec<u64> = jobs.values().map(|work| (work.seconds * 2.0).round() as u64).collect();
        let missing = jobs.values().map(|work| work.needs.len()).collect();
        let mut path = vec![None; own.len()];
        for place in 0..own.len() {
            measure(place, &own, &dependents, &mut path);
        }
        Self { own, missing, dependents, path: path.into_iter().flatten().collect() }
    }

    /// When the last job ends, in seconds.
    pub(crate) fn makespan(&self, slots: usize, collect: Collect) -> f64 {
        let mut missing = self.missing.clone();
        let mut new: Vec<usize> = (0..missing.len()).filter(|place| missing[*place] == 0).collect();
        let mut queue = VecDeque::new();
        let mut running = BinaryHeap::new();
        let mut now = 0;
        loop {
            while running.len() < slots {
                let collected = match collect {
                    Collect::AtOnce => true,
                    Collect::WhenEmpty => queue.is_empty(),
                    Collect::WhenNothingRuns => queue.is_empty() && running.is_empty(),
                };
                if collected {
                    match collect {
                        Collect::AtOnce => {}
                        Collect::WhenEmpty => new.sort_by_key(|place| (Reverse(self.path[*place]), *place)),
                        Collect::WhenNothingRuns => new.sort_by_key(|place| (Reverse(self.own[*place]), *place)),
                    }
                    queue.extend(new.drain(..));
                }
                let Some(place) = queue.pop_front() else { break };
                running.push(Reverse((now + self.own[place], place)));
            }
            let Some(Reverse((end, place))) = running.pop() else { break };
            now = end;
            for dependent in &self.dependents[place] {
                missing[*dependent] -= 1;
                if missing[*dependent] == 0 {
                    new.push(*dependent);
                }
            }
        }
        now as f64 / 2.0
    }
}

/// The longest chain from the start of a job on.
fn measure(place: usize, own: &[u64], dependents: &[Vec<usize>], path: &mut [Option<u64>]) -> u64 {
    if let Some(known) = path[place] {
        return known;
    }
    let behind = dependents[place].iter().map(|dependent| measure(*dependent, own, dependents, path)).max();
    let length = own[place] + behind.unwrap_or(0);
    path[place] = Some(length);
    length
}
