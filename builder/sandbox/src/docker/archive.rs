//! Unpacks what comes out of a container, which is as little to be trusted as the container; and, inside it,
//! what goes in.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use tar::{Archive, Entry, EntryType};

/// Unpacks the tar stream of a directory into `host`. Special files are left out; nothing is written through
/// a symbolic link; owners are kept where this process is root.
pub(super) fn unpack(stream: impl Read, host: &Path) -> io::Result<()> {
    let as_root = rustix::process::geteuid().is_root();
    let mut archive = Archive::new(stream);
    archive.set_preserve_permissions(true);
    archive.set_preserve_mtime(true);
    archive.set_preserve_ownerships(as_root);
    archive.set_unpack_xattrs(as_root);
    archive.set_overwrite(true);
    let mut directories = Vec::new();
    let mut seen_root = false;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = plain(&entry.path()?)?;
        let in_entry =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {}", path.display(), cause(&error)));
        match entry.header().entry_type() {
            EntryType::Directory => {
                seen_root |= path.as_os_str().is_empty();
                if !path.as_os_str().is_empty() {
                    make_directory(&mut entry, host, &path).map_err(in_entry)?;
                }
                directories.push((path, Attributes::of(&entry)?));
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                if !seen_root {
                    return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is not a directory"));
                }
                entry.unpack_in(host).map_err(in_entry)?;
            }
            EntryType::Symlink | EntryType::Link => {
                entry.unpack_in(host).map_err(in_entry)?;
            }
            _ => {}
        }
    }
    // Last, and the deepest first: writing into a directory changes its time, and may be forbidden by its mode.
    for (path, attributes) in directories.into_iter().rev() {
        attributes.apply(&host.join(path), as_root)?;
    }
    Ok(())
}

/// Unpacks the tar stream of single files into the directory `guest`, in place of whatever has their names.
pub(super) fn unpack_files(stream: impl Read, guest: &Path) -> io::Result<()> {
    if !fs::metadata(guest)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let mut archive = Archive::new(stream);
    archive.set_preserve_permissions(true);
    archive.set_preserve_mtime(true);
    archive.set_preserve_ownerships(true);
    archive.set_overwrite(true);
    for entry in archive.entries()? {
        let mut entry = entry?;
        entry.unpack_in(guest).map_err(|error| io::Error::new(error.kind(), cause(&error)))?;
    }
    Ok(())
}

/// What an error comes from in the end: those of the archive's reader only name a file.
fn cause(error: &io::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// A path without `.`; one with `..` or a root is refused.
fn plain(path: &Path) -> io::Result<PathBuf> {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::CurDir => {}
            _ => return Err(io::Error::other(format!("the session sent the path {}", path.display()))),
        }
    }
    Ok(plain)
}

/// Makes a directory that its owner may write to for now.
fn make_directory(entry: &mut Entry<'_, impl Read>, host: &Path, path: &Path) -> io::Result<()> {
    entry.unpack_in(host)?;
    let made = host.join(path);
    if fs::symlink_metadata(&made)?.is_dir() {
        fs::set_permissions(&made, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// What a directory gets in the end.
struct Attributes {
    /// Permission bits.
    mode: u32,
    /// Owner.
    uid: u32,
    /// Group.
    gid: u32,
    /// Modification time, in seconds since 1970.
    modified: i64,
}

impl Attributes {
    /// From an entry's header.
    fn of(entry: &Entry<'_, impl Read>) -> io::Result<Self> {
        let header = entry.header();
        let narrow = |id: u64| u32::try_from(id).map_err(io::Error::other);
        Ok(Self {
            mode: header.mode()? & 0o7777,
            uid: narrow(header.uid()?)?,
            gid: narrow(header.gid()?)?,
            modified: i64::try_from(header.mtime()?).map_err(io::Error::other)?,
        })
    }

    /// Sets them, if the directory is still one and no link.
    fn apply(&self, path: &Path, as_root: bool) -> io::Result<()> {
        if !fs::symlink_metadata(path)?.is_dir() {
            return Ok(());
        }
        if as_root {
            std::os::unix::fs::lchown(path, Some(self.uid), Some(self.gid))?;
        }
        let mode = if as_root { self.mode } else { self.mode | 0o700 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        let time = rustix::fs::Timespec { tv_sec: self.modified, tv_nsec: 0 };
        let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
        rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing test may panic")]

    use std::os::unix::fs::MetadataExt;

    use tar::{Builder, Header};

    use super::*;

    fn entry(builder: &mut Builder<Vec<u8>>, kind: EntryType, name: &str, target: &str, mode: u32) {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(rustix::process::geteuid().as_raw().into());
        header.set_gid(rustix::process::getegid().as_raw().into());
        header.set_mtime(1_000_000_000);
        header.set_size(0);
        match kind {
            EntryType::Symlink | EntryType::Link => builder.append_link(&mut header, name, target).unwrap(),
            EntryType::Regular => {
                header.set_size(target.len() as u64);
                builder.append_data(&mut header, name, target.as_bytes()).unwrap();
            }
            _ => builder.append_data(&mut header, name, io::empty()).unwrap(),
        }
    }

    #[test]
    fn a_tree_is_unpacked_and_no_link_is_written_through() {
        let (host, secret) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut builder = Builder::new(Vec::new());
        entry(&mut builder, EntryType::Directory, "./", "", 0o755);
        entry(&mut builder, EntryType::Directory, "./sub", "", 0o555);
        entry(&mut builder, EntryType::Regular, "./sub/a", "text", 0o4711);
        entry(&mut builder, EntryType::Link, "./b", "./sub/a", 0o4711);
        entry(&mut builder, EntryType::Fifo, "./pipe", "", 0o644);
        entry(&mut builder, EntryType::Symlink, "./out", secret.path().to_str().unwrap(), 0o777);
        unpack(builder.into_inner().unwrap().as_slice(), host.path()).unwrap();
        let at = |name: &str| fs::symlink_metadata(host.path().join(name)).unwrap();
        assert_eq!(at("b").ino(), at("sub/a").ino());
        assert_eq!((at("sub").mode() & 0o777, at("sub").mtime()), (0o555, 1_000_000_000));
        assert_eq!(at("sub/a").mode() & 0o7777, 0o4711);
        assert!(!host.path().join("pipe").exists());

        let mut builder = Builder::new(Vec::new());
        entry(&mut builder, EntryType::Directory, "./", "", 0o755);
        entry(&mut builder, EntryType::Regular, "./out/planted", "x", 0o644);
        assert!(unpack(builder.into_inner().unwrap().as_slice(), host.path()).is_err());
        assert!(!secret.path().join("planted").exists());
    }

    #[test]
    fn a_single_file_is_refused() {
        let host = tempfile::tempdir().unwrap();
        let mut builder = Builder::new(Vec::new());
        entry(&mut builder, EntryType::Regular, "file", "text", 0o644);
        assert!(unpack(builder.into_inner().unwrap().as_slice(), host.path()).is_err());
    }
}
