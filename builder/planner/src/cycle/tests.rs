//! Tests of opened cycles: which needs are deferred, what stands in for them, and what that changes in plans.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rpmspec_parser::rpm::PackageMetadata;

use crate::plan::order_of;
use crate::testing::{header, names, seed, spec, spec_with_variant, universe};
use crate::{
    Blocker, BuildGraph, Circumstances, Index, InputDigest, KnownBuild, Plan, StaleReason, Targets, Universe, WayOut,
    build_root, plan, resolve, resolve_again, to_dot, to_json,
};

/// What is deferred, as `FROM->TO WAY OUT`.
fn deferred(graph: &BuildGraph) -> Vec<String> {
    let of_node = |node: &crate::BuildNode| {
        let text = |deferred: &crate::Deferred| format!("{}->{} {}", node.name, deferred.edge.to, deferred.way_out);
        node.deferred.iter().map(text).collect::<Vec<_>>()
    };
    graph.nodes.values().flat_map(of_node).collect()
}

fn order(graph: &BuildGraph) -> Vec<String> {
    order_of(graph, &graph.nodes.keys().cloned().collect()).0
}

fn built(name: &str) -> PackageMetadata {
    header(&format!("{name} 1-1"), &[&format!("Source: {name}-1-1.src.rpm")])
}

/// Two packages that need each other, and one that needs them.
fn pair(seeds: &[&str]) -> Universe {
    let tree = vec![
        spec("a", &["BuildRequires: b"]),
        spec("b", &["BuildRequires: a"]),
        spec("c", &["BuildRequires: a", "BuildRequires: b"]),
    ];
    universe(tree, seeds.iter().map(|name| seed(name, &[])).collect())
}

#[test]
fn a_seed_opens_a_cycle_and_what_is_published_replaces_it() {
    let mut universe = pair(&["b"]);
    let graph = resolve(&universe);
    assert_eq!(deferred(&graph), ["a->b with b-0-1.x86_64 of seed debian"]);
    assert_eq!((order(&graph), names(&graph, "a")), (owned(&["a", "b", "c"]), owned(&["b-0-1"])));
    assert!(graph.cycles[0].is_opened && graph.cycles[0].opening.len() == 1 && graph.nodes["a"].exact);
    // What a build would get is what the graph says, whatever else is published by then.
    assert_eq!(build_root(&Index::new(&universe), &graph, "a").as_ref(), Ok(&graph.nodes["a"].build_root));

    universe.published = vec![built("a"), built("b")];
    let graph = resolve(&universe);
    assert_eq!(deferred(&graph), ["a->b with b-1-1.x86_64 as published"]);
    assert_eq!((order(&graph), names(&graph, "a")), (owned(&["a", "b", "c"]), owned(&["b-1-1"])));
    assert!(graph.nodes.values().all(|node| node.exact));
    assert_eq!(build_root(&Index::new(&universe), &graph, "a").as_ref(), Ok(&graph.nodes["a"].build_root));
    // Whoever needs `a` does not draw on `b` for that.
    assert_eq!(graph.needed_sources("b").into_iter().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn the_previous_generation_opens_a_cycle_without_seeds() {
    let mut universe = pair(&[]);
    universe.published = vec![header("b 0.9-1", &["Source: b-0.9-1.src.rpm"])];
    let graph = resolve(&universe);
    assert_eq!(deferred(&graph), ["a->b with b-0.9-1.x86_64 as published"]);
    assert_eq!((order(&graph), names(&graph, "a")), (owned(&["a", "b", "c"]), owned(&["b-0.9-1"])));
    assert_eq!(build_root(&Index::new(&universe), &graph, "a").as_ref(), Ok(&graph.nodes["a"].build_root));
    // It is of no use to anybody else.
    assert_eq!((names(&graph, "c"), graph.nodes["c"].exact), (owned(&["a-1-1", "b-1-1"]), false));
    assert!(graph.nodes["b"].unpublished.is_some());
}

#[test]
fn a_declared_variant_goes_before_seeds_and_only_until_what_it_lacks_is_there() {
    let mut universe = pair(&["a", "b"]);
    universe.tree[1] = spec_with_variant("b", &["BuildRequires: a", "BuildRequires: x"], &["BuildRequires: x"]);
    universe.tree.push(spec("x", &[]));
    let mut graph = resolve(&universe);
    assert_eq!(deferred(&graph), ["b->a as its bootstrap variant"]);
    assert_eq!((order(&graph), names(&graph, "b")), (owned(&["x", "b", "a", "c"]), owned(&["x-1-1"])));
    assert_eq!(graph.variants(), BTreeSet::from(["b".to_owned()]));
    // A build gets the same from the variant in its place.
    universe.published = vec![built("x")];
    graph = resolve(&universe);
    universe.take_variants(&graph.variants());
    assert_eq!(universe.tree[1].source.build_requires.len(), 1);
    assert_eq!(build_root(&Index::new(&universe), &graph, "b").as_ref(), Ok(&graph.nodes["b"].build_root));
    universe.take_variants(&BTreeSet::new());
    assert_eq!((universe.tree[1].source.build_requires.len(), universe.tree[1].is_variant), (2, false));

    universe.published.extend([built("a"), built("b")]);
    let graph = resolve(&universe);
    assert_eq!(deferred(&graph), ["b->a with a-1-1.x86_64 as published"]);
    assert_eq!((graph.variants().len(), names(&graph, "b")), (0, owned(&["a-1-1", "x-1-1"])));
}

#[test]
fn a_variant_that_needs_the_same_is_no_way_out() {
    let mut universe = pair(&[]);
    universe.tree[0] = spec_with_variant("a", &["BuildRequires: b", "BuildRequires: gcc"], &["BuildRequires: b"]);
    let graph = resolve(&universe);
    let Some(Blocker::Cycle { cycle }) = &graph.nodes["a"].blocker else { panic!("{:?}", graph.nodes["a"]) };
    let text = cycle.to_string();
    assert!(text.contains("\n  no way to build a before b: the bootstrap variant of a needs that too; nothing of b"));
    assert!(text.contains("`bootstrap = [\"a\"]` into the `[stage]`, or add b to a seed"), "{text}");
    assert!(!cycle.is_opened && deferred(&graph).is_empty());
    // Published RPMs that do not do are said to be there.
    universe.tree[0] = spec("a", &["BuildRequires: b >= 1"]);
    universe.published = vec![header("b 0.9-1", &["Source: b-0.9-1.src.rpm"])];
    let graph = resolve(&universe);
    let text = graph.nodes["a"].blocker.as_ref().map(ToString::to_string).unwrap_or_default();
    assert!(text.contains("what is published of b does not do; with seeds alone nothing meets `b >= 1`"), "{text}");
}

#[test]
fn the_fewest_needs_are_found_where_the_nearest_choice_takes_more() {
    // In the order that needs least, three needs point back.
    let tree = vec![
        spec("a", &["BuildRequires: b", "BuildRequires: c"]),
        spec("b", &["BuildRequires: c"]),
        spec("c", &["BuildRequires: a", "BuildRequires: d"]),
        spec("d", &["BuildRequires: b", "BuildRequires: c"]),
    ];
    let mut universe = universe(tree, ["a", "b", "c", "d"].map(|name| seed(name, &[])).into());
    let graph = resolve(&universe);
    assert_eq!((deferred(&graph).len(), graph.cycles[0].is_least), (2, true));
    // Without a seed of `d`, `c` cannot go before it, and it takes three.
    universe.seeds.remove(3);
    let graph = resolve(&universe);
    let all = ["a->c", "b->c", "d->c"].map(|need| format!("{need} with c-0-1.x86_64 of seed debian"));
    assert_eq!(deferred(&graph), all);
}

#[test]
fn what_stands_in_may_close_another_cycle_which_is_opened_too() {
    // Without `b`, `tool` is `d`'s, and that needs `a` as well.
    let tree = vec![
        spec("a", &["BuildRequires: tool"]),
        spec("b", &["Provides: tool", "BuildRequires: a"]),
        spec("d", &["Provides: tool", "BuildRequires: a"]),
    ];
    let mut universe = universe(tree, Vec::new());
    let blocked = resolve(&universe);
    let text = blocked.nodes["a"].blocker.as_ref().map(ToString::to_string).unwrap_or_default();
    assert!(order(&blocked).is_empty() && text.contains("a before d: "), "{text}");
    assert!(text.contains("with seeds alone nothing meets `tool`"), "{text}");
    universe.seeds.push(seed("old", &["Provides: tool"]));
    let graph = resolve(&universe);
    assert_eq!(
        deferred(&graph),
        ["a->b with old-0-1.x86_64 of seed debian", "a->d with old-0-1.x86_64 of seed debian"]
    );
    assert_eq!(order(&graph), ["a", "b", "d"]);
}

#[test]
fn needs_that_come_late_open_cycles_anew() {
    let mut universe = pair(&["b"]);
    universe.tree[1] = spec("b", &["Provides: bb"]);
    let mut graph = resolve(&universe);
    assert!(deferred(&graph).is_empty());
    universe.tree[1].generated = universe.tree[2].source.build_requires[..1].to_vec();
    resolve_again(&Index::new(&universe), &mut graph, "b");
    assert_eq!(deferred(&graph), ["a->b with b-0-1.x86_64 of seed debian"]);
    assert_eq!(graph.nodes, resolve(&universe).nodes);
    universe.tree[1].generated.clear();
    resolve_again(&Index::new(&universe), &mut graph, "b");
    assert_eq!(graph, resolve(&universe));
}

#[test]
fn outputs_show_what_is_deferred() {
    let graph = resolve(&pair(&["b"]));
    let dot = to_dot(&graph);
    let line =
        "  \"a\" -> \"b\" [color=blue, style=dotted, label=\"b\", tooltip=\"first with b-0-1.x86_64 of seed debian\"];";
    assert!(dot.contains(line) && dot.contains("  \"b\" -> \"a\" [color=blue, label=\"a\"];"), "{dot}");
    let json = to_json(&graph);
    assert_eq!(json["packages"]["a"]["deferred"][0]["until_then"], "with b-0-1.x86_64 of seed debian");
    assert_eq!((&json["opened"][0], &json["openings"][0][0]["to"]), (&true.into(), &"b".into()));
}

#[test]
fn plans_say_what_is_built_again_and_why() {
    let mut universe = pair(&["b"]);
    let digest =
        |variant: Option<&str>| InputDigest { variant: variant.map(ToOwned::to_owned), ..InputDigest::default() };
    let mut inputs: BTreeMap<String, InputDigest> =
        ["a", "b", "c"].map(|name| (name.to_owned(), digest(None))).into_iter().collect();
    let mut known = BTreeMap::new();
    let mut circumstances = Circumstances::default();
    let mut planned = |universe: &Universe, known: &BTreeMap<_, _>, inputs: &BTreeMap<_, _>| -> Plan {
        let packages = universe.seeds.iter().map(|seed| &seed.metadata).chain(&universe.published);
        circumstances.identities =
            packages.map(|one| (one.nevra.to_string(), format!("id of {}", one.nevra))).collect();
        plan(&resolve(universe), &Targets::Named(vec!["a".to_owned()]), known, inputs, &circumstances)
            .unwrap_or_else(|error| panic!("{error}"))
    };
    let first = planned(&universe, &known, &inputs);
    // The target's cycle is in the plan as a whole.
    assert_eq!(first.order, ["a", "b"]);
    let again: Vec<_> = first.again.iter().map(|(name, needs)| (&**name, &*needs[0].edge.to)).collect();
    assert_eq!(again, [("a", "b")]);

    universe.published = vec![built("a"), built("b")];
    let root =
        BTreeMap::from(["b-0-1.x86_64", "gcc-0-1.x86_64"].map(|name| (name.to_owned(), format!("id of {name}"))));
    known.insert("a".to_owned(), KnownBuild { build_root: root, ..KnownBuild::default() });
    known.insert("b".to_owned(), KnownBuild::default());
    let second = planned(&universe, &known, &inputs);
    let with = Some("b-0-1.x86_64".to_owned());
    let reason = StaleReason::CycleOpened { name: "b".to_owned(), with };
    assert_eq!(reason.to_string(), "built with b-0-1.x86_64 while its cycle with b was opened");
    assert_eq!(second.stale[0], ("a".to_owned(), reason));
    assert_eq!(second.stale[1].1, StaleReason::DependencyStale { name: "a".to_owned() });

    known.entry("a".to_owned()).or_default().inputs = digest(Some("--with bootstrap"));
    assert_eq!(planned(&universe, &known, &inputs).stale[0].1, StaleReason::BuiltAsVariant);
    inputs.insert("a".to_owned(), digest(Some("--with bootstrap")));
    assert!(matches!(planned(&universe, &known, &inputs).stale[0].1, StaleReason::CycleOpened { .. }));
    assert_ne!(digest(Some("--with bootstrap")).extra(&BTreeMap::new()), digest(None).extra(&BTreeMap::new()));
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A tree of packages `p0`, `p1`… by numbers, with ways out.
#[derive(Clone, Debug)]
struct Case {
    count: usize,
    /// Who needs whom.
    needs: BTreeSet<(usize, usize)>,
    /// Whose bootstrap variant, where it has one, needs whom.
    variants: BTreeMap<usize, BTreeSet<usize>>,
    seeds: BTreeSet<usize>,
    published: BTreeSet<usize>,
}

impl Case {
    fn universe(&self, published: bool) -> Universe {
        let name = |number: &usize| format!("p{number}");
        let line = |number: &usize| format!("BuildRequires: p{number}");
        let spec_of = |number: usize| {
            let needs = self.needs.iter().filter(|(from, _)| *from == number).map(|(_, to)| line(to));
            let needs: Vec<String> = needs.collect();
            let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
            let Some(variant) = self.variants.get(&number) else { return spec(&name(&number), &needs) };
            let variant: Vec<String> = variant.iter().map(line).collect();
            spec_with_variant(&name(&number), &needs, &variant.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let seeds = self.seeds.iter().map(|number| seed(&name(number), &[])).collect();
        let mut universe = universe((0..self.count).map(spec_of).collect(), seeds);
        if published {
            universe.published = self.published.iter().map(|number| built(&name(number))).collect();
        }
        universe
    }

    fn reaches(&self, without: &BTreeSet<(usize, usize)>) -> Vec<BTreeSet<usize>> {
        let mut reaches = vec![BTreeSet::new(); self.count];
        for _ in 0..self.count {
            for (from, to) in self.needs.difference(without) {
                let further: Vec<usize> = reaches[*to].iter().copied().chain([*to]).collect();
                reaches[*from].extend(further);
            }
        }
        reaches
    }

    /// Whether a package can be built before others at a level: by the variant, seeds too, what is published too.
    fn allows(&self, from: usize, deferred: &BTreeSet<usize>, level: usize) -> bool {
        let by_variant = self.variants.get(&from).is_some_and(|needs| needs.is_disjoint(deferred));
        let with = |published: bool| {
            deferred.iter().all(|to| self.seeds.contains(to) || (published && self.published.contains(to)))
        };
        by_variant || (level > 0 && with(false)) || (level > 1 && with(true))
    }

    /// The least number of needs to defer in a group; `None` where there is no way out.
    fn least(&self, group: &BTreeSet<usize>) -> Option<usize> {
        let inside: Vec<(usize, usize)> =
            self.needs.iter().copied().filter(|(from, to)| group.contains(from) && group.contains(to)).collect();
        let sets = (0_u32..1 << inside.len()).map(|bits| {
            let chosen = inside.iter().enumerate().filter(|(place, _)| bits >> place & 1 == 1);
            chosen.map(|(_, need)| *need).collect::<BTreeSet<_>>()
        });
        let opens = |set: &BTreeSet<(usize, usize)>| {
            let reaches = self.reaches(set);
            group.iter().all(|member| !reaches[*member].contains(member))
        };
        let sets: Vec<_> = sets.filter(opens).collect();
        (0..3).find_map(|level| {
            let is_allowed = |set: &&BTreeSet<(usize, usize)>| {
                group.iter().all(|from| {
                    let of_it = |(other, to): &(usize, usize)| (other == from).then_some(*to);
                    let deferred: BTreeSet<usize> = set.iter().filter_map(of_it).collect();
                    deferred.is_empty() || self.allows(*from, &deferred, level)
                })
            };
            sets.iter().filter(is_allowed).map(BTreeSet::len).min()
        })
    }
}

fn cases() -> impl Strategy<Value = Case> {
    (2_usize..6).prop_flat_map(|count| {
        let numbers = move || proptest::collection::btree_set(0..count, 0..=count);
        let needs = proptest::collection::btree_set((0..count, 0..count), 2..10);
        let variants = proptest::collection::btree_map(0..count, numbers(), 0..3);
        (needs, variants, numbers(), numbers()).prop_map(move |(mut needs, mut variants, seeds, published)| {
            needs.retain(|(from, to)| from != to);
            // A variant needs some of what the full build needs.
            variants.iter_mut().for_each(|(from, kept)| kept.retain(|to| needs.contains(&(*from, *to))));
            Case { count, needs, variants, seeds, published }
        })
    })
}

proptest! {
    /// The order has no cycle, every deferred need has a way out that is there, the fewest are deferred, what cannot be
    /// opened is blocked and nothing else is, and what is published does not change what seeds and variants can open.
    #[test]
    fn cycles_are_opened_with_the_fewest_needs(case in cases()) {
        let graph = resolve(&case.universe(true));
        let name = |number: usize| format!("p{number}");
        let (order, blocked) = order_of(&graph, &graph.nodes.keys().cloned().collect());
        prop_assert_eq!(order.len() + blocked.len(), case.count);
        let reaches = case.reaches(&BTreeSet::new());
        for member in 0..case.count {
            let group: BTreeSet<usize> =
                (0..case.count).filter(|other| reaches[member].contains(other) && reaches[*other].contains(&member)).collect();
            let blocker = graph.nodes[&name(member)].blocker.as_ref();
            if group.is_empty() {
                prop_assert!(blocker.is_none());
                continue;
            }
            let count: usize = group.iter().map(|number| graph.nodes[&name(*number)].deferred.len()).sum();
            let found = (!matches!(blocker, Some(Blocker::Cycle { .. }))).then_some(count);
            prop_assert_eq!(found, case.least(&group), "{}", name(member));
        }
        for from in 0..case.count {
            let node = &graph.nodes[&name(from)];
            let to = |deferred: &crate::Deferred| deferred.edge.to[1..].parse::<usize>().unwrap_or(usize::MAX);
            let all: BTreeSet<usize> = node.deferred.iter().map(to).collect();
            let is_variant = !all.is_subset(&case.published)
                && case.variants.get(&from).is_some_and(|needs| needs.is_disjoint(&all));
            for deferred in &node.deferred {
                let is_there = match &deferred.way_out {
                    WayOut::Variant => is_variant,
                    WayOut::Published { .. } => !is_variant && case.published.contains(&to(deferred)),
                    WayOut::Seed { .. } => {
                        !is_variant && !case.published.contains(&to(deferred)) && case.seeds.contains(&to(deferred))
                    }
                    WayOut::Without => false,
                };
                prop_assert!(is_there, "{} {:?}", name(from), deferred.way_out);
            }
        }
        let unpublished = resolve(&case.universe(false));
        if unpublished.cycles.iter().all(|cycle| cycle.is_opened) {
            let edges = |graph: &BuildGraph| -> Vec<_> {
                graph.nodes.values().map(|node| (node.needs.clone(), node.deferred_sources())).collect()
            };
            prop_assert_eq!(edges(&graph), edges(&unpublished));
        }
    }
}
