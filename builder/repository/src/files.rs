//! Files and directories of a generation: linked or copied, listed, synced.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD};
use rustix::io::Errno;

use crate::error::{At, RepositoryError};

/// A directory that is removed unless it was renamed.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        // A failure leaves a hidden directory that the next open removes.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The names in a directory, in order.
pub(crate) fn names_in(directory: &Path) -> Result<Vec<String>, RepositoryError> {
    let entries = fs::read_dir(directory).at("list", directory)?;
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<io::Result<Vec<_>>>().at("list", directory)?;
    names.sort_unstable();
    Ok(names)
}

/// A second name for a file, or a copy where there can be none (another file system, too many links). Of a symbolic
/// link it is the file it leads to that gets the name: what is published must not hang on anything outside.
pub(crate) fn link_or_copy(from: &Path, to: &Path) -> Result<(), RepositoryError> {
    match rustix::fs::linkat(CWD, from, CWD, to, AtFlags::SYMLINK_FOLLOW) {
        Ok(()) => return Ok(()),
        Err(error @ Errno::NOENT) => return Err(error).at("link", from),
        Err(_) => {}
    }
    let mut input = File::open(from).at("open", from)?;
    let mut output = File::create_new(to).at("make", to)?;
    io::copy(&mut input, &mut output).at("copy", from)?;
    // Repodata tells the time of the file, which must not depend on how it came here.
    let modified = input.metadata().and_then(|status| status.modified()).at("examine", from)?;
    output.set_modified(modified).and_then(|()| output.sync_all()).at("write", to)
}

/// Syncs a directory and those below it; files have been synced when they were written.
pub(crate) fn sync_directories(directory: &Path) -> Result<(), RepositoryError> {
    for entry in fs::read_dir(directory).at("list", directory)? {
        let entry = entry.at("list", directory)?;
        if entry.file_type().at("examine", &entry.path())?.is_dir() {
            sync_directories(&entry.path())?;
        }
    }
    sync_directory(directory)
}

/// Syncs what a directory lists.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), RepositoryError> {
    File::open(directory).and_then(|file| file.sync_all()).at("sync", directory)
}
