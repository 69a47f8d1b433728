//! What is known of earlier builds: one JSON file, replaced by rename.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use super::generated::GeneratedNeeds;
use planner::KnownBuild;
use serde::{Deserialize, Serialize};

use crate::error::{CommandError, IoContext};

/// The format's version; another one is not read.
const VERSION: u32 = 1;

/// What is known of one source package.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct BuiltPackage {
    /// What the plan compares with.
    pub known: KnownBuild,
    /// The identity of every RPM it gave, by NEVRA.
    pub rpms: BTreeMap<String, String>,
    /// How long the build took, in seconds.
    pub seconds: f64,
    /// Whether `%check` was left out.
    #[serde(default)]
    pub unchecked: bool,
}

/// All that is known.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    version: u32,
    /// Source packages by name.
    pub packages: BTreeMap<String, BuiltPackage>,
    /// What builds turned out to need besides what their specs state, by source package.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub generated: BTreeMap<String, GeneratedNeeds>,
}

impl Default for State {
    fn default() -> Self {
        Self { version: VERSION, packages: BTreeMap::new(), generated: BTreeMap::new() }
    }
}

impl State {
    /// Reads the state, or starts empty where there is none.
    ///
    /// # Errors
    /// The file is there and cannot be read, or is of another version.
    pub fn load(path: &Path) -> Result<Self, CommandError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).doing("read", path),
        };
        let broken = |why: String| {
            CommandError::infrastructure(format!("`{}` is not a state this version reads: {why}", path.display()))
                .hint("remove the file; everything is then built anew, and what comes out the same stays published")
        };
        let state: Self = serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
        if state.version == VERSION { Ok(state) } else { Err(broken(format!("version {}", state.version))) }
    }

    /// Replaces the file, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), CommandError> {
        save_json(self, path)
    }

    /// What the plan compares with, by source package.
    #[must_use]
    pub fn known(&self) -> BTreeMap<String, KnownBuild> {
        self.packages.iter().map(|(name, built)| (name.clone(), built.known.clone())).collect()
    }

    /// Seconds of earlier builds by source package.
    #[must_use]
    pub fn durations(&self) -> BTreeMap<String, f64> {
        self.packages.iter().map(|(name, built)| (name.clone(), built.seconds)).collect()
    }
}

/// Writes a value as JSON beside a file and puts it in its place by a rename: whole or not at all.
pub(super) fn save_json(value: &impl Serialize, path: &Path) -> Result<(), CommandError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).doing("create", folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).doing("write to", folder)?;
    serde_json::to_writer_pretty(&mut file, value)
        .map_err(std::io::Error::from)
        .and_then(|()| file.flush())
        .and_then(|()| file.as_file().sync_all())
        .doing("write", path)?;
    file.persist(path).map_err(|error| error.error).doing("replace", path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_read_back_and_other_versions_are_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("state.json");
        let mut state = State::load(&path).expect("no file is an empty state");
        state.packages.insert("jq".to_owned(), BuiltPackage { seconds: 2.5, ..BuiltPackage::default() });
        state.save(&path).expect("the folder is writable");
        assert_eq!(
            State::load(&path).expect("it was just written").durations(),
            BTreeMap::from([("jq".to_owned(), 2.5)])
        );
        state.version = 99;
        state.save(&path).expect("the folder is writable");
        assert!(State::load(&path).expect_err("a later version").message.contains("version 99"));
    }
}
