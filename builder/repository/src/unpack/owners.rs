//! Names of users and groups to numbers, by the destination's own `etc/passwd` and `etc/group`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The names of a root.
pub(super) struct Owners {
    users: BTreeMap<Vec<u8>, u32>,
    groups: BTreeMap<Vec<u8>, u32>,
    is_root: bool,
}

impl Owners {
    /// Reads the names. Files that are missing or links (which could lead out of the root) know nobody.
    pub(super) fn load(root: &Path) -> Self {
        Self {
            users: numbers(&root.join("etc/passwd")),
            groups: numbers(&root.join("etc/group")),
            is_root: rustix::process::geteuid().is_root(),
        }
    }

    /// The numbers to set; none where this process cannot set any, or where they are root's already.
    pub(super) fn of(&self, user: &[u8], group: &[u8]) -> Option<(u32, u32)> {
        if !self.is_root || (user == b"root" && group == b"root") {
            return None;
        }
        Some((number(&self.users, user), number(&self.groups, group)))
    }
}

fn number(names: &BTreeMap<Vec<u8>, u32>, name: &[u8]) -> u32 {
    // As rpm does: a name that is not known is root's.
    names.get(name).copied().unwrap_or(0)
}

/// The third column by the first.
fn numbers(path: &Path) -> BTreeMap<Vec<u8>, u32> {
    if !fs::symlink_metadata(path).is_ok_and(|status| status.is_file()) {
        return BTreeMap::new();
    }
    let text = fs::read(path).unwrap_or_default();
    let lines = text.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut columns = line.split(|byte| *byte == b':');
        let name = columns.next()?;
        let number = std::str::from_utf8(columns.nth(1)?).ok()?.parse().ok()?;
        Some((name.to_vec(), number))
    });
    lines.collect()
}
