//! Isolated environments to run commands in, from layers of files. Knows nothing of RPM.
//!
//! A [`Sandbox`] starts [`Session`]s: a stack of read-only layers with a private writable top, in which
//! commands run one after the other without a network, and from which files are copied out. Three
//! implementations keep the same promises: `docker` (a Docker Engine), `linux` (namespaces and overlayfs,
//! no daemon) and `fake` (scripted, for tests of callers).

pub mod docker;
mod error;
pub mod fake;
pub mod linux;
mod session;
mod spec;
mod usage;
mod watch;

pub use error::SandboxError;
pub use session::{ExecStatus, OutputSink, Sandbox, Session};
pub use spec::{Bind, ExecSpec, Limits, SessionSpec, User};
pub use usage::Usage;
