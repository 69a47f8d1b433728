//! A whole distribution to resolve: every spec of the corpus, and what it gave last time as a seed.
//!
//! `PACKAGE_BUILDER_CORPUS` names the folder. The seed holds what the specs promise, under the same NEVRAs. libsolv
//! knows no *maybe*, so a file or module that only a pattern of `%files` may bring is given to the first package by
//! name that may, in the specs too; and what nobody offers at all to one more package, [`MISSING`]: what is generated
//! while building (sonames, modules of languages) is in no spec.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use planner::predict::predictions;
use planner::{SeedPackage, TreePackage, Universe};
use rayon::prelude::*;
use rpmspec_parser::PreparedContext;
use rpmspec_parser::rpm::{Capability, Dependency, Evr, Nevra, PackageMetadata};
use rpmspec_parser::spec::Located;

use self::corpus::Corpus;

#[path = "../../builder/rpmspec-parser/examples/score/corpus.rs"]
mod corpus;

/// The name of the package that offers what no other does.
pub const MISSING: &str = "missing-from-specs";
/// What every build root holds.
const BASE: [&str; 12] =
    ["bash", "coreutils", "diffutils", "findutils", "gawk", "gcc", "grep", "make", "patch", "rpm-build", "sed", "tar"];
const ARCH: &str = "x86_64";

/// The corpus' folder, if there is one.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    std::env::var_os("PACKAGE_BUILDER_CORPUS").map(PathBuf::from)
}

/// Reads and evaluates the corpus.
///
/// # Panics
/// It cannot be read.
#[must_use]
pub fn read(folder: &Path) -> Universe {
    let corpus = Corpus::read(folder, "shell-answers-photon.json").expect("the corpus is read");
    let context = PreparedContext::new(&corpus.context(ARCH, &[]));
    let evaluate = |spec: &String| {
        let source = corpus.evaluate(spec, &context).package?;
        Some(TreePackage { source, spec: spec.clone(), ..TreePackage::default() })
    };
    let mut tree: Vec<TreePackage> = corpus.specs().par_iter().filter_map(evaluate).collect();
    let base: Vec<Dependency> = BASE.map(Dependency::any).to_vec();
    let seeds = previous(&tree, &base);
    let by_nevra: BTreeMap<String, &PackageMetadata> = seeds.iter().map(|one| (one.nevra.to_string(), one)).collect();
    for source in tree.iter_mut().map(|one| &mut one.source) {
        for (metadata, prediction) in predictions(source, ARCH)
            .iter()
            .filter_map(|one| Some((by_nevra.get(&one.metadata.nevra.to_string())?, one)))
        {
            let package = &mut source.packages[prediction.package];
            package.files = Some(metadata.files.iter().map(|path| format!("%dir {path}")).collect());
            let new = metadata.provides.iter().filter(|provided| !prediction.metadata.provides.contains(provided));
            package.provides.extend(new.map(|provided| Located::new(provided.clone(), None)));
        }
    }
    let seeds = seeds.into_iter().map(|metadata| SeedPackage { seed: "previous".to_owned(), metadata });
    Universe { seeds: seeds.collect(), tree, base, arch: ARCH.to_owned(), ..Universe::default() }
}

/// What the specs gave last time.
fn previous(tree: &[TreePackage], base: &[Dependency]) -> Vec<PackageMetadata> {
    let mut predicted = BTreeMap::new();
    for prediction in tree.iter().flat_map(|one| predictions(&one.source, ARCH)) {
        predicted.insert(prediction.metadata.nevra.to_string(), prediction);
    }
    let mut asked: BTreeSet<String> = BTreeSet::new();
    let built = tree.iter().flat_map(|one| &one.source.build_requires).map(|located| &located.value);
    let used = predicted.values().flat_map(|one| &one.metadata.requires);
    for dependency in built.chain(used).chain(base) {
        asked.extend(dependency.capabilities().iter().map(|capability| capability.name.clone()));
    }
    for one in predicted.values() {
        one.metadata.provides.iter().map(|provided| &provided.name).chain(&one.metadata.files).for_each(|name| {
            asked.remove(name);
        });
    }
    let mut missing = Vec::new();
    for name in asked {
        match predicted.values_mut().find(|one| one.may_offer(&name)) {
            Some(one) if name.starts_with('/') => one.metadata.files.push(name),
            Some(one) => one.metadata.provides.push(Capability::any(name)),
            None => missing.push(Capability::any(name)),
        }
    }
    let nevra = Nevra { name: MISSING.to_owned(), evr: Evr::parse("1-1"), arch: "noarch".to_owned() };
    let last = PackageMetadata { provides: missing, ..PackageMetadata::new(nevra) };
    predicted.into_values().map(|one| one.metadata).chain([last]).collect()
}
