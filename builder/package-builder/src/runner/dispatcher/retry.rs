//! Which failures are tried again, how often and after what time. Only what the machine, an engine or a server did
//! wrong: a build that failed would fail again.

use std::collections::BTreeMap;
use std::time::Duration;

use planner::JobId;
use repository::RepositoryError;

use crate::runner::job::JobError;
use crate::seeds::SeedError;

/// The times between the attempts of a job: one is over in a moment, an engine that is restarted takes a while. There
/// is one attempt more than times.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];

/// The attempts of all jobs of a run.
#[derive(Debug, Default)]
pub(super) struct Retries {
    attempts: BTreeMap<JobId, u32>,
    /// How many of them the machine spoilt.
    failed: BTreeMap<JobId, usize>,
}

impl Retries {
    /// The number of the attempt that a job is at, from 1.
    pub(super) fn attempt(&self, id: &JobId) -> u32 {
        self.attempts.get(id).copied().unwrap_or(1)
    }

    /// A job is tried again: the number of the attempt to come.
    pub(super) fn again(&mut self, id: &JobId) -> u32 {
        let attempt = self.attempts.entry(id.clone()).or_insert(1);
        *attempt += 1;
        *attempt
    }

    /// The machine spoilt an attempt. Returns after what time the next begins; `None` if there is none.
    pub(super) fn failed(&mut self, id: &JobId) -> Option<Duration> {
        let failed = self.failed.entry(id.clone()).or_default();
        let pause = PAUSES.get(*failed).copied()?;
        *failed += 1;
        self.again(id);
        Some(pause)
    }
}

/// Whether the same job may do later, with nothing changed. Without a network no origin will ever answer.
pub(super) fn may_do_later(error: &JobError, offline: bool) -> bool {
    match error {
        JobError::Sandbox(_)
        | JobError::Silent { .. }
        | JobError::Broken(_)
        | JobError::Layer(_)
        | JobError::Io { .. } => true,
        JobError::Seed(error) => matches!(error, SeedError::Io { .. } | SeedError::Fetch { .. }),
        JobError::Package(error) => matches!(error, RepositoryError::Io { .. }),
        JobError::Sources(lacking) => lacking.is_infrastructure && !offline,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::inputs::LackingSource;

    #[test]
    fn each_job_has_three_attempts_with_growing_pauses() {
        let (mut retries, a, b) = (Retries::default(), JobId("a".to_owned()), JobId("b".to_owned()));
        assert_eq!((retries.attempt(&a), retries.failed(&a)), (1, Some(PAUSES[0])));
        assert_eq!((retries.attempt(&a), retries.failed(&a)), (2, Some(PAUSES[1])));
        assert_eq!((retries.attempt(&a), retries.failed(&a)), (3, None));
        assert_eq!((retries.attempt(&a), retries.again(&a)), (3, 4));
        assert_eq!((retries.attempt(&b), retries.failed(&b)), (1, Some(PAUSES[0])));
    }

    #[test]
    fn what_the_tree_or_the_build_did_wrong_is_not_tried_again() {
        let lacking = |is_infrastructure| JobError::Sources(LackingSource { reason: String::new(), is_infrastructure });
        assert!(may_do_later(&lacking(true), false));
        assert!(!may_do_later(&lacking(true), true), "nothing comes without a network");
        assert!(!may_do_later(&lacking(false), false));
        let garbage = RepositoryError::BadRpm { path: "a.rpm".into(), reason: "cut".to_owned() };
        assert!(!may_do_later(&JobError::Package(garbage), false));
        assert!(may_do_later(&JobError::Broken("a task was lost".to_owned()), false));
    }
}
