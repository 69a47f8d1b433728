//! What one job gets: its install set solved from real headers, and its key.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use planner::{Blocker, Explanation, Index, KeyInputs, KnownBuild, PackageId, key};

use super::conventions::KEY_VERSION;
use super::planning::Planning;
use crate::seeds::SeedRpm;

/// An RPM of a build root, above the base.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RootRpm {
    /// The file.
    pub path: PathBuf,
    /// What it is to the root: NEVRA and identity, with a space between.
    pub is: String,
}

/// A job that is ready to start.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    /// What to record when it succeeds, its key included.
    pub(super) known: KnownBuild,
    /// RPMs to install over the base layer, by file name.
    pub(super) install: Vec<RootRpm>,
    /// Those of them that are of seeds.
    pub(super) seeds: Vec<SeedRpm>,
}

impl Prepared {
    /// What is to be installed over another root to make it this one; `None` if that has something that this has not.
    pub(super) fn beyond(&self, other: &Prepared) -> Option<(Vec<PathBuf>, Vec<SeedRpm>)> {
        let is_here = |(nevra, identity): (&String, &String)| self.known.build_root.get(nevra) == Some(identity);
        other.known.build_root.iter().all(is_here).then(|| {
            let there: BTreeSet<_> = other.install.iter().map(|rpm| &rpm.path).collect();
            let install = self.install.iter().map(|rpm| &rpm.path).filter(|path| !there.contains(path)).cloned();
            let seeds = self.seeds.iter().filter(|seed| !there.contains(&seed.path)).cloned();
            (install.collect(), seeds.collect())
        })
    }
}

/// Where a job starts.
#[derive(Clone, Debug)]
pub(super) struct Start {
    /// The root to start with: with all that the build needs where that is certain, else with what its spec states.
    pub(super) root: Prepared,
    /// The key of the root with all that the build needs, as far as that is known or predicted.
    pub(super) key: Option<String>,
    /// The key of the root with what the spec states: what its answers are remembered for.
    pub(super) asked_at: String,
    /// Whether the root must be asked what else the build needs.
    pub(super) must_ask: bool,
}

/// Finds out where a job starts.
///
/// # Errors
/// There is no such root: who asks for what, and why nothing will do.
pub(super) fn prepare_job(planning: &Planning, package: &str) -> Result<Start, String> {
    if planning.locked.is_some() || !planning.must_ask(package) {
        let root = prepare_whole(planning, package)?;
        let key = root.known.key.clone();
        return Ok(Start { root, key: Some(key.clone()), asked_at: key, must_ask: false });
    }
    let stated = prepare_stated(planning, package)?;
    let asked_at = stated.known.key.clone();
    match planning.generated(package) {
        Some(answer) if answer.asked_at == asked_at => {
            let root = prepare_whole(planning, package)?;
            Ok(Start { key: Some(root.known.key.clone()), root, asked_at, must_ask: false })
        }
        // A prediction tells whether the result is known, but what is built comes from an answer.
        Some(_) => {
            let key = prepare_whole(planning, package).ok().map(|whole| whole.known.key);
            Ok(Start { root: stated, key, asked_at, must_ask: true })
        }
        None => Ok(Start { root: stated, key: None, asked_at, must_ask: true }),
    }
}

/// Solves a job's install set with what is published now, and computes its key: with what the spec states and with
/// what it is known to generate. Where a lock decides, the set is the lock's.
///
/// # Errors
/// The set cannot be solved: who asks for what, and why nothing will do.
pub(super) fn prepare_whole(planning: &Planning, package: &str) -> Result<Prepared, String> {
    if let Some(locked) = &planning.locked {
        return prepare(planning, package, planning.locked_root(locked, package)?.into_iter());
    }
    let node = planning.graph.nodes.get(package).ok_or_else(|| format!("`{package}` has no spec"))?;
    if let Some(blocker @ (Blocker::Unresolvable { .. } | Blocker::Cycle { .. })) = &node.blocker {
        return Err(blocker.to_string());
    }
    let explained = |explanation: Explanation| explanation.to_string();
    let root = planner::build_root(&Index::new(&planning.universe), &planning.graph, package).map_err(explained)?;
    prepare(planning, package, root.into_iter().map(|member| member.id))
}

/// The same with what the spec states alone: the root that is asked what it lacks.
///
/// # Errors
/// The set cannot be solved: who asks for what, and why nothing will do.
pub(super) fn prepare_stated(planning: &Planning, package: &str) -> Result<Prepared, String> {
    let source = &planning.specs.get(package).ok_or_else(|| format!("`{package}` has no spec"))?.package;
    let mut within = planning.graph.needed_sources(package);
    within.extend(planning.graph.nodes.get(package).into_iter().flat_map(planner::BuildNode::deferred_sources));
    let (needs, refuses) = (&source.build_requires, &source.build_conflicts);
    let ids = planner::install_set(&Index::new(&planning.universe), needs, refuses, Some(package), Some(&within))
        .map_err(|explanation| explanation.to_string())?;
    prepare(planning, package, ids.into_iter())
}

fn prepare(planning: &Planning, package: &str, members: impl Iterator<Item = PackageId>) -> Result<Prepared, String> {
    let identities = planning.identities();
    let mut build_root = BTreeMap::new();
    let (mut install, mut seeds) = (Vec::new(), Vec::new());
    for id in members {
        let (nevra, path) = match id {
            PackageId::Seed(index) if planning.base.contains(&index) => (&planning.seeds[index].metadata.nevra, None),
            PackageId::Seed(index) => {
                let rpm = &planning.seeds[index];
                seeds.push(rpm.clone());
                (&rpm.metadata.nevra, Some(rpm.path.clone()))
            }
            PackageId::Published(index) => {
                let nevra = &planning.universe.published[index].nevra;
                let path = planning.published_path(nevra).ok_or_else(|| format!("{nevra} is not in the repository"))?;
                (nevra, Some(path))
            }
            PackageId::Predicted { .. } => {
                return Err("it needs a package that is not built yet".to_owned());
            }
        };
        let nevra = nevra.to_string();
        let identity = identities.get(&nevra).cloned().unwrap_or_default();
        install.extend(path.map(|path| RootRpm { path, is: format!("{nevra} {identity}") }));
        build_root.insert(nevra, identity);
    }
    install.sort();
    let inputs = planning.input_digest(package).unwrap_or_default();
    let sources: Vec<_> = inputs.sources.iter().map(|(name, sha512)| (name.clone(), sha512.clone())).collect();
    let base_layer = planning.base_digest();
    let key = key(&KeyInputs {
        spec_sha256: &inputs.spec_sha256,
        sources: &sources,
        build_root: &build_root,
        base_layer: &base_layer,
        arch: &planning.universe.arch,
        rpm_version: &planning.rpm_version(),
        tool_key_version: KEY_VERSION,
        extra: &inputs.extra(&BTreeMap::new()),
    });
    Ok(Prepared { known: KnownBuild { key, inputs, build_root, base_layer }, install, seeds })
}
