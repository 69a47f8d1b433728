//! `history`: what builds took, from the records of all runs.

use std::path::Path;

use jiff::tz::TimeZone;
use planner::Estimate;
use report::text::{clock, duration, harmless, size};
use serde::Serialize;

use crate::cli::HistoryArgs;
use crate::config::Settings;
use crate::error::CommandError;
use crate::history::{Estimates, Record, machine_id, newest};
use crate::host::Layout;

/// The answer, as `--json` prints it.
#[derive(Serialize)]
struct Answer {
    /// The newest first.
    attempts: Vec<Record>,
    /// What the next build of the package is expected to take here, if one is named and was ever built.
    expected: Option<Estimate>,
}

pub(super) fn run(settings: &Settings, arguments: &HistoryArgs) -> Result<(), CommandError> {
    let path = Layout::new(&settings.output).state();
    let name = arguments.name.as_deref();
    let answer = Answer {
        attempts: newest(&path, name, arguments.limit)?,
        expected: name.map_or(Ok(None), |name| expected(&path, name))?,
    };
    if let Some(name) = name.filter(|_| answer.attempts.is_empty()) {
        let folder = settings.output.display();
        return Err(CommandError::usage(format!("no build of `{name}` is recorded in `{folder}`"))
            .hint("`package-builder history` lists the builds of all packages; source packages have builds"));
    }
    if arguments.json {
        return super::print_json(&answer);
    }
    super::print_data(table(&answer, &TimeZone::system()).as_bytes())
}

fn expected(path: &Path, name: &str) -> Result<Option<Estimate>, CommandError> {
    Ok(Estimates::read(path, &machine_id(), std::iter::once(name))?.of(name))
}

/// The attempts as lines of columns, with a head; nothing if there are none.
fn table(answer: &Answer, zone: &TimeZone) -> String {
    if answer.attempts.is_empty() {
        return String::new();
    }
    let head = ["STARTED", "PACKAGE", "TIME", "CPU", "MEMORY", "WRITTEN", "RESULT"].map(str::to_owned);
    let took = |seconds: f64, cpu: Option<f64>, memory: Option<u64>, disk: Option<u64>| {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        [duration(seconds), or_dash(cpu.map(duration)), or_dash(memory.map(size)), or_dash(disk.map(size))]
    };
    let line = |record: &Record| {
        let attempt = &record.attempt;
        let took = took(record.seconds, attempt.cpu_seconds, attempt.peak_memory, attempt.disk);
        let [seconds, cpu, memory, disk] = took;
        // The first line says it; the rest is in the run's own records.
        let result = harmless(record.verdict.describe().lines().next().unwrap_or_default());
        [clock(record.started, zone), record.nevr.clone(), seconds, cpu, memory, disk, result]
    };
    let mut lines: Vec<[String; 7]> = std::iter::once(head).chain(answer.attempts.iter().map(line)).collect();
    if let Some(Estimate { seconds, cpu_seconds, memory, disk }) = answer.expected {
        let [seconds, cpu, memory, disk] = took(seconds, cpu_seconds, memory, disk);
        let result = "the median of the newest successful ones".to_owned();
        lines.push(["expected".to_owned(), String::new(), seconds, cpu, memory, disk, result]);
    }
    let widths: [usize; 7] =
        std::array::from_fn(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default());
    let padded = |line: &[String; 7]| {
        let cells = line.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
            0 | 1 => format!("{cell:width$}  "),
            6 => format!("{cell}\n"),
            _ => format!("{cell:>width$}  "),
        });
        cells.collect::<String>()
    };
    lines.iter().map(padded).collect()
}

#[cfg(test)]
mod tests {
    use report::{Attempt, Verdict};

    use super::*;

    #[test]
    fn what_is_unknown_is_a_dash_and_columns_stand_below_each_other() {
        let attempt = Attempt { cpu_seconds: Some(75.0), peak_memory: Some(312 << 20), ..Attempt::default() };
        let built = Record {
            run: "r".to_owned(),
            package: "jq".to_owned(),
            nevr: "jq-1.8.2-1".to_owned(),
            started: 1_700_000_000_000,
            machine: "m".to_owned(),
            verdict: Verdict::Success,
            seconds: 41.5,
            own_seconds: 0.1,
            attempt,
        };
        let reason = "no engine\nat all".to_owned();
        let broken = Record {
            verdict: Verdict::Infrastructure { reason },
            attempt: Attempt::default(),
            seconds: 0.2,
            ..built.clone()
        };
        let expected = Some(Estimate { seconds: 41.5, cpu_seconds: Some(75.0), memory: Some(312 << 20), disk: None });
        let text = table(&Answer { attempts: vec![built, broken], expected }, &TimeZone::UTC);
        assert_eq!(
            text,
            "STARTED              PACKAGE      TIME    CPU     MEMORY  WRITTEN  RESULT\n\
             2023-11-14 22:13:20  jq-1.8.2-1    42s  1m15s  312.0 MiB        -  built\n\
             2023-11-14 22:13:20  jq-1.8.2-1  0.20s      -          -        -  could not be run: no engine\n\
             expected                           42s  1m15s  312.0 MiB        -  the median of the newest successful ones\n"
        );
        assert_eq!(table(&Answer { attempts: Vec::new(), expected: None }, &TimeZone::UTC), "");
    }
}
