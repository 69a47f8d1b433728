//! New layers, from the first file of their making to their place in the library.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sandbox::{Sandbox, Session};
use tempfile::TempDir;

use super::super::BuildrootError;
use super::{Entry, Library, Packages, Stack, entry};

/// What the folders of layers that are being made begin with.
const NEW: &str = ".new-";

/// A layer that is being made over others.
#[derive(Debug)]
pub struct NewLayer {
    working: TempDir,
    packages: Packages,
    /// Tells others that this is no leftover.
    _in_use: File,
}

impl NewLayer {
    /// The scratch directory of the session that becomes the layer.
    #[must_use]
    pub fn scratch(&self) -> PathBuf {
        self.working.path().join("scratch")
    }
}

impl Library {
    /// Begins a layer with which a stack holds these packages.
    ///
    /// # Errors
    /// The library cannot be written to.
    pub fn begin(&self, packages: Packages) -> Result<NewLayer, BuildrootError> {
        let working = tempfile::Builder::new().prefix(NEW).tempdir_in(&self.folder);
        let working = working.map_err(BuildrootError::io(&self.folder))?;
        let (lock, scratch) = (working.path().join("lock"), working.path().join("scratch"));
        let in_use = File::create(&lock).map_err(BuildrootError::io(&lock))?;
        in_use.lock().map_err(BuildrootError::io(&lock))?;
        fs::create_dir(&scratch).map_err(BuildrootError::io(&scratch))?;
        Ok(NewLayer { working, packages, _in_use: in_use })
    }

    /// Makes a session, in which what the stack lacked was installed, the layer that completes the stack.
    ///
    /// # Errors
    /// The sandbox or the disk failed.
    pub async fn finish(
        &self,
        new: NewLayer,
        session: Box<dyn Session>,
        stack: Stack,
    ) -> Result<Stack, BuildrootError> {
        let NewLayer { working, packages, _in_use } = new;
        let digest = self.digest(&packages);
        let layer = self.folder.join(&digest);
        let bytes = session.usage().disk.unwrap_or_default();
        let held = self.hold(&digest)?;
        let made = session.into_layer(&layer).await;
        // Another process may have been faster; then there is one of the same name, and so the same content.
        if let Err(error) = made
            && !self.sandbox.has_layer(&layer).await?
        {
            return Err(error.into());
        }
        let path = working.path().to_owned();
        working.close().map_err(BuildrootError::io(&path))?;
        let entry = Entry { packages: packages.clone(), below: stack.digests.clone(), bytes };
        entry::write(&self.folder, &digest, &entry)?;
        self.entries().insert(digest.clone(), entry);
        let Stack { mut above, mut digests, _in_use: mut in_use, .. } = stack;
        above.push(layer);
        digests.push(digest);
        in_use.push(held);
        Ok(Stack { above, packages, digests, _in_use: in_use })
    }
}

/// Removes what killed runs left: folders that nobody holds, and layers that nobody got to know of.
pub(super) async fn remove_leftovers(folder: &Path, sandbox: &dyn Sandbox) -> Result<(), BuildrootError> {
    for entry in fs::read_dir(folder).map_err(BuildrootError::io(folder))? {
        let path = entry.map_err(BuildrootError::io(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(NEW) {
            let is_held = File::open(path.join("lock")).is_ok_and(|lock| lock.try_lock().is_err());
            if !is_held {
                remove_new(&path, sandbox).await?;
            }
        } else if path.is_dir() && !folder.join(format!("{name}.json")).exists() {
            let lock = File::create(folder.join(format!("{name}.lock"))).map_err(BuildrootError::io(&path))?;
            // Whoever holds it is about to write what it holds.
            if lock.try_lock().is_ok() && !folder.join(format!("{name}.json")).exists() {
                sandbox.remove_layer(&path).await?;
            }
        }
    }
    Ok(())
}

/// Removes a folder in which a layer was made.
async fn remove_new(path: &Path, sandbox: &dyn Sandbox) -> Result<(), BuildrootError> {
    // What a session wrote is as a layer is, and may be other users' files.
    let upper = path.join("scratch/upper");
    if upper.is_dir() {
        sandbox.remove_layer(&upper).await?;
    }
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(BuildrootError::io(path)(error)),
        _ => Ok(()),
    }
}
