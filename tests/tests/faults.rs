//! What builds and machines do to a run: each fault ends in the verdict that names it, and everything else goes on.

use std::process::Command;

use tests::tree::{Answer, Tree};
use tests::{has, is_root, package_builder, run, skip};

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

/// A command that holds this much memory: a last line without an end is kept whole.
fn eat(size: &str) -> String {
    format!("head -c {size} /dev/zero | tail >/dev/null")
}

#[test]
fn a_build_short_of_memory_is_tried_again_alone_with_more_and_then_named() {
    if !is_root() {
        return skip("memory limits", "it takes root to make control groups of version 1");
    }
    let tree = Tree::new();
    tree.spec("hungry", &[], &eat("330M"));
    tree.spec("other", &[], "sleep 1");
    tree.spec("starving", &[], &eat("700M"));
    let answer = tree.run(&build(&["--jobs", "2", "--memory", "400M"]));
    let again = "it ran out of memory in %build; now alone, with up to 400 MiB";
    let first = |name: &str| format!("Retrying {name}-1-1 in 0.00s, attempt 2: {again}");
    answer.expect(1, &[&first("hungry"), &first("starving"), "starving-1-1 ran out of memory in %build"]);
    assert!(tree.has_published("hungry") && tree.has_published("other"), "{}", answer.text);
    assert_eq!(count(&tree, r#""event":"job-retried""#), 2, "{}", tree.journal());
    assert_eq!(count(&tree, r#""is":"out-of-memory""#), 1, "{}", tree.journal());
}

#[test]
fn a_build_that_fills_the_disk_is_named_and_one_that_fails_beside_it_is_not() {
    if !is_root() || !has("unshare") {
        return skip("a full disk", "it takes root and `unshare` to mount a small one");
    }
    let tree = Tree::new();
    tree.spec("filler", &[], "head -c 64M /dev/zero >blob");
    tree.spec("fails", &[], "echo no space left on device; exit 1");
    let out = tree.path("out");
    std::fs::create_dir_all(&out).expect("the tree is writable");
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", "mount -t tmpfs -o size=48m small \"$OUT\" && exec \"$@\"", "sh"]);
    command.arg(package_builder()).env("OUT", &out).args(tree.command(&build(&["--json", "--jobs", "1"])).get_args());
    let answer = Answer::new(&run(&mut command));
    let verdict = |package: &str, is: &str| {
        let mut ends = answer.text.lines().filter(|line| line.contains("job-finished") && line.contains(package));
        assert!(ends.any(|line| line.contains(is)), "{}", answer.text);
    };
    verdict("filler-1-1", r#"{"is":"out-of-disk","phase":"%build"}"#);
    verdict("fails-1-1", r#"{"is":"failed","phase":"%build"}"#);
}

/// How often the builder is killed in one tree.
const KILLS: u32 = 12;

/// The variable that says in how many trees, one after the other; in one if it is not set.
const TREES: &str = "FAULTS_TREES";

/// `kill -9` at moments spread over a run, again and again: nothing that was published is built once more, nothing is left
/// behind, and what is published at last is what one undisturbed run publishes.
#[test]
fn a_builder_killed_at_any_moment_loses_no_finished_build_and_leaves_nothing_behind() {
    let packages: Vec<String> = (0..8).map(|number| format!("p{number}")).collect();
    let tree_of_packages = || {
        let tree = Tree::new();
        for (number, name) in packages.iter().enumerate() {
            let need = number.checked_sub(3).map(|need| format!("BuildRequires: {}", packages[need]));
            let tags: Vec<&str> = need.iter().map(String::as_str).collect();
            tree.spec(name, &tags, "sleep 0.2; setsid sleep 86433 & echo built >note");
        }
        tree
    };
    let undisturbed = tree_of_packages();
    undisturbed.run(&build(&["--jobs", "2"])).expect(0, &[]);
    let trees: u32 = std::env::var(TREES).ok().and_then(|trees| trees.parse().ok()).unwrap_or(1);
    for number in 0..trees {
        // Other moments in each.
        kill_again_and_again(&tree_of_packages(), &packages, &undisturbed, number * 17 % 211);
    }
}

fn kill_again_and_again(tree: &Tree, packages: &[String], undisturbed: &Tree, shift: u32) {
    let (mut kept, mut amid) = (0, 0);
    for kill in 0..KILLS {
        let mut child =
            tree.command(&build(&["--jobs", "2"])).stderr(std::process::Stdio::null()).spawn().expect("it starts");
        // Later and later, by no round number of milliseconds.
        std::thread::sleep(std::time::Duration::from_millis(u64::from(97 + shift + kill * 211)));
        amid += u32::from(matches!(child.try_wait(), Ok(None)));
        let _ = child.kill();
        let _ = child.wait();
        let published: Vec<&String> = packages.iter().filter(|name| tree.has_published(name)).collect();
        assert!(published.len() >= kept, "kill {kill}: {kept} were published, now {published:?}");
        kept = published.len();
        // The supervisors of its sandboxes notice in a moment.
        let began = std::time::Instant::now();
        while is_running("sleep 86433") {
            assert!(began.elapsed().as_secs() < 20, "kill {kill}: what it built is still running");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert_eq!(mounts_of(tree), 0, "kill {kill}: something is still mounted");
    }
    let answer = tree.run(&build(&["--jobs", "2"]));
    answer.expect(0, &[]);
    let finished = |name: &str| {
        let journal = tree.journal();
        let ends =
            journal.lines().filter(|line| line.contains("job-finished") && line.contains(&format!("{name}-1-1")));
        ends.filter(|line| line.contains(r#""is":"success""#)).count()
    };
    let built: Vec<usize> = packages.iter().map(|name| finished(name)).collect();
    assert!(
        built.iter().all(|times| *times <= 1),
        "something was built again after its RPMs were published: {built:?}"
    );
    assert_eq!(rpms(tree), rpms(undisturbed));
    assert_eq!(rpms(tree).len(), packages.len());
    let work = std::fs::read_dir(tree.path("out/work")).into_iter().flatten().count();
    tests::say(&format!(
        "killed {KILLS} times, {amid} amid a run, {kept} of {} published by then, {work} folders left",
        packages.len()
    ));
    assert!(amid > KILLS / 4, "hardly any run was killed before its end");
    assert_eq!(work, 0, "killed runs' folders are left");
}

/// How many mounts of this machine have to do with a tree; others may come and go.
fn mounts_of(tree: &Tree) -> usize {
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("Linux");
    let folder = tree.path("").display().to_string();
    mounts.lines().filter(|line| line.contains(folder.trim_end_matches('/'))).count()
}

/// What all RPMs that a tree has published mean, by file name: these specs have no changelog to take a build time from.
fn rpms(tree: &Tree) -> Vec<(String, String)> {
    let repository = tree.path("out/repo/RPMS");
    let files = walkdir::WalkDir::new(repository).follow_links(true).sort_by_file_name();
    let files = files.into_iter().filter_map(Result::ok).filter(|file| file.file_type().is_file());
    let identity = |path: &std::path::Path| repository::read_rpm(path).expect("a published RPM can be read").identity;
    files.map(|file| (file.file_name().to_string_lossy().into_owned(), identity(file.path()))).collect()
}
