//! Build roots of layers: what several builds need is installed once, and whoever builds in the result cannot tell.

use report::{Event, EventKind};
use tests::tree::Tree;
use tests::{has_docker, skip};

/// What a run says of the root of each package: layers, packages in them, packages installed, whether that was kept.
fn roots(tree: &Tree) -> Vec<(String, usize, usize, usize, bool)> {
    let journal = tree.journal();
    let events = journal.lines().filter_map(|line| Event::from_json_line(line).ok());
    let mut roots: Vec<_> = events
        .filter_map(|event| match event.kind {
            EventKind::RootStacked { package, layers, packages, installed, kept, .. } => {
                Some((package, layers, packages, installed, kept))
            }
            _ => None,
        })
        .collect();
    roots.sort();
    roots
}

fn root(
    package: &str,
    layers: usize,
    packages: usize,
    installed: usize,
    kept: bool,
) -> (String, usize, usize, usize, bool) {
    (package.to_owned(), layers, packages, installed, kept)
}

/// A package that notes its number in what it installs, so that its RPM is another one in each tree.
fn library(tree: &Tree, name: &str, tags: &[&str]) {
    tree.spec(name, tags, "");
    let path = format!("SPECS/{name}/{name}.spec");
    let text = std::fs::read_to_string(tree.path(&path)).expect("it was written");
    let unique = tree.path("").display().to_string();
    tree.write(&path, &text.replace("%description\nA test.", &format!("%description\nA test, {unique}.")));
}

fn layers_serve_several_builds(sandbox: &str) {
    let tree = Tree::new();
    library(&tree, "one", &[]);
    library(&tree, "two", &["Requires: one"]);
    for name in ["a", "b"] {
        tree.spec(name, &["BuildRequires: two"], "rpm -q one two && test -e /usr/share/one && rpm -V two one");
    }
    tree.spec("c", &["BuildRequires: one"], "rpm -q one && ! rpm -q two && test ! -e /usr/share/two");
    let build = ["build", "--all", "--jobs", "1", "--sandbox", sandbox];
    tree.run(&build).expect(0, &["5/5 jobs run: 5 built"]);
    let before = roots(&tree);
    // `a` and `b` need the same, all that `c` needs among it; `a` is built first, of equal ones by name.
    let [a, b] = [root("a", 1, 2, 2, true), root("b", 1, 2, 0, false)];
    assert!(before.contains(&a) && before.contains(&b), "{before:?}");
    assert!(before.contains(&root("c", 0, 0, 1, false)), "{before:?}");
    // What is wanted for the second time is kept as well, and then it is there.
    tree.run(&["build", "c", "--force", "--sandbox", sandbox]).expect(0, &["Unchanged"]);
    tree.run(&["build", "c", "--force", "--sandbox", sandbox]).expect(0, &["Unchanged"]);
    let after = roots(&tree);
    for new in [root("c", 1, 1, 1, true), root("c", 1, 1, 0, false)] {
        assert!(after.contains(&new), "{new:?} in {after:?}");
    }
    // From now on there is a smaller layer for `a`'s as well, which changes nothing.
    tree.run(&["build", "a", "b", "--force", "--sandbox", sandbox]).expect(0, &["Unchanged"]);
}

#[test]
fn layers_serve_several_builds_by_namespaces() {
    layers_serve_several_builds("linux");
}

#[test]
fn layers_serve_several_builds_by_containers() {
    if !has_docker() {
        return skip("layers in containers", "no Docker Engine answers");
    }
    layers_serve_several_builds("docker");
}
