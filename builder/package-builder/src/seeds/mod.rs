//! Seeds: RPM repositories that come from outside the tree, and the stages that draw on them.
//!
//! [`prepare`] turns the settings of one seed into an RPM repository in the cache, named by its content: a
//! second run with the same settings reads it back and needs no network. Files may come later than the list of
//! packages: [`ensure`] brings and verifies those that are about to be used.

mod debian;
mod error;
mod files;
mod repository;
mod settings;
mod store;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rpmspec_parser::rpm::PackageMetadata;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use self::files::Supply;

pub use error::SeedError;
pub use files::ensure;
pub use settings::{
    DebianSeed, RepositorySeed, SeedSettings, StageFile, StageRebuild, StageSettings, Stages, read_stages,
};

/// One RPM of a seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedRpm {
    /// What dependencies are solved with.
    pub metadata: PackageMetadata,
    /// The file, absolute; to be used after [`ensure`] only.
    pub path: PathBuf,
    /// SHA-256 of the whole file, hexadecimal.
    pub sha256: String,
}

/// A prepared seed.
#[derive(Clone, Debug)]
pub struct Seed {
    /// Its name in the stage files.
    pub name: String,
    /// An RPM repository: the files and `repodata/`.
    pub directory: PathBuf,
    /// Its packages, by file name.
    pub packages: Vec<SeedRpm>,
    /// SHA-256 over its name-independent content, hexadecimal.
    pub digest: String,
    /// Where its files come from.
    supply: Arc<Supply>,
}

/// What happens while a seed is prepared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeedProgress {
    /// The list of packages is being resolved.
    Resolving,
    /// So many packages of so many bytes are still to be downloaded; repeated as they arrive.
    Downloading {
        /// Packages to download.
        packages: usize,
        /// Their size in bytes.
        bytes: u64,
    },
    /// A package is an RPM now.
    Converted {
        /// Its name in the seed.
        package: String,
        /// How many are done, this one included.
        done: usize,
        /// How many there are.
        total: usize,
    },
    /// The seed is ready.
    Ready {
        /// Its number of packages.
        packages: usize,
        /// Whether it came from the cache as it was.
        cached: bool,
    },
}

/// How a seed is prepared.
#[derive(Clone, Copy, Debug)]
pub struct PrepareOptions<'a> {
    /// The cache directory; seeds are kept in `seeds/` below it.
    pub cache: &'a Path,
    /// Never use the network: what is not in the cache is an error.
    pub offline: bool,
    /// Resolve anew instead of keeping to the recorded resolution.
    pub refresh: bool,
}

/// SHA-256 of a file, hexadecimal.
pub(crate) fn sha256_of_file(path: &Path) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    let mut file = std::fs::File::open(path)?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(store::hexadecimal(&hash.finalize())),
            length => hash.update(&buffer[..length]),
        }
    }
}

/// `; near: …` with the names of a set that are most alike, or nothing.
fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>, alike: f64) -> String {
    let mut near: Vec<(f64, &str)> =
        names.into_iter().map(|other| (strsim::jaro_winkler(name, other), other)).collect();
    near.retain(|(likeness, _)| *likeness >= alike);
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let near: Vec<String> = near.iter().take(3).map(|(_, name)| format!("`{name}`")).collect();
    if near.is_empty() { String::new() } else { format!("; near: {}", near.join(", ")) }
}

/// Prepares the seed `name`: resolves, downloads, converts, or reads it back from the cache.
///
/// # Errors
/// [`SeedError`] says what failed and what to do.
pub fn prepare(
    name: &str,
    settings: &SeedSettings,
    options: PrepareOptions<'_>,
    progress: &(dyn Fn(SeedProgress) + Sync),
) -> Result<Seed, SeedError> {
    match settings {
        SeedSettings::Debian(settings) => debian::prepare(name, settings, options, progress),
        SeedSettings::Repository(settings) => repository::prepare(name, settings, options, progress),
    }
}
