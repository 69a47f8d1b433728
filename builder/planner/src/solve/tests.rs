//! Tests of install sets: one for every rule of provider choice, and for every kind of dependency.

#![expect(clippy::unwrap_used, reason = "a request without solution is a failing test")]

use crate::testing::{dependency, header, root_in, root_of, seed, spec, universe};
use crate::{Index, PackageId, Universe, install_set};

/// The build root of a spec that needs one thing, from seeds only.
fn from_seeds(need: &str, seeds: &[(&str, &[&str])]) -> Result<Vec<String>, String> {
    let seeds = seeds.iter().map(|(nevr, lines)| seed(nevr, lines)).collect();
    root_of(&[&format!("BuildRequires: {need}")], Vec::new(), seeds).map_err(|explanation| explanation.to_string())
}

#[test]
fn the_trees_needs_are_met_by_the_tree_and_the_seeds_by_seeds() {
    let tree = || vec![spec("zlib 1.3-1", &[])];
    let seeds = || vec![seed("zlib 1.2-0", &[]), seed("tool", &["Requires: zlib"])];
    assert_eq!(root_of(&["BuildRequires: zlib"], tree(), seeds()).unwrap(), ["zlib-1.3-1"]);
    assert_eq!(root_of(&["BuildRequires: tool"], tree(), seeds()).unwrap(), ["tool-0-1", "zlib-1.2-0"]);
    // What the tree's own needs lead to takes the seed's place for the seed's needs too, in any order.
    for order in [["BuildRequires: tool", "BuildRequires: zlib"], ["BuildRequires: zlib", "BuildRequires: tool"]] {
        assert_eq!(root_of(&order, tree(), seeds()).unwrap(), ["tool-0-1", "zlib-1.3-1"]);
    }
}

#[test]
fn requires_of_the_trees_packages_are_stated_by_the_tree() {
    let tree = vec![spec("a", &["Requires: b"]), spec("b", &[])];
    let seeds = vec![seed("b 9-1", &[]), seed("tool", &["Requires: b"])];
    let lines = ["BuildRequires: tool", "BuildRequires: a"];
    assert_eq!(root_of(&lines, tree, seeds).unwrap(), ["a-1-1", "b-1-1", "tool-0-1"]);
}

#[test]
fn seeds_are_used_where_the_tree_has_no_fitting_version() {
    let tree = vec![spec("m4 1.0-1", &[])];
    let seeds = vec![seed("m4 1.4-1", &[])];
    assert_eq!(root_of(&["BuildRequires: m4 >= 1.4"], tree, seeds).unwrap(), ["m4-1.4-1"]);
}

#[test]
fn a_tree_package_that_excludes_the_base_is_left_for_the_seeds() {
    // The solver goes on to the next provider where the preferred one has no solution.
    let tree = vec![spec("awk", &["Conflicts: gcc"])];
    let seeds = vec![seed("awk 2-1", &[])];
    assert_eq!(root_of(&["BuildRequires: awk"], tree, seeds).unwrap(), ["awk-2-1"]);
}

#[test]
fn ties_go_by_prefer_then_name_then_spelling_then_version() {
    let seeds = || {
        vec![
            seed("b 1-1", &["Provides: tool"]),
            seed("a 1-1", &["Provides: tool"]),
            seed("a 3-1", &["Provides: tool"]),
            seed("a 2-1", &["Provides: tool"]),
        ]
    };
    let lines = ["BuildRequires: tool"];
    assert_eq!(root_of(&lines, Vec::new(), seeds()).unwrap(), ["a-3-1"]);
    let named = seeds().into_iter().chain([seed("tool 0-1", &[])]).collect();
    assert_eq!(root_of(&lines, Vec::new(), named).unwrap(), ["tool-0-1"]);
    let preferring = Universe { prefer: vec!["c".to_owned(), "b".to_owned()], ..universe(Vec::new(), seeds()) };
    assert_eq!(root_in(&lines, preferring).unwrap(), ["b-1-1"]);
}

#[test]
fn versions_count() {
    let seeds: &[(&str, &[&str])] = &[("a 1.0-1", &[]), ("a 2.0-1", &[]), ("a 1:0.5-1", &["Provides: x = 3"])];
    for (need, found) in [
        ("a", "a-1:0.5-1"),
        ("a < 2", "a-1.0-1"),
        ("a = 2.0", "a-2.0-1"),
        ("a <= 2.0-1", "a-2.0-1"),
        ("x > 2", "a-1:0.5-1"),
    ] {
        assert_eq!(from_seeds(need, seeds), Ok(vec![found.to_owned()]), "{need}");
    }
    assert!(from_seeds("a > 1:1", seeds).is_err());
    assert!(from_seeds("x > 3", seeds).is_err());
}

#[test]
fn files_and_pkgconfig_modules_count() {
    let tree =
        || vec![spec("zlib", &["Package: zlib-devel", "File: /usr/lib64/pkgconfig/zlib.pc", "File: %{x} /usr/bin/z"])];
    let seeds = || vec![seed("bash", &["File: /bin/sh"]), seed("tool", &["Requires: /bin/sh"])];
    assert_eq!(root_of(&["BuildRequires: pkgconfig(zlib)"], tree(), seeds()).unwrap(), ["zlib-devel-1-1"]);
    assert_eq!(root_of(&["BuildRequires: /usr/bin/z"], tree(), seeds()).unwrap(), ["zlib-devel-1-1"]);
    assert_eq!(root_of(&["BuildRequires: tool"], tree(), seeds()).unwrap(), ["bash-0-1", "tool-0-1"]);
}

#[test]
fn a_pattern_is_trusted_last_and_a_namesake_of_the_seed_first() {
    let tree = |name: &str| vec![spec("x", &[&format!("Package: {name}"), "File: /usr/lib64/pkgconfig/*.pc"])];
    let seeds = || vec![seed("z-devel", &["Provides: pkgconfig(z) = 1"])];
    let need = ["BuildRequires: pkgconfig(z)"];
    assert_eq!(root_of(&need, tree("other"), seeds()).unwrap(), ["z-devel-0-1"]);
    assert_eq!(root_of(&need, tree("z-devel"), seeds()).unwrap(), ["z-devel-1-1"]);
    assert_eq!(root_of(&need, tree("other"), Vec::new()).unwrap(), ["other-1-1"]);
}

#[test]
fn a_tree_package_inherits_the_sonames_of_the_seed_it_replaces() {
    let tree = vec![spec("zlib 1.3-1", &[])];
    let seeds = vec![
        seed("zlib 1.2-0", &["Provides: libz.so.1()(64bit)", "Provides: libz.so.1(ZLIB_1.2)(64bit)"]),
        seed("tool", &["Requires: libz.so.1()(64bit)", "Requires: libz.so.1(ZLIB_1.2)(64bit)"]),
    ];
    let lines = ["BuildRequires: zlib", "BuildRequires: tool"];
    assert_eq!(root_of(&lines, tree, seeds).unwrap(), ["tool-0-1", "zlib-1.3-1"]);
}

#[test]
fn one_package_of_a_name() {
    let seeds: &[(&str, &[&str])] = &[
        ("a 1-1", &["Provides: one"]),
        ("a 2-1", &["Provides: two"]),
        ("b", &["Requires: one"]),
        ("c", &["Requires: two"]),
        ("d", &["Requires: b", "Requires: c"]),
    ];
    assert!(from_seeds("b", seeds).is_ok());
    let story = from_seeds("d", seeds).unwrap_err();
    assert!(story.contains("exclude each other") && story.contains('b') && story.contains('c'), "{story}");
}

#[test]
fn conflicts_and_obsoletes_hold() {
    let seeds: &[(&str, &[&str])] = &[
        ("a", &["Conflicts: old < 2"]),
        ("old 1-1", &[]),
        ("old 2-1", &["Provides: old-name = 1"]),
        ("new 2-1", &["Obsoletes: a < 1", "Obsoletes: new-name"]),
        ("virtual", &["Provides: new-name"]),
        ("self", &["Provides: mta", "Conflicts: mta"]),
        ("other", &["Provides: mta"]),
    ];
    assert_eq!(from_seeds("(a and old)", seeds), Ok(vec!["a-0-1".to_owned(), "old-2-1".to_owned()]));
    assert!(from_seeds("(a and old < 2)", seeds).is_err());
    assert!(from_seeds("(a and new)", seeds).is_err());
    // Obsoletes means names of packages, not what they offer; a conflict does not mean the package itself.
    assert!(from_seeds("(virtual and new)", seeds).is_ok());
    assert!(from_seeds("self", seeds).is_ok());
    assert!(from_seeds("(self and other)", seeds).is_err());
}

#[test]
fn build_conflicts_hold() {
    let seeds = || vec![seed("a", &["Provides: tool"]), seed("b", &["Provides: tool"])];
    let lines = ["BuildRequires: tool", "BuildConflicts: a"];
    assert_eq!(root_of(&lines, Vec::new(), seeds()).unwrap(), ["b-0-1"]);
    assert!(root_of(&["BuildRequires: a", "BuildConflicts: tool"], Vec::new(), seeds()).is_err());
}

#[test]
fn rich_dependencies_hold() {
    let seeds: &[(&str, &[&str])] = &[
        ("a 1-1", &["Provides: feature = 1", "Provides: extra"]),
        ("b 1-1", &["Provides: feature = 3"]),
        ("c 1-1", &[]),
        ("d 1-1", &["Requires: (b if c)"]),
        ("e 1-1", &["Requires: (b if c else a)"]),
        ("f 1-1", &["Conflicts: (a and b)"]),
    ];
    let found = |names: &str| Ok(names.split(' ').map(|name| format!("{name}-1-1")).collect::<Vec<_>>());
    for (need, names) in [
        ("(a and c)", "a c"),
        ("(c or a)", "c"),
        ("(nothing or a)", "a"),
        ("((a and b) or c)", "a b"),
        ("((a and nothing) or c)", "c"),
        ("((a and b) or (nothing and c))", "a b"),
        ("d", "d"),
        ("(d and c)", "b c d"),
        ("e", "a e"),
        ("(e and c)", "b c e"),
        ("(a if gcc)", "a"),
        ("(a if nothing else b)", "b"),
        ("(a unless nothing)", "a"),
        ("(a unless gcc else b)", "b"),
        ("(feature with extra)", "a"),
        ("(feature without extra)", "b"),
        ("(feature >= 2 with feature < 4)", "b"),
        ("(f and a)", "a f"),
        ("(c and (a if b))", "c"),
    ] {
        assert_eq!(from_seeds(need, seeds), found(names), "{need}");
    }
    for need in [
        "(a and nothing)",
        "(nothing or nil)",
        "(a unless gcc)",
        "(feature >= 4 with extra)",
        "(f and (a and b))",
        "(nothing if gcc)",
    ] {
        assert!(from_seeds(need, seeds).is_err(), "{need}");
    }
}

#[test]
fn other_architectures_and_rpmlib_do_not_count() {
    let seeds: &[(&str, &[&str])] =
        &[("a 2-1", &["Arch: i686"]), ("a 1-1", &["Arch: noarch", "Requires: rpmlib(PayloadIsZstd) <= 5"])];
    assert_eq!(from_seeds("a", seeds), Ok(vec!["a-1-1".to_owned()]));
}

#[test]
fn own_output_is_kept_out_of_the_build_root() {
    let lines = ["BuildRequires: sed", "Package: sed"];
    let seeds = vec![seed("sed 4-0", &[])];
    assert_eq!(root_of(&lines, Vec::new(), seeds).unwrap(), ["sed-4-0"]);
    let explanation = root_of(&lines, Vec::new(), Vec::new()).unwrap_err().to_string();
    assert!(explanation.contains("built by this very spec"), "{explanation}");
}

#[test]
fn an_install_set_draws_only_on_published_headers_of_what_may_be_used() {
    let tree = vec![spec("zlib", &[]), spec("lua", &["Requires: zlib"]), spec("jq", &[])];
    let mut universe = universe(tree, vec![seed("zlib 0-1", &[])]);
    universe.published = vec![
        header("lua 1-1", &["Source: lua-1-1.src.rpm", "Requires: libz"]),
        header("zlib 1-1", &["Source: zlib-1-1.src.rpm", "Provides: libz"]),
        header("zlib 0.9-1", &["Source: zlib-0.9-1.src.rpm", "Provides: libz"]),
    ];
    let index = Index::new(&universe);
    let set = |need: &str, within: Option<&[&str]>, exclude: Option<&str>| {
        let needs = [rpmspec_parser::spec::Located::new(dependency(need), None)];
        let within = within.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        install_set(&index, &needs, &[], exclude, within.as_ref())
    };
    let gcc = PackageId::Seed(1);
    assert_eq!(set("lua", None, None).unwrap(), [gcc, PackageId::Published(0), PackageId::Published(1)]);
    assert_eq!(set("zlib", None, Some("zlib")).unwrap(), [gcc, PackageId::Seed(0)]);
    assert_eq!(set("zlib", Some(&[]), None).unwrap(), [gcc, PackageId::Seed(0)]);
    // The promise of `lua` does not ask for `libz`; its header does, and only the header counts here.
    assert!(set("lua", Some(&["lua"]), None).is_err());
    let explanation = set("jq", None, None).unwrap_err().to_string();
    assert!(explanation.contains("not built yet"), "{explanation}");
}

#[test]
fn a_rich_conflict_counts_the_package_itself() {
    // As rpm does: `rpm -i both` and `rpm -i either` end with "conflicts with", `rpm -i plain` does not.
    let seeds: &[(&str, &[&str])] = &[
        ("both", &["Conflicts: (both and y)"]),
        ("either", &["Conflicts: (either or y)"]),
        ("unless", &["Conflicts: (unless unless y)"]),
        ("with", &["Conflicts: (with with v)", "Provides: v"]),
        ("plain", &["Conflicts: plain"]),
        ("if", &["Requires: (y if if)"]),
        ("y", &[]),
    ];
    let outcome = |need: &str| from_seeds(need, seeds).map(|found| found.len()).map_err(drop);
    for (need, outcome_) in [
        ("both", Ok(1)),
        ("(both and y)", Err(())),
        ("either", Err(())),
        ("unless", Ok(2)),
        ("with", Err(())),
        ("plain", Ok(1)),
        ("if", Ok(2)),
    ] {
        assert_eq!(outcome(need), outcome_, "{need}");
    }
}

#[test]
fn conditions_that_turn_late_are_followed() {
    let seeds: &[(&str, &[&str])] = &[
        ("b", &["Conflicts: b", "Provides: w"]),
        ("b 2-1", &["Requires: nothing"]),
        ("c", &["Provides: b"]),
        ("d", &["Requires: (c unless (v if w else w) else (d with a))"]),
        ("e", &["Provides: v", "Requires: c"]),
    ];
    assert_eq!(
        from_seeds("(b and (d if e else e))", seeds),
        Ok(vec!["c-0-1".to_owned(), "d-0-1".into(), "e-0-1".into()])
    );
}

#[test]
fn alternatives_are_decided_after_all_that_is_needed_anyway() {
    let seeds: &[(&str, &[&str])] = &[("a 1-1", &[]), ("a 2-1", &[]), ("b", &[]), ("c", &["Requires: b"])];
    assert_eq!(from_seeds("((a or b) and c)", seeds), Ok(vec!["b-0-1".to_owned(), "c-0-1".into()]));
    assert_eq!(from_seeds("((b or a) and a)", seeds), Ok(vec!["a-2-1".to_owned()]));
    // What the first alternative needs anyway is enough.
    assert_eq!(from_seeds("(c or b)", seeds), Ok(vec!["b-0-1".to_owned()]));
}

#[test]
fn a_search_looks_at_what_it_needs_however_much_there_is() {
    let chain = (0..50).map(|step| seed(&format!("c{step}"), &[&format!("Requires: c{}", step + 1)]));
    let rest = (0..100_000).map(|number| seed(&format!("p{number}"), &[&format!("Requires: p{}", number / 2)]));
    let seeds = chain.chain([seed("c50", &[])]).chain(rest).collect();
    let universe = universe(vec![spec("the-spec", &["BuildRequires: c0"])], seeds);
    let index = Index::new(&universe);
    let (usable, mut room) = (super::usable(&index, None, super::Stock::Predicted), super::Room::default());
    for _ in 0..2 {
        let found =
            super::solve_source(&index, super::Whose::stands(0), super::Stock::Predicted, &usable, &mut room).unwrap();
        assert_eq!((found.len(), room.looked_at.drain(..).count()), (52, 52));
    }
}

#[test]
fn the_install_sets_are_the_build_roots() {
    let tree =
        vec![spec("a", &["BuildRequires: b", "BuildRequires: x"]), spec("b", &[]), spec("c", &["BuildRequires: no"])];
    let universe = universe(tree, vec![seed("x", &["Requires: y"]), seed("y", &[])]);
    let index = Index::new(&universe);
    let (sets, graph) = (crate::install_sets(&index), crate::resolve_index(&index));
    for (name, set) in sets {
        let node = &graph.nodes[name];
        match set {
            Ok(set) => assert!(node.build_root.iter().map(|member| member.id).eq(set), "{name}"),
            Err(explanation) => {
                assert_eq!(node.blocker, Some(crate::Blocker::Unresolvable { explanation }), "{name}");
            }
        }
    }
}
