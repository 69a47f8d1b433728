//! Tests of the queue: examples of each rule, and properties over random graphs and failures.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn needs(edges: &[(&str, &[&str])]) -> BTreeMap<String, BTreeSet<String>> {
    edges.iter().map(|(name, needs)| ((*name).to_owned(), needs.iter().map(|n| (*n).to_owned()).collect())).collect()
}

fn job(name: &str) -> JobId {
    JobId(name.to_owned())
}

#[test]
fn the_longest_remaining_path_goes_first() {
    let durations = BTreeMap::from([("a".to_owned(), 1.0), ("b".to_owned(), 5.0), ("c".to_owned(), 9.0)]);
    let mut queue = Queue::from_needs(needs(&[("a", &[]), ("b", &[]), ("c", &["a"])]), &durations);
    assert_eq!(queue.remaining_path(&job("a")), Some(10.0));
    assert_eq!(queue.critical_path(), [job("a"), job("c")]);
    assert_eq!(queue.next_ready(), Some(job("a")));
    assert_eq!(queue.next_ready(), Some(job("b")));
    assert_eq!(queue.next_ready(), None);
    assert_eq!(queue.finish(&job("a"), Outcome::Done).ready, [job("c")]);
    assert_eq!(queue.next_ready(), Some(job("c")));
    queue.finish(&job("c"), Outcome::Done);
    assert!(!queue.is_done());
    queue.finish(&job("b"), Outcome::Done);
    assert!(queue.is_done());
}

#[test]
fn of_equal_paths_the_most_needed_goes_first_then_the_first_by_name() {
    let edges = needs(&[("a", &[]), ("b", &[]), ("x", &["b"]), ("y", &["b"]), ("z", &["a"])]);
    let mut queue = Queue::from_needs(edges, &BTreeMap::new());
    assert_eq!([(); 2].map(|()| queue.next_ready()), ["b", "a"].map(|name| Some(job(name))));
    let mut queue = Queue::from_needs(needs(&[("b", &[]), ("a", &[]), ("c", &[])]), &BTreeMap::new());
    assert_eq!([(); 3].map(|()| queue.next_ready()), ["a", "b", "c"].map(|name| Some(job(name))));
}

#[test]
fn a_job_without_history_is_taken_to_be_as_long_as_the_median_of_those_with() {
    let durations = [("a", 1.0), ("b", 5.0), ("c", 900.0), ("broken", f64::NAN), ("worse", -1.0)];
    let durations = durations.map(|(name, seconds)| (name.to_owned(), seconds)).into();
    let queue = Queue::from_needs(needs(&[("a", &[]), ("new", &[]), ("broken", &[]), ("worse", &[])]), &durations);
    assert_eq!(["a", "new", "broken", "worse"].map(|name| queue.remaining_path(&job(name)).unwrap()), [1., 5., 5., 5.]);
    // Where nothing is known, the longest path is that of most jobs.
    let queue = Queue::from_needs(needs(&[("a", &[]), ("b", &["a"]), ("c", &[])]), &BTreeMap::new());
    assert_eq!(queue.remaining_path(&job("a")), queue.remaining_path(&job("c")).map(|seconds| 2.0 * seconds));
}

#[test]
fn what_will_never_start_counts_in_no_path() {
    let durations = BTreeMap::from([("huge".to_owned(), 900.0), ("a".to_owned(), 1.0), ("b".to_owned(), 2.0)]);
    let edges = needs(&[("fails", &[]), ("a", &[]), ("b", &[]), ("huge", &["a", "fails"])]);
    let mut queue = Queue::from_needs(edges, &durations);
    assert_eq!(queue.critical_path(), ["fails", "huge"].map(job));
    assert_eq!(queue.next_ready(), Some(job("fails")));
    assert_eq!(queue.finish(&job("fails"), Outcome::Failed).blocked, [job("huge")]);
    assert_eq!(queue.remaining_path(&job("a")), Some(1.0));
    assert_eq!([(); 2].map(|()| queue.next_ready()), ["b", "a"].map(|name| Some(job(name))));
}

#[test]
fn a_failure_blocks_all_that_needs_it_and_nothing_else() {
    let edges = needs(&[("a", &[]), ("b", &["a"]), ("c", &["b"]), ("d", &[]), ("e", &["d", "c"]), ("f", &["d"])]);
    let mut queue = Queue::from_needs(edges, &BTreeMap::new());
    while queue.next_ready().is_some() {}
    assert_eq!(queue.finish(&job("a"), Outcome::Failed).blocked, [job("b"), job("c"), job("e")]);
    assert_eq!(queue.finish(&job("d"), Outcome::Done), Released { ready: vec![job("f")], blocked: Vec::new() });
}

#[test]
fn the_end_of_a_job_that_does_not_run_changes_nothing() {
    let mut queue = Queue::from_needs(needs(&[("a", &[]), ("b", &["a"])]), &BTreeMap::new());
    assert_eq!(queue.finish(&job("b"), Outcome::Done), Released::default());
    assert_eq!(queue.finish(&job("a"), Outcome::Failed), Released::default());
    assert_eq!(queue.next_ready(), Some(job("a")));
    assert_eq!(queue.finish(&job("a"), Outcome::Done).ready, [job("b")]);
    assert_eq!(queue.finish(&job("a"), Outcome::Done), Released::default());
}

#[test]
fn a_job_that_needs_more_waits_for_it_and_runs_again() {
    let durations = BTreeMap::from([("new".to_owned(), 5.0), ("a".to_owned(), 1.0), ("b".to_owned(), 1.0)]);
    let mut queue = Queue::from_needs(needs(&[("a", &[]), ("b", &["a"])]), &durations);
    let a = queue.next_ready().unwrap();
    let more = needs(&[("a", &["new", "seed"]), ("new", &["deep"]), ("deep", &[])]);
    assert_eq!(queue.wait(&a, more.clone(), &durations), Ok(Released { ready: vec![job("deep")], blocked: vec![] }));
    // The slot is free, what is needed goes first, and the path is measured anew.
    assert_eq!(queue.critical_path(), ["deep", "new", "a", "b"].map(job));
    assert_eq!(queue.remaining_path(&job("new")), Some(7.0));
    assert_eq!(queue.wait(&a, more, &durations), Err(WaitError::NotRunning(job("a"))));
    for name in ["deep", "new", "a", "b"] {
        assert_eq!(queue.next_ready(), Some(job(name)));
        assert_eq!(queue.next_ready(), None);
        queue.finish(&job(name), Outcome::Done);
    }
    assert!(queue.is_done());
}

#[test]
fn needs_that_are_built_by_now_make_a_job_ready_at_once() {
    let mut queue = Queue::from_needs(needs(&[("a", &[]), ("b", &[])]), &BTreeMap::new());
    let (a, b) = (queue.next_ready().unwrap(), queue.next_ready().unwrap());
    queue.finish(&b, Outcome::Done);
    assert_eq!(queue.wait(&a, needs(&[("a", &["b"])]), &BTreeMap::new()).unwrap().ready, [job("a")]);
    assert_eq!(queue.next_ready(), Some(a.clone()));
    // Nor does one get lost that needs nothing more.
    assert_eq!(queue.wait(&a, BTreeMap::new(), &BTreeMap::new()).unwrap().ready, [job("a")]);
    assert_eq!(queue.next_ready(), Some(a));
}

#[test]
fn needs_that_failed_block_the_job_and_all_that_waits_for_it() {
    let edges = needs(&[("a", &[]), ("b", &[]), ("c", &["a"])]);
    let mut queue = Queue::from_needs(edges, &BTreeMap::new());
    let (a, b) = (queue.next_ready().unwrap(), queue.next_ready().unwrap());
    queue.finish(&b, Outcome::Failed);
    let released = queue.wait(&a, needs(&[("a", &["new"]), ("new", &["b"])]), &BTreeMap::new()).unwrap();
    assert_eq!(released, Released { ready: vec![], blocked: ["a", "c", "new"].map(job).to_vec() });
    assert!(queue.has_failed(&a) && !queue.is_open(&a) && queue.is_done());
}

#[test]
fn new_needs_that_close_a_cycle_are_refused_with_the_way_around() {
    let mut queue = Queue::from_needs(needs(&[("a", &[]), ("b", &["a"]), ("c", &["b"])]), &BTreeMap::new());
    let a = queue.next_ready().unwrap();
    let error = queue.wait(&a, needs(&[("a", &["new"]), ("new", &["c"])]), &BTreeMap::new()).unwrap_err();
    assert_eq!(error, WaitError::Cycle(["a", "new", "c", "b"].map(job).to_vec()));
    assert_eq!(error.to_string(), "a needs new needs c needs b needs a in turn");
    let own = queue.wait(&a, needs(&[("a", &["a"])]), &BTreeMap::new());
    assert_eq!(own, Err(WaitError::Cycle(vec![job("a")])));
    // Nothing has changed.
    assert_eq!(queue.finish(&a, Outcome::Done).ready, [job("b")]);
}

/// A random acyclic graph: job `i` may need jobs of smaller number. Names are spread so that their order is not
/// the order of the graph.
fn graphs() -> impl Strategy<Value = BTreeMap<String, BTreeSet<String>>> {
    (1usize..30).prop_flat_map(|count| {
        prop::collection::vec(prop::collection::vec(any::<bool>(), count), count).prop_map(move |bits| {
            let name = |index: usize| format!("job-{}", (index * 37 + 11) % 101);
            (0..count)
                .map(|index| (name(index), (0..index).filter(|other| bits[index][*other]).map(name).collect()))
                .collect()
        })
    })
}

/// What is known of a graph before its jobs run: the needs that are not hidden, and of the jobs those that one of
/// `targets` is known to need.
fn known_part(
    needs: &BTreeMap<String, BTreeSet<String>>,
    hidden: &BTreeSet<(String, String)>,
    targets: &[String],
) -> BTreeMap<String, BTreeSet<String>> {
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut open = targets.to_vec();
    while let Some(name) = open.pop() {
        let seen = |needed: &&String| !hidden.contains(&(name.clone(), (*needed).clone()));
        let needed: BTreeSet<String> = needs[&name].iter().filter(seen).cloned().collect();
        if known.insert(name, needed.clone()).is_none() {
            open.extend(needed);
        }
    }
    known
}

/// Runs jobs with some workers; `pick` says which running job ends next and how. Of the needs some are hidden until
/// the job that has them first runs; it then waits for them.
fn run(
    needs: &BTreeMap<String, BTreeSet<String>>,
    hidden: &BTreeSet<(String, String)>,
    targets: &[String],
    durations: &BTreeMap<String, f64>,
    workers: usize,
    picks: &[(usize, bool)],
) -> Result<Vec<String>, TestCaseError> {
    let mut hidden = hidden.clone();
    let mut queue = Queue::from_needs(known_part(needs, &hidden, targets), durations);
    let (mut running, mut built, mut dead, mut trace) =
        (Vec::<JobId>::new(), BTreeSet::new(), BTreeSet::new(), Vec::new());
    let mut picks = picks.iter().cycle();
    loop {
        while running.len() < workers {
            let Some(id) = queue.next_ready() else { break };
            trace.push(format!("start {id}"));
            if hidden.iter().any(|(name, _)| *name == id.0) {
                hidden.retain(|(name, _)| *name != id.0);
                let before = queue.clone();
                let known = known_part(needs, &hidden, std::slice::from_ref(&id.0));
                let new = known.into_iter().filter(|(name, _)| *name == id.0 || !dead.contains(name));
                let released = match queue.wait(&id, new.collect(), durations) {
                    Ok(released) => released,
                    Err(error) => return Err(TestCaseError::fail(format!("{error} in {before:?}"))),
                };
                trace.push(format!("wait {id} {released:?}"));
                dead.extend(released.blocked.into_iter().map(|id| id.0));
                continue;
            }
            prop_assert!(needs[&id.0].is_subset(&built), "{id} started early");
            running.push(id);
        }
        // What is known by now of all that is wanted.
        let needs = &known_part(needs, &hidden, targets);
        if running.len() < workers {
            // Work conserving: an idle worker means that every job not started lacks something.
            let started =
                |name: &String| built.contains(name) || dead.contains(name) || running.contains(&JobId(name.clone()));
            let idle = needs.iter().find(|(name, needed)| !started(name) && needed.is_subset(&built));
            prop_assert!(idle.is_none(), "{idle:?} could run");
        }
        if running.is_empty() {
            break;
        }
        prop_assert!(!queue.is_done());
        let (which, fails) = picks.next().copied().unwrap_or_default();
        let id = running.remove(which % running.len());
        let released = queue.finish(&id, if fails { Outcome::Failed } else { Outcome::Done });
        trace.push(format!("end {id} {released:?}"));
        if fails {
            dead.insert(id.0);
        } else {
            built.insert(id.0);
        }
        dead.extend(released.blocked.into_iter().map(|id| id.0));
    }
    prop_assert!(queue.is_done(), "deadlock");
    let known = known_part(needs, &hidden, targets);
    prop_assert!(known.keys().all(|name| built.contains(name) || dead.contains(name)), "not all has ended");
    Ok(trace)
}

proptest! {
    #[test]
    fn never_a_deadlock_an_early_start_or_an_idle_worker(
        needs in graphs(),
        seconds in prop::collection::vec(0.0f64..100.0, 30),
        workers in 1usize..5,
        picks in prop::collection::vec((0usize..8, prop::bool::weighted(0.1)), 1..40),
    ) {
        let durations = needs.keys().cloned().zip(seconds).collect();
        let targets: Vec<_> = needs.keys().cloned().collect();
        let none = BTreeSet::new();
        let first = run(&needs, &none, &targets, &durations, workers, &picks)?;
        prop_assert_eq!(first, run(&needs, &none, &targets, &durations, workers, &picks)?, "not deterministic");
    }

    #[test]
    fn nor_where_needs_are_found_while_jobs_run(
        needs in graphs(),
        hide in prop::collection::vec(any::<bool>(), 60),
        seconds in prop::collection::vec(0.0f64..100.0, 30),
        workers in 1usize..5,
        picks in prop::collection::vec((0usize..8, prop::bool::weighted(0.1)), 1..40),
    ) {
        let durations = needs.keys().cloned().zip(seconds).collect();
        let edges = needs.iter().flat_map(|(name, needed)| needed.iter().map(|needed| (name.clone(), needed.clone())));
        let hidden = edges.zip(hide.iter().cycle()).filter(|(_, hide)| **hide).map(|(edge, _)| edge).collect();
        let targets: Vec<_> = needs.keys().take(3).cloned().collect();
        let first = run(&needs, &hidden, &targets, &durations, workers, &picks)?;
        prop_assert_eq!(first, run(&needs, &hidden, &targets, &durations, workers, &picks)?, "not deterministic");
    }
}
