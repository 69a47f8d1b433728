//! A whole distribution: every spec of Photon OS gives what rpm gives, in every field and on every architecture.
//!
//! `PACKAGE_BUILDER_CORPUS` names the folder with the specs and what rpm made of them.

#![expect(clippy::disallowed_methods, reason = "the corpus is read from files")]
#![expect(clippy::unwrap_used, reason = "what is not there is the test's failure")]

#[path = "../examples/score/corpus.rs"]
mod corpus;
#[path = "../examples/score/result.rs"]
mod result;
mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use corpus::Corpus;
use rpmspec_parser::PreparedContext;
use serde_json::{Map, Value};

/// What is compared of a source package, and of each binary one.
const FIELDS: [&str; 14] = [
    "ok",
    "name",
    "epoch",
    "version",
    "release",
    "buildarchs",
    "exclusivearch",
    "excludearch",
    "exclusiveos",
    "buildrequires",
    "buildconflicts",
    "sources",
    "patches",
    "changelog",
];
const PACKAGE_FIELDS: [&str; 27] = [
    "name",
    "epoch",
    "version",
    "release",
    "arch",
    "os",
    "summary",
    "license",
    "group",
    "url",
    "vendor",
    "description",
    "provides",
    "requires",
    "conflicts",
    "obsoletes",
    "recommends",
    "suggests",
    "supplements",
    "enhances",
    "orderwithrequires",
    "prefixes",
    "scriptlets",
    "triggers",
    "filetriggers",
    "transfiletriggers",
    "files",
];

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn compare(differences: &mut Vec<String>, what: &str, ours: &Value, rpms: &Value) {
    if ours != rpms && !(is_empty(ours) && is_empty(rpms)) {
        let short = |value: &Value| value.to_string().chars().take(300).collect::<String>();
        differences.push(format!("{what}\n    ours {}\n    rpm  {}", short(ours), short(rpms)));
    }
}

fn differences(ours: &Value, rpms: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for field in FIELDS {
        compare(&mut found, field, &ours[field], &rpms[field]);
    }
    let names = |value: &Value| {
        value["packages"].as_array().into_iter().flatten().map(|package| package["name"].clone()).collect::<Value>()
    };
    compare(&mut found, "packages", &names(ours), &names(rpms));
    for (index, package) in rpms["packages"].as_array().into_iter().flatten().enumerate() {
        for field in PACKAGE_FIELDS {
            let what = format!("{}: {field}", package["name"]);
            compare(&mut found, &what, &ours["packages"][index][field], &package[field]);
        }
    }
    if rpms["volatile"].as_bool() != Some(true) {
        let none = Map::new();
        for (section, text) in rpms["sections"].as_object().unwrap_or(&none) {
            compare(&mut found, section, &ours["sections"][section], text);
        }
        compare(&mut found, "parsed_sha256", &ours["parsed_sha256"], &rpms["parsed_sha256"]);
    }
    found
}

fn everything_agrees(expected: &str, answers: &str, arch: &str, defines: &[(&str, &str)]) {
    let Some(folder) = support::corpus("Photon's specs") else { return };
    let corpus = Corpus::read(&folder, answers).unwrap();
    let expected: Value = serde_json::from_slice(&corpus::read(&folder.join(expected)).unwrap()).unwrap();
    let expected: BTreeMap<&str, &Value> = expected["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| (result["path"].as_str().unwrap(), result))
        .collect();
    let specs: Vec<_> = expected.iter().collect();
    assert_eq!(corpus.specs().len(), specs.len(), "every spec has an expected result");
    let context = PreparedContext::new(&corpus.context(arch, defines));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut agreeing = 0;
        let mut differing = Vec::new();
        while let Some((path, rpms)) = specs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let ours = result::result(path, &corpus.evaluate(path, &context));
            match differences(&ours, rpms).as_slice() {
                [] => agreeing += 1,
                found => differing.push(format!("{path}: {}", found.join("\n  "))),
            }
        }
        (agreeing, differing)
    };
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let (mut agreeing, mut differing) = (0, Vec::new());
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            let (count, found) = thread.join().unwrap();
            agreeing += count;
            differing.extend(found);
        }
    });
    let shown = differing.iter().take(10).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(differing.is_empty(), "{} of {} specs differ from rpm:\n{shown}", differing.len(), specs.len());
    assert!(agreeing > 1000, "only {agreeing} specs were compared");
}

#[test]
fn x86_64_agrees() {
    everything_agrees("expected-photon.json.zst", "shell-answers-photon.json", "x86_64", &[]);
}

#[test]
fn aarch64_agrees() {
    everything_agrees("expected-photon-aarch64.json.zst", "shell-answers-photon-aarch64.json", "aarch64", &[]);
}

#[test]
fn with_checks_agrees() {
    let defines = [("with_check", "1")];
    everything_agrees("expected-photon-check.json.zst", "shell-answers-photon-check.json", "x86_64", &defines);
}
