//! Source packages that need each other to be built, and the ways out.
//!
//! A group of them is opened by deferring some of its needs: what is needed is built later, and until then something
//! else does. The ways out are tried in this order, each together with those before it:
//!
//! 1. the bootstrap variant that the stage declares for the package that needs, if that variant does without;
//! 2. a seed's RPM, or whatever else offers the same;
//! 3. what is published of the package that is needed, of this version or another one.
//!
//! The first of them with which all cycles of the group can be opened decides which needs may be deferred, and of those
//! the fewest are; of several such sets, the one found first with needs that specs state themselves before those that
//! come in by another package, and then by name. Published RPMs come last here, so that the same needs are deferred
//! before and after a build. What a build root then holds is another question, with another order: what is published
//! where there is something, else the variant, else the seed ([`WayOut`]). So a variant is built once, and a package is
//! built with its tree's own RPMs as soon as they are there.

mod opening;
mod ordering;
mod ways;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, EdgeIndex, NodeIndex};
use petgraph::visit::EdgeRef;
use serde::{Deserialize, Serialize};

use crate::{BuildGraph, Edge};

pub(crate) use ordering::{Opening, add_opened_cycles, block_cycles, open_cycles};
pub use ways::{Deferred, NoWayOut, WayOut};

/// One step of a cycle: `from` needs `edge.to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleStep {
    /// The source package that needs.
    pub from: String,
    /// What it needs, and why.
    pub edge: Arc<Edge>,
}

/// A group of source packages that need each other, shown by its shortest cycle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cycle {
    /// The shortest way around, beginning with the first by name; each step's `edge.to` is the next one's `from`.
    pub steps: Vec<CycleStep>,
    /// Every source package of the group, sorted; more than the steps show where cycles share packages.
    pub members: Vec<String>,
    /// Needs whose removal leaves the group without cycle: those that are deferred, where the group is opened.
    #[serde(default)]
    pub opening: Vec<CycleStep>,
    /// Whether fewer would not do; known for all but large groups.
    #[serde(default)]
    pub is_least: bool,
    /// Whether there is a way out, so that the group can be built.
    #[serde(default)]
    pub is_opened: bool,
    /// Why the needs of the shortest cycle cannot be deferred, if none of the groups' can.
    #[serde(default)]
    pub tried: Vec<NoWayOut>,
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
        if self.is_opened {
            return Ok(());
        }
        for tried in &self.tried {
            write!(formatter, "\n  {tried}")?;
        }
        let (from, to) = self.steps.first().map_or(("", ""), |step| (&*step.from, &*step.edge.to));
        write!(
            formatter,
            "\ngive one of them a way out: let `%bcond bootstrap 0` leave out a need of its spec and write \
             `bootstrap = [\"{from}\"]` into the `[stage]`, or add {to} to a seed"
        )
    }
}

/// The needs among source packages that can be used, as a graph whose nodes are numbered by name.
type Needs<'g> = DiGraph<&'g str, &'g Arc<Edge>>;

fn needs_of(graph: &BuildGraph, with_deferred: bool) -> Needs<'_> {
    let names: Vec<&str> = graph.nodes.keys().map(|name| &**name).collect();
    let places: HashMap<&str, NodeIndex> =
        names.iter().enumerate().map(|(i, name)| (*name, NodeIndex::new(i))).collect();
    let mut needs = DiGraph::new();
    names.iter().for_each(|name| {
        needs.add_node(*name);
    });
    for (name, node) in &graph.nodes {
        let deferred = node.deferred.iter().filter(|_| with_deferred).map(|deferred| &deferred.edge);
        for edge in node.needs.iter().chain(deferred) {
            if let (Some(from), Some(to)) = (places.get(&**name), places.get(&*edge.to)) {
                needs.add_edge(*from, *to, edge);
            }
        }
    }
    needs
}

/// Every group of source packages that need each other, sorted, in the order of their first members.
fn groups(needs: &Needs<'_>) -> Vec<Vec<NodeIndex>> {
    let groups = tarjan_scc(needs).into_iter().filter(|group| group.len() > 1);
    let mut groups: Vec<_> = groups
        .map(|mut group| {
            group.sort();
            group
        })
        .collect();
    groups.sort();
    groups
}

/// A group with its shortest cycle, and what opens it.
fn describe(needs: &Needs<'_>, group: &[NodeIndex], (opening, is_least): (Vec<EdgeIndex>, bool)) -> Cycle {
    let steps = |edges: Vec<EdgeIndex>| edges.into_iter().filter_map(|edge| step_of(needs, edge)).collect();
    Cycle {
        steps: steps(shortest_way(needs, group, &[]).unwrap_or_default()),
        members: group.iter().map(|member| needs[*member].to_owned()).collect(),
        opening: steps(opening),
        is_least,
        is_opened: false,
        tried: Vec::new(),
    }
}

fn step_of(needs: &Needs<'_>, edge: EdgeIndex) -> Option<CycleStep> {
    let (from, _) = needs.edge_endpoints(edge)?;
    Some(CycleStep { from: needs[from].to_owned(), edge: (*needs.edge_weight(edge)?).clone() })
}

/// The shortest cycle of a sorted group without some of its needs; of several the one whose first member comes first
/// by name.
fn shortest_way(needs: &Needs<'_>, group: &[NodeIndex], without: &[EdgeIndex]) -> Option<Vec<EdgeIndex>> {
    let inside: BTreeSet<NodeIndex> = group.iter().copied().collect();
    let without: BTreeSet<EdgeIndex> = without.iter().copied().collect();
    group.iter().filter_map(|start| way_back(needs, *start, &inside, &without)).min_by_key(Vec::len)
}

/// The shortest path from a node back to itself within a group.
fn way_back(
    needs: &Needs<'_>,
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

#[cfg(test)]
mod tests;
