//! Layers over the base: what build roots need besides it, installed once and stacked from then on.
//!
//! A build root is the base, the largest layers of the library whose packages it needs, one rpm transaction for the
//! rest, and a private top. What was installed becomes a layer where a build root is wanted again; see
//! [`Library::keeps`]. Layers are named by their content and never change, so nobody waits for anybody.
//!
//! ```text
//! CACHE/layers/over/BASE/SANDBOX/DIGEST/        what is over the layers below; DIGEST of everything from the base up
//! CACHE/layers/over/BASE/SANDBOX/DIGEST.json    what it holds; the layer counts once this is there
//! CACHE/layers/over/BASE/SANDBOX/DIGEST.lock    held shared while it is used
//! CACHE/layers/over/BASE/SANDBOX/DIGEST.wanted  a build root that was wanted once
//! CACHE/layers/over/BASE/SANDBOX/.new-*/        layers being made
//! ```

mod collect;
mod entry;
mod making;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sandbox::{Sandbox, SandboxError};

use self::entry::Entry;
pub use self::making::NewLayer;
use super::BuildrootError;

/// Packages as a build root has them: NEVRA and identity, with a space between.
pub type Packages = BTreeSet<String>;

/// The layers over one base, of one kind of sandbox.
pub struct Library {
    folder: PathBuf,
    base: String,
    sandbox: Arc<dyn Sandbox>,
    entries: Mutex<BTreeMap<String, Entry>>,
}

/// Layers to stack over the base. While it is there, none of them is removed.
#[derive(Debug, Default)]
pub struct Stack {
    /// The directories, the lowest first.
    pub above: Vec<PathBuf>,
    /// What they hold together.
    pub packages: Packages,
    digests: Vec<String>,
    _in_use: Vec<File>,
}

impl std::fmt::Debug for Library {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Library").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Library {
    /// Opens the library over a base layer, by its digest, and removes what killed runs left in it.
    ///
    /// # Errors
    /// The cache cannot be read or written.
    pub async fn open(cache: &Path, base: &str, sandbox: &Arc<dyn Sandbox>) -> Result<Self, BuildrootError> {
        // Layers that an ordinary user made have other marks for what is gone than root's.
        let kind = format!("{}-{}", sandbox.name(), rustix::process::geteuid().as_raw());
        let folder = cache.join("layers/over").join(base).join(kind);
        fs::create_dir_all(&folder).map_err(BuildrootError::io(&folder))?;
        let folder = folder.canonicalize().map_err(BuildrootError::io(&folder))?;
        making::remove_leftovers(&folder, &**sandbox).await?;
        let entries = entry::read_all(&folder)?;
        Ok(Self { folder, base: base.to_owned(), sandbox: Arc::clone(sandbox), entries: Mutex::new(entries) })
    }

    /// The layers with most of what a build root needs, and nothing else.
    ///
    /// # Errors
    /// The sandbox does not answer, or a lock cannot be taken.
    pub async fn stack(&self, wanted: &Packages) -> Result<Stack, BuildrootError> {
        loop {
            let Some((digest, entry)) = self.largest(wanted) else { return Ok(Stack::default()) };
            let digests: Vec<String> = entry.below.iter().chain([&digest]).cloned().collect();
            let in_use = digests.iter().map(|digest| self.hold(digest)).collect::<Result<Vec<_>, _>>()?;
            let above: Vec<PathBuf> = digests.iter().map(|digest| self.folder.join(digest)).collect();
            // Only now it stays, if it is there at all: an engine can lose images.
            if self.are_there(&above).await? {
                entry::touch(&self.folder, &digest);
                return Ok(Stack { above, packages: entry.packages, digests, _in_use: in_use });
            }
            entry::forget(&self.folder, &digest)?;
            self.entries().remove(&digest);
        }
    }

    /// Whether what is installed for a build root is kept as a layer: where so many other builds of the run need all of
    /// it, or where it was wanted before. That it is wanted is noted.
    ///
    /// # Errors
    /// The note cannot be written.
    pub fn keeps(&self, wanted: &Packages, others: usize) -> Result<bool, BuildrootError> {
        let note = self.folder.join(format!("{}.wanted", self.digest(wanted)));
        if others > 0 || note.exists() {
            return Ok(true);
        }
        File::create(&note).map(|_| false).map_err(BuildrootError::io(&note))
    }

    fn largest(&self, wanted: &Packages) -> Option<(String, Entry)> {
        let entries = self.entries();
        let within = entries.iter().filter(|(_, entry)| entry.packages.is_subset(wanted));
        // Of equally large ones the last by name; any would do, but always the same.
        within.max_by_key(|(_, entry)| entry.packages.len()).map(|(digest, entry)| (digest.clone(), entry.clone()))
    }

    async fn are_there(&self, layers: &[PathBuf]) -> Result<bool, SandboxError> {
        for layer in layers {
            if !self.sandbox.has_layer(layer).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Keeps a layer from being removed.
    fn hold(&self, digest: &str) -> Result<File, BuildrootError> {
        let path = self.folder.join(format!("{digest}.lock"));
        let file = File::create(&path).map_err(BuildrootError::io(&path))?;
        file.lock_shared().map_err(BuildrootError::io(&path))?;
        Ok(file)
    }

    /// The name of the layers that hold these packages over the base.
    fn digest(&self, packages: &Packages) -> String {
        entry::digest(&self.base, packages)
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
