//! Becoming a command: everything between the fork and the command's first instruction.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Stdio, exit};

use rustix::process::{Resource, Rlimit, setrlimit, setsid};

use super::identity::Identity;
use super::order::{Command, During, Failure, ProcessLimits};
use super::powers;

/// In the command's own process: gives up all powers and becomes the command. Returns only if that failed.
pub(crate) fn become_it(command: &Command, limits: &ProcessLimits, identity: &Identity) -> Failure {
    let prepared = (|| {
        setsid().during(|| "making a session".into())?;
        // Raising one's own score needs no privilege: the kernel shall end the build, not what watches it.
        std::fs::write("/proc/self/oom_score_adj", "300").ok();
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        set_limits(limits)?;
        powers::give_up(command.as_root, identity)?;
        rustix::process::chdir(&command.directory)
            .during(|| format!("entering {} in the sandbox", command.directory.display()))
    })();
    if let Err(failure) = prepared {
        return failure;
    }
    let Some((program, arguments)) = command.argv.split_first() else {
        return Failure { action: "starting a command".into(), reason: "it is empty".into() };
    };
    let mut process = std::process::Command::new(program);
    process.args(arguments).env_clear().envs(command.environment.iter().map(|(name, value)| (name, value)));
    let error = process.stdin(Stdio::null()).exec();
    // As a shell does: this is the caller's mistake, not the sandbox's.
    let code = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
    writeln!(io::stderr(), "{program}: {error}").ok();
    exit(code);
}

/// The limits every command starts with, whatever the host's are.
fn set_limits(limits: &ProcessLimits) -> Result<(), Failure> {
    let open_files = rustix::process::getrlimit(Resource::Nofile).maximum.map_or(1 << 20, |most| most.min(1 << 20));
    let set = |resource, current, maximum| {
        setrlimit(resource, Rlimit { current: Some(current), maximum: Some(maximum) })
            .during(|| format!("setting the limit {resource:?}"))
    };
    set(Resource::Core, 0, 0)?;
    set(Resource::Nofile, open_files.min(1024), open_files)?;
    if let Some(bytes) = limits.memory {
        set(Resource::Data, bytes, bytes)?;
    }
    if let Some(count) = limits.processes {
        set(Resource::Nproc, count, count)?;
    }
    Ok(())
}
