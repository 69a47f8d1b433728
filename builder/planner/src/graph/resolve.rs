//! From a universe to the build graph.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rayon::prelude::*;

use super::members::{Members, Shared};
use super::{Asker, Blocker, BuildGraph, BuildNode, Edge, Member, Reason};
use crate::cycle::{Opening, open_cycles};
use crate::index::{Package, StatementKind};
use crate::solve::search::Room;
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
    resolve_all(index).0
}

/// What resolving a universe went by, for later changes.
#[derive(Debug)]
pub(super) struct Trace {
    /// What the search of each source package's build root looked at, by place in the tree.
    pub(super) looked_at: Vec<Vec<u32>>,
    /// The needs that specs promise, by place in the tree, where published headers decided otherwise.
    pub(super) promised: BTreeMap<usize, Vec<Arc<Edge>>>,
    /// What opening the cycles changed.
    pub(super) opening: Opening,
}

/// The graph, and what it went by.
pub(super) fn resolve_all(index: &Index<'_>) -> (BuildGraph, Trace) {
    let mut graph = BuildGraph { arch: index.universe.arch.clone(), ..BuildGraph::default() };
    let all_usable = usable(index, None, Stock::Predicted);
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, tree) in index.universe.tree.iter().enumerate() {
        by_name.entry(&tree.source.name).or_default().push(place);
    }
    let node = |places: &Vec<usize>| {
        let mut node = empty_node(&index.universe.tree[places[0]]);
        for number in places.iter().flat_map(|place| &index.of_tree[*place]) {
            add_own_package(index, &mut node, *number, &all_usable);
        }
        node
    };
    let nodes: Vec<BuildNode> = by_name.into_values().collect::<Vec<_>>().par_iter().map(node).collect();
    graph.nodes = nodes.into_iter().map(|node| (node.name.clone(), node)).collect();
    for (name, blocker) in &index.blocked {
        if let Some(node) = graph.nodes.get_mut(*name) {
            node.blocker = Some(blocker.clone());
        }
    }
    let places: Vec<usize> = index.sources.values().copied().collect();
    let looked_at = vec![Vec::new(); index.universe.tree.len()];
    let mut trace = Trace { looked_at, promised: BTreeMap::new(), opening: Opening::default() };
    find_roots(index, &mut graph, &places, &mut trace.looked_at);
    let ready = ready(index, &graph);
    trace.add(use_published(index, &mut graph, ready));
    trace.opening = order(index, &mut graph);
    (graph, trace)
}

impl Trace {
    /// Adds what build roots from published headers went by.
    pub(super) fn add(&mut self, found: Vec<Found>) {
        for Found { place, looked_at, promised } in found {
            self.looked_at[place].extend(looked_at);
            self.promised.extend(promised.map(|needs| (place, needs)));
        }
    }
}

/// Solves build roots from promises. Every build root is a question of its own.
pub(super) fn find_roots(index: &Index<'_>, graph: &mut BuildGraph, places: &[usize], looked_at: &mut [Vec<u32>]) {
    let usable = usable(index, None, Stock::Predicted);
    let root = |(shared, room): &mut (Shared, Room), place: &usize| {
        let root = root(index, *place, &usable, shared, room);
        (root, room.looked_at.drain(..).collect())
    };
    let roots: Vec<(_, Vec<u32>)> = places.par_iter().map_init(Default::default, root).collect();
    for (place, (root, looked)) in places.iter().zip(roots) {
        looked_at[*place] = looked;
        let Some(node) = graph.nodes.get_mut(&index.universe.tree[*place].source.name) else { continue };
        (node.needs, node.build_root, node.deferred) = (Vec::new(), Vec::new(), Vec::new());
        (node.exact, node.blocker) = (false, None);
        match root {
            Ok((needs, build_root)) => (node.needs, node.build_root) = (needs, build_root),
            Err(explanation) => node.blocker = Some(Blocker::Unresolvable { explanation }),
        }
    }
}

/// Resolves one source package of a graph anew, after [`TreePackage::generated`] has changed in the universe. All
/// others stay as they are, but for those that the new needs close a cycle with.
pub fn resolve_again(index: &Index<'_>, graph: &mut BuildGraph, name: &str) {
    if !index.sources.contains_key(name) || !graph.nodes.contains_key(name) {
        return;
    }
    // How cycles are opened is decided anew.
    let deferring = graph.nodes.values().filter(|node| !node.deferred.is_empty()).map(|node| &*node.name);
    let changed: BTreeSet<&str> = deferring.chain([name]).collect();
    let places: Vec<usize> = changed.iter().filter_map(|name| index.sources.get(name).copied()).collect();
    let mut looked_at = vec![Vec::new(); index.universe.tree.len()];
    find_roots(index, graph, &places, &mut looked_at);
    let mut ready = ready(index, graph);
    ready.retain(|place| places.contains(place));
    use_published(index, graph, ready);
    order(index, graph);
}

/// Opens the cycles, and uses what is published for what that changed, which may close others.
pub(super) fn order(index: &Index<'_>, graph: &mut BuildGraph) -> Opening {
    let mut opening = Opening::default();
    loop {
        let opened = open_cycles(index, graph, &mut opening);
        if opened.is_empty() {
            return opening;
        }
        let mut ready = ready(index, graph);
        ready.retain(|place| opened.contains(&index.universe.tree[*place].source.name));
        let found = use_published(index, graph, ready);
        opening.looked_at.extend(found.into_iter().flat_map(|found| found.looked_at));
    }
}

/// What is to be built before a source package, and its build root.
type Root = (Vec<Arc<Edge>>, Vec<Arc<Member>>);

/// What is to be built before a source package, and its build root, from promises.
fn root(
    index: &Index<'_>,
    place: usize,
    usable: &[bool],
    shared: &mut Shared,
    room: &mut Room,
) -> Result<Root, Explanation> {
    let whose = Whose::stands(place);
    let members = solve_source(index, whose, Stock::Predicted, usable, room)?;
    let members = Members::find(index, whose, &members);
    Ok((members.edges(shared), members.build_root(shared)))
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
    real_root(index, *place, node, &graph.needed_sources(name), &mut Shared::default(), &mut Room::default())
}

/// A build root from what is published of what is needed.
fn real_root(
    index: &Index<'_>,
    place: usize,
    node: &BuildNode,
    needed: &BTreeSet<String>,
    shared: &mut Shared,
    room: &mut Room,
) -> Result<Vec<Arc<Member>>, Explanation> {
    let sources = node.deferred_sources();
    let stock = match sources.is_empty() {
        true => Stock::Published(needed),
        false => Stock::Deferring(Deferring { sources: &sources, published: true, within: Some(needed) }),
    };
    let whose = Whose { place, as_variant: node.is_variant() };
    let members = solve_source(index, whose, stock, &usable(index, None, stock), room)?;
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

/// Enters the packages of source packages anew, some of whose predicted packages have other clauses now.
pub(super) fn add_own_packages(index: &Index<'_>, graph: &mut BuildGraph, changed: &BTreeSet<u32>) {
    let places = changed.iter().filter_map(|number| match index.packages[*number as usize].id {
        PackageId::Predicted { tree, .. } => Some(tree),
        _ => None,
    });
    let places: BTreeSet<usize> = places.collect();
    if places.is_empty() {
        return;
    }
    let usable = usable(index, None, Stock::Predicted);
    for place in places {
        let Some(node) = graph.nodes.get_mut(&index.universe.tree[place].source.name) else { continue };
        (node.packages, node.unpublished) = (Vec::new(), None);
        (node.runtime_needs, node.unmet_at_run_time) = (Vec::new(), Vec::new());
        // Specs of one name share a node.
        let name = &node.name;
        let of_name = index.universe.tree.iter().zip(&index.of_tree).filter(|(tree, _)| tree.source.name == *name);
        let numbers: Vec<u32> = of_name.flat_map(|(_, numbers)| numbers).copied().collect();
        for number in numbers {
            add_own_package(index, node, number, &usable);
        }
    }
}

/// Enters a predicted package into the node of its source package, with what it needs once installed.
fn add_own_package(index: &Index<'_>, node: &mut BuildNode, number: u32, usable: &[bool]) {
    let package = &index.packages[number as usize];
    let PackageId::Predicted { tree, .. } = package.id else { return };
    let nevra = &package.metadata.nevra;
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
    let mut edges: BTreeMap<String, Arc<Edge>> =
        node.runtime_needs.drain(..).map(|edge| (edge.to.clone(), edge)).collect();
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
                    edges.entry(source.to_owned()).or_insert_with(|| {
                        let package = Arc::new(provider.metadata.nevra.clone());
                        Arc::new(Edge { to: source.to_owned(), package, reasons: vec![Arc::new(reason())] })
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

/// A build root from published headers.
pub(super) struct Found {
    pub(super) place: usize,
    /// What its searches looked at.
    pub(super) looked_at: Vec<u32>,
    /// The needs that its spec promised, where they were replaced.
    pub(super) promised: Option<Vec<Arc<Edge>>>,
}

/// Replaces promised build roots by real ones, of source packages where all that they need is published.
pub(super) fn use_published(index: &Index<'_>, graph: &mut BuildGraph, ready: Vec<usize>) -> Vec<Found> {
    let mixed = usable(index, None, Stock::Mixed);
    let solve_again = |(shared, room): &mut (Shared, Room), place: usize| {
        let node = graph.nodes.get(&index.universe.tree[place].source.name)?;
        // A build root of seeds only is real as it is.
        if node.build_root.iter().all(|member| member.source.is_none()) {
            return Some((place, None, Vec::new()));
        }
        let root = real_root(index, place, node, &graph.needed_sources(&node.name), shared, room);
        let mut looked: Vec<u32> = room.looked_at.drain(..).collect();
        if let Ok(root) = root {
            return Some((place, Some((root, true, None)), looked));
        }
        if !node.deferred.is_empty() {
            return Some((place, Some((node.build_root.clone(), false, None)), looked));
        }
        // Why there was none may depend on everything, but every package of the index is offered now as well.
        looked.extend(0..u32::try_from(index.packages.len()).unwrap_or(u32::MAX));
        let whose = Whose::stands(place);
        let mixed = solve_source(index, whose, Stock::Mixed, &mixed, room);
        room.looked_at.clear();
        let Ok(members) = mixed else {
            return Some((place, Some((node.build_root.clone(), false, None)), looked));
        };
        let members = Members::find(index, whose, &members);
        let found = (members.build_root(shared), !members.has_promises(), Some(members.edges(shared)));
        Some((place, Some(found), looked))
    };
    let solved: Vec<_> = ready.into_par_iter().map_init(Default::default, solve_again).collect();
    let mut all = Vec::new();
    for (place, found, looked_at) in solved.into_iter().flatten() {
        let Some(node) = graph.nodes.get_mut(&index.universe.tree[place].source.name) else { continue };
        let Some((build_root, exact, needs)) = found else {
            node.exact = true;
            continue;
        };
        (node.build_root, node.exact) = (build_root, exact);
        let promised = needs.map(|needs| std::mem::replace(&mut node.needs, needs));
        all.push(Found { place, looked_at, promised });
    }
    all
}

/// Whether a source package is not blocked and everything it needs, directly or not, is published.
pub(super) fn is_ready(index: &Index<'_>, graph: &BuildGraph, place: usize) -> bool {
    let is_published = |name: &str| index.sources.get(name).is_some_and(|place| index.is_published[*place]);
    let node = graph.nodes.get(&index.universe.tree[place].source.name);
    node.is_some_and(|node| {
        matches!(node.blocker, None | Some(Blocker::Cycle { .. }))
            && node.needs.iter().all(|edge| edge.to == node.name || is_published(&edge.to))
            && graph.needed_sources(&node.name).iter().all(|needed| is_published(needed))
    })
}

/// The source packages that are not blocked, of which everything they need, directly or not, is published.
fn ready(index: &Index<'_>, graph: &BuildGraph) -> Vec<usize> {
    let places: HashMap<&str, usize> = index.sources.iter().map(|(name, place)| (*name, *place)).collect();
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); index.universe.tree.len()];
    let mut waiting = vec![false; index.universe.tree.len()];
    let mut open: Vec<usize> = Vec::new();
    for (name, place) in &index.sources {
        for edge in graph.nodes.get(*name).into_iter().flat_map(|node| &node.needs) {
            match places.get(&*edge.to) {
                Some(needed) => dependents[*needed].push(*place),
                // What is blocked is never built.
                None => open.push(*place),
            }
        }
    }
    open.retain(|place| !std::mem::replace(&mut waiting[*place], true));
    open.extend((0..index.is_published.len()).filter(|place| !index.is_published[*place]));
    while let Some(place) = open.pop() {
        for dependent in &dependents[place] {
            if !std::mem::replace(&mut waiting[*dependent], true) {
                open.push(*dependent);
            }
        }
    }
    // A package in a ring may only wait for itself, which is no reason to wait.
    let blocked = |name: &str| graph.nodes.get(name).is_none_or(|node| node.blocker.is_some());
    let is_ready =
        |(name, place): &(&&str, &usize)| !blocked(name) && (!waiting[**place] || is_ready(index, graph, **place));
    index.sources.iter().filter(is_ready).map(|(_, place)| *place).collect()
}
