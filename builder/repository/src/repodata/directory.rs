//! Repodata for a plain directory of RPMs, which is swapped in whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rayon::prelude::*;
use rustix::fs::{CWD, RenameFlags};

use super::write::{self, Fragments};
use crate::error::{At, RepositoryError};
use crate::files::{sync, sync_all};
use crate::generation::files_below;
use crate::header::{self, Checksum};

/// Writes `DIRECTORY/repodata` for every `.rpm` file below the directory, as `createrepo_c` does, and
/// gives their number. A reader sees the old or the new repodata; nothing changes on an error.
///
/// # Errors
/// A file is no RPM or has a name that is not UTF-8, or the file system refuses.
pub fn write_repodata(directory: impl AsRef<Path>) -> Result<usize, RepositoryError> {
    let directory = directory.as_ref();
    let mut files = Vec::new();
    files_below(directory, &mut files)?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rpm"));
    let mut files = files.into_iter().map(|path| Ok((location(directory, &path)?, path)));
    let mut files = files.by_ref().collect::<Result<Vec<(String, PathBuf)>, RepositoryError>>()?;
    files.sort();
    let fragments = files
        .par_iter()
        .map(|(location, path)| Ok(Arc::new(Fragments::new(&header::read(path, Checksum::Compute)?, location)?)));
    let fragments = fragments.collect::<Result<Vec<_>, RepositoryError>>()?;

    let temporary = tempfile::Builder::new().prefix(".repodata-").tempdir_in(directory).at("write below", directory)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (repomd, _) = write::write(temporary.path(), &fragments, &[], now, now)?;
    sync_all(temporary.path(), write::files(temporary.path(), &repomd))?;
    let (new, old) = (temporary.path().join("repodata"), directory.join("repodata"));
    if old.exists() {
        // Both names stay valid at every moment; the old one goes with the temporary directory.
        rustix::fs::renameat_with(CWD, &new, CWD, &old, RenameFlags::EXCHANGE).at("switch", &old)?;
    } else {
        fs::rename(&new, &old).at("switch", &old)?;
    }
    sync(directory)?;
    Ok(files.len())
}

fn location(directory: &Path, path: &Path) -> Result<String, RepositoryError> {
    let inside = path.strip_prefix(directory).unwrap_or(path);
    let text = inside.to_str().ok_or_else(|| RepositoryError::bad_rpm(path, "its name is not UTF-8"))?;
    Ok(text.to_owned())
}
