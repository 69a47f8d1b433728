//! A run as one value: what became of every package, and how the run itself ended.
//!
//! Made from the events of a journal and nothing else, so that it can be made again at any time; JUnit, mail and
//! `summary.json` are views of it.

mod fold;
mod standing;

use crate::attempt::Regression;
use crate::expected::ExpectedFailure;
use crate::tally::Counts;
use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};

pub use standing::{Changes, Standing, Standings};

/// The version of `summary.json`; it grows as the journal's does.
pub const SUMMARY_VERSION: u32 = 1;

/// What a run came to. Times are seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The version of the format.
    pub version: u32,
    /// The run's id.
    pub run: String,
    /// The command as typed.
    pub command: String,
    /// The tree's directory.
    pub tree: String,
    /// When it started: milliseconds since 1970-01-01 UTC.
    pub started: i64,
    /// Whole time, as far as is known.
    pub seconds: f64,
    /// How the run itself ended.
    pub end: RunEnd,
    /// How many jobs ended how.
    pub counts: Counts,
    /// The newest generation of the repository that the run published, if it published any.
    pub generation: Option<u64>,
    /// The repository's directory, when there is one.
    pub repository: Option<String>,
    /// Every package with an end, sorted by name.
    pub packages: Vec<PackageSummary>,
    /// What was to be built and came to no end, sorted by name.
    pub left: Vec<String>,
    /// Cycles whose members never came out the same, each as a reason.
    pub unsettled: Vec<String>,
    /// Builds that took clearly more than their earlier ones, in the order in which they ended.
    #[serde(default)]
    pub regressions: Vec<Regression>,
    /// Entries of the tree's list of expected failures for packages that are built; they can be taken out.
    pub unexpected_passes: Vec<ExpectedFailure>,
}

/// How a run ended, whatever its packages did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum RunEnd {
    /// All that could be built was tried, or all up to the first failure where that was asked for.
    Complete,
    /// Its time window ended before that.
    WindowOver,
    /// The user stopped it.
    Interrupted,
    /// It broke off.
    Broke {
        /// Why, and what to type; may have several lines.
        reason: String,
    },
    /// The journal has no end: the run was killed, or is still running.
    Unfinished,
}

/// What became of a source package.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PackageSummary {
    /// The source package.
    pub package: String,
    /// Its name-version-release, where it is known.
    pub nevr: Option<String>,
    /// How its job ended, the last one of several.
    pub verdict: Verdict,
    /// Of what is blocked, the package at the end of the chain of needs: the one to mend.
    pub root: Option<String>,
    /// How many packages are blocked by it, directly or not.
    pub blocks: usize,
    /// The line that explains a failure best, when one was found.
    pub cause: Option<String>,
    /// The last lines it wrote before it failed.
    pub last_lines: Vec<String>,
    /// The log to read, if there is one.
    pub log: Option<String>,
    /// Time of all its jobs.
    pub seconds: f64,
    /// The entry that expects its failure. Where that is expired, the failure counts all the same.
    pub expected: Option<ExpectedFailure>,
}

impl PackageSummary {
    /// A failure of its own that nobody expects.
    pub fn is_failure(&self) -> bool {
        self.verdict.is_failure() && !self.is_expected()
    }

    /// A failure that is expected, and still may be.
    pub fn is_expected(&self) -> bool {
        self.verdict.is_failure() && self.expected.as_ref().is_some_and(|entry| !entry.is_expired)
    }

    /// Its name-version-release, or its name.
    pub fn shown(&self) -> &str {
        self.nevr.as_deref().filter(|nevr| !nevr.is_empty()).unwrap_or(&self.package)
    }
}

impl Summary {
    /// What became of a package.
    pub fn package(&self, name: &str) -> Option<&PackageSummary> {
        let place = self.packages.binary_search_by(|package| package.package.as_str().cmp(name)).ok()?;
        self.packages.get(place)
    }

    /// Failures that nobody expects, those first that block the most.
    pub fn failures(&self) -> Vec<&PackageSummary> {
        let mut failures: Vec<_> = self.packages.iter().filter(|package| package.is_failure()).collect();
        failures.sort_by(|left, right| right.blocks.cmp(&left.blocks).then_with(|| left.package.cmp(&right.package)));
        failures
    }

    /// What is blocked by a package, directly or not.
    pub fn blocked_by(&self, root: &str) -> Vec<String> {
        let blocked = self.packages.iter().filter(|package| package.root.as_deref() == Some(root));
        blocked.map(|package| package.package.clone()).collect()
    }

    /// The tree's name: the last part of its path.
    pub fn tree_name(&self) -> &str {
        let name = self.tree.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        if name.is_empty() || name == "." { "tree" } else { name }
    }

    /// A path as it is below the tree, where it is.
    pub fn below_tree<'a>(&self, path: &'a str) -> &'a str {
        path.strip_prefix(self.tree.trim_end_matches('/')).and_then(|rest| rest.strip_prefix('/')).unwrap_or(path)
    }
}

#[cfg(test)]
pub(crate) mod tests;
