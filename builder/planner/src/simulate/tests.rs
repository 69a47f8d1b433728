//! Tests of the model of a run: small runs that can be done by hand, and properties of all runs.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::num::NonZeroUsize;

use proptest::prelude::*;

use super::*;
use crate::Estimate;

fn slots(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

/// Jobs as `(name, seconds, needs)`, with a parallel share for all.
fn jobs(jobs: &[(&str, f64, &[&str])], parallel: f64) -> BTreeMap<String, Work> {
    let work = |seconds: f64, needs: &[&str]| {
        let needs = needs.iter().map(|need| (*need).to_owned()).collect();
        Work { needs, seconds, parallel }
    };
    jobs.iter().map(|(name, seconds, needs)| ((*name).to_owned(), work(*seconds, needs))).collect()
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-6 * left.abs().max(right.abs()).max(1.0)
}

#[test]
fn the_longest_path_starts_first_and_bounds_the_run() {
    let jobs = jobs(&[("a", 2.0, &[]), ("b", 9.0, &["a"]), ("c", 8.0, &[]), ("d", 3.0, &[])], 0.0);
    let workload = Workload::new(jobs).unwrap();
    assert_eq!(workload.critical_path(), ["a", "b"].map(|name| JobId(name.to_owned())));
    let two = workload.run(slots(2));
    assert_eq!((two.seconds, two.bound, two.idle), (11.0, Bound::Path { seconds: 11.0 }, 0.0));
    let span = |job: &str, start, end| Span { job: JobId(job.to_owned()), start, end };
    assert_eq!(two.spans, [span("a", 0., 2.), span("c", 0., 8.), span("b", 2., 11.), span("d", 8., 11.)]);
    let one = workload.run(slots(1));
    assert_eq!((one.seconds, one.bound, one.efficiency()), (22.0, Bound::Work { seconds: 22.0 }, 1.0));
}

#[test]
fn jobs_that_cannot_be_run_are_refused_with_the_reason() {
    let refused = |given: &[(&str, f64, &[&str])]| Workload::new(jobs(given, 0.0)).unwrap_err().to_string();
    assert_eq!(refused(&[]), "there are no packages");
    let unknown = refused(&[("zlib", 1., &[]), ("jq", 1., &["zlibb"])]);
    assert_eq!(unknown, "`jq` needs `zlibb`, which is not among the packages; spelled alike: zlib");
    let cycle = refused(&[("a", 1., &["b"]), ("b", 1., &["c"]), ("c", 1., &["b"]), ("free", 1., &[])]);
    assert_eq!(cycle, "`b` needs `c` needs b in turn");
    assert_eq!(refused(&[("a", 1., &["a"])]), "`a` needs a in turn");
    assert_eq!(refused(&[("a", -1., &[])]), "`a` takes -1 seconds; a duration is 0 or more");
    assert!(refused(&[("a", f64::NAN, &[])]).starts_with("`a` takes NaN seconds"));
    assert!(refused(&[("a", f64::MAX, &[]), ("b", f64::MAX, &[])]).starts_with("`b` takes 1797"));
    let share = Workload::new(jobs(&[("a", 1., &[])], 1.5)).unwrap_err();
    assert_eq!(share.to_string(), "`a` has the parallel share 1.5; a share is from 0 to 1");
}

#[test]
fn what_helps_is_measured_by_running_it() {
    // The path is a, b (20 s); behind it comes c, d (16 s).
    let jobs = jobs(&[("a", 4.0, &[]), ("b", 16.0, &["a"]), ("c", 6.0, &[]), ("d", 10.0, &["c"])], 0.0);
    let helps = Workload::new(jobs).unwrap().what_helps(slots(2), 5);
    let help =
        |job: &str, seconds, if_halved, if_split| Help { job: JobId(job.to_owned()), seconds, if_halved, if_split };
    // With b at half, c and d are the longest. Two halves of b have to share the slots with c and d.
    assert_eq!(helps, [help("b", 16., 16., 20.), help("a", 4., 18., 18.)]);
}

#[test]
fn the_job_server_gives_free_cores_to_what_holds_up_the_run() {
    let alone = Workload::new(jobs(&[("a", 8.0, &[])], 0.5)).unwrap();
    // Half of it is four times as fast.
    assert!(close(alone.run_with_job_server(slots(4), slots(4)).seconds, 5.0));
    // Without a parallel share further cores are of no use, and the run is that of as many slots.
    let mixed: &[(&str, f64, &[&str])] = &[("a", 5.0, &[]), ("b", 7.0, &["a"]), ("c", 1.0, &[])];
    let serial = Workload::new(jobs(mixed, 0.0)).unwrap();
    assert_eq!(serial.run_with_job_server(slots(2), slots(3)).spans, serial.run(slots(2)).spans);
    // a has two of three cores as long as c runs, then a and b have all.
    let mixed = Workload::new(jobs(mixed, 1.0)).unwrap();
    let shared = mixed.run_with_job_server(slots(3), slots(3));
    assert!(close(shared.seconds, 13.0 / 3.0), "{shared:?}");
    assert!(close(shared.idle, 0.0) && close(shared.bound.seconds(), 13.0 / 3.0), "{shared:?}");
}

#[test]
fn fewer_slots_leave_more_cores_to_the_longest_path() {
    // `long` is twice as fast on 3 cores, which it has for 4.5 s beside one other; beside three it has one core for
    // 1.5 s. Then it has all.
    let rest = |seconds: f64| seconds * (0.25 + 0.75 / 4.0);
    let many: &[(&str, f64, &[&str])] = &[("long", 12.0, &[]), ("a", 1.5, &[]), ("b", 1.5, &[]), ("c", 1.5, &[])];
    let mut given = jobs(many, 0.0);
    given.get_mut("long").unwrap().parallel = 0.75;
    let workload = Workload::new(given).unwrap();
    let seconds = |count| workload.run_with_job_server(slots(count), slots(4)).seconds;
    assert!(close(seconds(2), 4.5 + rest(3.0)) && close(seconds(4), 1.5 + rest(10.5)));
    let best = workload.best_with_job_server(slots(4));
    assert_eq!((best.slots, best.seconds), (2, seconds(2)));
}

#[test]
fn the_parallel_share_comes_from_cpu_time() {
    // 100 s of work, of which 80 are spread over 4 cores: 20 + 20 s.
    let estimate = Estimate { seconds: 40.0, cpu_seconds: Some(100.0), ..Estimate::default() };
    let (seconds, share) = job_server::on_one_core(&estimate, slots(4)).unwrap();
    assert!(close(seconds, 100.0) && close(share, 0.8));
    let waits = Estimate { seconds: 40.0, cpu_seconds: Some(10.0), ..Estimate::default() };
    assert_eq!(job_server::on_one_core(&waits, slots(4)), Some((40.0, 0.0)));
    assert_eq!(job_server::on_one_core(&estimate, slots(1)), None);
    assert_eq!(job_server::on_one_core(&Estimate { seconds: 40.0, ..Estimate::default() }, slots(4)), None);
}

#[test]
fn a_file_gives_a_workload_or_says_where_it_is_wrong() {
    let text = r#"{"source": "here", "packages": {
        "a": {"minutes": 0.5, "needs": [], "parallel": 0.25, "published": true}, "b": {"minutes": 2, "needs": ["a"]}}}"#;
    let workload = file::parse(text.as_bytes(), 0.5).unwrap();
    let shares: Vec<_> = workload.jobs().values().map(|work| (work.seconds, work.parallel)).collect();
    assert_eq!((shares, workload.path_seconds()), (vec![(30.0, 0.25), (120.0, 0.5)], 150.0));
    let refused = |packages: &str| {
        file::parse(format!("{{\"packages\": {{{packages}}}}}").as_bytes(), 0.0).unwrap_err().to_string()
    };
    assert_eq!(refused(""), "there are no packages");
    assert!(refused(r#""a": {"needs": []}"#).starts_with("missing field `minutes` at line 1"));
    assert!(refused(r#""a": {"minutes": NaN, "needs": []}"#).contains("at line 1 column"));
    assert!(refused(r#""a": {"minutes": 1e999, "needs": []}"#).starts_with("number out of range at line 1"));
    let twice = refused(r#""a": {"minutes": 1, "needs": []}, "a": {"minutes": 2, "needs": []}"#);
    assert!(twice.starts_with("`a` is there twice at line 1"), "{twice}");
}

#[test]
fn the_same_jobs_can_take_other_times() {
    let workload = Workload::new(jobs(&[("a", 2.0, &[]), ("b", 3.0, &["a"])], 0.0)).unwrap();
    let doubled = workload.with_times(|_, work| (2.0 * work.seconds, 0.5)).unwrap();
    assert_eq!((doubled.path_seconds(), doubled.jobs()["b"].parallel), (10.0, 0.5));
    let refused = workload.with_times(|name, work| (work.seconds, if name == "b" { 2.0 } else { 0.0 })).unwrap_err();
    assert_eq!(refused, WorkloadError::Share { job: "b".to_owned(), parallel: 2.0 });
}

/// Random jobs: job `i` may need jobs of smaller number.
fn workloads() -> impl Strategy<Value = Workload> {
    let job = (0.0f64..100.0, 0.0f64..=1.0, prop::collection::vec(prop::bool::weighted(0.15), 40));
    prop::collection::vec(job, 1..40).prop_map(|given| {
        let name = |index: usize| format!("job-{}", (index * 37 + 11) % 101);
        let jobs = given.iter().enumerate().map(|(index, (seconds, parallel, bits))| {
            let needs = (0..index).filter(|other| bits[*other]).map(name).collect();
            // Some jobs take no time, and some as long as others.
            (name(index), Work { needs, seconds: seconds.round() / 4.0, parallel: *parallel })
        });
        Workload::new(jobs.collect()).unwrap()
    })
}

/// Every job runs once, when all it needs has ended, and never more of them than there are slots.
fn check(workload: &Workload, timeline: &Timeline) -> Result<(), TestCaseError> {
    let ends: BTreeMap<&str, f64> = timeline.spans.iter().map(|span| (&*span.job.0, span.end)).collect();
    prop_assert_eq!(ends.len(), workload.jobs().len());
    prop_assert_eq!(timeline.spans.len(), workload.jobs().len());
    for span in &timeline.spans {
        let needs = &workload.jobs()[&span.job.0].needs;
        prop_assert!(needs.iter().all(|need| ends[&**need] <= span.start), "{} starts early", span.job);
        let at_once = timeline.spans.iter().filter(|other| other.start <= span.start && span.start < other.end);
        prop_assert!(at_once.count() <= timeline.slots);
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_run_is_work_conserving_and_within_grahams_bound(workload in workloads(), count in 1usize..6) {
        let timeline = workload.run(slots(count));
        check(&workload, &timeline)?;
        let ends: BTreeMap<&str, f64> = timeline.spans.iter().map(|span| (&*span.job.0, span.end)).collect();
        for span in &timeline.spans {
            let needs = &workload.jobs()[&span.job.0].needs;
            let ready = needs.iter().map(|need| ends[&**need]).fold(0.0, f64::max);
            // While it waits all slots are busy: so they are at each moment something ends, and when it gets ready.
            let moments = ends.values().copied().chain([ready]).filter(|at| ready <= *at && *at < span.start);
            for moment in moments {
                let busy = timeline.spans.iter().filter(|other| other.start <= moment && moment < other.end).count();
                prop_assert_eq!(busy, count, "{} waits from {} to {}", &span.job, ready, span.start);
            }
        }
        let (work, path, shared) = (workload.work_seconds(), workload.path_seconds(), count as f64);
        let most = work / shared + (1.0 - 1.0 / shared) * path;
        prop_assert!(timeline.seconds <= most + 1e-6 && timeline.seconds >= timeline.bound.seconds() - 1e-6);
        prop_assert!(close(timeline.idle, shared * timeline.seconds - work));
        prop_assert_eq!(workload.run(slots(count)), timeline, "not deterministic");
    }

    #[test]
    fn a_job_server_runs_all_within_its_bounds(workload in workloads(), count in 1usize..9, cores in 1usize..9) {
        let timeline = workload.run_with_job_server(slots(count), slots(cores));
        check(&workload, &timeline)?;
        prop_assert!(timeline.seconds >= timeline.bound.seconds() - 1e-6);
        // No worse than one job after the other on one core.
        prop_assert!(timeline.seconds <= workload.work_seconds() + 1e-6);
        prop_assert!(timeline.idle >= -1e-6);
    }
}
