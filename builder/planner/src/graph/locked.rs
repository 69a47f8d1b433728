//! Build roots that a lock decides: nothing in them is solved.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rpmspec_parser::rpm::{Dependency, Nevra};

use super::{Asker, Blocker, BuildGraph, Edge, Member, Reason};
use crate::cycle::{add_opened_cycles, block_cycles};
use crate::{Deferred, PackageId, Universe, WayOut};

/// A package that a lock wants in a build root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedMember {
    /// Where its header is; `None` while it is to be built.
    pub id: Option<PackageId>,
    /// The source package of the tree it is built from; `None` for a seed's package.
    pub source: Option<String>,
}

/// The build root that a lock wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockedRoot {
    /// What it holds.
    pub members: Vec<LockedMember>,
    /// What it holds while something that it needs of its own cycle is still to be built, if that is how the cycle
    /// begins.
    pub begin: Option<LockedBegin>,
}

/// The build root that a package begins a cycle with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockedBegin {
    /// What it holds.
    pub members: Vec<LockedMember>,
    /// The source packages that are built after it, and what is done until then.
    pub deferred: BTreeMap<String, WayOut>,
}

/// Replaces the build roots of source packages by those of a lock, and what they need by the source packages that
/// these come from: the order of builds is the lock's as well. Source packages without an entry stay as they are.
///
/// A member that is to be built is an edge only, so the root is not `exact`. What could not be solved is no longer
/// blocked; what the lock makes need itself is, as a cycle, unless what closes the cycle is there already or the lock
/// says how it begins.
pub fn lock_roots(universe: &Universe, graph: &mut BuildGraph, roots: &BTreeMap<String, LockedRoot>) {
    let packages: BTreeMap<String, Arc<Nevra>> = graph
        .nodes
        .values()
        .filter_map(|node| Some((node.name.clone(), Arc::new(node.packages.first()?.clone()))))
        .collect();
    let edge = |source: &String| {
        let package = packages.get(source)?;
        let reasons = vec![Arc::new(reason(&package.name))];
        Some(Arc::new(Edge { to: source.clone(), package: Arc::clone(package), reasons }))
    };
    for (name, root) in roots {
        let Some(node) = graph.nodes.get_mut(name) else { continue };
        node.blocker.take_if(|blocker| matches!(blocker, Blocker::Unresolvable { .. } | Blocker::Cycle { .. }));
        let deferred = root.begin.iter().flat_map(|begin| &begin.deferred);
        let begin =
            root.begin.as_ref().filter(|begin| !is_there(&root.members, |source| begin.deferred.contains_key(source)));
        let members = begin.map_or(&root.members, |begin| &begin.members);
        node.exact = members.iter().all(|member| member.id.is_some());
        node.build_root = members.iter().filter_map(|member| member_of(universe, member)).map(Arc::new).collect();
        node.build_root.sort_by(|left, right| left.nevra.cmp(&right.nevra));
        node.deferred = deferred
            .filter_map(|(source, way_out)| {
                let edge = edge(source)?;
                let published = || WayOut::Published { package: (*edge.package).clone() };
                Some(Deferred { way_out: begin.map_or_else(published, |_| way_out.clone()), edge })
            })
            .collect();
        let later = node.deferred_sources();
        let sources: BTreeSet<&String> = members
            .iter()
            .filter_map(|member| member.source.as_ref())
            .filter(|source| !later.contains(*source))
            .collect();
        node.needs = sources.into_iter().filter_map(edge).collect();
    }
    block_cycles(graph);
    defer_what_is_there(graph, roots);
    add_opened_cycles(graph);
}

/// Whether the members of some source packages are all there.
fn is_there(members: &[LockedMember], of: impl Fn(&String) -> bool) -> bool {
    let mut members = members.iter().filter(|member| member.source.as_ref().is_some_and(&of));
    members.all(|member| member.id.is_some())
}

/// Takes needs out of cycles whose members are all there: what a root holds already is not waited for.
fn defer_what_is_there(graph: &mut BuildGraph, roots: &BTreeMap<String, LockedRoot>) {
    let mut has_changed = false;
    for cycle in std::mem::take(&mut graph.cycles) {
        for name in &cycle.members {
            let (Some(node), Some(root)) = (graph.nodes.get_mut(name), roots.get(name)) else { continue };
            let is_there = |edge: &Arc<Edge>| {
                cycle.members.contains(&edge.to) && is_there(&root.members, |source| *source == edge.to)
            };
            let (there, needs) = std::mem::take(&mut node.needs).into_iter().partition(is_there);
            node.needs = needs;
            let there: Vec<Arc<Edge>> = there;
            has_changed |= !there.is_empty();
            node.deferred.extend(
                there
                    .into_iter()
                    .map(|edge| Deferred { way_out: WayOut::Published { package: (*edge.package).clone() }, edge }),
            );
            node.deferred.sort_by(|left, right| left.edge.to.cmp(&right.edge.to));
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
        let root = |members: Vec<LockedMember>| LockedRoot { members, begin: None };
        let roots = [("app", vec![tool.clone()]), ("lost", vec![tool, of("app")])];
        let roots = roots.map(|(name, members)| (name.to_owned(), root(members))).into();
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
            let roots = [("app", vec![lib]), ("lib", vec![there(0, "app")])];
            roots.map(|(name, members)| (name.to_owned(), root(members))).into()
        };
        lock_roots(&published, &mut graph, &both(there(1, "lib")));
        assert!(graph.cycles[0].is_opened && graph.nodes["app"].blocker.is_none(), "{:?}", graph.nodes["app"]);
        assert_eq!(graph.nodes["app"].deferred_sources(), ["lib".to_owned()].into());
        // Where one is to be built, it is built with the other.
        lock_roots(&published, &mut graph, &both(of("lib")));
        assert!(graph.cycles[0].is_opened && graph.nodes["lib"].needs.is_empty(), "{:?}", graph.nodes["lib"]);
        assert_eq!(graph.nodes["app"].needs[0].to, "lib");
        // A lock by hand can want what cannot be.
        lock_roots(&universe, &mut graph, &BTreeMap::from([("app".to_owned(), root(vec![of("lost")]))]));
        assert!(matches!(graph.nodes["app"].blocker, Some(Blocker::Cycle { .. })));
    }

    #[test]
    fn a_cycle_begins_as_the_lock_says_until_what_is_built_later_is_there() {
        let tree = vec![spec("app", &["BuildRequires: lib"]), spec("lib", &["BuildRequires: app"])];
        let mut universe = universe(tree, vec![seed("lib 0-1", &[])]);
        let of = |id: Option<PackageId>, source: &str| LockedMember { id, source: Some(source.to_owned()) };
        let mut graph = resolve(&universe);
        let package = universe.seeds[0].metadata.nevra.clone();
        let way_out = WayOut::Seed { package, seed: "debian".to_owned() };
        let roots = |lib: Option<PackageId>, app: Option<PackageId>| {
            let deferred = BTreeMap::from([("lib".to_owned(), way_out.clone())]);
            let begin =
                LockedBegin { members: vec![LockedMember { id: Some(PackageId::Seed(0)), source: None }], deferred };
            let first = LockedRoot { members: vec![of(lib, "lib")], begin: Some(begin) };
            let second = LockedRoot { members: vec![of(app, "app")], begin: None };
            BTreeMap::from([("app".to_owned(), first), ("lib".to_owned(), second)])
        };
        lock_roots(&universe, &mut graph, &roots(None, None));
        let (app, lib) = (&graph.nodes["app"], &graph.nodes["lib"]);
        assert!(graph.cycles[0].is_opened && app.blocker.is_none() && lib.blocker.is_none(), "{:?}", graph.cycles);
        assert!(app.exact && app.needs.is_empty() && app.deferred[0].way_out == way_out, "{app:?}");
        assert_eq!(lib.needs[0].to, "app");
        universe.published = ["app", "lib"].map(|name| header(&format!("{name} 1-1"), &[])).to_vec();
        let there = |place| Some(PackageId::Published(place));
        lock_roots(&universe, &mut graph, &roots(there(1), there(0)));
        let app = &graph.nodes["app"];
        assert!(matches!(app.deferred[0].way_out, WayOut::Published { .. }) && app.needs.is_empty(), "{app:?}");
        assert_eq!(app.build_root[0].source.as_deref(), Some("lib"));
    }
}
