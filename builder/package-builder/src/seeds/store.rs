//! The cache of prepared seeds: resolutions, and repositories named by their content.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{Seed, SeedError, SeedRpm};

/// The list of a repository's packages, beside its `repodata`.
const PACKAGES: &str = "packages.json";

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
        let lock_path = directory.join(format!("{settings_key}.lock"));
        let lock = File::create(&lock_path).map_err(SeedError::io(&lock_path))?;
        lock.lock().map_err(SeedError::io(&lock_path))?;
        Ok(Self { seed: seed.to_owned(), directory, settings_key: settings_key.to_owned(), _lock: lock })
    }

    fn resolution_path(&self) -> PathBuf {
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

    /// The repository of that key, if it is there.
    pub(super) fn find(&self, key: &str) -> Result<Option<Seed>, SeedError> {
        let directory = self.directory.join(key);
        let list = directory.join(PACKAGES);
        let Ok(text) = fs::read(&list) else { return Ok(None) };
        let packages: Result<Vec<SeedRpm>, _> = serde_json::from_slice(&text);
        let Ok(mut packages) = packages else { return Ok(None) };
        for package in &mut packages {
            // The list holds file names only, so that a cache can be moved.
            package.path = directory.join(&package.path);
            if !package.path.is_file() {
                return Ok(None);
            }
        }
        Ok(Some(Seed { name: self.seed.clone(), directory, packages, digest: key.to_owned() }))
    }

    /// Fills a new repository of that key and publishes it by one rename.
    pub(super) fn publish(
        &self,
        key: &str,
        fill: impl FnOnce(&Path) -> Result<(), SeedError>,
    ) -> Result<Seed, SeedError> {
        let working = tempfile::Builder::new().prefix(".new-").tempdir_in(&self.directory);
        let working = working.map_err(SeedError::io(&self.directory))?;
        fill(working.path())?;
        let packages = read_packages(&self.seed, working.path())?;
        let list = working.path().join(PACKAGES);
        fs::write(&list, json(&self.seed, &packages)?).map_err(SeedError::io(&list))?;
        let directory = self.directory.join(key);
        if directory.exists() {
            // What `find` did not accept is damaged.
            fs::remove_dir_all(&directory).map_err(SeedError::io(&directory))?;
        }
        make_readable(working.path())?;
        fs::rename(working.path(), &directory).map_err(SeedError::io(&directory))?;
        let _ = working.keep();
        self.find(key)?.ok_or_else(|| SeedError::Unusable {
            seed: self.seed.clone(),
            reason: format!("{} vanished while it was made; run again", directory.display()),
        })
    }
}

/// Temporary directories are private; a repository is for everyone who may read the cache.
fn make_readable(path: &Path) -> Result<(), SeedError> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(SeedError::io(path))
}

/// Reads the headers of all RPMs of a directory, ordered by file name; paths are relative to it.
fn read_packages(seed: &str, directory: &Path) -> Result<Vec<SeedRpm>, SeedError> {
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
        let file = ::repository::read_rpm(&path).map_err(|error| SeedError::package(seed, &name, error))?;
        Ok(SeedRpm { metadata: (*file.metadata).clone(), path: PathBuf::from(name), sha256: file.sha256 })
    });
    packages.collect()
}

/// A value as JSON.
pub(super) fn json<T: Serialize>(seed: &str, value: &T) -> Result<String, SeedError> {
    serde_json::to_string_pretty(value)
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
        assert!(store.find("k").unwrap().is_none());
        let build = |directory: &Path| {
            let mut builder = rpm::PackageBuilder::new("a", "1", "MIT", "noarch", "a");
            let package = builder.release("1").build().unwrap();
            package.write_file(directory.join("a-1-1.noarch.rpm")).unwrap();
            Ok(())
        };
        let seed = store.publish("k", build).unwrap();
        assert_eq!(seed.packages[0].metadata.nevra.to_string(), "a-1-1.noarch");
        assert_eq!(store.find("k").unwrap().unwrap().packages, seed.packages);
        fs::remove_file(&seed.packages[0].path).unwrap();
        assert!(store.find("k").unwrap().is_none(), "a file is gone");
        store.publish("k", build).unwrap();
        assert!(store.find("k").unwrap().is_some(), "a damaged seed is replaced");
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
