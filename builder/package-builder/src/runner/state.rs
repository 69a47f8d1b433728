//! What is known of earlier builds: rows of `out/state.sqlite`, of which only those that changed are written.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use planner::KnownBuild;
use rusqlite::{Connection, Row, Transaction, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::generated::GeneratedNeeds;
use crate::error::{CommandError, IoContext};
use crate::history::database::{open_to_read, open_to_write, trouble};

mod former;
#[cfg(test)]
mod tests;

/// What is known of one source package.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Default)]
pub struct State {
    packages: BTreeMap<String, BuiltPackage>,
    generated: BTreeMap<String, GeneratedNeeds>,
    /// The source packages whose rows in `packages` are not saved yet.
    unsaved_packages: BTreeSet<String>,
    /// The source packages whose rows in `generated` are not saved yet.
    unsaved_generated: BTreeSet<String>,
    /// Made at the first save, so that nothing is written by who only reads. Nobody locks it but `save`, which has
    /// the state for itself; it is in a mutex since the state is shared between threads that read.
    connection: Mutex<Option<Connection>>,
}

impl State {
    /// Reads the state, or starts empty where there is none.
    ///
    /// # Errors
    /// The file is there and cannot be read, or is of another version.
    pub fn load(path: &Path) -> Result<Self, CommandError> {
        let mut state = Self::default();
        if let Some(connection) = open_to_read(path)? {
            state.packages = rows(&connection, SELECT_PACKAGES, built_package).map_err(trouble("read", path))?;
            state.generated = rows(&connection, SELECT_GENERATED, generated_needs).map_err(trouble("read", path))?;
        }
        former::take_over(&mut state, path)?;
        Ok(state)
    }

    /// Writes what has changed, all of it or nothing, and returns when it is on disk. What that takes does not depend on
    /// how much is known.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&mut self, path: &Path) -> Result<(), CommandError> {
        if self.unsaved_packages.is_empty() && self.unsaved_generated.is_empty() {
            return Ok(());
        }
        let slot = self.connection.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        let connection = match slot {
            Some(connection) => connection,
            None => slot.insert(open_to_write(path, true)?),
        };
        let write = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            for (name, built) in self.unsaved_packages.iter().filter_map(|name| self.packages.get_key_value(name)) {
                write_package(&transaction, name, built)?;
            }
            for (name, needs) in self.unsaved_generated.iter().filter_map(|name| self.generated.get_key_value(name)) {
                write_generated(&transaction, name, needs)?;
            }
            transaction.commit()
        };
        write(connection).map_err(trouble("write", path))?;
        self.unsaved_packages.clear();
        self.unsaved_generated.clear();
        former::remove(path)
    }

    /// Source packages by name.
    #[must_use]
    pub fn packages(&self) -> &BTreeMap<String, BuiltPackage> {
        &self.packages
    }

    /// What builds turned out to need besides what their specs state, by source package.
    #[must_use]
    pub fn generated(&self) -> &BTreeMap<String, GeneratedNeeds> {
        &self.generated
    }

    /// Takes over that a source package was built.
    pub fn set_built(&mut self, package: &str, built: BuiltPackage) {
        self.packages.insert(package.to_owned(), built);
        self.unsaved_packages.insert(package.to_owned());
    }

    /// Takes over what a build turned out to need.
    pub fn set_generated(&mut self, package: &str, needs: GeneratedNeeds) {
        self.generated.insert(package.to_owned(), needs);
        self.unsaved_generated.insert(package.to_owned());
    }

    /// What the plan compares with, by source package.
    #[must_use]
    pub fn known(&self) -> BTreeMap<String, KnownBuild> {
        self.packages.iter().map(|(name, built)| (name.clone(), built.known.clone())).collect()
    }
}

const SELECT_PACKAGES: &str =
    "SELECT name, key, inputs, build_root, base_layer, rpms, seconds, unchecked FROM packages";
const SELECT_GENERATED: &str = "SELECT name, inputs, asked_at, needs FROM generated";

/// All rows of a table, by their first column.
fn rows<T>(
    connection: &Connection,
    select: &str,
    value: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<BTreeMap<String, T>> {
    connection.prepare(select)?.query_map([], |row| Ok((row.get(0)?, value(row)?)))?.collect()
}

fn built_package(row: &Row<'_>) -> rusqlite::Result<BuiltPackage> {
    let known = KnownBuild {
        key: row.get(1)?,
        inputs: from_json(row, 2)?,
        build_root: from_json(row, 3)?,
        base_layer: row.get(4)?,
    };
    Ok(BuiltPackage { known, rpms: from_json(row, 5)?, seconds: row.get(6)?, unchecked: row.get(7)? })
}

fn write_package(transaction: &Transaction<'_>, name: &str, built: &BuiltPackage) -> rusqlite::Result<()> {
    let BuiltPackage { known, rpms, seconds, unchecked } = built;
    let (inputs, build_root, rpms) = (json(&known.inputs)?, json(&known.build_root)?, json(rpms)?);
    transaction.execute(
        "INSERT OR REPLACE INTO packages (name, key, inputs, build_root, base_layer, rpms, seconds, unchecked) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![name, known.key, inputs, build_root, known.base_layer, rpms, seconds, unchecked],
    )?;
    Ok(())
}

fn generated_needs(row: &Row<'_>) -> rusqlite::Result<GeneratedNeeds> {
    Ok(GeneratedNeeds { inputs: from_json(row, 1)?, asked_at: row.get(2)?, needs: from_json(row, 3)? })
}

fn write_generated(transaction: &Transaction<'_>, name: &str, needs: &GeneratedNeeds) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT OR REPLACE INTO generated (name, inputs, asked_at, needs) VALUES (?1, ?2, ?3, ?4)",
        params![name, json(&needs.inputs)?, needs.asked_at, json(&needs.needs)?],
    )?;
    Ok(())
}

fn json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(&row.get::<_, String>(column)?).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
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
