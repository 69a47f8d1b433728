//! Build roots that a lock decides: nothing in them is solved.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rpmspec_parser::rpm::{Dependency, Nevra};

use super::{Asker, Blocker, BuildGraph, Edge, Member, Reason};
use crate::cycle::block_cycles;
use crate::{Deferred, PackageId, Universe, WayOut};

/// A package that a lock wants in a build root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedMember {
    /// Where its header is; `None` while it is to be built.
    pub id: Option<PackageId>,
    /// The source package of the tree it is built from; `None` for a seed's package.
    pub source: Option<String>,
}

/// Replaces the build roots of source packages by those of a lock, and what they need by the source packages that
/// these come from: the order of builds is the lock's as well. Source packages without an entry stay as they are.
///
/// A member that is to be built is an edge only, so the root is not `exact`. What could not be solved is no longer
/// blocked; what the lock makes need itself is, as a cycle, unless what closes the cycle is there already.
pub fn lock_roots(universe: &Universe, graph: &mut BuildGraph, roots: &BTreeMap<String, Vec<LockedMember>>) {
    let packages: BTreeMap<String, Nevra> =
        graph.nodes.values().filter_map(|node| Some((node.name.clone(), node.packages.first()?.clone()))).collect();
    for (name, members) in roots {
        let Some(node) = graph.nodes.get_mut(name) else { continue };
        node.blocker.take_if(|blocker| matches!(blocker, Blocker::Unresolvable { .. } | Blocker::Cycle { .. }));
        node.exact = members.iter().all(|member| member.id.is_some());
        node.deferred.clear();
        node.build_root = members.iter().filter_map(|member| member_of(universe, member)).map(Arc::new).collect();
        node.build_root.sort_by(|left, right| left.nevra.cmp(&right.nevra));
        let sources: BTreeSet<&String> = members.iter().filter_map(|member| member.source.as_ref()).collect();
        let edge = |source: &String| {
            let package = packages.get(source)?.clone();
            let reasons = vec![Arc::new(reason(&package.name))];
            Some(Arc::new(Edge { to: source.clone(), package: Arc::new(package), reasons }))
        };
        node.needs = sources.into_iter().filter_map(edge).collect();
    }
    block_cycles(graph);
    defer_what_is_there(graph, roots);
}

/// Takes needs out of cycles whose members are all there: what a root holds already is not waited for.
fn defer_what_is_there(graph: &mut BuildGraph, roots: &BTreeMap<String, Vec<LockedMember>>) {
    let mut has_changed = false;
    for cycle in std::mem::take(&mut graph.cycles) {
        for name in &cycle.members {
            let (Some(node), Some(root)) = (graph.nodes.get_mut(name), roots.get(name)) else { continue };
            let is_there = |edge: &Arc<Edge>| {
                let mut members = root.iter().filter(|member| member.source.as_ref() == Some(&edge.to));
                cycle.members.contains(&edge.to) && members.all(|member| member.id.is_some())
            };
            let (there, needs) = std::mem::take(&mut node.needs).into_iter().partition(is_there);
            node.needs = needs;
            let there: Vec<Arc<Edge>> = there;
            node.deferred = there
                .into_iter()
                .map(|edge| Deferred { way_out: WayOut::Published { package: (*edge.package).clone() }, edge })
                .collect();
            has_changed |= !node.deferred.is_empty();
        }
        graph.cycles.push(cycle);
    }
    if has_changed {
        block_cycles(graph);
    }
}

fn member_of(universe: &Universe, member: &LockedMember) -> Option<Member> {
    let id = member.id?;
    let (nevra, seed) = match id {
        PackageId::Seed(place) => {
            universe.seeds.get(place).map(|seed| (&seed.metadata.nevra, Some(seed.seed.clone())))?
        }
        PackageId::Published(place) => (&universe.published.get(place)?.nevra, None),
        PackageId::Predicted { .. } => return None,
    };
    Some(Member { id, nevra: nevra.clone(), source: member.source.clone(), seed, reason: reason(&nevra.name) })
}

fn reason(name: &str) -> Reason {
    Reason { asker: Asker::Lock, dependency: Dependency::any(name), place: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve;
    use crate::testing::{header, seed, spec, universe};

    #[test]
    fn a_lock_decides_roots_and_order_whatever_would_be_solved() {
        let tree = vec![spec("app", &["BuildRequires: lib"]), spec("lib", &[]), spec("lost", &["BuildRequires: no"])];
        let universe = universe(tree, vec![seed("tool", &[])]);
        let place = universe.seeds.iter().position(|seed| seed.metadata.nevra.name == "tool").map(PackageId::Seed);
        let tool = LockedMember { id: place, source: None };
        let of = |source: &str| LockedMember { id: None, source: Some(source.to_owned()) };
        let mut graph = resolve(&universe);
        let lib = graph.nodes["lib"].clone();
        let roots = [("app", vec![tool.clone()]), ("lost", vec![tool, of("app")])];
        let roots = roots.map(|(name, root)| (name.to_owned(), root)).into();
        lock_roots(&universe, &mut graph, &roots);
        let (app, lost) = (&graph.nodes["app"], &graph.nodes["lost"]);
        assert!(app.exact && app.needs.is_empty(), "{app:?}");
        assert_eq!(app.build_root[0].reason.to_string(), "the lock has `tool`");
        assert!(lost.blocker.is_none() && !lost.exact && lost.needs[0].to == "app", "{lost:?}");
        assert_eq!(graph.nodes["lib"], lib, "nothing is said of it");
        // What need each other are no cycle where both are there, as after a bootstrap.
        let mut published = universe.clone();
        published.published = ["app", "lib"].map(|name| header(&format!("{name} 1-1"), &[])).to_vec();
        let there = |place: usize, source: &str| LockedMember {
            id: Some(PackageId::Published(place)),
            source: Some(source.to_owned()),
        };
        let both = |lib: LockedMember| {
            [("app", vec![lib]), ("lib", vec![there(0, "app")])].map(|(name, root)| (name.to_owned(), root)).into()
        };
        lock_roots(&published, &mut graph, &both(there(1, "lib")));
        assert!(graph.cycles.is_empty() && graph.nodes["app"].blocker.is_none(), "{:?}", graph.nodes["app"]);
        assert_eq!(graph.nodes["app"].deferred_sources(), ["lib".to_owned()].into());
        // Where one is to be built, it is built with the other.
        lock_roots(&published, &mut graph, &both(of("lib")));
        assert!(graph.cycles.is_empty() && graph.nodes["lib"].needs.is_empty(), "{:?}", graph.nodes["lib"]);
        assert_eq!(graph.nodes["app"].needs[0].to, "lib");
        // A lock by hand can want what cannot be.
        lock_roots(&universe, &mut graph, &BTreeMap::from([("app".to_owned(), vec![of("lost")])]));
        assert!(matches!(graph.nodes["app"].blocker, Some(Blocker::Cycle { .. })));
    }
}
