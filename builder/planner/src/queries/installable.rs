//! Which packages of a repository can be installed from it alone, and what keeps the others from it.
//!
//! Most answers come without search: one set of packages that can be installed together is grown as far as it goes
//! ([`Witness`]); every package in it can be installed. What does not fit in is tried with a set of its own, and only
//! what is left goes to the solver. So a repository without trouble costs about one look at every dependency.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use rpmspec_parser::rpm::{Dependency, Nevra, PackageMetadata};
use serde::Serialize;

use super::json;
use super::witness::Witness;
use crate::explain::{hopeless, is_hopeless, unmet_needs};
use crate::index::StatementKind;
use crate::solve::{Stock, required_place, solve_package, usable};
use crate::{Asker, Index, PackageId, Reason, SeedPackage, Universe, Unmet};

/// Two packages that are both needed and cannot both be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Clash {
    /// The package that refuses the other.
    #[serde(serialize_with = "json::text")]
    pub package: Nevra,
    /// How it comes in; empty for the package that is to be installed.
    #[serde(serialize_with = "json::reasons")]
    pub because: Vec<Reason>,
    /// How, as words between the two: ``conflicts with `x < 2`, refusing``, `has the same name as`.
    pub refuses: String,
    /// The package it refuses.
    #[serde(serialize_with = "json::text")]
    pub other: Nevra,
    /// How that comes in; empty for the package that is to be installed.
    #[serde(serialize_with = "json::reasons")]
    pub other_because: Vec<Reason>,
}

/// What keeps a package from being installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// Nothing in the repository meets a need.
    Unmet(#[serde(serialize_with = "json::unmet")] Unmet),
    /// Packages without which it cannot be refuse each other.
    Clash(Box<Clash>),
    /// Every choice of providers ends in a conflict: the statements that cannot all hold, one a line, or in one line why
    /// the package is never used.
    Excluding(String),
}

/// A package that cannot be installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The package.
    #[serde(serialize_with = "json::text")]
    pub package: Nevra,
    /// Why; never empty.
    pub troubles: Vec<Trouble>,
}

/// The answer to `installable`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Installability {
    /// How many packages were checked.
    pub checked: usize,
    /// Those that cannot be installed, by NEVRA.
    pub broken: Vec<Broken>,
}

/// Checks whether packages of a repository can be installed from it alone: all, or those whose place in the list is
/// `asked` for. Packages of other architectures than `arch` and `noarch` are left out. Files that two packages both
/// have are not looked at.
#[must_use]
pub fn installable(packages: Vec<PackageMetadata>, arch: &str, asked: Option<&BTreeSet<usize>>) -> Installability {
    let seeds = packages.into_iter().map(|metadata| SeedPackage { seed: String::new(), metadata }).collect();
    let universe = Universe { seeds, arch: arch.to_owned(), ..Universe::default() };
    let index = Index::new(&universe);
    let usable = usable(&index, None, Stock::Predicted);
    let hopeless = hopeless(&index, &usable);
    let is_asked = |number: &u32| match index.packages[*number as usize].id {
        PackageId::Seed(place) => asked.is_none_or(|asked| asked.contains(&place)),
        _ => false,
    };
    let mut numbers: Vec<u32> = (0u32..).take(index.packages.len()).filter(is_asked).collect();
    numbers.sort_by_key(|number| (&index.packages[*number as usize].metadata.nevra, *number));
    let mut answer = Installability { checked: numbers.len(), broken: Vec::new() };
    let mut proven = vec![false; index.packages.len()];
    let mut together = Witness::new(&index, &hopeless);
    for number in numbers {
        if proven[number as usize] || together.has(number) {
            continue;
        }
        let troubles = if hopeless[number as usize] {
            unmet(&index, number, &usable, &hopeless)
        } else if together.add(number) || Witness::new(&index, &hopeless).add(number) {
            Vec::new()
        } else {
            match solve_package(&index, number, &usable) {
                Ok(members) => {
                    members.into_iter().for_each(|member| proven[member as usize] = true);
                    Vec::new()
                }
                Err(story) => vec![match clash(&index, number, &hopeless) {
                    Some(clash) => Trouble::Clash(Box::new(clash)),
                    None => Trouble::Excluding(story),
                }],
            }
        };
        if !troubles.is_empty() {
            answer.broken.push(Broken { package: index.packages[number as usize].metadata.nevra.clone(), troubles });
        }
    }
    answer
}

/// The needs of a package that nothing meets, followed to what is missing.
fn unmet(index: &Index<'_>, number: u32, usable: &[bool], hopeless: &[bool]) -> Vec<Trouble> {
    let package = &index.packages[number as usize];
    if let Some(withheld) = &package.withheld {
        return vec![Trouble::Excluding(withheld.clone())];
    }
    let statements = package.statements.iter().filter(|statement| is_hopeless(statement, hopeless));
    let places: BTreeSet<usize> = statements.filter_map(required_place).collect();
    let reasons = places.into_iter().map(|place| reason(index, number, place));
    unmet_needs(index, reasons, None, usable, hopeless).into_iter().map(Trouble::Unmet).collect()
}

fn reason(index: &Index<'_>, number: u32, place: usize) -> Reason {
    let metadata = &index.packages[number as usize].metadata;
    Reason { asker: Asker::Package(metadata.nevra.clone()), dependency: metadata.requires[place].clone(), place: None }
}

/// The packages that one cannot do without, each with who asks for it by which of its needs.
type Forced = BTreeMap<u32, Option<(u32, usize)>>;

/// Follows needs that only one package meets until two of those packages refuse each other.
fn clash(index: &Index<'_>, number: u32, hopeless: &[bool]) -> Option<Clash> {
    let mut forced: Forced = BTreeMap::from([(number, None)]);
    let mut names = BTreeMap::from([(index.packages[number as usize].name, number)]);
    let mut open = VecDeque::from([number]);
    let mut seen = Vec::new();
    while let Some(number) = open.pop_front() {
        seen.push(number);
        // What was found may turn a condition of what was seen before, so all is looked at again.
        for asker in seen.iter().copied() {
            for statement in &index.packages[asker as usize].statements {
                let there = |numbers: &Vec<u32>| numbers.iter().copied().find(|other| forced.contains_key(other));
                let conditions: Option<Vec<u32>> = statement.absent.iter().map(there).collect();
                let Some(conditions) = conditions else { continue };
                let mut choices = statement.present.iter().copied().filter(|other| !hopeless[*other as usize]);
                if choices.clone().any(|other| forced.contains_key(&other)) {
                    continue;
                }
                match (choices.next(), choices.next(), conditions.first()) {
                    (None, _, Some(other)) => {
                        return Some(told(index, &forced, asker, &refusal(index, asker, statement.kind), *other));
                    }
                    (Some(only), None, _) => {
                        let place = required_place(statement)?;
                        forced.insert(only, Some((asker, place)));
                        let name = index.packages[only as usize].name;
                        if let Some(other) = names.insert(name, only) {
                            return Some(told(index, &forced, only, "has the same name as", other));
                        }
                        open.push_back(only);
                    }
                    _ => {}
                }
            }
        }
    }
    None
}

fn refusal(index: &Index<'_>, number: u32, kind: StatementKind) -> String {
    let metadata = &index.packages[number as usize].metadata;
    let (verb, what): (_, Dependency) = match kind {
        StatementKind::Requires(place) => ("needs", metadata.requires[place].clone()),
        StatementKind::Conflicts(place) => ("conflicts with", metadata.conflicts[place].clone()),
        StatementKind::Obsoletes(place) => ("obsoletes", Dependency::Capability(metadata.obsoletes[place].clone())),
    };
    format!("{verb} `{what}`, refusing")
}

fn told(index: &Index<'_>, forced: &Forced, package: u32, refuses: &str, other: u32) -> Clash {
    let nevra = |number: u32| index.packages[number as usize].metadata.nevra.clone();
    let because = |mut number: u32| {
        let mut reasons = Vec::new();
        while let Some(Some((asker, place))) = forced.get(&number) {
            reasons.push(reason(index, *asker, *place));
            number = *asker;
        }
        reasons.reverse();
        reasons
    };
    Clash {
        package: nevra(package),
        because: because(package),
        refuses: refuses.to_owned(),
        other: nevra(other),
        other_because: because(other),
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unmet(unmet) => unmet.fmt(formatter),
            Self::Clash(clash) => clash.fmt(formatter),
            Self::Excluding(story) => write!(formatter, "what it needs excludes each other:{story}"),
        }
    }
}

impl fmt::Display for Clash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {}", self.package, self.refuses, self.other)?;
        self.because.iter().chain(&self.other_because).try_for_each(|reason| write!(formatter, "\n  {reason}"))
    }
}

impl fmt::Display for Installability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for broken in &self.broken {
            writeln!(formatter, "{} cannot be installed:", broken.package)?;
            for trouble in &broken.troubles {
                writeln!(formatter, "  {}", trouble.to_string().replace('\n', "\n  "))?;
            }
        }
        let good = self.checked - self.broken.len();
        writeln!(formatter, "{good} of {} packages can be installed", self.checked)
    }
}
