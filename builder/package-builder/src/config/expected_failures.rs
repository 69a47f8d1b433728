//! `expected-failures.toml`: failures that a tree knows of, each with a reason, an owner and a last day.
//!
//! ```toml
//! [[expected-failure]]
//! package = "curl"
//! phase = "%check"          # any phase without this line
//! reason = "test 1139 needs a manual page that is not built"
//! owner = "ann@example.org"
//! expires = 2026-12-31      # the last day on which it is expected
//! ```

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use jiff::civil::Date;
use planner::queries::UnknownName;
use report::ExpectedFailure;
use serde::Deserialize;
use toml::Spanned;

use crate::error::{CommandError, IoContext};

/// The file's name in a tree.
const NAME: &str = "expected-failures.toml";

/// The phases of a build, as verdicts name them.
const PHASES: [&str; 10] =
    ["root", "srpm", "%prep", "%generate_buildrequires", "%conf", "%build", "%install", "%check", "package", "%clean"];

/// The entries of a tree's file, in its order.
#[derive(Clone, Debug, Default)]
pub struct ExpectedFailures {
    entries: Vec<Entry>,
}

/// One entry that is as it should be.
#[derive(Clone, Debug)]
struct Entry {
    package: String,
    phase: Option<String>,
    reason: String,
    owner: String,
    expires: Date,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    #[serde(default)]
    expected_failure: Vec<Spanned<RawEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    package: Option<Spanned<String>>,
    phase: Option<Spanned<String>>,
    reason: Option<Spanned<String>>,
    owner: Option<Spanned<String>>,
    expires: Option<Spanned<toml::Value>>,
}

impl ExpectedFailures {
    /// Reads the file of a tree; without one, nothing is expected. `packages` are the source packages of the tree.
    ///
    /// # Errors
    /// It cannot be read, or an entry is not as it should be: with its line and column.
    pub fn read(tree: &Path, packages: &BTreeSet<&str>) -> Result<Self, CommandError> {
        let path = tree.join(NAME);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, packages).map_err(|(span, message)| {
                let (line, column) = place(&text, span.start);
                CommandError::input(format!("{}:{line}:{column}: {message}", path.display()))
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).doing("read", &path),
        }
    }

    fn parse(text: &str, packages: &BTreeSet<&str>) -> Result<Self, (Range<usize>, String)> {
        let file: File =
            toml::from_str(text).map_err(|error| (error.span().unwrap_or(0..0), error.message().to_owned()))?;
        let mut seen = BTreeSet::new();
        let mut entries = Vec::new();
        for raw in file.expected_failure {
            let span = raw.span();
            let entry = entry(raw, packages)?;
            if !seen.insert((entry.package.clone(), entry.phase.clone())) {
                let phase = entry.phase.map(|phase| format!(" in {phase}")).unwrap_or_default();
                return Err((span, format!("the failure of `{}`{phase} is expected twice", entry.package)));
            }
            entries.push(entry);
        }
        Ok(Self { entries })
    }

    /// What is expected on a day of a run that builds with or without `%check`; `fresh` are the packages that are built
    /// and stay so.
    #[must_use]
    pub fn on(&self, today: Date, check: bool, fresh: &BTreeSet<&str>) -> Vec<ExpectedFailure> {
        // What is left out can neither fail nor pass.
        let entries = self.entries.iter().filter(|entry| check || entry.phase.as_deref() != Some("%check"));
        entries
            .map(|entry| ExpectedFailure {
                package: entry.package.clone(),
                phase: entry.phase.clone(),
                reason: entry.reason.clone(),
                owner: entry.owner.clone(),
                expires: entry.expires.to_string(),
                is_expired: entry.expires < today,
                is_fresh: fresh.contains(entry.package.as_str()),
            })
            .collect()
    }
}

fn entry(raw: Spanned<RawEntry>, packages: &BTreeSet<&str>) -> Result<Entry, (Range<usize>, String)> {
    let span = raw.span();
    let RawEntry { package, phase, reason, owner, expires } = raw.into_inner();
    let text = |value: Option<Spanned<String>>, what: &str| match value {
        Some(value) if !value.get_ref().trim().is_empty() => Ok(value),
        Some(empty) => Err((empty.span(), format!("`{what}` is empty"))),
        None => Err((
            span.clone(),
            format!(
                "an expected failure has a package, a reason, an owner and a day on which it \
                                            expires; `{what}` is missing"
            ),
        )),
    };
    let package = text(package, "package")?;
    if !packages.contains(package.get_ref().as_str()) {
        let unknown = UnknownName::new(package.get_ref(), "the tree", packages.iter().copied());
        return Err((package.span(), unknown.to_string()));
    }
    let phase = phase.map(known_phase).transpose()?;
    let (reason, owner) = (text(reason, "reason")?.into_inner(), text(owner, "owner")?.into_inner());
    let Some(expires) = expires else {
        return Err(text(None, "expires").err().unwrap_or_default());
    };
    Ok(Entry { package: package.into_inner(), phase, reason, owner, expires: date(&expires)? })
}

/// A phase as verdicts name it; sections may be given without their percent sign.
fn known_phase(phase: Spanned<String>) -> Result<String, (Range<usize>, String)> {
    let (span, phase) = (phase.span(), phase.into_inner());
    let known = PHASES.iter().find(|known| known.trim_start_matches('%') == phase.trim_start_matches('%'));
    known
        .map(|known| (*known).to_owned())
        .ok_or_else(|| (span, format!("`{phase}` is no phase of a build; these are: {}", PHASES.join(", "))))
}

/// A day, as TOML writes one or as a string.
fn date(value: &Spanned<toml::Value>) -> Result<Date, (Range<usize>, String)> {
    let text = match value.get_ref() {
        toml::Value::Datetime(day) => day.to_string(),
        toml::Value::String(day) => day.clone(),
        other => other.to_string(),
    };
    // Whole days only: what a time on one would mean is anybody's guess.
    let day = if text.len() == "YYYY-MM-DD".len() { text.parse().ok() } else { None };
    day.ok_or_else(|| (value.span(), format!("`{text}` is no day, as in `expires = 2026-12-31`")))
}

/// Line and column of a byte, both counted from 1; columns are characters.
fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (line, before[start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[[expected-failure]]\npackage = \"curl\"\nphase = \"check\"\nreason = \"r\"\nowner = \"o\"\n\
                        expires = 2026-12-31\n";

    fn parse(text: &str) -> Result<ExpectedFailures, String> {
        let packages = BTreeSet::from(["curl", "zlib"]);
        ExpectedFailures::parse(text, &packages).map_err(|(span, message)| {
            let (line, column) = place(text, span.start);
            format!("{line}:{column}: {message}")
        })
    }

    #[test]
    fn an_entry_holds_through_its_last_day() {
        let expected = parse(GOOD).expect("it is as it should be");
        let none = BTreeSet::new();
        let is_expired = |day: &str| expected.on(day.parse().expect("a day"), true, &none)[0].is_expired;
        assert!(!is_expired("2026-12-30") && !is_expired("2026-12-31") && is_expired("2027-01-01"));
        let today = "2026-01-01".parse().expect("a day");
        assert_eq!(expected.on(today, true, &none)[0].phase.as_deref(), Some("%check"));
        assert!(expected.on(today, false, &none).is_empty(), "without %check nothing is known of it");
        assert!(expected.on(today, true, &BTreeSet::from(["curl"]))[0].is_fresh);
        assert!(parse("").expect("no entry is fine").on(today, true, &none).is_empty());
    }

    #[test]
    fn what_is_wrong_with_an_entry_is_told_with_its_place() {
        for (from, to, expected) in [
            ("\"curl\"", "\"curll\"", "2:11: no package `curll` in the tree, spelled alike: curl"),
            ("\"check\"", "\"test\"", "3:9: `test` is no phase of a build; these are: root, srpm, %prep"),
            ("reason = \"r\"\n", "", "1:1: an expected failure has a package, a reason, an owner and a day"),
            ("owner = \"o\"", "owner = \" \"", "5:9: `owner` is empty"),
            ("expires = 2026-12-31\n", "", "`expires` is missing"),
            ("2026-12-31", "2026-02-30", "6:11: "),
            ("2026-12-31", "\"31.12.2026\"", "6:11: `31.12.2026` is no day, as in `expires = 2026-12-31`"),
            ("2026-12-31", "2026-12-31T10:00:00Z", "6:11: `2026-12-31T10:00:00Z` is no day"),
            ("2026-12-31", "7", "6:11: `7` is no day"),
            ("reason", "raison", "4:1: unknown field `raison`"),
            ("\"r\"", "\"r", "4:"),
            ("expected-failure", "expected-failures", "1:3: unknown field `expected-failures`"),
        ] {
            let error = parse(&GOOD.replacen(from, to, 1)).expect_err(to);
            assert!(error.contains(expected), "{error} has no {expected}");
        }
        let error = parse(&GOOD.repeat(2)).expect_err("it is there twice");
        assert!(error.starts_with("7:1: the failure of `curl` in %check is expected twice"), "{error}");
    }
}
