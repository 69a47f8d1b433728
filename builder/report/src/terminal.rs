//! The view for people: lasting lines with a right-aligned verb, a live line on a terminal, a summary at the end.
//!
//! Normal output is brief: one line a result, reasons for what is built or blocked, the cause of each failure and what
//! to type next. Everything goes to one writer (stderr), since stdout is for data.

use crate::attempt::{Measure, Regression};
use crate::blocked::BlockedPackage;
use crate::event::{Event, EventKind, PackageReason};
use crate::live::LiveLine;
use crate::paint::{Tone, continuation, paint, verb_line};
use crate::reporter::Reporter;
use crate::tally::Tally;
use crate::text::{chain, clock, duration, harmless, plural, roughly, size, some_of};
use crate::verdict::Verdict;
use jiff::tz::TimeZone;
use std::io::{IsTerminal, Write};

/// More reasons than this are a number: `plan` prints them all.
const REASONS_SHOWN: usize = 12;

/// So many members of a cycle are named.
const MEMBERS_SHOWN: usize = 5;
/// Of the needs that a build turned out to have, and of what is built for them, so many are named.
const NEEDS_SHOWN: usize = 8;

/// How the terminal is to be used. Nothing here changes what is said.
#[derive(Debug, Clone)]
pub struct TerminalSettings {
    /// Bold colours.
    pub colour: bool,
    /// A live line; only sensible when the writer is a terminal's stderr. Without it the start of each build is a
    /// line of its own.
    pub live: bool,
    /// The zone clock times are shown in.
    pub time_zone: TimeZone,
}

impl TerminalSettings {
    /// For this process's stderr: live on a terminal, coloured there unless `no_colour` (the user's wish, or the
    /// environment's `NO_COLOR`, which the caller has read).
    pub fn for_stderr(no_colour: bool) -> TerminalSettings {
        let live = std::io::stderr().is_terminal();
        TerminalSettings { colour: live && !no_colour, live, time_zone: TimeZone::system() }
    }

    /// Plain lines, times in UTC: the same events give the same bytes anywhere.
    pub fn plain() -> TerminalSettings {
        TerminalSettings { colour: false, live: false, time_zone: TimeZone::UTC }
    }
}

/// The view. See the module's text.
pub struct Terminal {
    writer: Box<dyn Write + Send>,
    settings: TerminalSettings,
    live: Option<LiveLine>,
    tally: Tally,
    /// The seconds that were expected last to be left.
    left: Option<f64>,
    finished: bool,
}

impl Terminal {
    /// Shows events on `writer`.
    pub fn new(writer: Box<dyn Write + Send>, settings: TerminalSettings) -> Terminal {
        let live = settings.live.then(|| LiveLine::on_stderr(settings.colour));
        Terminal { writer, settings, live, tally: Tally::default(), left: None, finished: false }
    }

    fn print(&mut self, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let writer = &mut self.writer;
        // A closed terminal is no reason to stop a build.
        let mut write = || drop(writer.write_all(text.as_bytes()).and_then(|()| writer.flush()));
        match &self.live {
            Some(live) => live.aside(write),
            None => write(),
        }
    }

    fn lines_of(&self, event: &Event) -> Vec<String> {
        let colour = self.settings.colour;
        let good = |verb: &str, rest: String| vec![verb_line(Tone::Good, verb, rest, colour)];
        match &event.kind {
            EventKind::RunStarted { command, tree, jobs, sandbox } => {
                let at = clock(event.at, &self.settings.time_zone);
                let jobs = plural(*jobs, "job");
                good("Started", format!("run {} at {at}: `{command}` ({tree}, {jobs}, {sandbox})", event.run))
            }
            EventKind::SpecsEvaluated { count, errors, seconds } => {
                let errors = if *errors > 0 { format!(" ({errors} broken)") } else { String::new() };
                good("Evaluated", format!("{}{errors} in {}", plural(*count, "spec"), duration(*seconds)))
            }
            EventKind::Diagnostic { text } => vec![text.clone()],
            EventKind::SeedPrepared { name, packages, seconds } => {
                let packages = plural(*packages, "package");
                good("Prepared", format!("seed {name}: {packages} in {}", duration(*seconds)))
            }
            EventKind::BaseReady { digest, seconds } => {
                let short: String = digest.chars().take(12).collect();
                good("Ready", format!("base layer {short} in {}", duration(*seconds)))
            }
            EventKind::Planned { stale, fresh, blocked } => planned_lines(stale, *fresh, blocked, colour),
            EventKind::SourceFetched { file, bytes, origin, .. } => {
                good("Fetched", format!("{} ({}) from {}", harmless(file), size(*bytes), harmless(origin)))
            }
            EventKind::SourceFailed { package, file, reason } => {
                let mut reason_lines = reason.lines().map(harmless);
                let first = reason_lines.next().unwrap_or_default();
                let rest = format!("source {} of {package}: {first}", harmless(file));
                let mut lines = vec![verb_line(Tone::Bad, "FAILED", rest, colour)];
                lines.extend(reason_lines.map(continuation));
                lines
            }
            EventKind::JobStarted { nevr, .. } if !self.settings.live => {
                vec![verb_line(Tone::Note, "Building", nevr, colour)]
            }
            EventKind::NeedsGenerated { nevr, needs, .. } => {
                let shown: Vec<_> = needs.iter().map(|need| harmless(need)).collect();
                good(
                    "Generated",
                    format!("{} of {nevr}: {}", plural(needs.len(), "need"), some_of(&shown, NEEDS_SHOWN)),
                )
            }
            EventKind::PlanGrew { nevr, stale, .. } => {
                let shown: Vec<_> = stale.iter().map(|more| format!("{} ({})", more.package, more.reason)).collect();
                let shown = some_of(&shown, NEEDS_SHOWN);
                good("Planned", format!("{} more to build for {nevr}: {shown}", stale.len()))
            }
            EventKind::CyclePass { members, number, opened, stale } => {
                let said = opened.iter().map(|first| format!("{} {}", first.package, first.reason));
                let again = stale.iter().map(|more| format!("{} again ({})", more.package, more.reason));
                let said: Vec<_> = said.chain(again).map(|text| harmless(&text)).collect();
                let said = if said.is_empty() { String::new() } else { format!(": {}", said.join("; ")) };
                let more = members.len().saturating_sub(MEMBERS_SHOWN);
                let shown = members[..members.len() - more].join(" ↔ ");
                let shown = if more > 0 { format!("{shown} and {more} more") } else { shown };
                good("Cycle", format!("pass {number} of {shown}{said}"))
            }
            EventKind::JobWaits { nevr, needs, .. } => {
                vec![verb_line(Tone::Note, "Waiting", format_args!("{nevr} waits for {}", needs.join(", ")), colour)]
            }
            EventKind::JobHeld { nevr, reason, .. } => {
                vec![verb_line(Tone::Note, "Holding", format_args!("{nevr}: {}", harmless(reason)), colour)]
            }
            EventKind::JobRetried { nevr, attempt, reason, seconds, .. } => {
                let mut reason_lines = reason.lines().map(harmless);
                let first = reason_lines.next().unwrap_or_default();
                let rest = format!("{nevr} in {}, attempt {attempt}: {first}", duration(*seconds));
                let mut lines = vec![verb_line(Tone::Warning, "Retrying", rest, colour)];
                lines.extend(reason_lines.map(continuation));
                lines
            }
            EventKind::JobFinished { nevr, verdict, cause, seconds, own_seconds, log, rpms, .. } => {
                let timing = format!("{} (own time {})", duration(*seconds), duration(*own_seconds));
                match verdict {
                    Verdict::Success => good("Built", format!("{nevr} in {timing}: {}", plural(rpms.len(), "RPM"))),
                    Verdict::Unchanged => good("Unchanged", format!("{nevr} in {timing}")),
                    Verdict::BlockedBy { package } => {
                        vec![verb_line(Tone::Warning, "Blocked", format_args!("{nevr}: it needs {package}"), colour)]
                    }
                    Verdict::Excluded { reason } => {
                        vec![verb_line(Tone::Warning, "Excluded", format_args!("{nevr}: {reason}"), colour)]
                    }
                    failure => failure_lines(nevr, failure, cause.as_deref(), log.as_deref(), Some(*seconds), colour),
                }
            }
            EventKind::Published { generation, added } => {
                good("Published", format!("generation {generation} with {} more", plural(added.len(), "RPM")))
            }
            EventKind::Regression(regression) => vec![regression_line(regression, colour)],
            EventKind::Forecast { seconds, critical_path } if self.left.is_none() => {
                let path = chain(critical_path).map(|path| format!("; longest chain: {path}")).unwrap_or_default();
                good("Expected", format!("about {}{path}", roughly(*seconds)))
            }
            EventKind::RunFinished { .. } => self.summary_lines(event),
            EventKind::WindowEnded => {
                let rest = "the time window is over: finishing what is running, starting no more";
                vec![verb_line(Tone::Warning, "Window", rest, colour)]
            }
            // Broken specs are shown as diagnostics, what breaks a run off by whoever ends the command.
            EventKind::SpecBroken { .. }
            | EventKind::CycleUnsettled { .. }
            | EventKind::FailuresExpected { .. }
            | EventKind::LastLines { .. }
            | EventKind::RunBroke { .. }
            | EventKind::Other
            | EventKind::SeedProgress { .. }
            | EventKind::SourceStarted { .. }
            | EventKind::SourceProgress { .. }
            | EventKind::Forecast { .. }
            | EventKind::JobStarted { .. }
            | EventKind::JobPhase { .. }
            | EventKind::RootStacked { .. } => vec![],
        }
    }

    /// The block at the end. Counts are the engine's; failures and times are added up here.
    fn summary_lines(&self, event: &Event) -> Vec<String> {
        let EventKind::RunFinished { counts, interrupted, repository, install, seconds } = &event.kind else {
            return vec![];
        };
        let colour = self.settings.colour;
        let mut parts = vec![format!("{} built", counts.built)];
        let others = [
            (counts.unchanged, "unchanged"),
            (counts.failed, "failed"),
            (counts.expected, "failed as expected"),
            (counts.blocked, "blocked"),
            (counts.excluded, "excluded"),
            (counts.fresh, "fresh"),
        ];
        parts.extend(others.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")));
        let missing = self.tally.missing_sources.len();
        if missing > 0 {
            parts.push(format!("{} missing", plural(missing, "source")));
        }
        let all_well = counts.failed == 0 && counts.blocked == 0 && missing == 0 && !interrupted;
        let tone = if all_well { Tone::Good } else { Tone::Bad };
        let jobs = format!("{}/{}", counts.run(), plural(counts.planned, "job"));
        let stopped = if *interrupted { ", interrupted" } else { "" };
        let time = duration(*seconds);
        let mut lines = Vec::new();
        lines.push(verb_line(
            tone,
            "Summary",
            format_args!("[{time:>7}] {jobs} run{stopped}: {}", parts.join(", ")),
            colour,
        ));
        if let Some(median) = self.tally.median_own_seconds() {
            let built = duration(self.tally.build_seconds());
            lines.push(continuation(format_args!("{built} of builds; median own time per build {}", duration(median))));
        }
        for failure in &self.tally.failures {
            let (cause, log) = (failure.cause.as_deref(), failure.log.as_deref());
            lines.extend(failure_lines(&failure.nevr, &failure.verdict, cause, log, None, colour));
        }
        lines.extend(self.tally.regressions.iter().map(|regression| regression_line(regression, colour)));
        for (failure, entry) in &self.tally.expected_failures {
            let said = format!("{} {}: {}", failure.nevr, failure.verdict.describe(), entry.describe());
            lines.push(verb_line(Tone::Warning, "Expected", harmless(&said), colour));
        }
        if *interrupted {
            let left = self.left.map(|seconds| format!(", about {} left", roughly(seconds))).unwrap_or_default();
            lines.push(hint(&format!("the same command goes on from here{left}"), colour));
        } else if let Some(failure) = self.tally.failures.iter().find(|failure| failure.log.is_some()) {
            let name = harmless(&failure.package);
            lines.push(hint(&format!("`package-builder log {name}` shows the whole log of {name}"), colour));
        }
        if let Some(repository) = repository {
            lines.push(verb_line(Tone::Good, "Repository", repository, colour));
        }
        if let Some(install) = install {
            lines.push(verb_line(Tone::Note, "Install", install, colour));
        }
        lines
    }
}

impl Reporter for Terminal {
    fn event(&mut self, event: &Event) {
        self.tally.event(event);
        if let Some(live) = &self.live {
            live.event(event);
        }
        if matches!(event.kind, EventKind::RunFinished { .. }) {
            self.live = None;
        }
        let lines = self.lines_of(event);
        if let EventKind::Forecast { seconds, .. } = &event.kind {
            self.left = Some(*seconds);
        }
        self.print(&lines);
    }

    fn finish(&mut self) {
        if !std::mem::replace(&mut self.finished, true) {
            self.live = None;
        }
    }
}

fn planned_lines(stale: &[PackageReason], fresh: usize, blocked: &[BlockedPackage], colour: bool) -> Vec<String> {
    let mut rest = format!("{} to build, {fresh} fresh", stale.len());
    if !blocked.is_empty() {
        rest.push_str(&format!(", {} blocked", blocked.len()));
    }
    let mut lines = vec![verb_line(Tone::Good, "Planned", rest, colour)];
    let reason = |item: &PackageReason| format!("{}: {}", item.package, harmless(&item.reason));
    lines.extend(stale.iter().take(REASONS_SHOWN).map(|item| verb_line(Tone::Note, "Stale", reason(item), colour)));
    if stale.len() > REASONS_SHOWN {
        let others: Vec<String> = stale[REASONS_SHOWN..].iter().map(|item| item.package.clone()).collect();
        lines.push(verb_line(Tone::Note, "Stale", some_of(&others, REASONS_SHOWN), colour));
    }
    lines.extend(blocked.iter().map(|item| {
        let root = item.root_beyond_reason().map(|root| format!(" (because of {root})")).unwrap_or_default();
        let rest = format!("{}: {}{root}", item.package, harmless(&item.reason));
        verb_line(Tone::Warning, if item.is_excluded() { "Excluded" } else { "Blocked" }, rest, colour)
    }));
    lines
}

/// `      FAILED curl-8.9.1-3 failed in %build after 41s (log: …)` and the cause under it.
fn failure_lines(
    nevr: &str,
    verdict: &Verdict,
    cause: Option<&str>,
    log: Option<&str>,
    seconds: Option<f64>,
    colour: bool,
) -> Vec<String> {
    let what = match (verdict, seconds) {
        // What is missing was said when it was looked for, and is said once more in the summary.
        (Verdict::NoSource { .. }, Some(_)) => "lacks a source".to_owned(),
        _ => harmless(&verdict.describe()),
    };
    let what = what.strip_prefix("failed ").unwrap_or(&what);
    let ran = seconds.filter(|seconds| *seconds > 0.0);
    let after = ran.map(|seconds| format!(" after {}", duration(seconds))).unwrap_or_default();
    let log = log.map(|log| format!(" (log: {log})")).unwrap_or_default();
    let mut what_lines = what.lines();
    let first = what_lines.next().unwrap_or_default();
    let mut lines = vec![verb_line(Tone::Bad, "FAILED", format_args!("{nevr} {first}{after}{log}"), colour)];
    lines.extend(what_lines.map(continuation));
    lines.extend(cause.map(harmless).iter().flat_map(|cause| cause.lines()).map(continuation));
    lines
}

/// `      Slower glibc took 2.1× its median (41m00s, else 19m30s)`.
fn regression_line(regression: &Regression, colour: bool) -> String {
    let verb = match regression.measure {
        Measure::Time => "Slower",
        Measure::Memory => "Larger",
    };
    let text = format!("{} {}", harmless(&regression.package), regression.describe());
    verb_line(Tone::Warning, verb, text, colour)
}

fn hint(text: &str, colour: bool) -> String {
    format!("{} {text}", paint(Tone::Note, "hint:", colour))
}

#[cfg(test)]
mod tests;
