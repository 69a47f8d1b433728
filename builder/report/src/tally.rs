//! Adding a run up: what every summary says is computed here, from events alone.

use crate::attempt::Regression;
use crate::event::{Event, EventKind};
use crate::expected::ExpectedFailure;
use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How many jobs ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Counts {
    /// Jobs the plan had.
    pub planned: usize,
    /// Built with a new result.
    pub built: usize,
    /// Built with the published result.
    pub unchanged: usize,
    /// Ended badly by themselves (every verdict for which [`Verdict::is_failure`] holds) and were not expected to.
    pub failed: usize,
    /// Ended badly by themselves as the tree expects.
    #[serde(default)]
    pub expected: usize,
    /// Not run, since something they need ended badly or cannot be had.
    pub blocked: usize,
    /// Left out by the spec or the settings.
    pub excluded: usize,
    /// Needed no build.
    pub fresh: usize,
}

impl Counts {
    /// Jobs that ran to an end.
    pub fn run(&self) -> usize {
        self.built + self.unchanged + self.failed + self.expected
    }
}

/// A job that ended badly, for the list at the end.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The source package.
    pub package: String,
    /// Its name-version-release.
    pub nevr: String,
    /// How.
    pub verdict: Verdict,
    /// The line that explains it.
    pub cause: Option<String>,
    /// The log to read.
    pub log: Option<String>,
}

/// The sums of a run so far.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    counts: Counts,
    /// Jobs that ended badly by themselves, in the order they ended.
    pub failures: Vec<Failure>,
    /// Builds that took clearly more than their earlier ones, in the order they ended.
    pub regressions: Vec<Regression>,
    /// Those that the tree expects, which are not among `failures`, each with the entry that says so.
    pub expected_failures: Vec<(Failure, ExpectedFailure)>,
    /// Sources that cannot be had, as (package, file).
    pub missing_sources: Vec<(String, String)>,
    expectations: Vec<ExpectedFailure>,
    planned_blocked: BTreeSet<String>,
    finished_jobs: usize,
    own_seconds: Vec<f64>,
    build_seconds: Vec<f64>,
}

impl Tally {
    /// Takes the next event.
    pub fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Planned { stale, fresh, blocked } => {
                self.counts.planned += stale.len();
                self.counts.fresh += fresh;
                let excluded = blocked.iter().filter(|blocked| blocked.is_excluded()).count();
                self.counts.excluded += excluded;
                self.counts.blocked += blocked.len() - excluded;
                self.planned_blocked.extend(blocked.iter().map(|blocked| blocked.package.clone()));
            }
            EventKind::PlanGrew { stale, .. } | EventKind::CyclePass { stale, .. } => {
                self.counts.planned += stale.len();
            }
            EventKind::Regression(regression) => self.regressions.push(regression.clone()),
            // A source may be asked for several times, and arrive at last.
            EventKind::FailuresExpected { entries } => self.expectations.clone_from(entries),
            EventKind::SourceFailed { package, file, .. } => {
                let missing = (package.clone(), file.clone());
                if !self.missing_sources.contains(&missing) {
                    self.missing_sources.push(missing);
                }
            }
            EventKind::SourceFetched { file, .. } => self.missing_sources.retain(|(_, missing)| missing != file),
            // What the plan already called blocked is counted once, whether or not the engine says it again.
            EventKind::JobFinished { package, verdict: Verdict::BlockedBy { .. }, .. }
                if self.planned_blocked.contains(package) => {}
            EventKind::JobFinished { package, nevr, verdict, cause, seconds, own_seconds, log, .. } => {
                self.finished_jobs += 1;
                let counts = &mut self.counts;
                match verdict {
                    Verdict::Success => counts.built += 1,
                    Verdict::Unchanged => counts.unchanged += 1,
                    Verdict::BlockedBy { .. } => counts.blocked += 1,
                    Verdict::Excluded { .. } => counts.excluded += 1,
                    _ => {
                        let failure = Failure {
                            package: package.clone(),
                            nevr: nevr.clone(),
                            verdict: verdict.clone(),
                            cause: cause.clone(),
                            log: log.clone(),
                        };
                        match ExpectedFailure::of(&self.expectations, package, verdict) {
                            Some(entry) => {
                                counts.expected += 1;
                                self.expected_failures.push((failure, entry.clone()));
                            }
                            None => {
                                counts.failed += 1;
                                self.failures.push(failure);
                            }
                        }
                    }
                }
                if verdict.is_good() {
                    self.own_seconds.push(*own_seconds);
                    self.build_seconds.push(*seconds);
                }
            }
            _ => {}
        }
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Median time outside rpmbuild of the builds that succeeded; `None` before the first.
    pub fn median_own_seconds(&self) -> Option<f64> {
        median(&self.own_seconds)
    }

    /// Sum of the whole times of the builds that succeeded, as if one after the other.
    pub fn build_seconds(&self) -> f64 {
        self.build_seconds.iter().sum()
    }

    /// Seconds until the planned jobs are done if the rest takes as long as those so far, `jobs` at a time.
    pub fn estimate(&self, jobs: usize) -> Option<f64> {
        let left = self.counts.planned.checked_sub(self.finished_jobs)?;
        let mean = self.build_seconds() / self.build_seconds.len() as f64;
        (left > 0 && mean.is_finite()).then(|| mean * left as f64 / jobs.max(1) as f64)
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middles() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
