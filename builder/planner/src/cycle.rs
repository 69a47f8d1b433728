//! Source packages that need each other to be built.

mod opening;

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
    /// Needs whose removal leaves the group without cycle.
    #[serde(default)]
    pub opening: Vec<CycleStep>,
    /// Whether fewer would not do; known for all but large groups.
    #[serde(default)]
    pub is_least: bool,
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
        if self.members.len() > self.steps.len() {
            let least = if self.is_least { "the fewest needs" } else { "needs" };
            write!(formatter, "\n  {least} to leave out:")?;
            for (number, step) in self.opening.iter().enumerate() {
                write!(formatter, "{} {} needs {}", if number == 0 { "" } else { "," }, step.from, step.edge.to)?;
                if let Some(place) = step.edge.reasons.first().and_then(|reason| reason.place.as_ref()) {
                    write!(formatter, " at {place}")?;
                }
            }
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

/// A group with its shortest cycle, and what opens it.
fn shortest_cycle(needs: &DiGraph<&str, &Edge>, group: &[NodeIndex]) -> Cycle {
    let mut group = group.to_vec();
    group.sort(); // Nodes are numbered by name.
    let (opening, is_least) = opening::opening(needs, &group);
    let steps = |edges: Vec<EdgeIndex>| {
        let step = |edge| {
            let (from, _) = needs.edge_endpoints(edge)?;
            Some(CycleStep { from: needs[from].to_owned(), edge: (*needs.edge_weight(edge)?).clone() })
        };
        edges.into_iter().filter_map(step).collect()
    };
    Cycle {
        steps: steps(shortest_way(needs, &group, &[]).unwrap_or_default()),
        members: group.iter().map(|member| needs[*member].to_owned()).collect(),
        opening: steps(opening),
        is_least,
    }
}

/// The shortest cycle of a sorted group without some of its needs; of several the one whose first member comes first
/// by name.
fn shortest_way(needs: &DiGraph<&str, &Edge>, group: &[NodeIndex], without: &[EdgeIndex]) -> Option<Vec<EdgeIndex>> {
    let inside: BTreeSet<NodeIndex> = group.iter().copied().collect();
    let without: BTreeSet<EdgeIndex> = without.iter().copied().collect();
    group.iter().filter_map(|start| way_back(needs, *start, &inside, &without)).min_by_key(Vec::len)
}

/// The shortest path from a node back to itself within a group.
fn way_back(
    needs: &DiGraph<&str, &Edge>,
    start: NodeIndex,
    inside: &BTreeSet<NodeIndex>,
    without: &BTreeSet<EdgeIndex>,
) -> Option<Vec<EdgeIndex>> {
    let mut came_by: BTreeMap<NodeIndex, EdgeIndex> = BTreeMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(node) = open.pop_front() {
        let mut next: Vec<_> =
            needs.edges(node).filter(|edge| inside.contains(&edge.target()) && !without.contains(&edge.id())).collect();
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
