//! What can go wrong with seeds and stage files.

use std::path::{Path, PathBuf};

/// Why a seed or a stage file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// A file or directory could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The place.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A stage file is not what it should be.
    #[error("{}: {reason}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its line.
        reason: String,
    },
    /// The host lacks a program.
    #[error("`{program}` is not installed, and seed `{seed}` needs it: {hint}")]
    MissingProgram {
        /// The seed.
        seed: String,
        /// The program.
        program: String,
        /// What to type.
        hint: String,
    },
    /// The host's package manager could not resolve or download.
    #[error("seed `{seed}`: {action} failed: {output}\n{hint}")]
    Fetch {
        /// The seed.
        seed: String,
        /// What was being done.
        action: String,
        /// The last lines the program wrote.
        output: String,
        /// What to do.
        hint: String,
    },
    /// Something has to be downloaded, and the network is off.
    #[error("seed `{seed}` is not in the cache ({missing}); run once without `--offline`")]
    Offline {
        /// The seed.
        seed: String,
        /// What is missing.
        missing: String,
    },
    /// A package could not be converted or read.
    #[error("seed `{seed}`: {package}: {reason}")]
    Package {
        /// The seed.
        seed: String,
        /// The package or file.
        package: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The settings ask for something that is not there.
    #[error("seed `{seed}`: {reason}")]
    Unusable {
        /// The seed.
        seed: String,
        /// Why, and what to do.
        reason: String,
    },
}

impl SeedError {
    /// Whether the machine or a server failed, so that the same tree may do later or elsewhere; otherwise the
    /// stage files, or what they name, must be corrected.
    #[must_use]
    pub fn is_infrastructure(&self) -> bool {
        !matches!(self, Self::Settings { .. } | Self::Unusable { .. })
    }

    /// For `map_err`: an I/O error at a place.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    /// A package of a seed with what is wrong with it.
    pub(crate) fn package(seed: &str, package: impl Into<String>, reason: &(impl ToString + ?Sized)) -> Self {
        Self::Package { seed: seed.to_owned(), package: package.into(), reason: reason.to_string() }
    }
}
