//! Whose powers a sandbox is made with: the host's root, or an ordinary user with a user namespace, whose
//! ids are a range from `/etc/subuid` or, without one, a single id.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::order::{During, Failure};

/// The uid and gid of the build user.
pub(crate) const BUILDER_ID: u32 = 1000;

/// How ids inside are related to ids of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Identity {
    /// The host's root, no user namespace: ids are the host's.
    HostRoot,
    /// A user namespace in which root is the user, and the other ids are the user's subordinate ones.
    Range {
        /// The user's own uid.
        uid: u32,
        /// The user's own gid.
        gid: u32,
        /// First and count of the subordinate uids.
        uids: (u32, u32),
        /// First and count of the subordinate gids.
        gids: (u32, u32),
    },
    /// A user namespace with one id only: the user is root while packages are installed, and the build
    /// user while building.
    Single {
        /// The user's own uid.
        uid: u32,
        /// The user's own gid.
        gid: u32,
    },
}

impl Identity {
    /// Finds out what this process may use.
    pub(super) fn detect() -> Self {
        let uid = rustix::process::geteuid().as_raw();
        let gid = rustix::process::getegid().as_raw();
        if uid == 0 {
            return Self::HostRoot;
        }
        let name = user_name(uid);
        let uids = subordinate(Path::new("/etc/subuid"), uid, name.as_deref());
        let gids = subordinate(Path::new("/etc/subgid"), uid, name.as_deref());
        match (uids, gids) {
            (Some(uids), Some(gids)) if in_path("newuidmap") && in_path("newgidmap") => {
                Self::Range { uid, gid, uids, gids }
            }
            _ => Self::Single { uid, gid },
        }
    }

    /// Whether a user namespace is needed.
    pub(super) fn needs_user_namespace(&self) -> bool {
        *self != Self::HostRoot
    }

    /// Whether owners of files can be kept: only by the host's root.
    pub(super) fn keeps_owners(&self) -> bool {
        *self == Self::HostRoot
    }

    /// Whether the one id there is belongs to whoever runs.
    pub(super) fn is_single(&self) -> bool {
        matches!(self, Self::Single { .. })
    }

    /// Writes the id maps of the process `pid`, which is in a new user namespace.
    pub(super) fn write_maps(&self, pid: i32, as_root: bool) -> Result<(), Failure> {
        match *self {
            Self::HostRoot => Ok(()),
            Self::Single { uid, gid } => {
                let inside = if as_root { 0 } else { BUILDER_ID };
                let write = |file: &str, text: String| {
                    let path = format!("/proc/{pid}/{file}");
                    fs::write(&path, text).during(|| format!("writing {path}"))
                };
                write("setgroups", "deny".to_owned())?;
                write("uid_map", format!("{inside} {uid} 1\n"))?;
                write("gid_map", format!("{inside} {gid} 1\n"))
            }
            Self::Range { uid, gid, uids, gids } => {
                run_map("newuidmap", pid, uid, uids)?;
                run_map("newgidmap", pid, gid, gids)
            }
        }
    }
}

/// Runs `newuidmap` or `newgidmap`: root is the user, everyone else comes from the range.
fn run_map(program: &str, pid: i32, own: u32, (first, count): (u32, u32)) -> Result<(), Failure> {
    let ids = [pid.to_string(), "0".into(), own.to_string(), "1".into(), "1".into(), first.to_string()];
    let output =
        Command::new(program).args(ids).arg(count.to_string()).output().during(|| format!("running {program}"))?;
    if output.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Failure { action: format!("mapping ids by {program}"), reason })
}

/// The name of `uid` in `/etc/passwd`.
fn user_name(uid: u32) -> Option<String> {
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// The largest range of `file` (`/etc/subuid`, `/etc/subgid`) for a user, if it holds at least 65535 ids.
fn subordinate(file: &Path, uid: u32, name: Option<&str>) -> Option<(u32, u32)> {
    parse_subordinate(&fs::read_to_string(file).ok()?, uid, name)
}

/// See [`subordinate`]; lines are `user-or-uid:first:count` (subuid(5)).
fn parse_subordinate(text: &str, uid: u32, name: Option<&str>) -> Option<(u32, u32)> {
    let number = uid.to_string();
    text.lines()
        .filter_map(|line| {
            let mut fields = line.trim().split(':');
            let owner = fields.next()?;
            let range = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
            (owner == number || Some(owner) == name).then_some(range)
        })
        .filter(|&(_, count)| count >= 65535)
        .max_by_key(|&(_, count)| count)
}

/// Whether a program is found in `PATH`.
fn in_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|directory| directory.join(program).is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subordinate_ranges_are_found_by_name_and_by_number_and_small_ones_are_refused() {
        let text = "anna:100000:65536\n1001:300000:65536\nbert:5:10\nanna:400000:70000\n";
        assert_eq!(parse_subordinate(text, 7, Some("anna")), Some((400_000, 70000)));
        assert_eq!(parse_subordinate(text, 1001, None), Some((300_000, 65536)));
        assert_eq!(parse_subordinate(text, 7, Some("bert")), None);
        assert_eq!(parse_subordinate("", 7, Some("anna")), None);
    }
}
