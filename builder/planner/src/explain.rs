//! Why a set of needs has no install set: who asks, what exists, why none of it will do, what is spelled alike.

pub(crate) mod exclusion;
pub(crate) mod nearest;
mod why;

use std::collections::BTreeSet;
use std::fmt;

use rpmspec_parser::rpm::{Dependency, Nevra};
use rpmspec_parser::spec::Located;
use serde::{Deserialize, Serialize};

use self::exclusion::{Asked, story};
use crate::clauses::TooComplex;
use crate::graph::reason_of;
use crate::index::{Statement, StatementKind};
use crate::solve::search::Stated;
use crate::solve::{Request, required_place};
use crate::{Asker, Index, Reason};

/// A package that offers what is asked for, or nearly, and cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// The package.
    pub nevra: Nevra,
    /// Where it comes from: `the tree`, or `seed NAME`.
    pub origin: String,
    /// Why it will not do, a lowercase fragment.
    pub why: String,
}

/// One need that cannot be met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmet {
    /// Who asks, the outermost first; the last one is the need itself.
    pub reasons: Vec<Reason>,
    /// What is not met.
    pub dependency: Dependency,
    /// What exists, and why it will not do.
    pub rejected: Vec<Rejected>,
    /// Names of packages and capabilities spelled alike, where nothing offers it at all.
    pub nearest: Vec<String>,
    /// How needs that could be met one by one exclude each other; empty where that is not the trouble.
    pub story: String,
}

/// Why there is no install set. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct Explanation {
    /// What cannot be met, the spec's own needs first.
    pub unmet: Vec<Unmet>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, unmet) in self.unmet.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            unmet.fmt(formatter)?;
        }
        Ok(())
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.story.is_empty() {
            return formatter.write_str(&self.story);
        }
        write!(formatter, "nothing meets `{}`", self.dependency)?;
        let left_out = self.reasons.len().saturating_sub(2 * MOST_STEPS);
        for (step, reason) in self.reasons.iter().rev().enumerate() {
            match step {
                _ if left_out == 0 || step < MOST_STEPS || step >= MOST_STEPS + left_out => {
                    write!(formatter, "\n  {reason}")?;
                }
                MOST_STEPS => write!(formatter, "\n  … {left_out} more steps …")?,
                _ => {}
            }
        }
        for rejected in &self.rejected {
            write!(formatter, "\n  {} ({}): {}", rejected.nevra, rejected.origin, rejected.why)?;
        }
        if !self.nearest.is_empty() {
            write!(formatter, "\n  spelled alike: {}", self.nearest.join(", "))?;
        } else if self.rejected.is_empty() {
            formatter.write_str("\n  no package, module or file has this name or one like it")?;
        }
        Ok(())
    }
}

/// Of longer ways so many steps are shown at each end.
const MOST_STEPS: usize = 12;
/// At most this many needs are explained; the rest is mostly the same again.
const MOST_UNMET: usize = 8;
/// At most this many providers are listed for one need.
const MOST_REJECTED: usize = 8;

/// Says why a request has no solution. `statements` are its clauses, the first `by_spec` of them the spec's; `core`
/// those that the search found to exclude each other.
pub(crate) fn explain(
    index: &Index<'_>,
    request: &Request<'_>,
    statements: &[&Statement],
    by_spec: usize,
    usable: &[bool],
    core: Vec<Stated>,
) -> Explanation {
    let of_base = |dependency: &Dependency| (Asker::Base, dependency.clone(), None);
    let of_spec = |need: &Located<Dependency>| (Asker::Spec, need.value.clone(), need.place.clone());
    let generated = |need: &Located<Dependency>| (Asker::Generated, need.value.clone(), need.place.clone());
    let reason = |(asker, dependency, place)| Reason { asker, dependency, place };
    let base: Vec<Reason> = index.universe.base.iter().map(of_base).map(reason).collect();
    let needs = request.needs.iter().map(of_spec).chain(request.generated.iter().map(generated));
    let needs: Vec<Reason> = needs.map(reason).collect();
    let refuses: Vec<Reason> = request.refuses.iter().map(of_spec).map(reason).collect();
    let all = needs.iter().chain(&base).cloned();
    let mut unmet = unmet_needs(index, all, request.exclude_source, usable, &hopeless(index, usable));
    if unmet.is_empty() {
        let reason = |(clause, statement): (usize, &&Statement)| match statement.kind {
            StatementKind::Requires(place) if clause < by_spec => needs[place].clone(),
            StatementKind::Requires(place) => base[place].clone(),
            StatementKind::Conflicts(place) | StatementKind::Obsoletes(place) => refuses[place].clone(),
        };
        let reasons = statements.iter().enumerate().map(reason).collect();
        let story = story(index, &Asked { statements, reasons }, usable, core);
        unmet.push(told(request, format!("its needs exclude each other:{story}")));
    }
    Explanation { unmet }
}

/// Follows those of some needs that cannot be met to what is missing.
pub(crate) fn unmet_needs(
    index: &Index<'_>,
    needs: impl Iterator<Item = Reason>,
    exclude_source: Option<&str>,
    usable: &[bool],
    hopeless: &[bool],
) -> Vec<Unmet> {
    let mut unmet: Vec<Unmet> = Vec::new();
    for reason in needs {
        let statements = index.outer_statements(std::slice::from_ref(&located(&reason)), &[], true).unwrap_or_default();
        if statements.iter().any(|statement| is_hopeless(statement, hopeless)) && unmet.len() < MOST_UNMET {
            let mut walk = Walk { index, usable, exclude_source, hopeless, seen: BTreeSet::new() };
            let found = walk.unmet(vec![reason], &statements);
            if !unmet.iter().any(|other| other.dependency == found.dependency) {
                unmet.push(found);
            }
        }
    }
    unmet
}

/// Says that a rich dependency of the spec or the base is too large.
pub(crate) fn explain_too_complex(request: &Request<'_>, error: &TooComplex) -> Explanation {
    Explanation { unmet: vec![told(request, error.to_string())] }
}

fn told(request: &Request<'_>, story: String) -> Unmet {
    let dependency = request.needs.first().map_or_else(|| Dependency::any("base"), |need| need.value.clone());
    Unmet { reasons: Vec::new(), dependency, rejected: Vec::new(), nearest: Vec::new(), story }
}

fn located(reason: &Reason) -> Located<Dependency> {
    Located::new(reason.dependency.clone(), reason.place.clone())
}

/// The packages that can be in no build root, because something they need without condition has no provider, or
/// only such ones. Every dependency is looked at once.
pub(crate) fn hopeless(index: &Index<'_>, usable: &[bool]) -> Vec<bool> {
    let mut hopeless: Vec<bool> = usable.iter().map(|usable| !usable).collect();
    // Of each need, how many providers are left; of each package, the needs it provides for.
    let mut left: Vec<(usize, usize)> = Vec::new();
    let mut provides_for: Vec<Vec<usize>> = vec![Vec::new(); index.packages.len()];
    let mut open: Vec<usize> = Vec::new();
    for (number, package) in index.packages.iter().enumerate().filter(|(number, _)| usable[*number]) {
        for statement in package.statements.iter().filter(|statement| statement.absent.is_empty()) {
            let mut count = 0;
            for provider in statement.present.iter().filter(|provider| usable[**provider as usize]) {
                provides_for[*provider as usize].push(left.len());
                count += 1;
            }
            if count == 0 {
                open.push(number);
            }
            left.push((count, number));
        }
    }
    while let Some(number) = open.pop() {
        if std::mem::replace(&mut hopeless[number], true) {
            continue;
        }
        for need in &provides_for[number] {
            let (count, asker) = &mut left[*need];
            *count -= 1;
            if *count == 0 {
                open.push(*asker);
            }
        }
    }
    hopeless
}

pub(crate) fn is_hopeless(statement: &Statement, hopeless: &[bool]) -> bool {
    statement.absent.is_empty() && statement.present.iter().all(|number| hopeless[*number as usize])
}

struct Walk<'a> {
    index: &'a Index<'a>,
    usable: &'a [bool],
    exclude_source: Option<&'a str>,
    hopeless: &'a [bool],
    seen: BTreeSet<u32>,
}

impl Walk<'_> {
    /// Follows a hopeless need to the need that has no provider. Providers passed on the way are told too.
    fn unmet(&mut self, mut reasons: Vec<Reason>, statements: &[Statement]) -> Unmet {
        let mut failing = statements.iter().find(|statement| is_hopeless(statement, self.hopeless));
        let mut passed = Vec::new();
        loop {
            let present: &[u32] = failing.map_or(&[], |statement| &statement.present);
            let dependency = reasons.last().map_or_else(|| Dependency::any(""), |reason| reason.dependency.clone());
            // One provider that would do but for its own needs: those are the cause.
            let is_cause = |number: &&u32| self.usable[**number as usize] && !self.seen.contains(number);
            let deeper = present.iter().find(is_cause).and_then(|number| {
                let package = &self.index.packages[*number as usize];
                let statement = package.statements.iter().find(|one| is_hopeless(one, self.hopeless))?;
                Some((*number, package, statement, required_place(statement)?))
            });
            let Some((number, package, statement, place)) = deeper else {
                return self.end(reasons, dependency, present, passed);
            };
            self.seen.insert(number);
            for other in present.iter().filter(|other| **other != number).take(MOST_REJECTED) {
                let mut one = self.rejected(*other, &dependency, present);
                one.why += &format!(" (for `{dependency}`)");
                if !passed.contains(&one) && one.nevra != package.metadata.nevra {
                    passed.push(one);
                }
            }
            reasons.push(reason_of(self.index, package, place));
            failing = Some(statement);
        }
    }

    /// A need without provider: what there is instead.
    fn end(&self, reasons: Vec<Reason>, dependency: Dependency, present: &[u32], passed: Vec<Rejected>) -> Unmet {
        let index = self.index;
        let wanted = dependency.capabilities();
        let named = wanted.iter().flat_map(|capability| index.named_alike(capability));
        let numbers: BTreeSet<u32> = present.iter().copied().chain(named).collect();
        let mut rejected: Vec<Rejected> = Vec::new();
        for number in numbers.into_iter().take(MOST_REJECTED) {
            let one = self.rejected(number, &dependency, present);
            // What is promised and what is published often say the same.
            if !rejected.contains(&one) {
                rejected.push(one);
            }
        }
        for (metadata, origin) in index.foreign.iter().filter(|(metadata, _)| {
            metadata.provides.iter().any(|provided| wanted.iter().any(|wanted| provided.overlaps(wanted)))
        }) {
            let why = format!("for {}, not for {}", metadata.nevra.arch, index.universe.arch);
            rejected.push(Rejected { nevra: metadata.nevra.clone(), origin: format!("seed {origin}"), why });
        }
        rejected.truncate(MOST_REJECTED);
        let is_known = |name: &str| rejected.iter().any(|one| one.why.contains(name) || one.nevra.name == name);
        let unknown = wanted.iter().filter(|capability| rejected.is_empty() || !is_known(&capability.name));
        let mut nearest: Vec<String> = unknown.flat_map(|capability| index.nearest(&capability.name)).collect();
        nearest.sort();
        nearest.dedup();
        if let [only] = &*wanted {
            // One name keeps its own order, the nearest first.
            nearest = if rejected.is_empty() { index.nearest(&only.name) } else { Vec::new() };
        }
        rejected.extend(passed);
        Unmet { reasons, dependency, rejected, nearest, story: String::new() }
    }

    fn rejected(&self, number: u32, dependency: &Dependency, present: &[u32]) -> Rejected {
        let package = &self.index.packages[number as usize];
        let why = self.why_not(number, dependency, present.contains(&number));
        Rejected { nevra: package.metadata.nevra.clone(), origin: package.origin(), why }
    }

    fn why_not(&self, number: u32, dependency: &Dependency, meets: bool) -> String {
        let package = &self.index.packages[number as usize];
        if let Some(withheld) = &package.withheld {
            return withheld.clone();
        }
        if self.exclude_source.is_some() && self.index.source_name(package) == self.exclude_source {
            return "built by this very spec".to_owned();
        }
        if !meets {
            return why::not_enough(&package.metadata, dependency);
        }
        if self.usable[number as usize] { "its own needs cannot be met".to_owned() } else { "not built yet".to_owned() }
    }
}

#[cfg(test)]
mod tests;
