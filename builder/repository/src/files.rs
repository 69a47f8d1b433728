//! Files and directories of a generation: linked or copied, listed, synced.

use std::fs::{self, File};
use std::io;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// Syncs files, and a directory with all directories below it.
///
/// Many at a time: the file system writes its journal once for all that wait for it, and each write costs the same.
pub(crate) fn sync_all(directory: &Path, mut paths: Vec<PathBuf>) -> Result<(), RepositoryError> {
    directories_below(directory, &mut paths)?;
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), RepositoryError> {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            sync(path)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..paths.len().min(MOST_AT_A_TIME)).map(|_| scope.spawn(work)).collect();
        // All are waited for, whatever comes first.
        let results = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
        results.fold(Ok(()), Result::and)
    })
}

/// So many threads wait for the disk at the same time.
const MOST_AT_A_TIME: usize = 16;

fn directories_below(directory: &Path, directories: &mut Vec<PathBuf>) -> Result<(), RepositoryError> {
    for entry in fs::read_dir(directory).at("list", directory)? {
        let entry = entry.at("list", directory)?;
        if entry.file_type().at("examine", &entry.path())?.is_dir() {
            directories_below(&entry.path(), directories)?;
        }
    }
    directories.push(directory.to_owned());
    Ok(())
}

/// What a file holds, or what a directory lists, is on the disk when this returns.
pub(crate) fn sync(path: &Path) -> Result<(), RepositoryError> {
    File::open(path).and_then(|file| file.sync_all()).at("sync", path)
}
