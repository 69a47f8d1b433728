//! Copies trees between a session and the host. No name is ever looked up through a symbolic link that the
//! session could have made: names inside are resolved with the session's root as their root, and the walk
//! goes from directory to directory by file descriptor.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, SeekFrom, Stat, Timespec, Timestamps, Uid, XattrFlags,
    chownat, fchmod, fchown, fgetxattr, flistxattr, fsetxattr, fstat, ftruncate, futimens, linkat, mkdirat, open,
    openat, openat2, readlinkat, seek, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use super::identity::BUILDER_ID;
use super::init::c_path;
use super::order::{During, Failure};

/// How deep a tree may be; each level holds two descriptors open.
const DEEPEST: usize = 400;

/// Copies the directory `guest` of the root file system at `merged` into the directory `host`.
pub(super) fn copy_out(merged: &Path, guest: &Path, host: &Path, keep_owners: bool) -> Result<(), Failure> {
    raise_open_files();
    let from = open_inside(merged, guest)?;
    let to = open(host, OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY, Mode::empty())
        .during(|| format!("opening {}", host.display()))?;
    let mut walk = Walk { keep_owners, links: BTreeMap::new(), path: PathBuf::new(), root: &to };
    match walk.directory(&from, &to) {
        Ok(()) => Ok(()),
        Err(error) => {
            let place = guest.join(&walk.path);
            Err(error).during(|| format!("copying {} to {}", place.display(), host.display()))
        }
    }
}

/// Copies files of the host into the directory `guest` of the root file system at `merged`.
pub(super) fn copy_in(merged: &Path, files: &[PathBuf], guest: &Path, single_id: bool) -> Result<(), Failure> {
    let to = open_inside(merged, guest)?;
    for file in files {
        let action = || format!("copying {} to {} in the sandbox", file.display(), guest.display());
        let name = file.file_name().ok_or("it has no file name").during(action)?;
        let name = c_path(Path::new(name))?;
        let from = File::open(file).during(action)?;
        let stat = fstat(&from).during(action)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err("it is not a regular file").during(action);
        }
        let copied = (|| {
            let copy = create(&to, &name)?;
            copy_data(&from, &copy, &stat)?;
            if !single_id {
                fchown(&copy, Some(Uid::from_raw(BUILDER_ID)), Some(Gid::from_raw(BUILDER_ID)))?;
            }
            fchmod(&copy, Mode::from_raw_mode(stat.st_mode & 0o777))?;
            futimens(&copy, &times(&stat))
        })();
        copied.during(action)?;
    }
    Ok(())
}

/// Opens a directory of the session as the session itself would see it.
fn open_inside(merged: &Path, guest: &Path) -> Result<OwnedFd, Failure> {
    let action = || format!("opening {} in the sandbox", guest.display());
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
    let root = open(merged, flags, Mode::empty()).during(action)?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    openat2(root, guest, flags, Mode::empty(), resolve).during(action)
}

/// Allows as many open files as this process may allow itself.
fn raise_open_files() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).ok();
}

/// The state of one [`copy_out`].
struct Walk<'a> {
    /// Whether uids and gids are kept.
    keep_owners: bool,
    /// Where the first name of a file with several names was copied to, by device and inode.
    links: BTreeMap<(u64, u64), PathBuf>,
    /// Where the walk is, relative to both roots.
    path: PathBuf,
    /// The root of the copy.
    root: &'a OwnedFd,
}

impl Walk<'_> {
    /// Copies all that is in a directory, then its own attributes. After an error, `path` is its place.
    fn directory(&mut self, from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
        if self.path.components().count() > DEEPEST {
            return Err(Errno::NAMETOOLONG);
        }
        for entry in Dir::read_from(from)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            self.path.push(std::ffi::OsStr::from_bytes(name.to_bytes()));
            self.entry(from, to, name)?;
            self.path.pop();
        }
        let stat = fstat(from)?;
        self.attributes(from, to, &stat)
    }

    /// Copies one entry of a directory.
    fn entry(&mut self, from: &OwnedFd, to: &OwnedFd, name: &CStr) -> Result<(), Errno> {
        let stat = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let nofollow = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let below = openat(from, name, nofollow | OFlags::DIRECTORY, Mode::empty())?;
                match mkdirat(to, name, Mode::RWXU) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error),
                }
                let copy = openat(to, name, nofollow | OFlags::DIRECTORY, Mode::empty())?;
                self.directory(&below, &copy)
            }
            FileType::RegularFile => {
                let key = (stat.st_dev, stat.st_ino);
                if stat.st_nlink > 1 {
                    if let Some(first) = self.links.get(&key) {
                        remove(to, name)?;
                        return linkat(self.root, first, to, name, AtFlags::empty());
                    }
                    self.links.insert(key, self.path.clone());
                }
                let original = File::from(openat(from, name, nofollow | OFlags::NONBLOCK, Mode::empty())?);
                let copy = create(to, name)?;
                copy_data(&original, &copy, &stat)?;
                self.attributes(&original, &copy, &stat)
            }
            FileType::Symlink => {
                let target = readlinkat(from, name, Vec::new())?;
                remove(to, name)?;
                symlinkat(target, to, name)?;
                if self.keep_owners {
                    let (uid, gid) = owner(&stat);
                    chownat(to, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
                }
                utimensat(to, name, &times(&stat), AtFlags::SYMLINK_NOFOLLOW)
            }
            _ => Ok(()),
        }
    }

    /// Copies owner, mode, extended attributes and times, in the order in which none undoes another.
    fn attributes(&self, from: impl AsFd, to: impl AsFd, stat: &Stat) -> Result<(), Errno> {
        if self.keep_owners {
            let (uid, gid) = owner(stat);
            fchown(&to, Some(uid), Some(gid))?;
        }
        let mut mode = stat.st_mode & 0o7777;
        if !self.keep_owners && FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            mode |= 0o700; // an ordinary user must be able to remove what was copied
        }
        fchmod(&to, Mode::from_raw_mode(mode))?;
        copy_extended_attributes(&from, &to, self.keep_owners)?;
        futimens(&to, &times(stat))
    }
}

/// Creates a new file, in the place of whatever has its name.
fn create(directory: &OwnedFd, name: &CStr) -> Result<File, Errno> {
    remove(directory, name)?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    openat(directory, name, flags, Mode::RUSR | Mode::WUSR).map(File::from)
}

/// Removes a name that is no directory, if it is there.
fn remove(directory: &OwnedFd, name: &CStr) -> Result<(), Errno> {
    match unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Copies a file's data, and leaves out its holes: a file said to be of many terabytes costs nothing.
fn copy_data(mut from: &File, mut to: &File, stat: &Stat) -> Result<(), Errno> {
    let length = u64::try_from(stat.st_size).unwrap_or(0);
    if u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512) >= length {
        io::copy(&mut from, &mut to).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        return Ok(());
    }
    ftruncate(to, length)?;
    let mut position = 0;
    while position < length {
        let start = match seek(from, SeekFrom::Data(position)) {
            Ok(start) => start,
            Err(Errno::NXIO) => break,
            Err(error) => return Err(error),
        };
        let end = seek(from, SeekFrom::Hole(start))?;
        seek(from, SeekFrom::Start(start))?;
        seek(to, SeekFrom::Start(start))?;
        io::copy(&mut io::Read::take(from, end - start), &mut to)
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        position = end;
    }
    Ok(())
}

/// Copies file capabilities (root only) and `user.` attributes.
fn copy_extended_attributes(from: impl AsFd, to: impl AsFd, as_root: bool) -> Result<(), Errno> {
    let mut names = vec![0; 1024];
    let length = loop {
        match flistxattr(&from, names.as_mut_slice()) {
            Ok(length) => break length,
            Err(Errno::RANGE) => names.resize(names.len() * 8, 0),
            Err(Errno::NOTSUP) => return Ok(()),
            Err(error) => return Err(error),
        }
    };
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        if name.starts_with(b"user.overlay.")
            || !(name.starts_with(b"user.") || as_root && name == b"security.capability")
        {
            continue;
        }
        let name = CString::new(name).map_err(|_| Errno::INVAL)?;
        let mut value = vec![0; 64 * 1024]; // the kernel's largest (XATTR_SIZE_MAX)
        let length = fgetxattr(&from, &name, value.as_mut_slice())?;
        match fsetxattr(&to, &name, &value[..length], XattrFlags::empty()) {
            Ok(()) | Err(Errno::NOTSUP) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The owner a `stat` tells.
fn owner(stat: &Stat) -> (Uid, Gid) {
    (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid))
}

/// The modification time of a `stat`, as both times of the copy.
fn times(stat: &Stat) -> Timestamps {
    let modified = Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec as _ };
    Timestamps { last_access: modified, last_modification: modified }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing test may panic")]

    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_tree_is_copied_with_links_modes_times_and_holes_and_no_link_is_followed() {
        let (source, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let secret = tempfile::tempdir().unwrap();
        fs::write(secret.path().join("key"), "secret").unwrap();
        let out = source.path().join("out");
        fs::create_dir_all(out.join("sub")).unwrap();
        fs::write(out.join("sub/a"), "hello").unwrap();
        fs::set_permissions(out.join("sub/a"), fs::Permissions::from_mode(0o4750)).unwrap();
        fs::hard_link(out.join("sub/a"), out.join("b")).unwrap();
        symlink(secret.path(), out.join("escape")).unwrap();
        symlink(format!("/../../../../..{}", secret.path().display()), source.path().join("root-escape")).unwrap();
        let sparse = File::create(out.join("sparse")).unwrap();
        sparse.set_len(1 << 40).unwrap();
        std::os::unix::fs::FileExt::write_at(&sparse, b"end", (1 << 40) - 3).unwrap();

        copy_out(source.path(), Path::new("/out"), target.path(), false).unwrap();

        let at = |name: &str| fs::symlink_metadata(target.path().join(name)).unwrap();
        assert_eq!(at("sub/a").ino(), at("b").ino());
        assert_eq!(at("b").mode() & 0o7777, 0o4750);
        assert_eq!(at("b").mtime(), fs::metadata(out.join("b")).unwrap().mtime());
        assert!(at("escape").is_symlink());
        assert_eq!(at("sparse").len(), 1 << 40);
        assert!(at("sparse").blocks() < 100);
        let failure = copy_out(source.path(), Path::new("/root-escape"), target.path(), false).unwrap_err();
        assert!(failure.action.contains("/root-escape"), "{failure:?}");
        assert!(!target.path().join("key").exists());
    }
}
