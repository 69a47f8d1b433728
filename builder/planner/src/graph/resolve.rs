//! From a universe to the build graph.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rpmspec_parser::rpm::{Dependency, Nevra};
use rpmspec_parser::spec::Located;

use super::{Asker, Blocker, BuildGraph, BuildNode, Edge, Member, Reason};
use crate::cycle::find_cycles;
use crate::index::{Package, Statement, StatementKind};
use crate::solve::{Request, Stock, required_place, solve, usable};
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
    for (name, place) in &index.sources {
        if let Some(node) = graph.nodes.get_mut(*name) {
            resolve_node(index, *place, node);
        }
    }
    use_published(index, &mut graph, None);
    block_cycles(&mut graph);
    graph
}

/// Resolves one source package of a graph anew, after [`TreePackage::generated`] has changed in the universe. All
/// others stay as they are, but for those that the new needs close a cycle with.
pub fn resolve_again(index: &Index<'_>, graph: &mut BuildGraph, name: &str) {
    let Some(place) = index.sources.get(name) else { return };
    let Some(node) = graph.nodes.get_mut(name) else { return };
    (node.blocker, node.exact) = (None, false);
    resolve_node(index, *place, node);
    use_published(index, graph, Some(name));
    block_cycles(graph);
}

/// Solves a build root with what specs promise.
fn resolve_node(index: &Index<'_>, place: usize, node: &mut BuildNode) {
    match solve(index, request(index, place, Stock::Predicted)) {
        Ok(members) => {
            let found = members_of(index, &index.universe.tree[place], &members);
            node.needs = edges(index, &found);
            node.build_root = found.into_iter().map(|found| found.member).collect();
        }
        Err(explanation) => {
            (node.needs, node.build_root) = (Vec::new(), Vec::new());
            node.blocker = Some(Blocker::Unresolvable { explanation });
        }
    }
}

/// Finds the cycles, and blocks their members and nobody else for them.
fn block_cycles(graph: &mut BuildGraph) {
    graph.cycles = find_cycles(graph);
    for node in graph.nodes.values_mut() {
        node.blocker.take_if(|blocker| matches!(blocker, Blocker::Cycle { .. }));
    }
    for cycle in &graph.cycles {
        for name in &cycle.members {
            if let Some(node) = graph.nodes.get_mut(name) {
                node.blocker = Some(Blocker::Cycle { cycle: cycle.clone() });
            }
        }
    }
}

/// The build root a job gets when it starts, from seeds and published headers only: the RPMs of the source
/// packages that the graph says it needs, whatever else is finished by now. The index must be of a universe whose
/// `published` has them.
///
/// # Errors
/// The published RPMs do not offer what their specs promised, or the source package is unknown or blocked.
pub fn build_root(index: &Index<'_>, graph: &BuildGraph, name: &str) -> Result<Vec<Member>, Explanation> {
    let Some(place) = index.sources.get(name) else { return Err(Explanation { unmet: Vec::new() }) };
    let members = solve(index, request(index, *place, Stock::Published(&graph.needed_sources(name))))?;
    let found = members_of(index, &index.universe.tree[*place], &members);
    Ok(found.into_iter().map(|found| found.member).collect())
}

fn request<'a>(index: &Index<'a>, place: usize, stock: Stock<'a>) -> Request<'a> {
    let TreePackage { source, generated, .. } = &index.universe.tree[place];
    Request {
        needs: &source.build_requires,
        generated,
        refuses: &source.build_conflicts,
        exclude_source: Some(&source.name),
        stock,
    }
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
        matches!(other.id, PackageId::Published(_)) && other.tree == Some(tree) && other.metadata.nevra == *nevra
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

/// A member of a build root and who brought it in.
struct Found {
    member: Member,
    number: u32,
    /// How many steps from the spec it was found.
    order: usize,
    /// All reasons, from the spec's own need to the member.
    chain: Vec<Reason>,
}

/// Tells for each package of an install set why it is there, going out from the spec's needs and the base; sorted
/// as given.
fn members_of(index: &Index<'_>, tree: &TreePackage, numbers: &[u32]) -> Vec<Found> {
    let there: BTreeSet<u32> = numbers.iter().copied().collect();
    let base: Vec<_> = index.universe.base.iter().map(|value| Located::new(value.clone(), None)).collect();
    let mut found: BTreeMap<u32, (Option<u32>, Reason, usize)> = BTreeMap::new();
    let mut open = VecDeque::new();
    // The first provider in the order of preference is the one that was chosen. Second, the others that a need
    // also meets: they were chosen for a condition or by the solver's search, and still get a reason.
    for only_first in [true, false] {
        let mut visit =
            |asker: Option<u32>, statement: &Statement, reason: &dyn Fn() -> Reason, open: &mut VecDeque<u32>| {
                let is_active =
                    statement.absent.iter().all(|numbers| numbers.iter().any(|number| there.contains(number)));
                let chosen = statement.present.iter().filter(|number| is_active && there.contains(number));
                for number in chosen.take(if only_first { 1 } else { usize::MAX }) {
                    let order = found.len();
                    if let std::collections::btree_map::Entry::Vacant(entry) = found.entry(*number) {
                        entry.insert((asker, reason(), order));
                        open.push_back(*number);
                    }
                }
            };
        let lists =
            [(Asker::Spec, &*tree.source.build_requires), (Asker::Generated, &*tree.generated), (Asker::Base, &*base)];
        for (asker, needs) in lists {
            let statements = index.outer_statements(needs, &[], asker != Asker::Base).unwrap_or_default();
            for statement in &statements {
                let Some(need) = required_place(statement).and_then(|place| needs.get(place)) else { continue };
                let reason =
                    || Reason { asker: asker.clone(), dependency: need.value.clone(), place: need.place.clone() };
                visit(None, statement, &reason, &mut open);
            }
        }
        if !only_first {
            open.extend(there.iter());
        }
        while let Some(number) = open.pop_front() {
            let package = &index.packages[number as usize];
            for statement in &package.statements {
                match required_place(statement) {
                    Some(place) => visit(Some(number), statement, &|| reason_of(index, package, place), &mut open),
                    // `Conflicts: (a unless b)` brings in `b`.
                    None => {
                        let there = statement.present.iter().find(|number| there.contains(number));
                        let Some(name) = there.map(|number| &*index.packages[*number as usize].metadata.nevra.name)
                        else {
                            continue;
                        };
                        let asker = Asker::Package(package.metadata.nevra.clone());
                        let reason = || Reason { asker: asker.clone(), dependency: Dependency::any(name), place: None };
                        visit(Some(number), statement, &reason, &mut open);
                    }
                }
            }
        }
    }
    let chain = |number: u32| {
        let mut chain = Vec::new();
        let mut next = Some(number);
        while let Some((asker, reason, _)) = next.and_then(|number| found.get(&number)) {
            chain.push(reason.clone());
            next = asker.filter(|_| chain.len() <= found.len());
        }
        chain.reverse();
        chain
    };
    let member = |number: &u32| {
        let package = &index.packages[*number as usize];
        let (_, reason, order) = found.get(number)?;
        Some(Found {
            member: Member {
                id: package.id,
                nevra: package.metadata.nevra.clone(),
                source: index.source_name(package).map(ToOwned::to_owned),
                seed: package.seed.map(ToOwned::to_owned),
                reason: reason.clone(),
            },
            number: *number,
            order: *order,
            chain: if package.tree.is_some() { chain(*number) } else { Vec::new() },
        })
    };
    numbers.iter().filter_map(member).collect()
}

/// One edge a source package, by the member found first.
fn edges(index: &Index<'_>, found: &[Found]) -> Vec<Edge> {
    let mut by_source: BTreeMap<&str, &Found> = BTreeMap::new();
    for found in found {
        if let Some(source) = index.source_name(&index.packages[found.number as usize]) {
            let first = by_source.entry(source).or_insert(found);
            if found.order < first.order {
                *first = found;
            }
        }
    }
    let edge = |(source, found): (&str, &Found)| {
        let (package, reasons): (Nevra, _) = (found.member.nevra.clone(), found.chain.clone());
        Edge { to: source.to_owned(), package, reasons }
    };
    by_source.into_iter().map(edge).collect()
}

/// Replaces promised build roots by real ones, where all that they need is published; all of them, or the one of
/// `only`.
fn use_published(index: &Index<'_>, graph: &mut BuildGraph, only: Option<&str>) {
    let is_published = |name: &String| index.sources.get(&**name).is_some_and(|place| index.is_published[*place]);
    if !index.is_published.contains(&true) && index.sources.is_empty() {
        return;
    }
    let ready: Vec<(usize, String, BTreeSet<String>)> = graph
        .nodes
        .values()
        .filter(|node| node.blocker.is_none() && only.is_none_or(|only| only == node.name))
        .filter_map(|node| {
            Some((*index.sources.get(&*node.name)?, node.name.clone(), graph.needed_sources(&node.name)))
        })
        .filter(|(_, _, needed)| needed.iter().all(is_published))
        .collect();
    for (place, name, needed) in ready {
        let Some(node) = graph.nodes.get_mut(&name) else { continue };
        let tree = &index.universe.tree[place];
        // A build root of seeds only is real as it is.
        if node.build_root.iter().all(|member| member.source.is_none()) {
            node.exact = true;
        } else if let Ok(members) = solve(index, request(index, place, Stock::Published(&needed))) {
            node.build_root = members_of(index, tree, &members).into_iter().map(|found| found.member).collect();
            node.exact = true;
        } else if let Ok(members) = solve(index, request(index, place, Stock::Mixed)) {
            let found = members_of(index, tree, &members);
            node.needs = edges(index, &found);
            node.exact = found.iter().all(|found| !matches!(found.member.id, PackageId::Predicted { .. }));
            node.build_root = found.into_iter().map(|found| found.member).collect();
        }
    }
}
