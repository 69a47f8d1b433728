//! The cache of prepared seeds: resolutions, and repositories named by their content.
//!
//! ```text
//! CACHE/seeds/KEY.lock.json             a resolution; KEY of the settings it was made for
//! CACHE/seeds/KEY/                      a repository; KEY of what it is made of
//!   repodata/ *.rpm                     as any RPM repository
//!   packages.json packages.json.sha256  the list of its packages, read instead of repodata
//! ```
//! Everything appears by one rename. What a killed run left behind is removed by the next one that prepares
//! the same seed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::files::Supply;
use super::{Seed, SeedError, SeedRpm};

/// The list of a repository's packages, beside its `repodata`.
const PACKAGES: &str = "packages.json";
/// SHA-256 of that list.
const PACKAGES_CHECKSUM: &str = "packages.json.sha256";
const REPOMD: &str = "repodata/repomd.xml";

/// A package as the list has it; its path is relative to the repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listed {
    pub(super) rpm: SeedRpm,
    /// The file's size in bytes.
    pub(super) size: u64,
}

/// The place of one seed with one set of settings, locked against a second run.
pub(super) struct Store {
    seed: String,
    directory: PathBuf,
    settings_key: String,
    _lock: File,
}

impl Store {
    /// Opens the store, waiting for another run that prepares the same seed.
    pub(super) fn open(seed: &str, cache: &Path, settings_key: &str) -> Result<Self, SeedError> {
        let directory = cache.join("seeds");
        fs::create_dir_all(&directory).map_err(SeedError::io(&directory))?;
        let directory = directory.canonicalize().map_err(SeedError::io(&directory))?;
        let lock = lock(&directory.join(format!("{settings_key}.lock")))?;
        let store = Self { seed: seed.to_owned(), directory, settings_key: settings_key.to_owned(), _lock: lock };
        store.remove_leftovers()?;
        Ok(store)
    }

    /// Temporary directories of these settings belong to runs that were killed: this one holds the lock.
    fn remove_leftovers(&self) -> Result<(), SeedError> {
        let prefix = self.temporary_prefix();
        for entry in fs::read_dir(&self.directory).map_err(SeedError::io(&self.directory))? {
            let entry = entry.map_err(SeedError::io(&self.directory))?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                fs::remove_dir_all(entry.path()).map_err(SeedError::io(&entry.path()))?;
            }
        }
        Ok(())
    }

    fn temporary_prefix(&self) -> String {
        format!(".new-{}-", self.settings_key)
    }

    /// A temporary directory of this run.
    pub(super) fn scratch(&self) -> Result<tempfile::TempDir, SeedError> {
        let scratch = tempfile::Builder::new().prefix(&self.temporary_prefix()).tempdir_in(&self.directory);
        scratch.map_err(SeedError::io(&self.directory))
    }

    /// Where the resolution is recorded; without this file the seed is resolved anew.
    pub(super) fn resolution_path(&self) -> PathBuf {
        self.directory.join(format!("{}.lock.json", self.settings_key))
    }

    /// The recorded resolution. One that cannot be read counts as none: it is made again.
    pub(super) fn resolution<T: DeserializeOwned>(&self) -> Result<Option<T>, SeedError> {
        let path = self.resolution_path();
        match fs::read(&path) {
            Ok(text) => Ok(serde_json::from_slice(&text).ok()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(SeedError::io(&path)(error)),
        }
    }

    /// Records a resolution.
    pub(super) fn record<T: Serialize>(&self, resolution: &T) -> Result<(), SeedError> {
        let path = self.resolution_path();
        write_whole(&path, json(&self.seed, resolution)?.as_bytes())
    }

    /// The repository of that key, if it is there. Its RPMs may not be: see [`is_complete`].
    pub(super) fn find(&self, key: &str) -> Option<Seed> {
        let directory = self.directory.join(key);
        let text = fs::read(directory.join(PACKAGES)).ok()?;
        let checksum = fs::read_to_string(directory.join(PACKAGES_CHECKSUM)).ok()?;
        // What is damaged counts as not there: it is made again.
        if checksum.trim() != hexadecimal(&Sha256::digest(&text)) || !directory.join(REPOMD).is_file() {
            return None;
        }
        let listed: Vec<Listed> = serde_json::from_slice(&text).ok()?;
        let mut sizes = Vec::with_capacity(listed.len());
        let mut packages = Vec::with_capacity(listed.len());
        for Listed { mut rpm, size } in listed {
            // The list holds relative paths, so that a cache can be moved.
            rpm.path = directory.join(&rpm.path);
            sizes.push((rpm.path.clone(), size));
            packages.push(rpm);
        }
        let supply = Arc::new(Supply::new(sizes.into_iter().collect()));
        Some(Seed { name: self.seed.clone(), directory, packages, digest: key.to_owned(), supply })
    }

    /// Fills a new repository of that key and publishes it by one rename. `fill` gives the list of its packages.
    /// One that another run published meanwhile is taken, if it is `good`.
    pub(super) fn publish(
        &self,
        key: &str,
        good: impl Fn(&Seed) -> bool,
        fill: impl FnOnce(&Path) -> Result<Vec<Listed>, SeedError>,
    ) -> Result<Seed, SeedError> {
        let working = self.scratch()?;
        let text = compact_json(&self.seed, &fill(working.path())?)?;
        let write = |name, bytes: &[u8]| {
            let path = working.path().join(name);
            fs::write(&path, bytes).map_err(SeedError::io(&path))
        };
        write(PACKAGES, text.as_bytes())?;
        write(PACKAGES_CHECKSUM, hexadecimal(&Sha256::digest(&text)).as_bytes())?;
        make_readable(working.path())?;
        // Seeds with other settings can have the same content.
        let _lock = lock(&self.directory.join(format!("{key}.lock")))?;
        if let Some(seed) = self.find(key).filter(good) {
            return Ok(seed);
        }
        let directory = self.directory.join(key);
        if directory.exists() {
            // What `find` did not accept is damaged.
            fs::remove_dir_all(&directory).map_err(SeedError::io(&directory))?;
        }
        fs::rename(working.path(), &directory).map_err(SeedError::io(&directory))?;
        let _ = working.keep();
        self.find(key).ok_or_else(|| SeedError::Unusable {
            seed: self.seed.clone(),
            reason: format!("{} vanished while it was made; run again", directory.display()),
        })
    }
}

/// Whether all RPMs of a seed are in the cache.
pub(super) fn is_complete(seed: &Seed) -> bool {
    seed.packages.iter().all(|rpm| rpm.path.is_file())
}

/// An exclusive lock on a file, waited for; held until it is dropped.
pub(super) fn lock(path: &Path) -> Result<File, SeedError> {
    let lock = File::create(path).map_err(SeedError::io(path))?;
    lock.lock().map_err(SeedError::io(path))?;
    Ok(lock)
}

/// Temporary directories are private; a repository is for everyone who may read the cache.
fn make_readable(path: &Path) -> Result<(), SeedError> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(SeedError::io(path))
}

/// Reads the headers of all RPMs of a directory, ordered by file name; paths are relative to it.
pub(super) fn read_packages(seed: &str, directory: &Path) -> Result<Vec<Listed>, SeedError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(SeedError::io(directory))? {
        let path = entry.map_err(SeedError::io(directory))?.path();
        if path.extension().is_some_and(|extension| extension == "rpm") {
            files.push(path);
        }
    }
    files.sort();
    let packages = files.into_par_iter().map(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let file = ::repository::read_rpm(&path).map_err(|error| SeedError::package(seed, &name, &error))?;
        let rpm = SeedRpm { metadata: (*file.metadata).clone(), path: PathBuf::from(name), sha256: file.sha256 };
        Ok(Listed { rpm, size: file.size })
    });
    packages.collect()
}

/// A value as JSON.
pub(super) fn json<T: Serialize>(seed: &str, value: &T) -> Result<String, SeedError> {
    serde_json::to_string_pretty(value)
        .map_err(|error| SeedError::Unusable { seed: seed.to_owned(), reason: error.to_string() })
}

fn compact_json<T: Serialize>(seed: &str, value: &T) -> Result<String, SeedError> {
    serde_json::to_string(value)
        .map_err(|error| SeedError::Unusable { seed: seed.to_owned(), reason: error.to_string() })
}

/// SHA-256 over parts, each with its length, hexadecimal.
pub(super) fn key(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hexadecimal(&hash.finalize())
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a file beside and renames it, so that readers see the old or the new one.
fn write_whole(path: &Path, content: &[u8]) -> Result<(), SeedError> {
    let beside = path.with_extension("new");
    fs::write(&beside, content).map_err(SeedError::io(&beside))?;
    fs::rename(&beside, path).map_err(SeedError::io(path))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;

    #[test]
    fn keys_depend_on_where_parts_end() {
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_eq!(key(&["ab"]).len(), 64);
    }

    #[test]
    fn a_seed_is_found_after_it_was_published_and_not_when_it_is_damaged() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::open("x", cache.path(), "settings").unwrap();
        assert!(store.find("k").is_none());
        let fill = |directory: &Path| {
            let mut builder = rpm::PackageBuilder::new("a", "1", "MIT", "noarch", "a");
            let package = builder.release("1").build().unwrap();
            package.write_file(directory.join("a-1-1.noarch.rpm")).unwrap();
            ::repository::write_repodata(directory).unwrap();
            read_packages("x", directory)
        };
        let seed = store.publish("k", is_complete, fill).unwrap();
        assert_eq!(seed.packages[0].metadata.nevra.to_string(), "a-1-1.noarch");
        assert_eq!(store.find("k").unwrap().packages, seed.packages);
        fs::remove_file(&seed.packages[0].path).unwrap();
        assert!(!is_complete(&store.find("k").unwrap()), "a file is gone");
        assert!(is_complete(&store.publish("k", is_complete, fill).unwrap()), "a damaged seed is replaced");
        let list = seed.directory.join(PACKAGES);
        fs::write(&list, fs::read_to_string(&list).unwrap().replace("\"a\"", "\"b\"")).unwrap();
        assert!(store.find("k").is_none(), "its list was changed");
    }

    #[test]
    fn what_a_killed_run_left_behind_is_removed_by_the_next() {
        let cache = tempfile::tempdir().unwrap();
        let seeds = cache.path().join("seeds");
        fs::create_dir_all(seeds.join(".new-settings-abc/half")).unwrap();
        fs::create_dir_all(seeds.join(".new-other-abc/half")).unwrap();
        let store = Store::open("x", cache.path(), "settings").unwrap();
        assert!(!seeds.join(".new-settings-abc").exists());
        assert!(seeds.join(".new-other-abc").exists(), "another seed may be at work there");
        fs::write(store.resolution_path(), "{\"half").unwrap();
        assert_eq!(store.resolution::<Vec<u32>>().unwrap(), None, "a damaged resolution is made again");
    }

    #[test]
    fn a_resolution_is_kept() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::open("x", cache.path(), "settings").unwrap();
        assert_eq!(store.resolution::<Vec<u32>>().unwrap(), None);
        store.record(&vec![1, 2]).unwrap();
        assert_eq!(store.resolution::<Vec<u32>>().unwrap(), Some(vec![1, 2]));
    }
}
