//! Runs one shell command of a spec on this host, with the environment of a build and within limits.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A command is ended after this long.
pub(super) const LONGEST: Duration = Duration::from_secs(20);

/// A command that writes more is ended.
pub(super) const LARGEST: u64 = 16 << 20;

/// Runs a command and returns what it wrote to its standard output. Nothing but `environment` is inherited; the
/// working folder is `/`, because a build root has no other that this host has too.
pub(super) fn run(command: &str, environment: &[(String, String)]) -> io::Result<Vec<u8>> {
    run_within(command, environment, LONGEST)
}

fn run_within(command: &str, environment: &[(String, String)], longest: Duration) -> io::Result<Vec<u8>> {
    // Specs are written for bash; Debian's `/bin/sh` is another shell.
    let shell = if Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" };
    let mut child = Command::new(shell)
        .args(["-c", command])
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let output = child.stdout.take().ok_or_else(|| io::Error::other("the shell has no output"))?;
    let deadline = Instant::now() + longest;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let outcome = output.take(LARGEST + 1).read_to_end(&mut bytes).map(|_| bytes);
        // Nobody listens any more when the command took too long.
        let _ = sender.send(outcome);
    });
    let outcome = match receiver.recv_timeout(longest) {
        Ok(Ok(bytes)) if bytes.len() as u64 > LARGEST => {
            Err(io::Error::other(format!("`{command}` wrote more than {} MiB", LARGEST >> 20)))
        }
        Ok(outcome) => outcome,
        Err(_) => Err(too_long(command, longest)),
    };
    while outcome.is_ok() && child.try_wait()?.is_none() {
        if Instant::now() >= deadline {
            end(&mut child)?;
            return Err(too_long(command, longest));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    if outcome.is_err() {
        end(&mut child)?;
    }
    outcome
}

fn too_long(command: &str, longest: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("`{command}` ran longer than {longest:?}"))
}

/// Ends the shell and all it started. It is not waited for before, so its group cannot be another's by now.
fn end(child: &mut Child) -> io::Result<()> {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // Nothing of the group may be left.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    child.wait().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_this_process_is_inherited() {
        let environment = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
        let answer = run("echo ${HOME-none} $PWD; echo lost >&2", &environment).expect("it runs");
        assert_eq!(String::from_utf8_lossy(&answer), "none /\n");
    }

    #[test]
    fn what_is_left_behind_does_not_keep_the_answer_waiting() {
        let began = Instant::now();
        let error =
            run_within("sleep 86423 & echo a", &[], Duration::from_millis(300)).expect_err("its pipe stays open");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn endless_output_is_cut_off() {
        let error =
            run("while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done | cat", &[]);
        let error = error.expect_err("it never ends");
        assert!(error.to_string().contains("16 MiB") || error.kind() == io::ErrorKind::TimedOut, "{error}");
    }
}
