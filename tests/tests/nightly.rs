//! Every end has a name: failures, blocked packages with their root cause, expected failures, time windows and killed
//! runs, as exit codes, mail, JUnit, `summary.json` and journals that keep to their schema.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use report::{Event, EventKind, RunEnd, Summary, Verdict};
use tests::tree::{Answer, Tree};
use tests::{has, root, run, succeed};

/// A build script that says a line and fails, in a section of its own.
fn fails_in(section: &str, line: &str) -> String {
    format!("true\n\n%{section}\necho begins\necho '{line}'\nexit 3")
}

fn nightly(tree: &Tree, arguments: &[&str]) -> Output {
    run(&mut tree.command(&[&["nightly", "--sandbox", "linux"], arguments].concat()))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Checks how a nightly ended; gives its mail.
fn ends(output: &Output, code: i32, words: &[&str]) -> String {
    Answer::new(output).expect(code, words);
    let mail = text(output);
    assert!(mail.lines().all(|line| line.chars().count() <= 80), "{mail}");
    mail
}

/// Whether a process with this command line is running.
fn has_process(command_line: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("Linux").filter_map(Result::ok);
    let mut lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| String::from_utf8_lossy(&line).replace('\0', " ").trim() == command_line)
}

/// The folders of the runs so far, oldest first.
fn runs(tree: &Tree) -> Vec<PathBuf> {
    let runs = std::fs::read_dir(tree.path("out/runs")).expect("there was a run");
    let mut runs: Vec<_> = runs.map(|run| run.expect("it can be listed").path()).collect();
    runs.sort();
    runs
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn summary(run: &Path) -> Summary {
    serde_json::from_str(&read(&run.join("summary.json"))).expect("it is a summary")
}

/// Every line of every journal keeps to the published schema; gives the events of the newest.
fn journal(tree: &Tree) -> Vec<Event> {
    let schema = serde_json::from_str(&read(&root().join("docs/events.schema.json"))).expect("it is JSON");
    let schema = jsonschema::validator_for(&schema).expect("it is a schema");
    let mut events = Vec::new();
    for run in runs(tree) {
        events.clear();
        for line in read(&run.join("events.jsonl")).lines() {
            let value = serde_json::from_str(line).expect("a line is JSON");
            if let Err(error) = schema.validate(&value) {
                panic!("{line}\n{error} at {}", error.instance_path());
            }
            events.push(Event::from_json_line(line).expect("a line is an event"));
        }
    }
    assert!(!events.is_empty());
    events
}

#[test]
fn three_planted_failures_are_told_with_phase_last_lines_log_and_what_they_block() {
    let tree = Tree::new();
    tree.spec("good", &[], "");
    tree.spec("bad-prep", &[], &fails_in("prep", "tar: error: no such archive"));
    tree.spec("bad-build", &[], "echo begins\necho 'x.c:1: error: <nothing> & \"more\"'\nexit 3");
    tree.spec("bad-check", &[], &fails_in("check", "1 test failed"));
    tree.spec("middle", &["BuildRequires: bad-build"], "");
    tree.spec("top", &["BuildRequires: middle", "BuildRequires: good"], "");
    tree.spec("tip", &["BuildRequires: top"], "");
    let planted = [
        ("bad-build", "%build", "x.c:1: error: <nothing> & \"more\""),
        ("bad-check", "%check", "1 test failed"),
        ("bad-prep", "%prep", "tar: error: no such archive"),
    ];
    let mail = ends(&nightly(&tree, &[]), 1, &["3 of 7 failed"]);
    assert!(tree.has_published("good"));
    let first = mail.lines().next().unwrap_or_default();
    assert!(first.ends_with(": 3 failed, 3 blocked, 1 built"), "{mail}");
    assert!(mail.contains("blocks 3 packages:\n      middle tip top\n"), "{mail}");
    let newest = runs(&tree).pop().expect("one run");
    let told = summary(&newest);
    assert_eq!((told.generation, told.counts.failed, told.counts.blocked), (Some(1), 3, 3));
    let junit = read(&newest.join("junit.xml"));
    assert!(junit.contains("tests=\"7\" failures=\"3\" errors=\"0\""), "{junit}");
    for (package, phase, line) in planted {
        let ended = told.package(package).expect("it has an end");
        assert_eq!(ended.verdict, Verdict::Failed { phase: phase.to_owned() });
        assert!(ended.last_lines.iter().any(|last| last == line), "{:?}", ended.last_lines);
        let log = ended.log.as_deref().expect("it has a log");
        assert!(read(Path::new(log)).contains(line), "{log}");
        let below = format!("out/runs/{}/logs/{package}/{}.log", told.run, &phase[1..]);
        assert!(log.ends_with(&below));
        for words in [format!("{package}-1-1 failed in {phase} after"), line.to_owned(), format!("log: {below}")] {
            assert!(mail.contains(&words), "`{words}` is not in\n{mail}");
        }
    }
    for (package, by) in [("middle", "bad-build"), ("top", "bad-build"), ("tip", "bad-build")] {
        assert_eq!(told.package(package).and_then(|blocked| blocked.root.as_deref()), Some(by));
        let case = format!(
            "name=\"{package}\" time=\"0.000\">\n      <skipped type=\"blocked-by\" message=\"blocked by {by}, which failed in %build\""
        );
        assert!(junit.contains(&case), "{case} is not in\n{junit}");
    }
    assert!(junit.contains("error: &lt;nothing&gt; &amp; "), "{junit}");
    let _ = journal(&tree);
    // Each of them comes again from the journal alone.
    std::fs::remove_file(newest.join("junit.xml")).expect("it is there");
    std::fs::remove_file(newest.join("summary.json")).expect("it is there");
    assert_eq!(succeed(&mut tree.command(&["report"])), mail);
    assert_eq!(succeed(&mut tree.command(&["report", &told.run, "--format", "junit"])), junit);
    let again: Summary =
        serde_json::from_str(&succeed(&mut tree.command(&["report", "--format", "json"]))).expect("it is a summary");
    assert_eq!(again, told);
    tree.run(&["report", "nonesuch"]).expect(2, &["no run `nonesuch`", &told.run]);
    // The next night knows the one before, though that has its journal only.
    tree.spec("bad-build", &[], "");
    tree.spec("good", &[], "echo changed; exit 1");
    let mail = ends(&nightly(&tree, &[]), 1, &[]);
    assert!(mail.contains("NEWLY FAILING (1)\n  good\n"), "{mail}");
    assert!(mail.contains("NEWLY GOOD (2)\n  bad-build middle\n"), "{mail}");
}

#[test]
fn expected_failures_are_listed_apart_until_their_day_and_passes_are_told() {
    let tree = Tree::new();
    tree.spec("flaky", &[], &fails_in("check", "1 test failed"));
    tree.spec("mended", &[], "");
    tree.spec("needs", &["BuildRequires: flaky"], "");
    let entries = |expires: &str| {
        let entry = |package: &str, phase: &str| {
            format!(
                "[[expected-failure]]\npackage = \"{package}\"\n{phase}reason = \"known\"\nowner = \"ann\"\n\
                 expires = {expires}\n"
            )
        };
        tree.write("expected-failures.toml", &(entry("flaky", "phase = \"%check\"\n") + &entry("mended", "")));
    };
    entries("2999-12-31");
    let mail = ends(&nightly(&tree, &[]), 0, &[]);
    assert!(mail.contains("1 blocked, 1 passed unexpectedly, 1 built, 1 failed as expected\n"), "{mail}");
    assert!(mail.contains("FAILED AS EXPECTED (1)\n  flaky-1-1 failed in %check: known (ann, until 2999-12-31)\n"));
    assert!(mail.contains("PASSED UNEXPECTEDLY (1)\n  mended: known (ann, until 2999-12-31)\n"), "{mail}");
    let mail = ends(&nightly(&tree, &["--fail-fast"]), 0, &[]);
    assert!(mail.contains("PASSED UNEXPECTEDLY (1)\n  mended:"), "fresh is good too:\n{mail}");
    entries("2001-01-01");
    let mail = ends(&nightly(&tree, &[]), 1, &[]);
    assert!(mail.contains("flaky-1-1 failed in %check after"), "{mail}");
    assert!(mail.contains("no longer expected: known (ann, until 2001-01-01)"), "{mail}");
    // Another phase than the expected one is a failure.
    entries("2999-12-31");
    tree.spec("flaky", &[], "exit 1");
    let _ = ends(&nightly(&tree, &[]), 1, &["1 of 2 failed"]);
    let _ = journal(&tree);
    tree.write("expected-failures.toml", "[[expected-failure]]\npackage = \"flakey\"\n");
    let mail = ends(&nightly(&tree, &[]), 3, &["expected-failures.toml:2:11: no package `flakey`", "alike: flaky"]);
    assert!(mail.contains("broke off") && mail.contains("expected-failures.toml:2:11"), "{mail}");
}

#[test]
fn broken_specs_and_needs_nobody_meets_are_told_as_root_causes() {
    let tree = Tree::new();
    tree.spec("good", &[], "");
    tree.spec("broken", &["Requires: >= 2"], "");
    tree.spec("unmet", &["BuildRequires: nonesuch"], "");
    tree.spec("middle", &["BuildRequires: unmet"], "");
    tree.spec("top", &["BuildRequires: middle"], "");
    let mail = ends(&nightly(&tree, &[]), 3, &["nonesuch"]);
    assert!(
        mail.contains("unmet is unresolvable:") && mail.contains("blocks 2 packages:\n      middle top\n"),
        "{mail}"
    );
    assert!(mail.contains("broken has a broken spec: SPECS/broken/broken.spec:7"), "{mail}");
    let told = summary(&runs(&tree).pop().expect("one run"));
    assert_eq!(told.package("top").and_then(|blocked| blocked.root.as_deref()), Some("unmet"));
    let _ = journal(&tree);
}

#[test]
fn what_does_not_fit_in_the_window_is_built_the_next_night() {
    let tree = Tree::new();
    for name in ["one", "three", "two"] {
        tree.spec(name, &[], "sleep 5");
    }
    // However slow the machine is, they do not all fit.
    let mail = ends(&nightly(&tree, &["--for", "8s", "--jobs", "1"]), 5, &["time was over", "the same command"]);
    let told = summary(&runs(&tree).pop().expect("one run"));
    assert_eq!(told.end, RunEnd::WindowOver);
    assert!(!told.left.is_empty() && told.left.len() + told.counts.built == 3, "{told:?}");
    assert!(mail.contains(": incomplete: ") && mail.contains(&format!("NOT REACHED ({})", told.left.len())), "{mail}");
    let events = journal(&tree);
    let place =
        |name: &str| events.iter().rposition(|event| event.to_json_line().contains(&format!("\"event\":\"{name}\"")));
    assert!(place("job-started") < place("window-ended"), "a build was started when the window was over");
    assert!(place("window-ended") < place("run-finished"));
    let mail = ends(&nightly(&tree, &["--for", "8h"]), 0, &[]);
    let built = format!(": all well: {} built", told.left.len());
    assert!(mail.lines().next().is_some_and(|first| first.ends_with(&built)), "{mail}");
    let _ = ends(&nightly(&tree, &[]), 0, &["all well: nothing to build", "fresh:      3 packages"]);
}

#[test]
fn a_killed_night_is_told_from_its_journal_and_the_next_goes_on() {
    let tree = Tree::new();
    tree.spec("first", &[], "");
    tree.spec("second", &["BuildRequires: first"], "sleep 20");
    let started = "\"event\":\"job-started\",\"package\":\"second\"";
    let mut child = tree.start(&["nightly", "--sandbox", "linux"], started);
    child.kill().expect("it is running");
    let _ = child.wait();
    let mail = succeed(&mut tree.command(&["report"]));
    assert!(mail.contains(": unfinished: 1 not reached, 1 built\n"), "{mail}");
    let junit = succeed(&mut tree.command(&["report", "--format", "junit"]));
    assert!(junit.contains("errors=\"1\"") && junit.contains("name=\"(run)\""), "{junit}");
    tree.spec("second", &["BuildRequires: first"], "");
    let mail = ends(&nightly(&tree, &[]), 0, &[]);
    assert!(mail.contains(": all well: 1 built\n") && mail.contains("fresh:      1 package,"), "{mail}");
    let _ = journal(&tree);
}

#[test]
fn an_interrupted_build_leaves_its_results_and_a_night_that_cannot_start_a_mail() {
    let tree = Tree::new();
    tree.spec("first", &[], "sleep 4");
    tree.spec("second", &["BuildRequires: first"], "");
    let child = tree.start(&["build", "--all", "--sandbox", "linux"], "%build");
    let mail = ends(&nightly(&tree, &[]), 4, &["another package-builder"]);
    assert!(mail.contains(": could not be started\n\nerror: another package-builder is writing"), "{mail}");
    assert!(run(Command::new("kill").args(["-INT", &child.id().to_string()])).status.success(), "it has ended");
    Answer::new(&child.wait_with_output().expect("it ends")).expect(130, &[]);
    let newest = runs(&tree).pop().expect("one run");
    assert_eq!(summary(&newest).end, RunEnd::Interrupted);
    assert_eq!(summary(&newest).left, ["second"]);
    assert!(read(&newest.join("junit.xml")).contains("not reached: the run was stopped"));
    let file = tree.path("mail.txt");
    let output = nightly(&tree, &["--mail-to", &file.to_string_lossy()]);
    assert_eq!((output.status.code(), &*text(&output)), (Some(0), ""));
    assert!(read(&file).contains("all well: 1 built"));
    let _ = ends(&nightly(&tree, &["--json"]), 2, &["--mail-to FILE"]);
}

#[test]
fn a_run_that_is_stopped_before_anything_is_built_has_an_end_as_well() {
    let tree = Tree::new();
    tree.spec("slow", &["%define made %(sleep 86431; echo x)"], "sleep 60");
    let child = tree.start(&["nightly", "--sandbox", "linux"], "run-started");
    assert!(run(Command::new("kill").args(["-TERM", &child.id().to_string()])).status.success(), "it has ended");
    let output = child.wait_with_output().expect("it ends");
    let mail = ends(&output, 130, &["the same command goes on"]);
    // The kernel ends a sandbox whose builder is gone, but nobody waits for that.
    let left = || has_process("sleep 86431");
    assert!(
        (0..50).any(|_| !left() || {
            std::thread::sleep(Duration::from_millis(100));
            false
        }),
        "it goes on"
    );
    assert!(mail.lines().next().is_some_and(|first| first.contains(": interrupted: ")), "{mail}");
    assert_eq!(summary(&runs(&tree).pop().expect("one run")).end, RunEnd::Interrupted);
    let events = journal(&tree);
    assert!(matches!(events.last().map(|last| &last.kind), Some(EventKind::RunFinished { interrupted: true, .. })));
}

#[test]
fn the_units_for_systemd_are_sound() {
    let units = ["service", "timer"].map(|kind| root().join(format!("docs/systemd/package-builder-nightly.{kind}")));
    for unit in &units {
        let mut section = "";
        let text = read(unit);
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
                Some(name) => section = name,
                None => assert!(line.contains('=') && !section.is_empty(), "{}: {line}", unit.display()),
            }
        }
        assert!(["Service", "Install"].contains(&section), "{section}");
    }
    let service = read(&units[0]);
    let command = service.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("it starts something");
    let mut arguments = command.split_whitespace();
    assert!(arguments.next().is_some_and(|program| program.ends_with("/package-builder")));
    // The command line is taken; only the tree it runs in is none.
    let empty = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(tests::package_builder());
    Answer::new(&run(command.args(arguments).current_dir(empty.path()))).expect(2, &["is no tree"]);
    if has("systemd-analyze") {
        // The program and the user of the unit are not on this machine; all else must be right.
        let output = run(Command::new("systemd-analyze").arg("verify").args(&units));
        let said = Answer::new(&output).text;
        let wrong: Vec<_> = said
            .lines()
            .filter(|line| line.contains("package-builder-nightly"))
            .filter(|line| !line.contains("is not executable") && !line.contains("not found"))
            .collect();
        assert!(wrong.is_empty(), "{said}");
    }
}
