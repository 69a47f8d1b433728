//! rpm's own test cases about macros, expressions, versions and specs.
//!
//! The cases are rpm's and no part of this project: `PACKAGE_BUILDER_CORPUS` names the folder that has
//! `rpm-testsuite-cases.json` and what rpm 4.18 answered.

#![expect(clippy::disallowed_methods, reason = "the cases are read from files")]
#![expect(clippy::unwrap_used, reason = "what is not there is the test's failure")]

mod commands;
#[path = "../examples/score/corpus.rs"]
#[expect(dead_code, reason = "only the macro files of the corpus are of interest")]
mod corpus;
mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;

use commands::{Machine, run};
use corpus::Corpus;
use serde::Deserialize;

/// A case of rpm's suite.
#[derive(Deserialize)]
struct Case {
    name: String,
    line: u32,
    suite: String,
    holds_on_4_18_0: bool,
    commands: Vec<Recorded>,
    files: BTreeMap<String, String>,
}

/// A command and what rpm 4.18 answered.
#[derive(Deserialize)]
struct Recorded {
    argv: Vec<String>,
    status: i32,
    stdout: String,
    stderr: String,
}

/// What this crate does not do, by the command's option or the case's name, and why.
const LEFT_OUT: [(&str, &str); 7] = [
    ("--showrc", "prints rpm's own configuration"),
    ("--querytags", "lists the tags of rpm's database"),
    ("-e", "removes packages"),
    ("--shell", "newer than 4.18"),
    ("macros.bad", "the recording has not the file"),
    ("mymacro", "the recording has not the file"),
    ("%{nevr} %{sourcenevr}\\n", "newer than 4.18"),
];

#[test]
fn rpms_own_cases_hold() {
    let Some(folder) = support::corpus("rpm's own cases") else { return };
    let text = std::fs::read_to_string(folder.join("rpm-testsuite-cases.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
    let text = std::fs::read_to_string(folder.join("rpm-testsuite-data.json")).unwrap();
    let data: BTreeMap<String, BTreeMap<String, String>> = serde_json::from_str(&text).unwrap();
    let mut context = Corpus::read(&folder, "shell-answers-photon.json").unwrap().context("x86_64", &[]);
    // What the cases were recorded with has rpm's own macro files only.
    context.files.retain(|(path, _)| path.starts_with("/usr/lib/rpm"));
    context.defines.clear();
    let working = std::env::temp_dir().join(format!("rpm-cases-{}", std::process::id()));
    let (mut all, mut same, mut same_words, mut failures) = (0, 0, 0, Vec::new());
    for case in &cases {
        let case_folder = working.join(format!("{}-{}", case.suite.replace(' ', "-"), case.line));
        std::fs::create_dir_all(&case_folder).unwrap();
        for (name, content) in &case.files {
            std::fs::write(case_folder.join(name), content).unwrap();
        }
        let suite = if case.suite == "rpm 4.18" { "4.18" } else { "master" };
        let files = data[suite].iter().map(|(name, text)| (PathBuf::from(name), text.clone().into_bytes())).collect();
        let machine = Machine::new(case_folder, files);
        for command in &case.commands {
            let left_out = LEFT_OUT.iter().find(|(word, _)| command.argv.iter().any(|argument| argument == word));
            if let Some((word, reason)) = left_out {
                support::report(&format!("LEFT OUT: {} ({word} {reason})", case.name));
                continue;
            }
            let Some(outcome) = run(&context, &command.argv, &machine) else {
                failures.push(format!("{} {:?}: not understood", case.name, command.argv));
                continue;
            };
            all += 1;
            let agrees = outcome.status == command.status && outcome.stdout == command.stdout;
            same += usize::from(agrees);
            same_words += usize::from(agrees && outcome.stderr == command.stderr);
            if agrees {
                continue;
            }
            let words = format!(
                "{} ({} line {}) {:?}\n  rpm  {} {:?} {:?}\n  ours {} {:?} {:?}",
                case.name,
                case.suite,
                case.line,
                command.argv,
                command.status,
                short(&command.stdout),
                short(&command.stderr),
                outcome.status,
                short(&outcome.stdout),
                short(&outcome.stderr),
            );
            if case.holds_on_4_18_0 {
                failures.push(words);
            } else {
                support::report(&format!("DIFFERS (rpm 4.18.0 fails the case): {words}"));
            }
        }
    }
    std::fs::remove_dir_all(&working).unwrap();
    support::report(&format!(
        "rpm's cases: {all} commands, {same} with the same output, {same_words} also with the same words"
    ));
    assert!(failures.is_empty(), "{} commands differ from rpm:\n{}", failures.len(), failures.join("\n"));
    assert!(all >= 200, "only {all} commands were run");
}

fn short(text: &str) -> String {
    text.chars().take(400).collect()
}
