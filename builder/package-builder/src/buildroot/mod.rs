//! Build roots: the immutable base layer that all builds of a stage are stacked on, and the macros in it.
//!
//! ```text
//! CACHE/layers/DIGEST/        a root file system; DIGEST of the packages it was made of
//! CACHE/layers/DIGEST.lock    held while it is made
//! CACHE/layers/over/          layers over base layers ([`library`])
//! CACHE/macros/DIGEST.json    macro files and rpmrc of an install set
//! ```

mod base;
mod bootstrap;
pub mod library;
mod macro_files;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sandbox::SandboxError;

use crate::seeds::{SeedError, SeedRpm};

pub use base::{base_digest, prepare_base};
pub use library::Library;
pub use macro_files::macro_context;

/// A base layer in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseLayer {
    /// The root file system: immutable, named by its content.
    pub directory: PathBuf,
    /// SHA-256 over what it was made of, hexadecimal; the last part of `directory`.
    pub digest: String,
}

/// The layers that build roots are stacked from.
#[derive(Clone, Debug)]
pub struct Layers {
    /// The base layer's root file system.
    pub base: PathBuf,
    /// The layers over it.
    pub library: Arc<Library>,
}

/// What happens while a base layer is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BaseProgress {
    /// The payloads of what rpm itself needs are unpacked.
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

/// Makes sure that RPMs are in the cache and are what they should be; called just before their files are used.
pub type Bring<'a> = &'a (dyn Fn(&[&SeedRpm]) -> Result<(), SeedError> + Sync);

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
    /// An RPM of the set cannot be had.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// An RPM of the set is broken.
    #[error(transparent)]
    Package(#[from] ::repository::RepositoryError),
    /// The set cannot install itself.
    #[error("no package of the base has `{path}`; add one that does to `buildroot` in the stage's file")]
    Incomplete {
        /// The file rpm's own installation needs.
        path: String,
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

impl BuildrootError {
    /// For `map_err`: an I/O error at a place.
    fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
