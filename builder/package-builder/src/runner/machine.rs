//! What this machine has for builds: memory, and whether it is short of it now; disk.

use std::fs;
use std::path::{Path, PathBuf};

/// What is kept for everything else on the machine, this program included: at least so much, in bytes.
const LEAST_RESERVE: u64 = 512 << 20;
/// At least this part of the memory is kept.
const RESERVE_PART: u64 = 16;

/// The share of the last ten seconds, in percent, that some process may spend on waiting for memory before no more
/// builds are started.
const MOST_PRESSURE: f64 = 20.0;

/// What changes while builds run.
pub trait Machine: Send + Sync {
    /// How much of the last seconds something had to wait for memory, in percent; `None` where the kernel does not tell.
    fn memory_pressure(&self) -> Option<f64>;

    /// Bytes that an ordinary user may still write to a file system.
    fn free_disk(&self, path: &Path) -> Option<u64>;

    /// The pressure, where it is too much.
    fn too_much_pressure(&self) -> Option<f64> {
        self.memory_pressure().filter(|percent| *percent > MOST_PRESSURE)
    }
}

/// The machine we are on, by what its kernel tells.
#[derive(Clone, Copy, Debug)]
pub struct ThisMachine;

impl Machine for ThisMachine {
    fn memory_pressure(&self) -> Option<f64> {
        some_avg10(&fs::read_to_string("/proc/pressure/memory").ok()?)
    }

    fn free_disk(&self, path: &Path) -> Option<u64> {
        let disk = rustix::fs::statvfs(path).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

/// The memory that all builds of a run may use together, in bytes: what is available now, or what our control groups
/// allow if that is less, without a reserve. `None` where the kernel does not tell.
#[must_use]
pub fn memory_for_builds() -> Option<u64> {
    let available = available(&fs::read_to_string("/proc/meminfo").ok()?)?;
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = limit_files(&groups).into_iter().filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok());
    let most = limits.fold(available, u64::min);
    Some(most.saturating_sub(LEAST_RESERVE.max(most / RESERVE_PART)))
}

/// `MemAvailable` of `/proc/meminfo`, in bytes.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Where the memory limits of the groups of `/proc/self/cgroup` (cgroups(7)) and of all above them stand. Inside a
/// container the groups named there may not be found; the mounted root is its own group then.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let (mount, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let above = Path::new(path.trim_start_matches('/')).ancestors();
        files.extend(above.map(|group| Path::new(mount).join(group).join(file)));
    }
    files
}

/// `avg10` of the line `some` of a file below `/proc/pressure`, in percent.
fn some_avg10(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    line.split(' ').find_map(|field| field.strip_prefix("avg10="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_files_are_read() {
        assert_eq!(available("MemTotal: 9 kB\nMemFree: 1 kB\nMemAvailable:   2048 kB\n"), Some(2048 * 1024));
        assert_eq!(available("MemTotal: 9 kB\n"), None);
        let pressure =
            "some avg10=12.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=1.00 avg60=0.00 avg300=0.00 total=1";
        assert_eq!(some_avg10(pressure), Some(12.5));
        assert_eq!(some_avg10("nonsense"), None);
        let files = limit_files("5:cpu:/x\n4:memory:/a/b\n0::/c\n");
        let expected = [
            "/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/a/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            "/sys/fs/cgroup/c/memory.max",
            "/sys/fs/cgroup/memory.max",
        ];
        assert_eq!(files, expected.map(PathBuf::from));
    }

    #[test]
    fn this_machine_has_memory_and_disk() {
        assert!(memory_for_builds().is_some_and(|bytes| bytes < 1 << 60));
        assert!(ThisMachine.free_disk(Path::new("/")).is_some());
    }
}
