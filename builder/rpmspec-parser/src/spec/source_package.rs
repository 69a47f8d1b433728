//! What a spec evaluates to: one source package and its binary packages.

use serde::{Deserialize, Serialize};

use crate::Place;
use crate::rpm::{Capability, Dependency, Evr, Nevra};

/// A dependency and the place in the spec that states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Located<T> {
    /// What is stated.
    pub value: T,
    /// Where; `None` for what rpm adds by itself.
    pub place: Option<Place>,
}

/// One `Source` or `Patch`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Its number.
    pub number: u32,
    /// The value of the tag: a URL or a file name.
    pub url: String,
    /// Where the tag stands.
    pub place: Option<Place>,
}

impl SourceFile {
    /// The file's name below `%{_sourcedir}`: what follows the URL's last `/`.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or(&self.url)
    }
}

/// One binary package of a spec.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BinaryPackage {
    /// Its name.
    pub name: String,
    /// Its epoch.
    pub epoch: Option<u32>,
    /// Its version.
    pub version: String,
    /// Its release.
    pub release: String,
    /// Its architecture.
    pub arch: String,
    /// Its one-line summary.
    pub summary: String,
    /// Its licence.
    pub license: String,
    /// `Provides`, the package's own name included, in rpm's order.
    pub provides: Vec<Located<Capability>>,
    /// `Requires`, in rpm's order.
    pub requires: Vec<Located<Dependency>>,
    /// `Conflicts`.
    pub conflicts: Vec<Located<Dependency>>,
    /// `Obsoletes`.
    pub obsoletes: Vec<Located<Capability>>,
    /// `Recommends`.
    pub recommends: Vec<Located<Dependency>>,
    /// The lines of its `%files`, expanded; `None` without `%files`: the package is not built.
    pub files: Option<Vec<String>>,
}

impl BinaryPackage {
    /// Its epoch, version and release.
    #[must_use]
    pub fn evr(&self) -> Evr {
        Evr::new(self.epoch, &*self.version, &*self.release)
    }

    /// Its identity.
    #[must_use]
    pub fn nevra(&self) -> Nevra {
        Nevra { name: self.name.clone(), evr: self.evr(), arch: self.arch.clone() }
    }
}

/// An evaluated spec.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcePackage {
    /// The source package's name.
    pub name: String,
    /// Its epoch.
    pub epoch: Option<u32>,
    /// Its version.
    pub version: String,
    /// Its release, dist tag included.
    pub release: String,
    /// `BuildRequires`.
    pub build_requires: Vec<Located<Dependency>>,
    /// `BuildConflicts`.
    pub build_conflicts: Vec<Located<Dependency>>,
    /// `Source` files.
    pub sources: Vec<SourceFile>,
    /// `Patch` files.
    pub patches: Vec<SourceFile>,
    /// `BuildArch` of the whole spec.
    pub build_archs: Vec<String>,
    /// `ExclusiveArch`.
    pub exclusive_archs: Vec<String>,
    /// `ExcludeArch`.
    pub exclude_archs: Vec<String>,
    /// The binary packages, the main one first.
    pub packages: Vec<BinaryPackage>,
    /// The expanded text, as `rpmspec -P` prints it.
    pub parsed: String,
    /// The day of the newest changelog entry, in seconds since 1970 (noon UTC, as rpm has it).
    pub changelog_time: Option<i64>,
}

impl SourcePackage {
    /// Its epoch, version and release.
    #[must_use]
    pub fn evr(&self) -> Evr {
        Evr::new(self.epoch, &*self.version, &*self.release)
    }
}
