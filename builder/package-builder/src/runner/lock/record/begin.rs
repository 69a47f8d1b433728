//! How the cycles of a tree begin where nothing of them is published: found out by resolving as if that were so.

use std::collections::{BTreeMap, BTreeSet};

use planner::{BuildNode, Universe, WayOut};
use repository::Generation;

use super::super::{LockedBase, LockedCycle, LockedStart, LockedVariant};
use super::{Published, replaced, root};
use crate::runner::Planning;

/// Every source package that is in a cycle, and how it begins. What a lock that decides says of it stays.
pub(super) fn cycles(
    planning: &Planning,
    published: &Published<'_>,
    base: &LockedBase,
) -> BTreeMap<String, LockedCycle> {
    if let Some(locked) = &planning.locked {
        let packages = locked.lock.packages.iter();
        return packages.filter_map(|(name, package)| Some((name.clone(), package.cycle.clone()?))).collect();
    }
    let cycles = || planning.graph.cycles.iter().filter(|cycle| cycle.is_opened);
    let members: BTreeSet<&str> = cycles().flat_map(|cycle| &cycle.members).map(String::as_str).collect();
    if members.is_empty() {
        return BTreeMap::new();
    }
    let graph = planner::resolve(&without(planning, &members));
    let part = |cycle: &planner::Cycle, name: &String| {
        let begin = graph.nodes.get(name).and_then(|node| start(planning, published, base, node));
        (name.clone(), LockedCycle { members: cycle.members.clone(), begin })
    };
    cycles().flat_map(|cycle| cycle.members.iter().map(|name| part(cycle, name)).collect::<Vec<_>>()).collect()
}

/// The universe as if some source packages had never been built.
fn without(planning: &Planning, members: &BTreeSet<&str>) -> Universe {
    let mut universe = planning.universe.clone();
    let built = planning.published.iter().flat_map(Generation::built);
    let kept = built.zip(&planning.universe.published).filter(|(rpm, _)| !members.contains(rpm.source_package()));
    universe.published = kept.map(|(_, metadata)| metadata.clone()).collect();
    universe.take_variants(&BTreeSet::new());
    universe
}

/// How a package is built before what it needs, where it is.
fn start(planning: &Planning, published: &Published<'_>, base: &LockedBase, node: &BuildNode) -> Option<LockedStart> {
    let is_new = |way_out: &WayOut| !matches!(way_out, WayOut::Published { .. });
    if node.blocker.is_some() || node.deferred.is_empty() || !node.deferred.iter().all(|it| is_new(&it.way_out)) {
        return None;
    }
    let variant = match node.is_variant() {
        true => planning
            .forms(&node.name)
            .1
            .map(|form| LockedVariant { spec_sha256: form.spec_sha256, sources: form.sources }),
        false => None,
    };
    Some(LockedStart {
        deferred: node.deferred.iter().map(|it| (it.edge.to.clone(), it.way_out.clone())).collect(),
        variant,
        replaced: replaced(base, node),
        root: root(planning, published, node, &BTreeMap::new())?,
    })
}
