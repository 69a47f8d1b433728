//! Everything that can go wrong here, each with the file it went wrong at.

use std::io;
use std::path::{Path, PathBuf};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepositoryError {
    /// The file system refused.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried: `read`, `link`, `switch`…
        action: &'static str,
        /// The file or directory it was tried on.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that should be an RPM is none, or is damaged.
    #[error("`{}` is no readable RPM: {reason}; check it with `rpm -K`, then build or fetch it again", path.display())]
    BadRpm {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Repository metadata that cannot be understood or does not fit its checksum.
    #[error("`{}` is no usable repodata: {reason}; fetch the repository again or run `createrepo_c` on it", path.display())]
    BadRepodata {
        /// The file (or its name in the repository).
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An RPM whose payload would write outside of the directory it is unpacked into, or cannot be unpacked.
    #[error("cannot unpack `{}` from `{}`: {reason}", entry.display(), path.display())]
    Unpack {
        /// The RPM.
        path: PathBuf,
        /// The entry of its payload.
        entry: PathBuf,
        /// Why it is refused.
        reason: String,
    },
    /// Two RPMs claim the same place with different content, and neither replaces the other.
    #[error(
        "`{package}` would be published twice with different content: `{}` of source package `{first_source}` and `{}` of source package `{second_source}`; raise the release of one, or take the other out first",
        first.display(), second.display()
    )]
    Conflict {
        /// The NEVRA both carry.
        package: String,
        /// The RPM that is there already, or was given first.
        first: PathBuf,
        /// The source package of the first.
        first_source: String,
        /// The RPM that was to be added.
        second: PathBuf,
        /// The source package of the second.
        second_source: String,
    },
    /// A generation is not what its repodata says.
    #[error("`{}` differs from its repodata: {reason}; publish its package again or go back to an older generation", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
    /// Something this version does not do.
    #[error("`{}`: {reason}", path.display())]
    Unsupported {
        /// The file or directory concerned.
        path: PathBuf,
        /// What is not supported, and what can be done instead.
        reason: String,
    },
}

impl RepositoryError {
    pub(crate) fn bad_rpm(path: &Path, reason: &(impl ToString + ?Sized)) -> Self {
        Self::BadRpm { path: path.to_owned(), reason: reason.to_string() }
    }

    pub(crate) fn bad_repodata(path: impl Into<PathBuf>, reason: &(impl ToString + ?Sized)) -> Self {
        Self::BadRepodata { path: path.into(), reason: reason.to_string() }
    }
}

/// Puts the action and the path to an [`io::Error`].
pub(crate) trait At<T> {
    /// Turns the error into [`RepositoryError::Io`].
    fn at(self, action: &'static str, path: &Path) -> Result<T, RepositoryError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, RepositoryError> {
        self.map_err(|source| RepositoryError::Io { action, path: path.to_owned(), source })
    }
}

impl<T> At<T> for rustix::io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, RepositoryError> {
        self.map_err(io::Error::from).at(action, path)
    }
}
