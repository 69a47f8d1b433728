//! What the library's files say.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::super::BuildrootError;
use super::Packages;

/// Part of every digest: raised whenever the same packages would become another layer.
const LIBRARY_VERSION: &str = "1";

/// One layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// What it and the layers below it hold together.
    pub(super) packages: Packages,
    /// The digests of the layers below it, the lowest first.
    pub(super) below: Vec<String>,
    /// How much was written to make it, in bytes.
    pub(super) bytes: u64,
}

/// SHA-256 over everything from the base up, hexadecimal.
pub(super) fn digest(base: &str, packages: &Packages) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("library {LIBRARY_VERSION}\n{base}\n"));
    packages.iter().for_each(|package| hash.update(format!("{package}\n")));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every entry that can be read and whose layer is there with all below it. Others are as good as none.
pub(super) fn read_all(folder: &Path) -> Result<BTreeMap<String, Entry>, BuildrootError> {
    let mut entries = BTreeMap::new();
    for file in fs::read_dir(folder).map_err(BuildrootError::io(folder))? {
        let path = file.map_err(BuildrootError::io(folder))?.path();
        let digest = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".json"));
        let Some(digest) = digest else { continue };
        let entry = fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Entry>(&text).ok());
        let is_there = |digest: &String| folder.join(digest).is_dir();
        if let Some(entry) = entry.filter(|entry| is_there(&digest.to_owned()) && entry.below.iter().all(is_there)) {
            entries.insert(digest.to_owned(), entry);
        }
    }
    Ok(entries)
}

/// Writes an entry, whole or not at all.
pub(super) fn write(folder: &Path, digest: &str, entry: &Entry) -> Result<(), BuildrootError> {
    let path = folder.join(format!("{digest}.json"));
    let io = |error: std::io::Error| BuildrootError::Io { path: path.clone(), source: error };
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    serde_json::to_writer(&mut file, entry).map_err(std::io::Error::from).and_then(|()| file.flush()).map_err(io)?;
    file.persist(&path).map_err(|error| io(error.error)).map(drop)
}

/// Takes an entry away; its layer is no longer one.
pub(super) fn forget(folder: &Path, digest: &str) -> Result<(), BuildrootError> {
    let path = folder.join(format!("{digest}.json"));
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(BuildrootError::Io { path, source: error }),
        _ => Ok(()),
    }
}

/// Notes that a layer is used, for whoever has to choose which to remove. Nothing depends on it.
pub(super) fn touch(folder: &Path, digest: &str) {
    let file = File::options().append(true).open(folder.join(format!("{digest}.json")));
    file.and_then(|file| file.set_modified(SystemTime::now())).ok();
}

/// When a layer was used last.
pub(super) fn last_use(folder: &Path, digest: &str) -> SystemTime {
    let file = fs::metadata(folder.join(format!("{digest}.json")));
    file.and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}
