//! Control groups, version 1 and 2, as far as this host lets us write them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::Limits;
use crate::usage::{MemoryWatch, cpu_seconds_in};

/// What every group of ours is called, before the process id and a number.
const PREFIX: &str = "package-builder-";
/// The length of time a CPU share is counted over, in microseconds; the kernel's default.
const CPU_PERIOD: u64 = 100_000;
/// Processes of the sandbox itself, which do not count as the command's.
const OWN_PROCESSES: u64 = 1;

/// The groups of one session, removed when dropped.
#[derive(Debug, Default)]
pub(super) struct ControlGroups {
    /// The directories made.
    directories: Vec<PathBuf>,
    /// The file that counts kills for want of memory.
    kills: Option<PathBuf>,
    /// The group that counts CPU time.
    counts_cpu: Option<PathBuf>,
    /// The group that counts memory.
    counts_memory: Option<PathBuf>,
    /// Whether memory is limited here.
    pub(super) limits_memory: bool,
    /// Whether the number of processes is.
    pub(super) limits_processes: bool,
    /// Whether CPU time is.
    pub(super) limits_cpus: bool,
}

/// A mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hierarchy {
    /// Where.
    mount: PathBuf,
    /// Which part of it is mounted there.
    root: PathBuf,
    /// Version 1's controllers; empty for version 2.
    controllers: Vec<String>,
}

impl ControlGroups {
    /// Makes groups for the limits that are asked for. A limit that cannot be set here is left out; the
    /// caller sees which by the fields. With no limit asked for there are still groups for memory and CPU time
    /// where they can be had, to tell who was killed for want of memory, and what was used.
    pub(super) fn create(limits: &Limits) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("{PREFIX}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut groups = Self::default();
        let mounts = hierarchies(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default());
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        for controller in ["memory", "pids", "cpuacct", "cpu"] {
            let parent = mounts
                .iter()
                .find(|hierarchy| hierarchy.controllers.iter().any(|name| name == controller))
                .and_then(|hierarchy| own_group(hierarchy, &own));
            if let Some(parent) = parent {
                groups.create_v1(controller, &parent.join(&name), limits);
            }
        }
        if groups.directories.is_empty()
            && let Some(hierarchy) = mounts.iter().find(|hierarchy| hierarchy.controllers.is_empty())
            && let Some(own) = own_group(hierarchy, &own)
        {
            groups.create_v2(&own, &hierarchy.mount, &name, limits);
        }
        groups
    }

    /// The files a process id is written to, to put the process into the groups.
    pub(super) fn process_files(&self) -> Vec<PathBuf> {
        self.directories.iter().map(|directory| directory.join("cgroup.procs")).collect()
    }

    /// How many processes were killed for want of memory until now.
    pub(super) fn kills(&self) -> u64 {
        self.kills.as_deref().and_then(kills_in).unwrap_or(0)
    }

    /// CPU time in seconds until now; `None` where it is not counted.
    pub(super) fn cpu_seconds(&self) -> Option<f64> {
        cpu_seconds_in(self.counts_cpu.as_deref()?)
    }

    /// A watch over the memory that is held.
    pub(super) fn memory_watch(&self) -> MemoryWatch {
        MemoryWatch::new(self.counts_memory.as_deref().as_slice())
    }

    /// One controller's group of version 1.
    fn create_v1(&mut self, controller: &str, directory: &Path, limits: &Limits) {
        let wanted = match controller {
            "memory" | "cpuacct" => true,
            "pids" => limits.processes.is_some(),
            _ => limits.cpus.is_some(),
        };
        // Controllers can share a hierarchy, as `cpu,cpuacct` mostly do.
        let shared = self.directories.iter().any(|made| made == directory);
        if !wanted || !shared && fs::create_dir(directory).is_err() {
            return;
        }
        let write = |file: &str, value: u64| fs::write(directory.join(file), value.to_string()).is_ok();
        match controller {
            "memory" => {
                if let Some(bytes) = limits.memory {
                    self.limits_memory = write("memory.limit_in_bytes", bytes);
                    write("memory.memsw.limit_in_bytes", bytes); // only where swap is accounted
                }
                self.kills = Some(directory.join("memory.oom_control"));
                self.counts_memory = Some(directory.to_owned());
            }
            "cpuacct" => self.counts_cpu = Some(directory.to_owned()),
            "pids" => {
                self.limits_processes =
                    limits.processes.is_some_and(|count| write("pids.max", count.saturating_add(OWN_PROCESSES)));
            }
            _ => {
                self.limits_cpus = limits.cpus.is_some_and(|cpus| {
                    write("cpu.cfs_period_us", CPU_PERIOD) && write("cpu.cfs_quota_us", quota(cpus))
                });
            }
        }
        if !shared {
            self.directories.push(directory.to_owned());
        }
    }

    /// One group of version 2: below our own group, or beside it, since a group with processes of its own
    /// cannot share controllers out.
    fn create_v2(&mut self, own: &Path, mount: &Path, name: &str, limits: &Limits) {
        for parent in [Some(own), own.parent().filter(|parent| parent.starts_with(mount))].into_iter().flatten() {
            for controller in ["+memory", "+pids", "+cpu"] {
                fs::write(parent.join("cgroup.subtree_control"), controller).ok();
            }
            let shared = fs::read_to_string(parent.join("cgroup.subtree_control")).unwrap_or_default();
            let shares = |controller: &str| shared.split_whitespace().any(|name| name == controller);
            let directory = parent.join(name);
            if !shares("memory") || fs::create_dir(&directory).is_err() {
                continue;
            }
            let write = |file: &str, value: String| fs::write(directory.join(file), value).is_ok();
            if let Some(bytes) = limits.memory {
                self.limits_memory = write("memory.max", bytes.to_string());
                write("memory.swap.max", "0".into());
            }
            self.limits_processes = limits
                .processes
                .is_some_and(|count| write("pids.max", count.saturating_add(OWN_PROCESSES).to_string()));
            self.limits_cpus =
                limits.cpus.is_some_and(|cpus| write("cpu.max", format!("{} {CPU_PERIOD}", quota(cpus))));
            self.kills = Some(directory.join("memory.events"));
            (self.counts_cpu, self.counts_memory) = (Some(directory.clone()), Some(directory.clone()));
            self.directories.push(directory);
            return;
        }
    }

    /// Removes the groups; what is still in use is tried again for a second.
    pub(super) fn remove(&mut self) {
        for directory in self.directories.drain(..) {
            remove_group(&directory);
        }
    }
}

impl Drop for ControlGroups {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Removes a group. One whose last process has just been killed is in use for a moment more.
fn remove_group(directory: &Path) {
    for _ in 0..100 {
        match fs::remove_dir(directory) {
            Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {
                std::thread::sleep(Duration::from_millis(10));
            }
            _ => break,
        }
    }
}

/// Removes the groups that killed programs left behind. Groups in use stay: the kernel sees to that.
pub(super) fn remove_leftovers() {
    let mounts = hierarchies(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default());
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let groups = mounts.iter().filter_map(|hierarchy| own_group(hierarchy, &own));
    for parent in groups.flat_map(|group| [group.parent().map(Path::to_owned), Some(group)]).flatten() {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let owner =
                name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse::<u32>().ok());
            if owner.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
                remove_group(&entry.path());
            }
        }
    }
}

/// The number of kills for want of memory that a group's file counts.
pub(crate) fn kills_in(file: &Path) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

/// A CPU share as microseconds of each period; the kernel takes no less than a millisecond.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
fn quota(cpus: f64) -> u64 {
    (cpus * CPU_PERIOD as f64).clamp(1000.0, 1e12) as u64
}

/// The hierarchies in `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
fn hierarchies(mountinfo: &str) -> Vec<Hierarchy> {
    mountinfo
        .lines()
        .filter_map(|line| {
            let (place, kind) = line.split_once(" - ")?;
            let mut place = place.split(' ').skip(3);
            let (root, mount) = (place.next()?.into(), place.next()?.into());
            let mut kind = kind.split(' ');
            let file_system = kind.next()?;
            let controllers = match file_system {
                "cgroup2" => Vec::new(),
                "cgroup" => kind.nth(1)?.split(',').map(str::to_owned).collect(),
                _ => return None,
            };
            Some(Hierarchy { mount, root, controllers })
        })
        .collect()
}

/// The directory of the group this process is in, by `/proc/self/cgroup` (cgroups(7)).
fn own_group(hierarchy: &Hierarchy, own: &str) -> Option<PathBuf> {
    own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let controllers = fields.next()?;
        let path = Path::new(fields.next()?);
        let matches = if hierarchy.controllers.is_empty() {
            controllers.is_empty()
        } else {
            !controllers.is_empty()
                && controllers.split(',').all(|name| hierarchy.controllers.iter().any(|c| c == name))
        };
        let below = path.strip_prefix(&hierarchy.root).ok()?;
        matches.then(|| hierarchy.mount.join(below))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_in_both_versions_and_inside_a_container() {
        let mountinfo = "30 20 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
            31 20 0:27 /docker/ab /sys/fs/cgroup/cpu rw shared:3 - cgroup cgroup rw,cpu,cpuacct\n\
            32 20 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n33 20 0:29 / /tmp rw - tmpfs tmpfs rw\n";
        let own = "4:memory:/user/one\n2:cpu,cpuacct:/docker/ab/in\n0::/x.scope\n";
        let groups: Vec<_> = hierarchies(mountinfo).iter().map(|found| own_group(found, own)).collect();
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(
            groups,
            [
                path("/sys/fs/cgroup/memory/user/one"),
                path("/sys/fs/cgroup/cpu/in"),
                path("/sys/fs/cgroup/unified/x.scope")
            ]
        );
    }

    #[test]
    fn a_cpu_share_becomes_a_quota() {
        assert_eq!((quota(1.5), quota(0.0)), (150_000, 1000));
    }
}
