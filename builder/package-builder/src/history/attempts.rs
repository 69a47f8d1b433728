//! The table of attempts: every build that was tried, and how it went.

use std::collections::BTreeSet;
use std::path::Path;

use planner::Estimate;
use report::{Attempt, Verdict};
use rusqlite::{Connection, Row, params};
use serde::Serialize;

use super::database::{open_to_read, trouble};
use crate::error::CommandError;

/// So many attempts of a package are kept.
const KEPT: u32 = 200;

/// One attempt.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// The run it belongs to.
    pub run: String,
    /// The source package.
    pub package: String,
    /// Its name-version-release.
    pub nevr: String,
    /// When it was started: milliseconds since 1970-01-01 UTC.
    pub started: i64,
    /// Where ([`machine_id`](super::machine_id)).
    pub machine: String,
    /// How it ended.
    pub verdict: Verdict,
    /// Whole time.
    pub seconds: f64,
    /// The part of it outside rpmbuild, in seconds.
    pub own_seconds: f64,
    /// What was built, and what it took.
    #[serde(flatten)]
    pub attempt: Attempt,
}

/// Adds an attempt, and takes the oldest of its package away if there are too many.
pub(super) fn insert(connection: &mut Connection, record: &Record) -> rusqlite::Result<()> {
    let json = |value: serde_json::Result<String>| {
        value.map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
    };
    let Record { attempt, .. } = record;
    let transaction = connection.transaction()?;
    transaction.execute(
        "INSERT INTO attempts (run, package, nevr, key, started, machine, verdict, succeeded, seconds, own_seconds, \
         phases, cpu_seconds, peak_memory, disk) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            record.run,
            record.package,
            record.nevr,
            attempt.key,
            record.started,
            record.machine,
            json(serde_json::to_string(&record.verdict))?,
            record.verdict.is_good(),
            record.seconds,
            record.own_seconds,
            json(serde_json::to_string(&attempt.phases))?,
            attempt.cpu_seconds,
            attempt.peak_memory.map(signed),
            attempt.disk.map(signed),
        ],
    )?;
    transaction.execute(
        "DELETE FROM attempts WHERE package = ?1 AND id NOT IN \
         (SELECT id FROM attempts WHERE package = ?1 ORDER BY started DESC, id DESC LIMIT ?2)",
        params![record.package, KEPT],
    )?;
    transaction.commit()
}

/// The newest attempts, the newest first: of one source package, or of all. None where nothing was recorded yet.
///
/// # Errors
/// The history cannot be read.
pub fn newest(path: &Path, package: Option<&str>, limit: u32) -> Result<Vec<Record>, CommandError> {
    let Some(connection) = open_to_read(path)? else { return Ok(Vec::new()) };
    let read = || {
        // Asked in two ways, so that each is answered from an index.
        let of = if package.is_some() { "package = ?1" } else { "?1 IS NULL" };
        let sql = format!(
            "SELECT run, package, nevr, started, machine, verdict, seconds, own_seconds, key, phases, cpu_seconds, \
             peak_memory, disk FROM attempts WHERE {of} ORDER BY started DESC, id DESC LIMIT ?2"
        );
        let mut statement = connection.prepare(&sql)?;
        statement.query_map(params![package, limit], record_of)?.collect::<rusqlite::Result<Vec<_>>>()
    };
    read().map_err(trouble("read", path))
}

/// The source packages that were ever tried.
pub(super) fn recorded_packages(connection: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    connection.prepare("SELECT DISTINCT package FROM attempts")?.query_map([], |row| row.get(0))?.collect()
}

/// What the newest successful builds of a package took, the newest first: on one machine, or on all.
pub(super) fn successes(
    connection: &Connection,
    package: &str,
    machine: Option<&str>,
    limit: u32,
) -> rusqlite::Result<Vec<Estimate>> {
    let mut statement = connection.prepare_cached(
        "SELECT seconds, cpu_seconds, peak_memory, disk FROM attempts \
         WHERE package = ?1 AND succeeded AND (?2 IS NULL OR machine = ?2) ORDER BY started DESC, id DESC LIMIT ?3",
    )?;
    let estimate = |row: &Row<'_>| {
        Ok(Estimate {
            seconds: row.get(0)?,
            cpu_seconds: row.get(1)?,
            memory: row.get::<_, Option<i64>>(2)?.map(i64::unsigned_abs),
            disk: row.get::<_, Option<i64>>(3)?.map(i64::unsigned_abs),
        })
    };
    statement.query_map(params![package, machine, limit], estimate)?.collect()
}

fn record_of(row: &Row<'_>) -> rusqlite::Result<Record> {
    let parsed = |at: usize, error: serde_json::Error| {
        rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, Box::new(error))
    };
    Ok(Record {
        run: row.get(0)?,
        package: row.get(1)?,
        nevr: row.get(2)?,
        started: row.get(3)?,
        machine: row.get(4)?,
        verdict: serde_json::from_str(&row.get::<_, String>(5)?).map_err(|error| parsed(5, error))?,
        seconds: row.get(6)?,
        own_seconds: row.get(7)?,
        attempt: Attempt {
            key: row.get(8)?,
            phases: serde_json::from_str(&row.get::<_, String>(9)?).map_err(|error| parsed(9, error))?,
            cpu_seconds: row.get(10)?,
            peak_memory: row.get::<_, Option<i64>>(11)?.map(i64::unsigned_abs),
            disk: row.get::<_, Option<i64>>(12)?.map(i64::unsigned_abs),
        },
    })
}

/// A size as SQLite keeps numbers.
fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use report::PhaseTime;

    use super::super::database::open_to_write;
    use super::*;

    /// An attempt that succeeded and was measured.
    pub(in crate::history) fn attempt(package: &str, started: i64, seconds: f64) -> Record {
        Record {
            run: format!("run-{started}"),
            package: package.to_owned(),
            nevr: format!("{package}-1-1"),
            started,
            machine: "here".to_owned(),
            verdict: Verdict::Success,
            seconds,
            own_seconds: 0.5,
            attempt: Attempt {
                key: Some("key".to_owned()),
                phases: vec![PhaseTime { phase: "%build".to_owned(), seconds: seconds - 0.5 }],
                cpu_seconds: Some(seconds * 2.0),
                peak_memory: Some(1 << 30),
                disk: None,
            },
        }
    }

    #[test]
    fn what_is_recorded_is_read_back_the_newest_first() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("state.sqlite");
        assert_eq!(newest(&path, None, 10).expect("no history is an empty one"), []);
        let mut connection = open_to_write(&path, false).expect("the folder is writable");
        let failed = Record { verdict: Verdict::Failed { phase: "%check".to_owned() }, ..attempt("jq", 3, 9.0) };
        let records = [attempt("jq", 1, 10.0), attempt("zlib", 2, 20.0), failed];
        records.iter().for_each(|record| insert(&mut connection, record).expect("it can be written"));
        let [first, second, third] = records;
        assert_eq!(newest(&path, Some("jq"), 10).expect("it can be read"), [third.clone(), first]);
        assert_eq!(newest(&path, None, 2).expect("it can be read"), [third, second]);
        let json = serde_json::to_value(&newest(&path, Some("jq"), 1).expect("it can be read")[0]).expect("plain data");
        assert_eq!((&json["verdict"]["is"], &json["peak_memory"]), (&"failed".into(), &(1_u64 << 30).into()));
    }

    #[test]
    fn the_oldest_of_a_package_go_and_those_of_others_stay() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("state.sqlite");
        let mut connection = open_to_write(&path, false).expect("the folder is writable");
        insert(&mut connection, &attempt("zlib", 0, 1.0)).expect("it can be written");
        for started in 1..=i64::from(KEPT) + 3 {
            insert(&mut connection, &attempt("jq", started, 1.0)).expect("it can be written");
        }
        let all = newest(&path, None, u32::MAX).expect("it can be read");
        assert_eq!(all.len(), KEPT as usize + 1);
        assert_eq!(all.iter().map(|record| record.started).rev().take(2).collect::<Vec<_>>(), [0, 4]);
    }
}
