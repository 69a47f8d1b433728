//! What a session has used, as far as it can be known.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// What all commands of a session have used so far. What cannot be known here is `None`, never a guess.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time of all their processes, user and system together, in seconds.
    pub cpu_seconds: Option<f64>,
    /// The most memory they held at once, in bytes, as the kernel charges it to their control group: files it keeps
    /// in memory for them count as well, so this is what they had, and not always what they needed.
    pub peak_memory: Option<u64>,
    /// What they wrote to files that are kept on a disk, in bytes of whole pages: at least what the session's files
    /// took at any moment, and more where files were removed or written anew. Memory file systems do not count; one
    /// that runs as a program may count twice.
    pub disk: Option<u64>,
}

impl Usage {
    /// Adds what later commands used that were counted by themselves: `None` on either side cannot be summed up.
    #[must_use]
    pub(crate) fn and(self, later: Self) -> Self {
        Self {
            cpu_seconds: self.cpu_seconds.zip(later.cpu_seconds).map(|(one, other)| one + other),
            peak_memory: self.peak_memory.zip(later.peak_memory).map(|(one, other)| one.max(other)),
            disk: self.disk.zip(later.disk).map(|(one, other)| one.saturating_add(other)),
        }
    }
}

/// CPU time in seconds that a control group's directory counts: `cpuacct.usage` (nanoseconds) of version 1,
/// `cpu.stat` of version 2.
pub(crate) fn cpu_seconds_in(directory: &Path) -> Option<f64> {
    if let Some(nanoseconds) = number_in(&directory.join("cpuacct.usage")) {
        return Some(nanoseconds as f64 / 1e9);
    }
    let text = fs::read_to_string(directory.join("cpu.stat")).ok()?;
    let microseconds: u64 = text.lines().find_map(|line| line.strip_prefix("usage_usec ")?.trim().parse().ok())?;
    Some(microseconds as f64 / 1e6)
}

/// The most memory in bytes that a control group's directory has seen: `memory.max_usage_in_bytes` of version 1,
/// `memory.peak` of version 2 (since Linux 5.19).
pub(crate) fn peak_memory_in(directory: &Path) -> Option<u64> {
    ["memory.max_usage_in_bytes", "memory.peak"].iter().find_map(|name| number_in(&directory.join(name)))
}

fn number_in(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_control_groups_are_read_and_what_is_not_there_is_unknown() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = folder.path();
        assert_eq!((cpu_seconds_in(at), peak_memory_in(at)), (None, None));
        fs::write(at.join("cpu.stat"), "usage_usec 2500000\nuser_usec 1\n").expect("it is writable");
        fs::write(at.join("memory.peak"), "4096\n").expect("it is writable");
        assert_eq!((cpu_seconds_in(at), peak_memory_in(at)), (Some(2.5), Some(4096)));
        fs::write(at.join("cpuacct.usage"), "1500000000\n").expect("it is writable");
        fs::write(at.join("memory.max_usage_in_bytes"), "8192\n").expect("it is writable");
        assert_eq!((cpu_seconds_in(at), peak_memory_in(at)), (Some(1.5), Some(8192)));
    }

    #[test]
    fn sums_are_known_where_both_sides_are() {
        let one = Usage { cpu_seconds: Some(1.0), peak_memory: Some(10), disk: None };
        let other = Usage { cpu_seconds: Some(0.5), peak_memory: Some(7), disk: Some(3) };
        assert_eq!(one.and(other), Usage { cpu_seconds: Some(1.5), peak_memory: Some(10), disk: None });
    }
}
