//! What builds take is recorded, told, and compared: real builds in a small tree.

use package_builder::history::{Recorder, newest};
use report::{Attempt, Event, EventKind, Reporter, Verdict};
use tests::tree::Tree;

/// Reads blocks of 400 MB into memory as a whole.
const HOG: &str = "dd if=/dev/zero of=/dev/null bs=400000000 count=10";

/// An attempt that was made before, on this machine.
fn remember(tree: &Tree, package: &str, at: i64, seconds: f64, memory: u64) {
    let attempt = Attempt { peak_memory: Some(memory), ..Attempt::default() };
    let kind = EventKind::JobFinished {
        package: package.to_owned(),
        nevr: format!("{package}-0-1"),
        verdict: Verdict::Success,
        cause: None,
        seconds,
        own_seconds: 0.1,
        log: None,
        rpms: Vec::new(),
        attempt: Some(attempt),
    };
    let mut recorder = Recorder::open(&tree.path("out/state.sqlite"));
    recorder.event(&Event { run: "before".to_owned(), at, elapsed: 1.0, kind });
    assert_eq!(recorder.first_error(), None);
}

#[test]
fn what_builds_take_is_recorded_and_what_takes_more_than_before_is_said() {
    let tree = Tree::new();
    tree.spec("hog", &[], HOG);
    tree.spec("bad", &[], "exit 3");
    tree.spec("next", &["BuildRequires: hog"], "");
    tree.run(&["history"]).expect(0, &[]);
    for at in 1..=3 {
        remember(&tree, "hog", at, 1000.0, 1 << 20);
        remember(&tree, "next", at, 1000.0, 1 << 40);
    }
    let answer = tree.run(&["build", "--all", "--sandbox", "linux", "--jobs", "1"]);
    // `bad` is taken to be as long as the others: 3,000 seconds.
    answer.expect(1, &["Expected about 50m; longest chain: hog → next", "Larger hog took "]);
    assert!(!answer.text.contains("Slower") && !answer.text.contains("Larger next"), "{}", answer.text);

    let state = tree.path("out/state.sqlite");
    let records = newest(&state, None, 3).expect("the history can be read");
    let of = |name: &str| records.iter().find(|record| record.package == name).expect("it was tried");
    let (hog, bad) = (of("hog"), of("bad"));
    assert_eq!(bad.verdict, Verdict::Failed { phase: "%build".to_owned() });
    assert_eq!((&hog.verdict, hog.nevr.as_str()), (&Verdict::Success, "hog-1-1"));
    let peak = hog.attempt.peak_memory.expect("memory is counted here");
    assert!((300_000_000..500_000_000).contains(&peak), "{peak}");
    let cpu = hog.attempt.cpu_seconds.expect("CPU time is counted");
    assert!(cpu > 0.01 && cpu < hog.seconds * 64.0, "{cpu} s of CPU time in {} s", hog.seconds);
    assert!(hog.attempt.disk.is_some_and(|bytes| (1000..100_000_000).contains(&bytes)), "{:?}", hog.attempt.disk);
    let phases: Vec<_> = hog.attempt.phases.iter().map(|phase| phase.phase.as_str()).collect();
    assert_eq!(phases, ["root", "srpm", "%build", "%install", "package", "%clean"]);
    let in_phases: f64 = hog.attempt.phases.iter().map(|phase| phase.seconds).sum();
    assert!(in_phases <= hog.seconds && in_phases > hog.seconds - hog.own_seconds, "{in_phases} of {}", hog.seconds);

    tree.run(&["history", "hog"]).expect(0, &["hog-1-1", "built", "hog-0-1", "expected"]);
    tree.run(&["history", "--limit", "2"]).expect(0, &["next-1-1"]);
    tree.run(&["history", "nobody"]).expect(2, &["no build of `nobody` is recorded"]);
    let json = tree.run(&["history", "bad", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.text).expect("it is JSON");
    assert_eq!(json["attempts"][0]["verdict"]["phase"], "%build");
    assert_eq!(json["expected"], serde_json::Value::Null, "it never was built");
    // A package that is fresh is not tried, so nothing is recorded of it.
    tree.run(&["build", "hog", "--sandbox", "linux"]).expect(0, &[]);
    assert_eq!(newest(&state, Some("hog"), 10).expect("the history can be read").len(), 4);
}

#[test]
fn a_history_that_cannot_be_written_fails_no_build() {
    let tree = Tree::new();
    tree.spec("good", &[], "");
    remember(&tree, "other", 1, 1.0, 1);
    let state = tree.path("out/state.sqlite");
    let status = std::process::Command::new("python3")
        .args(["-c", "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('DROP TABLE attempts')"])
        .arg(&state)
        .status();
    if !status.is_ok_and(|status| status.success()) {
        return tests::skip("a history that cannot be written", "python3 with sqlite3 is not there");
    }
    let answer = tree.run(&["build", "good", "--sandbox", "linux"]);
    answer.expect(0, &["warning: what the builds took is not, or not wholly, recorded"]);
    assert!(tree.has_published("good"), "{}", answer.text);
}
