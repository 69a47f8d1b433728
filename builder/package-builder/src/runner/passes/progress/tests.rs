//! Tests of passes: what waits for a cycle, when it is over, and what never settles.

use std::sync::Arc;

use planner::{BuildNode, Cycle, CycleStep, Deferred, Edge, WayOut};
use rpmspec_parser::rpm::{Evr, Nevra};

use super::*;

fn edge(to: &str) -> Arc<Edge> {
    let package = Nevra { name: to.to_owned(), evr: Evr::parse("1-1"), arch: "noarch".to_owned() };
    Arc::new(Edge { to: to.to_owned(), package: Arc::new(package), reasons: Vec::new() })
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// `a` and `b` need each other and `a` goes first; `x` needs `b`, `y` needs `x`, `z` needs nothing.
fn graph() -> BuildGraph {
    let node = |name: &str, needs: &[&str], deferred: &[&str]| BuildNode {
        name: name.to_owned(),
        spec: String::new(),
        packages: Vec::new(),
        build_root: Vec::new(),
        exact: false,
        unpublished: None,
        needs: needs.iter().map(|to| edge(to)).collect(),
        runtime_needs: Vec::new(),
        unmet_at_run_time: Vec::new(),
        deferred: deferred.iter().map(|to| Deferred { edge: edge(to), way_out: WayOut::Without }).collect(),
        blocker: None,
    };
    let nodes = [
        node("a", &[], &["b"]),
        node("b", &["a"], &[]),
        node("x", &["b"], &[]),
        node("y", &["x"], &[]),
        node("z", &[], &[]),
    ];
    let cycle = Cycle {
        steps: vec![CycleStep { from: "a".to_owned(), edge: edge("b") }],
        members: owned(&["a", "b"]),
        opening: Vec::new(),
        is_least: true,
        is_opened: true,
        tried: Vec::new(),
    };
    let nodes = nodes.into_iter().map(|node| (node.name.clone(), node)).collect();
    BuildGraph { arch: "x86_64".to_owned(), nodes, cycles: vec![Arc::new(cycle)] }
}

fn plan(graph: &BuildGraph, stale: &[&str]) -> Plan {
    let order = owned(&["a", "b", "x", "y", "z"]);
    let again = |name: &str| (name.to_owned(), graph.nodes[name].deferred.clone());
    let stale: Vec<_> = stale.iter().map(|name| ((*name).to_owned(), StaleReason::NeverBuilt)).collect();
    let is_again = stale.iter().any(|(name, _)| name == "b");
    Plan { order, again: is_again.then(|| again("a")).into_iter().collect(), stale, ..Plan::default() }
}

fn names(pass: &Pass) -> Vec<&str> {
    pass.plan.stale.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn what_needs_a_cycle_waits_until_it_has_settled() {
    let graph = graph();
    let first = plan(&graph, &["a", "b", "x", "y", "z"]);
    let mut progress = Progress::new(&first);
    let pass = progress.next(&graph, &first);
    assert_eq!((names(&pass), pass.cycles[0].number, pass.more.len()), (vec!["a", "b", "z"], 1, 0));

    let pass = progress.next(&graph, &plan(&graph, &["a", "b", "x", "y"]));
    assert_eq!((names(&pass), pass.cycles[0].number), (vec!["a", "b"], 2));
    assert_eq!(pass.more.iter().map(|more| &*more.package).collect::<Vec<_>>(), ["a", "b"]);

    // What was planned and is fresh by now is run as well, to end as unchanged; nothing is run twice.
    let pass = progress.next(&graph, &plan(&graph, &["x", "z"]));
    assert_eq!((names(&pass), pass.cycles.len(), pass.more.len()), (vec!["x", "y"], 0, 0));
    assert!(names(&progress.next(&graph, &plan(&graph, &["x"]))).is_empty());
}

#[test]
fn what_waits_for_a_failed_cycle_is_lost_once() {
    let graph = graph();
    let first = plan(&graph, &["a", "b", "x", "y", "z"]);
    let mut progress = Progress::new(&first);
    let _ = progress.next(&graph, &first);
    progress.take(RunEnd { failed: BTreeSet::from(["b".to_owned()]), ..RunEnd::default() });
    // `a` is there, but not as it should be.
    let next = plan(&graph, &["a", "b", "x", "y"]);
    assert_eq!(
        progress.newly_lost(&graph, &next),
        [("x", "b"), ("y", "b")].map(|(one, by)| (one.to_owned(), by.to_owned()))
    );
    assert!(progress.newly_lost(&graph, &next).is_empty());
    let pass = progress.next(&graph, &next);
    assert!(names(&pass).is_empty() && pass.cycles.is_empty(), "{pass:?}");
}

#[test]
fn what_is_lost_to_a_blocked_package_is_lost_to_its_root_cause() {
    let graph = graph();
    let first = plan(&graph, &["a", "b", "x", "y", "z"]);
    let mut progress = Progress::new(&first);
    let _ = progress.next(&graph, &first);
    let blocked = BTreeMap::from([("b".to_owned(), "a".to_owned())]);
    progress.take(RunEnd { failed: BTreeSet::from(["b".to_owned()]), blocked, ..RunEnd::default() });
    let lost = progress.newly_lost(&graph, &plan(&graph, &["a", "b", "x", "y"]));
    assert_eq!(lost, [("x", "a"), ("y", "a")].map(|(one, by)| (one.to_owned(), by.to_owned())));
}

#[test]
fn a_cycle_that_never_settles_is_given_up_with_what_differs() {
    let graph = graph();
    let all = plan(&graph, &["a", "b", "x", "y", "z"]);
    let mut progress = Progress::new(&all);
    let same = BTreeMap::from([("b".to_owned(), BTreeMap::new())]);
    let other = BTreeMap::from([("a".to_owned(), BTreeMap::new()), ("b".to_owned(), BTreeMap::new())]);
    for number in 1..=MOST_PASSES {
        assert!(progress.end.unsettled.is_empty());
        let pass = progress.next(&graph, &all);
        assert_eq!(pass.cycles[0].number, number);
        progress.give_up_on_what_never_settles(&graph, &all, &same, &other);
    }
    assert_eq!(
        progress.end.unsettled,
        ["the cycle a ↔ b does not settle: after 5 passes these still come out differently: a"]
    );
    assert_eq!(progress.newly_lost(&graph, &all).len(), 2);
    assert!(names(&progress.next(&graph, &all)).is_empty());
}

#[test]
fn a_cycle_that_needs_another_one_begins_after_it() {
    let mut graph = graph();
    // `x` and `y` need each other as well.
    let deferred = Deferred { edge: edge("y"), way_out: WayOut::Without };
    graph.nodes.entry("x".to_owned()).and_modify(|node| node.deferred.push(deferred.clone()));
    let other = Cycle { members: owned(&["x", "y"]), ..(*graph.cycles[0]).clone() };
    graph.cycles.push(Arc::new(other));
    let mut all = plan(&graph, &["a", "b", "x", "y"]);
    all.again.push(("x".to_owned(), vec![deferred]));
    let mut progress = Progress::new(&all);
    for number in 1..3 {
        let pass = progress.next(&graph, &all);
        assert_eq!((names(&pass), pass.cycles.len(), pass.cycles[0].number), (vec!["a", "b"], 1, number));
    }
    all.again.remove(0);
    all.stale.drain(..2);
    let pass = progress.next(&graph, &all);
    assert_eq!((names(&pass), pass.cycles.len(), pass.cycles[0].number), (vec!["x", "y"], 1, 1));
}
