//! What a repository must hold besides the tree's own packages so that clients can install these from it alone.

use std::collections::{BTreeSet, VecDeque};

use crate::{Index, PackageId, SeedPackage, Universe};

/// The packages of seeds, as places in [`Universe::seeds`], that published packages need once installed, directly or
/// not. The tree does not count: what is published of a spec that is gone or broken is installed as well.
///
/// A need is followed to its first provider in the order of the [`index`](crate::index) unless something published,
/// or found before, meets it. A conditional need counts once its condition is there. Needs that nobody offers lead
/// nowhere: [`BuildNode::unmet_at_run_time`](crate::BuildNode::unmet_at_run_time) tells of them.
#[must_use]
pub fn companions(universe: &Universe) -> BTreeSet<usize> {
    let first_published = universe.seeds.len();
    let published = universe.published.iter();
    let published = published.map(|metadata| SeedPackage { seed: String::new(), metadata: metadata.clone() });
    let all = Universe {
        seeds: universe.seeds.iter().cloned().chain(published).collect(),
        arch: universe.arch.clone(),
        prefer: universe.prefer.clone(),
        ..Universe::default()
    };
    let index = &Index::new(&all);
    let is_published = |id: PackageId| matches!(id, PackageId::Seed(place) if place >= first_published);
    let mut there: Vec<bool> = index.packages.iter().map(|package| is_published(package.id)).collect();
    let mut open: VecDeque<usize> = (0..there.len()).filter(|number| there[*number]).collect();
    let mut found = BTreeSet::new();
    // A condition may become true late, so what was seen is looked at again until nothing is added.
    let mut seen: Vec<usize> = Vec::new();
    loop {
        while let Some(number) = open.pop_front() {
            seen.push(number);
            follow(index, number, &mut there, &mut open, &mut found);
        }
        for number in &seen {
            follow(index, *number, &mut there, &mut open, &mut found);
        }
        if open.is_empty() {
            return found;
        }
    }
}

/// Adds the providers of what one package needs and nothing there meets.
fn follow(
    index: &Index<'_>,
    number: usize,
    there: &mut [bool],
    open: &mut VecDeque<usize>,
    found: &mut BTreeSet<usize>,
) {
    for statement in &index.packages[number].statements {
        let is_there = |other: &u32| there[*other as usize];
        let counts = statement.absent.iter().all(|condition| condition.iter().any(is_there));
        if !counts || statement.present.iter().any(is_there) {
            continue;
        }
        let seeds = statement.present.iter().filter_map(|other| {
            let package = &index.packages[*other as usize];
            match package.id {
                PackageId::Seed(place) if package.withheld.is_none() => Some((*other as usize, place)),
                _ => None,
            }
        });
        if let Some((other, place)) = seeds.into_iter().next() {
            there[other] = true;
            found.insert(place);
            open.push_back(other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{header, seed, universe};

    #[test]
    fn only_what_published_packages_need_and_nothing_published_offers_is_taken() {
        let seeds = vec![
            seed("glibc 2-0", &["Provides: libc"]),
            seed("zlib 1-0", &["Provides: libz", "Requires: libc"]),
            seed("sh 1-0", &["Requires: lines"]),
            seed("readline 1-0", &["Provides: lines", "Requires: terminfo"]),
            seed("terminfo 1-0", &[]),
            seed("langpack 1-0", &[]),
            seed("unneeded 1-0", &[]),
        ];
        let mut universe = universe(Vec::new(), seeds);
        universe.published = vec![
            header("jq 1-1", &["Source: jq-1-1.src.rpm", "Requires: libz", "Requires: sh", "Requires: nowhere"]),
            header("zlib 2-1", &["Source: zlib-2-1.src.rpm", "Provides: libz", "Requires: libc"]),
            header("all 2-1", &["Source: all-2-1.src.rpm", "Requires: (langpack if terminfo)"]),
        ];
        let names: Vec<_> =
            companions(&universe).into_iter().map(|place| &*universe.seeds[place].metadata.nevra.name).collect();
        assert_eq!(names, ["glibc", "sh", "readline", "terminfo", "langpack"]);
    }
}
