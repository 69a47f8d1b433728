//! How long a run still takes, by what its jobs are expected to take.

use std::collections::BTreeMap;

use planner::{JobId, Queue};

use super::Estimates;

/// What is expected of the rest of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// Seconds until the last job has ended: the longer of the longest chain, and of all work spread over the slots.
    pub seconds: f64,
    /// The chain, in order.
    pub critical_path: Vec<String>,
}

/// Forecasts the rest of a run from the jobs that have not ended, `slots` at a time; `running` tells for how many
/// seconds those that run already do. A job that was never built is taken to be as long as the queue guesses.
/// `None` if there is none of these.
#[must_use]
pub fn forecast<'a>(
    queue: &Queue,
    jobs: impl Iterator<Item = &'a str>,
    estimates: &Estimates,
    running: &BTreeMap<JobId, f64>,
    slots: usize,
) -> Option<Forecast> {
    let open: Vec<JobId> = jobs.map(|name| JobId(name.to_owned())).filter(|id| queue.is_open(id)).collect();
    let known = estimates.durations();
    if known.is_empty() {
        return None;
    }
    let guess = planner::queue::durations::guess(&known);
    let left = |id: &JobId| {
        let seconds = estimates.of(&id.0).map_or(guess, |known| known.seconds);
        // One that takes longer than it should is about to end, for all that is known.
        (seconds - running.get(id).unwrap_or(&0.0)).max(0.0)
    };
    let path = queue.critical_path();
    let work: f64 = open.iter().map(left).sum();
    // The chain was the longest when its first job began; a single job may take longer by now.
    let chain = open.iter().map(left).fold(path.iter().map(left).sum(), f64::max);
    let seconds = chain.max(work / slots.max(1) as f64);
    Some(Forecast { seconds, critical_path: path.into_iter().map(|id| id.0).collect() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use planner::Outcome;

    use super::*;

    #[test]
    fn the_longest_chain_or_all_the_work_decides_and_running_jobs_count_for_their_rest() {
        let names = ["a", "b", "c", "d"];
        let needs = |name: &str| if name == "b" { BTreeSet::from(["a".to_owned()]) } else { BTreeSet::new() };
        let needs = names.map(|name| (name.to_owned(), needs(name))).into();
        let mut estimates = Estimates::default();
        estimates.add_seconds([("a", 100.0), ("b", 50.0), ("c", 60.0)].into_iter());
        let mut queue = Queue::from_needs(needs, &estimates.durations());
        let of = |queue: &Queue, running: &BTreeMap<JobId, f64>, slots| {
            forecast(queue, names.into_iter(), &estimates, running, slots).map(|forecast| forecast.seconds)
        };
        let nothing = BTreeMap::new();
        // `d` is taken to be as long as `c`: 270 seconds of work, a chain of 150.
        assert_eq!(of(&queue, &nothing, 1), Some(270.0));
        assert_eq!(of(&queue, &nothing, 8), Some(150.0));
        let first = queue.next_ready().expect("something is ready");
        assert_eq!(first.0, "a");
        assert_eq!(of(&queue, &BTreeMap::from([(first.clone(), 30.0)]), 8), Some(120.0));
        assert_eq!(of(&queue, &BTreeMap::from([(first.clone(), 500.0)]), 8), Some(60.0));
        queue.finish(&first, Outcome::Done);
        assert_eq!(of(&queue, &nothing, 1), Some(170.0));
        assert_eq!(forecast(&queue, names.into_iter(), &Estimates::default(), &nothing, 1), None);
    }
}
