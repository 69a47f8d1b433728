//! Folders of the cache that hold what can be had again: files written whole and with a checksum, in bounded number.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

/// So many folders of one kind stay, the latest used ones.
const MOST_FOLDERS: usize = 12;

/// So many files stay in a folder, about the latest written ones: some hundred megabytes at most.
const MOST_FILES: usize = 8000;

/// A folder of files by name.
#[derive(Debug)]
pub(super) struct Kept {
    folder: PathBuf,
}

impl Kept {
    /// Opens the folder `name` of a kind, and forgets what has become too much. A folder that cannot be used keeps
    /// nothing.
    pub(super) fn open(kind: &Path, name: &str) -> Self {
        let folder = kind.join(name);
        if fs::create_dir_all(&folder).is_ok() {
            // The folders' times say which were used last.
            let now = fs::FileTimes::new().set_modified(SystemTime::now());
            let _ = fs::File::open(&folder).and_then(|folder| folder.set_times(now));
            let _ = keep_newest(kind, MOST_FOLDERS);
            let _ = keep_newest(&folder, MOST_FILES);
        }
        Self { folder }
    }

    /// The content of a file, if it is there and whole.
    pub(super) fn read(&self, name: &str) -> Option<Vec<u8>> {
        let mut bytes = fs::read(self.folder.join(name)).ok()?;
        let (content, checksum) = bytes.split_last_chunk::<4>()?;
        if crc32fast::hash(content) != u32::from_le_bytes(*checksum) {
            return None;
        }
        bytes.truncate(bytes.len() - checksum.len());
        Some(bytes)
    }

    /// Writes a file, or nothing of it. What cannot be kept is had again when it is needed, so there is no error.
    pub(super) fn write(&self, name: &str, content: &[u8]) {
        let write = || -> io::Result<()> {
            let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.folder)?;
            file.write_all(content)?;
            file.write_all(&crc32fast::hash(content).to_le_bytes())?;
            file.persist(self.folder.join(name))?;
            Ok(())
        };
        let _ = write();
    }
}

/// A name for what some parts make together: their SHA-256, where each part ends included.
pub(super) fn name_of<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Removes the oldest entries of a folder that has more than `most`, with a quarter to spare.
fn keep_newest(folder: &Path, most: usize) -> io::Result<()> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    if entries.len() <= most {
        return Ok(());
    }
    let mut aged = Vec::new();
    for entry in entries {
        aged.push((entry.metadata()?.modified()?, entry.path()));
    }
    aged.sort();
    let surplus = aged.len() - (most - most / 4);
    for (_, path) in &aged[..surplus] {
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_damaged_is_not_there() {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let kept = Kept::open(cache.path(), "folder");
        kept.write("file", b"content");
        assert_eq!(kept.read("file").as_deref(), Some(b"content".as_slice()));
        for damaged in [&b"content1234"[..], b"con", b""] {
            fs::write(cache.path().join("folder/file"), damaged).expect("it can be written");
            assert_eq!(kept.read("file"), None, "{damaged:?}");
        }
    }

    #[test]
    fn the_latest_folders_and_files_stay() {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let names = || {
            let names = fs::read_dir(cache.path()).expect("it is there").filter_map(Result::ok);
            let mut names: Vec<_> = names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            names
        };
        for number in 10..10 + MOST_FOLDERS {
            Kept::open(cache.path(), &number.to_string());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Kept::open(cache.path(), "10");
        assert_eq!(names().len(), MOST_FOLDERS);
        Kept::open(cache.path(), "99");
        let left = names();
        assert_eq!(left.len(), MOST_FOLDERS - MOST_FOLDERS / 4);
        assert!(left.contains(&"10".to_owned()) && left.contains(&"99".to_owned()), "{left:?}");
        assert!(!left.contains(&"11".to_owned()), "{left:?}");
    }

    #[test]
    fn names_depend_on_where_parts_end() {
        assert_ne!(name_of([&b"ab"[..], b"c"]), name_of([&b"a"[..], b"bc"]));
    }
}
