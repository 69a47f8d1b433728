//! Install sets of build roots.
//!
//! Which provider is taken: first the tree's packages that the tree's own needs lead to, found by following them
//! one by one ([`lead`]); these win for every need they meet. All else follows the order of the [`index`](crate::index),
//! in the order of the [`search`]. Where that has no solution, the search goes on to the next providers.

mod analysis;
pub(crate) mod search;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rayon::prelude::*;
use rpmspec_parser::rpm::{Capability, Dependency};
use rpmspec_parser::spec::{Located, SourcePackage};

use crate::clauses::TooComplex;
use crate::explain::exclusion::{Asked, story};
use crate::explain::{explain, explain_too_complex};
use crate::index::{Statement, StatementKind};
use crate::solve::search::{Room, Search, Stated, first_provider};
use crate::{Asker, Explanation, Index, PackageId, Reason, Universe, Variant};

/// Which packages of the tree a build root may draw on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stock<'a> {
    /// What specs promise, published or not: the same before and after a build.
    Predicted,
    /// What is published of these source packages.
    Published(&'a BTreeSet<String>),
    /// What is published, and promises for the rest.
    Mixed,
    /// What opens a cycle.
    Deferring(Deferring<'a>),
}

/// The tree without what is to be built only later.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deferring<'a> {
    /// Source packages that are built later; their promises do not count.
    pub(crate) sources: &'a BTreeSet<String>,
    /// Whether what is published of them counts, of another version too.
    pub(crate) published: bool,
    /// Of the others, what is published of these; `None` for all that specs promise.
    pub(crate) within: Option<&'a BTreeSet<String>>,
}

impl Deferring<'_> {
    fn may_use(&self, package: &crate::index::Package<'_>, source: &str) -> bool {
        match (package.id, self.within) {
            (PackageId::Seed(_), _) => true,
            (id, _) if self.sources.contains(source) => self.published && matches!(id, PackageId::Published(_)),
            (PackageId::Predicted { .. }, within) => within.is_none(),
            (PackageId::Published(_), within) => within.is_some_and(|within| within.contains(source)),
        }
    }
}

/// What is asked of a build root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) needs: &'a [Located<Dependency>],
    /// What `%generate_buildrequires` asks for as well.
    pub(crate) generated: &'a [Located<Dependency>],
    pub(crate) refuses: &'a [Located<Dependency>],
    pub(crate) exclude_source: Option<&'a str>,
    pub(crate) stock: Stock<'a>,
}

/// Whose build root it is: a source package's of the tree, or that of what its spec evaluates to otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whose {
    pub(crate) place: usize,
    /// Whether its bootstrap variant is meant; that may have taken its place already.
    pub(crate) as_variant: bool,
}

impl Whose {
    /// The source package as it stands in the tree.
    pub(crate) const fn stands(place: usize) -> Self {
        Self { place, as_variant: false }
    }

    fn other(self, universe: &Universe) -> Option<&Variant> {
        let tree = &universe.tree[self.place];
        tree.other.as_deref().filter(|_| self.as_variant && !tree.is_variant)
    }

    /// What its build asks for, stated and generated.
    pub(crate) fn asks(self, universe: &Universe) -> (&SourcePackage, &[Located<Dependency>]) {
        let tree = &universe.tree[self.place];
        self.other(universe).map_or((&tree.source, &tree.generated), |other| (&other.source, &other.generated))
    }

    /// The same as clauses.
    pub(crate) fn clauses<'i>(self, index: &'i Index<'_>) -> Result<&'i [Statement], &'i TooComplex> {
        let otherwise = self.other(index.universe).and_then(|_| index.built_otherwise[self.place].as_ref());
        otherwise.unwrap_or(&index.built[self.place]).as_deref()
    }
}

/// Finds what to install, from seeds and published packages only, so that the needs and the base are met.
///
/// `exclude_source` keeps the RPMs of the source package that is to be built out of its own build root. `within`
/// names the source packages whose published RPMs may be used (see [`BuildGraph::needed_sources`]
/// (crate::BuildGraph::needed_sources)), so that the result does not depend on what else is finished by now;
/// `None` allows all. The result is sorted by name.
///
/// # Errors
/// There is no such set; the explanation says why.
pub fn install_set(
    index: &Index<'_>,
    needs: &[Located<Dependency>],
    refuses: &[Located<Dependency>],
    exclude_source: Option<&str>,
    within: Option<&BTreeSet<String>>,
) -> Result<Vec<PackageId>, Explanation> {
    let all = index.sources.keys().map(|name| (*name).to_owned()).collect();
    let stock = Stock::Published(within.unwrap_or(&all));
    let members = solve(index, Request { needs, generated: &[], refuses, exclude_source, stock })?;
    Ok(members.into_iter().map(|number| index.packages[number as usize].id).collect())
}

/// The install set of every build root from what specs promise, by source package, without the reasons that
/// [`resolve`](crate::resolve) adds. Source packages that cannot be used are left out.
#[must_use]
pub fn install_sets<'u>(index: &Index<'u>) -> BTreeMap<&'u str, Result<Vec<PackageId>, Explanation>> {
    let usable = usable(index, None, Stock::Predicted);
    let sources: Vec<(&'u str, usize)> = index.sources.iter().map(|(name, place)| (*name, *place)).collect();
    let set = |room: &mut Room, (name, place): (&'u str, usize)| {
        let members = solve_source(index, Whose::stands(place), Stock::Predicted, &usable, room);
        room.looked_at.clear();
        let id = |number: u32| index.packages[number as usize].id;
        (name, members.map(|members| members.into_iter().map(id).collect()))
    };
    sources.into_par_iter().map_init(Room::default, set).collect::<Vec<_>>().into_iter().collect()
}

/// Like [`install_set`], for any stock; gives the packages' numbers, sorted by name.
pub(crate) fn solve(index: &Index<'_>, request: Request<'_>) -> Result<Vec<u32>, Explanation> {
    let needs = [request.needs, request.generated].concat();
    let spec = index.outer_statements(&needs, request.refuses, true);
    let usable = usable(index, request.exclude_source, request.stock);
    solve_among(index, request, spec.as_deref(), &usable, &mut Room::default())
}

/// Like [`solve`], for the build root of a source package; `usable` is what the stock allows for anybody. The answer
/// depends on the spec's and the base's clauses, on those of the packages that are added to the room, and, where
/// there is no solution, on everything.
pub(crate) fn solve_source(
    index: &Index<'_>,
    whose: Whose,
    stock: Stock<'_>,
    usable: &[bool],
    room: &mut Room,
) -> Result<Vec<u32>, Explanation> {
    let (source, generated) = whose.asks(index.universe);
    let (needs, refuses, exclude_source) = (&*source.build_requires, &*source.build_conflicts, Some(&*source.name));
    let mut usable = usable.to_vec();
    index.of_tree[whose.place].iter().for_each(|own| usable[*own as usize] = false);
    let request = Request { needs, generated, refuses, exclude_source, stock };
    solve_among(index, request, whose.clauses(index), &usable, room)
}

fn solve_among(
    index: &Index<'_>,
    request: Request<'_>,
    spec: Result<&[Statement], &TooComplex>,
    usable: &[bool],
    room: &mut Room,
) -> Result<Vec<u32>, Explanation> {
    let outer = spec.and_then(|spec| Ok((spec, index.base.as_deref()?)));
    let (spec, base) = outer.map_err(|error| explain_too_complex(&request, error))?;
    let preferred = lead(index, spec, usable, room);
    let statements: Vec<_> = spec.iter().chain(base).collect();
    let excluded = |core| explain(index, &request, &statements, spec.len(), usable, core);
    run(index, &statements, usable, &preferred, room).map_err(excluded)
}

/// Finds what must be installed with one package, itself among it.
///
/// # Errors
/// There is no such set; the account of what excludes each other.
pub(crate) fn solve_package(index: &Index<'_>, number: u32, usable: &[bool]) -> Result<Vec<u32>, String> {
    let itself = Statement { kind: StatementKind::Requires(0), present: vec![number], absent: Vec::new() };
    run(index, &[&itself], usable, &vec![false; index.packages.len()], &mut Room::default()).map_err(|core| {
        let nevra = &index.packages[number as usize].metadata.nevra;
        let dependency = Dependency::Capability(Capability::exact(&*nevra.name, nevra.evr.clone()));
        let reasons = vec![Reason { asker: Asker::Package(nevra.clone()), dependency, place: None }];
        story(index, &Asked { statements: &[&itself], reasons }, usable, core)
    })
}

/// The search, with its result sorted by name.
fn run(
    index: &Index<'_>,
    statements: &[&Statement],
    usable: &[bool],
    preferred: &[bool],
    room: &mut Room,
) -> Result<Vec<u32>, Vec<Stated>> {
    let mut numbers = Search::run(index, statements, usable, preferred, room)?;
    numbers.sort_unstable_by_key(|number| index.ranks[*number as usize]);
    Ok(numbers)
}

/// Which packages may be in the build root at all.
pub(crate) fn usable(index: &Index<'_>, exclude_source: Option<&str>, stock: Stock<'_>) -> Vec<bool> {
    let excluded = exclude_source.and_then(|name| index.sources.get(name).copied());
    let within: Option<Vec<bool>> = match stock {
        Stock::Published(within) => {
            Some(index.universe.tree.iter().map(|tree| within.contains(&tree.source.name)).collect())
        }
        Stock::Predicted | Stock::Mixed | Stock::Deferring(_) => None,
    };
    let is_usable = |package: &crate::index::Package<'_>| {
        let source = index.source_name(package);
        if package.withheld.is_some() {
            // Only where a cycle is opened by it, what is published of another version does.
            let Stock::Deferring(deferring) = stock else { return false };
            let is_deferred = source.is_some_and(|source| deferring.sources.contains(source));
            if !package.is_earlier || !is_deferred {
                return false;
            }
        }
        let (Some(place), Some(source)) = (package.tree, source) else { return true };
        let is_published = index.is_published[place];
        excluded != Some(place)
            && match (package.id, stock) {
                (_, Stock::Deferring(deferring)) => deferring.may_use(package, source),
                (PackageId::Seed(_), _) => true,
                (PackageId::Predicted { .. }, Stock::Predicted) => true,
                (PackageId::Predicted { .. }, Stock::Published(_)) => false,
                (PackageId::Predicted { .. }, Stock::Mixed) => !is_published,
                (PackageId::Published(_), Stock::Predicted) => false,
                (PackageId::Published(_), Stock::Published(_)) => within.as_ref().is_some_and(|within| within[place]),
                (PackageId::Published(_), Stock::Mixed) => is_published,
            }
    };
    index.packages.iter().map(is_usable).collect()
}

/// The tree's packages that the spec's needs lead to, each need met by its first provider. Needs that a package
/// found so far meets lead nowhere new; conditional ones are left to the solver.
fn lead(index: &Index<'_>, spec: &[Statement], usable: &[bool], room: &mut Room) -> Vec<bool> {
    let mut found = vec![false; index.packages.len()];
    let mut names = BTreeSet::new();
    let mut open: VecDeque<&[Statement]> = VecDeque::from([spec]);
    while let Some(statements) = open.pop_front() {
        for statement in statements.iter().filter(|statement| statement.absent.is_empty()) {
            if statement.present.iter().any(|number| found[*number as usize]) {
                continue;
            }
            let first =
                first_provider(index, &statement.present, |number| usable[number as usize], &mut room.looked_at);
            let Some(number) = first.map(|number| number as usize) else { continue };
            let package = &index.packages[number];
            if package.tree.is_some() && names.insert(package.name) {
                found[number] = true;
                room.looked_at.push(first.unwrap_or_default());
                open.push_back(&package.statements);
            }
        }
    }
    found
}

/// The place of a clause's dependency in its `Requires`, if it is one.
pub(crate) fn required_place(statement: &Statement) -> Option<usize> {
    match statement.kind {
        StatementKind::Requires(place) => Some(place),
        StatementKind::Conflicts(_) | StatementKind::Obsoletes(_) => None,
    }
}

#[cfg(test)]
mod tests;
