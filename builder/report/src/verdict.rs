//! How a job ended: one enum, used by the engine, the journal and every view.

use serde::{Deserialize, Serialize};

/// The end of a job. Phases are rpm's section names with the percent sign (`%build`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Verdict {
    /// Built, and its RPMs differ from the published ones (or are new).
    Success,
    /// Built, and its identities equal the published ones: nothing downstream is stale.
    Unchanged,
    /// Its own commands failed.
    Failed {
        /// Where.
        phase: String,
    },
    /// A time limit was reached.
    TimedOut {
        /// Which limit.
        limit: TimeLimit,
        /// Where.
        phase: String,
    },
    /// The memory limit was reached.
    OutOfMemory {
        /// Where.
        phase: String,
    },
    /// The disk, or the build's share of it, is full.
    OutOfDisk {
        /// Where.
        phase: String,
    },
    /// Not the package's fault: the sandbox, the host or the network failed.
    Infrastructure {
        /// What failed.
        reason: String,
    },
    /// A source or patch has no checksum, or nobody has the file that its checksum names.
    NoSource {
        /// Which file, and what was tried.
        reason: String,
    },
    /// Its needs cannot be met by anything in reach.
    Unresolvable {
        /// Which need, and who asks.
        reason: String,
    },
    /// A locked build: what is there, or what it gave, is not what the lock says.
    UnlikeLock {
        /// What differs.
        reason: String,
    },
    /// Its spec does not evaluate.
    BrokenSpec {
        /// The first error with its place.
        reason: String,
    },
    /// Something it needs was not built.
    BlockedBy {
        /// The package that ended badly.
        package: String,
    },
    /// The spec or the settings leave it out (`ExclusiveArch`, …).
    Excluded {
        /// By what.
        reason: String,
    },
}

/// Which of the two time limits a build can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum TimeLimit {
    /// No output for too long.
    Idle,
    /// Too long in all.
    Total,
}

impl Verdict {
    /// RPMs came out of it.
    pub fn is_good(&self) -> bool {
        matches!(self, Verdict::Success | Verdict::Unchanged)
    }

    /// It ran, or should have run, and makes the run a failed one. Blocked and excluded jobs do not count here: they
    /// are consequences or wishes.
    pub fn is_failure(&self) -> bool {
        !self.is_good() && !matches!(self, Verdict::BlockedBy { .. } | Verdict::Excluded { .. })
    }

    /// Where it ended, for verdicts on a build that ran.
    pub fn phase(&self) -> Option<&str> {
        match self {
            Verdict::Failed { phase }
            | Verdict::TimedOut { phase, .. }
            | Verdict::OutOfMemory { phase }
            | Verdict::OutOfDisk { phase } => Some(phase),
            _ => None,
        }
    }

    /// One word for it, the one it has in the journal.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Success => "success",
            Verdict::Unchanged => "unchanged",
            Verdict::Failed { .. } => "failed",
            Verdict::TimedOut { .. } => "timed-out",
            Verdict::OutOfMemory { .. } => "out-of-memory",
            Verdict::OutOfDisk { .. } => "out-of-disk",
            Verdict::Infrastructure { .. } => "infrastructure",
            Verdict::NoSource { .. } => "no-source",
            Verdict::Unresolvable { .. } => "unresolvable",
            Verdict::UnlikeLock { .. } => "unlike-lock",
            Verdict::BrokenSpec { .. } => "broken-spec",
            Verdict::BlockedBy { .. } => "blocked-by",
            Verdict::Excluded { .. } => "excluded",
        }
    }

    /// The words for it, as in ``failed in `%build` ``; never with the package's name.
    pub fn describe(&self) -> String {
        match self {
            Verdict::Success => "built".to_owned(),
            Verdict::Unchanged => "built, unchanged".to_owned(),
            Verdict::Failed { phase } => format!("failed in {phase}"),
            Verdict::TimedOut { limit: TimeLimit::Idle, phase } => format!("was silent for too long in {phase}"),
            Verdict::TimedOut { limit: TimeLimit::Total, phase } => format!("took too long, stopped in {phase}"),
            Verdict::OutOfMemory { phase } => format!("ran out of memory in {phase}"),
            Verdict::OutOfDisk { phase } => format!("ran out of disk in {phase}"),
            Verdict::Infrastructure { reason } => format!("could not be run: {reason}"),
            Verdict::NoSource { reason } => format!("lacks a source: {reason}"),
            Verdict::Unresolvable { reason } => format!("is unresolvable: {reason}"),
            Verdict::UnlikeLock { reason } => format!("is not what the lock says: {reason}"),
            Verdict::BrokenSpec { reason } => format!("has a broken spec: {reason}"),
            Verdict::BlockedBy { package } => format!("blocked by {package}"),
            Verdict::Excluded { reason } => format!("excluded: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_has_one_name_everywhere() {
        let (phase, reason, package) = ("%build".to_owned(), "r".to_owned(), "p".to_owned());
        for verdict in [
            Verdict::Success,
            Verdict::Unchanged,
            Verdict::Failed { phase: phase.clone() },
            Verdict::TimedOut { limit: TimeLimit::Idle, phase: phase.clone() },
            Verdict::OutOfMemory { phase: phase.clone() },
            Verdict::OutOfDisk { phase },
            Verdict::Infrastructure { reason: reason.clone() },
            Verdict::NoSource { reason: reason.clone() },
            Verdict::Unresolvable { reason: reason.clone() },
            Verdict::UnlikeLock { reason: reason.clone() },
            Verdict::BrokenSpec { reason: reason.clone() },
            Verdict::BlockedBy { package },
            Verdict::Excluded { reason },
        ] {
            assert_eq!(serde_json::json!(verdict)["is"], verdict.name(), "{verdict:?}");
        }
    }
}
