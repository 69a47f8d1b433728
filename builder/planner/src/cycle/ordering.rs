//! Takes cycles out of the order of builds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use petgraph::graph::{EdgeIndex, NodeIndex};

use super::opening::{opening, opening_among};
use super::ways::{Level, Ways};
use super::{Cycle, Needs, describe, groups, needs_of, step_of};
use crate::{Blocker, BuildGraph, BuildNode, Deferred, Edge, Index};

/// What opening cycles changed, and what it went by.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    /// The members of the groups that were opened, as they were before.
    pub(crate) before: BTreeMap<String, BuildNode>,
    /// The packages whose clauses were looked at. Why there is no way out depends on everything.
    pub(crate) looked_at: Vec<u32>,
}

/// Defers needs until nothing needs itself, and blocks the members of groups for which there is no way out, and nobody
/// else for them. Returns the members of groups that were opened by this call.
pub(crate) fn open_cycles(index: &Index<'_>, graph: &mut BuildGraph, notes: &mut Opening) -> BTreeSet<String> {
    for node in graph.nodes.values_mut() {
        node.blocker.take_if(|blocker| matches!(blocker, Blocker::Cycle { .. }));
    }
    let ways = Ways::new(index);
    let mut opened = BTreeSet::new();
    let mut blocked: Vec<Arc<Cycle>> = Vec::new();
    // What an earlier call found out about groups that stay as they are.
    let earlier = graph.cycles.iter().filter_map(|cycle| Some((cycle.members.first()?.clone(), cycle.is_least)));
    let mut is_least: BTreeMap<String, bool> = earlier.collect();
    // What stands in for a package that is deferred may have needs of its own that close another cycle.
    loop {
        let needs = needs_of(graph, false);
        let mut chosen: Vec<(String, Arc<Edge>)> = Vec::new();
        for group in groups(&needs) {
            if blocked.iter().any(|cycle| cycle.members.iter().any(|name| name == needs[group[0]])) {
                continue;
            }
            match choose(graph, &ways, &needs, &group) {
                Some((edges, least)) => {
                    for name in group.iter().map(|node| needs[*node]) {
                        opened.insert(name.to_owned());
                        if let (Some(node), false) = (graph.nodes.get(name), notes.before.contains_key(name)) {
                            notes.before.insert(name.to_owned(), node.clone());
                        }
                    }
                    is_least.insert(needs[group[0]].to_owned(), least);
                    let steps = edges.into_iter().filter_map(|edge| step_of(&needs, edge));
                    chosen.extend(steps.map(|step| (step.from, step.edge)));
                }
                None => {
                    let mut cycle = describe(&needs, &group, opening(&needs, &group));
                    let deferred = |name: &str| graph.nodes.get(name).map(BuildNode::deferred_sources);
                    let steps = cycle.steps.iter();
                    let refusals = steps.filter_map(|step| {
                        ways.refusal(&step.from, &step.edge.to, deferred(&step.from).unwrap_or_default())
                    });
                    cycle.tried = refusals.collect();
                    blocked.push(Arc::new(cycle));
                }
            }
        }
        if chosen.is_empty() {
            break;
        }
        defer(graph, &ways, chosen);
    }
    notes.looked_at.append(&mut ways.into_looked_at());
    block_members(graph, &blocked);
    let cycles = opened_cycles(graph, &is_least);
    graph.cycles = cycles.into_iter().map(Arc::new).chain(blocked).collect();
    graph.cycles.sort_by(|left, right| left.members.cmp(&right.members));
    opened
}

/// Blocks the members of all cycles, whatever ways out there are, and nobody else for them.
pub(crate) fn block_cycles(graph: &mut BuildGraph) {
    for node in graph.nodes.values_mut() {
        node.blocker.take_if(|blocker| matches!(blocker, Blocker::Cycle { .. }));
    }
    let needs = needs_of(graph, false);
    let cycle = |group: &Vec<NodeIndex>| Arc::new(describe(&needs, group, opening(&needs, group)));
    let cycles: Vec<_> = groups(&needs).iter().map(cycle).collect();
    block_members(graph, &cycles);
    graph.cycles = cycles;
}

/// Adds the groups that are ordered by what is deferred to the cycles.
pub(crate) fn add_opened_cycles(graph: &mut BuildGraph) {
    let opened = opened_cycles(graph, &BTreeMap::new());
    graph.cycles.extend(opened.into_iter().map(Arc::new));
    graph.cycles.sort_by(|left, right| left.members.cmp(&right.members));
}

/// Blocks the members of those cycles for which there is no way out.
pub(crate) fn block_members(graph: &mut BuildGraph, cycles: &[Arc<Cycle>]) {
    for cycle in cycles.iter().filter(|cycle| !cycle.is_opened) {
        for name in &cycle.members {
            if let Some(node) = graph.nodes.get_mut(name) {
                node.blocker = Some(Blocker::Cycle { cycle: cycle.clone() });
            }
        }
    }
}

/// The needs of a group to defer, and whether fewer would not do; `None` where there is no way out.
fn choose(
    graph: &BuildGraph,
    ways: &Ways<'_>,
    needs: &Needs<'_>,
    group: &[NodeIndex],
) -> Option<(Vec<EdgeIndex>, bool)> {
    Level::ALL.into_iter().find_map(|level| {
        opening_among(needs, group, &mut |removed| {
            let Some(from) = removed.last().and_then(|edge| needs.edge_endpoints(*edge)).map(|(from, _)| from) else {
                return true;
            };
            let mut deferred = graph.nodes.get(needs[from]).map(BuildNode::deferred_sources).unwrap_or_default();
            let ends = removed.iter().filter_map(|edge| needs.edge_endpoints(*edge));
            deferred.extend(ends.filter(|(other, _)| *other == from).map(|(_, to)| needs[to].to_owned()));
            ways.allow(needs[from], &deferred, level)
        })
    })
}

/// Takes needs out of the order, and resolves the build roots that did draw on what they lead to.
fn defer(graph: &mut BuildGraph, ways: &Ways<'_>, chosen: Vec<(String, Arc<Edge>)>) {
    let mut by_node: BTreeMap<String, Vec<Arc<Edge>>> = BTreeMap::new();
    chosen.into_iter().for_each(|(from, edge)| by_node.entry(from).or_default().push(edge));
    for (name, mut deferred) in by_node {
        let Some(node) = graph.nodes.get_mut(&name) else { continue };
        deferred.extend(node.deferred.drain(..).map(|deferred| deferred.edge));
        deferred.sort_by(|left, right| left.to.cmp(&right.to));
        let is_deferred = |to: &str| deferred.iter().any(|edge| edge.to == to);
        node.needs.retain(|edge| !is_deferred(&edge.to));
        let others = deferred.clone();
        if let Some((root, deferred)) = ways.take(&name, deferred) {
            let is_known = |to: &str, needs: &[Arc<Edge>]| needs.iter().chain(&others).any(|edge| edge.to == to);
            let further: Vec<_> = root.needs.into_iter().filter(|edge| !is_known(&edge.to, &node.needs)).collect();
            node.needs.extend(further);
            node.needs.sort_by(|left, right| left.to.cmp(&right.to));
            node.build_root = root.members;
            (node.deferred, node.exact) = (deferred, false);
        }
    }
}

/// The groups that are ordered by what is deferred.
fn opened_cycles(graph: &BuildGraph, is_least: &BTreeMap<String, bool>) -> Vec<Cycle> {
    let needs = needs_of(graph, true);
    let is_deferred = |edge: &EdgeIndex| {
        let Some((from, to)) = needs.edge_endpoints(*edge) else { return false };
        let deferred = graph.nodes.get(needs[from]).map(|node| &*node.deferred).unwrap_or_default();
        deferred.iter().any(|Deferred { edge, .. }| edge.to == needs[to])
    };
    let mut cycles = Vec::new();
    for group in groups(&needs) {
        let is_blocked = |node: &NodeIndex| graph.nodes.get(needs[*node]).is_some_and(|node| node.blocker.is_some());
        if group.iter().any(is_blocked) {
            continue;
        }
        let inside = |edge: &EdgeIndex| needs.edge_endpoints(*edge).is_some_and(|(from, _)| group.contains(&from));
        let opening = needs.edge_indices().filter(|edge| inside(edge) && is_deferred(edge)).collect();
        let least = is_least.get(needs[group[0]]).copied().unwrap_or(false);
        cycles.push(Cycle { is_opened: true, ..describe(&needs, &group, (opening, least)) });
    }
    cycles
}
