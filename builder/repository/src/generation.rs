//! Generations on disk: immutable, complete states of the repository, and the link to the current one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::RepositoryError;
use crate::header::RpmFile;

/// One immutable state of the repository: `generations/NUMBER/` with RPMS, SRPMS and repodata.
#[derive(Clone, Debug)]
pub struct Generation {
    number: u64,
    directory: PathBuf,
    packages: Arc<[RpmFile]>,
}

impl Generation {
    /// Its number; a later generation has a larger one.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Its directory, which clients can use as a repository for as long as it is not collected.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Every RPM and SRPM, ordered by location; the paths are those within this generation.
    #[must_use]
    pub fn packages(&self) -> &[RpmFile] {
        &self.packages
    }

    /// Checks every file of the generation against the repodata, and the repodata against `repomd.xml`.
    ///
    /// # Errors
    /// The first file that is missing, too many or different.
    pub fn verify(&self) -> Result<(), RepositoryError> {
        Err(unsupported(&self.directory))
    }
}

fn unsupported(path: &Path) -> RepositoryError {
    RepositoryError::Unsupported { path: path.to_owned(), reason: "generations are not written yet".to_owned() }
}

/// What is to differ in the next generation.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// RPM and SRPM files to add. They are linked (copied across file systems), never moved.
    pub add: Vec<PathBuf>,
    /// Names of source packages whose RPMs and SRPM are taken out before: a rebuilt package names
    /// itself here, so that subpackages it no longer makes do not stay.
    pub remove: BTreeSet<String>,
}

/// The generations below an output directory. One process writes at a time; any number may read `repo`.
#[derive(Debug)]
pub struct Generations {
    output: PathBuf,
}

impl Generations {
    /// Opens `output/generations`, making it where there is none, and clears away what a killed publish left.
    ///
    /// # Errors
    /// The directory cannot be made or read, or the current generation is damaged.
    pub fn open(output: impl AsRef<Path>) -> Result<Self, RepositoryError> {
        Ok(Self { output: output.as_ref().to_owned() })
    }

    /// The generation `repo` points at; none before the first publish.
    #[must_use]
    pub fn current(&self) -> Option<Generation> {
        None
    }

    /// Writes the next generation and makes it the current one. Nothing changes when it fails.
    ///
    /// # Errors
    /// A file to add is no RPM, two RPMs conflict, or the file system refuses.
    pub fn publish(&self, _change: &Change) -> Result<Generation, RepositoryError> {
        Err(unsupported(&self.output))
    }

    /// Removes all generations but the current one and the newest `keep` before it.
    ///
    /// # Errors
    /// A directory cannot be removed.
    pub fn gc(&self, _keep: usize) -> Result<Vec<u64>, RepositoryError> {
        Err(unsupported(&self.output))
    }
}
