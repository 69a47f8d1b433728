//! Which machine this is, as far as times are concerned.

use sha2::{Digest, Sha256};

/// A short name for this machine that tells nothing about it: the same for the same installation on the same
/// processors, since times of others say little about this one's.
#[must_use]
pub fn machine_id() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    // Images carry one `machine-id` to many machines, so the processors count as well.
    let processors = read("/proc/cpuinfo");
    let model = processors.lines().find(|line| line.starts_with("model name")).unwrap_or_default();
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let text = format!("package-builder\n{}\n{model}\n{count}\n", read("/etc/machine-id").trim());
    Sha256::digest(text).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
