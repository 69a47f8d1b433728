//! Changing a resolution gives what resolving the changed universe gives.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rpmspec_parser::rpm::{Dependency, PackageMetadata};

use super::*;
use crate::testing::{header, names, seed, spec, spec_with_variant, universe};
use crate::{SeedPackage, TreePackage, resolve};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn lines(tags: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<String>> {
    let wanted =
        ["a", "b", "c", "d", "e", "f", "v", "w", "/bin/x", "v >= 2", "(a or v)", "(b if a)", "libx.so.1()(64bit)"];
    let wanted = (select(tags), select(wanted.to_vec())).prop_map(|(tag, what)| format!("{tag}: {what}"));
    vec(wanted, 0..most)
}

fn offers() -> impl Strategy<Value = Vec<String>> {
    let offered = ["Provides: v", "Provides: v = 1", "Provides: w = 3", "File: /bin/x", "Provides: libx.so.1()(64bit)"];
    vec(select(offered.to_vec()).prop_map(str::to_owned), 0..3)
}

fn content() -> impl Strategy<Value = Vec<String>> {
    (offers(), lines(&["Requires", "Requires", "Conflicts"], 3)).prop_map(|(offers, needs)| [offers, needs].concat())
}

fn refs(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).collect()
}

/// A tree of six specs, some with bootstrap variants, some of them published, of this or an earlier version, and seeds
/// of the same names.
fn universes() -> impl Strategy<Value = Universe> {
    let asked = || lines(&["BuildRequires", "BuildRequires", "BuildConflicts", "Generated"], 3);
    let specs = vec((asked(), proptest::option::weighted(0.3, asked()), content()), 6);
    let published = vec(proptest::option::of((any::<bool>(), content())), 6);
    let seeds = vec(proptest::option::weighted(0.8, content()), 6);
    (specs, published, seeds).prop_map(|(specs, published, seeds)| {
        let tree = NAMES.iter().zip(&specs).map(|(name, (build, variant, content))| {
            let lines = [build.clone(), content.clone()].concat();
            match variant {
                Some(variant) => spec_with_variant(name, &refs(&lines), &refs(&[&variant[..], content].concat())),
                None => spec(name, &refs(&lines)),
            }
        });
        let tree: Vec<TreePackage> = tree.collect();
        let seeds = NAMES.iter().zip(&seeds).filter_map(|(name, lines)| Some(seed(name, &refs(lines.as_deref()?))));
        let seeds: Vec<SeedPackage> = seeds.collect();
        let published = NAMES.iter().zip(&published).filter_map(|(name, lines)| {
            let (is_earlier, lines) = lines.as_ref()?;
            let version = if *is_earlier { "0.5-1" } else { "1-1" };
            let lines = [&[format!("Source: {name}-{version}.src.rpm")], &lines[..]].concat();
            Some(header(&format!("{name} {version}"), &refs(&lines)))
        });
        Universe { published: published.collect(), ..universe(tree, seeds) }
    })
}

/// Where a header is in the universe.
fn header_at(universe: &mut Universe, id: PackageId) -> &mut PackageMetadata {
    match id {
        PackageId::Seed(place) => &mut universe.seeds[place].metadata,
        PackageId::Published(place) => &mut universe.published[place],
        PackageId::Predicted { .. } => panic!("promises have no header"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn following_changes_is_resolving_anew(
        first in universes(),
        changes in vec((any::<bool>(), any::<prop::sample::Index>(), content()), 1..4),
    ) {
        let mut changed = first.clone();
        let mut resolution = Resolution::new(&first);
        prop_assert_eq!(resolution.graph(), &resolve(&first));
        for (is_seed, place, lines) in changes {
            let count = if is_seed { changed.seeds.len() } else { changed.published.len() };
            if count == 0 {
                continue;
            }
            let place = place.index(count);
            let id = if is_seed { PackageId::Seed(place) } else { PackageId::Published(place) };
            let there = header_at(&mut changed, id);
            let new = header("new", &refs(&lines));
            let own = there.provides[0].clone();
            let provides = std::iter::once(own).chain(new.provides.into_iter().skip(1)).collect();
            let (nevra, source_rpm) = (there.nevra.clone(), there.source_rpm.clone());
            *there = PackageMetadata { nevra, source_rpm, provides, ..new };
            let there = there.clone();
            prop_assert!(resolution.replace(id, there).is_some());
            let anew = resolve(&changed);
            for (name, node) in &anew.nodes {
                prop_assert_eq!(&resolution.graph().nodes[name], node);
            }
            prop_assert_eq!(resolution.graph(), &anew);
        }
    }
}

#[test]
fn only_what_a_change_can_reach_is_solved_again() {
    let tree = vec![
        spec("app", &["BuildRequires: lib"]),
        spec("lib", &[]),
        spec("other", &["BuildRequires: tool"]),
        spec("third", &["BuildRequires: lib", "BuildRequires: tool"]),
    ];
    let seeds = vec![seed("tool", &["Requires: /bin/sh"]), seed("bash", &["File: /bin/sh"]), seed("dash", &[])];
    let universe = universe(tree, seeds);
    let mut resolution = Resolution::new(&universe);
    let mut change = |place: usize, lines: &[&str]| {
        let metadata = header(&format!("{} 0-1", universe.seeds[place].metadata.nevra.name), lines);
        let again = resolution.replace(PackageId::Seed(place), metadata);
        (again, names(resolution.graph(), "other"))
    };
    let owned = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    // A new provider of a path that nobody asks for, and then of one that is asked for.
    assert_eq!(change(2, &["File: /bin/dash"]), (owned(&[]), vec!["bash-0-1".to_owned(), "tool-0-1".to_owned()]));
    let (again, found) = change(1, &["Requires: dash"]);
    assert_eq!(again, owned(&["other", "third"]));
    assert!(found.is_empty(), "{found:?}");
    let (again, found) = change(2, &["File: /bin/sh"]);
    assert_eq!((again, found), (owned(&["other", "third"]), vec!["dash-0-1".to_owned(), "tool-0-1".to_owned()]));
}

#[test]
fn opened_cycles_stay_as_they_are_where_a_change_does_not_reach_them() {
    let tree = vec![
        spec("a", &["BuildRequires: b"]),
        spec("b", &["BuildRequires: a"]),
        spec("other", &["BuildRequires: tool"]),
    ];
    let universe = universe(tree, vec![seed("a", &[]), seed("tool", &[]), seed("helper", &[])]);
    let mut resolution = Resolution::new(&universe);
    let cycles = resolution.graph().cycles.clone();
    assert!(cycles[0].is_opened);
    let again = resolution.replace(PackageId::Seed(1), header("tool 0-1", &["Requires: helper"]));
    assert_eq!(again, Some(vec!["other".to_owned()]));
    assert_eq!(resolution.graph().cycles, cycles);
    assert_eq!(names(resolution.graph(), "b"), ["a-0-1"]);
    // The seed's package that stands in.
    let again = resolution.replace(PackageId::Seed(0), header("a 0-1", &["Requires: helper"]));
    assert_eq!(again, Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(names(resolution.graph(), "b"), ["a-0-1", "helper-0-1"]);
    // With nothing to stand in, there is no way out any more.
    let again = resolution.replace(PackageId::Seed(0), header("a 0-1", &["Requires: nowhere"]));
    assert_eq!(again, Some(vec!["a".to_owned(), "b".to_owned()]));
    assert!(!resolution.graph().cycles[0].is_opened);
}

#[test]
fn what_would_change_more_is_refused() {
    let universe = universe(vec![spec("a", &[])], vec![seed("b", &[])]);
    let renamed = header("b 2-1", &[]);
    assert_eq!(Resolution::new(&universe).replace(PackageId::Seed(0), renamed), None);
    let promised = PackageId::Predicted { tree: 0, package: 0 };
    assert_eq!(Resolution::new(&universe).replace(promised, header("a 1-1", &[])), None);
    let mut large = header("b", &[]);
    let pairs: Vec<String> = (0..12).map(|number| format!("(a{number} and b{number})")).collect();
    large.requires = Dependency::parse(&format!("({})", pairs.join(" or "))).into_iter().collect();
    assert_eq!(Resolution::new(&universe).replace(PackageId::Seed(0), large), None);
}
