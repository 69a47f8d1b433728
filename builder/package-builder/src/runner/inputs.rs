//! The sources and patches of a source package: their checksums for the key, their files for the build.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use planner::{InputDigest, Plan};

use crate::error::{CommandError, IoContext};
use crate::host::Evaluated;
use crate::sources::{FetchSettings, Manifest, SourceRequest, checksum_of_file, fetch};

use super::events::Events;
use super::planning::Planning;

/// Where the files of each source package are, by the name the spec expects; or why they are not.
pub type FetchedSources = BTreeMap<String, Result<Vec<(String, PathBuf)>, LackingSource>>;

/// Why a source package lacks sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LackingSource {
    /// One paragraph a file.
    pub reason: String,
    /// Whether the machine or an origin failed, and not the tree.
    pub is_infrastructure: bool,
}

/// Everything a spec names as source or patch.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// One request a file, in the order of sources and then patches.
    pub requests: Vec<SourceRequest>,
    /// The checksums of files beside the spec, by name: they are the tree's own.
    local: BTreeMap<String, String>,
}

impl Inputs {
    /// Reads the checksums of a spec's files: from `sources` beside it, or from the files beside it.
    ///
    /// # Errors
    /// `sources` is malformed, or a file beside the spec cannot be read.
    pub fn read(spec: &Evaluated) -> Result<Self, CommandError> {
        let folder = spec.path.parent().unwrap_or(Path::new("/"));
        let path = folder.join("sources");
        let manifest = match std::fs::read_to_string(&path) {
            Ok(text) => Manifest::parse(&text, &path).map_err(|error| CommandError::input(error.to_string()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Manifest::default(),
            Err(error) => return Err(error).doing("read", &path),
        };
        let files = spec.package.sources.iter().chain(&spec.package.patches);
        let requests: Vec<_> = files.map(|file| manifest.request(&spec.package.name, &file.url, folder)).collect();
        let mut local = BTreeMap::new();
        for request in requests.iter().filter(|request| request.sha512.is_none() && request.beside_spec.is_file()) {
            let checksum = checksum_of_file(&request.beside_spec).doing("read", &request.beside_spec)?;
            local.insert(request.file_name.clone(), checksum.sha512);
        }
        Ok(Self { requests, local })
    }

    /// The sha512 of every file by name; empty where none is known, which fetching refuses.
    #[must_use]
    pub fn checksums(&self) -> BTreeMap<String, String> {
        let checksum = |request: &SourceRequest| {
            let local = || self.local.get(&request.file_name).cloned();
            (request.file_name.clone(), request.sha512.clone().or_else(local).unwrap_or_default())
        };
        self.requests.iter().map(checksum).collect()
    }

    /// The digests of what goes into the build of the spec these are of.
    #[must_use]
    pub fn digest(&self, spec: &Evaluated) -> InputDigest {
        let spec_sha256 = planner::key::spec_digest(&spec.package.parsed);
        InputDigest { spec_sha256, sources: self.checksums(), variant: None }
    }
}

/// Fetches and verifies what the stale packages of a plan are built from.
///
/// # Errors
/// The cache cannot be used at all. A source that cannot be had is no error here: it fails its package.
pub fn fetch_sources(planning: &Planning, plan: &Plan, events: &Events) -> Result<FetchedSources, CommandError> {
    let names: Vec<&str> = plan.stale.iter().map(|(name, _)| name.as_str()).collect();
    Ok(fetch_of(planning, &names, events))
}

/// Fetches and verifies the sources of these source packages.
pub fn fetch_of(planning: &Planning, names: &[&str], events: &Events) -> FetchedSources {
    let inputs = names.iter().filter_map(|name| planning.inputs.get(*name));
    let requests: Vec<SourceRequest> = inputs.flat_map(|inputs| inputs.requests.iter().cloned()).collect();
    fetch_requests(names, &requests, &fetch_settings(planning), events)
}

/// The same for what is known of them already.
pub(super) fn fetch_requests(
    names: &[&str],
    requests: &[SourceRequest],
    settings: &FetchSettings,
    events: &Events,
) -> FetchedSources {
    let progress = |event| events.emit(event);
    let outcomes = fetch(requests, settings, &progress);
    let mut fetched: FetchedSources = names.iter().map(|name| ((*name).to_owned(), Ok(Vec::new()))).collect();
    for (request, outcome) in requests.iter().zip(outcomes) {
        let Some(entry) = fetched.get_mut(&request.package) else { continue };
        match (outcome.result, entry) {
            (Ok(source), Ok(files)) => files.push((request.file_name.clone(), source.path)),
            (Ok(_), Err(_)) => {}
            (Err(error), entry @ Ok(_)) => {
                let (reason, is_infrastructure) = (error.to_string(), error.is_infrastructure());
                *entry = Err(LackingSource { reason, is_infrastructure });
            }
            (Err(error), Err(lacking)) => {
                lacking.reason.push_str(&format!("\n{error}"));
                lacking.is_infrastructure &= error.is_infrastructure();
            }
        }
    }
    fetched
}

/// How sources are fetched for a tree.
#[must_use]
pub fn fetch_settings(planning: &Planning) -> FetchSettings {
    FetchSettings {
        lookaside: planning.settings.cache.join("lookaside"),
        tree_sources: planning.settings.sources.clone(),
        mirrors: planning.settings.file.sources.mirrors.clone(),
        parallel: 8,
        offline: planning.settings.offline,
    }
}
