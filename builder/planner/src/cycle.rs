//! Source packages that need each other to be built.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, EdgeIndex, NodeIndex};
use petgraph::visit::EdgeRef;
use serde::{Deserialize, Serialize};

use crate::{BuildGraph, Edge};

/// One step of a cycle: `from` needs `edge.to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleStep {
    /// The source package that needs.
    pub from: String,
    /// What it needs, and why.
    pub edge: Edge,
}

/// A group of source packages that need each other, shown by its shortest cycle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cycle {
    /// The shortest way around, beginning with the first by name; each step's `edge.to` is the next one's `from`.
    pub steps: Vec<CycleStep>,
    /// Every source package of the group, sorted; more than the steps show where cycles share packages.
    pub members: Vec<String>,
}

impl fmt::Display for Cycle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("source packages need each other to be built:")?;
        for step in &self.steps {
            write!(formatter, "\n  {} needs {}", step.from, step.edge.to)?;
            for (index, reason) in step.edge.reasons.iter().enumerate() {
                write!(formatter, "{} {reason}", if index == 0 { ":" } else { "," })?;
            }
        }
        if self.members.len() > self.steps.len() {
            write!(formatter, "\n  in the same group: {}", self.members.join(", "))?;
        }
        formatter
            .write_str("\nbuild one of them without the need (a %bcond), or leave it to a seed in an earlier stage")
    }
}

/// Finds every group of source packages that need each other, in the order of their first members.
pub(crate) fn find_cycles(graph: &BuildGraph) -> Vec<Cycle> {
    let names: Vec<&str> = graph.nodes.keys().map(|name| &**name).collect();
    let places: BTreeMap<&str, NodeIndex> =
        names.iter().enumerate().map(|(i, name)| (*name, NodeIndex::new(i))).collect();
    let mut needs: DiGraph<&str, &Edge> = DiGraph::new();
    names.iter().for_each(|name| {
        needs.add_node(name);
    });
    for (name, node) in &graph.nodes {
        for edge in &node.needs {
            if let (Some(from), Some(to)) = (places.get(&**name), places.get(&*edge.to)) {
                needs.add_edge(*from, *to, edge);
            }
        }
    }
    let groups = tarjan_scc(&needs).into_iter().filter(|group| group.len() > 1);
    let mut cycles: Vec<Cycle> = groups.map(|group| shortest_cycle(&needs, &group)).collect();
    cycles.sort_by(|left, right| left.members.cmp(&right.members));
    cycles
}

/// The shortest cycle of a group; of several the one whose first member comes first by name.
fn shortest_cycle(needs: &DiGraph<&str, &Edge>, group: &[NodeIndex]) -> Cycle {
    let mut group = group.to_vec();
    group.sort(); // Nodes are numbered by name.
    let inside: BTreeSet<NodeIndex> = group.iter().copied().collect();
    let paths = group.iter().filter_map(|start| way_back(needs, *start, &inside));
    let shortest = paths.min_by_key(Vec::len).unwrap_or_default();
    let steps = shortest.into_iter().filter_map(|edge| {
        let (from, _) = needs.edge_endpoints(edge)?;
        Some(CycleStep { from: needs[from].to_owned(), edge: (*needs.edge_weight(edge)?).clone() })
    });
    Cycle { steps: steps.collect(), members: group.iter().map(|member| needs[*member].to_owned()).collect() }
}

/// The shortest path from a node back to itself within a group.
fn way_back(needs: &DiGraph<&str, &Edge>, start: NodeIndex, inside: &BTreeSet<NodeIndex>) -> Option<Vec<EdgeIndex>> {
    let mut came_by: BTreeMap<NodeIndex, EdgeIndex> = BTreeMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(node) = open.pop_front() {
        let mut next: Vec<_> = needs.edges(node).filter(|edge| inside.contains(&edge.target())).collect();
        next.sort_by_key(EdgeRef::target);
        for edge in next {
            if came_by.contains_key(&edge.target()) {
                continue;
            }
            came_by.insert(edge.target(), edge.id());
            if edge.target() == start {
                let mut path = vec![edge.id()];
                let mut at = node;
                while at != start {
                    let edge = *came_by.get(&at)?;
                    path.push(edge);
                    at = needs.edge_endpoints(edge)?.0;
                }
                path.reverse();
                return Some(path);
            }
            open.push_back(edge.target());
        }
    }
    None
}
