//! Seeds that are RPM repositories already: a directory or a URL.
//!
//! ```text
//! url ─► repomd.xml ─► trusted? ─► primary, filelists ─► chosen packages ─► CACHE/seeds/KEY/ (no RPM yet)
//! ```
//! KEY is of the repomd.xml's checksum and of the choice, so mirrors of one repository share it. What a URL was
//! resolved to is recorded and kept to; a directory is read again by every run, and a change in it is a change
//! of the tree. RPMs come when they are used: see [`Seed::ensure`].

mod choose;
mod origin;
mod signature;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::repository::{Repomd, RepositoryIndex};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub(super) use self::origin::Origin;
use self::signature::SignatureError;
use super::files::{Source, Supply};
use super::store::{self, Listed, Store};
use super::{PrepareOptions, RepositorySeed, Seed, SeedError, SeedProgress};

/// Part of every key: raised whenever the same repodata would become another list.
const FORMAT_VERSION: &str = "1";

const REPOMD: &str = "repodata/repomd.xml";

/// What a URL was resolved to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Resolution {
    url: String,
    repomd_sha256: String,
    /// Why the repodata is believed.
    trust: Trust,
}

/// Why repodata is believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Trust {
    /// It is a directory of this host, and as safe as the tree itself.
    Directory,
    /// The settings name its checksum.
    Pinned,
    /// It is signed by the key with this fingerprint.
    Signed(String),
    /// The settings say that it is not verified.
    Unverified,
}

/// Prepares a seed of kind `repository`.
pub(super) fn prepare(
    name: &str,
    settings: &RepositorySeed,
    options: PrepareOptions<'_>,
    progress: &(dyn Fn(SeedProgress) + Sync),
) -> Result<Seed, SeedError> {
    let key = settings.gpg_key.as_deref().map(|path| std::fs::read(path).map_err(SeedError::io(path))).transpose()?;
    let key_sha256 = key.as_deref().map(sha256).unwrap_or_default();
    let settings_key = store::key(&["repository", FORMAT_VERSION, name, &store::json(name, settings)?, &key_sha256]);
    let store = Store::open(name, options.cache, &settings_key)?;
    let scratch = store.scratch()?;
    let origin = Origin::new(&settings.url, &settings.mirrors);
    let is_local = origin.is_local();
    let preparation = Preparation { name, settings, key, origin, store: &store, scratch: scratch.path() };
    let recorded: Option<Resolution> = if is_local || options.refresh { None } else { store.resolution()? };
    if let Some(resolution) = &recorded
        && let Some(seed) = store.find(&preparation.content_key(&resolution.repomd_sha256))
    {
        progress(SeedProgress::Ready { packages: seed.packages.len(), cached: true });
        return Ok(preparation.supplied(seed, options.offline));
    }
    if options.offline && !is_local {
        let missing = format!("the repodata of {} was never fetched", settings.url);
        return Err(SeedError::Offline { seed: name.to_owned(), missing });
    }
    progress(SeedProgress::Resolving);
    let repomd = preparation.read(REPOMD, None)?;
    let repomd_sha256 = sha256(&repomd);
    if recorded.is_some_and(|recorded| recorded.repomd_sha256 != repomd_sha256) {
        return Err(preparation.changed());
    }
    let trust = preparation.trust(&repomd, &repomd_sha256)?;
    let content_key = preparation.content_key(&repomd_sha256);
    let found = store.find(&content_key);
    let cached = found.is_some();
    let seed = match found {
        Some(seed) => seed,
        None => store.publish(&content_key, |_| true, |directory| preparation.fill(&repomd, directory))?,
    };
    store.record(&Resolution { url: settings.url.clone(), repomd_sha256, trust })?;
    progress(SeedProgress::Ready { packages: seed.packages.len(), cached });
    Ok(preparation.supplied(seed, options.offline))
}

/// One seed on its way.
struct Preparation<'a> {
    name: &'a str,
    settings: &'a RepositorySeed,
    /// The content of the key file.
    key: Option<Vec<u8>>,
    origin: Origin,
    store: &'a Store,
    scratch: &'a Path,
}

impl Preparation<'_> {
    fn content_key(&self, repomd_sha256: &str) -> String {
        let choice = [self.settings.packages.join("\n"), self.settings.exclude.join("\n")];
        store::key(&["repository", FORMAT_VERSION, repomd_sha256, &choice[0], &choice[1]])
    }

    /// The seed, able to bring its files.
    fn supplied(self, mut seed: Seed, offline: bool) -> Seed {
        let hint = self.hint();
        let source = Source { origin: self.origin, offline, hint };
        seed.supply = Arc::new(Supply::new(seed.supply.sizes().clone()).from(source));
        seed
    }

    /// What to do when a file is missing or not what the repodata says.
    fn hint(&self) -> String {
        match &self.origin {
            Origin::Directory(directory) => {
                format!("mend the directory and run `createrepo_c {}` again", directory.display())
            }
            Origin::Web { .. } => format!(
                "try again later; if the repository has changed since it was resolved, type `rm {}` to resolve it anew",
                self.store.resolution_path().display()
            ),
        }
    }

    fn changed(&self) -> SeedError {
        self.unusable(format!(
            "{} has changed since it was resolved, and the cache no longer has what it was; type `rm {}` to resolve it anew",
            self.origin.name_of(REPOMD),
            self.store.resolution_path().display()
        ))
    }

    fn unusable(&self, reason: String) -> SeedError {
        SeedError::Unusable { seed: self.name.to_owned(), reason }
    }

    /// The place of the settings, for errors.
    fn table(&self) -> String {
        format!("`[seed.{}]` of {}", self.name, self.settings.file.display())
    }

    fn read(&self, location: &str, size: Option<u64>) -> Result<Vec<u8>, SeedError> {
        self.origin.read(location, size, self.scratch).map_err(|reason| {
            let hint = match &self.origin {
                Origin::Directory(directory) if location == REPOMD => format!(
                    "make it a repository with `createrepo_c {}`, or correct `url` in {}",
                    directory.display(),
                    self.table()
                ),
                Origin::Directory(_) => self.hint(),
                Origin::Web { .. } => format!("look at the network and its proxy, and at `url` in {}", self.table()),
            };
            SeedError::Fetch {
                seed: self.name.to_owned(),
                action: format!("reading {}", self.origin.name_of(location)),
                output: reason,
                hint,
            }
        })
    }

    /// Why this repomd.xml is believed; an error if nothing says that it may be.
    fn trust(&self, repomd: &[u8], repomd_sha256: &str) -> Result<Trust, SeedError> {
        let place = self.origin.name_of(REPOMD);
        let pinned = match &self.settings.repomd_sha256 {
            None => false,
            Some(pinned) if pinned.eq_ignore_ascii_case(repomd_sha256) => true,
            Some(pinned) => {
                return Err(self.unusable(format!(
                    "the sha256 of {place} is {repomd_sha256}, and {} says {pinned}; if the change is wanted, write `repomd-sha256 = \"{repomd_sha256}\"` there",
                    self.table()
                )));
            }
        };
        if let Some(key) = &self.key {
            let signature = self.read(&format!("{REPOMD}.asc"), None)?;
            return match signature::verify(key, repomd, &signature, self.scratch) {
                Ok(fingerprint) => Ok(Trust::Signed(fingerprint)),
                Err(SignatureError::NoProgram) => Err(SeedError::MissingProgram {
                    seed: self.name.to_owned(),
                    program: "gpgv".to_owned(),
                    hint: "install GnuPG (`apt-get install gpgv`, `dnf install gnupg2`)".to_owned(),
                }),
                Err(SignatureError::Bad(reason)) => Err(self.unusable(format!(
                    "the signature of {place} is not accepted: {reason}; look at `gpg-key` in {}",
                    self.table()
                ))),
            };
        }
        if pinned {
            return Ok(Trust::Pinned);
        }
        if self.origin.is_local() {
            return Ok(Trust::Directory);
        }
        if self.settings.unverified {
            return Ok(Trust::Unverified);
        }
        Err(self.unusable(format!(
            "nothing says that {place} is genuine; write one of these into {}:\n  \
             gpg-key = \"FILE\"  (its repodata is signed by this public key)\n  \
             repomd-sha256 = \"{repomd_sha256}\"  (what it is now, and nothing else)\n  \
             unverified = true  (whatever it is)",
            self.table()
        )))
    }

    /// Fetches, verifies and reads the repodata, and keeps it in `directory`.
    fn fill(&self, repomd_bytes: &[u8], directory: &Path) -> Result<Vec<Listed>, SeedError> {
        let repomd_name = PathBuf::from(self.origin.name_of(REPOMD));
        let repomd = Repomd::parse(&repomd_name, repomd_bytes).map_err(|error| self.unusable(error.to_string()))?;
        self.keep(directory, REPOMD, repomd_bytes)?;
        let mut files = Vec::new();
        for kind in ["primary", "filelists"] {
            // Without filelists, primary's own files have to do.
            let record = match repomd.record(&repomd_name, kind) {
                Err(_) if kind == "filelists" => continue,
                record => record.map_err(|error| self.unusable(error.to_string()))?,
            };
            let bytes = self.read(&record.location, record.size)?;
            let name = PathBuf::from(self.origin.name_of(&record.location));
            record.check(&name, &bytes).map_err(|error| self.unusable(error.to_string()))?;
            self.keep(directory, &record.location, &bytes)?;
            files.push((name, bytes));
        }
        let pair = |place: usize| files.get(place).map(|(name, bytes): &(PathBuf, Vec<u8>)| (name.as_path(), &**bytes));
        let primary = pair(0).unwrap_or((&repomd_name, repomd_bytes));
        let index = RepositoryIndex::from_repodata(primary, pair(1));
        let index = index.map_err(|error| self.unusable(error.to_string()))?;
        choose::choose(index.packages, self.settings)
            .map_err(|reason| self.unusable(format!("{}: {reason} (see {})", self.settings.url, self.table())))
    }

    fn keep(&self, directory: &Path, location: &str, bytes: &[u8]) -> Result<(), SeedError> {
        let path = directory.join(location);
        let parent = path.parent().unwrap_or(directory);
        std::fs::create_dir_all(parent).map_err(SeedError::io(parent))?;
        std::fs::write(&path, bytes).map_err(SeedError::io(&path))
    }
}

fn sha256(bytes: &[u8]) -> String {
    store::hexadecimal(&Sha256::digest(bytes))
}
