//! Queues of many jobs, each in a process of its own, so that its peak memory is its own as well. Times are CPU times of
//! its one thread, so that what else the machine does is not in them.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use planner::{Outcome, Queue};
use tests::succeed;

/// Has the number of jobs in a child.
const VARIABLE: &str = "PACKAGE_BUILDER_BENCH_JOBS";
const ROUNDS: usize = 5;
/// One more than the most needs of a job.
const NEEDS: u64 = 8;
/// Jobs need those of so many places before them.
const NEAR: u64 = 2000;

/// What a queue of some size takes.
pub(crate) struct Measured {
    pub(crate) jobs: usize,
    pub(crate) needs: usize,
    pub(crate) made_ms: f64,
    pub(crate) run_ms: f64,
    /// The peak of the process beyond what it held with the needs alone.
    pub(crate) peak_bytes: u64,
}

/// Measures a queue of so many jobs in some children; gives the one that took the middle time.
pub(crate) fn measure(jobs: usize) -> Measured {
    let mut rounds: Vec<Measured> = (0..ROUNDS).map(|_| measure_once(jobs)).collect();
    rounds.sort_by(|a, b| (a.made_ms + a.run_ms).total_cmp(&(b.made_ms + b.run_ms)));
    rounds.swap_remove(ROUNDS / 2)
}

fn measure_once(jobs: usize) -> Measured {
    let this = std::env::current_exe().expect("a bench is a program");
    let said = succeed(Command::new(this).env(VARIABLE, jobs.to_string()));
    let numbers: Vec<f64> = said.split_whitespace().map(|word| word.parse().expect("a number")).collect();
    let [needs, made_ms, run_ms, peak_bytes] = numbers[..] else { panic!("the child said: {said}") };
    Measured { jobs, needs: needs as usize, made_ms, run_ms, peak_bytes: peak_bytes as u64 }
}

/// Measures and prints the numbers where this is the child.
pub(crate) fn is_child() -> bool {
    let Some(jobs) = std::env::var(VARIABLE).ok().and_then(|jobs| jobs.parse().ok()) else { return false };
    let (needs, durations) = graph(jobs);
    let edges: usize = needs.values().map(BTreeSet::len).sum();
    let before = peak();
    let began = cpu_ms();
    let mut queue = Queue::from_needs(needs, &durations);
    let made = cpu_ms();
    let mut ended = 0;
    while let Some(id) = queue.next_ready() {
        queue.finish(&id, Outcome::Done);
        ended += 1;
    }
    let run = cpu_ms();
    assert!(queue.is_done() && ended == jobs, "{ended} of {jobs} jobs ended");
    tests::say(&format!("{edges} {} {} {}", made - began, run - made, peak() - before));
    true
}

/// Jobs that need a few of those shortly before them, and durations, always the same for a size.
fn graph(jobs: usize) -> (BTreeMap<String, BTreeSet<String>>, BTreeMap<String, f64>) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: u64| {
        // A linear congruential generator; its upper bits are good enough.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let name = |job: usize| format!("package-{:06}", job.wrapping_mul(7919) % 1_000_003);
    let (mut needs, mut durations) = (BTreeMap::new(), BTreeMap::new());
    for job in 0..jobs {
        let near = (job as u64).min(NEAR);
        let count = if near == 0 { 0 } else { random(NEEDS) };
        needs.insert(name(job), (0..count).map(|_| name(job - 1 - random(near) as usize)).collect());
        durations.insert(name(job), random(600) as f64);
    }
    (needs, durations)
}

/// The most memory this process has held, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("there is a /proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the peak is told");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kB") * 1024
}

/// The CPU time of this thread so far, in milliseconds.
fn cpu_ms() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel tells scheduling statistics");
    let nanoseconds = told.split_whitespace().next().and_then(|first| first.parse::<f64>().ok());
    nanoseconds.expect("the first number is the time on a CPU") / 1e6
}
