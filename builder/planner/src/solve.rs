//! Install sets of build roots, by resolvo.
//!
//! resolvo's rules shape the encoding. A version set holds packages of one name, so that its exclusion of other
//! versions is by name, as rpm's is: here every package is its own version set, and a capability is the union of
//! its providers in the order of preference. Conflicts and Obsoletes constrain a name to the packages that do not
//! match. The clauses of rich dependencies are requirements with a condition.
//!
//! Which provider is taken: first the tree's packages that the tree's own needs lead to, found by following them
//! one by one ([`lead`]); these win for every need they meet. All else follows the order of the [`index`](crate::index).
//! Where that has no solution, resolvo goes on to the next providers.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt::{self, Display};

use resolvo::{
    Candidates, Condition, ConditionId, ConditionalRequirement, Dependencies, DependencyProvider,
    HintDependenciesAvailable, Interner, KnownDependencies, LogicalOperator, NameId, Problem, Requirement, SolvableId,
    Solver, SolverCache, StringId, UnsolvableOrCancelled, VersionSetId, VersionSetUnionId,
};
use rpmspec_parser::rpm::Dependency;
use rpmspec_parser::spec::Located;

use crate::explain::{explain, explain_too_complex};
use crate::index::{Statement, StatementKind};
use crate::{Explanation, Index, PackageId};

/// Which packages of the tree a build root may draw on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stock<'a> {
    /// What specs promise, published or not: the same before and after a build.
    Predicted,
    /// What is published of these source packages.
    Published(&'a BTreeSet<String>),
    /// What is published, and promises for the rest.
    Mixed,
}

/// What is asked of a build root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) needs: &'a [Located<Dependency>],
    pub(crate) refuses: &'a [Located<Dependency>],
    pub(crate) exclude_source: Option<&'a str>,
    pub(crate) stock: Stock<'a>,
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
    let members = solve(index, Request { needs, refuses, exclude_source, stock })?;
    Ok(members.into_iter().map(|number| index.packages[number as usize].id).collect())
}

/// Like [`install_set`], for any stock; gives the packages' numbers, sorted by name.
pub(crate) fn solve(index: &Index<'_>, request: Request<'_>) -> Result<Vec<u32>, Explanation> {
    let usable = usable(index, request.exclude_source, request.stock);
    let base: Vec<_> = index.universe.base.iter().map(|value| Located::new(value.clone(), None)).collect();
    let outer = index.outer_statements(request.needs, request.refuses, true);
    let outer = outer.and_then(|spec| Ok((spec, index.outer_statements(&base, &[], false)?)));
    let (spec, base) = outer.map_err(|error| explain_too_complex(&request, &error))?;
    let preferred = lead(index, &spec, &usable);
    let statements: Vec<_> = spec.iter().chain(&base).collect();
    run(index, &statements, &usable, &preferred).map_err(|story| explain(index, &request, &usable, &story))
}

/// Finds what must be installed with one package, itself among it.
///
/// # Errors
/// The solver's account of why there is no such set.
pub(crate) fn solve_package(index: &Index<'_>, number: u32, usable: &[bool]) -> Result<Vec<u32>, String> {
    let itself = Statement { kind: StatementKind::Requires(0), present: vec![number], absent: Vec::new() };
    run(index, &[&itself], usable, &vec![false; index.packages.len()])
}

fn run(index: &Index<'_>, statements: &[&Statement], usable: &[bool], preferred: &[bool]) -> Result<Vec<u32>, String> {
    let provider = Provider::new(index, usable, preferred);
    let mut root = KnownDependencies::default();
    statements.iter().for_each(|statement| provider.add(statement, &mut root));
    let problem = Problem::new().requirements(root.requirements).constraints(root.constrains);
    let mut solver = Solver::new(provider);
    match solver.solve(problem) {
        Ok(solvables) => {
            let mut numbers: Vec<u32> = solvables.into_iter().map(SolvableId::into_raw).collect();
            numbers.sort_by_key(|number| (&index.packages[*number as usize].metadata.nevra, *number));
            Ok(numbers)
        }
        Err(UnsolvableOrCancelled::Unsolvable(conflict)) => Err(conflict.display_user_friendly(&solver).to_string()),
        // The provider never cancels, so there is no value to hand on.
        Err(UnsolvableOrCancelled::Cancelled(_)) => Err("the solver stopped".to_owned()),
    }
}

/// Which packages may be in the build root at all.
pub(crate) fn usable(index: &Index<'_>, exclude_source: Option<&str>, stock: Stock<'_>) -> Vec<bool> {
    let is_usable = |package: &crate::index::Package<'_>| {
        if package.withheld.is_some() {
            return false;
        }
        let Some(source) = index.source_name(package) else { return true };
        let is_published = package.tree.is_some_and(|place| index.is_published[place]);
        exclude_source != Some(source)
            && match (package.id, stock) {
                (PackageId::Seed(_), _) => true,
                (PackageId::Predicted { .. }, Stock::Predicted) => true,
                (PackageId::Predicted { .. }, Stock::Published(_)) => false,
                (PackageId::Predicted { .. }, Stock::Mixed) => !is_published,
                (PackageId::Published(_), Stock::Predicted) => false,
                (PackageId::Published(_), Stock::Published(within)) => within.contains(source),
                (PackageId::Published(_), Stock::Mixed) => is_published,
            }
    };
    index.packages.iter().map(is_usable).collect()
}

/// The tree's packages that the spec's needs lead to, each need met by its first provider. Needs that a package
/// found so far meets lead nowhere new; conditional ones are left to the solver.
fn lead(index: &Index<'_>, spec: &[Statement], usable: &[bool]) -> Vec<bool> {
    let mut found = vec![false; index.packages.len()];
    let mut names = BTreeSet::new();
    let mut open: VecDeque<&[Statement]> = VecDeque::from([spec]);
    while let Some(statements) = open.pop_front() {
        for statement in statements.iter().filter(|statement| statement.absent.is_empty()) {
            let mut providers = statement.present.iter().filter(|number| usable[**number as usize]).peekable();
            if statement.present.iter().any(|number| found[*number as usize]) {
                continue;
            }
            let Some(number) = providers.peek().map(|number| **number as usize) else { continue };
            let package = &index.packages[number];
            if package.tree.is_some() && names.insert(package.name) {
                found[number] = true;
                open.push_back(&package.statements);
            }
        }
    }
    found
}

/// The index as resolvo sees it, for one build root.
struct Provider<'a> {
    index: &'a Index<'a>,
    usable: &'a [bool],
    preferred: &'a [bool],
    tables: RefCell<Tables>,
}

/// What is numbered while solving. Version sets below the number of packages stand for single packages; the
/// others are here.
#[derive(Default)]
struct Tables {
    sets: Vec<(u32, Vec<u32>)>,
    unions: Vec<Vec<u32>>,
    union_ids: HashMap<Vec<u32>, u32>,
    conditions: Vec<Condition>,
}

impl<'a> Provider<'a> {
    fn new(index: &'a Index<'a>, usable: &'a [bool], preferred: &'a [bool]) -> Self {
        Self { index, usable, preferred, tables: RefCell::default() }
    }

    /// Adds what a clause means to the dependencies of whoever states it.
    fn add(&self, statement: &Statement, to: &mut KnownDependencies) {
        let usable = |numbers: &[u32]| numbers.iter().copied().filter(|n| self.usable[*n as usize]).collect::<Vec<_>>();
        let absent: Vec<Vec<u32>> = statement.absent.iter().map(|numbers| usable(numbers)).collect();
        if absent.iter().any(Vec::is_empty) {
            return; // What cannot be installed is absent: the clause holds.
        }
        let mut present = usable(&statement.present);
        if let ([refused], []) = (&*absent, &*present) {
            for (name, matching) in self.by_name(refused) {
                let rest = self.index.names[name as usize].iter().copied().filter(|number| !matching.contains(number));
                to.constrains.push(self.add_set(name, rest.collect()));
            }
            return;
        }
        // The sort is stable: within both halves the index's order stays.
        present.sort_by_key(|number| !self.preferred[*number as usize]);
        let condition = absent
            .iter()
            .map(|numbers| self.condition(numbers))
            .reduce(|left, right| self.add_condition(Condition::Binary(LogicalOperator::And, left, right)));
        let requirement = Requirement::Union(self.add_union(present));
        to.requirements.push(ConditionalRequirement { condition, requirement });
    }

    /// The condition that one of the packages is there.
    fn condition(&self, numbers: &[u32]) -> ConditionId {
        let sets = self.by_name(numbers).into_iter().map(|(name, numbers)| self.add_set(name, numbers));
        let conditions: Vec<_> = sets.map(|set| self.add_condition(Condition::Requirement(set))).collect();
        let either = |left, right| self.add_condition(Condition::Binary(LogicalOperator::Or, left, right));
        // There is at least one package: `add` has seen to it.
        conditions.into_iter().reduce(either).unwrap_or_else(|| ConditionId::new(0))
    }

    fn by_name(&self, numbers: &[u32]) -> Vec<(u32, Vec<u32>)> {
        let mut groups: Vec<(u32, Vec<u32>)> = Vec::new();
        for number in numbers {
            let name = self.index.packages[*number as usize].name;
            match groups.iter_mut().find(|(other, _)| *other == name) {
                Some((_, group)) => group.push(*number),
                None => groups.push((name, vec![*number])),
            }
        }
        groups
    }

    fn add_set(&self, name: u32, numbers: Vec<u32>) -> VersionSetId {
        let sets = &mut self.tables.borrow_mut().sets;
        sets.push((name, numbers));
        VersionSetId(to_id(self.index.packages.len() + sets.len() - 1))
    }

    fn add_union(&self, numbers: Vec<u32>) -> VersionSetUnionId {
        let Tables { unions, union_ids, .. } = &mut *self.tables.borrow_mut();
        VersionSetUnionId(*union_ids.entry(numbers).or_insert_with_key(|numbers| {
            unions.push(numbers.clone());
            to_id(unions.len() - 1)
        }))
    }

    fn add_condition(&self, condition: Condition) -> ConditionId {
        let conditions = &mut self.tables.borrow_mut().conditions;
        conditions.push(condition);
        ConditionId::new(to_id(conditions.len() - 1))
    }

    fn set_contains(&self, set: VersionSetId, number: u32) -> bool {
        match (set.0 as usize).checked_sub(self.index.packages.len()) {
            None => set.0 == number,
            Some(place) => self.tables.borrow().sets[place].1.contains(&number),
        }
    }

    fn nevra(&self, number: u32) -> String {
        let package = &self.index.packages[number as usize];
        format!("{} ({})", package.metadata.nevra, package.origin())
    }
}

/// Ids are 32 bits in resolvo.
fn to_id(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl Interner for Provider<'_> {
    type NameId = NameId;
    type SolvableId = SolvableId;

    fn display_solvable(&self, solvable: SolvableId) -> impl Display + '_ {
        self.nevra(solvable.into_raw())
    }

    fn display_merged_solvables(&self, solvables: &[SolvableId]) -> impl Display + '_ {
        let names: BTreeSet<_> = solvables.iter().map(|solvable| self.nevra(solvable.into_raw())).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    }

    fn display_name(&self, name: NameId) -> impl Display + '_ {
        let number = self.index.names[name.into_raw() as usize].first().copied().unwrap_or(0);
        Name(&self.index.packages[number as usize].metadata.nevra.name)
    }

    fn display_version_set(&self, set: VersionSetId) -> impl Display + '_ {
        match (set.0 as usize).checked_sub(self.index.packages.len()) {
            None => self.index.packages[set.0 as usize].metadata.nevra.evr.to_string(),
            Some(_) => String::new(),
        }
    }

    fn display_string(&self, _: StringId) -> impl Display + '_ {
        "" // No string is ever handed to the solver.
    }

    fn version_set_name(&self, set: VersionSetId) -> NameId {
        NameId::from_raw(match (set.0 as usize).checked_sub(self.index.packages.len()) {
            None => self.index.packages[set.0 as usize].name,
            Some(place) => self.tables.borrow().sets[place].0,
        })
    }

    fn solvable_name(&self, solvable: SolvableId) -> NameId {
        NameId::from_raw(self.index.packages[solvable.into_raw() as usize].name)
    }

    fn version_sets_in_union(&self, union: VersionSetUnionId) -> impl Iterator<Item = VersionSetId> {
        let numbers = self.tables.borrow().unions[union.0 as usize].clone();
        numbers.into_iter().map(VersionSetId)
    }

    fn resolve_condition(&self, condition: ConditionId) -> Condition {
        self.tables.borrow().conditions[condition.as_u32() as usize].clone()
    }
}

struct Name<'a>(&'a str);

impl Display for Name<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl DependencyProvider for Provider<'_> {
    async fn filter_candidates(&self, candidates: &[SolvableId], set: VersionSetId, inverse: bool) -> Vec<SolvableId> {
        let is_wanted = |candidate: &SolvableId| self.set_contains(set, candidate.into_raw()) != inverse;
        candidates.iter().copied().filter(is_wanted).collect()
    }

    async fn get_candidates(&self, name: NameId) -> Option<Candidates> {
        let numbers = self.index.names[name.into_raw() as usize].iter().copied();
        let candidates = numbers.filter(|number| self.usable[*number as usize]).map(SolvableId::from_raw).collect();
        let hint_dependencies_available = HintDependenciesAvailable::None;
        Some(Candidates { candidates, hint_dependencies_available, ..Candidates::default() })
    }

    async fn sort_candidates(&self, _: &SolverCache<Self>, solvables: &mut [SolvableId]) {
        // Unions are of single packages and in order already; this decides only inside conditions.
        solvables.sort();
    }

    async fn get_dependencies(&self, solvable: SolvableId) -> Dependencies {
        let mut known = KnownDependencies::default();
        for statement in &self.index.packages[solvable.into_raw() as usize].statements {
            self.add(statement, &mut known);
        }
        Dependencies::Known(known)
    }
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
