//! Tests of the graph: edges and their reasons, blockers and what they leave alone, published headers.

use crate::testing::{dependency, header, names, seed, spec, universe};
use crate::{Asker, Blocker, BuildGraph, Index, Universe, build_root, resolve, resolve_again, to_dot, to_json};

fn needs(graph: &BuildGraph, name: &str) -> Vec<String> {
    graph.nodes[name].needs.iter().map(|edge| edge.to.clone()).collect()
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn blocked(graph: &BuildGraph) -> Vec<(&str, String)> {
    let blocker = |node: &crate::BuildNode| node.blocker.as_ref().map(ToString::to_string);
    graph.nodes.iter().filter_map(|(name, node)| Some((&**name, blocker(node)?))).collect()
}

#[test]
fn edges_keep_the_way_that_led_to_them() {
    let tree = vec![
        spec("jq", &["BuildRequires: oniguruma-devel"]),
        spec("oniguruma", &["Package: oniguruma-devel", "Requires: oniguruma = 1-1", "Requires: libz"]),
        spec("zlib", &["Provides: libz", "BuildRequires: tool"]),
    ];
    let graph = resolve(&universe(tree, vec![seed("tool", &[])]));
    assert_eq!(blocked(&graph), []);
    assert_eq!(needs(&graph, "jq"), ["oniguruma", "zlib"]);
    assert_eq!(needs(&graph, "zlib"), [""; 0]);
    let edge = &graph.nodes["jq"].needs[1];
    assert_eq!(edge.package.to_string(), "zlib-1-1.x86_64");
    let reasons: Vec<String> = edge.reasons.iter().map(ToString::to_string).collect();
    assert_eq!(
        reasons,
        [
            "the spec asks for `oniguruma-devel` at SPECS/jq/jq.spec:1:1",
            "oniguruma-devel-1-1.x86_64 requires `libz` at SPECS/oniguruma/oniguruma.spec:3:1",
        ]
    );
    let gcc = graph.nodes["jq"].build_root.iter().find(|member| member.nevra.name == "gcc");
    assert!(gcc.is_some_and(|gcc| gcc.reason.asker == Asker::Base && gcc.seed.as_deref() == Some("debian")));
    assert_eq!(graph.needed_sources("jq").into_iter().collect::<Vec<_>>(), ["oniguruma", "zlib"]);
}

#[test]
fn run_time_needs_are_apart_and_never_block() {
    let tree =
        vec![spec("a", &["Requires: b", "Requires: bash", "Requires: nowhere"]), spec("b", &["BuildRequires: a"])];
    let graph = resolve(&universe(tree, vec![seed("bash", &[]), seed("b", &[])]));
    let a = &graph.nodes["a"];
    assert_eq!((&a.needs.len(), &*a.runtime_needs[0].to, &a.blocker), (&0, "b", &None));
    assert_eq!(a.unmet_at_run_time.len(), 1);
    assert_eq!(a.unmet_at_run_time[0].to_string(), "a-1-1.x86_64 requires `nowhere` at SPECS/a/a.spec:3:1");
    // `b` cannot be built: its build root would hold `a`, which needs what is nowhere.
    let Some(Blocker::Unresolvable { explanation }) = &graph.nodes["b"].blocker else {
        panic!("{:?}", graph.nodes["b"])
    };
    assert_eq!(
        explanation.to_string(),
        "nothing meets `nowhere`\n  a-1-1.x86_64 requires `nowhere` at SPECS/a/a.spec:3:1\
         \n  the spec asks for `a` at SPECS/b/b.spec:1:1\
         \n  no package, module or file has this name or one like it"
    );
}

#[test]
fn what_cannot_be_resolved_says_who_where_what_and_what_is_alike() {
    let tree = vec![
        spec("good", &["BuildRequires: zlib"]),
        spec("zlib", &[]),
        spec("bad", &["BuildRequires: zlib", "BuildRequires: zlib-devl >= 2", "BuildRequires: oniguruma >= 6.10"]),
    ];
    let seeds = vec![seed("zlib-devel 1-1", &[]), seed("oniguruma 5-1", &[])];
    let graph = resolve(&universe(tree, seeds));
    assert_eq!(names(&graph, "good"), ["zlib-1-1"]);
    assert_eq!(
        blocked(&graph),
        [(
            "bad",
            "nothing meets `zlib-devl >= 2`\n  the spec asks for `zlib-devl >= 2` at SPECS/bad/bad.spec:2:1\
             \n  spelled alike: zlib-devel, zlib\
             \nnothing meets `oniguruma >= 6.10`\n  the spec asks for `oniguruma >= 6.10` at SPECS/bad/bad.spec:3:1\
             \n  oniguruma-5-1.x86_64 (seed debian): offers oniguruma = 5-1"
                .to_owned()
        )]
    );
}

#[test]
fn two_specs_of_one_name_are_named_and_not_used() {
    let mut tree = vec![spec("a 1-1", &[]), spec("a 2-1", &[]), spec("b", &[]), spec("c", &["BuildRequires: a"])];
    tree[1].spec = "SPECS/old/a.spec".to_owned();
    let graph = resolve(&universe(tree.clone(), vec![seed("a 0-1", &[])]));
    let text = "SPECS/a/a.spec and SPECS/old/a.spec all define the source package `a`; keep one of them";
    assert_eq!(blocked(&graph), [("a", text.to_owned())]);
    assert_eq!(names(&graph, "c"), ["a-0-1"]);
    // Without a seed the explanation points at the specs.
    let graph = resolve(&universe(tree, Vec::new()));
    assert!(blocked(&graph)[1].1.contains("(the tree): SPECS/a/a.spec and SPECS/old/a.spec"), "{:?}", blocked(&graph));
}

#[test]
fn two_specs_that_build_one_package_are_both_blocked() {
    let tree =
        vec![spec("a", &["Package: lib"]), spec("b", &["Package: lib"]), spec("c", &["Package: lib", "Unbuilt:"])];
    let graph = resolve(&universe(tree, Vec::new()));
    let text = "SPECS/a/a.spec and SPECS/b/b.spec both build the package `lib`; rename it in one of them";
    assert_eq!(blocked(&graph), [("a", text.to_owned()), ("b", text.to_owned())]);
}

#[test]
fn other_architectures_are_excluded() {
    let tree = vec![
        spec("a", &["ExclusiveArch: aarch64"]),
        spec("b", &["ExcludeArch: x86_64"]),
        spec("c", &["ExclusiveArch: x86_64"]),
    ];
    let graph = resolve(&universe(tree, Vec::new()));
    assert_eq!(
        blocked(&graph),
        [
            ("a", "`a` is not for x86_64 (ExclusiveArch: aarch64; ExcludeArch: )".to_owned()),
            ("b", "`b` is not for x86_64 (ExclusiveArch: ; ExcludeArch: x86_64)".to_owned()),
        ]
    );
}

#[test]
fn a_cycle_is_shown_by_its_shortest_way_with_the_lines() {
    let tree = vec![
        spec("a", &["BuildRequires: b"]),
        spec("b", &["BuildRequires: c"]),
        spec("c", &["BuildRequires: a", "BuildRequires: d"]),
        spec("d", &["", "BuildRequires: c"].map(|line| if line.is_empty() { "Provides: dd" } else { line })),
        spec("e", &["BuildRequires: a"]),
        spec("f", &[]),
    ];
    let graph = resolve(&universe(tree, Vec::new()));
    assert_eq!(graph.cycles.len(), 1);
    let cycle = &graph.cycles[0];
    assert_eq!(cycle.members, ["a", "b", "c", "d"]);
    assert_eq!(
        cycle.to_string(),
        "source packages need each other to be built:\
         \n  c needs d: the spec asks for `d` at SPECS/c/c.spec:2:1\
         \n  d needs c: the spec asks for `c` at SPECS/d/d.spec:2:1\
         \n  in the same group: a, b, c, d\
         \n  the fewest needs to leave out: a needs b at SPECS/a/a.spec:1:1, c needs d at SPECS/c/c.spec:2:1\
         \n  no way to build c before d: the stage declares no bootstrap variant of c; nothing of d is published; \
         with seeds alone nothing meets `d`\
         \n  no way to build d before c: the stage declares no bootstrap variant of d; nothing of c is published; \
         with seeds alone nothing meets `c`\
         \ngive one of them a way out: let `%bcond bootstrap 0` leave out a need of its spec and write \
         `bootstrap = [\"c\"]` into the `[stage]`, or add d to a seed"
    );
    let blocked: Vec<&str> = blocked(&graph).into_iter().map(|(name, _)| name).collect();
    assert_eq!(blocked, ["a", "b", "c", "d"]);
}

#[test]
fn published_headers_make_build_roots_exact_and_leave_the_edges() {
    let tree = || {
        vec![
            spec("jq", &["BuildRequires: oniguruma"]),
            spec("oniguruma", &[]),
            // What the published oniguruma needs at run time is met by the tree too, but was no promise.
            spec("bash", &["Provides: /bin/sh"]),
        ]
    };
    let seeds = || vec![seed("dash", &["Provides: /bin/sh"])];
    let first = resolve(&universe(tree(), seeds()));
    assert_eq!(names(&first, "jq"), ["oniguruma-1-1"]);
    assert!(!first.nodes["jq"].exact && first.nodes["oniguruma"].exact);
    let mut second = universe(tree(), seeds());
    second.published = vec![
        header("oniguruma 1-1", &["Source: oniguruma-1-1.src.rpm", "Requires: /bin/sh"]),
        header("bash 1-1", &["Source: bash-1-1.src.rpm", "Provides: /bin/sh"]),
    ];
    let graph = resolve(&second);
    assert!(graph.nodes["jq"].exact);
    assert_eq!(needs(&graph, "jq"), needs(&first, "jq"));
    assert_eq!(names(&graph, "jq"), ["dash-0-1", "oniguruma-1-1"]);
    let index = Index::new(&second);
    assert_eq!(build_root(&index, &graph, "jq").as_ref(), Ok(&graph.nodes["jq"].build_root));
    assert_eq!(graph.nodes["oniguruma"].unpublished, None);
    assert!(graph.nodes["jq"].unpublished.is_some());
}

#[test]
fn published_headers_decide_where_promises_were_wrong() {
    let tree = vec![
        spec("a", &["BuildRequires: /usr/bin/tool"]),
        spec("guess", &["File: /usr/bin/*"]),
        spec("maker", &["Provides: maker-is-known"]),
    ];
    let mut universe = universe(tree, Vec::new());
    assert_eq!(needs(&resolve(&universe), "a"), ["guess"]);
    universe.published = vec![
        header("guess 1-1", &["Source: guess-1-1.src.rpm"]),
        header("maker 1-1", &["Source: maker-1-1.src.rpm", "File: /usr/bin/tool"]),
    ];
    let graph = resolve(&universe);
    assert_eq!((needs(&graph, "a"), names(&graph, "a")), (vec!["maker".to_owned()], vec!["maker-1-1".to_owned()]));
}

#[test]
fn generated_needs_count_like_the_specs_own_and_keep_their_origin() {
    let tree = vec![
        spec("app", &["BuildRequires: tool", "Generated: python3dist(lib) >= 1", "Generated: nowhere"]),
        spec("lib 1-1", &["Provides: python3dist(lib) = 1"]),
        spec("tool", &[]),
    ];
    let mut universe = universe(tree, vec![seed("old-lib", &["Provides: python3dist(lib) = 2"])]);
    assert_eq!(
        blocked(&resolve(&universe)),
        [(
            "app",
            "nothing meets `nowhere`\n  %generate_buildrequires asks for `nowhere` at SPECS/app/app.spec:3:1\n  \
             no package, module or file has this name or one like it"
                .to_owned()
        )]
    );
    universe.tree[0].generated.pop();
    let graph = resolve(&universe);
    // As if the spec had said it: the tree meets it, and it makes an edge.
    assert_eq!(
        (needs(&graph, "app"), names(&graph, "app")),
        (owned(&["lib", "tool"]), owned(&["lib-1-1", "tool-1-1"]))
    );
    let reasons: Vec<String> = graph.nodes["app"].needs[0].reasons.iter().map(ToString::to_string).collect();
    assert_eq!(reasons, ["%generate_buildrequires asks for `python3dist(lib) >= 1` at SPECS/app/app.spec:2:1"]);
}

#[test]
fn what_is_generated_late_changes_one_node_and_shows_the_cycle_it_closes() {
    let tree = vec![spec("a", &[]), spec("b", &["BuildRequires: a"]), spec("c", &[]), spec("d", &[])];
    let mut universe = universe(tree, Vec::new());
    let mut graph = resolve(&universe);
    let generated = |text: &str| {
        let place = rpmspec_parser::Place { file: "SPECS/a/a.spec".into(), line: 9, column: 1 };
        vec![rpmspec_parser::spec::Located::new(dependency(text), Some(place))]
    };
    universe.tree[0].generated = generated("c");
    universe.published = vec![header("c 1-1", &["Source: c-1-1.src.rpm"])];
    resolve_again(&Index::new(&universe), &mut graph, "a");
    assert_eq!((needs(&graph, "a"), blocked(&graph)), (owned(&["c"]), vec![]));
    assert!(graph.nodes["a"].exact && !graph.nodes["b"].exact);
    assert_eq!(graph.nodes["a"], resolve(&universe).nodes["a"]);

    universe.tree[0].generated = generated("b");
    resolve_again(&Index::new(&universe), &mut graph, "a");
    let text = blocked(&graph)[0].1.clone();
    assert!(text.contains("a needs b: %generate_buildrequires asks for `b` at SPECS/a/a.spec:9:1"), "{text}");
    assert!(text.contains("b needs a: the spec asks for `a`"), "{text}");

    universe.tree[0].generated = generated("nowhere");
    resolve_again(&Index::new(&universe), &mut graph, "a");
    assert!(matches!(graph.nodes["a"].blocker, Some(Blocker::Unresolvable { .. })));
    assert!(graph.nodes["a"].build_root.is_empty() && needs(&graph, "a").is_empty());
    assert_eq!((graph.nodes["b"].blocker.as_ref(), graph.cycles.len()), (None, 0));
}

#[test]
fn the_same_universe_gives_the_same_graph_in_any_order() {
    let tree = || vec![spec("a", &["BuildRequires: x"]), spec("b", &["Provides: x"]), spec("c", &["Provides: x"])];
    let seeds = || vec![seed("x", &["Requires: y"]), seed("y", &[]), seed("z", &["Provides: y"])];
    let turned = Universe {
        tree: tree().into_iter().rev().collect(),
        ..universe(Vec::new(), seeds().into_iter().rev().collect())
    };
    let (first, second) = (resolve(&universe(tree(), seeds())), resolve(&turned));
    assert_eq!(names(&first, "a"), names(&second, "a"));
    assert_eq!(needs(&first, "a"), ["b"]);
    assert_eq!(first.nodes["a"].needs, second.nodes["a"].needs);
}

#[test]
fn dot_and_json_say_what_the_graph_says() {
    let tree =
        vec![spec("a", &["BuildRequires: b >= 1", "Requires: c"]), spec("b", &[]), spec("c", &["BuildRequires: nil"])];
    let graph = resolve(&universe(tree, Vec::new()));
    assert_eq!(
        to_dot(&graph),
        "digraph packages {\n  rankdir=LR;\n  node [shape=box];\n  \"a\";\n  \"b\";\n  \"c\" [color=red, tooltip=\"nothing meets `nil`\"];\n\
         \x20 \"a\" -> \"b\" [label=\"b >= 1\"];\n  \"a\" -> \"c\" [style=dashed, label=\"c\"];\n}\n"
    );
    let json = to_json(&graph);
    assert_eq!(json["packages"]["a"]["needs"][0]["to"], "b");
    assert_eq!(json["packages"]["a"]["needs"][0]["because"][0], "the spec asks for `b >= 1` at SPECS/a/a.spec:1:1");
    assert!(json["packages"]["c"]["blocked"].as_str().is_some_and(|text| text.contains("nothing meets `nil`")));
    assert_eq!(json["packages"]["a"]["build_root"][1]["from"], "seed debian");
    assert_eq!(dependency("b >= 1").to_string(), "b >= 1");
}

#[test]
fn dot_shows_cycles_what_waits_for_them_and_any_name() {
    let tree = vec![
        spec("a", &["BuildRequires: b"]),
        spec("b", &["BuildRequires: a", "BuildRequires: d"]),
        spec("c", &["BuildRequires: a"]),
        spec("d\"\\", &["Provides: d"]),
    ];
    let dot = to_dot(&resolve(&universe(tree, Vec::new())));
    for line in [
        "  \"a\" [color=red, style=filled, fillcolor=mistyrose, tooltip=\"in a cycle: a, b\"];",
        "  \"c\" [color=orange, tooltip=\"needs what cannot be built: a\"];",
        "  \"a\" -> \"b\" [color=red, penwidth=2, label=\"b\"];",
        "  \"b\" -> \"d\\\"\\\\\" [label=\"d\"];",
        "  \"c\" -> \"a\" [label=\"a\"];",
    ] {
        assert!(dot.lines().any(|other| other == line), "{line} is not in\n{dot}");
    }
}
