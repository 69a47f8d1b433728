//! The system calls no safe library offers; the only file of this crate with `unsafe` in it.
#![expect(
    unsafe_code,
    reason = "fork, getrusage, mount_setattr, seccomp, interface ioctls and the loader's list have no safe wrapper"
)]

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::process::Pid;

use crate::Usage;

/// New namespaces of every kind a sandbox has, but for the user namespace.
pub(super) const NAMESPACES: i32 =
    libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS | libc::CLONE_NEWNET;
/// A new user namespace.
pub(super) const USER_NAMESPACE: i32 = libc::CLONE_NEWUSER;

/// Forks, the child being in new namespaces if `flags` says so. Gives the child's id to the parent, `None`
/// to the child.
///
/// # Errors
/// The kernel's, and when this process has more than one thread.
pub(super) fn fork_into(flags: i32) -> io::Result<Option<Pid>> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("a process with several threads must not fork"));
    }
    fork_single(flags)
}

/// As [`fork_into`], where `/proc` may be gone: the caller has made sure that there is one thread.
pub(crate) fn fork_single(flags: i32) -> io::Result<Option<Pid>> {
    let none: libc::c_long = 0;
    // SAFETY: without CLONE_VM and with a null stack this is fork(2); the process has one thread, so no
    // lock is held by another thread and the child may use all of the standard library.
    let result =
        unsafe { libc::syscall(libc::SYS_clone, libc::c_long::from(flags | libc::SIGCHLD), none, none, none, none) };
    match result {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        pid => Ok(Pid::from_raw(i32::try_from(pid).map_err(io::Error::other)?)),
    }
}

/// What the children that this process has waited for used, and those that they have waited for.
pub(crate) fn usage_of_children() -> Usage {
    // SAFETY: an all-zero rusage is valid.
    let mut used: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: getrusage writes one rusage, which the pointer is valid for.
    if unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut used) } != 0 {
        return Usage::default();
    }
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Usage {
        cpu_seconds: Some(seconds(used.ru_utime) + seconds(used.ru_stime)),
        // The kernel tells the largest process, which is not the most that several held at once.
        peak_memory: None,
        // Linux counts what is dirtied in the page cache, in blocks of 512 bytes, whether or not it is kept.
        disk: u64::try_from(used.ru_oublock).ok().map(|blocks| blocks.saturating_mul(512)),
    }
}

/// Moves this process into a new control group namespace, whose root is the group it is in.
pub(super) fn new_control_group_namespace() -> io::Result<()> {
    // SAFETY: takes no pointers and affects this single-threaded process only.
    check(unsafe { libc::unshare(libc::CLONE_NEWCGROUP) })
}

/// Closes every file descriptor but the standard three.
pub(super) fn close_inherited() -> io::Result<()> {
    // SAFETY: called first thing in a program that has opened nothing yet, so no object owns what it closes.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Makes a mount and all below it read-only, without set-user-id programs and device files.
pub(super) fn make_read_only(path: &Path) -> io::Result<()> {
    set_mount_attributes(path, libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV)
}

/// Adds `MOUNT_ATTR_*` to a mount and all below it.
fn set_mount_attributes(path: &Path, attributes: u64) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_encoded_bytes())?;
    let attributes = libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: both pointers are valid for the call and the size is that of the structure pointed to.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Brings the loopback interface of this network namespace up.
pub(super) fn loopback_up() -> io::Result<()> {
    // SAFETY: takes no pointers.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    check(socket)?;
    // SAFETY: just opened, and owned by nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // SAFETY: an all-zero ifreq is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads one ifreq, which the pointer is valid for.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) })
}

/// Has the kernel ask a filter before each system call of this process and those it starts. Needs
/// no-new-privileges. A kernel without filters is an error.
pub(super) fn filter_calls(program: &[libc::sock_filter]) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: the program's pointer and length are those of a live slice, which the kernel only reads.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0_u32, &raw const program) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The shared libraries this process was loaded with, by the names they were asked for, and which of them is
/// the loader.
pub(crate) fn loaded_libraries() -> Vec<(PathBuf, bool)> {
    unsafe extern "C" fn add(object: *mut libc::dl_phdr_info, _size: usize, found: *mut libc::c_void) -> libc::c_int {
        // SAFETY: `found` is what was handed to dl_iterate_phdr below, borrowed by nobody else meanwhile, and
        // `object` is valid during the call.
        let (found, object) = unsafe { (&mut *found.cast::<Vec<(PathBuf, u64)>>(), &*object) };
        if !object.dlpi_name.is_null() {
            // SAFETY: the loader's names are C strings that live as long as their objects.
            let name = unsafe { std::ffi::CStr::from_ptr(object.dlpi_name) };
            found.push((PathBuf::from(OsStr::from_bytes(name.to_bytes())), object.dlpi_addr));
        }
        0
    }
    let mut found: Vec<(PathBuf, u64)> = Vec::new();
    // SAFETY: the callback gets the pointer to `found`, which outlives the call, and does not panic but for
    // want of memory, which aborts.
    unsafe { libc::dl_iterate_phdr(Some(add), (&raw mut found).cast()) };
    // SAFETY: takes no pointers.
    let loader = unsafe { libc::getauxval(libc::AT_BASE) };
    // The first is the program itself; an object of the kernel has a name without a directory.
    let libraries = found.into_iter().skip(1).filter(|(name, _)| name.is_absolute());
    libraries.map(|(name, address)| (name, address == loader)).collect()
}

/// Turns the C convention of -1 into an error.
fn check(result: libc::c_int) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
