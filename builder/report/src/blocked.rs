//! What a plan cannot build, and what kind of thing stands in the way.

use serde::{Deserialize, Serialize};

/// A package that the plan leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BlockedPackage {
    /// The source package.
    pub package: String,
    /// A lowercase fragment; may have several lines.
    pub reason: String,
    /// What kind of reason it is.
    #[serde(default)]
    pub hindrance: Hindrance,
}

/// What stands in the way of a build.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Hindrance {
    /// The spec or the settings leave it out.
    Excluded,
    /// Another spec makes a package of the same name.
    Duplicate,
    /// Its own needs cannot be met.
    Unresolvable,
    /// It and others need each other, and nothing opens the cycle.
    Cycle,
    /// Something it needs cannot be built.
    Needs {
        /// The source package at the end of the chain of needs: the one to mend. Of several, the first by name.
        root: String,
    },
    /// Not told, as in the journals of earlier versions.
    #[default]
    #[serde(other)]
    Untold,
}

impl BlockedPackage {
    /// Whether nobody wants it to be built here.
    pub fn is_excluded(&self) -> bool {
        self.hindrance == Hindrance::Excluded
    }

    /// The root cause, where the reason does not name it.
    pub(crate) fn root_beyond_reason(&self) -> Option<&str> {
        let Hindrance::Needs { root } = &self.hindrance else { return None };
        let named = |word: &str| word.trim_matches(['`', ',']) == root;
        (!self.reason.split_whitespace().any(named)).then_some(root)
    }
}
