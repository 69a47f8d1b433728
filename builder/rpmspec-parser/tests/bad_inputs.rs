//! Malformed and hostile inputs: accepted where rpm accepts them, refused with a place where rpm refuses them, and
//! never a panic or a hang, not even where rpm crashes or does not end.
//!
//! `PACKAGE_BUILDER_CORPUS` names the folder that has `bad-inputs.json` and what rpm 4.18 answered.

#![expect(clippy::disallowed_methods, reason = "the inputs are read from a file, and time is measured")]
#![expect(clippy::unwrap_used, reason = "what is not there is the test's failure")]

mod commands;
#[path = "../examples/score/corpus.rs"]
#[expect(dead_code, reason = "only the macro files of the corpus are of interest")]
mod corpus;
mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use commands::{Machine, Outcome, run};
use corpus::Corpus;
use rpmspec_parser::{MacroContext, Severity};
use serde::Deserialize;

/// An input and what rpm 4.18 answered.
#[derive(Deserialize)]
struct BadInput {
    id: String,
    tool: String,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    spec: String,
    exit: serde_json::Value,
    stdout: String,
    stderr: String,
}

/// How long an input may take, on a machine that is busy with other things: none takes a second of an idle one's.
const LONGEST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 5 });

/// Where this crate's answer is another one, and why.
const DIFFERENT: [(&str, &str); 1] = [("lua-require", "there are no native modules to load")];

/// The inputs that the listing has not in full, made again.
fn complete(input: &mut BadInput) {
    let head = "Name: a\nVersion: 1\nRelease: 1\nSummary: a\nLicense: a\n";
    let many = |count: usize, write: &dyn Fn(&mut String, usize)| {
        let mut text = String::new();
        (0..count).for_each(|number| write(&mut text, number));
        text
    };
    let nested = |count: usize, open: &str| open.repeat(count) + "x" + &"}".repeat(count);
    match input.id.as_str() {
        "nesting-60" => input.args[1] = nested(60, "%{?nil:"),
        "nesting-63" => input.args[1] = nested(63, "%{!?q:"),
        "nesting-65" => input.args[1] = nested(65, "%{!?q:"),
        "expr-nesting-10000" => input.args[1] = format!("%[{}1{}]", "(".repeat(10_000), ")".repeat(10_000)),
        "dep-1000-deep-rich" => {
            input.spec = format!("{head}Requires: {}b{}\n%description\na\n", "(a or ".repeat(1000), ")".repeat(1000));
        }
        "line-10MB" => input.spec = format!("{head}URL: {}\n%description\na\n", "x".repeat(10_000_000)),
        "100k-defines" => {
            let defines = many(100_000, &|text, number| writeln!(text, "%define m{number}x {number}").unwrap());
            input.spec = format!("{defines}{head}%description\na\n");
        }
        "100k-lines-description" => input.spec = format!("{head}%description\n{}", "x\n".repeat(100_000)),
        "20k-subpackages" => {
            let packages = many(20_000, &|text, number| {
                write!(text, "%package p{number}\nSummary: s\n%description p{number}\n").unwrap();
            });
            input.spec = format!("{head}%description\na\n{packages}");
        }
        _ => {
            let cut =
                input.args.iter().any(|argument| argument.ends_with(" bytes)")) || input.spec.contains(" bytes, see ");
            assert!(!cut, "{} is not complete", input.id);
        }
    }
}

/// The listing shows bytes that are no UTF-8 as `\xe9`.
fn bytes_of(spec: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = spec;
    while let Some(at) = rest.find("\\x") {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        bytes.push(u8::from_str_radix(&rest[at + 2..at + 4], 16).unwrap());
        rest = &rest[at + 4..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// What is wrong with an outcome.
fn judge(input: &BadInput, outcome: &Outcome, took: Duration) -> Vec<String> {
    let mut wrong = Vec::new();
    if took > LONGEST {
        wrong.push(format!("took {took:?}"));
    }
    let error = outcome.diagnostics.iter().find(|said| said.severity == Severity::Error);
    if outcome.status != 0 && error.is_none_or(|error| error.place.is_none()) {
        wrong.push("failed without an error at a place".into());
    }
    let cut = input.stdout.contains(" bytes)");
    // Where rpm crashes or does not end, anything but that is right.
    if let Some(exit @ (0 | 1)) = input.exit.as_i64() {
        if i64::from(outcome.status) != exit {
            wrong.push(format!("rpm exits with {exit}, this with {}", outcome.status));
        } else if !cut && outcome.stdout != input.stdout {
            wrong.push(format!("rpm prints {:?}, this {:?}", input.stdout, outcome.stdout));
        }
    }
    wrong
}

#[test]
fn bad_inputs_are_answered() {
    let Some(folder) = support::corpus("malformed and hostile inputs") else { return };
    let text = std::fs::read_to_string(folder.join("bad-inputs.json")).unwrap();
    let inputs: Vec<BadInput> = serde_json::from_str(&text).unwrap();
    let count = inputs.len();
    let mut context = Corpus::read(&folder, "shell-answers-photon.json").unwrap().context("x86_64", &[]);
    context.files.retain(|(path, _)| path.starts_with("/usr/lib/rpm"));
    context.defines = vec![("_topdir".into(), "/nonexistent/rpmbuild".into())];
    let (mut same_words, mut failures, mut slowest) = (0, Vec::new(), (Duration::ZERO, String::new()));
    for mut input in inputs {
        complete(&mut input);
        let started = Instant::now();
        let outcome = answer(&context, &input);
        let took = started.elapsed();
        slowest = slowest.max((took, input.id.clone()));
        let words = has_words(&input.stderr, &outcome);
        same_words += usize::from(words);
        if !words {
            support::report(&format!(
                "OTHER WORDS: {}\n  rpm  {}\n  ours {}",
                input.id,
                short(&input.stderr),
                short(&outcome.stderr)
            ));
        }
        let wrong = judge(&input, &outcome, took);
        if wrong.is_empty() {
            continue;
        }
        let words = format!(
            "{}: {}\n  rpm  {}\n  ours {}",
            input.id,
            wrong.join("; "),
            short(&input.stderr),
            short(&outcome.stderr)
        );
        match DIFFERENT.iter().find(|(id, _)| *id == input.id) {
            Some((_, reason)) => support::report(&format!("DIFFERS ({reason}): {}", input.id)),
            None => failures.push(words),
        }
    }
    support::report(&format!(
        "{count} bad inputs, {same_words} with all of rpm's words; the slowest, {}, took {:?}",
        slowest.1, slowest.0
    ));
    assert!(failures.is_empty(), "{} of {count} are answered wrongly:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn arguments_that_double_at_each_call_end_at_a_limit() {
    let machine = Machine::new(std::env::temp_dir(), BTreeMap::new());
    let argv = ["rpm", "--eval", "%global f() %{f %* %*}\n%f a"].map(str::to_owned);
    let started = Instant::now();
    let outcome = run(&MacroContext::default(), &argv, &machine).unwrap();
    assert!(outcome.status != 0 && started.elapsed() < LONGEST, "{:?}: {}", started.elapsed(), outcome.stderr);
}

fn answer(context: &MacroContext, input: &BadInput) -> Outcome {
    let name = format!("{}.spec", input.id);
    let files = BTreeMap::from([(PathBuf::from(&name), bytes_of(&input.spec))]);
    let machine = Machine::new(std::env::temp_dir(), files);
    let argv = match input.tool.as_str() {
        "rpm" => std::iter::once("rpm".to_owned()).chain(input.args.iter().cloned()).collect(),
        _ => vec!["rpmspec".to_owned(), "-P".to_owned(), name],
    };
    run(context, &argv, &machine).unwrap()
}

/// Whether each of rpm's messages is among ours, its line apart: ours has a place.
fn has_words(stderr: &str, outcome: &Outcome) -> bool {
    stderr.lines().filter(|line| !line.trim_matches(['^', ' ']).ends_with(':')).all(|line| {
        outcome.diagnostics.iter().any(|said| line.contains(said.message.lines().next().unwrap_or("")))
            || outcome.stderr.contains(line)
    })
}

fn short(text: &str) -> String {
    format!("{:?}", text.chars().take(400).collect::<String>())
}
