//! What there is to resolve with: the tree, the seeds and what is already built.

use std::collections::BTreeSet;

use rpmspec_parser::rpm::{Dependency, PackageMetadata};
use rpmspec_parser::spec::{Located, SourcePackage};

/// One source package of the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreePackage {
    /// What its spec evaluates to.
    pub source: SourcePackage,
    /// The spec's path, relative to the tree.
    pub spec: String,
    /// What its `%generate_buildrequires` is known to ask for besides `source.build_requires`, at the place of that
    /// section. Empty where there is none or where nobody asked yet.
    pub generated: Vec<Located<Dependency>>,
    /// What its spec evaluates to otherwise: its bootstrap variant, where the stage declares one. While that stands in
    /// its place ([`Universe::take_variants`]), what it really is.
    pub other: Option<Box<Variant>>,
    /// Whether `source` is the bootstrap variant.
    pub is_variant: bool,
}

/// What the same spec evaluates to with other `%bcond`s.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variant {
    /// The source package.
    pub source: SourcePackage,
    /// As [`TreePackage::generated`].
    pub generated: Vec<Located<Dependency>>,
}

/// One package of a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedPackage {
    /// The name of the seed it comes from, as `stages/*.toml` has it.
    pub seed: String,
    /// Its header.
    pub metadata: PackageMetadata,
}

/// Everything a resolution may draw on. [`PackageId`](crate::PackageId) points into its lists, so an id is
/// only meaningful together with the universe it was made from.
#[derive(Clone, Debug, Default)]
pub struct Universe {
    /// The tree's source packages, in any order.
    pub tree: Vec<TreePackage>,
    /// The packages of all seeds.
    pub seeds: Vec<SeedPackage>,
    /// The real headers of RPMs already built from the tree.
    pub published: Vec<PackageMetadata>,
    /// What every build root holds though no spec asks for it: `rpm-build`, `gcc`, `make`…
    pub base: Vec<Dependency>,
    /// The architecture of the build roots; packages of other architectures but `noarch` are not used.
    pub arch: String,
    /// Package names that win where several packages offer a capability, the most wanted first.
    pub prefer: Vec<String>,
}

impl Universe {
    /// Puts the bootstrap variants of these source packages in their places, and all others back.
    pub fn take_variants(&mut self, names: &BTreeSet<String>) {
        for tree in &mut self.tree {
            let wanted = names.contains(&tree.source.name);
            if let Some(other) = tree.other.as_mut().filter(|_| tree.is_variant != wanted) {
                std::mem::swap(&mut tree.source, &mut other.source);
                std::mem::swap(&mut tree.generated, &mut other.generated);
                tree.is_variant = wanted;
            }
        }
    }
}
