//! The state as versions before the database kept it: one JSON file beside, which is read once and taken over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{BuiltPackage, State};
use crate::error::{CommandError, IoContext};
use crate::runner::GeneratedNeeds;

/// The one version there was.
const VERSION: u32 = 1;

#[derive(Deserialize)]
struct Former {
    version: u32,
    packages: BTreeMap<String, BuiltPackage>,
    #[serde(default)]
    generated: BTreeMap<String, GeneratedNeeds>,
}

/// Takes over what the file has and the database has not. It is written with the next save, which removes the file; so
/// a file that is there was not taken over, or only its removal is lacking, and then the database has all of it.
pub(super) fn take_over(state: &mut State, database: &Path) -> Result<(), CommandError> {
    let path = file_beside(database);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).doing("read", &path),
    };
    let broken = |why: String| {
        CommandError::infrastructure(format!("`{}` is not a state this version reads: {why}", path.display()))
            .hint("remove the file; everything is then built anew, and what comes out the same stays published")
    };
    let former: Former = serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
    if former.version != VERSION {
        return Err(broken(format!("version {}", former.version)));
    }
    for (package, built) in former.packages {
        if !state.packages.contains_key(&package) {
            state.set_built(&package, built);
        }
    }
    for (package, needs) in former.generated {
        if !state.generated.contains_key(&package) {
            state.set_generated(&package, needs);
        }
    }
    Ok(())
}

/// Removes the file, which was taken over and saved.
pub(super) fn remove(database: &Path) -> Result<(), CommandError> {
    let path = file_beside(database);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).doing("remove", &path),
        _ => Ok(()),
    }
}

fn file_beside(database: &Path) -> PathBuf {
    database.with_extension("json")
}
