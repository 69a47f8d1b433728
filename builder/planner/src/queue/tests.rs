//! Tests of the queue: examples of each rule, and properties over random graphs and failures.

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
fn equal_paths_go_by_name() {
    let mut queue = Queue::from_needs(needs(&[("b", &[]), ("a", &[]), ("c", &[])]), &BTreeMap::new());
    assert_eq!([(); 3].map(|()| queue.next_ready()), ["a", "b", "c"].map(|name| Some(job(name))));
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

/// Runs all jobs with some workers; `pick` says which running job ends next and how.
fn run(
    needs: &BTreeMap<String, BTreeSet<String>>,
    durations: &BTreeMap<String, f64>,
    workers: usize,
    picks: &[(usize, bool)],
) -> Result<Vec<String>, TestCaseError> {
    let mut queue = Queue::from_needs(needs.clone(), durations);
    let (mut running, mut built, mut dead, mut trace) =
        (Vec::<JobId>::new(), BTreeSet::new(), BTreeSet::new(), Vec::new());
    let mut picks = picks.iter().cycle();
    loop {
        while running.len() < workers {
            let Some(id) = queue.next_ready() else { break };
            prop_assert!(needs[&id.0].is_subset(&built), "{id} started early");
            trace.push(format!("start {id}"));
            running.push(id);
        }
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
    prop_assert_eq!(built.len() + dead.len(), needs.len());
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
        let first = run(&needs, &durations, workers, &picks)?;
        prop_assert_eq!(first, run(&needs, &durations, workers, &picks)?, "not deterministic");
    }
}
