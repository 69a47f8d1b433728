//! The lock of a run: every RPM of every build root, with its checksum and where it came from.
//!
//! ```text
//! { version, arch, rpm, key_version,
//!   base: { digest, rpms: [RPM] },                      the layer below all build roots, once
//!   packages: { NAME: { evr, key, spec_sha256, sources: { FILE: sha512 },
//!                       rpms: { NEVRA: identity },      what it gave
//!                       generated: { asked_at, needs }, what its root asked for besides, if anything
//!                       replaced: [NEVRA],              of the base, what its root does not have
//!                       root: [RPM],                    what its root has above the base
//!                       cycle: { members,               the source packages that need each other with it, if any
//!                                begin: { deferred, variant, replaced, root } } } } }    how it is built before those
//! RPM: { nevra, sha256, origin: { seed: NAME } | { tree: SOURCE PACKAGE }, identity, because }
//! ```
//! An RPM of a seed is known by the checksum of its file. One of the tree is known by its identity, since building it
//! again may give another file that means the same. A cycle ends with the roots that the lock has, whatever it began with;
//! `begin` is what it begins with where nothing of it is published. Lists are sorted by name, so two locks can be compared as text.
//! [`locked`](super::locked) builds from a lock.

mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use planner::WayOut;
use serde::{Deserialize, Serialize};

use super::state::save_json;
use crate::error::{CommandError, IoContext};

/// The format's version; another one is not read.
const VERSION: u32 = 1;

/// Everything that builds were made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u32,
    /// The architecture built for.
    pub arch: String,
    /// The version of rpm that builds.
    pub rpm: String,
    /// The version of the tool's own conventions.
    pub key_version: u32,
    /// The layer below all build roots.
    pub base: LockedBase,
    /// Source packages by name.
    pub packages: BTreeMap<String, LockedPackage>,
}

/// The base layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedBase {
    /// Its digest.
    pub digest: String,
    /// What it is made of, all of seeds, sorted by name.
    pub rpms: Vec<LockedRpm>,
}

/// One build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedPackage {
    /// The spec's `[epoch:]version-release`.
    pub evr: String,
    /// The key.
    pub key: String,
    /// The digest of the evaluated spec.
    pub spec_sha256: String,
    /// The sha512 of every source and patch by its name below `%{_sourcedir}`.
    pub sources: BTreeMap<String, String>,
    /// The identity of every RPM it gave, by NEVRA.
    pub rpms: BTreeMap<String, String>,
    /// What its build root asked for besides what the spec states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<LockedNeeds>,
    /// RPMs of the base, as NEVRA, in whose place its root has others.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub replaced: BTreeSet<String>,
    /// What its root has above the base, sorted by name.
    pub root: Vec<LockedRpm>,
    /// The cycle it takes part in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycle: Option<LockedCycle>,
}

/// A package's part in a cycle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedCycle {
    /// The source packages that need each other, itself among them, sorted.
    pub members: Vec<String>,
    /// How it is built before what it needs of them, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begin: Option<LockedStart>,
}

/// How a package is built first where nothing of its cycle is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedStart {
    /// The source packages that are built later, and what is done until then.
    pub deferred: BTreeMap<String, WayOut>,
    /// What its bootstrap variant is made from, where it is built as that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<LockedVariant>,
    /// RPMs of the base, as NEVRA, in whose place its root has others.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub replaced: BTreeSet<String>,
    /// What its root has above the base, sorted by name. What comes from the cycle itself is whatever was built by then.
    pub root: Vec<LockedRpm>,
}

/// What a bootstrap variant is made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedVariant {
    /// The digest of the evaluated spec.
    pub spec_sha256: String,
    /// The sha512 of every source and patch by its name below `%{_sourcedir}`.
    pub sources: BTreeMap<String, String>,
}

/// Generated needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedNeeds {
    /// The key of the root that was asked.
    pub asked_at: String,
    /// The dependencies, as text.
    pub needs: Vec<String>,
}

/// One RPM of a build root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedRpm {
    /// Its NEVRA.
    pub nevra: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Where it came from.
    pub origin: Origin,
    /// What it means, for an RPM of the tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Who asked for it, for what, and where.
    pub because: String,
}

/// Where an RPM came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// This seed.
    Seed(String),
    /// This source package of the tree.
    Tree(String),
}

impl LockedRpm {
    /// What a key has for it.
    #[must_use]
    pub fn meaning(&self) -> &str {
        self.identity.as_deref().unwrap_or(&self.sha256)
    }
}

impl LockedPackage {
    /// Whether it and a source package need each other.
    #[must_use]
    pub fn is_in_cycle_with(&self, source: &str) -> bool {
        self.cycle.as_ref().is_some_and(|cycle| cycle.members.iter().any(|member| member == source))
    }

    /// How it begins its cycle, if it does.
    #[must_use]
    pub fn begin(&self) -> Option<&LockedStart> {
        self.cycle.as_ref()?.begin.as_ref()
    }

    /// The whole build root: what a key has for every RPM, by NEVRA.
    #[must_use]
    pub fn build_root(&self, base: &LockedBase) -> BTreeMap<String, String> {
        base.with(&self.replaced, &self.root).map(|rpm| (rpm.nevra.clone(), rpm.meaning().to_owned())).collect()
    }
}

impl LockedBase {
    /// A whole build root: the base without what is replaced, and what is above it.
    pub fn with<'a>(
        &'a self,
        replaced: &'a BTreeSet<String>,
        root: &'a [LockedRpm],
    ) -> impl Iterator<Item = &'a LockedRpm> {
        self.rpms.iter().filter(|rpm| !replaced.contains(&rpm.nevra)).chain(root)
    }
}

impl Lock {
    /// Reads a lock.
    ///
    /// # Errors
    /// It cannot be read, is damaged, or is of another version.
    pub fn read(path: &Path) -> Result<Self, CommandError> {
        let text = match std::fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(CommandError::input(format!("there is no lock `{}`", path.display()))
                    .hint("every run writes one, `out/runs/RUN/lock.json`; `package-builder lock --all` prints one"));
            }
            outcome => outcome.doing("read", path)?,
        };
        let broken = |why: String| {
            CommandError::input(format!("`{}` is no lock that this version reads: {why}", path.display()))
                .hint("write it anew: `package-builder lock NAMES --to FILE`")
        };
        // Another version may have other fields, so it is looked at first.
        let value: serde_json::Value = serde_json::from_slice(&text).map_err(|error| broken(error.to_string()))?;
        match value.get("version").and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) => return Err(broken(format!("version {version}"))),
            None => return Err(broken("it has no version".to_owned())),
        }
        serde_json::from_value(value).map_err(|error| broken(error.to_string()))
    }

    /// Writes a lock, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), CommandError> {
        save_json(self, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock() -> Lock {
        let rpm = |nevra: &str, identity: Option<&str>| LockedRpm {
            nevra: nevra.to_owned(),
            sha256: format!("file of {nevra}"),
            origin: identity.map_or(Origin::Seed("debian".to_owned()), |_| Origin::Tree("lib".to_owned())),
            identity: identity.map(ToOwned::to_owned),
            because: "the spec asks for it".to_owned(),
        };
        let app = LockedPackage {
            evr: "1-1".to_owned(),
            key: "key".to_owned(),
            spec_sha256: "spec".to_owned(),
            sources: BTreeMap::new(),
            rpms: BTreeMap::new(),
            generated: Some(LockedNeeds { asked_at: "other key".to_owned(), needs: vec!["lib >= 1".to_owned()] }),
            replaced: BTreeSet::from(["sed-1-1.x86_64".to_owned()]),
            root: vec![rpm("lib-1-1.noarch", Some("meaning"))],
            cycle: None,
        };
        Lock {
            version: VERSION,
            arch: "x86_64".to_owned(),
            rpm: "4.18".to_owned(),
            key_version: 1,
            base: LockedBase {
                digest: "base".to_owned(),
                rpms: vec![rpm("gcc-12-1.x86_64", None), rpm("sed-1-1.x86_64", None)],
            },
            packages: BTreeMap::from([("app".to_owned(), app)]),
        }
    }

    #[test]
    fn a_build_root_is_the_base_without_what_is_replaced_and_what_is_above() {
        let lock = lock();
        let root = lock.packages["app"].build_root(&lock.base);
        let root: Vec<_> = root.iter().map(|(nevra, meaning)| (&**nevra, &**meaning)).collect();
        assert_eq!(root, [("gcc-12-1.x86_64", "file of gcc-12-1.x86_64"), ("lib-1-1.noarch", "meaning")]);
    }

    #[test]
    fn what_is_written_is_read_back_and_what_is_no_lock_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("new/lock.json");
        let refused = |why: &str| {
            let error = Lock::read(&path).expect_err("it is no lock");
            assert!(error.message.contains(why) && error.kind.code() == 3 && !error.hints.is_empty(), "{error}");
        };
        refused("there is no lock");
        lock().write(&path).expect("the folder is writable");
        assert_eq!(Lock::read(&path).expect("it was just written"), lock());
        let text = std::fs::read_to_string(&path).expect("it is text");
        for (other, why) in [
            (text[..text.len() / 2].to_owned(), "is no lock that this version reads: EOF"),
            (text.replace("\"version\": 1", "\"version\": 99"), "version 99"),
            (text.replace("\"version\": 1,", ""), "it has no version"),
            (text.replace("\"because\"", "\"why\""), "unknown field `why`"),
            ("[]".to_owned(), "it has no version"),
        ] {
            std::fs::write(&path, other).expect("the folder is writable");
            refused(why);
        }
    }
}
