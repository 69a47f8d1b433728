//! How long a whole distribution takes in the queue's order, against the bound of any order and other builders' rules.
//!
//! `cargo bench -p tests --bench schedule`; `PACKAGE_BUILDER_CORPUS` names the folder with `photon-5.0-graph.json`: what
//! the source packages of a distribution need to build, and their published minutes. All is simulated on the same
//! data. It holds when
//!
//! - no makespan is more than 0.5 % above the larger of work over slots and the longest path, and none of the others'
//!   rules gives a shorter one;
//! - a job server makes the run shorter than slots of one core each, and than the best fixed share of cores for each;
//! - a queue of 100,000 jobs is made in under a second of CPU time; ten times the jobs take at most thirty times as long
//!   (what fits no cache is slower; a hundred times would be quadratic) and at most twelve times the memory.

#[path = "schedule/others.rs"]
mod others;
#[path = "schedule/synthetic.rs"]
mod synthetic;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use others::{Collect, Graph};
use planner::simulate::{Bound, Workload, file};
use synthetic::Measured;

const SLOTS: [usize; 5] = [2, 4, 8, 16, 32];
const CORES: [usize; 3] = [8, 16, 32];
const PARALLEL: [f64; 3] = [0.5, 0.75, 0.9];
const ABOVE: f64 = 1.005;
const SIZES: [usize; 4] = [10_000, 20_000, 40_000, 100_000];
const LIMIT_MS: f64 = 1000.0;

fn main() {
    if synthetic::is_child() {
        return;
    }
    let Some(folder) = std::env::var_os("PACKAGE_BUILDER_CORPUS").map(PathBuf::from) else {
        tests::skip("schedule", "PACKAGE_BUILDER_CORPUS does not name a corpus");
        return;
    };
    let text = std::fs::read(folder.join("photon-5.0-graph.json")).expect("the graph is read");
    let mut holds = orders(&text);
    holds &= job_server(&text);
    let sizes: Vec<Measured> = SIZES.iter().map(|jobs| synthetic::measure(*jobs)).collect();
    holds &= scales(&sizes);
    let workload = file::parse(&text, 0.0).expect("the graph is a workload");
    let at = |slots| workload.run(count(slots)).seconds / 60.0;
    tests::say(&format!(
        "schedule: minutes_2={:.1} minutes_4={:.1} minutes_8={:.1} queue_100000_ms={:.0} {}",
        at(2),
        at(4),
        at(8),
        sizes[3].made_ms,
        if holds { "holds" } else { "falls short" }
    ));
    std::process::exit(i32::from(!holds));
}

fn count(slots: usize) -> NonZeroUsize {
    NonZeroUsize::new(slots).expect("there is a slot")
}

/// The queue's order beside those of others, in minutes.
fn orders(text: &[u8]) -> bool {
    let workload = file::parse(text, 0.0).expect("the graph is a workload");
    let graph = Graph::new(&workload);
    tests::say(&format!(
        "{} packages, {:.0} min of work, longest path {:.0} min of {} packages",
        workload.jobs().len(),
        workload.work_seconds() / 60.0,
        workload.path_seconds() / 60.0,
        workload.critical_path().len()
    ));
    tests::say("slots  makespan   bound  bound by   waves  first in, first out  refilled when empty");
    let mut holds = true;
    for slots in SLOTS {
        let timeline = workload.run(count(slots));
        let others = [Collect::WhenNothingRuns, Collect::AtOnce, Collect::WhenEmpty];
        let others = others.map(|rule| graph.makespan(slots, rule) / 60.0);
        let (ours, bound) = (timeline.seconds / 60.0, timeline.bound.seconds() / 60.0);
        holds &= ours <= bound * ABOVE && others.iter().all(|other| *other >= ours);
        let by = if matches!(timeline.bound, Bound::Work { .. }) { "work" } else { "path" };
        let [waves, first, refilled] = others;
        tests::say(&format!("{slots:5}  {ours:8.1}  {bound:6.1}  {by:8}  {waves:6.1}  {first:19.1}  {refilled:19.1}"));
    }
    holds
}

/// What one job server for all builds would gain, were a share of every package's work parallel, in minutes.
fn job_server(text: &[u8]) -> bool {
    tests::say("parallel  cores  one core each  best fixed share       job server   bound  cores used");
    let mut holds = true;
    for parallel in PARALLEL {
        let workload = file::parse(text, parallel).expect("the graph is a workload");
        for cores in CORES {
            let (fixed, slots) = fixed_shares(&workload, cores);
            let single = workload.run(count(cores)).seconds / 60.0;
            let served = workload.best_with_job_server(count(cores));
            let (ours, bound) = (served.seconds / 60.0, served.bound.seconds() / 60.0);
            holds &= ours < single && ours < fixed;
            let used = 100.0 * (1.0 - served.idle / (served.seconds * cores as f64));
            let share = format!("{fixed:.1} ({slots} × {})", cores / slots);
            let served = format!("{ours:.1} ({} jobs)", served.slots);
            tests::say(&format!(
                "{parallel:8}  {cores:5}  {single:13.1}  {share:>16}  {served:>15}  {bound:6.1}  {used:8.0} %"
            ));
        }
    }
    holds
}

/// The shortest makespan with slots that have the same number of cores from start to end, and how many slots these are.
fn fixed_shares(workload: &Workload, cores: usize) -> (f64, usize) {
    let slots = (0..).map(|power| 1 << power).take_while(|slots| *slots <= cores);
    let runs = slots.map(|slots| (workload.on_cores(count(cores / slots)).run(count(slots)).seconds / 60.0, slots));
    runs.min_by(|(left, _), (right, _)| left.total_cmp(right)).expect("one slot is possible")
}

/// Whether time and memory grow with the jobs and no faster.
fn scales(sizes: &[Measured]) -> bool {
    tests::say("  jobs    needs  queue made  all jobs run  peak memory  bytes a job");
    for size in sizes {
        tests::say(&format!(
            "{:6}  {:7}  {:7.0} ms  {:9.0} ms  {:7.1} MiB  {:11.0}",
            size.jobs,
            size.needs,
            size.made_ms,
            size.run_ms,
            size.peak_bytes as f64 / 1_048_576.0,
            size.peak_bytes as f64 / size.jobs as f64
        ));
    }
    let all = |size: &Measured| size.made_ms + size.run_ms;
    let (Some(least), Some(most)) = (sizes.first(), sizes.last()) else { return false };
    let times = most.jobs as f64 / least.jobs as f64;
    let linear =
        all(most) <= 3.0 * times * all(least) && most.peak_bytes as f64 <= 1.2 * times * least.peak_bytes as f64;
    linear && sizes.iter().all(|size| size.made_ms < LIMIT_MS)
}
