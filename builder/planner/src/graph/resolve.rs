//! From a universe to the build graph.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::members::{Members, Shared};
use super::{Asker, Blocker, BuildGraph, BuildNode, Edge, Member, Reason};
use crate::cycle::open_cycles;
use crate::index::{Package, StatementKind};
use crate::solve::{Deferring, Stock, Whose, required_place, solve_source, usable};
use crate::{Explanation, Index, PackageId, TreePackage, Universe};

/// Finds the build root of every source package of the tree and what must be built before what.
///
/// The rule: needs that the tree states are met by the tree when it can, needs that a seed's package or the base
/// states are met by seeds first; the [`index`](crate::index) documents the order in full. A package is never
/// built with its own output: what its own RPMs would offer comes from seeds. A package of the tree takes the
/// place of a seed's package of the same name.
///
/// Edges come from what specs promise, so they are the same before and after a build. Build roots come from the
/// published headers where all that is needed is published, and then are exactly what a build would get. Where
/// the promises were wrong (a pattern of `%files` did not bring what was hoped for), the published headers decide
/// and add edges. What is blocked never keeps another package from being resolved.
///
/// Packages that need each other are ordered by leaving out the fewest edges for which there is a way out
/// ([`cycle`](crate::cycle)); the rest of their build roots is resolved as ever.
#[must_use]
pub fn resolve(universe: &Universe) -> BuildGraph {
    resolve_index(&Index::new(universe))
}

/// Like [`resolve`], for an index that exists already.
#[must_use]
pub fn resolve_index(index: &Index<'_>) -> BuildGraph {
    let mut graph = BuildGraph { arch: index.universe.arch.clone(), ..BuildGraph::default() };
    let all_usable = usable(index, None, Stock::Predicted);
    for tree in &index.universe.tree {
        graph.nodes.entry(tree.source.name.clone()).or_insert_with(|| empty_node(tree));
    }
    for number in 0..index.packages.len() {
        add_own_package(index, &mut graph, number, &all_usable);
    }
    for (name, blocker) in &index.blocked {
        if let Some(node) = graph.nodes.get_mut(*name) {
            node.blocker = Some(blocker.clone());
        }
    }
    // Every build root is a question of its own.
    let sources: Vec<usize> = index.sources.values().copied().collect();
    let root = |shared: &mut Shared, place: &usize| root(index, *place, &all_usable, shared);
    let roots: Vec<_> = sources.par_iter().map_init(Shared::default, root).collect();
    for (place, root) in sources.into_iter().zip(roots) {
        let Some(node) = graph.nodes.get_mut(&index.universe.tree[place].source.name) else { continue };
        match root {
            Ok((needs, build_root)) => (node.needs, node.build_root) = (needs, build_root),
            Err(explanation) => node.blocker = Some(Blocker::Unresolvable { explanation }),
        }
    }
    settle(index, &mut graph, None);
    graph
}

/// Resolves one source package of a graph anew, after [`TreePackage::generated`] has changed in the universe. All
/// others stay as they are, but for those that the new needs close a cycle with.
pub fn resolve_again(index: &Index<'_>, graph: &mut BuildGraph, name: &str) {
    if !index.sources.contains_key(name) || !graph.nodes.contains_key(name) {
        return;
    }
    // How cycles are opened is decided anew.
    let deferring = graph.nodes.values().filter(|node| !node.deferred.is_empty()).map(|node| node.name.clone());
    let mut changed: BTreeSet<String> = deferring.collect();
    changed.insert(name.to_owned());
    let usable = usable(index, None, Stock::Predicted);
    for name in &changed {
        let (Some(place), Some(node)) = (index.sources.get(&**name), graph.nodes.get_mut(name)) else { continue };
        (node.blocker, node.exact) = (None, false);
        node.deferred.clear();
        (node.needs, node.build_root) = (Vec::new(), Vec::new());
        match root(index, *place, &usable, &mut Shared::default()) {
            Ok((needs, build_root)) => (node.needs, node.build_root) = (needs, build_root),
            Err(explanation) => node.blocker = Some(Blocker::Unresolvable { explanation }),
        }
    }
    settle(index, graph, Some(changed));
}

/// Uses what is published, and opens the cycles; what either adds is taken up by the other.
fn settle(index: &Index<'_>, graph: &mut BuildGraph, mut changed: Option<BTreeSet<String>>) {
    loop {
        use_published(index, graph, changed.as_ref());
        let opened = open_cycles(index, graph);
        if opened.is_empty() {
            return;
        }
        changed = Some(opened);
    }
}

/// What is to be built before a source package, and its build root, from promises.
fn root(
    index: &Index<'_>,
    place: usize,
    usable: &[bool],
    shared: &mut Shared,
) -> Result<(Vec<Edge>, Vec<Arc<Member>>), Explanation> {
    let whose = Whose::stands(place);
    let members = solve_source(index, whose, Stock::Predicted, usable)?;
    let members = Members::find(index, whose, &members);
    Ok((members.edges(), members.build_root(shared)))
}

/// The build root a job gets when it starts, from seeds and published headers only: the RPMs of the source
/// packages that the graph says it needs, whatever else is finished by now, and of those deferred what is published.
/// The index must be of a universe whose `published` has them.
///
/// # Errors
/// The published RPMs do not offer what their specs promised, or the source package is unknown or blocked.
pub fn build_root(index: &Index<'_>, graph: &BuildGraph, name: &str) -> Result<Vec<Arc<Member>>, Explanation> {
    let (Some(place), Some(node)) = (index.sources.get(name), graph.nodes.get(name)) else {
        return Err(Explanation { unmet: Vec::new() });
    };
    real_root(index, *place, node, &graph.needed_sources(name), &mut Shared::default())
}

/// A build root from what is published of what is needed.
fn real_root(
    index: &Index<'_>,
    place: usize,
    node: &BuildNode,
    needed: &BTreeSet<String>,
    shared: &mut Shared,
) -> Result<Vec<Arc<Member>>, Explanation> {
    let sources = node.deferred_sources();
    let stock = match sources.is_empty() {
        true => Stock::Published(needed),
        false => Stock::Deferring(Deferring { sources: &sources, published: true, within: Some(needed) }),
    };
    let whose = Whose { place, as_variant: node.is_variant() };
    let members = solve_source(index, whose, stock, &usable(index, None, stock))?;
    Ok(Members::find(index, whose, &members).build_root(shared))
}

fn empty_node(tree: &TreePackage) -> BuildNode {
    BuildNode {
        name: tree.source.name.clone(),
        spec: tree.spec.clone(),
        packages: Vec::new(),
        unpublished: None,
        build_root: Vec::new(),
        exact: false,
        needs: Vec::new(),
        runtime_needs: Vec::new(),
        unmet_at_run_time: Vec::new(),
        deferred: Vec::new(),
        blocker: None,
    }
}

/// Enters a predicted package into the node of its source package, with what it needs once installed.
fn add_own_package(index: &Index<'_>, graph: &mut BuildGraph, number: usize, usable: &[bool]) {
    let package = &index.packages[number];
    let PackageId::Predicted { tree, .. } = package.id else { return };
    let nevra = &package.metadata.nevra;
    let Some(node) = graph.nodes.get_mut(&index.universe.tree[tree].source.name) else { return };
    node.packages.push(nevra.clone());
    let is_it = |other: &u32| {
        let other = &index.packages[*other as usize];
        matches!(other.id, PackageId::Published(_))
            && !other.is_earlier
            && other.tree == Some(tree)
            && other.metadata.nevra == *nevra
    };
    if !index.names[package.name as usize].iter().any(is_it) && node.unpublished.is_none() {
        node.unpublished = Some(nevra.clone());
    }
    let mut edges: BTreeMap<String, Edge> = node.runtime_needs.drain(..).map(|edge| (edge.to.clone(), edge)).collect();
    for statement in package.statements.iter().filter(|statement| statement.absent.is_empty()) {
        let Some(place) = required_place(statement) else { continue };
        let reason = || reason_of(index, package, place);
        let mut providers =
            statement.present.iter().filter(|n| usable[**n as usize]).map(|n| &index.packages[*n as usize]);
        let own = providers.clone().any(|provider| provider.tree == Some(tree));
        match providers.next() {
            _ if own => {}
            Some(provider) => {
                if let Some(source) = index.source_name(provider) {
                    edges.entry(source.to_owned()).or_insert_with(|| Edge {
                        to: source.to_owned(),
                        package: provider.metadata.nevra.clone(),
                        reasons: vec![reason()],
                    });
                }
            }
            None => node.unmet_at_run_time.push(reason()),
        }
    }
    node.runtime_needs = edges.into_values().collect();
}

pub(crate) fn reason_of(index: &Index<'_>, package: &Package<'_>, place: usize) -> Reason {
    let dependency = package.metadata.requires[place].clone();
    let place = index.place_of(package, StatementKind::Requires(place));
    Reason { asker: Asker::Package(package.metadata.nevra.clone()), dependency, place }
}

/// Replaces promised build roots by real ones, where all that they need is published; all of them, or those of `only`.
fn use_published(index: &Index<'_>, graph: &mut BuildGraph, only: Option<&BTreeSet<String>>) {
    let mut ready = ready(index, graph);
    ready.retain(|(_, node)| only.is_none_or(|only| only.contains(&node.name)));
    let mixed = usable(index, None, Stock::Mixed);
    let solve_again = |shared: &mut Shared, (place, node): (usize, &BuildNode)| {
        let name = node.name.clone();
        // A build root of seeds only is real as it is.
        if node.build_root.iter().all(|member| member.source.is_none()) {
            return Some((name, None));
        }
        if let Ok(root) = real_root(index, place, node, &graph.needed_sources(&node.name), shared) {
            return Some((name, Some((root, true, None))));
        }
        if !node.deferred.is_empty() {
            return Some((name, Some((node.build_root.clone(), false, None))));
        }
        let whose = Whose::stands(place);
        let members = solve_source(index, whose, Stock::Mixed, &mixed).ok()?;
        let members = Members::find(index, whose, &members);
        Some((name, Some((members.build_root(shared), !members.has_promises(), Some(members.edges())))))
    };
    let solved: Vec<_> = ready.into_par_iter().map_init(Shared::default, solve_again).collect();
    for (name, found) in solved.into_iter().flatten() {
        let Some(node) = graph.nodes.get_mut(&name) else { continue };
        let Some((build_root, exact, needs)) = found else {
            node.exact = true;
            continue;
        };
        (node.build_root, node.exact) = (build_root, exact);
        if let Some(needs) = needs {
            node.needs = needs;
        }
    }
}

/// The source packages that are not blocked, of which everything they need, directly or not, is published.
fn ready<'g>(index: &Index<'_>, graph: &'g BuildGraph) -> Vec<(usize, &'g BuildNode)> {
    let place = |name: &str| index.sources.get(name).copied();
    let mut dependents: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, node) in &graph.nodes {
        node.needs.iter().for_each(|edge| dependents.entry(&*edge.to).or_default().push(name));
    }
    let is_published = |name: &str| place(name).is_some_and(|place| index.is_published[place]);
    let mut waiting: BTreeSet<&str> = BTreeSet::new();
    let mut open: Vec<&str> = dependents.keys().copied().filter(|name| !is_published(name)).collect();
    while let Some(name) = open.pop() {
        let new = dependents.get(name).into_iter().flatten().filter(|dependent| waiting.insert(dependent));
        open.extend(new.copied().collect::<Vec<_>>());
    }
    // A package in a ring may only wait for itself, which is no reason to wait.
    let waits = |node: &BuildNode| {
        waiting.contains(&*node.name)
            && !(node.needs.iter().all(|edge| is_published(&edge.to))
                && graph.needed_sources(&node.name).iter().all(|needed| is_published(needed)))
    };
    let ready = graph.nodes.values().filter(|node| node.blocker.is_none() && !waits(node));
    ready.filter_map(|node| Some((place(&node.name)?, node))).collect()
}
