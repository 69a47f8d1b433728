//! A workload as a JSON file, so that a run can be simulated without its tree:
//!
//! ```json
//! { "packages": { "zlib": { "minutes": 0.5, "needs": [] }, "jq": { "minutes": 2, "needs": ["zlib"], "parallel": 0.8 } } }
//! ```
//!
//! `parallel` is the share of the work that more cores make shorter, from 0 to 1. Other fields are left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::{Work, Workload, WorkloadError};

/// Why a file gives no workload.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is no JSON of this form; the message has line and column.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// The jobs cannot be run.
    #[error("{0}")]
    Workload(#[from] WorkloadError),
}

/// Reads a workload. `parallel` is the share of the packages that have none.
///
/// # Errors
/// The text is of another form, or its packages cannot be run.
pub fn parse(text: &[u8], parallel: f64) -> Result<Workload, FileError> {
    let file: File = serde_json::from_slice(text)?;
    let jobs = file.packages.0.into_iter().map(|(name, package)| {
        let Package { minutes, needs, parallel: own } = package;
        (name, Work { needs, seconds: minutes * 60.0, parallel: own.unwrap_or(parallel) })
    });
    Ok(Workload::new(jobs.collect())?)
}

#[derive(Deserialize)]
struct File {
    packages: Packages,
}

#[derive(Deserialize)]
struct Package {
    minutes: f64,
    needs: BTreeSet<String>,
    parallel: Option<f64>,
}

/// Packages by name, none of them twice.
struct Packages(BTreeMap<String, Package>);

impl<'de> Deserialize<'de> for Packages {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ByName;
        impl<'de> Visitor<'de> for ByName {
            type Value = Packages;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("packages by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Packages, A::Error> {
                let mut packages = BTreeMap::new();
                while let Some((name, package)) = entries.next_entry::<String, Package>()? {
                    if packages.contains_key(&name) {
                        return Err(A::Error::custom(format!("`{name}` is there twice")));
                    }
                    packages.insert(name, package);
                }
                Ok(Packages(packages))
            }
        }
        deserializer.deserialize_map(ByName)
    }
}
