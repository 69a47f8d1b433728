//! A run on a model of time: so many slots, and whenever one is free the queue's next job.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::num::NonZeroUsize;

use serde::Serialize;

use super::Workload;
use crate::{JobId, Outcome};

/// What no order of the jobs can beat.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Bound {
    /// All work, shared evenly among the slots: more slots may help.
    Work {
        /// How long that takes.
        seconds: f64,
    },
    /// The longest chain of jobs that need each other: more slots cannot help.
    Path {
        /// How long that takes.
        seconds: f64,
    },
}

impl Bound {
    /// The larger of both.
    pub(super) fn of(work_seconds: f64, slots: usize, path_seconds: f64) -> Self {
        let share = work_seconds / slots as f64;
        if share > path_seconds { Self::Work { seconds: share } } else { Self::Path { seconds: path_seconds } }
    }

    /// The seconds that no order beats.
    #[must_use]
    pub fn seconds(self) -> f64 {
        match self {
            Self::Work { seconds } | Self::Path { seconds } => seconds,
        }
    }
}

/// One job in time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Span {
    /// The job.
    pub job: JobId,
    /// When it starts, in seconds from the start of the run.
    pub start: f64,
    /// When it ends.
    pub end: f64,
}

/// A whole run in time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timeline {
    /// How many jobs run at once; with a job server, how many cores there are.
    pub slots: usize,
    /// From the start of the first job to the end of the last: the makespan.
    pub seconds: f64,
    /// What no order of the jobs can beat.
    pub bound: Bound,
    /// Seconds in which a slot had no job, summed over the slots.
    pub idle: f64,
    /// Every job, by start, then in the order they were started.
    pub spans: Vec<Span>,
}

impl Timeline {
    /// The bound's share of the makespan: 1 where no order is better.
    #[must_use]
    pub fn efficiency(&self) -> f64 {
        if self.seconds > 0.0 { self.bound.seconds() / self.seconds } else { 1.0 }
    }
}

impl Workload {
    /// Runs the jobs with so many slots, in the queue's order.
    #[must_use]
    pub fn run(&self, slots: NonZeroUsize) -> Timeline {
        let slots = slots.get();
        let mut queue = self.queue();
        let mut spans: Vec<Span> = Vec::with_capacity(self.jobs.len());
        let mut running: BinaryHeap<Reverse<End>> = BinaryHeap::new();
        let mut now = 0.0;
        loop {
            while running.len() < slots
                && let Some(job) = queue.next_ready()
            {
                let end = now + self.jobs[&job.0].seconds;
                running.push(Reverse(End { at: end, span: spans.len() }));
                spans.push(Span { job, start: now, end });
            }
            let Some(Reverse(first)) = running.peek() else { break };
            now = first.at;
            // All that end now, so that what starts next is chosen among all they make ready.
            while let Some(Reverse(end)) = running.peek()
                && end.at <= now
            {
                queue.finish(&spans[end.span].job, Outcome::Done);
                running.pop();
            }
        }
        let bound = Bound::of(self.work_seconds, slots, self.path_seconds);
        Timeline { slots, seconds: now, bound, idle: now * slots as f64 - self.work_seconds, spans }
    }
}

/// The end of a running job. Jobs end by time, then in the order they were started.
struct End {
    at: f64,
    span: usize,
}

impl Ord for End {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.total_cmp(&other.at).then(self.span.cmp(&other.span))
    }
}

impl PartialOrd for End {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for End {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for End {}
