//! The build graph: the build root of every source package, and what must be built before what.

mod again;
mod locked;
mod members;
mod output;
mod resolve;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use rpmspec_parser::Place;
use rpmspec_parser::rpm::{Dependency, Nevra};
use serde::{Deserialize, Serialize};

pub use again::Resolution;
pub use locked::{LockedBegin, LockedMember, LockedRoot, lock_roots};
pub(crate) use members::{Members, Shared};
pub use output::{to_dot, to_json};
pub(crate) use resolve::reason_of;
pub use resolve::{build_root, resolve, resolve_again, resolve_index};

use crate::{Cycle, Deferred, Explanation, PackageId, WayOut};

/// Who states a dependency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asker {
    /// The spec that is to be built, by `BuildRequires`.
    Spec,
    /// The spec that is to be built, by what its `%generate_buildrequires` wrote, whose place is known then, or by
    /// what macros in its build root made of it.
    Generated,
    /// The implicit set of every build root.
    Base,
    /// A lock, which decides instead of anyone's needs.
    Lock,
    /// A package that is installed.
    Package(Nevra),
}

/// Why a package is in a build root: who asks, for what, at which place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reason {
    /// Who asks.
    pub asker: Asker,
    /// For what.
    pub dependency: Dependency,
    /// Where that is written, if it is written in the tree.
    pub place: Option<Place>,
}

/// One package of a build root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Where its header is in the [`Universe`](crate::Universe).
    pub id: PackageId,
    /// Its identity; for a predicted package, what it will be.
    pub nevra: Nevra,
    /// The source package of the tree it is built from; `None` for a seed's package.
    pub source: Option<String>,
    /// The seed it comes from; `None` for a package of the tree.
    pub seed: Option<String>,
    /// The first reason found, going out from what the spec and the base ask for.
    pub reason: Reason,
}

/// A source package that another one needs to be built, or to be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The source package that is needed.
    pub to: String,
    /// Its binary package that is needed.
    pub package: Arc<Nevra>,
    /// How the need comes about: the spec's own dependency first, each next one stated by the package the one
    /// before brought in, the last met by `package`. Edges share what they have in common.
    pub reasons: Vec<Arc<Reason>>,
}

/// Why a source package cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Blocker {
    /// Several specs have the same name; none of them is used.
    #[error("{} all define the source package `{name}`; keep one of them", .specs.join(" and "))]
    DuplicateName {
        /// The name they share.
        name: String,
        /// The specs, sorted.
        specs: Vec<String>,
    },
    /// Several specs build a binary package of the same name; none of them is used.
    #[error("{} both build the package `{package}`; rename it in one of them", .specs.join(" and "))]
    DuplicatePackage {
        /// The binary package.
        package: String,
        /// The specs, sorted.
        specs: Vec<String>,
    },
    /// `ExclusiveArch` or `ExcludeArch` keeps it from being built for this architecture.
    #[error("`{name}` is not for {arch} (ExclusiveArch: {}; ExcludeArch: {})", .only.join(" "), .not.join(" "))]
    ExcludedArchitecture {
        /// The source package.
        name: String,
        /// The architecture asked for.
        arch: String,
        /// `ExclusiveArch`.
        only: Vec<String>,
        /// `ExcludeArch`.
        not: Vec<String>,
    },
    /// Its build root has no solution.
    #[error("{explanation}")]
    Unresolvable {
        /// Who asks for what, and why nothing will do.
        explanation: Explanation,
    },
    /// It takes part in a cycle, or in several that share packages.
    #[error("{cycle}")]
    Cycle {
        /// The shortest way around.
        cycle: Arc<Cycle>,
    },
    /// Something it needs is blocked.
    #[error("it needs {}, which cannot be built", .names.join(", "))]
    BlockedBy {
        /// The needed source packages that are blocked themselves, sorted.
        names: Vec<String>,
    },
}

/// A source package in the graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildNode {
    /// The source package's name.
    pub name: String,
    /// Its spec's path, relative to the tree.
    pub spec: String,
    /// The RPMs it gives, as far as they are known before it is built.
    pub packages: Vec<Nevra>,
    /// What its build root holds, sorted by name; empty when it is blocked by itself. Build roots share
    /// what they have in common.
    pub build_root: Vec<Arc<Member>>,
    /// Whether `build_root` was solved with real headers only, so that it is what a build would get now.
    pub exact: bool,
    /// The first of `packages` that is not published; `None` once all are.
    pub unpublished: Option<Nevra>,
    /// The source packages its build root draws on, sorted, one edge a source package.
    pub needs: Vec<Arc<Edge>>,
    /// The source packages its RPMs need once installed, sorted, one edge a source package; they do not
    /// order builds.
    pub runtime_needs: Vec<Arc<Edge>>,
    /// What its RPMs require and neither tree nor seeds offer. This does not keep it from being built.
    pub unmet_at_run_time: Vec<Reason>,
    /// The source packages of its own cycles that its build root draws on and that are built after it nevertheless;
    /// they are not among `needs`. Sorted, one edge a source package.
    #[serde(default)]
    pub deferred: Vec<Deferred>,
    /// Why it cannot be built, if so.
    pub blocker: Option<Blocker>,
}

impl BuildNode {
    /// The source packages that are built after it although its build root draws on them.
    #[must_use]
    pub fn deferred_sources(&self) -> BTreeSet<String> {
        self.deferred.iter().map(|deferred| deferred.edge.to.clone()).collect()
    }

    /// Whether it is to be built as its bootstrap variant now.
    #[must_use]
    pub fn is_variant(&self) -> bool {
        self.deferred.iter().any(|deferred| deferred.way_out == WayOut::Variant)
    }
}

/// Every source package of the tree with its build root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildGraph {
    /// The architecture it was resolved for.
    pub arch: String,
    /// The source packages by name.
    pub nodes: BTreeMap<String, BuildNode>,
    /// The cycles found, one for each group of packages that need each other.
    pub cycles: Vec<Arc<Cycle>>,
}

impl BuildGraph {
    /// The source packages that must be built before one can be, directly or not, itself not among them; sorted.
    /// A build root draws on the published RPMs of these and of no others.
    #[must_use]
    pub fn needed_sources(&self, name: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![name];
        while let Some(name) = open.pop() {
            for edge in self.nodes.get(name).into_iter().flat_map(|node| &node.needs) {
                if found.insert(edge.to.clone()) {
                    open.push(&edge.to);
                }
            }
        }
        found.remove(name);
        found
    }

    /// The source packages that are to be built as their bootstrap variants now, to open a cycle.
    #[must_use]
    pub fn variants(&self) -> BTreeSet<String> {
        self.nodes.values().filter(|node| node.is_variant()).map(|node| node.name.clone()).collect()
    }
}

impl Edge {
    /// Its reasons, for an answer of its own.
    pub(crate) fn all_reasons(&self) -> Vec<Reason> {
        self.reasons.iter().map(|reason| Reason::clone(reason)).collect()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.asker {
            Asker::Spec => write!(formatter, "the spec asks for `{}`", self.dependency)?,
            Asker::Generated if self.place.is_some() => {
                write!(formatter, "%generate_buildrequires asks for `{}`", self.dependency)?;
            }
            Asker::Generated => write!(formatter, "the spec, read in its build root, asks for `{}`", self.dependency)?,
            Asker::Base => write!(formatter, "every build root has `{}`", self.dependency)?,
            Asker::Lock => write!(formatter, "the lock has `{}`", self.dependency)?,
            Asker::Package(nevra) => write!(formatter, "{nevra} requires `{}`", self.dependency)?,
        }
        match &self.place {
            Some(place) => write!(formatter, " at {place}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
