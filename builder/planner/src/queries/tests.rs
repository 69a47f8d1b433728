//! Tests of the questions: every kind of answer, its reasons and its order.

use std::collections::BTreeSet;

use rpmspec_parser::rpm::PackageMetadata;

use super::*;
use crate::testing::{dependency, header, seed, spec, universe};
use crate::{Index, Universe, resolve_index};

/// A tree of five: jq needs oniguruma-devel, which needs zlib; docs needs jq; jq needs less once installed.
fn small() -> Universe {
    let tree = vec![
        spec("jq", &["BuildRequires: oniguruma-devel", "Requires: less"]),
        spec("oniguruma", &["BuildRequires: m4", "Package: oniguruma-devel", "Requires: oniguruma", "Requires: libz"]),
        spec("zlib", &["Provides: libz"]),
        spec("m4", &["BuildRequires: tool"]),
        spec("less", &[]),
        spec("docs", &["BuildRequires: jq"]),
        spec("lost", &["BuildRequires: nowhere"]),
    ];
    universe(tree, vec![seed("tool", &["Requires: toolkit"]), seed("toolkit", &[]), seed("zlib 0-1", &[])])
}

fn asked(name: &str, wanted: &str) -> Result<String, String> {
    let universe = small();
    let index = Index::new(&universe);
    let answer = why(&index, &resolve_index(&index), name, wanted);
    answer.map(|why| why.to_string()).map_err(|error| error.to_string())
}

#[test]
fn why_tells_the_chain_of_needs_with_spec_lines() {
    assert_eq!(
        asked("jq", "zlib"),
        Ok("zlib is in the build root of jq\n  jq needs zlib-1-1.x86_64 (zlib)\
            \n    the spec asks for `oniguruma-devel` at SPECS/jq/jq.spec:1:1\
            \n    oniguruma-devel-1-1.x86_64 requires `libz` at SPECS/oniguruma/oniguruma.spec:4:1\n"
            .to_owned())
    );
    // A seed's package, two steps away in the build root of something that is needed.
    assert_eq!(
        asked("jq", "toolkit"),
        Ok("toolkit must be there before jq can be built\n  jq needs oniguruma-devel-1-1.x86_64 (oniguruma)\
            \n    the spec asks for `oniguruma-devel` at SPECS/jq/jq.spec:1:1\
            \n  oniguruma needs m4-1-1.x86_64 (m4)\n    the spec asks for `m4` at SPECS/oniguruma/oniguruma.spec:1:1\
            \n  m4 needs toolkit-0-1.x86_64 (seed)\n    the spec asks for `tool` at SPECS/m4/m4.spec:1:1\
            \n    tool-0-1.x86_64 requires `toolkit`\n"
            .to_owned())
    );
    assert_eq!(
        asked("oniguruma-devel", "gcc"),
        Ok("gcc is in the build root of oniguruma\n  oniguruma needs gcc-0-1.x86_64 (seed)\
            \n    every build root has `gcc`\n"
            .to_owned())
    );
    let text = asked("zlib", "jq");
    assert_eq!(text, Ok("zlib needs no jq, neither to be built nor to be used\n".to_owned()));
}

#[test]
fn why_knows_needs_at_run_time_and_what_it_does_not_know() {
    let text = asked("docs", "less").expect("both are there");
    assert!(text.starts_with("less is in the build root of docs\n  docs needs less-1-1.x86_64 (less)\n"), "{text}");
    let text = asked("jq", "less").expect("both are there");
    assert!(text.starts_with("less is not needed to build jq, but to use it\n"), "{text}");
    assert!(text.contains("jq-1-1.x86_64 requires `less` at SPECS/jq/jq.spec:2:1"), "{text}");
    let unknown = asked("jq", "onigurama").expect_err("it is misspelled");
    assert_eq!(unknown, "no package `onigurama` in the tree and its seeds, spelled alike: oniguruma, oniguruma-devel");
    let seeds_only = asked("toolkit", "jq").expect_err("it is not built here");
    assert!(seeds_only.starts_with("no package `toolkit` in the tree"), "{seeds_only}");
    let lost = asked("lost", "jq").expect_err("it has no build root");
    assert!(lost.starts_with("`lost` has no build root: nothing meets `nowhere`"), "{lost}");
}

#[test]
fn a_build_root_is_listed_with_tree_and_seeds_apart() {
    let universe = small();
    let index = Index::new(&universe);
    let root = build_root_of(&resolve_index(&index), "m4").expect("it has one");
    assert_eq!(
        root.to_string(),
        "the build root of m4 holds 3 packages\nfrom the tree: 0\nfrom seeds: 3\
         \n  gcc-0-1.x86_64 (debian): every build root has `gcc`\
         \n  tool-0-1.x86_64 (debian): the spec asks for `tool` at SPECS/m4/m4.spec:1:1\
         \n  toolkit-0-1.x86_64 (debian): tool-0-1.x86_64 requires `toolkit`\n"
    );
    let json = serde_json::to_value(&root).expect("it is JSON");
    assert_eq!(json["seeds"][2]["reasons"][0]["place"], "SPECS/m4/m4.spec:1:1");
    assert_eq!(json["seeds"][2]["reasons"][1]["asker"], "tool-0-1.x86_64");
}

fn dependants(name: &str, run_time: bool, recursive: bool) -> Vec<String> {
    let universe = small();
    let index = Index::new(&universe);
    let answer = rdeps(&index, &resolve_index(&index), name, RdepsOptions { run_time, recursive });
    answer.expect("it is known").dependants.into_iter().map(|dependant| dependant.source).collect()
}

#[test]
fn rdeps_are_direct_or_in_the_order_of_builds() {
    assert_eq!(dependants("oniguruma", false, false), ["jq"]);
    assert_eq!(dependants("oniguruma-devel", false, false), ["jq"]);
    assert_eq!(dependants("tool", false, false), ["m4"]);
    assert_eq!(dependants("toolkit", false, true), ["m4", "oniguruma", "jq", "docs"]);
    assert_eq!(dependants("less", false, false), ["docs"]);
    assert_eq!(dependants("less", true, false), ["docs", "jq"]);
    assert_eq!(dependants("docs", true, true), [""; 0]);
    let universe = small();
    let index = Index::new(&universe);
    let answer = rdeps(&index, &resolve_index(&index), "m4", RdepsOptions::default()).expect("it is known");
    assert_eq!(
        answer.to_string(),
        "oniguruma needs m4-1-1.x86_64\n  the spec asks for `m4` at SPECS/oniguruma/oniguruma.spec:1:1\
         \n1 source package needs m4\n"
    );
}

#[test]
fn published_headers_tell_of_needs_that_no_spec_states() {
    let mut universe = small();
    universe.published = vec![header("less 1-1", &["Source: less-1-1.src.rpm", "Requires: libz"])];
    let index = Index::new(&universe);
    let options = RdepsOptions { run_time: true, recursive: false };
    let answer = rdeps(&index, &resolve_index(&index), "zlib", options).expect("it is known");
    let less = answer.dependants.iter().find(|dependant| dependant.source == "less").expect("it is there");
    assert_eq!(less.reasons[0].to_string(), "less-1-1.x86_64 requires `libz`");
    assert_eq!(less.kind, NeedKind::RunTime);
}

fn offered(text: &str, universe: &Universe) -> Offers {
    what_provides(&Index::new(universe), &dependency(text))
}

#[test]
fn offers_come_in_the_order_of_preference_with_the_chosen_one() {
    let tree = vec![
        spec("zlib 1.3-1", &["Provides: libz = 1.3"]),
        spec("ng", &["Provides: libz = 2.0", "File: /usr/lib64/z/*"]),
        spec("other", &["ExclusiveArch: aarch64", "Provides: libz = 9"]),
    ];
    let mut universe = universe(tree, vec![seed("zlib 1.2-0", &["Provides: libz = 1.2"])]);
    let answer = offered("libz", &universe);
    assert_eq!(
        answer.to_string(),
        "* ng-1-1.x86_64 (tree: SPECS/ng/ng.spec:1:1) offers libz = 2.0\
         \n  zlib-1.3-1.x86_64 (tree: SPECS/zlib/zlib.spec:1:1) offers libz = 1.3\
         \n  zlib-1.2-0.x86_64 (seed debian) offers libz = 1.2\
         \n  other-1-1.x86_64 (tree: SPECS/other/other.spec) offers libz = 9; not used: `other` is not for x86_64 \
         (ExclusiveArch: aarch64; ExcludeArch: )\n"
            .replace("SPECS/other/other.spec)", "SPECS/other/other.spec:2:1)")
    );
    assert!(offered("libz < 1.3", &universe).to_string().starts_with("* zlib-1.2-0.x86_64 (seed debian)"));
    universe.prefer = vec!["zlib".to_owned()];
    assert!(offered("libz", &universe).to_string().starts_with("* zlib-1.3-1.x86_64"));
    assert!(offered("/usr/lib64/z/a", &universe).to_string().contains("if its %files bring it"));
}

#[test]
fn offers_for_rich_dependencies_and_for_nothing() {
    let universe = universe(vec![spec("a", &[]), spec("b", &[])], vec![seed("c", &["Conflicts: gcc"])]);
    assert_eq!(
        offered("(a and (b or c))", &universe).to_string(),
        "one of: a\n* a-1-1.x86_64 (tree: SPECS/a/a.spec) offers a = 1-1\
         \none of: b, c\n* b-1-1.x86_64 (tree: SPECS/b/b.spec) offers b = 1-1\
         \n  c-0-1.x86_64 (seed debian) offers c = 0-1\n"
    );
    let answer = offered("gccc", &universe);
    assert!(!answer.is_met());
    assert_eq!(answer.nearest, ["gcc"]);
    // It is offered, and still no build root can have it.
    let refused = offered("c", &universe);
    assert!(refused.is_met() && refused.unmet.is_some());
    assert!(refused.to_string().contains("no build root can have it"), "{refused}");
}

fn check(packages: &[PackageMetadata]) -> String {
    installable(packages.to_vec(), "x86_64", None).to_string()
}

#[test]
fn what_can_be_installed_is_told_from_what_cannot() {
    let packages = [
        header("good 1-1", &["Requires: base"]),
        header("base 1-1", &[]),
        header("bad 1-1", &["Requires: deep", "Requires: base > 1-1"]),
        header("deep 1-1", &["Requires: libx.so.1()(64bit)"]),
    ];
    assert_eq!(
        check(&packages),
        "bad-1-1.x86_64 cannot be installed:\
         \n  nothing meets `libx.so.1()(64bit)`\n    deep-1-1.x86_64 requires `libx.so.1()(64bit)`\
         \n    bad-1-1.x86_64 requires `deep`\
         \n    no package, module or file has this name or one like it\
         \n  nothing meets `base > 1-1`\n    bad-1-1.x86_64 requires `base > 1-1`\
         \n    base-1-1.x86_64 (published): offers base = 1-1\
         \ndeep-1-1.x86_64 cannot be installed:\
         \n  nothing meets `libx.so.1()(64bit)`\n    deep-1-1.x86_64 requires `libx.so.1()(64bit)`\
         \n    no package, module or file has this name or one like it\
         \n2 of 4 packages can be installed\n"
    );
    let only = installable(packages.to_vec(), "x86_64", Some(&BTreeSet::from([0])));
    assert_eq!((only.checked, only.broken.len()), (1, 0));
}

#[test]
fn conflicts_name_both_sides_and_who_needs_them() {
    let packages = [
        header("app 1-1", &["Requires: one", "Requires: two"]),
        header("one 1-1", &["Conflicts: shared"]),
        header("two 1-1", &["Requires: shared"]),
        header("shared 1-1", &[]),
        header("rich 1-1", &["Requires: (nowhere if shared)", "Requires: shared"]),
    ];
    assert_eq!(
        check(&packages),
        "app-1-1.x86_64 cannot be installed:\
         \n  one-1-1.x86_64 conflicts with `shared`, refusing shared-1-1.x86_64\
         \n    app-1-1.x86_64 requires `one`\n    app-1-1.x86_64 requires `two`\n    two-1-1.x86_64 requires `shared`\
         \nrich-1-1.x86_64 cannot be installed:\
         \n  rich-1-1.x86_64 needs `(nowhere if shared)`, refusing shared-1-1.x86_64\
         \n    rich-1-1.x86_64 requires `shared`\
         \n3 of 5 packages can be installed\n"
    );
}

#[test]
fn other_choices_and_other_versions_are_tried() {
    let packages = [
        // The first provider by name conflicts; the second will do.
        header("app 1-1", &["Requires: mail", "Requires: base"]),
        header("base 1-1", &[]),
        header("exim 1-1", &["Provides: mail", "Conflicts: base"]),
        header("postfix 1-1", &["Provides: mail"]),
        // Two versions cannot be there together, and each can alone.
        header("lib 1-1", &[]),
        header("lib 2-1", &[]),
        header("old 1-1", &["Requires: lib < 2"]),
        header("new 1-1", &["Requires: lib >= 2"]),
        header("both 1-1", &["Requires: old", "Requires: new"]),
        // It takes the place of another, so both need not be there at once.
        header("young 1-1", &["Obsoletes: base < 2"]),
    ];
    let answer = installable(packages.to_vec(), "x86_64", None);
    assert_eq!(answer.checked, 10);
    let [broken] = &*answer.broken else { panic!("{answer}") };
    assert_eq!(broken.package.name, "both");
    assert!(broken.troubles[0].to_string().contains("has the same name as lib-1-1.x86_64"), "{answer}");
    let json = serde_json::to_value(&answer).expect("it is JSON");
    assert_eq!(json["broken"][0]["troubles"][0]["clash"]["because"][0]["asker"], "both-1-1.x86_64");
}

#[test]
fn thousands_of_packages_are_checked_in_one_go() {
    let package = |number: usize| {
        let next = format!("Requires: p{}", number / 2);
        header(&format!("p{number} 1-1"), &[&next, "Requires: (p7 if p3)"])
    };
    let answer = installable((0..5000).map(package).collect(), "x86_64", None);
    assert_eq!((answer.checked, answer.broken.len()), (5000, 0));
}

/// A chain that breaks at its end, written from that end or from the other: nothing is looked at again and again.
#[test]
fn a_hundred_thousand_packages_are_no_trouble() {
    let count = 100_000;
    let name = |number: usize| format!("p{number:06}");
    let package = |number: usize| {
        let needs = [format!("Requires: {}", name(number + 1)), format!("Provides: v{}", number % 1000)];
        header(&format!("{} 1-1", name(number)), &[&needs[0], &needs[1]])
    };
    for is_turned in [false, true] {
        let mut packages: Vec<_> = (0..count).map(package).collect();
        if is_turned {
            packages.reverse();
        }
        let answer = installable(packages, "x86_64", Some(&BTreeSet::from([if is_turned { count - 1 } else { 0 }])));
        let [broken] = &*answer.broken else { panic!("{} are broken", answer.broken.len()) };
        let told = broken.troubles[0].to_string();
        assert!(told.starts_with(&format!("nothing meets `{}`", name(count))), "{told}");
        assert!(told.contains("… 99976 more steps …"), "{told}");
    }
}
