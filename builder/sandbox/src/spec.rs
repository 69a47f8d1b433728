//! What is asked of a sandbox: sessions, commands, users, limits.

use std::path::PathBuf;
use std::time::Duration;

/// Who a command runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// The session's root, without the host's powers: installs packages.
    Root,
    /// An ordinary user (uid and gid 1000): runs builds.
    Builder,
}

/// A directory of the host shown read-only inside a session.
#[derive(Clone, Debug)]
pub struct Bind {
    /// Where it is on the host.
    pub host: PathBuf,
    /// Where the session sees it, absolute.
    pub guest: PathBuf,
}

/// Limits of a session; `None` means no limit of its own.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Number of processes.
    pub processes: Option<u64>,
    /// CPUs, as a share of one (2.0 is two CPUs).
    pub cpus: Option<f64>,
}

/// What a session is made of.
#[derive(Clone, Debug)]
pub struct SessionSpec {
    /// A name for containers and messages: letters, digits, `-` and `.`.
    pub name: String,
    /// The directory of the root file system the session is stacked on; never written to. Its name is its
    /// content: sandboxes may cache by it.
    pub layer: PathBuf,
    /// Layers over that one, the lowest first, each made by [`Session::into_layer`](crate::Session::into_layer) of this
    /// kind of sandbox over exactly the ones before it; never written to.
    pub above: Vec<PathBuf>,
    /// An empty directory of the host, on a real file system, for the session's own writes. The caller
    /// removes it when the session has ended.
    pub scratch: PathBuf,
    /// Host directories shown read-only inside.
    pub binds: Vec<Bind>,
    /// Directories inside that much is written to, made where the layer has none. A sandbox whose root file
    /// system is slow or odd keeps them elsewhere; what is in them there is gone with the session all the same.
    pub volumes: Vec<PathBuf>,
    /// Limits of all commands of the session together.
    pub limits: Limits,
}

/// One command.
#[derive(Clone, Debug)]
pub struct ExecSpec {
    /// Program and arguments; the program is looked up in the session's `PATH`.
    pub argv: Vec<String>,
    /// The whole environment; nothing is inherited.
    pub environment: Vec<(String, String)>,
    /// The working directory inside.
    pub directory: PathBuf,
    /// Who runs it.
    pub user: User,
    /// Ends the command after so long.
    pub timeout: Option<Duration>,
    /// Ends the command after so long without output.
    pub idle_timeout: Option<Duration>,
}
