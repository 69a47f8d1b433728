//! What builds are expected to take, from what earlier ones took, and which ones took more.

use std::collections::BTreeMap;
use std::path::Path;

use planner::Estimate;
use report::{Measure, Regression};

use super::attempts::{recorded_packages, successes};
use super::database::{open_to_read, trouble};
use crate::error::CommandError;

/// So many of the newest successful builds count: enough for a median, and soon only those of the present version.
const BUILDS: u32 = 10;
/// A build that took more than so many times its median is worth a remark,
const REMARKABLE: f64 = 1.5;
/// if that is also so many seconds more: short builds vary for no reason of theirs,
const REMARKABLE_SECONDS: f64 = 30.0;
/// or so many bytes.
const REMARKABLE_MEMORY: f64 = (256 << 20) as f64;

/// What builds are expected to take, by source package.
#[derive(Clone, Debug, Default)]
pub struct Estimates {
    known: BTreeMap<String, Known>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    estimate: Estimate,
    /// Whether this machine has built it, or only others.
    here: bool,
}

impl Estimates {
    /// The medians of the newest successful builds of these packages on `machine`; of other machines where this one
    /// has built none.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn read<'a>(path: &Path, machine: &str, packages: impl Iterator<Item = &'a str>) -> Result<Self, CommandError> {
        let Some(connection) = open_to_read(path)? else { return Ok(Self::default()) };
        let of = |package: &str| {
            let here = Estimate::of(&successes(&connection, package, Some(machine), BUILDS)?);
            let elsewhere = || successes(&connection, package, None, BUILDS).map(|builds| Estimate::of(&builds));
            Ok(match here {
                Some(estimate) => Some(Known { estimate, here: true }),
                None => elsewhere()?.map(|estimate| Known { estimate, here: false }),
            })
        };
        let mut known = BTreeMap::new();
        // Most packages of a tree that is new have no history, and are not asked for one by one.
        let recorded = recorded_packages(&connection).map_err(trouble("read", path))?;
        for package in packages.filter(|package| recorded.contains(*package)) {
            if let Some(estimate) = of(package).map_err(trouble("read", path))? {
                known.insert(package.to_owned(), estimate);
            }
        }
        Ok(Self { known })
    }

    /// Takes times over that are known without a history of attempts, for packages that have none.
    pub fn add_seconds<'a>(&mut self, seconds: impl Iterator<Item = (&'a str, f64)>) {
        for (package, seconds) in seconds {
            let known = Known { estimate: Estimate { seconds, ..Estimate::default() }, here: false };
            self.known.entry(package.to_owned()).or_insert(known);
        }
    }

    /// What a build of a package is expected to take; `None` if it was never built.
    #[must_use]
    pub fn of(&self, package: &str) -> Option<Estimate> {
        self.known.get(package).map(|known| known.estimate)
    }

    /// Expected seconds by source package, of those that were built.
    #[must_use]
    pub fn durations(&self) -> BTreeMap<String, f64> {
        self.known.iter().map(|(package, known)| (package.clone(), known.estimate.seconds)).collect()
    }

    /// What a successful build took clearly more of than this machine's earlier ones.
    #[must_use]
    pub fn regressions(&self, package: &str, took: &Estimate) -> Vec<Regression> {
        let Some(Known { estimate, here: true }) = self.known.get(package) else { return Vec::new() };
        let memory = took.memory.zip(estimate.memory).map(|(took, median)| (took as f64, median as f64));
        let measures = [
            (Measure::Time, Some((took.seconds, estimate.seconds)), REMARKABLE_SECONDS),
            (Measure::Memory, memory, REMARKABLE_MEMORY),
        ];
        let regression = |(measure, values, least): (_, Option<(f64, f64)>, f64)| {
            let (took, median) = values?;
            let is_one = took > median * REMARKABLE && took > median + least;
            is_one.then(|| Regression { package: package.to_owned(), measure, took, median })
        };
        measures.into_iter().filter_map(regression).collect()
    }
}

#[cfg(test)]
mod tests {
    use report::Verdict;

    use super::super::attempts::tests::attempt;
    use super::super::attempts::{Record, insert};
    use super::super::database::open_to_write;
    use super::*;

    fn estimates(records: &[Record]) -> Estimates {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("state.sqlite");
        let mut connection = open_to_write(&path, false).expect("the folder is writable");
        records.iter().for_each(|record| insert(&mut connection, record).expect("it can be written"));
        Estimates::read(&path, "here", ["jq", "zlib", "sed"].into_iter()).expect("it can be read")
    }

    #[test]
    fn the_newest_successes_of_this_machine_count_and_those_of_others_where_it_has_none() {
        let failed = Record { verdict: Verdict::OutOfMemory { phase: "%build".to_owned() }, ..attempt("jq", 90, 1.0) };
        let elsewhere = |package, started, seconds| Record {
            machine: "elsewhere".to_owned(),
            ..attempt(package, started, seconds)
        };
        let mut records = vec![failed, elsewhere("jq", 91, 500.0), elsewhere("zlib", 1, 40.0)];
        // The oldest is one too many.
        records.extend((0..=10).map(|number| attempt("jq", number, if number == 0 { 9000.0 } else { 100.0 })));
        let mut estimates = estimates(&records);
        let jq = estimates.of("jq").expect("it was built");
        assert_eq!((jq.seconds, jq.cpu_seconds, jq.memory, jq.disk), (100.0, Some(200.0), Some(1 << 30), None));
        assert_eq!(estimates.of("sed"), None);
        estimates.add_seconds([("sed", 7.0), ("jq", 7.0)].into_iter());
        let durations = [("jq", 100.0), ("sed", 7.0), ("zlib", 40.0)];
        assert_eq!(estimates.durations(), durations.map(|(name, seconds)| (name.to_owned(), seconds)).into());
    }

    #[test]
    fn a_regression_is_much_more_and_by_more_than_a_little() {
        let estimates = estimates(&[attempt("jq", 1, 100.0), attempt("sed", 1, 10.0)]);
        let took = |seconds, memory| Estimate { seconds, memory: Some(memory), ..Estimate::default() };
        let measures = |package, took| {
            let found = estimates.regressions(package, &took);
            found.iter().map(|found| (found.measure, found.median)).collect::<Vec<_>>()
        };
        assert_eq!(measures("jq", took(150.0, 1 << 30)), []);
        assert_eq!(measures("jq", took(151.0, 1 << 30)), [(Measure::Time, 100.0)]);
        assert_eq!(measures("jq", took(90.0, 2 << 30)), [(Measure::Memory, (1 << 30) as f64)]);
        assert_eq!(measures("sed", took(39.0, 0)), [], "29 seconds more are nothing");
        assert_eq!(measures("sed", took(41.0, 0)), [(Measure::Time, 10.0)]);
        assert_eq!(measures("zlib", took(9999.0, 0)), [], "it has no history");
    }
}
