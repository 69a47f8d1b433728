//! The root file system of a sandbox: the overlay, and what is mounted over it. All of it in a private mount
//! namespace, so that nothing is ever mounted on the host.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, open};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_bind_recursive,
    mount_change, move_mount, open_tree, unmount,
};
use rustix::process::{chdir, fchdir, pivot_root};

use super::init::{c_path, in_scratch};
use super::order::{During, Failure, Order};
use super::sys;

/// The devices a build may use; each is the host's own node, bound into a private `/dev`.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Parts of `/proc` that change the host: shown read-only.
const PROC_READ_ONLY: [&str; 5] = ["sys", "sysrq-trigger", "irq", "bus", "fs"];
/// Parts of `/proc` that tell too much of the host: shown empty.
const PROC_HIDDEN: [&str; 11] = [
    "acpi",
    "kcore",
    "keys",
    "kmsg",
    "kpagecount",
    "kpageflags",
    "latency_stats",
    "sched_debug",
    "scsi",
    "timer_list",
    "vmallocinfo",
];

/// Mounts layers and upper directory over each other and gives the host path of the result.
pub(super) fn mount_overlay(order: &Order) -> Result<PathBuf, Failure> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .during(|| "making mounts private".into())?;
    // With relative names no character of a path can be taken for a mount option.
    chdir(&order.scratch).during(|| format!("entering {}", order.scratch.display()))?;
    // The links to the layers, the highest first; an overlay never writes to what is below.
    let lower: Vec<String> = (0..=order.above.len()).rev().map(lower_name).collect();
    // A `volatile` overlay leaves a mark in its work directory that forbids the next mount.
    clear_directory(Path::new("work")).during(|| "clearing the overlay's work directory".into())?;
    let base = format!("lowerdir={},upperdir=upper,workdir=work,index=off,metacopy=off", lower.join(":"));
    let kind = if order.identity.needs_user_namespace() { "userxattr" } else { "redirect_dir=on" };
    // `volatile` spares writing everything to disk whenever a command ends.
    for options in [format!("{base},{kind},volatile"), format!("{base},{kind}")] {
        match mount("overlay", "root", "overlay", MountFlags::NODEV, c_path(Path::new(&options))?.as_c_str()) {
            Ok(()) => return Ok(in_scratch(order, "root")),
            Err(Errno::INVAL) => {}
            Err(error) => return Err(error).during(|| overlay_action(order)),
        }
    }
    Err(Errno::INVAL).during(|| overlay_action(order))
}

/// Removes all that was written in the session.
pub(super) fn remove_writes(order: &Order) -> Result<(), Failure> {
    for name in ["upper", "work"] {
        let path = in_scratch(order, name);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).during(|| format!("removing {}", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Takes the volumes out of what was written in the session, and sees to it that the rest is on disk: as a layer it is
/// trusted from now on.
pub(super) fn settle_writes(order: &Order) -> Result<(), Failure> {
    let upper = in_scratch(order, "upper");
    for volume in &order.volumes {
        let path = upper.join(volume.strip_prefix("/").unwrap_or(volume));
        let action = || format!("removing {}", path.display());
        // What is no directory hides one of the layer's, and says nothing of a volume's content.
        if path.symlink_metadata().is_ok_and(|file| file.is_dir()) {
            fs::remove_dir_all(&path).during(action)?;
        }
    }
    let directory = open(&upper, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let directory = directory.during(|| format!("opening {}", upper.display()))?;
    rustix::fs::syncfs(&directory).during(|| format!("writing {} to disk", upper.display()))
}

/// What the link to a layer is called in the scratch directory, counted from the lowest.
pub(super) fn lower_name(number: usize) -> String {
    if number == 0 { "lower".to_owned() } else { format!("lower{number}") }
}

/// What failed when the overlay could not be mounted.
fn overlay_action(order: &Order) -> String {
    format!("mounting an overlay of {} in {}", order.layer.display(), order.scratch.display())
}

/// Removes all that is in a directory.
fn clear_directory(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
            fs::remove_dir_all(path)?;
        } else {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Makes `merged` the root and mounts `/proc`, `/dev` and the binds in it. Everything of the host that is
/// needed is opened before; every name is looked up after, where no symbolic link leads out.
pub(super) fn enter(order: &Order, merged: &Path) -> Result<(), Failure> {
    let mut devices = Vec::new();
    for name in DEVICES {
        match clone_tree(&Path::new("/dev").join(name), false) {
            Ok(tree) => devices.push((name, tree)),
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error).during(|| format!("opening /dev/{name}")),
        }
    }
    let mut binds = Vec::new();
    for (host, guest) in &order.binds {
        let tree = clone_tree(host, true).during(|| format!("opening {} to show it", host.display()))?;
        binds.push((tree, guest, host.is_dir()));
    }
    let directory = OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC;
    let old = open("/", directory, Mode::empty()).during(|| "opening the host's root".into())?;
    chdir(merged).during(|| format!("entering {}", merged.display()))?;
    pivot_root(".", ".").during(|| "changing the root".into())?;
    // In a user namespace `/proc` can be mounted only while another is in sight, the host's.
    mount_proc()?;
    fchdir(&old).during(|| "leaving the host's root".into())?;
    mount_change(".", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .during(|| "making mounts private".into())?;
    unmount(".", UnmountFlags::DETACH).during(|| "detaching the host's root".into())?;
    drop(old);
    chdir("/").during(|| "entering the root".into())?;
    make_devices(devices)?;
    hide_host()?;
    make_directory("/tmp", 0o1777)?;
    for volume in &order.volumes {
        make_mount_point(volume, true).during(|| format!("making {}", volume.display()))?;
    }
    for (tree, guest, is_directory) in binds {
        let action = || format!("showing a directory at {}", guest.display());
        make_mount_point(guest, is_directory).during(action)?;
        move_to(&tree, guest).during(action)?;
        sys::make_read_only(guest).during(action)?;
    }
    Ok(())
}

/// A detached copy of a mount, with what is mounted below it if `recursive`.
fn clone_tree(path: &Path, recursive: bool) -> Result<OwnedFd, Errno> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(CWD, path, flags)
}

/// Attaches a detached mount.
fn move_to(tree: &OwnedFd, path: &Path) -> Result<(), Errno> {
    move_mount(tree, "", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_SYMLINKS)
}

/// Mounts a `/proc` of this process namespace, without what belongs to the host.
fn mount_proc() -> Result<(), Failure> {
    make_directory("/proc", 0o555)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", flags, None).during(|| "mounting /proc".into())?;
    for name in PROC_READ_ONLY {
        let path = Path::new("/proc").join(name);
        if path.exists() {
            let action = || format!("making {} read-only", path.display());
            mount_bind_recursive(&path, &path).during(action)?;
            sys::make_read_only(&path).during(action)?;
        }
    }
    Ok(())
}

/// Covers the parts of `/proc` that tell of the host.
fn hide_host() -> Result<(), Failure> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::RDONLY;
    for name in PROC_HIDDEN {
        let path = Path::new("/proc").join(name);
        let action = || format!("hiding {}", path.display());
        if path.is_dir() {
            mount("tmpfs", &path, "tmpfs", flags, c"size=4k,mode=555").during(action)?;
        } else if path.exists() {
            mount_bind_recursive("/dev/null", &path).during(action)?;
        }
    }
    Ok(())
}

/// Makes a private `/dev`: a few devices, terminals of its own, shared memory, and the usual links.
fn make_devices(devices: Vec<(&str, OwnedFd)>) -> Result<(), Failure> {
    make_directory("/dev", 0o755)?;
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount("tmpfs", "/dev", "tmpfs", flags, c"size=1m,mode=755").during(|| "mounting /dev".into())?;
    for (name, tree) in devices {
        let path = Path::new("/dev").join(name);
        let action = || format!("making {}", path.display());
        fs::write(&path, "").during(action)?;
        move_to(&tree, &path).during(action)?;
    }
    make_directory("/dev/pts", 0o755)?;
    let with_group = mount("devpts", "/dev/pts", "devpts", flags, c"newinstance,ptmxmode=0666,mode=620,gid=5");
    if with_group.is_err() {
        // Where group 5, tty, is not mapped.
        mount("devpts", "/dev/pts", "devpts", flags, c"newinstance,ptmxmode=0666,mode=620")
            .during(|| "mounting /dev/pts".into())?;
    }
    make_directory("/dev/shm", 0o1777)?;
    mount("tmpfs", "/dev/shm", "tmpfs", flags | MountFlags::NODEV, c"mode=1777")
        .during(|| "mounting /dev/shm".into())?;
    let links = [
        ("pts/ptmx", "ptmx"),
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
        ("/proc/self/fd/1", "stdout"),
        ("/proc/self/fd/2", "stderr"),
    ];
    for (target, name) in links {
        symlink(target, Path::new("/dev").join(name)).during(|| format!("making /dev/{name}"))?;
    }
    Ok(())
}

/// Makes a directory if it is not there.
fn make_directory(path: &str, mode: u32) -> Result<(), Failure> {
    match fs::create_dir(path) {
        Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(mode)).during(|| format!("making {path}")),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error).during(|| format!("making {path}")),
    }
}

/// Makes an empty directory or file for something to be mounted on.
fn make_mount_point(path: &Path, is_directory: bool) -> io::Result<()> {
    if is_directory {
        return fs::create_dir_all(path);
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::OpenOptions::new().create(true).append(true).open(path).map(drop)
}
