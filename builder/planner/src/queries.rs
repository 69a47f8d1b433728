//! Questions about a tree and its repository, answered with reasons.
//!
//! - [`why`], [`build_root_of`]: what a build root holds, and what had to be built before.
//! - [`rdeps`]: who needs a package, and what a change of it rebuilds.
//! - [`what_provides`]: who offers a capability, the preferred first.
//! - [`installable`]: which packages of a repository clients can install.
//!
//! Answers are values: printed by their `Display`, or serialized with packages, dependencies and places as text.

mod installable;
mod json;
mod names;
mod offers;
mod rdeps;
mod why;
mod witness;

pub use installable::{Broken, Clash, Installability, Trouble, installable};
pub use names::UnknownName;
pub use offers::{Alternatives, Offer, Offers, Origin, what_provides};
pub use rdeps::{Dependant, Dependants, NeedKind, RdepsOptions, rdeps};
pub use why::{How, RootMember, RootOf, Step, Why, WhyError, build_root_of, why};

#[cfg(test)]
mod tests;
