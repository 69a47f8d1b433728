//! Packages that need each other: a tree with such a cycle bootstraps by itself, ends with the identities of a second
//! full run, goes on after a kill, and says what is missing where there is no way out.

use std::collections::BTreeMap;
use std::path::Path;

use package_builder::runner::Lock;
use tests::tree::{Answer, Tree};
use tests::{has_docker, root, skip};

const BUILD: [&str; 4] = ["build", "--all", "--sandbox", "linux"];

/// A package with a file `/usr/share/NAME` of what its `%build` writes to `made`.
fn spec(tree: &Tree, name: &str, version: &str, preamble: &str, build: &str) {
    let text = format!(
        "{preamble}\nName: {name}\nVersion: {version}\nRelease: 1\nSummary: A test\nLicense: MIT\nBuildArch: noarch\n\
         \n%description\nA test.\n\n%build\n{build}\n\n%install\ninstall -D made %{{buildroot}}/usr/share/{name}\n\
         \n%files\n/usr/share/{name}\n"
    );
    tree.write(&format!("SPECS/{name}/{name}.spec"), &text);
}

/// Stages like those of this repository, with another seed and further settings of the stage.
fn stages(tree: &Tree, seed: Option<&Path>, settings: &str) {
    let read = |name: &str| std::fs::read_to_string(root().join("stages").join(name)).expect("the tree has stages");
    std::fs::remove_file(tree.path("stages")).expect("it is a link");
    tree.write("stages/00-seeds.toml", &read("00-seeds.toml"));
    let stage = read("10-base.toml");
    assert!(stage.contains("seeds = [\"debian\"]"), "{stage}");
    let stage = match seed {
        Some(seed) => {
            tree.write(
                "stages/05-old.toml",
                &format!("[seed.old]\nkind = \"repository\"\nurl = \"{}\"\n", seed.display()),
            );
            stage.replace("seeds = [\"debian\"]", "seeds = [\"debian\", \"old\"]")
        }
        None => stage,
    };
    tree.write("stages/10-base.toml", &format!("{stage}{settings}\n"));
}

/// The identity of every RPM by NEVRA.
fn identities(output: &Path) -> BTreeMap<String, String> {
    let state = package_builder::runner::State::load(&output.join("state.sqlite")).expect("the run left a state");
    state.packages().values().flat_map(|built| built.rpms.clone()).collect()
}

/// What a published package holds.
fn content(tree: &Tree, name: &str) -> String {
    let rpm = tree.path(&format!("out/repo/RPMS/noarch/{name}-1-1.noarch.rpm"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let _ = repository::unpack(rpm, folder.path()).expect("it can be unpacked");
    std::fs::read_to_string(folder.path().join("usr/share").join(name)).expect("it has its file")
}

/// A tree in which `a` and `b` say what they were made with, each with the other, and `c` what `a` said then.
fn cycle(needs_of_a: &str, build_of_a: &str) -> Tree {
    let tree = Tree::new();
    spec(&tree, "a", "1", needs_of_a, build_of_a);
    spec(&tree, "b", "1", "BuildRequires: a", "echo \"b 1 with $(head -c 3 /usr/share/a)\" > made");
    spec(&tree, "c", "1", "BuildRequires: a", "cat /usr/share/a > made");
    tree
}

/// Checks that a tree that was built is as a second full run would make it, whether forced or from nothing.
fn is_settled(tree: &Tree, words: &[&str]) {
    let built = identities(&tree.path("out"));
    assert_eq!(built.len(), 3);
    assert_eq!(content(tree, "a"), "a 1 with b 1\n");
    assert_eq!(content(tree, "b"), "b 1 with a 1\n");
    assert_eq!(content(tree, "c"), content(tree, "a"));
    tree.run(&["plan", "--all"]).expect(0, &["0 to build, 3 fresh, 0 blocked"]);
    let before = std::fs::read_link(tree.path("out/repo")).expect("`repo` points at a generation");
    tree.run(&BUILD).expect(0, &[]);
    tree.run(&[&BUILD[..], &["--force"]].concat()).expect(0, &["Unchanged", "a-1-1"]);
    assert_eq!(std::fs::read_link(tree.path("out/repo")).expect("it still does"), before);
    assert_eq!(identities(&tree.path("out")), built);
    // A lock of it is as good as no lock, where all is there and from nothing.
    let lock = tree.path("lock.json").display().to_string();
    tree.run(&["lock", "--all", "--to", &lock]).expect(0, &[]);
    tree.run(&[&BUILD[..], &["--locked", &lock]].concat()).expect(0, &["0 built"]);
    let other = tree.path("locked").display().to_string();
    let locked = [&["--output", &other], &BUILD[..], &["--locked", &lock]].concat();
    tree.run(&locked).expect(0, words);
    assert_eq!(identities(&tree.path("locked")), built);
    tree.run(&locked).expect(0, &["0 built"]);
    tree.run(&["--output", &other, "plan", "--all"]).expect(0, &["0 to build, 3 fresh, 0 blocked"]);
    let other = tree.path("other").display().to_string();
    tree.run(&[&["--output", &other], &BUILD[..]].concat()).expect(0, words);
    assert_eq!(identities(&tree.path("other")), built);
}

#[test]
fn a_cycle_bootstraps_with_the_rpm_of_a_seed_and_settles() {
    let old = Tree::new();
    spec(&old, "b", "0.5", "", "echo b 0.5 > made");
    old.run(&BUILD).expect(0, &[]);
    let tree = cycle("BuildRequires: b", "echo \"a 1 with $(head -c 3 /usr/share/b)\" > made");
    stages(&tree, Some(&old.path("out/repo")), "");
    let seed = "b-0.5-1.noarch of seed old";
    tree.run(&["plan", "--all"]).expect(0, &[&format!("a is in a cycle: with {seed} until b is built, then again")]);
    tree.run(&["why", "a", "b"]).expect(0, &[&format!("they need each other: a is built first with {seed}")]);

    let words = [
        &*format!("pass 1 of a ↔ b: a with {seed}"),
        "pass 2 of a ↔ b: a with b-1-1.noarch as published",
        "a again (built with b-0.5-1.noarch while its cycle with b was opened)",
    ];
    // Killed when `a` was published and is built again, the next run goes on.
    let mut first = tree.start(&BUILD, "\"number\":2");
    let _ = (first.kill(), first.wait());
    assert_eq!(content(&tree, "a"), "a 1 with b 0\n");
    tree.run(&BUILD).expect(0, &["pass 1 of a ↔ b: a with b-1-1.noarch as published", "Unchanged b-1-1"]);
    is_settled(&tree, &words);
    // A change to one of them goes around once.
    spec(&tree, "b", "1", "BuildRequires: a\n# A remark.", "echo \"b 1 with $(head -c 3 /usr/share/a)\" > made");
    tree.run(&BUILD).expect(0, &["Unchanged b-1-1"]);
}

#[test]
fn a_cycle_that_settles_otherwise_than_the_lock_says_is_an_error() {
    let old = Tree::new();
    spec(&old, "b", "0.5", "", "echo b 0.5 > made");
    old.run(&BUILD).expect(0, &[]);
    let tree = cycle("BuildRequires: b", "echo \"a 1 with $(head -c 3 /usr/share/b)\" > made");
    stages(&tree, Some(&old.path("out/repo")), "");
    tree.run(&BUILD).expect(0, &[]);
    let path = tree.path("lock.json");
    tree.run(&["lock", "--all", "--to", &path.display().to_string()]).expect(0, &[]);
    // A lock that agrees with itself, and with no build.
    let mut lock = Lock::read(&path).expect("it was just written");
    let (other, base) = ("f".repeat(64), lock.base.clone());
    let a = lock.packages.get_mut("a").expect("it was built");
    a.rpms.values_mut().for_each(|identity| identity.clone_from(&other));
    for package in
        ["b", "c"].map(|name| lock.packages.remove(name).map(|package| (name, package))).into_iter().flatten()
    {
        let (name, mut package) = package;
        package
            .root
            .iter_mut()
            .filter(|rpm| rpm.nevra.starts_with("a-"))
            .for_each(|rpm| rpm.identity = Some(other.clone()));
        package.key = planner::key(&planner::KeyInputs {
            spec_sha256: &package.spec_sha256,
            sources: &[],
            build_root: &package.build_root(&base),
            base_layer: &base.digest,
            arch: &lock.arch,
            rpm_version: &lock.rpm,
            tool_key_version: lock.key_version,
            extra: &BTreeMap::new(),
        });
        lock.packages.insert(name.to_owned(), package);
    }
    lock.write(&path).expect("the folder is writable");
    let (output, lock) = (tree.path("other").display().to_string(), path.display().to_string());
    let answer = tree.run(&[&["--output", &output], &BUILD[..], &["--locked", &lock]].concat());
    let refused =
        "c-1-1 is not what the lock says: a-1-1.noarch of the build root: the lock has ffffffffffff, there is";
    answer.expect(
        3,
        &["are not what the lock says", "`a`, whose cycle has settled: a-1-1.noarch: the lock has", refused],
    );
}

#[test]
fn a_cycle_bootstraps_in_containers_as_well() {
    if !has_docker() {
        return skip("a cycle in containers", "no Docker Engine answers");
    }
    let old = Tree::new();
    spec(&old, "b", "0.5", "", "echo b 0.5 > made");
    old.run(&BUILD).expect(0, &[]);
    let tree = cycle("BuildRequires: b", "echo \"a 1 with $(head -c 3 /usr/share/b)\" > made");
    stages(&tree, Some(&old.path("out/repo")), "");
    tree.run(&["build", "--all", "--sandbox", "docker"]).expect(0, &["pass 1 of a ↔ b", "pass 2 of a ↔ b"]);
    let built = identities(&tree.path("out"));
    // The sandbox is no part of what a build means.
    tree.run(&[&BUILD[..], &["--force"]].concat()).expect(0, &["Unchanged", "a-1-1"]);
    assert_eq!(identities(&tree.path("out")), built);
}

#[test]
fn a_cycle_bootstraps_with_a_declared_variant_and_settles() {
    let needs = "%bcond bootstrap 0\n%if %{without bootstrap}\nBuildRequires: b\n%endif";
    let build = "%if %{with bootstrap}\necho a 1 alone > made\n%else\n\
                 echo \"a 1 with $(head -c 3 /usr/share/b)\" > made\n%endif";
    let tree = cycle(needs, build);
    stages(&tree, None, "bootstrap = [\"a\"]");
    tree.run(&["plan", "--all"]).expect(0, &["a is in a cycle: as its bootstrap variant until b is built, then again"]);
    let words = [
        "pass 1 of a ↔ b: a as its bootstrap variant",
        "pass 2 of a ↔ b: a with b-1-1.noarch as published",
        "a again (built as its bootstrap variant so far)",
    ];
    tree.run(&BUILD).expect(0, &words);
    is_settled(&tree, &words);
    let unknown = Tree::new();
    stages(&unknown, None, "bootstrap = [\"nothing\"]");
    unknown.run(&["plan", "--all"]).expect(3, &["`bootstrap`: no source package `nothing` in the tree"]);
}

#[test]
fn a_cycle_that_never_comes_out_the_same_is_given_up() {
    let old = Tree::new();
    spec(&old, "b", "0.5", "", "echo 0 > made");
    old.run(&BUILD).expect(0, &[]);
    let tree = cycle("BuildRequires: b", "echo $(($(cat /usr/share/b) + 1)) > made");
    spec(&tree, "b", "1", "BuildRequires: a", "echo $(($(cat /usr/share/a) + 1)) > made");
    spec(&tree, "d", "1", "", "echo d > made");
    stages(&tree, Some(&old.path("out/repo")), "");
    let answer = tree.run(&BUILD);
    answer.expect(1, &["the cycle a ↔ b does not settle: after 5 passes these still come out differently: a, b"]);
    answer.expect(1, &["it needs a", "c-1-1"]);
    assert_eq!(content(&tree, "b"), "10\n");
    assert!(tree.has_published("d") && !tree.has_published("c"), "{}", answer.text);
}

#[test]
fn a_cycle_without_a_way_out_says_what_was_tried() {
    let tree = cycle("BuildRequires: b", "true");
    let answer: Answer = tree.run(&["plan", "--all"]);
    answer.expect(
        3,
        &[
            "no way to build a before b: the stage declares no bootstrap variant of a; nothing of b is published; with \
             seeds alone nothing meets `b`",
            "`bootstrap = [\"a\"]` into the `[stage]`, or add b to a seed",
        ],
    );
}
