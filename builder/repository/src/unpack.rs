//! Unpacks payloads into a directory, without rpm and without running scripts.

use std::path::{Path, PathBuf};

use crate::error::RepositoryError;

/// What unpacking did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Regular files written.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Paths whose file capabilities were not set.
    pub without_capabilities: Vec<String>,
}

/// Unpacks one RPM below `destination`.
///
/// # Errors
/// The RPM is damaged, or a path of it would lead out of the destination.
pub fn unpack(rpm: impl AsRef<Path>, destination: impl AsRef<Path>) -> Result<Unpacked, RepositoryError> {
    unpack_all(&[rpm.as_ref().to_owned()], destination)
}

/// Unpacks many RPMs below `destination`, in parallel, as if one after the other.
///
/// # Errors
/// As [`unpack`].
pub fn unpack_all(rpms: &[PathBuf], _destination: impl AsRef<Path>) -> Result<Unpacked, RepositoryError> {
    Err(RepositoryError::Unsupported {
        path: rpms.first().cloned().unwrap_or_default(),
        reason: "unpacking is not written yet".to_owned(),
    })
}
