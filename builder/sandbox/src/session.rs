//! The two traits every kind of sandbox implements, how commands end, and where their output goes.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::{ExecSpec, SandboxError, SessionSpec, Usage};

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

    /// Whether a layer that a session became is still there, whole.
    ///
    /// # Errors
    /// It cannot be known.
    async fn has_layer(&self, layer: &Path) -> Result<bool, SandboxError>;

    /// Removes a layer that a session became; there need not be one. No session may be using it.
    ///
    /// # Errors
    /// Something of it is left.
    async fn remove_layer(&self, layer: &Path) -> Result<(), SandboxError>;
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

    /// What the commands that have ended used; copying in and out does not count.
    fn usage(&self) -> Usage;

    /// Ends the session, and makes what its commands wrote outside of its volumes a layer: the directory `layer`, which
    /// must not exist, on the file system of the session's scratch directory. It appears whole or not at all.
    ///
    /// # Errors
    /// There is no such layer. The session has ended all the same.
    async fn into_layer(self: Box<Self>, layer: &Path) -> Result<(), SandboxError>;

    /// Ends the session and everything in it.
    ///
    /// # Errors
    /// Something is left behind.
    async fn end(self: Box<Self>) -> Result<(), SandboxError>;
}
