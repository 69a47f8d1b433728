//! Name, EVR and architecture: what identifies an RPM.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Evr;

/// `name-epoch:version-release.arch`, the identity of any RPM.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Nevra {
    /// The package's name.
    pub name: String,
    /// Its epoch, version and release.
    pub evr: Evr,
    /// Its architecture: `x86_64`, `noarch`, `src`…
    pub arch: String,
}

impl Nevra {
    /// The name rpmbuild gives the file: `name-version-release.arch.rpm`, without the epoch.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{}-{}.{}.rpm", self.name, self.evr.version, self.evr.release, self.arch)
    }
}

impl fmt::Display for Nevra {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}.{}", self.name, self.evr, self.arch)
    }
}
