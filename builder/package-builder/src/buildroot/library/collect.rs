//! The size of the library is bounded: what was not used for longest goes first, and nothing that is in use.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use super::super::BuildrootError;
use super::{Library, entry};

/// How long a build root that was wanted once is remembered.
const WANTED_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

impl Library {
    /// Removes layers until those that are left were made with no more than so many bytes, and forgets old wishes. Gives
    /// how many were removed.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub async fn collect(&self, most_bytes: u64) -> Result<usize, BuildrootError> {
        let mut removed = 0;
        while let Some(digest) = self.next_to_go(most_bytes) {
            let path = self.folder.join(format!("{digest}.lock"));
            let lock = File::create(&path).map_err(BuildrootError::io(&path))?;
            self.entries().remove(&digest);
            if lock.try_lock().is_err() {
                // Someone uses it; it still is what it was, for a later look.
                continue;
            }
            entry::forget(&self.folder, &digest)?;
            self.sandbox.remove_layer(&self.folder.join(&digest)).await?;
            removed += 1;
        }
        *self.entries() = entry::read_all(&self.folder)?;
        self.forget_wishes()?;
        Ok(removed)
    }

    /// The layer that was not used for longest and that no other stands on, if there are too many.
    fn next_to_go(&self, most_bytes: u64) -> Option<String> {
        let entries = self.entries();
        let bytes = entries.values().fold(0_u64, |sum, entry| sum.saturating_add(entry.bytes));
        if bytes <= most_bytes {
            return None;
        }
        let is_free = |digest: &&String| !entries.values().any(|entry| entry.below.contains(digest));
        entries.keys().filter(is_free).min_by_key(|digest| (entry::last_use(&self.folder, digest), *digest)).cloned()
    }

    fn forget_wishes(&self) -> Result<(), BuildrootError> {
        for file in fs::read_dir(&self.folder).map_err(BuildrootError::io(&self.folder))? {
            let path = file.map_err(BuildrootError::io(&self.folder))?.path();
            let noted = || fs::metadata(&path).and_then(|file| file.modified()).unwrap_or_else(|_| SystemTime::now());
            let is_old = || SystemTime::now().duration_since(noted()).is_ok_and(|age| age > WANTED_FOR);
            if path.extension().is_some_and(|extension| extension == "wanted") && is_old() {
                fs::remove_file(&path).map_err(BuildrootError::io(&path))?;
            }
        }
        Ok(())
    }
}
