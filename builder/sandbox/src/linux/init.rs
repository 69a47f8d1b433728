//! The process the program starts itself as: it makes the namespaces and waits outside of them; its child
//! is process 1 inside, sets everything up and runs one command.
//!
//! The program forks only here, where there is one thread. The two talk over one socket, which is standard
//! input: one line of JSON in, one out. When the socket ends before the command does, because the program
//! wants it so or is no more, everything inside is killed: killing process 1 of a process namespace kills
//! all of it, whatever it forked, renamed or detached.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{
    DumpableBehavior, Pid, PidfdFlags, Signal, WaitOptions, kill_process, kill_process_group, pidfd_open,
    set_dumpable_behavior, set_parent_process_death_signal, setsid, waitpid,
};

use super::order::{Action, Answer, Command, During, Failure, Order, Report};
use super::{command, copy, root, sys};
use crate::docker::{agent, program};
use crate::{SandboxError, Usage};

/// The name the program is called by to become a sandbox.
pub(super) const MARKER: &str = "package-builder-sandbox";

/// Whether [`init_if_called`] ran: without it the program would start itself as itself.
static CALLED: AtomicBool = AtomicBool::new(false);

/// Refuses to work in a program that would start itself as itself.
pub(crate) fn require() -> Result<(), SandboxError> {
    if CALLED.load(Ordering::Relaxed) {
        return Ok(());
    }
    Err(SandboxError::Unavailable {
        reason: "this program cannot start itself as a sandbox".into(),
        hint: "call sandbox::linux::init_if_called() first thing in main".into(),
    })
}

/// Becomes a sandbox's first process, and never returns, if this program was started as one. Every program
/// that uses [`LinuxSandbox`](super::LinuxSandbox) or [`DockerSandbox`](crate::docker::DockerSandbox) calls
/// it first thing in `main`, before any thread is started.
pub fn init_if_called() {
    CALLED.store(true, Ordering::Relaxed);
    match std::env::args_os().next() {
        Some(name) if name == MARKER => exit(i32::from(serve().is_err())),
        Some(name) if name == program::MARKER => agent::serve(),
        _ => {}
    }
}

/// Takes the order, has it done, answers.
fn serve() -> io::Result<()> {
    sys::close_inherited()?;
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    // A Ctrl-C on the terminal is for the program to answer, not for the builds.
    setsid().ok();
    let mut line = String::new();
    BufReader::new(&socket).read_line(&mut line)?;
    let report = match serde_json::from_str::<Order>(&line) {
        Ok(order) => supervise(&order, &socket).unwrap_or_else(Report::from),
        Err(error) => Report::Failed { action: "reading the sandbox order".into(), reason: error.to_string() },
    };
    // Of a sandbox that was killed, only the kernel knows what its processes used.
    let usage = match report {
        Report::Exited(_) | Report::Signaled(_) => sys::usage_of_children(),
        _ => Usage::default(),
    };
    let mut answer = serde_json::to_vec(&Answer { report, usage })?;
    answer.push(b'\n');
    (&socket).write_all(&answer)
}

/// Makes process 1 and waits for its end, or for the end of the socket.
fn supervise(order: &Order, socket: &UnixStream) -> Result<Report, Failure> {
    let (go_reader, mut go_writer) = io::pipe().during(|| "making a pipe".into())?;
    let (mut report_reader, report_writer) = io::pipe().during(|| "making a pipe".into())?;
    let mut flags = sys::NAMESPACES;
    if order.identity.needs_user_namespace() {
        flags |= sys::USER_NAMESPACE;
    }
    let Some(child) = sys::fork_into(flags).during(|| "making namespaces".into())? else {
        drop((go_writer, report_reader));
        first_process(order, go_reader.into(), &report_writer);
    };
    drop((go_reader, report_writer));
    let admitted = admit(order, child).and_then(|()| go_writer.write_all(b"g").during(|| "starting".into()));
    if let Err(failure) = admitted {
        end(child);
        return Err(failure);
    }
    wait(child, socket)?;
    let mut line = String::new();
    report_reader.read_to_string(&mut line).during(|| "reading the sandbox's report".into())?;
    match line.lines().next() {
        Some(first) => serde_json::from_str(first).during(|| "reading the sandbox's report".into()),
        None => Ok(Report::Lost),
    }
}

/// Puts process 1 into its control groups and maps its ids.
fn admit(order: &Order, child: Pid) -> Result<(), Failure> {
    let pid = child.as_raw_nonzero().get();
    for group in &order.cgroups {
        std::fs::write(group, pid.to_string()).during(|| format!("writing {}", group.display()))?;
    }
    let as_root = !matches!(order.action, Action::Run(Command { as_root: false, .. }) | Action::CopyIn { .. });
    order.identity.write_maps(pid, as_root)
}

/// Waits for process 1, and kills it if the socket ends. Returns when all processes inside are gone: the
/// kernel lets process 1 be waited for only then.
fn wait(child: Pid, socket: &UnixStream) -> Result<(), Failure> {
    let handle = pidfd_open(child, PidfdFlags::empty()).during(|| "watching the sandbox".into())?;
    loop {
        let mut watched = [PollFd::new(&handle, PollFlags::IN), PollFd::new(socket, PollFlags::IN | PollFlags::RDHUP)];
        match poll(&mut watched, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                end(child);
                return Err(error).during(|| "watching the sandbox".into());
            }
        }
        if !watched[0].revents().is_empty() || !watched[1].revents().is_empty() {
            end(child);
            return Ok(());
        }
    }
}

/// Kills process 1, if it still runs, and waits for it.
fn end(child: Pid) {
    kill_process(child, Signal::KILL).ok();
    while let Err(rustix::io::Errno::INTR) = waitpid(Some(child), WaitOptions::empty()) {}
}

/// What process 1 inside does; never returns.
fn first_process(order: &Order, go: OwnedFd, report: &io::PipeWriter) -> ! {
    set_parent_process_death_signal(Some(Signal::KILL)).ok();
    let mut byte = [0];
    let started = File::from(go).read(&mut byte).is_ok_and(|count| count == 1);
    if !started || reader_is_gone(report) {
        exit(1);
    }
    let answer = act(order, report).unwrap_or_else(Report::from);
    send(report, &answer);
    exit(0);
}

/// Whether the supervisor died before its death could kill this process.
fn reader_is_gone(report: &io::PipeWriter) -> bool {
    let mut watched = [PollFd::new(report, PollFlags::empty())];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut watched, Some(&now)).is_ok() && watched[0].revents().contains(PollFlags::ERR)
}

/// Writes a report; the supervisor takes the first.
fn send(mut report: &io::PipeWriter, answer: &Report) {
    if let Ok(mut line) = serde_json::to_vec(answer) {
        line.push(b'\n');
        report.write_all(&line).ok();
    }
}

/// Sets up and does what the order says.
fn act(order: &Order, report: &io::PipeWriter) -> Result<Report, Failure> {
    if matches!(order.action, Action::Clean) {
        root::remove_writes(order)?;
        return Ok(Report::Done);
    }
    if matches!(order.action, Action::Settle) {
        root::settle_writes(order)?;
        return Ok(Report::Done);
    }
    let merged = root::mount_overlay(order)?;
    match &order.action {
        Action::CopyOut { guest, host } => {
            copy::copy_out(&merged, guest, host, order.identity.keeps_owners())?;
            Ok(Report::Done)
        }
        Action::CopyIn { files, guest } => {
            copy::copy_in(&merged, files, guest, order.identity.is_single())?;
            Ok(Report::Done)
        }
        Action::Probe | Action::Clean | Action::Settle => {
            enter(order, &merged)?;
            Ok(Report::Done)
        }
        Action::Run(command) => {
            enter(order, &merged)?;
            set_dumpable_behavior(DumpableBehavior::NotDumpable).during(|| "hiding process 1".into())?;
            let forked = sys::fork_single(0).during(|| "forking".into())?;
            let Some(child) = forked else {
                let failure = command::become_it(command, &order.process_limits, &order.identity);
                send(report, &failure.into());
                exit(127);
            };
            Ok(reap(child))
        }
    }
}

/// Makes everything around the root file system and goes into it.
fn enter(order: &Order, merged: &Path) -> Result<(), Failure> {
    sys::new_control_group_namespace().ok();
    rustix::system::sethostname(b"localhost").during(|| "setting the host name".into())?;
    sys::loopback_up().during(|| "bringing the loopback interface up".into())?;
    root::enter(order, merged)
}

/// Waits for the command, kills what it leaves, and waits for that as well: what a process has used is known to who
/// waited for it.
fn reap(command: Pid) -> Report {
    let mut report = Report::Lost;
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == command => {
                report = Report::of(status);
                // To "the group of process 1" is to everyone, but for process 1 (kill(2)).
                kill_process_group(Pid::INIT, Signal::KILL).ok();
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return report,
        }
    }
}

/// A path as the kernel takes it.
pub(super) fn c_path(path: &Path) -> Result<CString, Failure> {
    CString::new(path.as_os_str().as_encoded_bytes()).during(|| format!("using the path {}", path.display()))
}

/// A host path of the session's directory.
pub(super) fn in_scratch(order: &Order, name: &str) -> PathBuf {
    order.scratch.join(name)
}
