//! Why a source cannot be had; each says what to do next.

use std::path::PathBuf;

/// One origin that was tried in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The origin as the user would write it.
    pub origin: String,
    /// Why it did not work; a lowercase fragment, may have several lines.
    pub reason: String,
    /// Whether it gave a file, but another one.
    pub is_other_content: bool,
}

/// Why a source cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Nothing says what the file must be.
    #[error(
        "`{file}` of `{package}` has no sha512, and nothing is fetched without one; `package-builder fetch --lock {package}` writes it to SPECS/{package}/sources"
    )]
    MissingChecksum {
        /// The source package.
        package: String,
        /// The file's name.
        file: String,
    },
    /// A patch or a local source that is not there.
    #[error(
        "`{file}` of `{package}` has no URL and is not in `{directory}`; add the file there, or name its sha512 and origins in SPECS/{package}/sources",
        directory = directory.display()
    )]
    NotBesideSpec {
        /// The source package.
        package: String,
        /// The file's name.
        file: String,
        /// Where it should be.
        directory: PathBuf,
    },
    /// The file in the tree is not the one its checksum names.
    #[error(
        "`{path}` has sha512 {got}, SPECS/{package}/sources says {expected}; restore the file, or take its table out of `sources` and type `package-builder fetch --lock {package}`",
        path = path.display()
    )]
    WrongChecksumInTree {
        /// The source package.
        package: String,
        /// The file.
        path: PathBuf,
        /// What `sources` says.
        expected: String,
        /// What it is.
        got: String,
    },
    /// No origin gave the file.
    #[error(
        "no origin has `{file}` of `{package}`:{attempts}\nput the file into SOURCES/ by hand, or add an origin to SPECS/{package}/sources",
        attempts = lines_of(attempts)
    )]
    Unavailable {
        /// The source package.
        package: String,
        /// The file's name.
        file: String,
        /// Every origin, in the order tried.
        attempts: Vec<Attempt>,
    },
    /// A file of the tree or the cache cannot be read or written.
    #[error("{path}: {reason}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The manifest cannot be extended by machine.
    #[error("{path}:{line}: {reason}", path = path.display())]
    Manifest {
        /// The `sources` file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// Why.
        reason: String,
    },
}

impl SourceError {
    /// Whether the machine or an origin failed, so that the same tree may do later.
    #[must_use]
    pub fn is_infrastructure(&self) -> bool {
        match self {
            SourceError::File { .. } => true,
            SourceError::Unavailable { attempts, .. } => attempts.iter().any(|attempt| !attempt.is_other_content),
            SourceError::MissingChecksum { .. }
            | SourceError::NotBesideSpec { .. }
            | SourceError::WrongChecksumInTree { .. }
            | SourceError::Manifest { .. } => false,
        }
    }

    pub(super) fn file(path: impl Into<PathBuf>, error: &std::io::Error) -> SourceError {
        let full = matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
        let hint = if full { "; make room there, or choose another cache directory" } else { "" };
        SourceError::File { path: path.into(), reason: format!("{error}{hint}") }
    }
}

fn lines_of(attempts: &[Attempt]) -> String {
    if attempts.is_empty() {
        return " none is known".to_owned();
    }
    let one = |attempt: &Attempt| format!("\n  {}: {}", attempt.origin, attempt.reason.replace('\n', "\n    "));
    attempts.iter().map(one).collect()
}
