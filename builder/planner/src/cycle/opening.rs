//! The fewest needs whose removal opens a cycle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use petgraph::Direction;
use petgraph::graph::{EdgeIndex, NodeIndex};
use petgraph::visit::EdgeRef;

use super::{Needs, shortest_way};
use crate::Edge;

/// What the exact search may cost, in needs looked at; a group that takes more is left to the greedy one.
const MOST_STEPS: usize = 400_000;

/// Says whether needs may be removed; all but the last of them may.
pub(super) type May<'m> = &'m mut dyn FnMut(&[EdgeIndex]) -> bool;

/// The needs whose removal leaves a sorted group without cycle, by name, and whether no smaller set would do. Every
/// cycle must lose a need, so the search removes the needs of a shortest cycle one by one and goes on with what is
/// left, for growing sizes. Needs that a spec states itself go before those that come in by another package.
pub(super) fn opening(needs: &Needs<'_>, group: &[NodeIndex]) -> (Vec<EdgeIndex>, bool) {
    let any = &mut |_: &[EdgeIndex]| true;
    let found = Search::new(needs, group, any).smallest(usize::MAX);
    let is_found = found.is_some();
    let found = found.or_else(|| greedy_among(needs, group, any)).unwrap_or_default();
    (sorted_by_name(needs, found), is_found)
}

/// Like [`opening`], with needs that may be removed only; `None` where they do not do. What may not be removed together
/// with others may not be with more of them either. Of large groups, it may be that a set is not found that is there.
pub(super) fn opening_among(needs: &Needs<'_>, group: &[NodeIndex], may: May<'_>) -> Option<(Vec<EdgeIndex>, bool)> {
    let bound = greedy_among(needs, group, may);
    let mut search = Search::new(needs, group, may);
    // One less than what is known already, or as many as it takes.
    let most = bound.as_ref().map_or(usize::MAX, |bound| bound.len().saturating_sub(1));
    let found = search.smallest(most);
    let is_least = search.trials > 0;
    Some((sorted_by_name(needs, found.or(bound)?), is_least))
}

fn sorted_by_name(needs: &Needs<'_>, mut removed: Vec<EdgeIndex>) -> Vec<EdgeIndex> {
    removed.sort_by_key(|edge| needs.edge_endpoints(*edge));
    removed
}

struct Search<'s> {
    needs: &'s Needs<'s>,
    group: &'s [NodeIndex],
    may: May<'s>,
    removed: Vec<EdgeIndex>,
    trials: usize,
    /// Whether more needs than allowed might have done.
    is_cut: bool,
}

impl<'s> Search<'s> {
    fn new(needs: &'s Needs<'s>, group: &'s [NodeIndex], may: May<'s>) -> Self {
        // A shortest cycle is looked for from every member along every need.
        let inner = group.iter().map(|from| needs.edges(*from).count()).sum::<usize>();
        let trials = MOST_STEPS / (group.len() * inner).max(1);
        Self { needs, group, may, removed: Vec::new(), trials, is_cut: false }
    }

    /// The smallest set of at most so many needs.
    fn smallest(&mut self, most: usize) -> Option<Vec<EdgeIndex>> {
        for size in 1..=most {
            self.is_cut = false;
            if self.search(size) {
                return Some(std::mem::take(&mut self.removed));
            }
            if self.trials == 0 || !self.is_cut {
                break;
            }
        }
        None
    }

    fn search(&mut self, left: usize) -> bool {
        if self.trials == 0 {
            return false;
        }
        self.trials -= 1;
        let Some(cycle) = shortest_way(self.needs, self.group, &self.removed) else { return true };
        if left == 0 {
            self.is_cut = true;
            return false;
        }
        for edge in sorted(self.needs, cycle) {
            self.removed.push(edge);
            if (self.may)(&self.removed) && self.search(left - 1) {
                return true;
            }
            self.removed.pop();
        }
        false
    }
}

/// What [`greedy`] removes, where all of that may be; else the first need that may be of every shortest cycle. Puts
/// back what was not necessary.
fn greedy_among(needs: &Needs<'_>, group: &[NodeIndex], may: May<'_>) -> Option<Vec<EdgeIndex>> {
    let mut removed = Vec::new();
    let all_may = greedy(needs, group).into_iter().all(|edge| {
        removed.push(edge);
        may(&removed)
    });
    if !all_may {
        removed.clear();
    }
    while let Some(cycle) = shortest_way(needs, group, &removed) {
        let edge = sorted(needs, cycle).into_iter().find(|edge| {
            removed.push(*edge);
            let may = may(&removed);
            removed.pop();
            may
        });
        removed.push(edge?);
    }
    for place in (0..removed.len()).rev() {
        let edge = removed.remove(place);
        if !is_open(needs, group, &removed) {
            removed.insert(place, edge);
        }
    }
    Some(removed)
}

/// Whether a group has no cycle without some of its needs: all members can be taken away, each when it needs no other.
fn is_open(needs: &Needs<'_>, group: &[NodeIndex], removed: &[EdgeIndex]) -> bool {
    let removed: BTreeSet<EdgeIndex> = removed.iter().copied().collect();
    let left = |edge: &petgraph::graph::EdgeReference<'_, &Arc<Edge>>| !removed.contains(&edge.id());
    let mut missing: BTreeMap<NodeIndex, usize> = group.iter().map(|node| (*node, 0)).collect();
    for edge in group.iter().flat_map(|node| needs.edges(*node)).filter(left) {
        if missing.contains_key(&edge.target()) {
            missing.entry(edge.source()).and_modify(|missing| *missing += 1);
        }
    }
    let mut free: Vec<NodeIndex> = group.iter().copied().filter(|node| missing.get(node) == Some(&0)).collect();
    let mut taken = 0;
    while let Some(node) = free.pop() {
        taken += 1;
        for edge in needs.edges_directed(node, Direction::Incoming).filter(left) {
            if let Some(missing) = missing.get_mut(&edge.source()) {
                *missing -= 1;
                free.extend((*missing == 0).then_some(edge.source()));
            }
        }
    }
    taken == group.len()
}

/// Puts the members into an order in which few needs point back, and removes those: what needs nothing more goes
/// first, what nothing more needs last, and between them what is needed most and needs least.
fn greedy(needs: &Needs<'_>, group: &[NodeIndex]) -> Vec<EdgeIndex> {
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
    let points_back = |edge: &petgraph::graph::EdgeReference<'_, &Arc<Edge>>| {
        places.get(&edge.target()).is_some_and(|to| places.get(&edge.source()).is_some_and(|from| to > from))
    };
    group.iter().flat_map(|from| needs.edges(*from)).filter(points_back).map(|edge| edge.id()).collect()
}

fn sorted(needs: &Needs<'_>, mut cycle: Vec<EdgeIndex>) -> Vec<EdgeIndex> {
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
