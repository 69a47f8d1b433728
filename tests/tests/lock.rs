//! The lock of a run, and builds from it alone: the same keys and identities from nothing else, and a refusal that
//! names what differs. Real rpmbuild in the Linux sandbox.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use package_builder::runner::{Lock, Origin, State};
use tests::root;
use tests::tree::Tree;

/// A published repository with the package `helper`, to be a seed of another tree.
fn helper(version: &str) -> Tree {
    let tree = Tree::new();
    tree.spec("helper", &[], "");
    let text = std::fs::read_to_string(tree.path("SPECS/helper/helper.spec")).expect("it was written");
    tree.write("SPECS/helper/helper.spec", &text.replace("Version: 1", &format!("Version: {version}")));
    tree.run(&["build", "helper", "--sandbox", "linux"]).expect(0, &["1 built"]);
    tree
}

/// Makes a repository one more seed of a tree.
fn set_seed(tree: &Tree, helper: &Tree) {
    if tree.path("stages").is_symlink() {
        std::fs::remove_file(tree.path("stages")).expect("it is a link");
    }
    for name in ["00-seeds.toml", "10-base.toml"] {
        let text = std::fs::read_to_string(root().join("stages").join(name)).expect("this repository is a tree");
        tree.write(&format!("stages/{name}"), &text.replace("seeds = [\"debian\"]", "seeds = [\"debian\", \"extra\"]"));
    }
    let repository = helper.path("out/repo").canonicalize().expect("it was published");
    let seed = format!("[seed.extra]\nkind = \"repository\"\nurl = \"{}\"\nunverified = true\n", repository.display());
    tree.write("stages/05-extra.toml", &seed);
}

/// `app` needs `lib` of the tree, `helper` of a seed, and `deep`, which only its build root tells.
fn tree(helper: &Tree) -> Tree {
    let tree = Tree::new();
    set_seed(&tree, helper);
    tree.spec("lib", &[], "");
    tree.spec("deep", &["Provides: made(deep)"], "");
    tree.write(
        "SPECS/app/app.spec",
        "Name: app\nVersion: 1\nRelease: 1\nSummary: A test\nLicense: MIT\nBuildArch: noarch\n\
         BuildRequires: lib\nBuildRequires: helper\n\n%generate_buildrequires\necho 'made(deep)'\n\n\
         %description\nA test.\n\n%install\ninstall -D /dev/null %{buildroot}/usr/share/app\n\n%files\n/usr/share/app\n",
    );
    tree
}

const BUILD: [&str; 4] = ["build", "app", "--sandbox", "linux"];

/// Builds without a lock and returns that of the run.
fn first_lock(tree: &Tree) -> PathBuf {
    tree.run(&BUILD).expect(0, &["3/3 jobs run: 3 built"]);
    let [lock] = &*locks(&tree.path("out")) else { panic!("one run, one lock") };
    let path = tree.path("app.lock");
    std::fs::copy(lock, &path).expect("it can be kept");
    path
}

/// The locks of an output's runs.
fn locks(output: &Path) -> Vec<PathBuf> {
    let runs = std::fs::read_dir(output.join("runs")).expect("something ran");
    runs.map(|run| run.expect("a run").path().join("lock.json")).filter(|lock| lock.is_file()).collect()
}

/// Runs a command with a lock, and another output if one is named.
fn locked(tree: &Tree, output: &str, lock: &Path, command: &[&str]) -> tests::tree::Answer {
    let (output, lock) = (tree.path(output), lock.to_string_lossy());
    tree.run(&[command, &["--locked", &lock, "--output", &output.to_string_lossy()]].concat())
}

/// The key and the RPMs' identities of every build by source package.
fn known(output: &Path) -> BTreeMap<String, (String, BTreeMap<String, String>)> {
    let state = State::load(&output.join("state.sqlite")).expect("the run left a state");
    state.packages().iter().map(|(name, built)| (name.clone(), (built.known.key.clone(), built.rpms.clone()))).collect()
}

#[test]
fn a_lock_alone_gives_the_same_builds_and_then_nothing_is_to_do() {
    let helper = helper("1");
    let tree = tree(&helper);
    let path = first_lock(&tree);
    let lock = Lock::read(&path).expect("it was written by this version");
    let app = &lock.packages["app"];
    let of = |nevra: &str| app.root.iter().find(|rpm| rpm.nevra == nevra).expect("it is in the build root");
    assert_eq!(of("helper-1-1.noarch").origin, Origin::Seed("extra".to_owned()));
    assert_eq!(of("helper-1-1.noarch").because, "the spec asks for `helper` at SPECS/app/app.spec:8:16");
    assert_eq!(of("lib-1-1.noarch").origin, Origin::Tree("lib".to_owned()));
    assert_eq!(of("lib-1-1.noarch").identity.as_ref(), lock.packages["lib"].rpms.get("lib-1-1.noarch"));
    let deep = "%generate_buildrequires asks for `made(deep)` at SPECS/app/app.spec:10:1";
    assert_eq!(of("deep-1-1.noarch").because, deep);
    let gcc = lock.base.rpms.iter().find(|rpm| rpm.nevra.starts_with("gcc-")).expect("the base has it");
    assert!(gcc.sha256.len() == 64 && gcc.because.starts_with("every build root has `gcc"), "{gcc:?}");

    // What is published says the same, in the same words.
    let text = std::fs::read_to_string(&path).expect("it is text");
    let again = tree.path("again.lock");
    tree.run(&["lock", "app", "--to", &again.to_string_lossy()]).expect(0, &[]);
    assert_eq!(std::fs::read_to_string(&again).expect("it was written"), text);
    locked(&tree, "out", &path, &["plan", "app"]).expect(0, &["0 to build, 3 fresh"]);

    // From nothing else: the same order, nobody is asked, the same keys and identities, and the same lock.
    let fresh = locked(&tree, "other", &path, &BUILD);
    fresh.expect(0, &["3/3 jobs run: 3 built"]);
    assert!(!fresh.text.contains("Generated") && !fresh.text.contains("waits for"), "{}", fresh.text);
    assert_eq!(known(&tree.path("other")), known(&tree.path("out")));
    let [its] = &*locks(&tree.path("other")) else { panic!("one run, one lock") };
    let its = Lock::read(its).expect("it was just written");
    assert_eq!(its.packages["app"].key, app.key);
    assert_eq!(its.base, lock.base);
    locked(&tree, "other", &path, &BUILD).expect(0, &["0 built"]);
    // Without the lock it is all known as well, what was generated included.
    let other = tree.path("other");
    tree.run(&["plan", "app", "--output", &other.to_string_lossy()]).expect(0, &["0 to build, 3 fresh"]);
}

#[test]
fn what_differs_from_the_lock_is_named_and_nothing_is_built() {
    let (one, two) = (helper("1"), helper("2"));
    let tree = tree(&one);
    let path = first_lock(&tree);
    let refused = |words: &[&str]| {
        let answer = locked(&tree, "other", &path, &BUILD);
        answer.expect(
            3,
            &[&["app.lock` does not fit, and nothing is resolved anew", "build without `--locked`"], words].concat(),
        );
        assert!(!tree.path("other/repo").exists(), "{}", answer.text);
        locked(&tree, "other", &path, &["plan", "app"]).expect(3, words);
    };
    // A seed that has moved on.
    set_seed(&tree, &two);
    refused(&[
        "`app`: its build root: the lock has helper-1-1.noarch of seed `extra` (sha256",
        "there is helper-2-1.noarch",
    ]);
    set_seed(&tree, &one);
    // A spec that says something else, and a new need of it.
    tree.spec("lib", &[], "true");
    refused(&["`lib`: what its spec evaluates to: the lock has"]);
    tree.spec("lib", &["BuildRequires: more"], "");
    tree.spec("more", &[], "");
    refused(&["`lib`: what its spec evaluates to: the lock has"]);
    tree.spec("lib", &[], "");
    // A lock that was changed.
    let good = Lock::read(&path).expect("it was written by this version");
    let mut lock = good.clone();
    lock.packages.remove("deep");
    lock.write(&path).expect("the folder is writable");
    refused(&["`app`: its build root: the lock has deep-1-1.noarch as"]);
    lock = good.clone();
    lock.packages.get_mut("app").expect("it is there").root.retain(|rpm| rpm.nevra != "helper-1-1.noarch");
    lock.write(&path).expect("the folder is writable");
    refused(&["`app`: the lock was changed: it has the key"]);
    lock = good.clone();
    lock.base.rpms[0].sha256 = "0".repeat(64);
    lock.write(&path).expect("the folder is writable");
    refused(&[&format!(
        "the base layer: the lock has {} of seed `debian` (sha256 000000000000)",
        lock.base.rpms[0].nevra
    )]);
    // As it was, it still fits.
    good.write(&path).expect("the folder is writable");
    locked(&tree, "out", &path, &["plan", "app"]).expect(0, &["0 to build, 3 fresh"]);
    // What the lock does not know.
    tree.spec("new", &[], "");
    locked(&tree, "out", &path, &["plan", "--all"]).expect(3, &["`new`: the lock does not know it"]);
    tree.run(&["lock", "--all"]).expect(3, &["this is not:", "new: never built"]);
}

#[test]
fn a_build_that_gives_something_else_is_not_published() {
    let tree = Tree::new();
    tree.spec("lib", &[], "");
    let text = std::fs::read_to_string(tree.path("SPECS/lib/lib.spec")).expect("it was written");
    let differs = "%install\nmkdir -p %{buildroot}/usr/share\ndate +%%N > %{buildroot}/usr/share/lib\n%files";
    let (before, after) = (text.find("%install").expect("a section"), text.find("%files").expect("a section"));
    tree.write("SPECS/lib/lib.spec", &format!("{}{differs}{}", &text[..before], &text[after + "%files".len()..]));
    tree.spec("app", &["BuildRequires: lib"], "");
    tree.run(&BUILD).expect(0, &["2/2 jobs run: 2 built"]);
    let [lock] = &*locks(&tree.path("out")) else { panic!("one run, one lock") };
    let answer = locked(&tree, "other", lock, &BUILD);
    answer.expect(
        3,
        &["lib-1-1 is not what the lock says: lib-1-1.noarch: the lock has", "the build gave", "Blocked app-1-1"],
    );
    assert!(!tree.path("other/repo").exists(), "{}", answer.text);
    // The run that failed locks what it did, which is nothing.
    let [lock] = &*locks(&tree.path("other")) else { panic!("one run, one lock") };
    assert!(Lock::read(lock).expect("it was just written").packages.is_empty());
}

#[test]
fn a_locked_root_that_asks_for_more_names_the_lock() {
    let helper = helper("1");
    let tree = tree(&helper);
    let path = first_lock(&tree);
    let mut lock = Lock::read(&path).expect("it was written by this version");
    let base = lock.base.clone();
    let (arch, rpm, version) = (lock.arch.clone(), lock.rpm.clone(), lock.key_version);
    let app = lock.packages.get_mut("app").expect("it was built");
    app.root.retain(|rpm| rpm.nevra != "deep-1-1.noarch");
    app.generated = None;
    app.key = planner::key(&planner::KeyInputs {
        spec_sha256: &app.spec_sha256,
        sources: &[],
        build_root: &app.build_root(&base),
        base_layer: &base.digest,
        arch: &arch,
        rpm_version: &rpm,
        tool_key_version: version,
        extra: &BTreeMap::new(),
    });
    lock.write(&path).expect("the folder is writable");
    let answer = locked(&tree, "other", &path, &BUILD);
    answer.expect(
        3,
        &["app-1-1 is not what the lock says", "the build root it has for `app` asks for `made(deep)`", "app.lock"],
    );
}

#[test]
fn what_the_tree_has_in_the_place_of_the_base_s_is_locked_as_that() {
    let tree = Tree::new();
    tree.spec("hostname", &[], "");
    tree.spec("app", &["BuildRequires: hostname = 1"], "");
    tree.run(&BUILD).expect(0, &["2/2 jobs run: 2 built"]);
    let [path] = &*locks(&tree.path("out")) else { panic!("one run, one lock") };
    let app = Lock::read(path).expect("it was just written").packages.remove("app").expect("it was built");
    assert_eq!(app.root.iter().map(|rpm| &*rpm.nevra).collect::<Vec<_>>(), ["hostname-1-1.noarch"]);
    assert!(app.replaced.len() == 1 && app.replaced.iter().all(|nevra| nevra.starts_with("hostname-")), "{app:?}");
    locked(&tree, "other", path, &BUILD).expect(0, &["2/2 jobs run: 2 built"]);
    assert_eq!(known(&tree.path("other")), known(&tree.path("out")));
}
