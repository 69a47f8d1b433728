//! What a build is expected to take.

use serde::{Deserialize, Serialize};

/// What earlier builds of a source package took, or a guess for one that was never built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Wall time from start to end, in seconds.
    pub seconds: f64,
    /// CPU time of all its processes, in seconds; `None` where it was never measured.
    pub cpu_seconds: Option<f64>,
    /// The most memory it held at once, in bytes.
    pub memory: Option<u64>,
    /// What it wrote to its build root, in bytes.
    pub disk: Option<u64>,
}
