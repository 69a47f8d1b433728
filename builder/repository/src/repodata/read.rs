//! Reads the repodata of any RPM repository into the packages it lists.

use std::path::Path;

use rpmspec_parser::rpm::PackageMetadata;

use crate::error::RepositoryError;

/// One package of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedPackage {
    /// Its NEVRA, dependencies and files. Without filelists only the files that primary lists.
    pub metadata: PackageMetadata,
    /// Where it lies, relative to the repository's root.
    pub location: String,
    /// The SHA-256 of the file, in lower-case hexadecimal.
    pub sha256: String,
    /// The size of the file in bytes.
    pub size: u64,
}

/// What a repository offers, from its repodata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryIndex {
    /// Every package, in the order of primary.
    pub packages: Vec<IndexedPackage>,
}

impl RepositoryIndex {
    /// Loads the repodata below a repository's root, all files of all packages included.
    ///
    /// # Errors
    /// There is no repodata, or it is damaged.
    pub fn load_directory(path: impl AsRef<Path>) -> Result<Self, RepositoryError> {
        Err(RepositoryError::bad_repodata(path.as_ref(), "reading is not written yet"))
    }
}
