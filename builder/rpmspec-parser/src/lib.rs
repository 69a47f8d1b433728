//! Evaluates RPM spec files exactly as rpm does, without rpm.
//!
//! The crate is pure: it reads no file, starts no process and asks no clock. Whatever a spec wants
//! from outside goes through [`World`], which the caller can refuse, sandbox, record or replay.
//!
//! - [`rpm`]: the types of RPM itself (EVR, NEVRA, capabilities, dependencies), shared by all crates.
//! - [`macros`]: the macro engine: definitions, scopes, expansion, expressions, Lua.
//! - [`spec`]: spec files: conditionals, sections, tags, subpackages, and what they evaluate to.
//! - [`diagnostic`]: errors and warnings with places and the macro expansions that led there.
//! - [`world`]: the one door to the outside.

pub mod diagnostic;
pub mod macros;
pub mod rpm;
pub mod spec;
pub mod world;

pub use diagnostic::{Diagnostic, Place, Severity};
pub use macros::{MacroContext, Macros, PreparedContext};
pub use spec::{Evaluation, Options, SourcePackage, evaluate, evaluate_prepared};
pub use world::World;
