//! Whether a build failed on a full disk: asked of the file systems that it writes to, inside its session, right after
//! its command has failed. What a command writes about it proves nothing, and where a session's files are is the
//! sandbox's business.

use sandbox::{ExecSpec, ExecStatus, Session, User};

use super::job::{Build, JobOrder, ROOT_TIMEOUT, exec, owned};
use crate::host::TOPDIR;

/// A file system with less than this left counts as full, in bytes: the last write did not fit, and what is cleaned
/// up after a failure is less. A build that fails on such a disk for another reason has to be built again anyway.
const FULL: u64 = 16 << 20;

impl Build<'_, '_> {
    /// Whether a file system that the build writes to is full.
    pub(super) async fn disk_is_full(&self) -> bool {
        let command = self.command(ask(&[TOPDIR, "/tmp", "/var/tmp"]), "/", User::Builder, ROOT_TIMEOUT);
        disk_is_full(self.session, self.order, command).await
    }
}

/// The command that asks how much is left where these folders are.
pub(super) fn ask(folders: &[&str]) -> Vec<String> {
    // Free blocks for an ordinary user and their size; free and all inodes, of which some file systems have none.
    let mut argv = owned(&["stat", "--file-system", "--format", "%a %S %d %c"]);
    argv.extend(owned(folders));
    argv
}

/// Whether one of the file systems is full that a command of [`ask`] asks for in a session.
pub(super) async fn disk_is_full(session: &dyn Session, order: &JobOrder, command: ExecSpec) -> bool {
    let mut output = Vec::new();
    // A session that cannot answer has other troubles.
    let answered = exec(session, order, command, &mut output).await;
    answered.is_ok_and(|status| matches!(status, ExecStatus::Exited(_)))
        && String::from_utf8_lossy(&output).lines().any(is_full)
}

/// Whether a line of `stat` tells of a full file system.
fn is_full(line: &str) -> bool {
    let numbers: Option<Vec<u64>> = line.split(' ').map(|number| number.parse().ok()).collect();
    let Some(&[blocks, size, inodes, all_inodes]) = numbers.as_deref() else { return false };
    blocks.saturating_mul(size) < FULL || (all_inodes > 0 && inodes == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_blocks_nor_inodes_may_be_used_up() {
        assert!(!is_full("1000000 4096 5 10"));
        assert!(is_full("4095 4096 5 10") && !is_full("4096 4096 5 10"));
        assert!(is_full("1000000 4096 0 10") && !is_full("1000000 4096 0 0"));
        assert!(!is_full("stat: cannot read file system information for '/tmp'") && !is_full(""));
    }
}
