//! Why a set of needs has no install set: who asks, what exists, why none of it will do, what is spelled alike.

pub(crate) mod exclusion;

use std::collections::BTreeSet;
use std::fmt;

use rpmspec_parser::rpm::{Capability, Dependency, Nevra};
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
        for reason in self.reasons.iter().rev() {
            write!(formatter, "\n  {reason}")?;
        }
        for rejected in &self.rejected {
            write!(formatter, "\n  {} ({}): {}", rejected.nevra, rejected.origin, rejected.why)?;
        }
        if !self.nearest.is_empty() {
            write!(formatter, "\n  spelled alike: {}", self.nearest.join(", "))?;
        }
        Ok(())
    }
}

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
/// only such ones.
pub(crate) fn hopeless(index: &Index<'_>, usable: &[bool]) -> Vec<bool> {
    let mut hopeless: Vec<bool> = usable.iter().map(|usable| !usable).collect();
    loop {
        let mut changed = false;
        for (number, package) in index.packages.iter().enumerate() {
            if !hopeless[number] && package.statements.iter().any(|statement| is_hopeless(statement, &hopeless)) {
                hopeless[number] = true;
                changed = true;
            }
        }
        if !changed {
            return hopeless;
        }
    }
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
    /// Follows a hopeless need to the need that has no provider.
    fn unmet(&mut self, mut reasons: Vec<Reason>, statements: &[Statement]) -> Unmet {
        let failing = statements.iter().find(|statement| is_hopeless(statement, self.hopeless));
        let present: Vec<u32> = failing.map_or_else(Vec::new, |statement| statement.present.clone());
        let dependency = reasons.last().map_or_else(|| Dependency::any(""), |reason| reason.dependency.clone());
        // One provider that would do but for its own needs: those are the cause.
        let deeper =
            present.iter().copied().find(|number| self.usable[*number as usize] && !self.seen.contains(number));
        if let Some(number) = deeper {
            self.seen.insert(number);
            let package = &self.index.packages[number as usize];
            let failing = package.statements.iter().find(|statement| is_hopeless(statement, self.hopeless));
            if let Some((statement, place)) =
                failing.and_then(|statement| Some((statement, required_place(statement)?)))
            {
                reasons.push(reason_of(self.index, package, place));
                return self.unmet(reasons, std::slice::from_ref(statement));
            }
        }
        let mut rejected = Vec::new();
        let named = dependency.capabilities().into_iter().flat_map(|capability| self.index.named_alike(capability));
        let numbers: BTreeSet<u32> = present.into_iter().chain(named).collect();
        for number in numbers.into_iter().take(MOST_REJECTED) {
            let package = &self.index.packages[number as usize];
            let why = self.why_not(number, &dependency);
            let one = Rejected { nevra: package.metadata.nevra.clone(), origin: package.origin(), why };
            // What is promised and what is published often say the same.
            if !rejected.contains(&one) {
                rejected.push(one);
            }
        }
        let nearest = match &dependency {
            Dependency::Capability(capability) if rejected.is_empty() => {
                nearest_names(&capability.name, self.index.known_names())
            }
            _ => Vec::new(),
        };
        Unmet { reasons, dependency, rejected, nearest, story: String::new() }
    }

    fn why_not(&self, number: u32, dependency: &Dependency) -> String {
        let package = &self.index.packages[number as usize];
        if let Some(withheld) = &package.withheld {
            return withheld.clone();
        }
        if self.exclude_source.is_some() && self.index.source_name(package) == self.exclude_source {
            return "built by this very spec".to_owned();
        }
        let offered: Vec<&Capability> = dependency
            .capabilities()
            .into_iter()
            .flat_map(|wanted| package.metadata.provides.iter().filter(|provided| provided.name == wanted.name))
            .collect();
        if !offered.is_empty() && !dependency.capabilities().iter().any(|w| offered.iter().any(|o| o.overlaps(w))) {
            let offered: Vec<_> = offered.iter().map(ToString::to_string).collect();
            return format!("offers {}", offered.join(", "));
        }
        if self.usable[number as usize] { "its own needs cannot be met".to_owned() } else { "not built yet".to_owned() }
    }
}

/// At most this many names are suggested.
const MOST_NEAREST: usize = 3;

/// The names spelled most like one, the nearest first; none where nothing comes near.
pub(crate) fn nearest_names<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let score = |other: &str| {
        let spelled = strsim::jaro_winkler(&name.to_lowercase(), &other.to_lowercase());
        // `zlib1g-dev` for `zlib`: one inside the other is near too.
        let inside = name.len() > 2 && other.len() > 2 && (other.contains(name) || name.contains(other));
        if inside { spelled.max(0.9) } else { spelled }
    };
    let mut scored: Vec<(f64, &str)> =
        known.into_iter().filter(|o| *o != name).map(|other| (score(other), other)).collect();
    scored.retain(|(score, _)| *score > 0.85);
    scored.sort_by(|(left, a), (right, b)| right.total_cmp(left).then_with(|| a.cmp(b)));
    scored.dedup_by(|(_, a), (_, b)| a == b);
    scored.into_iter().take(MOST_NEAREST).map(|(_, name)| name.to_owned()).collect()
}
