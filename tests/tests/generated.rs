//! Needs that only a build root can tell: `%generate_buildrequires`, and `BuildRequires` that macros of other needs
//! define. Real rpmbuild in the Linux sandbox, and the seeds of this repository's own tree.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;

use tests::tree::Tree;

/// Where [`spec`] begins the section.
const SECTION: &str = "SPECS/NAME/NAME.spec:9";

/// Adds a spec of a package without architecture whose `%generate_buildrequires` is `generate`.
fn spec(tree: &Tree, name: &str, tags: &[&str], generate: &str) {
    assert!(tags.len() == 1, "the section's line depends on it");
    let text = format!(
        "Name: {name}\nVersion: 1\nRelease: 1\nSummary: A test\nLicense: MIT\nBuildArch: noarch\n{}\n\n\
         %generate_buildrequires\n{generate}\n\n%description\nA test.\n\n\
         %install\ninstall -D /dev/null %{{buildroot}}/usr/share/{name}\n\n%files\n/usr/share/{name}\n",
        tags[0]
    );
    tree.write(&format!("SPECS/{name}/{name}.spec"), &text);
}

fn section(name: &str) -> String {
    SECTION.replace("NAME", name)
}

/// `app` asks for `made(lib)`, and once that is there, for `made(deep)`; both are of packages whose names no spec says.
fn chain(tree: &Tree) {
    spec(
        tree,
        "app",
        &["Provides: made(app)"],
        "test -e /usr/share/lib && echo 'made(deep) >= 1'\necho '(made(lib) >= 1 with made(lib) < 2)'\necho bash",
    );
    tree.spec("lib", &["Provides: made(lib) = 1"], "");
    tree.spec("deep", &["Provides: made(deep) = 1"], "");
}

/// The key and the RPMs' identities of every build by source package.
fn known(tree: &Tree) -> BTreeMap<String, (String, BTreeMap<String, String>)> {
    let state = package_builder::runner::State::load(&tree.path("out/state.sqlite")).expect("the run left a state");
    state.packages().iter().map(|(name, built)| (name.clone(), (built.known.key.clone(), built.rpms.clone()))).collect()
}

const BUILD: &[&str] = &["build", "app", "--sandbox", "linux", "--jobs", "2"];

#[test]
fn what_is_generated_is_built_first_and_planned_the_next_time() {
    let tree = Tree::new();
    chain(&tree);
    tree.run(&["plan", "app"]).expect(0, &["1 to build", "what `app` generates is not known yet"]);
    let first = tree.run(BUILD);
    first.expect(
        0,
        &[
            "app-1-1: bash, (made(lib) >= 1 with made(lib) < 2)",
            "1 more to build for app-1-1: lib (never built)",
            "app-1-1 waits for lib",
            "1 more to build for app-1-1: deep (never built)",
            "app-1-1 waits for deep",
            "3/3 jobs run: 3 built",
        ],
    );
    for name in ["app", "lib", "deep"] {
        assert!(tree.has_published(name), "{name}");
    }
    // The next plan knows it all: the build root is what was built in.
    tree.run(&["plan", "app"]).expect(0, &["0 to build, 3 fresh"]);
    tree.run(BUILD).expect(0, &["0 built"]);
    let reason = format!("%generate_buildrequires asks for `made(deep) >= 1` at {}", section("app"));
    tree.run(&["why", "app", "deep"]).expect(0, &["deep is in the build root of app", &reason]);
    tree.run(&["rdeps", "deep"]).expect(0, &["app needs deep-1-1.noarch", &reason]);
    tree.run(&["graph", "app"]).expect(0, &["\"app\" -> \"deep\" [label=\"made(deep) >= 1 (generated)\"]"]);

    // From nothing but the memory, the order is right at once, nobody is asked in vain and the result is the same.
    let before = known(&tree);
    std::fs::remove_dir_all(tree.path("out/generations")).expect("the generations are there");
    std::fs::remove_file(tree.path("out/repo")).expect("`repo` is there");
    let again = tree.run(BUILD);
    again.expect(0, &["3/3 jobs run"]);
    assert!(!again.text.contains("waits for") && !again.text.contains("Generated"), "{}", again.text);
    assert_eq!(known(&tree), before);

    // A change of what it needs reaches it.
    tree.spec("deep", &["Provides: made(deep) = 1", "Provides: more"], "");
    tree.run(&["plan", "app"]).expect(0, &["deep  the spec changed", "app   deep is to be built", "2 to build"]);
}

/// Adds `says`, a package whose file tells what is to be asked for.
fn says(tree: &Tree, need: &str) {
    let text = format!(
        "Name: says\nVersion: 1\nRelease: 1\nSummary: A test\nLicense: MIT\nBuildArch: noarch\n\n\
         %description\nA test.\n\n%install\nmkdir -p %{{buildroot}}/usr/share\n\
         echo '{need}' > %{{buildroot}}/usr/share/says\n\n%files\n/usr/share/says\n"
    );
    tree.write("SPECS/says/says.spec", &text);
}

#[test]
fn another_root_is_asked_anew_and_what_it_no_longer_asks_for_is_not_in_it() {
    let tree = Tree::new();
    says(&tree, "made(lib)");
    spec(&tree, "app", &["BuildRequires: says"], "cat /usr/share/says");
    tree.spec("lib", &["Provides: made(lib)"], "");
    tree.spec("other", &["Provides: made(other)"], "");
    tree.run(BUILD).expect(0, &["app-1-1 waits for lib", "3/3 jobs run: 3 built"]);
    says(&tree, "made(other)");
    // Until it is asked, the plan goes by what it knows.
    tree.run(&["plan", "app"]).expect(0, &["1  says  the spec changed", "2  app   says is to be built", "2 to build"]);
    tree.run(BUILD).expect(0, &["1 need of app-1-1: made(other)", "app-1-1 waits for other", "3/3 jobs run"]);
    tree.run(&["plan", "app"]).expect(0, &["0 to build, 3 fresh"]);
    tree.run(&["why", "app", "other"]).expect(0, &["other is in the build root of app"]);
    tree.run(&["why", "app", "lib"]).expect(1, &["app needs no lib"]);
    // A change that asks for the same again needs one run, and no waiting.
    says(&tree, "made(other) >= 0");
    let again = tree.run(BUILD);
    again.expect(0, &["1 need of app-1-1: made(other) >= 0", "2/2 jobs run"]);
    assert!(!again.text.contains("waits for"), "{}", again.text);
    // What cannot be met is final only as long as the root that asks for it is.
    says(&tree, "nowhere");
    tree.run(BUILD).expect(1, &["nothing meets `nowhere`"]);
    tree.run(&["plan", "app"]).expect(3, &["nothing meets `nowhere`"]);
    says(&tree, "made(lib)");
    tree.run(&["plan", "app"]).expect(0, &["1  says  the spec changed", "2 to build"]);
    tree.run(BUILD).expect(0, &["1 need of app-1-1: made(lib)"]);
    tree.run(&["plan", "app"]).expect(0, &["0 to build, 3 fresh"]);
}

#[test]
fn needs_that_macros_of_other_needs_define_are_found_in_the_root() {
    let tree = Tree::new();
    tree.write(
        "SPECS/macros/macros.spec",
        "Name: macros\nVersion: 1\nRelease: 1\nSummary: A test\nLicense: MIT\nBuildArch: noarch\n\n\
         %description\nA test.\n\n%install\nmkdir -p %{buildroot}/usr/lib/rpm/macros.d\n\
         echo '%made() made(%1)' > %{buildroot}/usr/lib/rpm/macros.d/macros.made\n\
         echo '%lib_needs lib >= 1' >> %{buildroot}/usr/lib/rpm/macros.d/macros.made\n\n\
         %files\n/usr/lib/rpm/macros.d/macros.made\n",
    );
    tree.spec("app", &["BuildRequires: macros", "%{?lib_needs:BuildRequires: %lib_needs}"], "test -e /usr/share/lib");
    tree.spec("lib", &[], "");
    tree.run(BUILD).expect(0, &["1 need of app-1-1: lib >= 1", "app-1-1 waits for lib", "3/3 jobs run: 3 built"]);
    tree.run(&["plan", "app"]).expect(0, &["0 to build, 3 fresh"]);
    tree.run(&["why", "app", "lib"]).expect(0, &["the spec, read in its build root, asks for `lib >= 1`"]);
}

#[test]
fn what_cannot_be_met_says_who_asked_and_a_cycle_its_way() {
    let tree = Tree::new();
    spec(&tree, "lost", &["Provides: made(lost)"], "echo 'nowhere >= 3'");
    spec(&tree, "ring", &["Provides: made(ring)"], "echo 'made(band)'");
    tree.spec("band", &["Provides: made(band)", "BuildRequires: made(ring)"], "");
    spec(&tree, "weak", &["Provides: made(weak)"], "echo 'made(bad)'");
    tree.spec("bad", &["Provides: made(bad)"], "exit 1");
    let asked = format!("%generate_buildrequires asks for `nowhere >= 3` at {}", section("lost"));
    let ring = format!("ring needs band: %generate_buildrequires asks for `made(band)` at {}", section("ring"));
    let answer = tree.run(&["build", "--all", "--sandbox", "linux"]);
    let band = "band needs ring: the spec asks for `made(ring)` at SPECS/band/band.spec:8";
    answer.expect(
        1,
        &["nothing meets `nowhere >= 3`", &asked, &ring, band, "Blocked band-1-1", "Blocked weak-1-1: it needs bad"],
    );
    // It is remembered, so the plan says it without a build.
    tree.run(&["plan", "lost"]).expect(3, &["nothing meets `nowhere >= 3`", &asked]);
    tree.run(&["plan", "ring"]).expect(3, &[&ring, band]);
    // Once there is what it needs, all is well.
    tree.spec("found", &["Provides: nowhere = 3"], "");
    tree.run(&["build", "lost", "--sandbox", "linux"]).expect(0, &["2/2 jobs run: 2 built"]);
}

#[test]
fn needs_that_never_settle_are_named() {
    let tree = Tree::new();
    let numbers = 1..=12;
    let each = |text: &str| -> String { numbers.clone().map(|n| text.replace('N', &n.to_string())).collect() };
    let pool = format!(
        "Name: pool\nVersion: 1\nRelease: 1\nSummary: A test\nLicense: MIT\nBuildArch: noarch\n\n\
         %description\nA test.\n{}\n%install\n{}",
        each("\n%package N\nSummary: A test\n%description N\nA test.\n%files N\n/usr/share/pool/N\n"),
        each("install -D /dev/null %{buildroot}/usr/share/pool/N\n"),
    );
    tree.write("SPECS/pool/pool.spec", &pool);
    let next = "echo \"pool-$(($(ls /usr/share/pool 2>/dev/null | wc -l) + 1))\"";
    spec(&tree, "grower", &["Provides: made(grower)"], next);
    let answer = tree.run(&["build", "grower", "--sandbox", "linux"]);
    answer.expect(
        1,
        &["grower-1-1 waits for pool", "grower-1-1 in %generate_buildrequires", "never settled; last for pool-11"],
    );
}

#[test]
fn a_run_that_is_killed_while_it_builds_what_is_needed_loses_nothing() {
    let tree = Tree::new();
    spec(&tree, "app", &["Provides: made(app)"], "echo 'made(slow)'");
    tree.spec("slow", &["Provides: made(slow)"], "sleep 4");
    let mut child = tree.start(BUILD, "\"event\":\"job-waits\"");
    child.kill().expect("it runs");
    let ended = child.wait().expect("it was killed");
    assert_eq!(ended.signal(), Some(9));
    tree.run(&["plan", "app"]).expect(0, &["1  slow  never built", "2  app   never built", "2 to build"]);
    let answer = tree.run(BUILD);
    answer.expect(0, &["2/2 jobs run: 2 built"]);
    assert!(!answer.text.contains("Generated"), "{}", answer.text);
}
