//! What the program tells its sandbox process to do, and what that answers: one line of JSON each way.

use std::path::PathBuf;

use rustix::process::WaitStatus;
use serde::{Deserialize, Serialize};

use super::identity::Identity;
use crate::{ExecSpec, Usage, User};

/// All a sandbox process needs to know; it inherits nothing else.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    /// The read-only root file system.
    pub(super) layer: PathBuf,
    /// Layers over it, the lowest first.
    pub(super) above: Vec<PathBuf>,
    /// The session's directory on the host: holds `upper`, `work`, `root` and
    /// a link to each layer, `lower` and so on.
    pub(super) scratch: PathBuf,
    /// Directories of the host to show read-only: (host, guest).
    pub(super) binds: Vec<(PathBuf, PathBuf)>,
    /// Directories that must be there.
    pub(super) volumes: Vec<PathBuf>,
    /// Whose powers the sandbox is made with.
    pub(super) identity: Identity,
    /// The `cgroup.procs` files the sandbox has to be in before it starts anything.
    pub(super) cgroups: Vec<PathBuf>,
    /// Limits to be set on each process, because no control group can.
    pub(super) process_limits: ProcessLimits,
    /// What to do inside.
    pub(super) action: Action,
}

/// Limits by `setrlimit`, the weaker replacement for control groups.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ProcessLimits {
    /// Bytes of data of each single process (`RLIMIT_DATA`).
    pub(crate) memory: Option<u64>,
    /// Processes of the user (`RLIMIT_NPROC`).
    pub(crate) processes: Option<u64>,
}

/// A command to run inside.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Command {
    /// Program and arguments, never empty.
    pub(crate) argv: Vec<String>,
    /// The whole environment.
    pub(crate) environment: Vec<(String, String)>,
    /// The working directory inside.
    pub(crate) directory: PathBuf,
    /// As root, otherwise as the build user.
    pub(crate) as_root: bool,
}

impl From<ExecSpec> for Command {
    fn from(spec: ExecSpec) -> Self {
        Self {
            argv: spec.argv,
            environment: spec.environment,
            directory: spec.directory,
            as_root: spec.user == User::Root,
        }
    }
}

/// What to do inside the sandbox.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Action {
    /// Set everything up and go away: tells whether it works here.
    Probe,
    /// Remove all the session has written, for a user who may not remove files of its other users.
    Clean,
    /// Take the volumes out of what the session has written, and write that to disk.
    Settle,
    /// Run a command.
    Run(Command),
    /// Copy the directory `guest` into the directory `host`.
    CopyOut {
        /// The directory inside.
        guest: PathBuf,
        /// An existing directory of the host.
        host: PathBuf,
    },
    /// Copy files of the host into the directory `guest`.
    CopyIn {
        /// The files.
        files: Vec<PathBuf>,
        /// The directory inside.
        guest: PathBuf,
    },
}

/// What a sandbox process answers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    /// How it went.
    pub(super) report: Report,
    /// What its processes used, as far as the one that waited for them can tell.
    pub(super) usage: Usage,
}

/// How it went.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The action is done; the answer to everything but `Run`.
    Done,
    /// The command exited.
    Exited(i32),
    /// A signal ended the command.
    Signaled(i32),
    /// The sandbox was ended from outside, or by the kernel, before the command was.
    Lost,
    /// The sandbox could not do it.
    Failed {
        /// What was being done.
        action: String,
        /// What went wrong.
        reason: String,
    },
}

/// A step that failed, with what was being done; becomes [`Report::Failed`].
#[derive(Debug)]
pub(crate) struct Failure {
    /// What was being done.
    pub(crate) action: String,
    /// What went wrong.
    pub(crate) reason: String,
}

impl Report {
    /// How a process ended.
    pub(crate) fn of(status: WaitStatus) -> Self {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, Some(signal)) => Self::Signaled(signal),
            (None, None) => Self::Lost,
        }
    }
}

impl From<Failure> for Report {
    fn from(failure: Failure) -> Self {
        Self::Failed { action: failure.action, reason: failure.reason }
    }
}

/// Says what was being done when an operation failed.
pub(crate) trait During<T> {
    /// Turns the error into a [`Failure`] of `action`.
    fn during(self, action: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: std::fmt::Display> During<T> for Result<T, E> {
    fn during(self, action: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| Failure { action: action(), reason: error.to_string() })
    }
}
