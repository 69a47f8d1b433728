//! What one job gets: its install set solved from real headers, and its key.

use std::collections::BTreeMap;
use std::path::PathBuf;

use planner::{Index, KeyInputs, KnownBuild, PackageId, key};

use super::conventions::KEY_VERSION;
use super::planning::Planning;
use crate::seeds::SeedRpm;

/// A job that is ready to start.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    /// What to record when it succeeds, its key included.
    pub(super) known: KnownBuild,
    /// RPMs to install over the base layer, by file name.
    pub(super) install: Vec<PathBuf>,
    /// Those of them that are of seeds.
    pub(super) seeds: Vec<SeedRpm>,
}

/// Solves a job's install set with what is published now, and computes its key.
///
/// # Errors
/// The set cannot be solved: who asks for what, and why nothing will do.
pub(super) fn prepare_job(planning: &Planning, package: &str) -> Result<Prepared, String> {
    let source = &planning.specs.get(package).ok_or_else(|| format!("`{package}` has no spec"))?.package;
    let within = planning.graph.needed_sources(package);
    let (needs, refuses) = (&source.build_requires, &source.build_conflicts);
    let ids = planner::install_set(&Index::new(&planning.universe), needs, refuses, Some(package), Some(&within))
        .map_err(|explanation| explanation.to_string())?;
    let identities = planning.identities();
    let mut build_root = BTreeMap::new();
    let (mut install, mut seeds) = (Vec::new(), Vec::new());
    for id in ids {
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
        let identity = identities.get(&nevra.to_string()).cloned().unwrap_or_default();
        build_root.insert(nevra.to_string(), identity);
        install.extend(path);
    }
    install.sort();
    let inputs = planning.input_digests().remove(package).unwrap_or_default();
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
        extra: &BTreeMap::new(),
    });
    Ok(Prepared { known: KnownBuild { key, inputs, build_root, base_layer }, install, seeds })
}
