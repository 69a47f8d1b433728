//! Who offers a capability, in the order in which the resolver prefers them.

use std::fmt;

use rpmspec_parser::Place;
use rpmspec_parser::rpm::{Capability, Dependency, Nevra};
use rpmspec_parser::spec::Located;
use serde::Serialize;

use super::json;
use crate::clauses::required;
use crate::index::Package;
use crate::solve::{Request, Stock, solve, usable};
use crate::{Asker, Certainty, Index};

/// Where a package comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A spec of the tree builds it.
    Tree {
        /// The source package.
        source: String,
        /// The spec's path, relative to the tree.
        spec: String,
        /// Where the spec says what is asked for, if it says so in words.
        #[serde(serialize_with = "json::maybe_text")]
        place: Option<Place>,
        /// Whether its RPM is published, and its real header was read.
        published: bool,
    },
    /// A seed has it.
    Seed {
        /// The seed's name.
        name: String,
    },
}

/// A package that offers what is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// The package.
    #[serde(serialize_with = "json::text")]
    pub package: Nevra,
    /// Where it comes from.
    pub origin: Origin,
    /// How sure it is.
    pub certainty: Certainty,
    /// What it offers under that name; `None` for a file, or where it is only possible.
    #[serde(serialize_with = "json::maybe_text")]
    pub provides: Option<Capability>,
    /// Whether a build root that asks for this gets it.
    pub chosen: bool,
    /// Why it can never be used, if so.
    pub unusable: Option<String>,
}

/// One condition a dependency stands for: a capability has one, `(a and b)` two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alternatives {
    /// One of these must be there…
    pub any_of: Vec<String>,
    /// …unless one of these is not.
    pub unless_absent: Vec<String>,
    /// Who offers one of the first, the preferred first; what can never be used last.
    pub offers: Vec<Offer>,
}

/// The answer to `what-provides`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offers {
    /// What was asked for.
    #[serde(serialize_with = "json::text")]
    pub wanted: Dependency,
    /// The conditions it stands for.
    pub alternatives: Vec<Alternatives>,
    /// Why no build root can have it, if so.
    pub unmet: Option<String>,
    /// Names spelled alike, where nothing offers it.
    pub nearest: Vec<String>,
}

impl Offers {
    /// Whether every condition has somebody who meets it, or needs nobody.
    #[must_use]
    pub fn is_met(&self) -> bool {
        let is_usable = |offer: &Offer| offer.unusable.is_none();
        let is_met = |one: &Alternatives| one.offers.iter().any(is_usable) || !one.unless_absent.is_empty();
        self.alternatives.iter().all(is_met)
    }
}

/// Who offers what a dependency asks for, versions compared as rpm does. The order is that of needs which the tree
/// states; what is published counts with its real header, the rest with what its spec promises.
#[must_use]
pub fn what_provides(index: &Index<'_>, wanted: &Dependency) -> Offers {
    let usable = usable(index, None, Stock::Mixed);
    let needs = [Located::new(wanted.clone(), None)];
    let solution = solve(
        index,
        Request { needs: &needs, generated: &[], refuses: &[], exclude_source: None, stock: Stock::Mixed },
    );
    let members = solution.as_ref().map(|members| &**members).unwrap_or_default();
    let mut alternatives = Vec::new();
    for clause in required(wanted).unwrap_or_default() {
        let mut offers: Vec<Offer> = Vec::new();
        let mut is_chosen = false;
        for (number, certainty) in index.offers(&clause.present) {
            let package = &index.packages[number as usize];
            // A promise of which the real header is there is of no interest.
            if !usable[number as usize] && package.withheld.is_none() {
                continue;
            }
            let chosen = !is_chosen && members.contains(&number);
            is_chosen |= chosen;
            offers.push(offer(index, package, &clause.present, certainty, chosen));
        }
        offers.sort_by_key(|offer| offer.unusable.is_some());
        alternatives.push(Alternatives {
            any_of: clause.present.iter().map(ToString::to_string).collect(),
            unless_absent: clause.absent.iter().map(ToString::to_string).collect(),
            offers,
        });
    }
    let unmet = solution.err().map(|mut explanation| {
        // Nobody but the user asks.
        explanation.unmet.iter_mut().for_each(|unmet| unmet.reasons.retain(|reason| reason.asker != Asker::Spec));
        explanation.to_string()
    });
    let mut answer = Offers { wanted: wanted.clone(), alternatives, unmet, nearest: Vec::new() };
    if !answer.is_met() {
        let known = index.known_names();
        let unknown = wanted.capabilities().into_iter().filter(|capability| !known.contains(&*capability.name));
        answer.nearest = unknown.flat_map(|capability| index.nearest(&capability.name)).collect();
        answer.nearest.dedup();
    }
    answer
}

fn offer(index: &Index<'_>, package: &Package<'_>, asked: &[&Dependency], certainty: Certainty, chosen: bool) -> Offer {
    let asked: Vec<&Capability> = asked.iter().flat_map(|dependency| dependency.capabilities()).collect();
    let is_meant =
        |provided: &&Capability| asked.iter().any(|asked| asked.name == provided.name && provided.overlaps(asked));
    let provides = package.metadata.provides.iter().find(is_meant).cloned();
    let origin = match package.tree {
        None => Origin::Seed { name: package.seed.unwrap_or_default().to_owned() },
        Some(place) => {
            let tree = &index.universe.tree[place];
            let stated = tree.source.packages.iter().find(|stated| stated.name == package.metadata.nevra.name);
            let mut stated = stated.into_iter().flat_map(|stated| &stated.provides);
            let line = stated.find(|stated| provides.as_ref().is_some_and(|provided| stated.value == *provided));
            Origin::Tree {
                source: tree.source.name.clone(),
                spec: tree.spec.clone(),
                place: line.and_then(|line| line.place.clone()),
                published: matches!(package.id, crate::PackageId::Published(_)),
            }
        }
    };
    Offer {
        package: package.metadata.nevra.clone(),
        origin,
        certainty,
        provides,
        chosen,
        unusable: package.withheld.clone(),
    }
}

impl fmt::Display for Offers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for one in &self.alternatives {
            if self.alternatives.len() > 1 || !one.unless_absent.is_empty() {
                let unless: Vec<_> = one.unless_absent.iter().map(|name| format!("{name} is absent")).collect();
                let unless =
                    if unless.is_empty() { String::new() } else { format!(", unless {}", unless.join(" or ")) };
                writeln!(formatter, "one of: {}{unless}", one.any_of.join(", "))?;
            }
            for offer in &one.offers {
                let mark = if offer.chosen { '*' } else { ' ' };
                writeln!(formatter, "{mark} {offer}")?;
            }
        }
        match &self.unmet {
            Some(unmet) if self.is_met() => writeln!(formatter, "no build root can have it: {unmet}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ", self.package)?;
        match &self.origin {
            Origin::Tree { place: Some(place), .. } => write!(formatter, "(tree: {place})")?,
            Origin::Tree { spec, .. } => write!(formatter, "(tree: {spec})")?,
            Origin::Seed { name } => write!(formatter, "(seed {name})")?,
        }
        if let Some(provides) = &self.provides {
            write!(formatter, " offers {provides}")?;
        }
        match self.certainty {
            Certainty::Certain => {}
            Certainty::Inherited => formatter.write_str(", as the seed's package of this name does")?,
            Certainty::Possible => formatter.write_str(", if its %files bring it")?,
        }
        match &self.unusable {
            Some(why) => write!(formatter, "; not used: {why}"),
            None => Ok(()),
        }
    }
}
