//! What stands in for a package that is built later.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use rpmspec_parser::rpm::Nevra;
use rpmspec_parser::spec::Located;
use serde::{Deserialize, Serialize};

use crate::graph::{Members, Shared};
use crate::solve::search::Room;
use crate::solve::{Deferring, Stock, Whose, solve_source, usable};
use crate::{Edge, Index, Member, PackageId};

/// How a package is built before something that its build root draws on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum WayOut {
    /// With what is published of it, of this version or another one.
    Published {
        /// The package.
        package: Nevra,
    },
    /// As its bootstrap variant, which does without.
    Variant,
    /// With a seed's package.
    Seed {
        /// The package.
        package: Nevra,
        /// The seed.
        seed: String,
    },
    /// Without: what else its build root holds meets the need.
    Without,
}

/// A need that is left out of the order of builds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deferred {
    /// The need.
    pub edge: Arc<Edge>,
    /// What is done until what is needed is built.
    pub way_out: WayOut,
}

impl fmt::Display for WayOut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Published { package } => write!(formatter, "with {package} as published"),
            Self::Variant => formatter.write_str("as its bootstrap variant"),
            Self::Seed { package, seed } => write!(formatter, "with {package} of seed {seed}"),
            Self::Without => formatter.write_str("without it"),
        }
    }
}

/// Why a need cannot be deferred.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoWayOut {
    /// The source package that needs.
    pub from: String,
    /// The source package that is needed.
    pub to: String,
    /// Why its bootstrap variant does not help.
    pub variant: String,
    /// Why what is published does not help.
    pub published: String,
    /// Why seeds do not help.
    pub seed: String,
}

impl fmt::Display for NoWayOut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, variant, published, seed } = self;
        write!(formatter, "no way to build {from} before {to}: {variant}; {published}; {seed}")
    }
}

/// Which ways out may be taken, each with those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Variants,
    Seeds,
    Published,
}

impl Level {
    pub(super) const ALL: [Self; 3] = [Self::Variants, Self::Seeds, Self::Published];
}

/// Whether a source package can be built before these others, by which ways out.
type Question = (String, BTreeSet<String>, Level);

/// A build root in which something is deferred.
pub(super) struct Root {
    /// The packages' numbers.
    numbers: Vec<u32>,
    pub(super) members: Vec<Arc<Member>>,
    /// The source packages of the tree that it draws on.
    pub(super) needs: Vec<Arc<Edge>>,
}

/// Answers, each found once, whether build roots can do without some source packages.
pub(super) struct Ways<'i> {
    pub(super) index: &'i Index<'i>,
    known: RefCell<BTreeMap<Question, bool>>,
    /// Of the searches; the answers depend on the clauses of the packages that these looked at.
    room: RefCell<Room>,
}

impl<'i> Ways<'i> {
    pub(super) fn new(index: &'i Index<'i>) -> Self {
        Self { index, known: RefCell::default(), room: RefCell::default() }
    }

    /// The packages whose clauses the answers so far depend on, as far as they are yes or no.
    pub(super) fn into_looked_at(self) -> Vec<u32> {
        self.room.into_inner().looked_at
    }

    /// Whether a source package can be built before these others that it needs.
    pub(super) fn allow(&self, name: &str, deferred: &BTreeSet<String>, level: Level) -> bool {
        let Some(place) = self.index.sources.get(name).copied() else { return false };
        let key = (name.to_owned(), deferred.clone(), level);
        if let Some(known) = self.known.borrow().get(&key) {
            return *known;
        }
        let answer = match level {
            Level::Variants => self.variant(place, deferred).is_some(),
            Level::Seeds => self.allow(name, deferred, Level::Variants) || self.root(place, deferred, false).is_some(),
            Level::Published => self.allow(name, deferred, Level::Seeds) || self.root(place, deferred, true).is_some(),
        };
        self.known.borrow_mut().insert(key, answer);
        answer
    }

    /// The build root of the bootstrap variant, if there is one that does without these source packages.
    fn variant(&self, place: usize, deferred: &BTreeSet<String>) -> Option<Root> {
        let tree = &self.index.universe.tree[place];
        if tree.is_variant || tree.other.is_none() {
            return None;
        }
        let root = self.solve(Whose { place, as_variant: true }, Stock::Predicted)?;
        (!root.needs.iter().any(|edge| deferred.contains(&edge.to))).then_some(root)
    }

    /// The build root with seeds, or what is published, in place of these source packages.
    fn root(&self, place: usize, sources: &BTreeSet<String>, published: bool) -> Option<Root> {
        self.solve(Whose::stands(place), Stock::Deferring(Deferring { sources, published, within: None }))
    }

    fn solve(&self, whose: Whose, stock: Stock<'_>) -> Option<Root> {
        let (usable, mut room) = (usable(self.index, None, stock), self.room.borrow_mut());
        let numbers = solve_source(self.index, whose, stock, &usable, &mut room).ok()?;
        let found = Members::find(self.index, whose, &numbers);
        let mut shared = Shared::default();
        let (members, needs) = (found.build_root(&mut shared), found.edges(&mut shared));
        Some(Root { numbers, members, needs })
    }

    /// The build root that a source package gets now if these needs are deferred, and what stands in for each.
    pub(super) fn take(&self, name: &str, deferred: Vec<Arc<Edge>>) -> Option<(Root, Vec<Deferred>)> {
        let place = self.index.sources.get(name).copied()?;
        let sources = deferred.iter().map(|edge| edge.to.clone()).collect();
        let root = self.root(place, &sources, true);
        let is_published =
            |edge: &Arc<Edge>| root.iter().flat_map(|root| &root.needs).any(|published| published.to == edge.to);
        let variant = match deferred.iter().all(is_published) {
            true => None,
            false => self.variant(place, &sources),
        };
        let is_variant = variant.is_some();
        let root = variant.or(root)?;
        let way_out = |edge: &Edge| if is_variant { WayOut::Variant } else { self.stand_in(&root, edge) };
        let deferred = deferred.into_iter().map(|edge| Deferred { way_out: way_out(&edge), edge }).collect();
        Some((root, deferred))
    }

    /// What a build root holds in place of a source package.
    fn stand_in(&self, root: &Root, edge: &Edge) -> WayOut {
        let packages = || root.numbers.iter().map(|number| (*number, &self.index.packages[*number as usize]));
        let of_source = packages().find(|(_, package)| self.index.source_name(package) == Some(&*edge.to));
        if let Some((_, package)) = of_source {
            return WayOut::Published { package: package.metadata.nevra.clone() };
        }
        let wanted = edge.reasons.last().map(|reason| Located::new(reason.dependency.clone(), None));
        let statements = self.index.outer_statements(wanted.as_slice(), &[], true).unwrap_or_default();
        let meets = |number: u32| statements.iter().any(|statement| statement.present.contains(&number));
        let namesake = packages().find(|(_, package)| package.metadata.nevra.name == edge.package.name);
        match namesake.or_else(|| packages().find(|(number, _)| meets(*number))) {
            Some((_, package)) if matches!(package.id, PackageId::Seed(_)) => WayOut::Seed {
                package: package.metadata.nevra.clone(),
                seed: package.seed.unwrap_or_default().to_owned(),
            },
            _ => WayOut::Without,
        }
    }

    /// Why one need cannot be deferred, besides those of the same package that are already.
    pub(super) fn refusal(&self, from: &str, to: &str, mut sources: BTreeSet<String>) -> Option<NoWayOut> {
        let place = self.index.sources.get(from).copied()?;
        let tree = &self.index.universe.tree[place];
        sources.insert(to.to_owned());
        let seed = Stock::Deferring(Deferring { sources: &sources, published: false, within: None });
        let usable = usable(self.index, None, seed);
        let explanation = solve_source(self.index, Whose::stands(place), seed, &usable, &mut Room::default()).err();
        let first = explanation.and_then(|explanation| Some(explanation.to_string().lines().next()?.to_owned()));
        let is_published = self.index.packages.iter().any(|package| {
            matches!(package.id, PackageId::Published(_)) && self.index.source_name(package) == Some(to)
        });
        Some(NoWayOut {
            from: from.to_owned(),
            to: to.to_owned(),
            variant: match tree.other {
                None => format!("the stage declares no bootstrap variant of {from}"),
                Some(_) => format!("the bootstrap variant of {from} needs that too"),
            },
            published: match is_published {
                true => format!("what is published of {to} does not do"),
                false => format!("nothing of {to} is published"),
            },
            seed: first.map_or_else(
                || "a seed alone would do, but not for all cycles of the group".to_owned(),
                |first| format!("with seeds alone {first}"),
            ),
        })
    }
}
