//! What one try at a build took, and when that is worth a remark.

use crate::text::{duration, size};
use serde::{Deserialize, Serialize};

/// One try at a build: what it was for, and what it took. What could not be measured is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Attempt {
    /// The key it was built at, as far as it was known by its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How long each phase took, in the order in which they were first entered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<PhaseTime>,
    /// CPU time of all its processes, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
    /// The most memory it held at once, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory: Option<u64>,
    /// What it wrote to its build root, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<u64>,
}

/// How long one phase took, all times it was entered together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PhaseTime {
    /// As in `JobPhase`.
    pub phase: String,
    /// Wall time.
    pub seconds: f64,
}

/// What a build took more of than its earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Wall time, in seconds.
    Time,
    /// The most memory held at once, in bytes.
    Memory,
}

/// A build that took clearly more than the median of its earlier ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Regression {
    /// The source package.
    pub package: String,
    /// Of what.
    pub measure: Measure,
    /// What it took, in the measure's unit.
    pub took: f64,
    /// The median of what earlier builds took.
    pub median: f64,
}

impl Regression {
    /// `took 2.1× its median (42 min, else 20 min)`; never with the package's name.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes that were measured")]
    pub fn describe(&self) -> String {
        let Self { measure, took, median, .. } = self;
        let times = took / median;
        match measure {
            Measure::Time => format!("took {times:.1}× its median ({}, else {})", duration(*took), duration(*median)),
            Measure::Memory => {
                let (took, median) = (size(*took as u64), size(*median as u64));
                format!("took {times:.1}× its median memory ({took}, else {median})")
            }
        }
    }
}
