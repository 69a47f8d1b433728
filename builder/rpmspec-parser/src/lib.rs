//! Evaluates RPM spec files exactly as rpm does, without rpm.
//!
//! The crate is pure: it reads no file, starts no process and asks no clock. Whatever a spec wants
//! from outside goes through [`World`], which the caller can refuse, sandbox, record or replay.
//!
//! - [`rpm`]: the types of RPM itself (EVR, NEVRA, capabilities, dependencies), shared by all crates.
//! - [`macros`]: the macro engine: definitions, scopes, expansion, expressions, Lua.
//! - [`spec`]: spec files: conditionals, sections, tags, subpackages, and what they evaluate to.
//! - [`tree`]: spec files as they are written, byte for byte, for editing them.
//! - [`diagnostic`]: errors and warnings with places and the macro expansions that led there.
//! - [`shell`]: plain shell commands, answered without a shell.
//! - [`world`]: the one door to the outside.
//! - [`recording`]: what came in by it, for caches of evaluated specs.
//!
//! A context is read once and shared by any number of specs, on any number of threads:
//!
//! ```
//! use rpmspec_parser::world::NoWorld;
//! use rpmspec_parser::{MacroContext, Options, PreparedContext, evaluate_prepared};
//!
//! let context = PreparedContext::new(&MacroContext {
//!     files: vec![("macros".into(), "%dist .x1\n%buildroot /build/%{NAME}\n".into())],
//!     target_cpu: "x86_64".into(),
//!     target_os: "linux".into(),
//!     ..MacroContext::default()
//! });
//! let spec = "Name: hello\nVersion: 1.0\nRelease: 1%{?dist}\nSummary: Greets\nLicense: MIT\n\
//!     BuildRequires: gcc, (make or ninja)\n%description\nGreets.\n%files\n/usr/bin/%{name}\n";
//! let evaluation = evaluate_prepared(spec, &context, &NoWorld, &Options { path: "hello.spec".into() });
//! let package = evaluation.package.expect("nothing is wrong with it");
//! assert_eq!(package.evr().to_string(), "1.0-1.x1");
//! assert_eq!(package.build_requires[0].value.to_string(), "(make or ninja)");
//! assert_eq!(package.packages[0].files.as_deref(), Some(&["/usr/bin/hello".to_owned()][..]));
//! ```

pub mod diagnostic;
pub mod macros;
pub mod recording;
pub mod rpm;
pub mod shell;
pub mod spec;
pub mod tree;
pub mod world;

pub use diagnostic::{Diagnostic, Place, Severity};
pub use macros::{MacroContext, Macros, PreparedContext, RpmVersion, TraceStep};
pub use spec::{Evaluation, Observer, Options, SourcePackage, evaluate, evaluate_observed, evaluate_prepared};
pub use world::World;

/// The examples of the README run too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
