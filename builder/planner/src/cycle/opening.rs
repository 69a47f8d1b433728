//! The fewest needs whose removal opens a cycle.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::Direction;
use petgraph::graph::{DiGraph, EdgeIndex, NodeIndex};
use petgraph::visit::EdgeRef;

use super::shortest_way;
use crate::Edge;

/// What the exact search may cost, in needs looked at; a group that takes more is left to the greedy one.
const MOST_STEPS: usize = 400_000;

/// The needs whose removal leaves a sorted group without cycle, by name, and whether no smaller set would do. Every
/// cycle must lose a need, so the search removes the needs of a shortest cycle one by one and goes on with what is
/// left, for growing sizes. Needs that a spec states itself go before those that come in by another package.
pub(super) fn opening(needs: &DiGraph<&str, &Edge>, group: &[NodeIndex]) -> (Vec<EdgeIndex>, bool) {
    // A shortest cycle is looked for from every member along every need.
    let inner = group.iter().map(|from| needs.edges(*from).count()).sum::<usize>();
    let mut trials = MOST_STEPS / (group.len() * inner).max(1);
    let mut removed = Vec::new();
    let mut is_found = false;
    for size in 1.. {
        is_found = search(needs, group, size, &mut removed, &mut trials);
        if is_found || trials == 0 {
            break;
        }
    }
    if !is_found {
        removed = greedy(needs, group);
    }
    removed.sort_by_key(|edge| needs.edge_endpoints(*edge));
    (removed, is_found)
}

fn search(
    needs: &DiGraph<&str, &Edge>,
    group: &[NodeIndex],
    left: usize,
    removed: &mut Vec<EdgeIndex>,
    trials: &mut usize,
) -> bool {
    if *trials == 0 {
        return false;
    }
    *trials -= 1;
    let Some(cycle) = shortest_way(needs, group, removed) else { return true };
    if left == 0 {
        return false;
    }
    for edge in sorted(needs, cycle) {
        removed.push(edge);
        if search(needs, group, left - 1, removed, trials) {
            return true;
        }
        removed.pop();
    }
    false
}

/// Puts the members into an order in which few needs point back, and removes those: what needs nothing more goes
/// first, what nothing more needs last, and between them what is needed most and needs least.
fn greedy(needs: &DiGraph<&str, &Edge>, group: &[NodeIndex]) -> Vec<EdgeIndex> {
    let mut open: BTreeSet<NodeIndex> = group.iter().copied().collect();
    let (mut order, mut last) = (Vec::new(), Vec::new());
    while !open.is_empty() {
        let count = |node: NodeIndex, direction| {
            needs.neighbors_directed(node, direction).filter(|other| open.contains(other)).count()
        };
        let counts = |node: &NodeIndex| (count(*node, Direction::Outgoing), count(*node, Direction::Incoming));
        let key = |node: &NodeIndex| match counts(node) {
            (0, _) => (0, 0),
            (_, 0) => (1, 0),
            (outgoing, incoming) => (2, (outgoing + group.len()).saturating_sub(incoming)),
        };
        let Some(next) = open.iter().copied().min_by_key(key) else { break };
        if key(&next).0 == 1 {
            last.push(next);
        } else {
            order.push(next);
        }
        open.remove(&next);
    }
    order.extend(last.into_iter().rev());
    let places: BTreeMap<NodeIndex, usize> = order.into_iter().enumerate().map(|(at, node)| (node, at)).collect();
    // What is needed must come before what needs it.
    let points_back = |edge: &petgraph::graph::EdgeReference<'_, &Edge>| {
        places.get(&edge.target()).is_some_and(|to| places.get(&edge.source()).is_some_and(|from| to > from))
    };
    group.iter().flat_map(|from| needs.edges(*from)).filter(points_back).map(|edge| edge.id()).collect()
}

fn sorted(needs: &DiGraph<&str, &Edge>, mut cycle: Vec<EdgeIndex>) -> Vec<EdgeIndex> {
    cycle.sort_by_key(|edge| {
        let length = needs.edge_weight(*edge).map_or(usize::MAX, |edge| edge.reasons.len());
        (length, needs.edge_endpoints(*edge))
    });
    cycle
}

#[cfg(test)]
mod tests {
    use crate::resolve;
    use crate::testing::{spec, universe};

    /// What to leave out of a tree of `FROM: TO, TO`, as `FROM->TO`, and whether that is the least.
    fn opened(tree: &[(&str, &[&str])]) -> (Vec<String>, bool) {
        let spec = |(name, needs): &(&str, &[&str])| {
            let lines: Vec<String> = needs.iter().map(|need| format!("BuildRequires: {need}")).collect();
            spec(name, &lines.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let graph = resolve(&universe(tree.iter().map(spec).collect(), Vec::new()));
        let cycle = &graph.cycles[0];
        let shown = cycle.opening.iter().map(|step| format!("{}->{}", step.from, step.edge.to)).collect();
        (shown, cycle.is_least)
    }

    #[test]
    fn one_need_that_all_cycles_share_is_found() {
        // Three ways around, all by `c -> a`; the shortest cycle alone would not tell.
        let tree: &[(&str, &[&str])] =
            &[("a", &["b", "d", "c"]), ("b", &["c"]), ("c", &["a"]), ("d", &["e"]), ("e", &["c"])];
        assert_eq!(opened(tree), (vec!["c->a".to_owned()], true));
    }

    #[test]
    fn two_cycles_that_share_a_package_take_two_needs() {
        let tree: &[(&str, &[&str])] = &[("a", &["b"]), ("b", &["a", "c"]), ("c", &["b"])];
        assert_eq!(opened(tree), (vec!["a->b".to_owned(), "b->c".to_owned()], true));
    }

    #[test]
    fn a_large_group_is_opened_as_well() {
        let names: Vec<String> = (0..14).map(|number| format!("p{number:02}")).collect();
        let others = |name: &String| names.iter().filter(|other| *other != name).map(String::as_str).collect();
        let lists: Vec<Vec<&str>> = names.iter().map(others).collect();
        let tree: Vec<_> = names.iter().zip(&lists).map(|(name, needs)| (name.as_str(), &**needs)).collect();
        // Of each pair that needs each other one need must go; the least there can be is found in any case.
        let (opening, is_least) = opened(&tree);
        assert_eq!((opening.len(), is_least), (14 * 13 / 2, false));
    }
}
