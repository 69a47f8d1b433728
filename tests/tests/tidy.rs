//! The rules of the house that no compiler checks: who may import whom, and what every file opens with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Which of our crates each crate may depend on. `repository` takes its RPM types from `rpmspec-parser`,
/// and nothing else.
const ARROWS: &[(&str, &[&str])] = &[
    ("rpmspec-parser", &[]),
    ("planner", &["rpmspec-parser"]),
    ("sandbox", &[]),
    ("repository", &["rpmspec-parser"]),
    ("report", &[]),
    ("package-builder", &["planner", "report", "repository", "rpmspec-parser", "sandbox"]),
    ("tests", &["package-builder", "planner", "report", "repository", "rpmspec-parser", "sandbox"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies below the root").to_owned()
}

#[test]
fn crates_import_only_what_the_design_allows() {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo describes the workspace");
    let allowed: BTreeMap<_, BTreeSet<_>> =
        ARROWS.iter().map(|(name, arrows)| (*name, arrows.iter().copied().collect())).collect();
    let ours: BTreeSet<_> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(ours, allowed.keys().copied().collect(), "a crate came or went: write its arrows down here");
    for package in &metadata.packages {
        let imported: BTreeSet<_> = package
            .dependencies
            .iter()
            .map(|dependency| dependency.name.as_str())
            .filter(|name| ours.contains(name))
            .collect();
        let forbidden: Vec<_> = imported.difference(&allowed[package.name.as_str()]).collect();
        assert!(forbidden.is_empty(), "`{}` must not import {forbidden:?}", package.name);
    }
}

#[test]
fn every_version_stands_in_the_root_manifest() {
    for folder in std::fs::read_dir(root().join("builder")).expect("the crates are there") {
        let manifest = folder.expect("a crate").path().join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest).expect("every folder is a crate");
        for (number, line) in text.lines().enumerate() {
            let versioned = line
                .split_once('=')
                .is_some_and(|(_, value)| value.contains("version =") || value.trim().starts_with("\"^"));
            assert!(!versioned, "{}:{}: versions stand in the root manifest only", manifest.display(), number + 1);
        }
    }
}

#[test]
fn every_file_says_what_it_owns_and_is_not_too_long() {
    let mut wrong = Vec::new();
    for folder in ["builder", "tests"] {
        for entry in walkdir::WalkDir::new(root().join(folder)) {
            let entry = entry.expect("the tree can be listed");
            if entry.path().extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let text = std::fs::read_to_string(entry.path()).expect("source files are text");
            if !text.starts_with("//!") {
                wrong.push(format!("{}: does not open with `//!`", entry.path().display()));
            }
            if text.lines().count() > 800 {
                wrong.push(format!("{}: more than 800 lines; what second thing lives there?", entry.path().display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
