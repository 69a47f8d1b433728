//! What was known of packages before a run, and what the run changed about it.

use super::Summary;
use crate::verdict::Verdict;
use std::collections::BTreeMap;

/// What the runs before knew of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// How its own last job ended: well (`true`) or not; `None` where none is known.
    pub own: Option<bool>,
    /// Since then it was blocked.
    pub is_blocked: bool,
}

/// What earlier runs say of every package. A run tells only of what it had to build, so several are read: the last
/// word on each package counts.
#[derive(Debug, Clone, Default)]
pub struct Standings(BTreeMap<String, Standing>);

/// What a run changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Whether an earlier run is known at all.
    pub has_before: bool,
    /// Packages that fail, expectedly or not, and whose own last job before went well or is not known.
    pub newly_failing: Vec<String>,
    /// Packages that are built and failed or were blocked before.
    pub newly_good: Vec<String>,
}

impl Standings {
    /// Takes over what another run says; to be called from the oldest to the newest.
    pub fn take(&mut self, run: &Summary) {
        for package in &run.packages {
            let standing = self.0.entry(package.package.clone()).or_default();
            match &package.verdict {
                verdict if verdict.is_good() => *standing = Standing { own: Some(true), is_blocked: false },
                Verdict::BlockedBy { .. } => standing.is_blocked = true,
                // It is the machine's failure: nothing new is known of the package.
                Verdict::Infrastructure { .. } | Verdict::OutOfDisk { .. } | Verdict::Excluded { .. } => {}
                _ => *standing = Standing { own: Some(false), is_blocked: false },
            }
        }
    }

    /// What a later run changed.
    pub fn changes(&self, run: &Summary) -> Changes {
        let before = |name: &str| self.0.get(name).copied().unwrap_or_default();
        let names = |is_wanted: &dyn Fn(&super::PackageSummary) -> bool| {
            run.packages.iter().filter(|one| is_wanted(one)).map(|one| one.package.clone()).collect()
        };
        Changes {
            has_before: !self.0.is_empty(),
            newly_failing: names(&|one| one.verdict.is_failure() && before(&one.package).own != Some(false)),
            newly_good: names(&|one| {
                let before = before(&one.package);
                one.verdict.is_good() && (before.own == Some(false) || before.is_blocked)
            }),
        }
    }
}
