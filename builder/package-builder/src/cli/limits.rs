//! The options of `build` that say what builds may use up: time, memory, and what they write to their logs.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::runner::JobLimits;

/// How long a sandbox may take to start, to end, or to copy what a build takes and gives: no build is that large.
const PATIENCE: Duration = Duration::from_secs(1800);

/// How builds that run at once share the CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum JobServerChoice {
    /// By a job server where more than one build may run at once
    Auto,
    /// By equal shares
    Off,
}

/// What builds may use up.
#[derive(Clone, Debug, Args)]
pub struct LimitArgs {
    /// End a build that runs longer than this many minutes
    #[arg(long, default_value = "240", value_name = "MINUTES", value_parser = minutes)]
    pub timeout: Duration,
    /// End a build that writes nothing for this many minutes
    #[arg(long, default_value = "60", value_name = "MINUTES", value_parser = minutes)]
    pub idle_timeout: Duration,
    /// The memory that all builds may use together [default: what is available now, less a reserve]
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub memory: Option<u64>,
    /// Whether builds that run at once share the CPUs by GNU make's job server, or each has a fixed share
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    pub job_server: JobServerChoice,
    /// Keep at most this much of what each phase of a build writes
    #[arg(long, default_value = "1G", value_name = "SIZE", value_parser = bytes)]
    pub log_limit: u64,
}

impl LimitArgs {
    /// What one build may use up.
    #[must_use]
    pub fn of_job(&self) -> JobLimits {
        JobLimits { timeout: self.timeout, idle_timeout: self.idle_timeout, log: self.log_limit, patience: PATIENCE }
    }
}

/// Minutes, with decimals if need be.
fn minutes(text: &str) -> Result<Duration, String> {
    let wrong = || "a number of minutes is expected, as in `90` or `0.5`".to_owned();
    let minutes: f64 = text.parse().map_err(|_| wrong())?;
    if minutes <= 0.0 {
        return Err("it must be more than none".to_owned());
    }
    Duration::try_from_secs_f64(minutes * 60.0).map_err(|_| wrong())
}

/// A size in bytes, or in binary units: `512M`, `1.5G`, `2 GiB`.
fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || "a size is expected, as in `512M`, `1.5G` or `1073741824`".to_owned();
    let split = text.find(|character: char| !(character.is_ascii_digit() || character == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let unit = unit.trim().to_ascii_uppercase();
    let unit = unit.strip_suffix("IB").or_else(|| unit.strip_suffix('B')).unwrap_or(&unit);
    let exponent = ["", "K", "M", "G", "T"].iter().position(|known| *known == unit).ok_or_else(wrong)?;
    let bytes = number * 1024_f64.powi(i32::try_from(exponent).map_err(|_| wrong())?);
    if bytes < 1.0 || bytes > 2_f64.powi(60) {
        return Err("it must be between one byte and 1048576T".to_owned());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 2^60")]
    Ok(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read_as_people_write_them() {
        assert_eq!(minutes("90"), Ok(Duration::from_secs(5400)));
        assert_eq!(minutes("0.5"), Ok(Duration::from_secs(30)));
        for wrong in ["", "x", "-1", "0", "NaN", "1e300", "inf"] {
            assert!(minutes(wrong).is_err(), "{wrong}");
        }
        for (text, expected) in
            [("1", 1), ("512M", 512 << 20), ("1.5g", 3 << 29), ("2 GiB", 2 << 30), ("4KB", 4096), ("1T", 1 << 40)]
        {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for wrong in ["", "M", "1X", "-1", "0", "1..5", "1e9", "99999999T"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
