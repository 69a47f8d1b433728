//! What a job is given, and what it may end with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use repository::RepositoryError;
use sandbox::{ExecStatus, SandboxError, Usage};

use crate::buildroot::{BuildrootError, Library};
use crate::runner::asking::Stopped;
use crate::runner::inputs::LackingSource;
use crate::runner::prepare::RootRpm;
use crate::seeds::SeedError;

/// Everything one build needs; no decision is left.
#[derive(Clone, Debug)]
pub struct JobOrder {
    /// The source package's name.
    pub package: String,
    /// The spec's file on the host.
    pub spec: PathBuf,
    /// Verified sources and patches on the host, under the names the spec expects.
    pub sources: Vec<(String, PathBuf)>,
    /// RPMs that the root has over the base layer; what no layer has is installed in one transaction.
    pub install: Vec<RootRpm>,
    /// The base layer.
    pub layer: PathBuf,
    /// Layers over the base, if there are to be any.
    pub library: Option<Arc<Library>>,
    /// How many other builds need all that this root has.
    pub alike: usize,
    /// An empty private folder on the host, removed by the caller.
    pub work: PathBuf,
    /// Where the logs go.
    pub logs: PathBuf,
    /// Macros for rpmbuild.
    pub defines: Vec<(String, String)>,
    /// CPUs this build may use by itself.
    pub cpus: usize,
    /// The folder on the host of its pipe to the job server, if it takes part.
    pub job_server: Option<PathBuf>,
    /// Whether `%check` runs.
    pub check: bool,
    /// Whether the root must be asked what the build needs before it is built in.
    pub ask: bool,
    /// The most memory of all its processes together, in bytes.
    pub memory: Option<u64>,
    /// What else it may use up.
    pub limits: JobLimits,
}

#[cfg(test)]
impl JobOrder {
    /// An order for a sandbox that only pretends: the package `a`, whose spec is made in a folder that has all else.
    pub(in crate::runner) fn to_try(folder: &std::path::Path, ask: bool, limits: JobLimits) -> Self {
        let spec = folder.join("a.spec");
        std::fs::write(&spec, "").expect("the folder is writable");
        Self {
            package: "a".to_owned(),
            spec,
            sources: Vec::new(),
            install: Vec::new(),
            layer: folder.to_owned(),
            library: None,
            alike: 0,
            work: folder.join("work"),
            logs: folder.join("logs"),
            defines: Vec::new(),
            cpus: 1,
            job_server: None,
            check: true,
            ask,
            memory: None,
            limits,
        }
    }
}

/// What one build may use up.
#[derive(Clone, Debug)]
pub struct JobLimits {
    /// The longest time inside rpmbuild.
    pub timeout: Duration,
    /// The longest time that rpmbuild may write nothing.
    pub idle_timeout: Duration,
    /// Bytes of the log of a phase.
    pub log: u64,
    /// How long the sandbox itself may take for what it is asked, beside the time of a command.
    pub patience: Duration,
}

/// How a build ended.
#[derive(Debug)]
pub enum JobEnd {
    /// It gave these RPMs and SRPM, copied to the work folder.
    Built(Vec<PathBuf>),
    /// rpm or rpmbuild ended badly in a phase.
    Failed {
        /// The phase.
        phase: String,
        /// How.
        status: ExecStatus,
        /// Whether a disk that it writes to was full then.
        disk_is_full: bool,
        /// The last lines it wrote.
        tail: Vec<String>,
    },
    /// It was ended by whoever was asked for more needs.
    Stopped(Stopped),
}

/// What is known when a job is over.
#[derive(Debug)]
pub struct JobReport {
    /// How it ended.
    pub end: JobEnd,
    /// What its root was made from, if there was one.
    pub root: Option<RootReport>,
    /// The log of the last phase.
    pub log: PathBuf,
    /// Wall time inside rpmbuild.
    pub rpmbuild: Duration,
    /// Wall time of each phase, in the order in which they were first entered.
    pub phases: Vec<(String, Duration)>,
    /// What all its commands used.
    pub usage: Usage,
    /// The first error of writing a log, which does not fail a build.
    pub log_error: Option<String>,
}

/// What a build root was made from.
#[derive(Clone, Debug, PartialEq)]
pub struct RootReport {
    /// How many layers it had over the base.
    pub layers: usize,
    /// How many packages were in them.
    pub packages: usize,
    /// How many packages were installed for this job.
    pub installed: usize,
    /// Whether what was installed became one of the layers.
    pub kept: bool,
    /// How long it took to choose and make the layers and to install.
    pub time: Duration,
}

/// Why a job has no report: not the package's fault.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The sandbox broke.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// An RPM of a seed cannot be had.
    #[error(transparent)]
    Seed(SeedError),
    /// A package that the build made cannot be read.
    #[error(transparent)]
    Package(#[from] RepositoryError),
    /// Its sources cannot be had.
    #[error("{}", .0.reason)]
    Sources(LackingSource),
    /// The sandbox did not answer.
    #[error("{action}: the sandbox did not answer within {} s", time.as_secs())]
    Silent {
        /// What was being done.
        action: &'static str,
        /// How long was waited.
        time: Duration,
    },
    /// A task of ours broke off.
    #[error("preparing the build broke off: {0}")]
    Broken(String),
    /// A layer of the library cannot be had or made.
    #[error(transparent)]
    Layer(#[from] BuildrootError),
    /// A file of ours could not be made.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}
