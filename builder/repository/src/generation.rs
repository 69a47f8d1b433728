//! Generations on disk: immutable, complete states of the repository, and the link to the current one.
//!
//! ```text
//! OUTPUT/repo -> generations/7       what clients point at; only ever replaced by rename
//! OUTPUT/generations/7/              RPMS/ARCH/*.rpm, SRPMS/*.rpm, SEEDS/ARCH/*.rpm, repodata/
//! OUTPUT/generations/.lock           held while something is written
//! OUTPUT/generations/.next-8         a generation that is being written
//! OUTPUT/generations/.publishing-8   generation 8 has its name, but `repo` may not point at it yet
//! OUTPUT/generations/.old-5          a generation that is being removed
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use crate::error::{At, RepositoryError};
use crate::header::{self, Checksum, RpmFile};
use crate::repodata::chunks::Chunk;
use crate::repodata::write::Fragments;
use crate::repodata::{Repomd, RepositoryIndex};

/// One immutable state of the repository: `generations/NUMBER/` with RPMS, SRPMS and repodata.
#[derive(Clone, Debug)]
pub struct Generation {
    number: u64,
    directory: PathBuf,
    packages: Arc<[RpmFile]>,
}

impl Generation {
    pub(crate) fn new(number: u64, directory: PathBuf, entries: &Entries) -> Self {
        let packages = entries.iter().map(|(location, entry)| {
            let mut file = entry.file.clone();
            file.path = directory.join(location);
            file
        });
        let packages = packages.collect();
        Self { number, directory, packages }
    }

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

    /// The RPMs that were built from the tree.
    pub fn built(&self) -> impl Iterator<Item = &RpmFile> {
        self.packages.iter().filter(|file| file.is_built())
    }

    /// Checks every file of the generation against the repodata, and the repodata against `repomd.xml`.
    ///
    /// # Errors
    /// The first file that is missing, too many or different.
    pub fn verify(&self) -> Result<(), RepositoryError> {
        let index = RepositoryIndex::load_directory(&self.directory)?;
        index.packages.par_iter().try_for_each(|package| {
            let path = self.directory.join(&package.location);
            let (sha256, size) = header::hash_file(&path)?;
            if (&sha256, size) == (&package.sha256, package.size) {
                return Ok(());
            }
            let reason =
                format!("it has {size} bytes and sha256 {sha256}, not {} and {}", package.size, package.sha256);
            Err(RepositoryError::Damaged { path, reason })
        })?;
        let listed: BTreeSet<_> = index.packages.iter().map(|package| self.directory.join(&package.location)).collect();
        let mut found = Vec::new();
        for folder in ["RPMS", "SRPMS", header::SEEDS] {
            files_below(&self.directory.join(folder), &mut found)?;
        }
        match found.into_iter().find(|path| !listed.contains(path)) {
            Some(path) => Err(RepositoryError::Damaged { path, reason: "it is not listed".to_owned() }),
            None => Ok(()),
        }
    }
}

/// Every file below a directory, which may be missing.
pub(crate) fn files_below(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), RepositoryError> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.at("list", directory)?,
    };
    for entry in entries {
        let entry = entry.at("list", directory)?;
        if entry.file_type().at("examine", &entry.path())?.is_dir() {
            files_below(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// What is kept of a published RPM from one generation to the next, so that it is read only once.
pub(crate) struct Entry {
    /// Its path is where it was first read.
    pub(crate) file: RpmFile,
    pub(crate) fragments: Arc<Fragments>,
}

/// The RPMs of a generation by location.
pub(crate) type Entries = BTreeMap<String, Arc<Entry>>;

/// Reads one RPM for publishing.
pub(crate) fn read_entry(path: &Path, checksum: Checksum, is_seed: bool) -> Result<Entry, RepositoryError> {
    let mut rpm = header::read(path, checksum)?;
    rpm.file.is_seed = is_seed;
    let fragments = Fragments::new(&rpm, &rpm.file.location())?;
    Ok(Entry { file: rpm.file, fragments: Arc::new(fragments) })
}

/// A generation in memory, with what is needed to write the next.
#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) generation: Generation,
    pub(crate) entries: Entries,
    pub(crate) repomd: Repomd,
    /// What its repodata was put together from; nothing where it was read from disk.
    pub(crate) chunks: Vec<Arc<Chunk>>,
}

impl Loaded {
    /// Reads a generation from disk: the headers, with the checksums that its repodata knows.
    pub(crate) fn read(number: u64, directory: PathBuf) -> Result<Self, RepositoryError> {
        let name = directory.join("repodata/repomd.xml");
        let repomd = Repomd::parse(&name, &fs::read(&name).at("read", &name)?)?;
        let index = RepositoryIndex::load_directory_without_filelists(&directory)?;
        let entries = index.packages.into_par_iter().map(|package| {
            let path = directory.join(&package.location);
            let is_seed = Path::new(&package.location).starts_with(header::SEEDS);
            let entry = read_entry(&path, Checksum::Known(package.sha256), is_seed)?;
            let damaged = |reason: String| Err(RepositoryError::Damaged { path, reason });
            if entry.file.size != package.size {
                return damaged(format!("it has {} bytes, not {}", entry.file.size, package.size));
            }
            if entry.file.location() != package.location {
                return damaged(format!("it is `{}`", entry.file.location()));
            }
            Ok((package.location, Arc::new(entry)))
        });
        let entries = entries.collect::<Result<Entries, RepositoryError>>()?;
        Ok(Self { generation: Generation::new(number, directory, &entries), entries, repomd, chunks: Vec::new() })
    }
}
