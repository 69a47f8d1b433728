//! Failures that a tree expects: known, owned, and for a time.

use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};

/// One entry of the tree's list, as it stands on the day of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ExpectedFailure {
    /// The source package.
    pub package: String,
    /// The only phase it may fail in (`%check`); any, if none is given.
    pub phase: Option<String>,
    /// Why it is expected.
    pub reason: String,
    /// Who looks after it.
    pub owner: String,
    /// The last day on which it is expected, as `YYYY-MM-DD`.
    pub expires: String,
    /// That day is over: the failure counts again.
    pub is_expired: bool,
    /// The package is built already and is not built again: the entry is of no more use.
    pub is_fresh: bool,
}

impl ExpectedFailure {
    /// Whether a verdict is the failure that is meant, expired or not.
    ///
    /// Only what the package itself does wrong can be expected. What the machine, a missing source or a lock does to it
    /// cannot: a known failure must not hide that.
    pub fn covers(&self, verdict: &Verdict) -> bool {
        match verdict {
            Verdict::Failed { phase } | Verdict::TimedOut { phase, .. } | Verdict::OutOfMemory { phase } => {
                self.phase.as_ref().is_none_or(|only| only == phase)
            }
            Verdict::Unresolvable { .. } | Verdict::BrokenSpec { .. } => self.phase.is_none(),
            _ => false,
        }
    }

    /// The entry that makes a verdict an expected one.
    pub fn of<'a>(entries: &'a [Self], package: &str, verdict: &Verdict) -> Option<&'a Self> {
        entries.iter().find(|entry| entry.package == package && !entry.is_expired && entry.covers(verdict))
    }

    /// `reason (owner, until 2026-12-31)`.
    pub fn describe(&self) -> String {
        format!("{} ({}, until {})", self.reason, self.owner, self.expires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_phase_of_a_package_that_itself_fails_in_time_is_expected() {
        let entry = |phase: Option<&str>, is_expired| ExpectedFailure {
            package: "a".into(),
            phase: phase.map(str::to_owned),
            reason: "r".into(),
            owner: "o".into(),
            expires: "2026-01-01".into(),
            is_expired,
            is_fresh: false,
        };
        let in_phase = |phase: &str| Verdict::Failed { phase: phase.into() };
        let reason = || "x".to_owned();
        let is_expected = |entries: &[ExpectedFailure], verdict: &Verdict| {
            assert_eq!(ExpectedFailure::of(entries, "b", verdict), None, "another package");
            ExpectedFailure::of(entries, "a", verdict).is_some()
        };
        let check = [entry(Some("%check"), false)];
        assert!(is_expected(&check, &in_phase("%check")));
        assert!(!is_expected(&check, &in_phase("%build")));
        assert!(!is_expected(&check, &Verdict::Unresolvable { reason: reason() }));
        assert!(!is_expected(&[entry(Some("%check"), true)], &in_phase("%check")), "its day is over");
        let any = [entry(None, true), entry(None, false)];
        assert!(is_expected(&any, &in_phase("%build")), "the entry that is in force decides");
        assert!(is_expected(&any, &Verdict::BrokenSpec { reason: reason() }));
        for verdict in [
            Verdict::Success,
            Verdict::Infrastructure { reason: reason() },
            Verdict::NoSource { reason: reason() },
            Verdict::OutOfDisk { phase: "%build".into() },
            Verdict::BlockedBy { package: "c".into() },
        ] {
            assert!(!is_expected(&any, &verdict), "{verdict:?}");
        }
    }
}
