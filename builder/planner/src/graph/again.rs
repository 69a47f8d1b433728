//! A graph that follows changes of single headers: only the build roots that a change can reach are solved again.
//!
//! A build root depends on the clauses of its spec, of the base and of the packages that its search looked at, and on
//! nothing else. So it is solved again where one of those clauses came out different, and where it has no solution:
//! the explanation speaks of everything. What is published for a build root also depends on which source packages it
//! needs, so a changed need reaches all that need its owner.
//!
//! Cycles are opened last, for the graph as a whole. What that changed is taken back before a change, and put in again
//! behind it, if neither the needs nor anything that the opening looked at came out different; else cycles are opened
//! anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rpmspec_parser::rpm::PackageMetadata;

use super::resolve::{Trace, add_own_packages, find_roots, is_ready, order, resolve_all, use_published};
use super::{Blocker, BuildGraph, Edge};
use crate::index::replace::Askers;
use crate::{Index, PackageId, Universe};

/// The build graph of a universe, ready for changes.
#[derive(Debug)]
pub struct Resolution<'u> {
    index: Index<'u>,
    askers: Askers,
    graph: BuildGraph,
    trace: Trace,
}

impl<'u> Resolution<'u> {
    /// Resolves a universe, as [`resolve`](crate::resolve) does.
    #[must_use]
    pub fn new(universe: &'u Universe) -> Self {
        let index = Index::new(universe);
        let askers = Askers::new(&index);
        let (graph, trace) = resolve_all(&index);
        Self { index, askers, graph, trace }
    }

    /// The graph.
    #[must_use]
    pub fn graph(&self) -> &BuildGraph {
        &self.graph
    }

    /// Puts another header in the place of a seed's or published one, and makes the graph what
    /// [`resolve`](crate::resolve) gives for the universe with that header. Gives the source packages whose build roots
    /// were solved again, sorted.
    ///
    /// `None` where the header has another NEVRA or source package, or where dependencies are or become too complex:
    /// then the universe must be resolved as a whole, and this resolution is of no more use.
    pub fn replace(&mut self, id: PackageId, metadata: PackageMetadata) -> Option<Vec<String>> {
        let changed = self.index.replace(id, metadata, &mut self.askers)?;
        let mut is_changed = vec![false; self.index.packages.len()];
        changed.packages.iter().for_each(|number| is_changed[*number as usize] = true);
        add_own_packages(&self.index, &mut self.graph, &changed.packages);
        self.close_cycles();
        let index = &self.index;
        let is_reached = |name: &str, place: usize| {
            let blocker = self.graph.nodes.get(name).and_then(|node| node.blocker.as_ref());
            changed.base
                || changed.specs.contains(&place)
                || matches!(blocker, Some(Blocker::Unresolvable { .. }))
                || self.trace.looked_at[place].iter().any(|number| is_changed[*number as usize])
        };
        let reached = index.sources.iter().filter(|(name, place)| is_reached(name, **place)).map(|(_, place)| *place);
        let (places, is_same) = self.follow(reached.collect());
        let mut names: BTreeSet<String> =
            places.iter().map(|place| self.index.universe.tree[*place].source.name.clone()).collect();
        let opening = &self.trace.opening;
        let of_cycles = || self.graph.cycles.iter().flat_map(|cycle| &cycle.members).chain(opening.before.keys());
        // Why there is no way out is told with all that there is.
        let is_kept = is_same
            && self.graph.cycles.iter().all(|cycle| cycle.is_opened)
            && !of_cycles().any(|name| names.contains(name))
            && !opening.looked_at.iter().any(|number| is_changed[*number as usize]);
        if is_kept {
            self.swap_opened();
        } else {
            let opening = order(&self.index, &mut self.graph);
            names.extend(opening.before.keys().cloned());
            names.extend(std::mem::replace(&mut self.trace.opening, opening).before.into_keys());
        }
        Some(names.into_iter().collect())
    }

    /// Takes back what opening the cycles changed.
    fn close_cycles(&mut self) {
        for node in self.graph.nodes.values_mut() {
            node.blocker.take_if(|blocker| matches!(blocker, Blocker::Cycle { .. }));
        }
        self.swap_opened();
    }

    /// Puts the members of opened groups as they were before in the place of what they are now, or the other way round.
    fn swap_opened(&mut self) {
        for (name, other) in &mut self.trace.opening.before {
            let Some(node) = self.graph.nodes.get_mut(name) else { continue };
            std::mem::swap(&mut node.needs, &mut other.needs);
            std::mem::swap(&mut node.build_root, &mut other.build_root);
            std::mem::swap(&mut node.deferred, &mut other.deferred);
            std::mem::swap(&mut node.exact, &mut other.exact);
        }
    }

    /// Solves build roots again, and what is published for those that their needs reach, without regard to cycles.
    /// Gives all of them, and whether the needs stayed the same.
    fn follow(&mut self, mut places: BTreeSet<usize>) -> (BTreeSet<usize>, bool) {
        // At first as if nothing were published, as the whole resolution begins.
        let before = self.needs_of(&places);
        let after = self.promise();
        let was = self.needs_of(&places);
        self.solve(&places);
        let now = self.needs_of(&places);
        let differ =
            now.iter().filter(|(place, needs)| targets(needs) != targets(&was[place])).map(|(place, _)| *place);
        let more: BTreeSet<usize> = self.dependents(differ).difference(&places).copied().collect();
        self.solve(&more);
        places.extend(&more);
        let ready = places.iter().copied().filter(|place| is_ready(&self.index, &self.graph, *place)).collect();
        let found = use_published(&self.index, &mut self.graph, ready);
        for (place, needs) in after.into_iter().filter(|(place, _)| !places.contains(place)) {
            let name = &self.index.universe.tree[place].source.name;
            if let Some(node) = self.graph.nodes.get_mut(name) {
                self.trace.promised.insert(place, std::mem::replace(&mut node.needs, needs));
            }
        }
        self.trace.add(found);
        let is_same = more.is_empty() && before == self.needs_of(&places);
        (places, is_same)
    }

    /// Gives every source package the needs that its spec promises; returns the others.
    fn promise(&mut self) -> BTreeMap<usize, Vec<Arc<Edge>>> {
        let mut published = BTreeMap::new();
        for (place, needs) in std::mem::take(&mut self.trace.promised) {
            let name = &self.index.universe.tree[place].source.name;
            if let Some(node) = self.graph.nodes.get_mut(name) {
                published.insert(place, std::mem::replace(&mut node.needs, needs));
            }
        }
        published
    }

    fn solve(&mut self, places: &BTreeSet<usize>) {
        let places: Vec<usize> = places.iter().copied().collect();
        find_roots(&self.index, &mut self.graph, &places, &mut self.trace.looked_at);
    }

    fn needs_of(&self, places: &BTreeSet<usize>) -> BTreeMap<usize, Vec<Arc<Edge>>> {
        let needs = |place: &usize| {
            let node = self.graph.nodes.get(&self.index.universe.tree[*place].source.name);
            (*place, node.map(|node| node.needs.clone()).unwrap_or_default())
        };
        places.iter().map(needs).collect()
    }

    /// What needs some source packages, directly or not.
    fn dependents(&self, places: impl Iterator<Item = usize>) -> BTreeSet<usize> {
        let name = |place: usize| &*self.index.universe.tree[place].source.name;
        let mut open: Vec<&str> = places.map(name).collect();
        let mut found = BTreeSet::new();
        if open.is_empty() {
            return found;
        }
        let mut needed_by: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, node) in &self.graph.nodes {
            node.needs.iter().for_each(|edge| needed_by.entry(&*edge.to).or_default().push(name));
        }
        while let Some(name) = open.pop() {
            for dependent in needed_by.get(name).into_iter().flatten() {
                if self.index.sources.get(dependent).is_some_and(|place| found.insert(*place)) {
                    open.push(dependent);
                }
            }
        }
        found
    }
}

fn targets(needs: &[Arc<Edge>]) -> Vec<&str> {
    needs.iter().map(|edge| &*edge.to).collect()
}

#[cfg(test)]
mod tests;
