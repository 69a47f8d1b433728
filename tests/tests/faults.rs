//! What builds and machines do to a run: each fault ends in the verdict that names it, and everything else goes on.

use tests::tree::Tree;

const LINUX: [&str; 2] = ["--sandbox", "linux"];

fn build<'a>(options: &[&'a str]) -> Vec<&'a str> {
    [&["build", "--all"], options, &LINUX].concat()
}

/// How often the journals of a tree have a text.
fn count(tree: &Tree, text: &str) -> usize {
    tree.journal().matches(text).count()
}

fn is_running(command_line: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("Linux").filter_map(Result::ok);
    let mut lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| String::from_utf8_lossy(&line).replace('\0', " ").trim() == command_line)
}

#[test]
fn a_build_that_is_silent_or_endless_is_ended_and_the_limit_named() {
    let tree = Tree::new();
    tree.spec("silent", &[], "sleep 86431");
    tree.run(&build(&["--idle-timeout", "0.05"])).expect(1, &["silent-1-1 was silent for too long in %build"]);
    assert_eq!(count(&tree, r#""limit":"idle","phase":"%build""#), 1, "{}", tree.journal());
    assert!(!is_running("sleep 86431"), "the build is still running");
    let tree = Tree::new();
    tree.spec("endless", &[], "while echo on; do sleep 0.1; done");
    let answer = tree.run(&build(&["--timeout", "0.05", "--idle-timeout", "0.04"]));
    answer.expect(1, &["endless-1-1 took too long, stopped in %build"]);
    assert_eq!(count(&tree, r#""limit":"total","phase":"%build""#), 1, "{}", tree.journal());
}

#[test]
fn an_origin_that_does_not_answer_is_asked_again_and_others_are_built_meanwhile() {
    let tree = Tree::new();
    tree.spec("far", &["Source0: http://127.0.0.1:9/far.tar.gz"], "");
    tree.write("SPECS/far/sources", &format!("[\"far.tar.gz\"]\nsha512 = \"{}\"\n", "ab".repeat(64)));
    tree.spec("near", &[], "");
    let answer = tree.run(&build(&["--jobs", "1"]));
    answer.expect(4, &["Retrying far-1-1 in 1.0s, attempt 2", "near-1-1", "1 source missing"]);
    assert_eq!(count(&tree, r#""event":"job-retried""#), 2, "{}", tree.journal());
    let journal = tree.journal();
    let end = |text: &str| journal.lines().position(|line| line.contains(text) && line.contains("job-finished"));
    assert!(end("near-1-1") < end("far-1-1"), "{journal}");
    assert!(tree.has_published("near"));
}

#[test]
fn garbage_in_the_place_of_an_rpm_fails_its_package_alone() {
    let tree = Tree::new();
    tree.spec("forger", &[], "mkdir -p %{_rpmdir}/noarch && echo junk >%{_rpmdir}/noarch/forged.rpm");
    tree.spec("good", &[], "");
    let answer = tree.run(&build(&["--jobs", "1"]));
    answer.expect(1, &["forger-1-1 in collect", "no readable RPM"]);
    assert!(tree.has_published("good") && !tree.has_published("forger"), "{}", answer.text);
    assert_eq!(count(&tree, r#""event":"job-retried""#), 0);
}

#[test]
fn a_flood_of_output_is_cut_in_the_log_and_the_build_goes_on() {
    let tree = Tree::new();
    tree.spec("chatty", &[], "seq 1 1000000; head -c 10M /dev/zero");
    tree.run(&build(&["--log-limit", "100K"])).expect(0, &["chatty-1-1"]);
    let log = tree.run(&["log", "chatty", "--phase", "build"]);
    log.expect(0, &["[cut here: package-builder keeps 100.0 KiB of a phase's output]"]);
    assert!(log.text.len() < 110 << 10, "the log has {} bytes", log.text.len());
}

#[test]
fn what_a_build_leaves_running_does_not_outlive_it() {
    let tree = Tree::new();
    tree.spec("daemons", &[], "setsid sleep 86432 >/dev/null 2>&1 & (setsid nohup sleep 86432 &) ; sleep 0.5");
    tree.run(&build(&[])).expect(0, &["daemons-1-1"]);
    assert!(!is_running("sleep 86432"), "a daemon is still running");
}
