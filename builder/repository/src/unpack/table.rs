//! The files of an RPM as its header lists them, with everything that unpacking needs.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::error::RepositoryError;
use crate::raw_header::RawHeader;

/// Numbers of tags, from rpm's `rpmtag.h`.
mod tag {
    pub(super) const FILE_SIZES: u32 = 1028;
    pub(super) const FILE_MODES: u32 = 1030;
    pub(super) const FILE_DEVICE_NUMBERS: u32 = 1033;
    pub(super) const FILE_TIMES: u32 = 1034;
    pub(super) const FILE_LINKS: u32 = 1036;
    pub(super) const FILE_FLAGS: u32 = 1037;
    pub(super) const FILE_USERS: u32 = 1039;
    pub(super) const FILE_GROUPS: u32 = 1040;
    pub(super) const FILE_DEVICES: u32 = 1095;
    pub(super) const FILE_INODES: u32 = 1096;
    pub(super) const DIRECTORY_INDEXES: u32 = 1116;
    pub(super) const BASE_NAMES: u32 = 1117;
    pub(super) const DIRECTORY_NAMES: u32 = 1118;
    pub(super) const LONG_FILE_SIZES: u32 = 5008;
    pub(super) const FILE_CAPABILITIES: u32 = 5010;
}

/// `RPMFILE_GHOST`: listed, but not in the payload.
const GHOST: u64 = 1 << 6;

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Regular,
    Directory,
    Symlink(PathBuf),
    /// A device node, FIFO or socket, with the node's device number.
    Special(u64),
}

/// One file.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Its path relative to the root: no `..`, no `.`, never empty except for `/` itself.
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    /// Type and permission bits.
    pub(super) mode: u32,
    pub(super) modified: u64,
    pub(super) size: u64,
    pub(super) user: Vec<u8>,
    pub(super) group: Vec<u8>,
    pub(super) ghost: bool,
    /// Device and inode: the same for hard links of one another.
    pub(super) inode: (u64, u64),
    pub(super) has_capabilities: bool,
}

/// The files of an RPM.
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    /// For each file of a set of hard links the one whose record in the payload holds the content: the
    /// last of the set (rpm's `rpmfilesBuildNLink` and the way it writes archives).
    pub(super) content_of: BTreeMap<usize, usize>,
}

impl Table {
    /// Reads the table; a path that could lead out of the root is an error.
    pub(super) fn new(rpm: &Path, header: &RawHeader) -> Result<Self, RepositoryError> {
        let names = header.strings(tag::BASE_NAMES);
        let indexes = header.numbers(tag::DIRECTORY_INDEXES);
        let directories = header.strings(tag::DIRECTORY_NAMES);
        let modes = header.numbers16(tag::FILE_MODES);
        let times = header.numbers(tag::FILE_TIMES);
        let links = header.strings(tag::FILE_LINKS);
        let flags = header.numbers(tag::FILE_FLAGS);
        let users = header.strings(tag::FILE_USERS);
        let groups = header.strings(tag::FILE_GROUPS);
        let devices = header.numbers(tag::FILE_DEVICES);
        let inodes = header.numbers(tag::FILE_INODES);
        let device_numbers = header.numbers16(tag::FILE_DEVICE_NUMBERS);
        let capabilities = header.strings(tag::FILE_CAPABILITIES);
        let mut sizes = header.numbers(tag::LONG_FILE_SIZES);
        if sizes.is_empty() {
            sizes = header.numbers(tag::FILE_SIZES);
        }
        let count = names.len();
        let lengths = [
            indexes.len(),
            modes.len(),
            times.len(),
            links.len(),
            flags.len(),
            users.len(),
            groups.len(),
            devices.len(),
            inodes.len(),
            device_numbers.len(),
            sizes.len(),
        ];
        if lengths.iter().any(|length| *length != count) {
            return Err(RepositoryError::bad_rpm(rpm, "its lists of files have different lengths"));
        }
        let row = |index: usize| {
            let directory = usize::try_from(indexes[index]).ok().and_then(|at| directories.get(at));
            let directory = directory.ok_or_else(|| RepositoryError::bad_rpm(rpm, "a file has no directory"))?;
            let mode = u32::from(modes[index]);
            let kind = match mode & 0o170_000 {
                0o100_000 => Kind::Regular,
                0o040_000 => Kind::Directory,
                0o120_000 => Kind::Symlink(PathBuf::from(OsStr::from_bytes(links[index]))),
                _ => Kind::Special(u64::from(device_numbers[index])),
            };
            Ok(Row {
                path: relative(rpm, directory, names[index])?,
                kind,
                mode,
                modified: times[index],
                size: sizes[index],
                user: users[index].to_vec(),
                group: groups[index].to_vec(),
                ghost: flags[index] & GHOST != 0,
                inode: (devices[index], inodes[index]),
                has_capabilities: capabilities.get(index).is_some_and(|text| !text.is_empty()),
            })
        };
        let rows = (0..count).map(row).collect::<Result<Vec<_>, RepositoryError>>()?;
        Ok(Self { content_of: content_of(&rows), rows })
    }
}

/// Joins directory and name to a path below the root. SRPMs have no directory.
fn relative(rpm: &Path, directory: &[u8], name: &[u8]) -> Result<PathBuf, RepositoryError> {
    let whole = [directory, name].concat();
    let stripped = whole.strip_prefix(b"/").unwrap_or(&whole);
    let sound = |part: &[u8]| !part.is_empty() && part != b"." && part != b"..";
    if !stripped.is_empty() && !stripped.split(|byte| *byte == b'/').all(sound) {
        return Err(RepositoryError::Unpack {
            path: rpm.to_owned(),
            entry: PathBuf::from(OsStr::from_bytes(&whole)),
            reason: "the path has an empty part, a `.` or a `..`".to_owned(),
        });
    }
    Ok(PathBuf::from(OsStr::from_bytes(stripped)))
}

fn content_of(rows: &[Row]) -> BTreeMap<usize, usize> {
    let mut sets: BTreeMap<(u64, u64), Vec<usize>> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        if row.kind == Kind::Regular && !row.ghost {
            sets.entry(row.inode).or_default().push(index);
        }
    }
    let sets = sets.into_values().filter(|set| set.len() > 1);
    sets.flat_map(|set| {
        let last = set.last().copied().unwrap_or_default();
        set.into_iter().map(move |index| (index, last))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_root() {
        let path = |directory: &str, name: &str| relative(Path::new("a.rpm"), directory.as_bytes(), name.as_bytes());
        assert_eq!(path("/usr/bin/", "jq").ok(), Some(PathBuf::from("usr/bin/jq")));
        assert_eq!(path("", "jq.spec").ok(), Some(PathBuf::from("jq.spec")));
        assert_eq!(path("/", "").ok(), Some(PathBuf::new()));
        for (directory, name) in [("/usr/../../", "x"), ("/usr/", ".."), ("/usr//", "x"), ("//", "x"), ("../", "x")] {
            assert!(path(directory, name).is_err(), "{directory}{name}");
        }
    }
}
