//! What a session has used, as far as it can be known.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// What all commands of a session have used so far. What cannot be known here is `None`, never a guess.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time of all their processes, user and system together, in seconds.
    pub cpu_seconds: Option<f64>,
    /// The most memory they held at once that was really theirs, in bytes: not the files that the kernel keeps in
    /// memory as long as there is room. It is looked at some times a second ([`MemoryWatch`]), so what is held for
    /// less can be missed.
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

/// Watches how much memory a control group holds: every few milliseconds at first, since most commands are short, and
/// then some times a second, since one look costs some ten microseconds. The kernel counts a peak itself, but with all
/// files it has kept in memory: a build that writes much would seem to need whatever there is.
#[derive(Debug)]
pub(crate) struct MemoryWatch {
    /// `memory.stat` of the group; `None` once it cannot be read.
    file: Option<PathBuf>,
    /// The most that was seen, in bytes.
    most: Option<u64>,
    /// When it is to be looked at next.
    next: Instant,
    /// How long to wait after that.
    pause: Duration,
}

impl MemoryWatch {
    /// The first pause between two looks.
    const SHORTEST: Duration = Duration::from_millis(5);
    /// The last.
    const LONGEST: Duration = Duration::from_millis(200);

    /// Watches the first of these directories that is a group which tells what it holds.
    pub(crate) fn new(directories: &[&Path]) -> Self {
        let mut files = directories.iter().map(|directory| directory.join("memory.stat"));
        let file = files.find(|file| memory_in(file).is_some());
        Self { file, most: None, next: Instant::now(), pause: Self::SHORTEST }
    }

    /// A command begins now.
    pub(crate) fn begin(&mut self) {
        (self.next, self.pause) = (Instant::now(), Self::SHORTEST);
    }

    /// Looks, if it is time to; gives how long it is until the next look.
    pub(crate) fn look(&mut self) -> Duration {
        let now = Instant::now();
        if now >= self.next {
            self.most = self.file.as_deref().and_then(memory_in).max(self.most);
            self.next = now + self.pause;
            self.pause = (self.pause * 2).min(Self::LONGEST);
        }
        self.next - now
    }

    /// The most that was seen until now, in bytes; `None` where nothing can be seen.
    pub(crate) fn most(&self) -> Option<u64> {
        self.most
    }
}

/// Memory in bytes that a group's processes hold and the kernel cannot take back, from its `memory.stat`: of version 1,
/// where the sums over all groups below are called `total_`, or 2.
fn memory_in(file: &Path) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let value = |names: [&str; 2]| {
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(name, _)| names.contains(name)).and_then(|(_, value)| value.trim().parse::<u64>().ok())
    };
    Some(value(["total_rss", "anon"])?.saturating_add(value(["total_shmem", "shmem"]).unwrap_or(0)))
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
        assert_eq!(cpu_seconds_in(at), None);
        fs::write(at.join("cpu.stat"), "usage_usec 2500000\nuser_usec 1\n").expect("it is writable");
        assert_eq!(cpu_seconds_in(at), Some(2.5));
        fs::write(at.join("cpuacct.usage"), "1500000000\n").expect("it is writable");
        assert_eq!(cpu_seconds_in(at), Some(1.5));
        let stat = at.join("memory.stat");
        assert_eq!(memory_in(&stat), None);
        fs::write(&stat, "anon 4096\nfile 9999999\nkernel 5\nshmem 100\n").expect("it is writable");
        assert_eq!(memory_in(&stat), Some(4196));
        let first = "cache 9999\nrss 1\nshmem 7\ninactive_anon 5\ntotal_cache 9999\ntotal_rss 8192\ntotal_shmem 8\n";
        fs::write(&stat, first).expect("it is writable");
        // The lines of the group alone come first.
        assert_eq!(memory_in(&stat), Some(8199));
    }

    #[test]
    fn the_most_that_was_seen_stays_and_looks_become_rare() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut nothing = MemoryWatch::new(&[folder.path()]);
        nothing.look();
        assert_eq!(nothing.most(), None);
        let stat = folder.path().join("memory.stat");
        let hold = |bytes: u64| fs::write(&stat, format!("anon {bytes}\n")).expect("it is writable");
        hold(70);
        let mut watch = MemoryWatch::new(&[Path::new("/nowhere"), folder.path()]);
        for bytes in [70, 50] {
            hold(bytes);
            watch.begin();
            assert!(watch.look() > Duration::ZERO);
        }
        assert_eq!(watch.most(), Some(70));
        hold(900);
        // It is not time yet, or it was; after the last pause it certainly is.
        watch.look();
        std::thread::sleep(MemoryWatch::SHORTEST * 2);
        watch.look();
        assert_eq!((watch.most(), watch.pause), (Some(900), MemoryWatch::SHORTEST * 4));
    }

    #[test]
    fn sums_are_known_where_both_sides_are() {
        let one = Usage { cpu_seconds: Some(1.0), peak_memory: Some(10), disk: None };
        let other = Usage { cpu_seconds: Some(0.5), peak_memory: Some(7), disk: Some(3) };
        assert_eq!(one.and(other), Usage { cpu_seconds: Some(1.5), peak_memory: Some(10), disk: None });
    }
}
