//! What a run would take: on a file, on broken files, and on a tree with and without earlier builds.

use std::path::Path;
use std::process::Command;

use tests::tree::{Answer, Tree};
use tests::{is_root, package_builder, run, skip, succeed};

/// Runs `simulate` outside of any tree.
fn simulate(graph: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(package_builder());
    command.current_dir(std::env::temp_dir()).arg("simulate").arg("--graph").arg(graph).args(arguments);
    command
}

fn answer(graph: &str, arguments: &[&str]) -> Answer {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), graph).expect("it is written");
    Answer::new(&run(&mut simulate(file.path(), arguments)))
}

const GRAPH: &str = r#"{"source": "here", "packages": {
    "gcc": {"minutes": 40, "needs": []}, "jq": {"minutes": 2, "needs": ["gcc", "zlib"]},
    "zlib": {"minutes": 5, "needs": [], "parallel": 0}}}"#;

#[test]
fn a_file_is_simulated_without_a_tree() {
    let table = answer(GRAPH, &["-j", "1,2"]);
    table.expect(0, &["3 packages, 47m00s of work", "critical path, 42m00s:", "   1    47m00s", "   2    42m00s"]);
    table.expect(0, &["gcc  at half its length 22m00s, as two packages 27m00s"]);
    assert!(!table.text.contains("job server"), "{}", table.text);
    // Half of gcc and of jq on both cores once zlib has ended.
    answer(GRAPH, &["-j", "2", "--parallel", "0.5"]).expect(0, &["job server", "32m45s with 2 jobs"]);
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), GRAPH).expect("it is written");
    let json = succeed(&mut simulate(file.path(), &["-j", "2", "--json"]));
    let json: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!((&json["runs"][0]["seconds"], &json["runs"][0]["bound"]["kind"]), (&2520.0.into(), &"path".into()));
    assert_eq!((&json["critical_path"][0]["package"], &json["helps"][0]["job"]), (&"gcc".into(), &"gcc".into()));
}

#[test]
fn a_broken_file_is_refused_with_what_is_wrong() {
    let packages = |packages: &str| answer(&format!("{{\"packages\": {{{packages}}}}}"), &[]);
    packages(r#""a": {"minutes": 1, "needs": ["zlibb"]}, "zlib": {"minutes": 1, "needs": []}"#)
        .expect(3, &["`a` needs `zlibb`", "spelled alike: zlib", "hint: the form is"]);
    packages(r#""a": {"minutes": 1, "needs": ["b"]}, "b": {"minutes": 1, "needs": ["a"]}"#)
        .expect(3, &["`a` needs `b` needs a in turn"]);
    packages(r#""a": {"minutes": -1, "needs": []}"#).expect(3, &["`a` takes -60 seconds", "0 or more"]);
    packages(r#""a": {"minutes": NaN, "needs": []}"#).expect(3, &["line 1 column"]);
    packages(r#""a": {"minutes": 1, "needs": [], "parallel": 2}"#).expect(3, &["`a` has the parallel share 2"]);
    packages(r#""a": {"minutes": 1}"#).expect(3, &["missing field `needs`"]);
    packages("").expect(3, &["there are no packages"]);
    answer("", &[]).expect(3, &["line 1 column 0"]);
    answer("\u{0}\u{ff}", &[]).expect(3, &["line 1 column 1"]);
    answer(GRAPH, &["-j", "0"]).expect(2, &["--jobs"]);
    answer(GRAPH, &["--parallel", "1.5"]).expect(2, &["a number from 0 to 1"]);
}

#[test]
fn a_tree_is_simulated_with_what_its_builds_took() {
    let tree = Tree::new();
    tree.spec("tool", &[], "sleep 1");
    tree.spec("app", &["BuildRequires: tool"], "");
    let untimed = "2 packages never timed, taken for 1m00s each";
    tree.run(&["simulate", "-j", "2"]).expect(0, &["2 packages, 2m00s of work", untimed, "critical path, 2m00s:"]);
    tree.run(&["simulate", "appp"]).expect(2, &["appp", "spelled alike: app"]);
    let expected = "about 2m00s with 3 jobs at once; 2 of 2 packages never timed, 1m00s each";
    tree.run(&["plan", "--all", "--time", "-j", "3"]).expect(0, &["2 to build", expected]);
    let plan = succeed(&mut tree.command(&["plan", "--all", "--time", "--json"]));
    let plan: serde_json::Value = serde_json::from_str(&plan).expect("it is JSON");
    assert_eq!((&plan["expected"]["seconds"], plan["order"].as_array().map(Vec::len)), (&120.0.into(), Some(2)));
    if !is_root() {
        skip("a_tree_is_simulated_with_what_its_builds_took", "builds here are run as root");
        return;
    }
    tree.run(&["build", "tool", "--sandbox", "linux"]).expect(0, &[]);
    // What is never timed is now taken to be as long as what is; a full rebuild counts what is fresh as well.
    let answer = tree.run(&["simulate"]);
    answer.expect(0, &["2 packages, ", "1 package never timed"]);
    assert!(!answer.text.contains("1m00s"), "{}", answer.text);
    tree.run(&["plan", "--all", "--time"]).expect(0, &["1 to build, 1 fresh", "1 of 1 package never timed"]);
    tree.run(&["simulate", "-j", "2", "--parallel", "0.5"]).expect(0, &["job server", "with 2 jobs at once"]);
    tree.run(&["plan", "tool", "--time"]).expect(0, &["0 to build, 1 fresh"]);
}
