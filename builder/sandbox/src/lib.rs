//! Isolated environments to run commands in, from layers of files. Knows nothing of RPM.
//!
//! A [`Sandbox`] starts [`Session`]s: a stack of read-only layers with a private writable top, in which
//! commands run one after the other without a network, and from which files are copied out. Three
//! implementations keep the same promises: `docker` (a Docker Engine), `linux` (namespaces and overlayfs,
//! no daemon) and `fake` (scripted, for tests of callers).

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;

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
    /// An empty directory of the host, on a real file system, for the session's own writes. The caller
    /// removes it when the session has ended.
    pub scratch: PathBuf,
    /// Host directories shown read-only inside.
    pub binds: Vec<Bind>,
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

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecStatus {
    /// It exited with this code.
    Exited(i32),
    /// A signal ended it.
    Signaled(i32),
    /// It ran longer than its time.
    TimedOut,
    /// It wrote nothing for longer than its idle time.
    Idle,
    /// The kernel ended it for want of memory.
    OutOfMemory,
}

impl ExecStatus {
    /// Whether the command exited with 0.
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Exited(0)
    }
}

/// Receives a command's output as it comes: standard output and error together, in chunks that need not
/// be whole lines.
pub trait OutputSink: Send {
    /// Takes the next bytes.
    fn write(&mut self, bytes: &[u8]);
}

impl OutputSink for Vec<u8> {
    fn write(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Why a sandbox could not do what it was asked; a failing command is no error.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// This kind of sandbox does not work on this host.
    #[error("{reason}")]
    Unavailable {
        /// What is missing.
        reason: String,
        /// The exact thing to type.
        hint: String,
    },
    /// The sandbox broke: not the command's fault.
    #[error("{action}: {reason}")]
    Failed {
        /// What was being done.
        action: String,
        /// What went wrong.
        reason: String,
    },
}

/// A way to run commands in isolation.
#[async_trait]
pub trait Sandbox: Send + Sync {
    /// The word for it on the command line and in reports.
    fn name(&self) -> &'static str;

    /// Says whether it works here, and if not, why and what to do.
    ///
    /// # Errors
    /// [`SandboxError::Unavailable`].
    async fn check(&self) -> Result<(), SandboxError>;

    /// Starts a session. Dropping it ends everything that runs in it.
    ///
    /// # Errors
    /// The session could not be set up.
    async fn start(&self, spec: SessionSpec) -> Result<Box<dyn Session>, SandboxError>;
}

/// A running environment. Files written by one command are there for the next.
#[async_trait]
pub trait Session: Send + Sync {
    /// Runs a command to its end; nothing it started is left running afterwards.
    ///
    /// # Errors
    /// The command could not be started or watched.
    async fn exec(&self, spec: ExecSpec, sink: &mut dyn OutputSink) -> Result<ExecStatus, SandboxError>;

    /// Copies the directory `guest` and all below it into `host`, which must exist. Symbolic links are
    /// never followed out of the session, special files are left out.
    ///
    /// # Errors
    /// It is not there, or could not be copied.
    async fn copy_out(&self, guest: &Path, host: &Path) -> Result<(), SandboxError>;

    /// Copies host files into the directory `guest`, owned by the build user.
    ///
    /// # Errors
    /// They could not be copied.
    async fn copy_in(&self, host_files: &[PathBuf], guest: &Path) -> Result<(), SandboxError>;

    /// Ends the session and everything in it.
    ///
    /// # Errors
    /// Something is left behind.
    async fn end(self: Box<Self>) -> Result<(), SandboxError>;
}
