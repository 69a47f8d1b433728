//! The build roots of a whole distribution against libsolv's, from the same packages.

use std::collections::{BTreeMap, BTreeSet};

use planner::{Blocker, BuildNode, resolve};
use rpmspec_parser::rpm::{Dependency, PackageMetadata};
use tests::distribution::{folder, read};
use tests::oracle::{Libsolv, Wanted};
use tests::skip;
use tests::validity::{is_met, violations};

/// How a build root may differ from libsolv's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// Several packages meet a need, and libsolv takes another one. Ours takes the first in the order that
    /// `planner::index` documents; libsolv has no order of names but that of its reading.
    OtherProvider,
}

/// A set of packages by NEVRA.
type Set<'a> = BTreeMap<String, &'a PackageMetadata>;

/// The packages without those of another set.
fn without<'a>(set: &Set<'a>, other: &Set<'_>) -> Set<'a> {
    set.iter().filter(|(nevra, _)| !other.contains_key(*nevra)).map(|(nevra, one)| (nevra.clone(), *one)).collect()
}

fn list<'a>(set: &Set<'a>) -> Vec<&'a PackageMetadata> {
    set.values().copied().collect()
}

/// The needs of a request and of packages.
fn needs<'a>(wanted: &'a Wanted, packages: &Set<'a>) -> Vec<&'a Dependency> {
    wanted.needs.iter().chain(packages.values().flat_map(|package| &package.requires)).collect()
}

/// Names the difference of two sets, both of them right; `Err` where it has no name.
fn difference(wanted: &Wanted, ours: &Set<'_>, theirs: &Set<'_>) -> Result<Difference, String> {
    let (only_ours, only_theirs) = (without(ours, theirs), without(theirs, ours));
    let both = without(ours, &only_ours);
    // Needs of what both have, met by different packages.
    let is_choice =
        |need: &&&Dependency| !is_met(need, &list(&both)) && is_met(need, &list(ours)) && is_met(need, &list(theirs));
    let shared = needs(wanted, &both);
    let choices: Vec<_> = shared.iter().filter(is_choice).collect();
    // Everything else of ours must follow from those.
    let mut reached = both.clone();
    loop {
        let asked = needs(wanted, &reached);
        let asked: BTreeSet<_> = asked.into_iter().flat_map(Dependency::capabilities).collect();
        let is_asked = |package: &PackageMetadata| {
            asked.iter().any(|one| is_met(&Dependency::Capability((*one).clone()), &[package]))
        };
        let before = reached.len();
        for (nevra, package) in &only_ours {
            if is_asked(package) {
                reached.insert(nevra.clone(), package);
            }
        }
        if reached.len() == before {
            break;
        }
    }
    let unasked = without(ours, &reached);
    match choices.is_empty() || !unasked.is_empty() {
        false => Ok(Difference::OtherProvider),
        true => Err(format!(
            "we have {:?}, libsolv {:?}; {choices:?} are chosen, nobody asks for {:?}",
            only_ours.keys(),
            only_theirs.keys(),
            unasked.keys()
        )),
    }
}

#[test]
fn build_roots_are_those_of_libsolv() {
    let test = "build_roots_are_those_of_libsolv";
    let Some(folder) = folder() else { return skip(test, "PACKAGE_BUILDER_CORPUS does not name a corpus") };
    let Some(mut libsolv) = Libsolv::start() else { return skip(test, "python3-solv is not installed") };
    let universe = read(&folder);
    let graph = resolve(&universe);
    let wanted = |tree: &planner::TreePackage| Wanted {
        needs: tree.source.build_requires.iter().map(|need| &need.value).chain(&universe.base).cloned().collect(),
        refuses: tree.source.build_conflicts.iter().map(|refused| refused.value.clone()).collect(),
        without: Vec::new(),
    };
    let asked: Vec<Wanted> = universe.tree.iter().map(wanted).collect();
    let packages: Set<'_> =
        universe.seeds.iter().map(|seed| (seed.metadata.nevra.to_string(), &seed.metadata)).collect();
    let answers = libsolv.ask(packages.values().copied(), &asked);
    let set = |nevras: &mut dyn Iterator<Item = String>| -> Set<'_> {
        nevras
            .map(|nevra| packages.get_key_value(&nevra).expect("it is of the universe"))
            .map(|(n, p)| (n.clone(), *p))
            .collect()
    };
    let (mut same, mut wrong) = (0usize, Vec::new());
    let mut named: BTreeMap<Difference, usize> = BTreeMap::new();
    for ((tree, wanted), theirs) in universe.tree.iter().zip(&asked).zip(&answers.found) {
        let node: &BuildNode = &graph.nodes[&tree.source.name];
        let ours = match &node.blocker {
            None | Some(Blocker::Cycle { .. }) => Ok(&node.build_root),
            Some(blocker) => Err(blocker.to_string()),
        };
        let (ours, theirs) = match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => {
                (set(&mut ours.iter().map(|member| member.nevra.to_string())), set(&mut theirs.iter().cloned()))
            }
            (Err(_), Err(_)) => continue,
            (ours, theirs) => {
                wrong.push(format!("{}: we say {ours:?}, libsolv {theirs:?}", node.name));
                continue;
            }
        };
        for found in violations(&list(&ours), &wanted.needs, &wanted.refuses, &universe.arch) {
            wrong.push(format!("{}: {found}", node.name));
        }
        if ours.keys().eq(theirs.keys()) {
            same += 1;
            continue;
        }
        match difference(wanted, &ours, &theirs) {
            Ok(difference) => *named.entry(difference).or_default() += 1,
            Err(why) => wrong.push(format!("{}: {why}", node.name)),
        }
    }
    let told = format!("{same} build roots are the same, {named:?}");
    assert!(wrong.is_empty(), "{told}\n{}", wrong.join("\n"));
    // One at the time of writing; many would be a rule gone wrong.
    assert!(same > 1000 && named.values().sum::<usize>() < 10, "{told}");
}
