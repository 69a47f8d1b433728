//! What rpm 4.20 brought: build systems, pieces of build scripts, `%setup` and `%patch` as macros, folders, functions;
//! and what rpm 6 made of it.
//!
//! The cases are in `rpm_4_20/`, in a macro world of their own (`macros`): specs, each with what rpm 4.20.1 says of it,
//! the text of `rpmspec -P`, and the build scripts and dependencies that rpm's Python module shows; and `evals`, texts
//! with what `rpm --eval` makes of them. Where rpm 6.1.0 says something else, that stands in a file ending in `-6.1`.
//! Where this machine has an rpm of 4.20 itself, it is asked again; the recordings do not need it.

#![expect(clippy::disallowed_methods, reason = "the cases are read from files, and rpm is asked")]
#![expect(clippy::unwrap_used, reason = "what is not there is the test's failure")]

mod commands;
#[expect(dead_code, reason = "these cases are here")]
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use commands::{Machine, Outcome};
use rpmspec_parser::{MacroContext, RpmVersion, SourcePackage};

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rpm_4_20");

/// What is known of the machine that packages are built for.
const RPMRC: &str = "arch_canon: x86_64: x86_64 1\nbuildarch_compat: x86_64: noarch\n";

fn macro_file() -> PathBuf {
    Path::new(CASES).join("macros")
}

/// The versions that were asked, and the end of what only they say.
const VERSIONS: [(&str, &str); 2] = [("4.20.1", ""), ("6.1.0", "-6.1")];

fn context(version: &str) -> MacroContext {
    MacroContext {
        files: vec![("macros".into(), std::fs::read_to_string(macro_file()).unwrap())],
        rpmrc: vec![RPMRC.to_owned()],
        target_cpu: "x86_64".into(),
        target_os: "linux".into(),
        rpm: RpmVersion::parse(version).unwrap(),
        ..MacroContext::default()
    }
}

fn machine() -> Machine {
    Machine::new(CASES.into(), BTreeMap::new())
}

/// The names of the specs.
fn specs() -> Vec<String> {
    let all = std::fs::read_dir(CASES).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut specs: Vec<String> = all.filter(|name| name.ends_with(".spec")).collect();
    specs.sort();
    assert!(specs.len() > 40, "only {} specs", specs.len());
    specs
}

/// A message without its place, which rpm writes in several ways.
fn words(line: &str) -> String {
    let (kind, mut rest) = line.split_once(": ").unwrap_or(("", line));
    while let Some((first, behind)) = rest.split_once(": ") {
        let is_place = first.ends_with(".spec") || first.strip_prefix("line ").is_some_and(is_number);
        if !is_place {
            break;
        }
        rest = behind;
    }
    let mut text = rest.to_owned();
    for before in [" in line ", " on line "] {
        if let Some((first, behind)) = text.split_once(before)
            && let Some((number, behind)) = behind.split_once(':')
            && is_number(number)
        {
            text = format!("{first}: {}", behind.trim_start());
        }
    }
    format!("{kind}: {}", text.trim_end())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What is written down of a spec, by heading.
fn expected(spec: &str, end: &str) -> BTreeMap<String, String> {
    let path = Path::new(CASES).join(spec.replace(".spec", ".expected"));
    let own = PathBuf::from(format!("{}{end}", path.display()));
    let text = std::fs::read_to_string(if own.exists() { own } else { path }).unwrap();
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    let mut heading = String::new();
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("== ") {
            Some(name) => {
                heading = name.trim_end().to_owned();
                all.insert(heading.clone(), String::new());
            }
            None => all.get_mut(&heading).unwrap().push_str(line),
        }
    }
    all
}

/// What we say of a spec, in the same form.
fn ours(spec: &str, version: &str) -> BTreeMap<String, String> {
    let argv = ["rpmspec", "-P", spec].map(str::to_owned);
    let outcome = commands::run(&context(version), &argv, &machine()).unwrap();
    let mut all = BTreeMap::new();
    all.insert("said".to_owned(), outcome.stderr);
    if outcome.status == 0 {
        all.insert("parsed".to_owned(), outcome.stdout);
        let text = std::fs::read(Path::new(CASES).join(spec)).unwrap();
        let context = rpmspec_parser::PreparedContext::new(&context(version));
        let package = commands::evaluate(&text, &context, &machine(), spec).package.unwrap();
        let sections = &package.sections;
        for (name, text) in [
            ("prep", &sections.prep),
            ("build", &sections.build),
            ("install", &sections.install),
            ("check", &sections.check),
            ("clean", &sections.clean),
        ] {
            if let Some(text) = text {
                all.insert(name.to_owned(), text.clone());
            }
        }
        all.insert("needs".to_owned(), needs(&package));
    }
    all.retain(|_, text| !text.is_empty());
    all
}

fn needs(source: &SourcePackage) -> String {
    let main = &source.packages[0];
    let mut text = String::new();
    for (kind, list) in [
        ("require", &main.requires),
        ("recommend", &main.recommends),
        ("suggest", &main.suggests),
        ("supplement", &main.supplements),
        ("enhance", &main.enhances),
    ] {
        for located in list {
            let qualifiers: String = located.qualifiers.iter().map(|one| format!(" {}", one.word())).collect();
            text.push_str(&format!("{kind} {}{qualifiers}\n", located.value));
        }
    }
    text
}

fn said(text: &str) -> Vec<String> {
    let words = text.lines().filter(|line| !line.trim().is_empty()).map(words);
    // rpm says this behind what is wrong with the scripts of a build system.
    words.filter(|line| line != "error: parsing failed").collect()
}

#[test]
fn specs_evaluate_as_in_rpm() {
    let mut differences = Vec::new();
    let all = specs().into_iter().flat_map(|spec| VERSIONS.map(|(version, end)| (spec.clone(), version, end)));
    for (spec, version, end) in all {
        let (expected, ours) = (expected(&spec, end), ours(&spec, version));
        let empty = String::new();
        for heading in expected.keys().chain(ours.keys()) {
            let texts = [&ours, &expected].map(|all| all.get(heading).unwrap_or(&empty));
            let same = if heading == "said" {
                // Where rpm says nothing of what it refuses, we do.
                said(texts[0]) == said(texts[1]) || (expected.is_empty() && !texts[0].is_empty())
            } else {
                texts[0].trim_end_matches('\n') == texts[1].trim_end_matches('\n')
            };
            if !same {
                differences.push(format!("{spec} {version}: {heading}\nours\n{}\nrpm\n{}", texts[0], texts[1]));
            }
        }
    }
    differences.dedup();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The texts of `evals`, each with its status, its output and what is said.
fn evals(end: &str) -> Vec<(String, Option<String>, Vec<String>)> {
    let text = std::fs::read_to_string(Path::new(CASES).join(format!("evals{end}"))).unwrap();
    let mut all = Vec::new();
    for case in text.trim_end().split("\n\n") {
        let mut lines = case.lines();
        let text = lines.next().unwrap().to_owned();
        let (mut output, mut messages): (Option<String>, _) = (None, Vec::new());
        for line in lines {
            match (line.strip_prefix("= "), line.strip_prefix("! ")) {
                (Some(line), _) => output.get_or_insert_default().push_str(&format!("{line}\n")),
                (_, Some(line)) => messages.push(line.to_owned()),
                _ => panic!("neither output nor message: {line}"),
            }
        }
        all.push((text, output, messages));
    }
    all
}

#[test]
fn texts_expand_as_in_rpm() {
    let mut differences = Vec::new();
    let mut asked = 0;
    let all = VERSIONS.into_iter().flat_map(|(version, end)| evals(end).into_iter().map(move |case| (version, case)));
    for (version, (text, output, messages)) in all {
        asked += 1;
        let argv = ["rpm", "--eval", &text].map(str::to_owned);
        let Outcome { status, stdout, stderr, .. } = commands::run(&context(version), &argv, &machine()).unwrap();
        let ours = (status == 0).then_some(stdout);
        if ours != output || said(&stderr) != messages {
            differences.push(format!("{text}\nours {ours:?} {stderr:?}\nrpm  {output:?} {messages:?}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(asked > 45, "only {asked} texts");
}

/// What is written down is still what rpm says, where there is one of that version.
#[test]
fn rpm_still_says_so() {
    let version = Command::new("rpm").arg("--version").output().ok();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    if !version.starts_with("RPM version 4.20.") {
        return support::report(&format!("rpm 4.20 is not asked again: this machine has {:?}", version.trim()));
    }
    let macros = format!("--macros={}", macro_file().display());
    for spec in specs() {
        let asked = Command::new("rpmspec").args([&macros, "-P", &spec]).current_dir(CASES).output().unwrap();
        let text = String::from_utf8_lossy(&asked.stdout).into_owned();
        let expected = expected(&spec, "").remove("parsed");
        assert_eq!(asked.status.success().then_some(text.trim_end()), expected.as_deref().map(str::trim_end), "{spec}");
    }
    for (text, output, _) in evals("") {
        let asked = Command::new("rpm").args([&macros, "--eval", &text]).output().unwrap();
        let said = String::from_utf8_lossy(&asked.stdout).into_owned();
        assert_eq!(asked.status.success().then_some(said), output, "{text}");
    }
}
