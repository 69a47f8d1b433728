//! What a package says of itself to others: the part of a header that dependencies are solved with.

use serde::{Deserialize, Serialize};

use super::{Capability, Dependency, Nevra};

/// The dependencies, capabilities and files of one RPM, from its header, from repodata, or as its spec
/// promises them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageMetadata {
    /// Its identity.
    pub nevra: Nevra,
    /// The file name of the SRPM it was built from, where known (`zlib-1.3.1-1.src.rpm`).
    pub source_rpm: Option<String>,
    /// What it offers, its own name with its EVR included.
    pub provides: Vec<Capability>,
    /// What must be there when it is installed; `rpmlib(…)` needs are left out.
    pub requires: Vec<Dependency>,
    /// What must not be there.
    pub conflicts: Vec<Dependency>,
    /// Names it replaces.
    pub obsoletes: Vec<Capability>,
    /// Weak forward needs, which a policy may follow.
    pub recommends: Vec<Dependency>,
    /// Absolute paths of its files and directories.
    pub files: Vec<String>,
}

impl PackageMetadata {
    /// Starts the metadata of a package that only provides itself.
    #[must_use]
    pub fn new(nevra: Nevra) -> Self {
        let own = Capability::exact(&nevra.name, nevra.evr.clone());
        Self {
            nevra,
            source_rpm: None,
            provides: vec![own],
            requires: Vec::new(),
            conflicts: Vec::new(),
            obsoletes: Vec::new(),
            recommends: Vec::new(),
            files: Vec::new(),
        }
    }
}
