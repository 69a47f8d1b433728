//! The types of RPM itself, shared by every crate of the workspace.

mod dependency;
mod evr;
mod metadata;
mod nevra;

pub use dependency::{Capability, Dependency, ParseDependencyError, Relation, Rich, RichOperator};
pub use evr::{Evr, compare_versions};
pub use metadata::PackageMetadata;
pub use nevra::Nevra;
