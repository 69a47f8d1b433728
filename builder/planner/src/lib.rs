//! Resolves, orders and plans the builds of a tree of RPM specs.
//!
//! Everything here is a pure function of its arguments: no file, clock or environment; rayon spreads what is computed,
//! never what comes out. The flow is
//! [`Universe`] → [`resolve`] → [`BuildGraph`] → [`plan`] → [`Plan`] → [`Queue`].
//!
//! - [`universe`]: what there is: the tree's source packages, the seeds' packages, what is published.
//! - [`predict`](mod@predict): which RPMs a source package will give, before it is built.
//! - [`index`]: every package by name, capability and file; the order in which providers are preferred.
//! - [`clauses`]: dependencies, rich ones included, as clauses.
//! - [`solve`]: install sets of build roots.
//! - [`estimate`]: what a build is expected to take.
//! - [`explain`]: why there is no install set.
//! - [`graph`]: build roots and edges of the whole tree; dot and JSON.
//! - [`cycle`]: source packages that need each other, and the ways out.
//! - [`companions`](mod@companions): what clients need from seeds besides the tree's packages.
//! - [`key`]: the hash of all that goes into a build.
//! - [`plan`](mod@plan): what must be built, and why.
//! - [`queue`]: what may start now.
//! - [`simulate`]: what a run would take.
//! - [`admission`]: which of the jobs that are ready fit beside those that run.
//! - [`queries`]: what people ask about all that: why, who needs, who offers, does it install.

pub mod admission;
pub mod clauses;
pub mod companions;
pub mod cycle;
pub mod estimate;
pub mod explain;
pub mod graph;
pub mod index;
pub mod key;
pub mod plan;
pub mod predict;
pub mod queries;
pub mod queue;
pub mod simulate;
pub mod solve;
pub mod universe;

#[cfg(test)]
mod testing;

pub use admission::{Admission, Claim, Decision, Held, Room};
pub use companions::companions;
pub use cycle::{Cycle, CycleStep, Deferred, NoWayOut, WayOut};
pub use estimate::Estimate;
pub use explain::{Explanation, Rejected, Unmet};
pub use graph::{
    Asker, Blocker, BuildGraph, BuildNode, Edge, LockedBegin, LockedMember, LockedRoot, Member, Reason, Resolution,
    build_root, lock_roots, resolve, resolve_again, resolve_index, to_dot, to_json,
};
pub use index::{Certainty, Index, PackageId};
pub use key::{KeyInputs, key};
pub use plan::{Circumstances, InputDigest, KnownBuild, Plan, PlanError, StaleReason, Targets, plan};
pub use predict::predict;
pub use queue::{JobId, Outcome, Queue, Released, WaitError};
pub use simulate::{Timeline, Workload};
pub use solve::{install_set, install_sets};
pub use universe::{SeedPackage, TreePackage, Universe, Variant};
