//! Questions about a tree and its repository: the verbs' answers, exit codes and JSON, and dnf's word on the same.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use tests::tree::{FIRST_TAG, Tree};
use tests::{has, run, skip, succeed};

/// A tree in which `app` needs `lib`, which needs `tool`.
fn tree() -> Tree {
    let tree = Tree::new();
    tree.spec("tool", &["Provides: hammer = 2"], "");
    tree.spec("lib", &["BuildRequires: hammer >= 1"], "");
    tree.spec("app", &["BuildRequires: lib", "Requires: tool"], "");
    tree
}

fn place(name: &str) -> String {
    format!("SPECS/{name}/{name}.spec:{FIRST_TAG}")
}

fn json(tree: &Tree, arguments: &[&str]) -> serde_json::Value {
    let text = succeed(tree.command(arguments).arg("--json"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn why_tells_the_way_and_its_lines() {
    let tree = tree();
    tree.run(&["why", "app", "lib"]).expect(0, &["lib is in the build root of app", &place("app")]);
    tree.run(&["why", "app", "tool"])
        .expect(0, &["before app can be built", &place("app"), &place("lib"), "hammer >= 1"]);
    tree.run(&["why", "app"]).expect(0, &["from the tree: 1", "from seeds:", "every build root has `gcc`"]);
    tree.run(&["why", "tool", "app"]).expect(1, &["tool needs no app", "hint:"]);
    tree.run(&["why", "appp"]).expect(2, &["no package `appp`", "spelled alike: app"]);
    tree.spec("broken", &["Requires: >= 2"], "");
    tree.run(&["why", "broken"]).expect(3, &[&place("broken")]);
    let answer = json(&tree, &["why", "app", "tool"]);
    assert_eq!(answer["how"], "before");
    assert_eq!(answer["steps"][1]["reasons"][0]["dependency"], "hammer >= 1");
}

#[test]
fn rdeps_tells_who_needs_and_what_is_rebuilt() {
    let tree = tree();
    tree.run(&["rdeps", "tool"])
        .expect(0, &["lib needs tool-1-1.noarch", &place("lib"), "1 source package needs tool"]);
    tree.run(&["rdeps", "bash"]).expect(0, &["every build root has `bash`", "3 source packages need bash"]);
    tree.run(&["rdeps", "tol"]).expect(2, &["spelled alike: tool"]);
    let names = |arguments: &[&str]| {
        let answer = json(&tree, arguments);
        let list = answer["dependants"].as_array().cloned().unwrap_or_default();
        list.iter().filter_map(|one| Some(one["source"].as_str()?.to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(names(&["rdeps", "tool", "--recursive"]), ["lib", "app"]);
    assert_eq!(names(&["rdeps", "tool", "--runtime"]), ["app", "lib"]);
}

#[test]
fn what_provides_tells_who_offers_and_who_is_taken() {
    let tree = tree();
    tree.spec("other", &["Provides: hammer = 3"], "");
    let answer = tree.run(&["what-provides", "hammer"]);
    answer.expect(0, &["* other-1-1.noarch", &place("other"), "  tool-1-1.noarch", &place("tool")]);
    tree.run(&["what-provides", "hammer < 3"]).expect(0, &["* tool-1-1.noarch"]);
    tree.run(&["what-provides", "(hammer < 3 or nowhere)"]).expect(0, &["* tool-1-1.noarch"]);
    // What every build root has anyway is enough.
    tree.run(&["what-provides", "(hammer < 3 or bash)"]).expect(0, &["  tool-1-1.noarch", "* bash-"]);
    tree.run(&["what-provides", "hammer > 3"]).expect(1, &["nothing meets `hammer > 3`", "offers hammer = 3"]);
    tree.run(&["what-provides", "hamer"]).expect(1, &["spelled alike: hammer"]);
    tree.run(&["what-provides", ">= 1"]).expect(2, &["hint:"]);
}

/// Whether dnf would install a package from a repository alone.
fn dnf_installs(repository: &Path, cache: &Path, name: &str) -> bool {
    let root = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new("dnf");
    command
        .arg("-y")
        .arg(format!("--installroot={}", root.path().display()))
        .arg(format!("--repofrompath=test,{}", repository.display()))
        .args(["--repo=test", "--nogpgcheck", "--releasever=1", "--setopt=install_weak_deps=False"])
        .arg(format!("--setopt=cachedir={}", cache.display()))
        .args(["--setopt=tsflags=test", "install", name]);
    run(&mut command).status.success()
}

#[test]
fn installable_says_of_each_package_what_dnf_says() {
    let tree = tree();
    tree.run(&["installable", "--all"]).expect(2, &["nothing is published", "hint:"]);
    tree.spec("lost", &["Requires: nowhere >= 2"], "");
    tree.spec("deep", &["Requires: lost"], "");
    tree.spec("refuser", &["Conflicts: tool < 2"], "");
    tree.spec("torn", &["Requires: app", "Requires: refuser"], "");
    tree.spec("rich", &["Requires: (nowhere if refuser else tool)"], "");
    tree.run(&["build", "--all", "--sandbox", "linux"]).expect(0, &[]);
    let answer = tree.run(&["installable", "--all"]);
    answer.expect(1, &["nothing meets `nowhere >= 2`", "deep-1-1.noarch requires `lost`"]);
    answer.expect(1, &["conflicts with `tool < 2`, refusing tool-1-1.noarch", "app-1-1.noarch requires `tool`"]);
    tree.run(&["installable", "app", "rich"]).expect(0, &["2 of 2 packages can be installed"]);
    tree.run(&["installable", "ap"]).expect(2, &["no package `ap`"]);
    let broken: BTreeSet<&str> = BTreeSet::from(["lost", "deep", "torn"]);
    assert!(answer.text.contains("5 of 8 packages"), "{}", answer.text);
    if !has("dnf") {
        return skip("dnf on the same repository", "`dnf` is not installed");
    }
    let cache = tempfile::tempdir().expect("a temporary folder");
    for name in ["tool", "lib", "app", "lost", "deep", "refuser", "torn", "rich"] {
        let is_installed = dnf_installs(&tree.path("out/repo"), cache.path(), name);
        assert_eq!(is_installed, !broken.contains(name), "dnf on {name}");
    }
}
