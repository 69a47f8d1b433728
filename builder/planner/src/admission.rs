//! Which of the jobs that are ready may start now, by what they and the running ones are expected to take. Pure: what
//! the machine has is told with every question.
//!
//! Jobs are asked about by their remaining path, the longest first. One that does not fit lets others pass that do, but
//! only [`MOST_PASSES`] times: then nothing starts before it, so that what is large is not put off for ever. Where
//! nothing runs the first job starts whatever it takes: one that is too big for the machine runs alone, and there is
//! always an end to wait for.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use crate::{Estimate, JobId};

/// How many others may start before a job that was ready earlier and does not fit.
pub const MOST_PASSES: u32 = 8;

/// How many jobs are looked at for one that fits.
const LOOKED_AT: usize = 64;

/// Memory that is assumed where it was never measured, in bytes; less where that would leave slots empty.
pub const UNKNOWN_MEMORY: u64 = 512 << 20;

/// Disk that is assumed where it was never measured, in bytes.
pub const UNKNOWN_DISK: u64 = 1 << 30;

/// What a job is counted for while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Claim {
    /// Memory in bytes.
    pub memory: u64,
    /// Disk in bytes.
    pub disk: u64,
    /// CPUs that it keeps busy on average.
    pub cpus: f64,
    /// Whether nothing else may run at the same time.
    pub alone: bool,
}

impl Claim {
    /// The claim of a job by what it is expected to take, on a machine that gives so many `slots` this `memory`.
    #[must_use]
    pub fn of(estimate: &Estimate, memory: Option<u64>, slots: usize) -> Self {
        let share = memory.map_or(UNKNOWN_MEMORY, |memory| memory / slots.max(1) as u64);
        let busy = estimate.cpu_seconds.filter(|_| estimate.seconds > 0.0).map(|cpu| cpu / estimate.seconds);
        Self {
            memory: estimate.memory.unwrap_or(UNKNOWN_MEMORY.min(share)),
            disk: estimate.disk.unwrap_or(UNKNOWN_DISK),
            cpus: busy.filter(|cpus| cpus.is_finite()).unwrap_or(1.0).max(0.1),
            alone: false,
        }
    }

    /// The most memory the job may use of what all have: its share, or half as much again as it is expected to take; all
    /// of it if it runs alone.
    #[must_use]
    pub fn most_memory(&self, memory: u64, slots: usize) -> u64 {
        if self.alone {
            return memory;
        }
        memory.min((memory / slots.max(1) as u64).max(self.memory.saturating_add(self.memory / 2)))
    }
}

/// What there is for all jobs together. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Room {
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Disk that is free now, in bytes.
    pub disk: Option<u64>,
    /// CPUs.
    pub cpus: Option<f64>,
    /// How much of the last seconds something had to wait for memory, in percent, where that is too much.
    pub pressure: Option<f64>,
}

/// Why a job that is ready waits though there is a slot.
#[derive(Clone, Debug, PartialEq)]
pub enum Held {
    /// A job that must be alone is running.
    BehindLone(JobId),
    /// It must be alone, and so many others are running.
    Lone(usize),
    /// Another job was passed often enough and starts first.
    Turn(JobId),
    /// It takes more memory than the running jobs leave.
    Memory {
        /// What it is expected to take, in bytes.
        wanted: u64,
        /// What is left.
        left: u64,
    },
    /// It takes more disk than is free and not spoken for.
    Disk {
        /// What it is expected to take, in bytes.
        wanted: u64,
        /// What is left.
        left: u64,
    },
    /// The running jobs keep all CPUs busy.
    Cpus,
    /// Memory is short on the machine as it is.
    Pressure(f64),
}

impl Held {
    /// Whether it may end without any job's end.
    #[must_use]
    pub fn may_pass_by_itself(&self) -> bool {
        matches!(self, Self::Pressure(_) | Self::Disk { .. })
    }
}

impl fmt::Display for Held {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: &u64| bytes >> 20;
        match self {
            Self::BehindLone(id) => write!(formatter, "{id} runs alone, since it was short of memory before"),
            Self::Lone(running) => write!(formatter, "it is to run alone, and {running} others run"),
            Self::Turn(id) => write!(formatter, "{id} has waited for longer and starts first"),
            Self::Memory { wanted, left } => {
                write!(formatter, "it takes about {} MiB of memory, and {} MiB are left", mib(wanted), mib(left))
            }
            Self::Disk { wanted, left } => {
                write!(formatter, "it takes about {} MiB of disk, and {} MiB are left", mib(wanted), mib(left))
            }
            Self::Cpus => write!(formatter, "all CPUs are busy"),
            Self::Pressure(percent) => {
                write!(
                    formatter,
                    "memory is short on this machine: {percent:.0} % of the time is spent on waiting for it"
                )
            }
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// This job starts; it counts as running from here on.
    Start(JobId),
    /// Nothing may start now. The job whose turn it would be, and why it waits.
    Wait(JobId, Held),
    /// No job is ready.
    Nothing,
}

/// A job that is ready.
#[derive(Clone, Debug)]
struct Candidate {
    id: JobId,
    claim: Claim,
    remaining: f64,
    /// How many that stood behind it have started.
    passed: u32,
}

/// The jobs that are ready, and those that run.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// The longest remaining path first, then by name.
    ready: VecDeque<Candidate>,
    running: BTreeMap<JobId, Claim>,
}

impl Admission {
    /// A job is ready; `remaining` is its remaining path in seconds.
    pub fn offer(&mut self, id: JobId, claim: Claim, remaining: f64) {
        let is_before =
            |other: &Candidate| other.remaining.total_cmp(&remaining).reverse().then_with(|| other.id.cmp(&id)).is_lt();
        let place = self.ready.partition_point(is_before);
        self.ready.insert(place, Candidate { id, claim, remaining, passed: 0 });
    }

    /// Decides what is to be done, with what there is now.
    pub fn next(&mut self, room: &Room) -> Decision {
        let mut reasons = Vec::new();
        for (place, candidate) in self.ready.iter().take(LOOKED_AT).enumerate() {
            match self.held(candidate, room) {
                None => return self.start(place),
                Some(held) => reasons.push((candidate.id.clone(), held)),
            }
            if candidate.passed >= MOST_PASSES {
                break;
            }
        }
        // The first one's reason is the one that counts: the others only might have passed it.
        reasons.into_iter().next().map_or(Decision::Nothing, |(id, held)| Decision::Wait(id, held))
    }

    /// A running job is over, or gives its slot back.
    pub fn ended(&mut self, id: &JobId) {
        self.running.remove(id);
    }

    fn start(&mut self, place: usize) -> Decision {
        let Some(started) = self.ready.remove(place) else { return Decision::Nothing };
        self.ready.iter_mut().take(place).for_each(|passed| passed.passed += 1);
        self.running.insert(started.id.clone(), started.claim);
        Decision::Start(started.id)
    }

    /// Why a job may not start now.
    fn held(&self, candidate: &Candidate, room: &Room) -> Option<Held> {
        if self.running.is_empty() {
            return None;
        }
        if let Some((id, _)) = self.running.iter().find(|(_, claim)| claim.alone) {
            return Some(Held::BehindLone(id.clone()));
        }
        let claim = &candidate.claim;
        if claim.alone {
            return Some(Held::Lone(self.running.len()));
        }
        if let Some(percent) = room.pressure {
            return Some(Held::Pressure(percent));
        }
        let taken = |of: fn(&Claim) -> u64| self.running.values().map(of).fold(0, u64::saturating_add);
        let left = room.memory.map(|memory| memory.saturating_sub(taken(|claim| claim.memory)));
        if let Some(left) = left.filter(|left| claim.memory > *left) {
            return Some(Held::Memory { wanted: claim.memory, left });
        }
        let left = room.disk.map(|disk| disk.saturating_sub(taken(|claim| claim.disk)));
        if let Some(left) = left.filter(|left| claim.disk > *left) {
            return Some(Held::Disk { wanted: claim.disk, left });
        }
        let busy: f64 = self.running.values().map(|claim| claim.cpus).sum();
        room.cpus.is_some_and(|cpus| busy >= cpus).then_some(Held::Cpus)
    }
}

#[cfg(test)]
mod tests;
