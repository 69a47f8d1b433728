//! How long jobs are taken to be: what earlier builds took, or a guess.

use std::collections::BTreeMap;

/// Seconds of a job where no duration of any is known. Every job then weighs the same, so that the longest remaining
/// path is the one of most jobs.
const NOTHING_KNOWN: f64 = 60.0;

/// The seconds that a job without a known duration is taken to be: the median of those that are known. Not the mean,
/// which a few giants make so large that every new package would go before what is known to be long.
#[must_use]
pub fn guess(known: &BTreeMap<String, f64>) -> f64 {
    let mut seconds: Vec<f64> = known.values().copied().filter(|seconds| is_duration(*seconds)).collect();
    if seconds.is_empty() {
        return NOTHING_KNOWN;
    }
    let middle = seconds.len() / 2;
    *seconds.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// The known seconds of a job, if they are any.
#[must_use]
pub fn known_seconds(known: &BTreeMap<String, f64>, name: &str) -> Option<f64> {
    known.get(name).copied().filter(|seconds| is_duration(*seconds))
}

fn is_duration(seconds: f64) -> bool {
    seconds.is_finite() && seconds >= 0.0
}
