//! Unpacks payloads into a directory, without rpm and without running scripts.
//!
//! First the directories, links and special files of all RPMs are made from the headers, one after the
//! other; then, when no path can change its meaning any more, the contents are written in parallel;
//! owners, and modes and times of directories, come last.

mod cpio;
mod owners;
mod table;
mod tree;

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Timespec, Timestamps};

use self::cpio::Archive;
use self::owners::Owners;
use self::table::{Kind, Row, Table};
use self::tree::Tree;
use crate::error::{At, RepositoryError};
use crate::header;

/// What unpacking did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Regular files written; hard links count as files.
    pub files: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Paths whose file capabilities (`setcap`) were not set: nothing here sets them.
    pub without_capabilities: Vec<PathBuf>,
    /// Device nodes that were not made because only root can.
    pub without_nodes: Vec<PathBuf>,
}

/// Unpacks one RPM below `destination`, which is made if it is missing.
///
/// Modes, times, symbolic and hard links are as in the package; owners too when this process is root,
/// by the names in the destination's own `etc/passwd` and `etc/group` (root where a name is in neither).
/// Ghosts are not made. Checksums are not checked: the caller knows the file's SHA-256.
///
/// # Errors
/// The RPM is damaged, or a path of it would lead out of the destination.
pub fn unpack(rpm: impl AsRef<Path>, destination: impl AsRef<Path>) -> Result<Unpacked, RepositoryError> {
    unpack_all(&[rpm.as_ref().to_owned()], destination)
}

/// Unpacks many RPMs below `destination` in parallel; of a path that several have, the last counts.
///
/// # Errors
/// As [`unpack`].
pub fn unpack_all(rpms: &[PathBuf], destination: impl AsRef<Path>) -> Result<Unpacked, RepositoryError> {
    let root = destination.as_ref();
    fs::create_dir_all(root).at("make", root)?;
    let root = root.canonicalize().at("resolve", root)?;
    let tables = rpms.par_iter().map(|rpm| Table::new(rpm, &header::open_payload(rpm)?.0));
    let tables = tables.collect::<Result<Vec<_>, _>>()?;

    let mut tree = Tree::new(root);
    let mut result = Unpacked::default();
    make_structure(rpms, &tables, &mut tree, &mut result)?;
    let targets = targets(rpms, &tables, &mut tree)?;
    // The largest first, so that none is left for the end.
    let mut order: Vec<_> = (0..rpms.len()).collect();
    order.sort_by_key(|rpm| std::cmp::Reverse(tables[*rpm].rows.iter().map(|row| row.size).sum::<u64>()));
    let written = order.par_iter().map(|rpm| write_contents(&rpms[*rpm], &tables[*rpm], &targets[*rpm]));
    for written in written.collect::<Result<Vec<_>, _>>()? {
        result.files += written.0;
        result.bytes += written.1;
    }
    let rows = tables.iter().flat_map(|table| &table.rows).filter(|row| row.has_capabilities && !row.ghost);
    result.without_capabilities = rows.map(|row| row.path.clone()).collect();
    finish(rpms, &tables, &targets, &mut tree)?;
    Ok(result)
}

fn refused(rpm: &Path, row: &Row, error: &io::Error) -> RepositoryError {
    RepositoryError::Unpack { path: rpm.to_owned(), entry: row.path.clone(), reason: error.to_string() }
}

/// Makes directories, symbolic links and special files: the shorter path first, and a link before a
/// directory of the same depth, so that `/lib -> usr/lib` is there before anything goes below `/lib`.
fn make_structure(
    rpms: &[PathBuf],
    tables: &[Table],
    tree: &mut Tree,
    result: &mut Unpacked,
) -> Result<(), RepositoryError> {
    let rows = rpms.iter().zip(tables).flat_map(|(rpm, table)| table.rows.iter().map(move |row| (rpm, row)));
    let mut rows: Vec<_> = rows.filter(|(_, row)| !row.ghost && row.kind != Kind::Regular).collect();
    let rank = |row: &Row| (row.path.components().count(), row.kind == Kind::Directory);
    rows.sort_by(|left, right| rank(left.1).cmp(&rank(right.1)).then_with(|| left.1.path.cmp(&right.1.path)));
    for (rpm, row) in rows {
        match make(tree, row) {
            Ok(true) => {}
            Ok(false) => result.without_nodes.push(row.path.clone()),
            Err(error) => return Err(refused(rpm, row, &error)),
        }
    }
    Ok(())
}

/// Makes one; false for a device node that only root can make.
fn make(tree: &mut Tree, row: &Row) -> io::Result<bool> {
    let path = match &row.kind {
        Kind::Directory => return tree.directory(&row.path).map(|_| true),
        _ => tree.place(&row.path)?,
    };
    match fs::symlink_metadata(&path) {
        Ok(status) if status.is_dir() => return Err(io::Error::other("a directory is in its place")),
        Ok(_) => fs::remove_file(&path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    match &row.kind {
        Kind::Symlink(target) => std::os::unix::fs::symlink(target, &path)?,
        Kind::Special(device) => {
            let kind = FileType::from_raw_mode(row.mode);
            let device = rustix::fs::makedev((device >> 8) as u32, (device & 0xff) as u32);
            match rustix::fs::mknodat(CWD, &path, kind, Mode::from_raw_mode(row.mode), device) {
                Err(rustix::io::Errno::PERM) => return Ok(false),
                made => made?,
            }
            fs::set_permissions(&path, Permissions::from_mode(row.mode & 0o7777))?;
        }
        Kind::Directory | Kind::Regular => {}
    }
    Ok(true)
}

/// Where each regular file of each RPM goes; nowhere for one that a later file takes the place of.
fn targets(rpms: &[PathBuf], tables: &[Table], tree: &mut Tree) -> Result<Vec<Vec<Option<PathBuf>>>, RepositoryError> {
    let mut targets: Vec<Vec<Option<PathBuf>>> = Vec::new();
    let mut last: BTreeMap<PathBuf, (usize, usize)> = BTreeMap::new();
    for (number, (rpm, table)) in rpms.iter().zip(tables).enumerate() {
        targets.push(vec![None; table.rows.len()]);
        for (index, row) in table.rows.iter().enumerate() {
            if row.ghost || row.kind != Kind::Regular {
                continue;
            }
            let target = tree.place(&row.path).map_err(|error| refused(rpm, row, &error))?;
            if let Some((number, index)) = last.insert(target.clone(), (number, index)) {
                targets[number][index] = None;
            }
            targets[number][index] = Some(target);
        }
    }
    Ok(targets)
}

/// Writes the contents of one RPM; gives the number of files and bytes.
fn write_contents(rpm: &Path, table: &Table, targets: &[Option<PathBuf>]) -> Result<(u64, u64), RepositoryError> {
    let bad = |error: io::Error| RepositoryError::bad_rpm(rpm, &error);
    // For each record with content the first of its hard links that is wanted.
    let mut holders: BTreeMap<usize, usize> = BTreeMap::new();
    for (index, target) in targets.iter().enumerate() {
        if target.is_some() {
            holders.entry(table.content_of.get(&index).copied().unwrap_or(index)).or_insert(index);
        }
    }
    let input = cpio::decompress(header::open_payload(rpm)?.1).map_err(bad)?;
    let mut archive = Archive::new(input, table);
    let mut buffer = vec![0; 1 << 17];
    let mut bytes = 0;
    let mut missing = holders.clone();
    while let Some(record) = archive.record().map_err(bad)? {
        // Hard links without content have records too.
        let has_content = table.content_of.get(&record.index).is_none_or(|content| *content == record.index);
        let holder = missing.remove(&record.index).filter(|_| has_content);
        let mut output = match holder.and_then(|holder| Some((holder, targets[holder].as_ref()?))) {
            None => None,
            Some((holder, target)) => {
                let row = &table.rows[holder];
                if record.size != row.size {
                    let reason = format!("the payload has {} bytes, the header {}", record.size, row.size);
                    return Err(refused(rpm, row, &io::Error::other(reason)));
                }
                bytes += record.size;
                Some((row, create(target).map_err(|error| refused(rpm, row, &error))?))
            }
        };
        let mut left = record.size;
        while left > 0 {
            let limit = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let count = archive.read(&mut buffer[..limit]).map_err(bad)?;
            if count == 0 {
                return Err(RepositoryError::bad_rpm(rpm, "its payload ends early"));
            }
            left -= count as u64;
            if let Some((row, file)) = &mut output {
                file.write_all(&buffer[..count]).map_err(|error| refused(rpm, row, &error))?;
            }
        }
        if let Some((row, file)) = output {
            let done = file.set_permissions(Permissions::from_mode(row.mode & 0o7777));
            let done = done.and_then(|()| Ok(rustix::fs::futimens(&file, &times(row))?));
            done.map_err(|error| refused(rpm, row, &error))?;
        }
    }
    if let Some(index) = missing.into_values().next() {
        return Err(refused(rpm, &table.rows[index], &io::Error::other("it is not in the payload")));
    }
    for (index, target) in targets.iter().enumerate() {
        let content = table.content_of.get(&index).copied().unwrap_or(index);
        let holder = holders.get(&content).copied().unwrap_or(index);
        if let (Some(target), Some(first)) = (target, &targets[holder])
            && holder != index
        {
            let linked = clear(target).and_then(|()| fs::hard_link(first, target));
            linked.map_err(|error| refused(rpm, &table.rows[index], &error))?;
        }
    }
    Ok((targets.iter().flatten().count() as u64, bytes))
}

/// Removes what is in the place of a new file.
fn clear(target: &Path) -> io::Result<()> {
    match fs::remove_file(target) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn create(target: &Path) -> io::Result<File> {
    clear(target)?;
    // Exclusive, so that a link that appears in between is not followed.
    let flags = OFlags::NOFOLLOW.bits() as i32;
    File::options().write(true).create_new(true).mode(0o600).custom_flags(flags).open(target)
}

fn times(row: &Row) -> Timestamps {
    let time = Timespec { tv_sec: i64::try_from(row.modified).unwrap_or(i64::MAX), tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

/// Sets owners, and the modes and times that making files would have changed.
fn finish(
    rpms: &[PathBuf],
    tables: &[Table],
    targets: &[Vec<Option<PathBuf>>],
    tree: &mut Tree,
) -> Result<(), RepositoryError> {
    let owners = Owners::load(tree.root());
    for ((rpm, table), targets) in rpms.iter().zip(tables).zip(targets) {
        for (row, target) in table.rows.iter().zip(targets) {
            if row.ghost {
                continue;
            }
            finish_one(row, target.as_deref(), tree, &owners).map_err(|error| refused(rpm, row, &error))?;
        }
    }
    Ok(())
}

fn finish_one(row: &Row, target: Option<&Path>, tree: &mut Tree, owners: &Owners) -> io::Result<()> {
    let path = match (&row.kind, target) {
        (Kind::Regular, None) => return Ok(()),
        (Kind::Regular, Some(target)) => target.to_owned(),
        (Kind::Directory, _) => tree.directory(&row.path)?,
        (Kind::Symlink(_) | Kind::Special(_), _) => tree.place(&row.path)?,
    };
    let owned = match owners.of(&row.user, &row.group) {
        None => false,
        Some((user, group)) => {
            match std::os::unix::fs::lchown(&path, Some(user), Some(group)) {
                // A node that could not be made.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                other => other?,
            }
            true
        }
    };
    match row.kind {
        Kind::Directory => fs::set_permissions(&path, Permissions::from_mode(row.mode & 0o7777))?,
        // Changing the owner takes the set-user-id bits away.
        Kind::Regular if owned => fs::set_permissions(&path, Permissions::from_mode(row.mode & 0o7777))?,
        _ => {}
    }
    if row.kind != Kind::Regular && fs::symlink_metadata(&path).is_ok() {
        rustix::fs::utimensat(CWD, &path, &times(row), AtFlags::SYMLINK_NOFOLLOW)?;
    }
    Ok(())
}
