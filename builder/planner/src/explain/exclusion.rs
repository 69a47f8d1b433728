//! How needs that could be met one by one exclude each other: the fewest statements that cannot all hold.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rpmspec_parser::Place;
use rpmspec_parser::rpm::Dependency;

use crate::index::{Statement, StatementKind};
use crate::solve::search::{REQUEST, Search, Stated};
use crate::{Asker, Index, Reason};

/// At most this many packages are listed for one statement.
const MOST_PACKAGES: usize = 6;

/// What is asked for from outside any package.
pub(crate) struct Asked<'a> {
    /// Its clauses.
    pub(crate) statements: &'a [&'a Statement],
    /// For each, who asks for what at which place.
    pub(crate) reasons: Vec<Reason>,
}

/// Tells, line by line, what cannot all hold; `core` are the clauses that the search found to exclude each other.
pub(crate) fn story(index: &Index<'_>, asked: &Asked<'_>, usable: &[bool], core: Vec<Stated>) -> String {
    let core = least(index, asked, usable, core);
    let ordered = outward(index, asked, &core);
    let mut lines: Vec<String> = ordered.iter().map(|stated| line(index, asked, usable, *stated)).collect();
    lines.extend(namesakes(index, asked, usable, &ordered));
    lines.dedup();
    lines.iter().map(|line| format!("\n  {line}")).collect()
}

fn statement<'a>(index: &'a Index<'_>, asked: &'a Asked<'_>, stated: Stated) -> &'a Statement {
    match stated.owner {
        REQUEST => asked.statements[stated.clause as usize],
        owner => &index.packages[owner as usize].statements[stated.clause as usize],
    }
}

/// Leaves out every clause without which the others still exclude each other.
fn least(index: &Index<'_>, asked: &Asked<'_>, usable: &[bool], core: Vec<Stated>) -> BTreeSet<Stated> {
    let mut left: BTreeSet<Stated> = core.into_iter().collect();
    let preferred = vec![false; index.packages.len()];
    // The farthest ones first: of several explanations the one nearest to the request stays.
    for stated in left.clone().into_iter().rev() {
        left.remove(&stated);
        match Search::run_within(index, asked.statements, usable, &preferred, Some(&left)) {
            Ok(_) => drop(left.insert(stated)),
            Err(less) => left = less.into_iter().collect(),
        }
        if left.len() < 2 {
            break;
        }
    }
    left
}

/// The clauses in the order in which they come up, going out from the request.
fn outward(index: &Index<'_>, asked: &Asked<'_>, core: &BTreeSet<Stated>) -> Vec<Stated> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    let mut open = VecDeque::from([REQUEST]);
    while let Some(owner) = open.pop_front() {
        let of_owner = Stated { owner, clause: 0 }..=Stated { owner, clause: u32::MAX };
        for stated in core.range(of_owner) {
            found.push(*stated);
            let present = statement(index, asked, *stated).present.iter().copied();
            open.extend(present.filter(|number| seen.insert(*number)));
        }
    }
    found
}

fn line(index: &Index<'_>, asked: &Asked<'_>, usable: &[bool], stated: Stated) -> String {
    let statement = statement(index, asked, stated);
    let usable = |list: &[u32]| list.iter().copied().filter(|number| usable[*number as usize]).collect::<Vec<_>>();
    let present = names(index, &usable(&statement.present), " or ");
    let conditions: Vec<String> = statement.absent.iter().map(|list| names(index, &usable(list), " or ")).collect();
    let said = said(index, asked, stated, statement.kind);
    match (&*statement.present, &*conditions) {
        ([], []) => format!("{said}, which it offers itself"),
        ([], conditions) => {
            let lacking = lacking(index, asked, stated, statement.kind);
            format!("{said}, so not with {}{lacking}", conditions.join(" and "))
        }
        (_, []) => format!("{said}, so with {present}"),
        (_, conditions) => format!("{said}, so with {present} where {} is", conditions.join(" and ")),
    }
}

/// What of a conditional need nobody offers, so that its condition must stay untrue.
fn lacking(index: &Index<'_>, asked: &Asked<'_>, stated: Stated, kind: StatementKind) -> String {
    let StatementKind::Requires(place) = kind else { return String::new() };
    let dependency = match stated.owner {
        REQUEST => &asked.reasons[stated.clause as usize].dependency,
        owner => &index.packages[owner as usize].metadata.requires[place],
    };
    let unknown = dependency.capabilities().into_iter().filter(|wanted| index.named_alike(wanted).is_empty());
    let told = unknown.map(|wanted| match &*index.nearest(&wanted.name) {
        [] => format!("; nobody offers `{wanted}`"),
        nearest => format!("; nobody offers `{wanted}`, spelled alike: {}", nearest.join(", ")),
    });
    told.collect()
}

fn said(index: &Index<'_>, asked: &Asked<'_>, stated: Stated, kind: StatementKind) -> String {
    if stated.owner == REQUEST {
        let Reason { asker, dependency, place } = &asked.reasons[stated.clause as usize];
        return match (kind, asker) {
            (StatementKind::Requires(_), Asker::Package(nevra)) => format!("{nevra} is to be installed"),
            (StatementKind::Requires(_), _) => asked.reasons[stated.clause as usize].to_string(),
            _ => format!("the spec refuses `{dependency}`{}", at(place.as_ref())),
        };
    }
    let package = &index.packages[stated.owner as usize];
    let metadata = &package.metadata;
    let (verb, dependency) = match kind {
        StatementKind::Requires(place) => ("requires", metadata.requires[place].clone()),
        StatementKind::Conflicts(place) => ("conflicts with", metadata.conflicts[place].clone()),
        StatementKind::Obsoletes(place) => ("obsoletes", Dependency::Capability(metadata.obsoletes[place].clone())),
    };
    let place = index.place_of(package, kind);
    format!("{} {verb} `{dependency}`{}", metadata.nevra, at(place.as_ref()))
}

pub(super) fn at(place: Option<&Place>) -> String {
    place.map_or_else(String::new, |place| format!(" at {place}"))
}

fn names(index: &Index<'_>, numbers: &[u32], between: &str) -> String {
    let name = |number: &u32| {
        let package = &index.packages[*number as usize];
        format!("{} ({})", package.metadata.nevra, package.origin())
    };
    // What is promised and what is published often have one name.
    let mut names: Vec<String> = Vec::new();
    for name in numbers.iter().map(name) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let more = names.len().saturating_sub(MOST_PACKAGES);
    names.truncate(MOST_PACKAGES);
    let more = if more > 0 { format!(" or {more} more") } else { String::new() };
    names.join(between) + &more
}

/// Names of which the statements want different versions.
fn namesakes(index: &Index<'_>, asked: &Asked<'_>, usable: &[bool], core: &[Stated]) -> Vec<String> {
    let mut by_name: BTreeMap<&str, Vec<BTreeSet<u32>>> = BTreeMap::new();
    for stated in core {
        let mut of_statement: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        let owner = Some(stated.owner).filter(|owner| *owner != REQUEST);
        let statement = statement(index, asked, *stated);
        for number in statement.present.iter().filter(|number| usable[**number as usize]).chain(&owner) {
            let name = &*index.packages[*number as usize].metadata.nevra.name;
            of_statement.entry(name).or_default().insert(*number);
        }
        of_statement.into_iter().for_each(|(name, numbers)| by_name.entry(name).or_default().push(numbers));
    }
    let told = |(name, sets): (&str, Vec<BTreeSet<u32>>)| {
        let common = sets.iter().skip(1).fold(sets[0].clone(), |left, right| &left & right);
        let all: BTreeSet<u32> = sets.into_iter().flatten().collect();
        let all: Vec<u32> = all.into_iter().collect();
        common.is_empty().then(|| format!("only one `{name}` can be installed, not {}", names(index, &all, " with ")))
    };
    by_name.into_iter().filter_map(told).collect()
}
