//! What goes wrong outside of any package's own build: each is a clear error or a clean stop, and what is good is
//! built all the same.

use std::process::Command;

use tests::tree::{Answer, FIRST_TAG, Tree};
use tests::{has, is_root, package_builder, run, skip};

const LINUX: [&str; 2] = ["--sandbox", "linux"];

fn build<'a>(names: &[&'a str]) -> Vec<&'a str> {
    [&["build"], names, &LINUX].concat()
}

#[test]
fn an_unknown_package_is_answered_with_its_nearest_names() {
    let tree = Tree::new();
    tree.spec("zlib", &[], "");
    tree.run(&["-i", "zlibb"]).expect(2, &["zlibb", "spelled alike: zlib"]);
}

#[test]
fn a_tree_without_specs_is_told_what_a_tree_is() {
    let tree = Tree::new();
    let empty = tempfile::tempdir().expect("a temporary folder");
    let answer = tree.run(&["plan", "--all", "-s", &empty.path().join("none").to_string_lossy()]);
    answer.expect(2, &["is no tree", "--tree DIR"]);
}

#[test]
fn two_specs_of_one_name_are_both_named_and_the_rest_is_built() {
    let tree = Tree::new();
    tree.spec("good", &[], "");
    tree.spec("twin", &[], "");
    let text = std::fs::read_to_string(tree.path("SPECS/twin/twin.spec")).expect("it was written");
    tree.write("SPECS/other/other.spec", &text);
    let answer = tree.run(&build(&["--all"]));
    answer.expect(3, &["SPECS/other/other.spec", "SPECS/twin/twin.spec", "twin"]);
    assert!(tree.has_published("good") && !tree.has_published("twin"), "{}", answer.text);
}

#[test]
fn a_broken_spec_is_shown_with_its_place_and_the_rest_is_built() {
    let tree = Tree::new();
    tree.spec("good", &[], "");
    tree.spec("broken", &["Requires: >= 2"], "");
    tree.spec("needs", &["BuildRequires: broken"], "");
    let place = format!("SPECS/broken/broken.spec:{FIRST_TAG}");
    let answer = tree.run(&build(&["--all"]));
    answer.expect(3, &[&place, "needs"]);
    assert!(tree.has_published("good"), "{}", answer.text);
    // Named, it is an error at once; a good one beside it is not touched by it.
    tree.run(&build(&["broken"])).expect(3, &[&place]);
    tree.run(&build(&["good"])).expect(0, &[]);
}

#[test]
fn a_dependency_nobody_provides_tells_who_asks_where_and_what_is_alike() {
    let tree = Tree::new();
    tree.spec("good", &[], "");
    tree.spec("asks", &["BuildRequires: good", "BuildRequires: zlib-devle >= 2"], "");
    let place = format!("SPECS/asks/asks.spec:{}", FIRST_TAG + 1);
    let answer = tree.run(&build(&["--all"]));
    answer.expect(3, &["zlib-devle >= 2", &place]);
    assert!(tree.has_published("good"), "{}", answer.text);
    tree.spec("alike", &["BuildRequires: binutlis"], "");
    tree.run(&["plan", "alike"]).expect(3, &["binutlis", "spelled alike: binutils"]);
}

#[test]
fn a_cycle_is_reported_by_its_shortest_path_and_spec_lines() {
    let tree = Tree::new();
    tree.spec("good", &[], "");
    tree.spec("one", &["BuildRequires: two"], "");
    tree.spec("two", &["BuildRequires: one"], "");
    let line = |name: &str| format!("SPECS/{name}/{name}.spec:{FIRST_TAG}");
    let answer = tree.run(&build(&["--all"]));
    answer.expect(3, &[&line("one"), &line("two")]);
    assert!(tree.has_published("good"), "{}", answer.text);
}

#[test]
fn a_source_without_checksum_is_refused_with_the_line_that_writes_it() {
    let tree = Tree::new();
    tree.spec("good", &[], "");
    tree.spec("unsafe", &["Source0: http://127.0.0.1:9/unsafe.tar.gz"], "");
    let answer = tree.run(&build(&["--all"]));
    answer.expect(3, &["unsafe.tar.gz", "sha512", "fetch --lock unsafe"]);
    assert!(tree.has_published("good"), "{}", answer.text);
}

#[test]
fn a_source_that_differs_from_its_checksum_is_refused() {
    let tree = Tree::new();
    tree.spec("wrong", &["Source0: wrong.txt"], "");
    tree.write("SOURCES/wrong.txt", "not what was locked");
    tree.write("SPECS/wrong/sources", &format!("[\"wrong.txt\"]\nsha512 = \"{}\"\n", "ab".repeat(64)));
    tree.run(&build(&["wrong"])).expect(3, &["wrong.txt", "abababab", "wrong checksum"]);
    assert!(!tree.has_published("wrong"));
}

#[test]
fn an_origin_that_cannot_be_reached_is_named_with_the_reason() {
    let tree = Tree::new();
    tree.spec("far", &["Source0: http://127.0.0.1:9/far.tar.gz"], "");
    tree.write("SPECS/far/sources", &format!("[\"far.tar.gz\"]\nsha512 = \"{}\"\n", "ab".repeat(64)));
    tree.run(&build(&["far"])).expect(4, &["far.tar.gz", "http://127.0.0.1:9/far.tar.gz", "refused"]);
}

#[test]
fn a_build_that_tries_the_network_finds_none() {
    let tree = Tree::new();
    tree.spec("nosy", &[], "exec 3<>/dev/tcp/192.0.2.1/80");
    tree.run(&build(&["nosy"])).expect(1, &["nosy-1-1", "%build", "Network is unreachable"]);
}

#[test]
fn without_engine_and_namespaces_the_command_says_what_to_do() {
    let tree = Tree::new();
    tree.spec("good", &[], "");
    if !has("unshare") || !has("setpriv") {
        return skip("no sandbox at all", "`unshare` or `setpriv` is not installed");
    }
    // A user namespace in which no further one can be made, and no capability to do without.
    let script = "echo 0 >/proc/sys/user/max_user_namespaces; \
                  exec setpriv --bounding-set=-all --inh-caps=-all --securebits=+noroot \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-Ur", "sh", "-c", script, "sh"]).arg(package_builder());
    let inner = tree.command(&["build", "good"]);
    command.args(inner.get_args()).env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    Answer::new(&run(&mut command)).expect(4, &["no sandbox works", "Docker", "namespace", "hint:"]);
}

#[test]
fn a_full_disk_is_named_and_leaves_the_repository_whole() {
    let tree = Tree::new();
    tree.spec("small", &[], "");
    tree.spec("large", &[], "head -c 64M /dev/urandom >blob");
    if !is_root() || !has("unshare") {
        return skip("a full disk", "it takes root and `unshare` to mount a small one");
    }
    let out = tree.path("out");
    std::fs::create_dir_all(&out).expect("the tree is writable");
    // All in one mount namespace, so that the small disk goes away with it.
    let script =
        "mount -t tmpfs -o size=32m small \"$OUT\" && \"$@\"; code=$?; ls \"$OUT\"/repo/RPMS/noarch; exit $code";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, "sh"]).arg(package_builder()).env("OUT", &out);
    command.args(tree.command(&build(&["--all", "--jobs", "1"])).get_args());
    let answer = Answer::new(&run(&mut command));
    answer.expect(1, &["large-1-1", "disk", "small-1-1.noarch.rpm"]);
}

#[test]
fn a_second_run_on_the_same_tree_is_told_of_the_first() {
    let tree = Tree::new();
    tree.spec("slow", &[], "sleep 60");
    let mut first = tree.start(&build(&["slow"]), "%build");
    tree.run(&build(&["slow"])).expect(4, &["another package-builder", "build slow", "--output DIR"]);
    let _ = first.kill();
    let _ = first.wait();
}

#[test]
fn the_first_ctrl_c_finishes_what_runs_and_the_same_command_goes_on() {
    let tree = Tree::new();
    tree.spec("first", &[], "sleep 3");
    tree.spec("second", &["BuildRequires: first"], "");
    let child = tree.start(&build(&["--all", "--jobs", "1"]), "%build");
    signal_group(child.id(), "INT");
    let answer = Answer::new(&child.wait_with_output().expect("it ends"));
    answer.expect(130, &["interrupted", "same command"]);
    assert!(tree.has_published("first") && !tree.has_published("second"), "{}", answer.text);
    tree.run(&build(&["--all"])).expect(0, &["second-1-1", "1 fresh"]);
}

#[test]
fn the_second_ctrl_c_or_a_wish_to_end_stops_at_once_and_leaves_nothing_running() {
    for (seconds, signals) in [("86421", &["INT", "INT"][..]), ("86422", &["TERM"]), ("86423", &["HUP"])] {
        let tree = Tree::new();
        tree.spec("endless", &[], &format!("sleep {seconds}"));
        let child = tree.start(&build(&["endless"]), "%build");
        for signal in signals {
            signal_group(child.id(), signal);
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        let answer = Answer::new(&child.wait_with_output().expect("it ends"));
        answer.expect(130, &["interrupted"]);
        assert!(!is_running(&format!("sleep {seconds}")), "the build is still running after {signals:?}");
        let work = std::fs::read_dir(tree.path("out/work"));
        assert!(work.is_ok_and(|work| work.count() == 0), "its files are still there after {signals:?}");
    }
}

/// Sends a signal to every process of a group, as the terminal does when Ctrl-C is pressed.
fn signal_group(leader: u32, signal: &str) {
    let (signal, group) = (format!("-{signal}"), format!("-{leader}"));
    assert!(run(Command::new("kill").args([&*signal, "--", &group])).status.success(), "it has ended already");
}

fn is_running(command_line: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("Linux").filter_map(Result::ok);
    let mut lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| String::from_utf8_lossy(&line).replace('\0', " ").trim() == command_line)
}
