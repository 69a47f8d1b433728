//! Saving and reading back, taking a former state over, and being killed at any moment.

use std::process::{Child, Command, Stdio};

use planner::InputDigest;
use rpmspec_parser::rpm::Dependency;

use super::*;

fn place() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("state.sqlite");
    (folder, path)
}

fn built(key: &str) -> BuiltPackage {
    let map = |name: &str| BTreeMap::from([(name.to_owned(), "identity".to_owned())]);
    let inputs = InputDigest { spec_sha256: "spec".to_owned(), sources: map("jq.tar"), variant: None };
    let known =
        KnownBuild { key: key.to_owned(), inputs, build_root: map("gcc-1-1.x86_64"), base_layer: "b".to_owned() };
    BuiltPackage { known, rpms: map("jq-1-1.x86_64"), seconds: 2.5, unchecked: true }
}

fn needs() -> GeneratedNeeds {
    let need = Dependency::parse("python3dist(lib) >= 2").expect("it is a dependency");
    GeneratedNeeds { inputs: InputDigest::default(), asked_at: "key".to_owned(), needs: vec![need] }
}

#[test]
fn what_is_saved_is_read_back_and_reading_makes_no_file() {
    let (_folder, path) = place();
    let mut state = State::load(&path).expect("no file is an empty state");
    state.save(&path).expect("there is nothing to save");
    assert!(!path.exists());
    state.set_built("jq", built("one"));
    state.set_generated("app", needs());
    state.save(&path).expect("the folder is writable");
    state.set_built("jq", built("two"));
    state.set_built("zlib", built("three"));
    state.save(&path).expect("it still is");
    let read = State::load(&path).expect("it was just written");
    assert_eq!(
        read.packages(),
        &[("jq", "two"), ("zlib", "three")].map(|(name, key)| (name.to_owned(), built(key))).into()
    );
    assert_eq!(read.generated(), &BTreeMap::from([("app".to_owned(), needs())]));
}

#[test]
fn only_what_changed_is_written() {
    let (_folder, path) = place();
    let mut state = State::default();
    state.set_built("jq", built("one"));
    state.set_built("zlib", built("one"));
    state.save(&path).expect("the folder is writable");
    let other = open_to_write(&path, true).expect("it is there");
    other.execute("UPDATE packages SET key = 'of another' WHERE name = 'jq'", []).expect("nobody else writes");
    state.set_built("zlib", built("two"));
    state.save(&path).expect("it still is");
    let read = State::load(&path).expect("it was just written");
    let keys: Vec<_> = read.packages().values().map(|built| built.known.key.as_str()).collect();
    assert_eq!(keys, ["of another", "two"]);
}

#[test]
fn a_former_state_is_taken_over_once() {
    let (folder, path) = place();
    let json = folder.path().join("state.json");
    let former = serde_json::json!({"version": 1, "packages": {"jq": built("one"), "zlib": built("one")},
        "generated": {"app": needs()}});
    save_json(&former, &json).expect("the folder is writable");
    let mut state = State::load(&path).expect("the former state is read");
    assert_eq!((state.packages().len(), state.generated().len()), (2, 1));
    assert!(json.exists() && !path.exists(), "reading changes nothing");
    state.set_built("jq", built("two"));
    state.save(&path).expect("the folder is writable");
    assert!(!json.exists());
    // As after a kill between saving and removing: what the database has counts.
    save_json(&former, &json).expect("the folder is writable");
    let keys: Vec<_> =
        State::load(&path).expect("both are read").packages().values().map(|built| built.known.key.clone()).collect();
    assert_eq!(keys, ["two", "one"]);
    save_json(&serde_json::json!({"version": 99, "packages": {}}), &json).expect("the folder is writable");
    assert!(State::load(&path).expect_err("a later version").message.contains("version 99"));
}

/// A process that does not outlive the test, however that ends.
struct Writer(Child);

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.0.kill().and_then(|()| self.0.wait()));
    }
}

/// The environment variable by which this test is the program that is killed.
const KILLED: &str = "PACKAGE_BUILDER_TEST_STATE";

#[test]
fn a_killed_writer_leaves_whole_transactions() {
    if let Some(path) = std::env::var_os(KILLED) {
        let mut state = State::default();
        for number in 0.. {
            for name in ["jq", "zlib"] {
                state.set_built(name, built(&number.to_string()));
            }
            state.save(Path::new(&path)).expect("the folder is writable");
        }
    }
    let (_folder, path) = place();
    let test = std::env::current_exe().expect("this test is a program");
    let keys = || {
        let state = State::load(&path).expect("it can be read at any moment");
        state.packages().values().map(|built| built.known.key.parse().expect("a number")).collect::<Vec<u64>>()
    };
    let mut last = 0;
    for _ in 0..5 {
        let mut writer = Command::new(&test);
        writer.args(["--exact", "runner::state::tests::a_killed_writer_leaves_whole_transactions"]).env(KILLED, &path);
        let writer = writer.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut writer = Writer(writer.expect("this test can be started"));
        let began = std::time::Instant::now();
        // Each writer begins anew with 0; it is killed once it has certainly written, somewhere in a save.
        let is_under_way = |keys: &[u64]| keys.first().is_some_and(|key| *key != last && *key > 3);
        while !is_under_way(&keys()) {
            assert!(began.elapsed() < std::time::Duration::from_secs(60), "it writes nothing");
        }
        writer.0.kill().expect("it runs");
        writer.0.wait().expect("it was killed");
        let left = keys();
        assert_eq!(left.len(), 2);
        assert_eq!(left[0], left[1], "both rows are of one transaction");
        last = left[0];
    }
}
