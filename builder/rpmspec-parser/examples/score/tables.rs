//! The whole yardstick at once: `score.py`'s table for each way the corpus was recorded, and one line on all.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use rpmspec_parser::PreparedContext;

use crate::{corpus, result};

/// A way the corpus was recorded.
struct Case {
    name: &'static str,
    expected: &'static str,
    answers: &'static str,
    arch: &'static str,
    defines: &'static [(&'static str, &'static str)],
}

const CASES: [Case; 3] = [
    Case {
        name: "x86_64",
        expected: "expected-photon.json.zst",
        answers: "shell-answers-photon.json",
        arch: "x86_64",
        defines: &[],
    },
    Case {
        name: "aarch64",
        expected: "expected-photon-aarch64.json.zst",
        answers: "shell-answers-photon-aarch64.json",
        arch: "aarch64",
        defines: &[],
    },
    Case {
        name: "check",
        expected: "expected-photon-check.json.zst",
        answers: "shell-answers-photon-check.json",
        arch: "x86_64",
        defines: &[("with_check", "1")],
    },
];

/// Prints every table and the line. Says whether all agrees.
pub(crate) fn tables(folder: &Path) -> io::Result<bool> {
    let mut out = io::stdout();
    let (mut line, mut holds) = ("corpus:".to_owned(), true);
    for case in &CASES {
        writeln!(out, "== {}", case.name)?;
        let (agreeing, all) = score(folder, case)?;
        holds &= all;
        line += &format!(" {}={agreeing}", case.name);
    }
    writeln!(out, "{line} {}", if holds { "holds" } else { "falls short" })?;
    Ok(holds)
}

/// Evaluates every spec and has `score.py` compare. Returns its `agreeing/all`, and whether that is all.
fn score(folder: &Path, case: &Case) -> io::Result<(String, bool)> {
    let temporary = tempfile::tempdir()?;
    let (expected, actual) = (temporary.path().join("expected.json"), temporary.path().join("actual.jsonl"));
    std::fs::write(&expected, corpus::read(&folder.join(case.expected))?)?;
    let corpus = corpus::Corpus::read(folder, case.answers)?;
    let context = PreparedContext::new(&corpus.context(case.arch, case.defines));
    let mut lines = io::BufWriter::new(File::create(&actual)?);
    for spec in corpus.specs() {
        writeln!(lines, "{}", result::result(&spec, &corpus.evaluate(&spec, &context)))?;
    }
    lines.into_inner()?.sync_all()?;
    let scored = Command::new("python3").arg(folder.join("score.py")).args([&expected, &actual]).output()?;
    io::stdout().write_all(&scored.stdout)?;
    io::stderr().write_all(&scored.stderr)?;
    let table = String::from_utf8_lossy(&scored.stdout);
    let agreeing = table.split_whitespace().next().unwrap_or("none").to_owned();
    Ok((agreeing, scored.status.success()))
}
