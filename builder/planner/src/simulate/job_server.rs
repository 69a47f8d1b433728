//! A model of the job server: builds that can use more cores than one get those that are free, most of them those
//! that hold up the run.
//!
//! Every running job has one core. A further core speeds a job up by Amdahl's law: on `c` cores the parallel share
//! `p` of its work takes `p / c`. What is dealt out is dealt anew whenever a job starts or ends.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::num::NonZeroUsize;

use super::{Bound, Span, Timeline, Work, Workload};
use crate::{Estimate, JobId, Outcome, Queue};

/// A job gets one more core only if that makes it faster by this share at least; the rest is overhead of a build's own
/// tools, which the model does not know.
const LEAST_GAIN: f64 = 0.02;

/// What a job takes on one core and which share of it is parallel, from what earlier builds took with so many cores:
/// wall time `t` and CPU time `w` mean that `t = w · ((1 - p) + p / cores)`. `None` where the CPU time or a core to
/// compare with is lacking.
#[must_use]
pub fn on_one_core(estimate: &Estimate, cores: NonZeroUsize) -> Option<(f64, f64)> {
    let work = estimate.cpu_seconds.filter(|work| *work > 0.0 && estimate.seconds > 0.0)?;
    let cores = cores.get() as f64;
    if cores < 2.0 {
        return None;
    }
    let share = (1.0 - estimate.seconds / work) / (1.0 - 1.0 / cores);
    // A job that waits has less CPU time than wall time; the time it waits is part of what it takes.
    Some((work.max(estimate.seconds), share.clamp(0.0, 1.0)))
}

impl Work {
    /// How much faster it is on so many cores than on one.
    #[must_use]
    pub fn speed(&self, cores: usize) -> f64 {
        1.0 / ((1.0 - self.parallel) + self.parallel / cores.max(1) as f64)
    }
}

impl Workload {
    /// The same jobs, each on so many cores from its start to its end.
    #[must_use]
    pub fn on_cores(&self, cores: NonZeroUsize) -> Self {
        let mut jobs = self.jobs.clone();
        for work in jobs.values_mut() {
            work.seconds /= work.speed(cores.get());
            work.parallel = 0.0;
        }
        Self::measured(jobs)
    }

    /// Runs the jobs with so many slots, at most one a core, and one job server for all cores. The bound is that of jobs
    /// that lose nothing to sharing: all work spread over all cores, or the longest path with all cores for itself.
    #[must_use]
    pub fn run_with_job_server(&self, slots: NonZeroUsize, cores: NonZeroUsize) -> Timeline {
        let mut run = Run { workload: self, queue: self.queue(), running: Vec::new(), spans: Vec::new(), now: 0.0 };
        let (slots, cores) = (slots.min(cores).get(), cores.get());
        let mut used = 0.0;
        loop {
            while run.running.len() < slots && run.start() {}
            run.deal(cores);
            let rest = |job: &Running| job.left / run.workload.jobs[&job.id.0].speed(job.cores);
            let Some(step) = run.running.iter().map(rest).min_by(f64::total_cmp) else { break };
            used += step * run.running.iter().map(|job| job.cores as f64).sum::<f64>();
            run.pass(step);
        }
        let bound = Bound::of(self.work_seconds, cores, self.path_on_cores(cores));
        Timeline { slots, seconds: run.now, bound, idle: run.now * cores as f64 - used, spans: run.spans }
    }

    /// The shortest such run of those with 1, 2, 4 and so on slots: the fewer there are, the more cores are free for
    /// what holds up the run.
    #[must_use]
    pub fn best_with_job_server(&self, cores: NonZeroUsize) -> Timeline {
        let mut best = self.run_with_job_server(NonZeroUsize::MIN, cores);
        let mut slots = NonZeroUsize::MIN;
        while slots < cores {
            slots = slots.saturating_add(slots.get()).min(cores);
            let next = self.run_with_job_server(slots, cores);
            if next.seconds < best.seconds {
                best = next;
            }
        }
        best
    }

    /// The seconds of the longest path with so many cores for itself.
    fn path_on_cores(&self, cores: usize) -> f64 {
        NonZeroUsize::new(cores).map_or(self.path_seconds, |cores| self.on_cores(cores).path_seconds)
    }
}

/// A run with a job server.
struct Run<'a> {
    workload: &'a Workload,
    queue: Queue,
    running: Vec<Running>,
    spans: Vec<Span>,
    now: f64,
}

struct Running {
    id: JobId,
    /// Seconds on one core that are left of it.
    left: f64,
    /// Seconds of the longest chain that waits for it.
    behind: f64,
    cores: usize,
    span: usize,
}

impl Run<'_> {
    /// Deals the cores out: one for each running job, each of the others to the job with the longest path that can
    /// use it.
    fn deal(&mut self, cores: usize) {
        for job in &mut self.running {
            job.cores = 1;
        }
        let mut longest: BinaryHeap<Path> = (0..self.running.len()).filter_map(|at| self.path(at)).collect();
        for _ in self.running.len()..cores {
            let Some(Path { at, .. }) = longest.pop() else { break };
            self.running[at].cores += 1;
            longest.extend(self.path(at));
        }
    }

    /// The path through a running job, if one more core would make that shorter.
    fn path(&self, at: usize) -> Option<Path> {
        let job = &self.running[at];
        let work = &self.workload.jobs[&job.id.0];
        let speed = work.speed(job.cores);
        (work.speed(job.cores + 1) >= speed * (1.0 + LEAST_GAIN))
            .then(|| Path { seconds: job.left / speed + job.behind, at })
    }

    /// Starts the next job, if there is one.
    fn start(&mut self) -> bool {
        let Some(id) = self.queue.next_ready() else { return false };
        let own = self.workload.jobs[&id.0].seconds;
        let behind = self.queue.remaining_path(&id).unwrap_or(own) - own;
        let span = self.spans.len();
        self.spans.push(Span { job: id.clone(), start: self.now, end: f64::INFINITY });
        self.running.push(Running { id, left: own, behind, cores: 1, span });
        true
    }

    /// Lets time pass until the first job ends.
    fn pass(&mut self, step: f64) {
        self.now += step;
        for job in &mut self.running {
            let done = step * self.workload.jobs[&job.id.0].speed(job.cores);
            // What is left but for rounding is done as well; so the job that gave the step always ends.
            job.left = if job.left - done <= job.left * 1e-9 { 0.0 } else { job.left - done };
        }
        let (queue, spans, now) = (&mut self.queue, &mut self.spans, self.now);
        self.running.retain(|job| {
            if job.left <= 0.0 {
                queue.finish(&job.id, Outcome::Done);
                spans[job.span].end = now;
            }
            job.left > 0.0
        });
    }
}

/// The path through a running job, in seconds from now. The longest first, of equals the one that was started first.
struct Path {
    seconds: f64,
    at: usize,
}

impl Ord for Path {
    fn cmp(&self, other: &Self) -> Ordering {
        self.seconds.total_cmp(&other.seconds).then(other.at.cmp(&self.at))
    }
}

impl PartialOrd for Path {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Path {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Path {}
