//! A run as the text of a mail: the night's verdict first, then what to look at, worst first.
//!
//! Plain text, at most [`COLUMNS`] wide, and bounded in length however bad the night was: what is left out is in
//! `summary.json` and the journal.

use crate::summary::{Changes, PackageSummary, RunEnd, Summary};
use crate::text::{clock, duration, harmless, plural};
use crate::verdict::Verdict;
use jiff::tz::TimeZone;

/// The width of a mail.
const COLUMNS: usize = 80;
/// So many failures are told with their cause and log.
const FAILURES_SHOWN: usize = 20;
/// Of a failure's cause, so many lines.
const CAUSE_LINES: usize = 3;
/// A list of names has so many lines at most.
const NAME_LINES: usize = 6;
/// So many entries of other lists.
const ENTRIES_SHOWN: usize = 15;
/// So many of the slowest builds, where they took at least this many seconds.
const SLOWEST_SHOWN: usize = 5;
const SLOW: f64 = 60.0;

/// The text, with a newline at the end; its first line fits a subject.
pub fn mail(summary: &Summary, changes: &Changes) -> String {
    let mut page = Page::default();
    page.line(0, &verdict(summary));
    page.blank();
    facts(&mut page, summary);
    if let RunEnd::Broke { reason } = &summary.end {
        page.heading("THE RUN BROKE OFF");
        reason.lines().take(ENTRIES_SHOWN).for_each(|line| page.line(2, line));
    }
    failures(&mut page, summary);
    page.entries("CYCLES THAT DO NOT SETTLE", &summary.unsettled);
    if changes.has_before {
        page.names("NEWLY FAILING", &changes.newly_failing);
        page.names("NEWLY GOOD", &changes.newly_good);
    }
    expectations(&mut page, summary);
    page.names("NOT REACHED", &summary.left);
    let more = summary.regressions.iter().map(|one| format!("{} {}", one.package, one.describe()));
    page.entries("TOOK MORE THAN BEFORE", &more.collect::<Vec<_>>());
    slowest(&mut page, summary);
    next(&mut page, summary);
    page.text
}

/// The mail about a run that did not even begin: why, and what to type.
pub fn mail_without_run(tree: &str, reason: &str) -> String {
    let summary = Summary::of(&[]);
    let summary = Summary { tree: tree.to_owned(), ..summary };
    let mut page = Page::default();
    page.line(0, &format!("{}: could not be started", summary.tree_name()));
    page.blank();
    reason.lines().take(ENTRIES_SHOWN).for_each(|line| page.line(0, line));
    page.text
}

/// `photon: 2 failed, 14 blocked, 480 built; generation 42`.
fn verdict(summary: &Summary) -> String {
    let counts = &summary.counts;
    let broken = summary.packages.iter().filter(|package| is_planned_failure(package)).count();
    let failed = counts.failed + broken;
    let is_well = failed == 0 && counts.blocked == 0 && summary.unsettled.is_empty();
    let parts = [
        (failed, "failed"),
        (summary.unsettled.len(), "unsettled"),
        (counts.blocked, "blocked"),
        (summary.unexpected_passes.len(), "passed unexpectedly"),
        (summary.left.len(), "not reached"),
        (counts.built, "built"),
        (counts.expected, "failed as expected"),
        (counts.unchanged, "unchanged"),
    ];
    let end = match &summary.end {
        RunEnd::Complete if is_well => "all well: ",
        RunEnd::Complete => "",
        RunEnd::WindowOver => "incomplete: ",
        RunEnd::Interrupted => "interrupted: ",
        RunEnd::Broke { .. } => "broke off: ",
        RunEnd::Unfinished => "unfinished: ",
    };
    let mut line = format!("{}: {end}", summary.tree_name());
    let mut gap = "";
    for (count, what) in parts.iter().filter(|(count, _)| *count > 0) {
        let part = format!("{gap}{count} {what}");
        // What matters least comes last, and goes where there is no room.
        if line.chars().count() + part.chars().count() > COLUMNS {
            break;
        }
        line.push_str(&part);
        gap = ", ";
    }
    if gap.is_empty() { line + "nothing to build" } else { line }
}

/// A failure that the plan knew of, which is among no counts of jobs: its spec or its needs are broken.
fn is_planned_failure(package: &PackageSummary) -> bool {
    package.is_failure() && package.nevr.is_none()
}

fn facts(page: &mut Page, summary: &Summary) {
    let at = clock(summary.started, &TimeZone::UTC);
    page.line(0, &format!("run:        {}", summary.run));
    page.line(0, &format!("started:    {at} UTC, took {}", duration(summary.seconds)));
    page.line(0, &format!("command:    {}", summary.command));
    let repository = match (&summary.generation, &summary.repository) {
        (Some(generation), _) => format!("generation {generation} is new"),
        (None, Some(_)) => "nothing new was published".to_owned(),
        (None, None) => "nothing is published".to_owned(),
    };
    page.line(0, &format!("repository: {repository}"));
    if summary.counts.fresh > 0 {
        page.line(0, &format!("fresh:      {}, not built again", plural(summary.counts.fresh, "package")));
    }
}

fn failures(page: &mut Page, summary: &Summary) {
    let failures = summary.failures();
    if failures.is_empty() {
        return;
    }
    page.heading(&format!("FAILED ({}), what blocks most first", failures.len()));
    for package in failures.iter().take(FAILURES_SHOWN) {
        failure(page, summary, package);
    }
    let others = failures.iter().skip(FAILURES_SHOWN).map(|package| package.package.clone());
    let others: Vec<String> = others.collect();
    if !others.is_empty() {
        page.line(2, &format!("and {} more:", others.len()));
        page.list(4, &others);
    }
}

fn failure(page: &mut Page, summary: &Summary, package: &PackageSummary) {
    let described = package.verdict.describe();
    let mut said = described.lines();
    let after = package.verdict.phase().map(|_| format!(" after {}", duration(package.seconds))).unwrap_or_default();
    page.line(2, &format!("{} {}{after}", package.shown(), said.next().unwrap_or_default()));
    let cause = package.cause.iter().flat_map(|cause| cause.lines());
    said.chain(cause).take(CAUSE_LINES).for_each(|line| page.line(6, line));
    if let Some(entry) = package.expected.as_ref().filter(|entry| entry.is_expired) {
        page.line(4, &format!("no longer expected: {}", entry.describe()));
    }
    if package.blocks > 0 {
        page.line(4, &format!("blocks {}:", plural(package.blocks, "package")));
        page.list(6, &summary.blocked_by(&package.package));
    }
    if let Some(log) = &package.log {
        page.line(4, &format!("log: {}", summary.below_tree(log)));
    }
}

fn expectations(page: &mut Page, summary: &Summary) {
    let expected: Vec<_> = summary.packages.iter().filter(|package| package.is_expected()).collect();
    let lines = expected.iter().map(|package| {
        let entry = package.expected.as_ref().map(|entry| entry.describe()).unwrap_or_default();
        format!("{} {}: {entry}", package.shown(), package.verdict.describe())
    });
    page.entries("FAILED AS EXPECTED", &lines.collect::<Vec<_>>());
    let passes = summary.unexpected_passes.iter();
    let passes: Vec<_> = passes.map(|entry| format!("{}: {}", entry.package, entry.describe())).collect();
    page.entries("PASSED UNEXPECTEDLY", &passes);
    if !passes.is_empty() {
        page.line(2, "take them out of expected-failures.toml");
    }
}

fn slowest(page: &mut Page, summary: &Summary) {
    let mut slow: Vec<_> = summary.packages.iter().filter(|package| package.seconds >= SLOW).collect();
    slow.sort_by(|left, right| right.seconds.total_cmp(&left.seconds).then_with(|| left.package.cmp(&right.package)));
    slow.truncate(SLOWEST_SHOWN);
    let lines: Vec<_> = slow.iter().map(|one| format!("{:>8} {}", duration(one.seconds), one.shown())).collect();
    page.entries("SLOWEST", &lines);
}

fn next(page: &mut Page, summary: &Summary) {
    page.heading("NEXT");
    if !summary.left.is_empty() || !matches!(summary.end, RunEnd::Complete) {
        page.line(2, "the same command goes on where this run stopped");
    }
    if summary.failures().iter().any(|package| package.log.is_some()) {
        page.line(2, &format!("package-builder log NAME --run {}", summary.run));
    }
    if summary.packages.iter().any(|package| matches!(package.verdict, Verdict::BlockedBy { .. })) {
        page.line(2, "what is blocked is built by itself once its root cause is mended");
    }
    page.line(2, &format!("package-builder report {} --format json", summary.run));
}

/// A text that keeps to its width.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    /// A line, cut where the page ends.
    fn line(&mut self, indent: usize, text: &str) {
        let room = COLUMNS - indent;
        let text = harmless(text.trim_end()).replace('\t', " ");
        let cut = text.chars().count() > room;
        let shown: String = text.chars().take(if cut { room - 1 } else { room }).collect();
        self.text.push_str(&" ".repeat(indent));
        self.text.push_str(&shown);
        self.text.push_str(if cut { "…\n" } else { "\n" });
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn heading(&mut self, text: &str) {
        self.blank();
        self.line(0, text);
    }

    /// Names side by side, as many as have room.
    fn list(&mut self, indent: usize, names: &[String]) {
        let mut lines = vec![String::new()];
        for (shown, name) in names.iter().enumerate() {
            let Some(line) = lines.last_mut() else { return };
            if !line.is_empty() && indent + line.chars().count() + 1 + name.chars().count() > COLUMNS {
                if lines.len() == NAME_LINES {
                    lines.push(format!("and {} more", names.len() - shown));
                    break;
                }
                lines.push(name.clone());
            } else {
                let gap = if line.is_empty() { "" } else { " " };
                line.push_str(&format!("{gap}{name}"));
            }
        }
        lines.iter().for_each(|line| self.line(indent, line));
    }

    /// A list of names under its heading, if there are any.
    fn names(&mut self, heading: &str, names: &[String]) {
        if !names.is_empty() {
            self.heading(&format!("{heading} ({})", names.len()));
            self.list(2, names);
        }
    }

    /// A line each under a heading, if there are any.
    fn entries(&mut self, heading: &str, entries: &[String]) {
        if entries.is_empty() {
            return;
        }
        self.heading(&format!("{heading} ({})", entries.len()));
        entries.iter().take(ENTRIES_SHOWN).for_each(|entry| self.line(2, entry.lines().next().unwrap_or_default()));
        if entries.len() > ENTRIES_SHOWN {
            self.line(2, &format!("and {} more", entries.len() - ENTRIES_SHOWN));
        }
    }
}

#[cfg(test)]
mod tests;
