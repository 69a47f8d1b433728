//! The first process of a container: this program itself, waiting for orders on its standard input.
//!
//! It runs one command at a time and, when that has ended, kills whatever it left: the kernel lets process 1
//! signal everything in its process namespace at once. It ends with its input, so a container does not
//! outlive the program it belongs to. Commands cannot touch it: it is process 1, and not dumpable.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::exit;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    DumpableBehavior, Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, kill_process_group, pidfd_open,
    set_dumpable_behavior, wait,
};

use super::frame::{self, Answer, CHUNK, Kind, Order};
use super::{archive, tree};
use crate::Usage;
use crate::linux::cgroup::kills_in;
use crate::linux::command;
use crate::linux::identity::Identity;
use crate::linux::order::{Command, During, Failure, ProcessLimits, Report};
use crate::linux::sys;
use crate::usage::{MemoryWatch, cpu_seconds_in};

/// Where a container sees the counter of kills for want of memory, by the version of control groups.
const KILLS: [&str; 2] = ["/sys/fs/cgroup/memory/memory.oom_control", "/sys/fs/cgroup/memory.events"];
/// Where it sees the control groups that count what it uses, by their version.
const GROUPS: [&str; 3] = ["/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup/memory", "/sys/fs/cgroup"];
/// How often a command is looked after where the kernel cannot tell its end.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// The two ends of the line.
struct Line {
    /// Standard input.
    orders: File,
    /// Standard output.
    answers: File,
}

/// Takes orders until there are no more; never returns.
pub(crate) fn serve() -> ! {
    let code = match take_orders() {
        Ok(()) => 0,
        Err(error) => {
            writeln!(io::stderr(), "{error}").ok();
            1
        }
    };
    exit(code);
}

/// See [`serve`].
fn take_orders() -> io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let mut line = Line {
        orders: File::from(io::stdin().as_fd().try_clone_to_owned()?),
        answers: File::from(io::stdout().as_fd().try_clone_to_owned()?),
    };
    let mut memory = MemoryWatch::new(&GROUPS.map(Path::new));
    loop {
        let order = match frame::read(&line.orders) {
            Ok((Kind::Order, order)) => order,
            // It came too late.
            Ok((Kind::Stop, _)) => continue,
            Ok((kind, _)) => return Err(io::Error::other(format!("an order was expected, not {kind:?}"))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
        let killed = kills();
        let report = match serde_json::from_slice(&order) {
            Ok(Order::Run(command)) => run(&command, &mut line, &mut memory),
            Ok(Order::CopyOut { guest }) => copy_out(&guest, &line.answers),
            Ok(Order::CopyIn { guest }) => copy_in(&guest, &line.orders),
            Err(error) => Err(Failure { action: "reading an order".into(), reason: error.to_string() }),
        };
        let report = report.unwrap_or_else(Report::from);
        let answer = Answer { report, out_of_memory: kills() > killed, usage: usage(&memory) };
        frame::write(&line.answers, Kind::End, &serde_json::to_vec(&answer)?)?;
    }
}

/// How many processes of this container were killed for want of memory until now.
fn kills() -> u64 {
    KILLS.iter().find_map(|file| kills_in(Path::new(file))).unwrap_or(0)
}

/// What was used in this container until now. All children were waited for, killed ones as well.
fn usage(memory: &MemoryWatch) -> Usage {
    let waited = sys::usage_of_children();
    Usage {
        cpu_seconds: GROUPS.iter().map(Path::new).find_map(cpu_seconds_in).or(waited.cpu_seconds),
        peak_memory: memory.most(),
        disk: waited.disk,
    }
}

/// Runs a command to its end, or to the order to stop.
fn run(command: &Command, line: &mut Line, memory: &mut MemoryWatch) -> Result<Report, Failure> {
    memory.begin();
    let (mut output, writer) = io::pipe().during(|| "making a pipe".into())?;
    let (mut failures, mut failed) = io::pipe().during(|| "making a pipe".into())?;
    // There is one thread in this process, ever.
    let Some(child) = sys::fork_single(0).during(|| "forking".into())? else {
        let joined = rustix::stdio::dup2_stdout(&writer).and_then(|()| rustix::stdio::dup2_stderr(&writer));
        let failure = match joined.during(|| "joining the outputs".into()) {
            Ok(()) => command::become_it(command, &ProcessLimits::default(), &Identity::HostRoot),
            Err(failure) => failure,
        };
        failed.write_all(&serde_json::to_vec(&Report::from(failure)).unwrap_or_default()).ok();
        exit(127);
    };
    drop((writer, failed));
    let watched = watch(child, &mut output, line, memory);
    let status = end_all(child);
    watched.during(|| "watching a command".into())?;
    // All writers are dead, so both pipes have an end.
    while pass_on(&mut output, &line.answers).during(|| "reading output".into())? {}
    let mut failure = Vec::new();
    failures.read_to_end(&mut failure).during(|| "reading how the command started".into())?;
    if failure.is_empty() {
        return Ok(status.map_or(Report::Lost, Report::of));
    }
    serde_json::from_slice(&failure).during(|| "reading why the command did not start".into())
}

/// Passes output on until the command ends or is to be ended. Ends this process when there is nobody left to
/// take orders from, and with it everything here.
fn watch(child: Pid, output: &mut io::PipeReader, line: &mut Line, memory: &mut MemoryWatch) -> io::Result<()> {
    // An engine's own filter may refuse it.
    let handle = pidfd_open(child, PidfdFlags::empty()).ok();
    let mut is_open = true;
    loop {
        let look = Timespec::try_from(memory.look()).unwrap_or(PAUSE);
        let pause = if handle.is_some() { look } else { PAUSE };
        let (orders, child_end, output_end) = {
            let none = PollFlags::empty();
            let mut watched = [
                PollFd::new(&line.orders, PollFlags::IN),
                PollFd::from_borrowed_fd(
                    handle.as_ref().map_or(line.orders.as_fd(), |handle| handle.as_fd()),
                    handle.as_ref().map_or(none, |_| PollFlags::IN),
                ),
                PollFd::new(output, PollFlags::IN),
            ];
            let count = if is_open { 3 } else { 2 };
            match poll(&mut watched[..count], Some(&pause)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let ready = |at: usize| at < count && !watched[at].revents().is_empty();
            (ready(0), handle.is_some() && ready(1), ready(2))
        };
        if orders {
            match frame::read(&line.orders) {
                Ok((Kind::Stop, _)) => return Ok(()),
                Ok((kind, _)) => return Err(io::Error::other(format!("{kind:?} came while a command ran"))),
                Err(_) => exit(0),
            }
        }
        if output_end {
            is_open = pass_on(output, &line.answers)?;
        }
        if child_end || handle.is_none() && has_ended(child)? {
            return Ok(());
        }
    }
}

/// Whether a child has ended; it still can be waited for.
fn has_ended(child: Pid) -> io::Result<bool> {
    let options = rustix::process::WaitIdOptions::EXITED
        | rustix::process::WaitIdOptions::NOHANG
        | rustix::process::WaitIdOptions::NOWAIT;
    Ok(rustix::process::waitid(rustix::process::WaitId::Pid(child), options)?.is_some())
}

/// Passes one piece of output on; `false` at its end.
fn pass_on(output: &mut io::PipeReader, answers: &File) -> io::Result<bool> {
    let mut bytes = [0; CHUNK];
    let count = output.read(&mut bytes)?;
    if count > 0 {
        frame::write(answers, Kind::Data, &bytes[..count])?;
    }
    Ok(count > 0)
}

/// Kills everything but this process, waits until it is gone, and tells how the command ended.
fn end_all(command: Pid) -> Option<WaitStatus> {
    // To "the group of process 1" is to everyone, but for process 1 (kill(2)).
    kill_process_group(Pid::INIT, Signal::KILL).ok();
    let mut status = None;
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, ended))) if pid == command => status = Some(ended),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return status,
        }
    }
}

/// Sends a directory as a tar stream.
fn copy_out(guest: &Path, answers: &File) -> Result<Report, Failure> {
    let sender = BufWriter::with_capacity(CHUNK, Sender { answers });
    let mut builder = tar::Builder::new(sender);
    builder.follow_symlinks(false);
    let sent = tree::append_tree(&mut builder, guest).and_then(|()| builder.into_inner()?.flush());
    sent.during(|| format!("reading {} in the sandbox", guest.display()))?;
    Ok(Report::Done)
}

/// Unpacks a tar stream into a directory.
fn copy_in(guest: &Path, orders: &File) -> Result<Report, Failure> {
    let mut receiver = Receiver { orders, piece: io::Cursor::default(), is_over: false };
    let unpacked = archive::unpack_files(&mut receiver, guest);
    // What an error has left unread must not be taken for orders.
    let rest = io::copy(&mut receiver, &mut io::sink());
    unpacked.and(rest.map(|_| ())).during(|| format!("writing to {} in the sandbox", guest.display()))?;
    Ok(Report::Done)
}

/// Sends what is written as data.
struct Sender<'a> {
    /// Where to.
    answers: &'a File,
}

impl Write for Sender<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        frame::write(self.answers, Kind::Data, bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads data up to the frame without any.
struct Receiver<'a> {
    /// Where from.
    orders: &'a File,
    /// What is not read yet of the last frame.
    piece: io::Cursor<Vec<u8>>,
    /// Whether that was the last.
    is_over: bool,
}

impl Read for Receiver<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.piece.read(buffer)?;
            if count > 0 || self.is_over {
                return Ok(count);
            }
            match frame::read(self.orders)? {
                (Kind::Data, piece) => {
                    self.is_over = piece.is_empty();
                    self.piece = io::Cursor::new(piece);
                }
                (kind, _) => {
                    self.is_over = true;
                    return Err(io::Error::other(format!("{kind:?} came instead of the rest")));
                }
            }
        }
    }
}
