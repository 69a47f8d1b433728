//! A run as JUnit XML, as Jenkins and others read it: one suite, a test case for every source package with an end.
//!
//! A package that fails by itself is a `failure`; what the machine did to it, and a run that broke off or was killed, is
//! an `error`; what is blocked, left out, expected to fail or not reached is `skipped`, with the reason.

use crate::summary::{PackageSummary, RunEnd, Summary};
use crate::text::{clock, plural};
use crate::verdict::Verdict;
use jiff::tz::TimeZone;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event as Xml};
use std::io::Result;

/// The name of the test case that stands for the run itself, where that did not come to its end.
const RUN: &str = "(run)";
/// The name of those that stand for cycles.
const CYCLE: &str = "(cycle)";

/// How a test case ended, and the element that says so.
struct Case {
    name: String,
    seconds: f64,
    /// Element, `type` and message; `None` for a pass.
    outcome: Option<(&'static str, &'static str, String)>,
    /// What the element says beyond its message.
    details: String,
    /// What the case says besides.
    output: String,
}

/// The document, with a newline at the end.
pub fn junit(summary: &Summary) -> String {
    let cases = cases(summary);
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    // A vector takes everything.
    write(&mut writer, summary, &cases).expect("memory can be written to");
    let mut text = String::from_utf8(writer.into_inner()).expect("only UTF-8 was written");
    text.push('\n');
    text
}

fn cases(summary: &Summary) -> Vec<Case> {
    let broke = match &summary.end {
        RunEnd::Broke { reason } => Some(("broke", reason.clone())),
        RunEnd::Unfinished => {
            Some(("unfinished", "the journal has no end: the run was killed, or is still running".to_owned()))
        }
        RunEnd::Complete | RunEnd::WindowOver | RunEnd::Interrupted => None,
    };
    let broke = broke.map(|(kind, reason)| Case {
        name: RUN.to_owned(),
        seconds: summary.seconds,
        outcome: Some(("error", kind, first_line(&reason))),
        details: reason,
        output: String::new(),
    });
    let why = match summary.end {
        RunEnd::WindowOver => "not reached: the time window was over",
        RunEnd::Interrupted => "not reached: the run was stopped",
        _ => "not reached",
    };
    let left = summary.left.iter().map(|name| Case {
        name: name.clone(),
        seconds: 0.0,
        outcome: Some(("skipped", "left", why.to_owned())),
        details: String::new(),
        output: String::new(),
    });
    let ended = summary.packages.iter().map(|package| case(summary, package));
    let cycles = summary.unsettled.iter().map(|reason| Case {
        name: CYCLE.to_owned(),
        seconds: 0.0,
        outcome: Some(("failure", "unsettled", first_line(reason))),
        details: reason.clone(),
        output: String::new(),
    });
    broke.into_iter().chain(cycles).chain(ended).chain(left).collect()
}

fn case(summary: &Summary, package: &PackageSummary) -> Case {
    let verdict = &package.verdict;
    let mut details = Vec::new();
    let said = format!("{} {}", package.shown(), verdict.describe());
    let outcome = if verdict.is_good() {
        None
    } else if package.is_expected() {
        details.push(said);
        let entry = package.expected.as_ref().map(|entry| entry.describe()).unwrap_or_default();
        Some(("skipped", "expected", format!("expected to fail: {entry}")))
    } else {
        let element = match verdict {
            Verdict::BlockedBy { .. } | Verdict::Excluded { .. } => "skipped",
            Verdict::Infrastructure { .. } | Verdict::OutOfDisk { .. } => "error",
            _ => "failure",
        };
        details.push(said.clone());
        let message = match (&package.cause, root_of(summary, package)) {
            (_, Some(root)) => root,
            (Some(cause), _) => format!("{}: {}", first_line(&said), first_line(cause)),
            (None, _) => first_line(&said),
        };
        Some((element, verdict.name(), message))
    };
    if outcome.is_some() {
        details.extend(package.cause.clone());
        if !package.last_lines.is_empty() {
            details.push(format!("last lines:\n{}", package.last_lines.join("\n")));
        }
        details.extend(package.log.as_ref().map(|log| format!("log: {log}")));
    }
    let is_pass = outcome.is_none();
    let passes = summary.unexpected_passes.iter().filter(|entry| is_pass && entry.package == package.package);
    let passes = passes.map(|entry| format!("expected to fail, and did not: {}", entry.describe()));
    let expired = package.expected.iter().filter(|entry| entry.is_expired && !is_pass);
    let expired = expired.map(|entry| format!("no longer expected to fail: {}", entry.describe()));
    Case {
        name: package.package.clone(),
        seconds: package.seconds,
        outcome,
        details: details.join("\n"),
        output: passes.chain(expired).collect::<Vec<_>>().join("\n"),
    }
}

/// `blocked by zlib, which failed in %build`, for what is blocked.
fn root_of(summary: &Summary, package: &PackageSummary) -> Option<String> {
    let root = package.root.as_ref()?;
    let how = summary.package(root).map(|root| format!(", which {}", first_line(&root.verdict.describe())));
    Some(format!("blocked by {root}{}", how.unwrap_or_default()))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn write(writer: &mut Writer<Vec<u8>>, summary: &Summary, cases: &[Case]) -> Result<()> {
    let count = |element| {
        let of = |case: &&Case| case.outcome.as_ref().is_some_and(|(other, ..)| *other == element);
        cases.iter().filter(of).count().to_string()
    };
    let (all, failures, errors) = (cases.len().to_string(), count("failure"), count("error"));
    let time = format!("{:.3}", summary.seconds);
    writer.write_event(Xml::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let totals = [("tests", &*all), ("failures", &failures), ("errors", &errors), ("time", &time)];
    open(writer, "testsuites", &totals)?;
    let (started, skipped) = (clock(summary.started, &TimeZone::UTC).replace(' ', "T"), count("skipped"));
    let mut attributes = vec![("name", summary.tree_name()), ("timestamp", &started), ("skipped", &skipped)];
    attributes.extend(totals);
    open(writer, "testsuite", &attributes)?;
    open(writer, "properties", &[])?;
    let generation = summary.generation.map(|generation| generation.to_string()).unwrap_or_default();
    let fresh = plural(summary.counts.fresh, "package");
    for (name, value) in
        [("run", &*summary.run), ("command", &summary.command), ("generation", &generation), ("fresh", &fresh)]
    {
        writer.write_event(Xml::Empty(element("property", &[("name", name), ("value", value)])))?;
    }
    close(writer, "properties")?;
    for case in cases {
        let time = format!("{:.3}", case.seconds);
        open(writer, "testcase", &[("classname", summary.tree_name()), ("name", &case.name), ("time", &time)])?;
        if let Some((name, kind, message)) = &case.outcome {
            open_text(writer, name, &[("type", kind), ("message", message)], &case.details)?;
        }
        if !case.output.is_empty() {
            open_text(writer, "system-out", &[], &case.output)?;
        }
        close(writer, "testcase")?;
    }
    close(writer, "testsuite")?;
    close(writer, "testsuites")
}

fn element<'a>(name: &'a str, attributes: &[(&str, &str)]) -> BytesStart<'a> {
    let mut start = BytesStart::new(name);
    attributes.iter().for_each(|(name, value)| start.push_attribute((*name, &*xml(value))));
    start
}

fn open(writer: &mut Writer<Vec<u8>>, name: &str, attributes: &[(&str, &str)]) -> Result<()> {
    writer.write_event(Xml::Start(element(name, attributes)))
}

fn close(writer: &mut Writer<Vec<u8>>, name: &str) -> Result<()> {
    writer.write_event(Xml::End(BytesEnd::new(name)))
}

fn open_text(writer: &mut Writer<Vec<u8>>, name: &str, attributes: &[(&str, &str)], text: &str) -> Result<()> {
    writer.write_event(Xml::Start(element(name, attributes)))?;
    writer.write_event(Xml::Text(BytesText::new(&xml(text))))?;
    close(writer, name)
}

/// Text without what XML 1.0 has no way to say; what is escaped is left to the writer. Carriage returns would come back
/// as newlines.
fn xml(text: &str) -> String {
    let can_be_said = |letter: char| matches!(letter, '\t' | '\n' | ' '..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|letter| if can_be_said(letter) { letter } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests;
