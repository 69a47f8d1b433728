//! `nightly`: a build that may be killed, run out of time or fail in parts, and always tells what came of it.
//!
//! It is `build` with a time window and a mail. What an earlier one did not come to is stale, so it goes on from there.

use std::time::{Duration, Instant};

use jiff::civil::Time;
use jiff::{SignedDuration, Zoned};

use super::build::{Ran, run_within};
use super::report::mail_of;
use crate::cli::NightlyArgs;
use crate::config::Settings;
use crate::error::CommandError;
use crate::host::{Layout, Runs, write_whole};

pub(super) fn run(settings: Settings, arguments: &NightlyArgs) -> Result<(), CommandError> {
    if arguments.build.json && arguments.mail_to.is_none() {
        return Err(CommandError::usage("events and mail cannot both go to standard output")
            .hint("say where the mail is to go: `--json --mail-to FILE`"));
    }
    let window = window(arguments.until, arguments.duration, &Zoned::now())?;
    let until = window.map(|window| Instant::now() + window);
    let mut build = arguments.build.clone();
    build.targets.all |= build.targets.names.is_empty();
    let runs = Runs::new(&Layout::new(&settings.output));
    let tree = settings.tree.display().to_string();
    let (mail, outcome) = match run_within(settings, &build, until) {
        Ok(Ran { id, outcome }) => (runs.summary(&id).map(|summary| mail_of(&runs, &summary)), outcome),
        // It never became a run; who waits for the mail has to know.
        Err(error) => (Ok(report::mail_without_run(&tree, &error.to_string())), Err(error)),
    };
    let sent = mail.and_then(|text| match &arguments.mail_to {
        Some(path) => write_whole(path, text.as_bytes()),
        None => super::print_data(text.as_bytes()),
    });
    // How the build ended says more than that nobody could be told.
    outcome.and(sent)
}

/// How long builds may be started, from now on; `None` for ever.
fn window(
    until: Option<Time>,
    duration: Option<SignedDuration>,
    now: &Zoned,
) -> Result<Option<Duration>, CommandError> {
    let window = match (until, duration) {
        (Some(time), _) => until_next(time, now)?,
        (None, Some(duration)) => duration,
        (None, None) => return Ok(None),
    };
    let window = Duration::try_from(window);
    window.map(Some).map_err(|_| CommandError::usage("`--for` takes a time that is not negative, as in 8h or 90m"))
}

/// The time from now to the next such time of the day, where the clock goes by that zone.
fn until_next(time: Time, now: &Zoned) -> Result<SignedDuration, CommandError> {
    let never = |error: jiff::Error| CommandError::usage(format!("`--until {time}`: {error}"));
    let on = |day: jiff::civil::Date| day.to_datetime(time).to_zoned(now.time_zone().clone()).map_err(never);
    let today = on(now.date())?;
    let next = if today > *now { today } else { on(now.date().tomorrow().map_err(never)?)? };
    Ok(next.timestamp().duration_since(now.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_ends_at_the_next_such_time() {
        let now: jiff::Timestamp = "2026-11-24T20:00:00Z".parse().expect("a time");
        let now = now.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(2)));
        let hours = |until: &str| {
            let time = Some(until.parse().expect("a time of the day"));
            window(time, None, &now).expect("there is one").map(|window| window.as_secs() / 3600)
        };
        assert_eq!(hours("06:00"), Some(8));
        assert_eq!(hours("23:00"), Some(1));
        assert_eq!(hours("22:00"), Some(24), "now is over");
        let of = |text: &str| window(None, Some(text.parse().expect("a duration")), &now);
        assert_eq!(of("7h30m").ok().flatten(), Some(Duration::from_secs(27_000)));
        assert!(of("-1h").is_err());
        assert_eq!(window(None, None, &now).ok(), Some(None));
    }
}
