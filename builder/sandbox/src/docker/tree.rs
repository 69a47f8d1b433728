//! Turns directory trees and files into tar streams without loss.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use futures_util::Stream;
use tar::{Builder, EntryType, Header};
use tokio::sync::mpsc;
use tokio_util::bytes::Bytes;

/// How much is handed over at once.
const CHUNK: usize = 256 * 1024;
/// How many chunks may wait.
const WAITING: usize = 8;

/// A tar stream written by `write` in a thread of its own.
pub(super) fn stream(
    write: impl FnOnce(&mut Builder<io::BufWriter<ChunkWriter>>) -> io::Result<()> + Send + 'static,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || {
        let chunks = ChunkWriter { sender: sender.clone() };
        let mut builder = Builder::new(io::BufWriter::with_capacity(CHUNK, chunks));
        builder.follow_symlinks(false);
        let result = write(&mut builder).and_then(|()| builder.into_inner()?.flush());
        if let Err(error) = result {
            sender.blocking_send(Err(error)).ok();
        }
    });
    futures_util::stream::unfold(receiver, async |mut receiver| {
        let chunk = receiver.recv().await?;
        Some((chunk, receiver))
    })
}

/// Sends what is written.
pub(super) struct ChunkWriter {
    /// Where to.
    sender: mpsc::Sender<io::Result<Bytes>>,
}

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let chunk = Bytes::copy_from_slice(bytes);
        self.sender.blocking_send(Ok(chunk)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Appends `root` and all below it, with owners, modes, times, links and file capabilities. Sockets are left out.
pub(super) fn append_tree<W: Write>(builder: &mut Builder<W>, root: &Path) -> io::Result<()> {
    let metadata = fs::metadata(root)?;
    let mut header = header_of(&metadata);
    header.set_entry_type(EntryType::Directory);
    builder.append_data(&mut header, "./", io::empty())?;
    let mut links: BTreeMap<(u64, u64), PathBuf> = BTreeMap::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(directory) = waiting.pop() {
        let mut names =
            fs::read_dir(root.join(&directory))?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
        names.sort();
        for name in names {
            let relative = directory.join(name);
            let path = root.join(&relative);
            let metadata = fs::symlink_metadata(&path)?;
            append_entry(builder, &path, &relative, &metadata, &mut links)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
            if metadata.is_dir() {
                waiting.push(relative);
            }
        }
    }
    Ok(())
}

/// Appends one entry.
fn append_entry<W: Write>(
    builder: &mut Builder<W>,
    path: &Path,
    relative: &Path,
    metadata: &Metadata,
    links: &mut BTreeMap<(u64, u64), PathBuf>,
) -> io::Result<()> {
    let mut header = header_of(metadata);
    let kind = metadata.file_type();
    if kind.is_socket() {
        return Ok(());
    }
    if metadata.is_file() && metadata.nlink() > 1 {
        let key = (metadata.dev(), metadata.ino());
        if let Some(first) = links.get(&key) {
            header.set_entry_type(EntryType::Link);
            return builder.append_link(&mut header, relative, first);
        }
        links.insert(key, relative.to_owned());
    }
    if let Some(capability) = capability_of(path)? {
        builder.append_pax_extensions([("SCHILY.xattr.security.capability", capability.as_slice())])?;
    }
    if kind.is_symlink() {
        header.set_entry_type(EntryType::Symlink);
        return builder.append_link(&mut header, relative, fs::read_link(path)?);
    }
    if kind.is_file() {
        header.set_entry_type(EntryType::Regular);
        header.set_size(metadata.len());
        return builder.append_data(&mut header, relative, io::Read::take(File::open(path)?, metadata.len()));
    }
    header.set_entry_type(if kind.is_dir() {
        EntryType::Directory
    } else if kind.is_fifo() {
        EntryType::Fifo
    } else if kind.is_char_device() {
        EntryType::Char
    } else {
        EntryType::Block
    });
    if kind.is_char_device() || kind.is_block_device() {
        header.set_device_major(rustix::fs::major(metadata.rdev()))?;
        header.set_device_minor(rustix::fs::minor(metadata.rdev()))?;
    }
    builder.append_data(&mut header, relative, io::empty())
}

/// Owner, mode and time.
fn header_of(metadata: &Metadata) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(metadata.mode() & 0o7777);
    header.set_uid(metadata.uid().into());
    header.set_gid(metadata.gid().into());
    header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or(0));
    header.set_size(0);
    header
}

/// A file's capabilities, as the kernel stores them.
fn capability_of(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut value = vec![0; 64];
    match rustix::fs::lgetxattr(path, "security.capability", value.as_mut_slice()) {
        Ok(length) => {
            value.truncate(length);
            Ok(Some(value))
        }
        Err(rustix::io::Errno::NODATA | rustix::io::Errno::NOTSUP) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Appends files of the host by their names alone, owned by `id`.
pub(super) fn append_files<W: Write>(builder: &mut Builder<W>, files: &[PathBuf], id: u64) -> io::Result<()> {
    for path in files {
        let in_file = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let file = File::open(path).map_err(in_file)?;
        let metadata = file.metadata().map_err(in_file)?;
        let name = path.file_name().unwrap_or(OsStr::from_bytes(b""));
        if !metadata.is_file() || name.is_empty() {
            return Err(in_file(io::Error::other("it is not a regular file")));
        }
        let mut header = header_of(&metadata);
        header.set_mode(metadata.mode() & 0o777);
        header.set_uid(id);
        header.set_gid(id);
        header.set_size(metadata.len());
        header.set_entry_type(EntryType::Regular);
        builder.append_data(&mut header, name, io::Read::take(file, metadata.len())).map_err(in_file)?;
    }
    Ok(())
}
