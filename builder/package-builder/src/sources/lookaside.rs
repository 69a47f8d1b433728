//! The lookaside cache: files named by their content.
//!
//! An entry is hashed whenever it is handed out. One that no longer is what its name says is thrown away, so the next
//! fetch mends the cache by itself; entries arrive by rename, so a reader sees a whole file or none.

use super::checksum::checksum_of_file;
use super::error::SourceError;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A cache in one directory, made when first written to.
#[derive(Debug, Clone)]
pub(super) struct Lookaside {
    directory: PathBuf,
}

/// What a look into the cache gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The verified file and its size.
    Yes(PathBuf, u64),
    /// Nothing under this name.
    No,
    /// Something else under this name; it is gone now.
    WasCorrupt,
}

impl Lookaside {
    pub(super) fn new(directory: &Path) -> Lookaside {
        Lookaside { directory: directory.to_owned() }
    }

    /// Where a file of this content is, or would be.
    pub(super) fn path_of(&self, sha512: &str) -> PathBuf {
        self.directory.join("sha512").join(&sha512[..2]).join(sha512)
    }

    /// Looks for a file and verifies it.
    pub(super) fn get(&self, sha512: &str) -> Result<Found, SourceError> {
        let path = self.path_of(sha512);
        match checksum_of_file(&path) {
            Ok(checksum) if checksum.sha512 == sha512 => Ok(Found::Yes(path, checksum.size)),
            Ok(_) => {
                fs::remove_file(&path).map_err(|error| SourceError::file(&path, &error))?;
                Ok(Found::WasCorrupt)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Found::No),
            Err(error) => Err(SourceError::file(path, &error)),
        }
    }

    /// Takes a file whose content was just found to be `sha512`, from within the cache's own directory.
    pub(super) fn adopt(&self, incoming: &Path, sha512: &str) -> Result<PathBuf, SourceError> {
        let path = self.path_of(sha512);
        make_parent(&path)?;
        let adopt = || {
            // Content first, then the name: a power cut must not leave an empty file under a good name.
            File::open(incoming)?.sync_all()?;
            fs::set_permissions(incoming, Permissions::from_mode(0o444))?;
            fs::rename(incoming, &path)
        };
        adopt().map_err(|error| SourceError::file(&path, &error))?;
        Ok(path)
    }

    /// A place for a file on its way in; the same name gives the same place, so that downloads go on where they were.
    pub(super) fn incoming(&self, name: &str) -> Result<PathBuf, SourceError> {
        let path = self.directory.join("incoming").join(name);
        make_parent(&path)?;
        Ok(path)
    }

    /// Puts a file with a wrong checksum aside, for someone to look at.
    pub(super) fn reject(&self, incoming: &Path, file_name: &str) -> Result<PathBuf, SourceError> {
        let path = self.directory.join("rejected").join(format!("{file_name}.rejected"));
        make_parent(&path)?;
        fs::rename(incoming, &path).map_err(|error| SourceError::file(&path, &error))?;
        Ok(path)
    }
}

fn make_parent(path: &Path) -> Result<(), SourceError> {
    let parent = path.parent().expect("paths in the cache have a parent");
    fs::create_dir_all(parent).map_err(|error| SourceError::file(parent, &error))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;

    #[test]
    fn an_entry_that_changed_is_thrown_away() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Lookaside::new(directory.path());
        let incoming = cache.incoming("a.part").unwrap();
        fs::write(&incoming, "abc").unwrap();
        let sha512 = checksum_of_file(&incoming).unwrap().sha512;
        assert_eq!(cache.get(&sha512).unwrap(), Found::No);
        let path = cache.adopt(&incoming, &sha512).unwrap();
        assert_eq!(cache.get(&sha512).unwrap(), Found::Yes(path.clone(), 3));
        fs::remove_file(&path).unwrap();
        fs::write(&path, "abd").unwrap();
        assert_eq!(cache.get(&sha512).unwrap(), Found::WasCorrupt);
        assert_eq!(cache.get(&sha512).unwrap(), Found::No);
    }
}
