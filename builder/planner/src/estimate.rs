//! What a build is expected to take.

use serde::{Deserialize, Serialize};

/// What earlier builds of a source package took, or a guess for one that was never built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Wall time from start to end, in seconds.
    pub seconds: f64,
    /// CPU time of all its processes, in seconds; `None` where it was never measured.
    pub cpu_seconds: Option<f64>,
    /// The most memory it held at once, in bytes.
    pub memory: Option<u64>,
    /// What it wrote to its build root, in bytes.
    pub disk: Option<u64>,
}

impl Estimate {
    /// What a build is expected to take if earlier ones took this: the median of each value by itself, over the builds
    /// it was measured in. One build that had to wait, or hit a warm cache, does not move it. `None` without a build.
    #[must_use]
    pub fn of(builds: &[Self]) -> Option<Self> {
        Some(Self {
            seconds: median(builds.iter().map(|build| build.seconds))?,
            cpu_seconds: median(builds.iter().filter_map(|build| build.cpu_seconds)),
            memory: whole(median(builds.iter().filter_map(|build| build.memory).map(|bytes| bytes as f64))),
            disk: whole(median(builds.iter().filter_map(|build| build.disk).map(|bytes| bytes as f64))),
        })
    }
}

/// The middle value, or the mean of the two middle ones.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let (before, after) = (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
    Some((before + after) / 2.0)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the median of sizes is a size")]
fn whole(bytes: Option<f64>) -> Option<u64> {
    bytes.map(|bytes| bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_the_median_of_where_it_was_measured() {
        assert_eq!(Estimate::of(&[]), None);
        let build = |seconds, memory| Estimate { seconds, memory, ..Estimate::default() };
        let builds = [build(90.0, Some(10)), build(10.0, None), build(20.0, Some(30))];
        assert_eq!(Estimate::of(&builds), Some(build(20.0, Some(20))));
        assert_eq!(Estimate::of(&builds[1..]), Some(build(15.0, Some(30))));
        assert_eq!(Estimate::of(&builds[1..2]), Some(build(10.0, None)));
    }
}
