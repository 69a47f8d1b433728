//! One session of the Linux sandbox: gives orders to sandbox processes, one at a time, and reads their
//! answers.

use std::convert::Infallible;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio_util::io::ReaderStream;

use super::cgroup::ControlGroups;
use super::identity::Identity;
use super::init::MARKER;
use super::order::{Action, Answer, Order, ProcessLimits, Report};
use crate::usage::MemoryWatch;
use crate::watch::{Stop, Watch};
use crate::{ExecSpec, ExecStatus, OutputSink, SandboxError, Session, SessionSpec, Usage};

/// How much output is read at once.
const CHUNK: usize = 64 * 1024;
/// How long a killed sandbox may take to be gone, before this is called an error.
const END_TIME: Duration = Duration::from_secs(60);

/// How long removing what a dropped session has written may take.
const CLEAN_TIME: Duration = Duration::from_secs(20);

/// A session: a scratch directory with what was written, and control groups.
#[derive(Debug)]
pub(super) struct LinuxSession {
    /// What it was started from.
    spec: SessionSpec,
    /// Whose powers it is made with.
    identity: Identity,
    /// The limits; removed last.
    groups: ControlGroups,
    /// Held while a sandbox process runs: there is one upper directory.
    turn: Arc<Mutex<()>>,
    /// What commands used, by those who waited for them.
    waited: std::sync::Mutex<Usage>,
    /// Watches the memory of the commands.
    memory: std::sync::Mutex<MemoryWatch>,
    /// Whether what was written was removed, which is the caller's business where the caller can.
    clean: bool,
}

/// A sandbox process, and the turn it has. If a caller goes away in the middle, the process kills all it
/// started, since its socket ends; the next turn comes after that.
struct Running {
    /// The process, until it was waited for.
    child: Option<Child>,
    /// The turn.
    turn: Option<OwnedMutexGuard<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let (Some(mut child), Some(turn)) = (self.child.take(), self.turn.take())
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(async move {
                child.wait().await.ok();
                drop(turn);
            });
        }
    }
}

/// What a sandbox process left behind.
struct Outcome {
    /// Its answer.
    answer: Answer,
    /// Why the wait for it stopped.
    stop: Stop,
}

impl LinuxSession {
    /// A session in a prepared scratch directory.
    pub(super) fn new(spec: SessionSpec, identity: Identity) -> Self {
        let groups = ControlGroups::create(&spec.limits);
        let nothing = Usage { cpu_seconds: Some(0.0), peak_memory: None, disk: Some(0) };
        let memory = groups.memory_watch().into();
        Self { spec, identity, groups, turn: Arc::default(), waited: nothing.into(), memory, clean: false }
    }

    /// What commands used, by those who waited for them.
    fn waited(&self) -> std::sync::MutexGuard<'_, Usage> {
        self.waited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The watch over the memory of the commands.
    fn memory(&self) -> std::sync::MutexGuard<'_, MemoryWatch> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches the memory of a command that begins now, until it is given up.
    async fn watch_memory(&self) -> Infallible {
        self.memory().begin();
        loop {
            let pause = self.memory().look();
            tokio::time::sleep(pause).await;
        }
    }

    /// Has an action done that is not a command.
    pub(super) async fn give(&self, action: Action) -> Result<Report, SandboxError> {
        let mut output = Vec::new();
        let outcome = self.perform(action, &mut output, &Watch::with_times(None, None)).await?;
        match outcome.answer.report {
            Report::Lost => Err(SandboxError::failed(
                format!("working in session {}", self.spec.name),
                format!("the sandbox process ended early; it wrote: {}", String::from_utf8_lossy(&output).trim()),
            )),
            report => Ok(report),
        }
    }

    /// Starts a sandbox process for one action and waits until it and all it started is gone.
    async fn perform(&self, action: Action, sink: &mut dyn OutputSink, watch: &Watch) -> Result<Outcome, SandboxError> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let broken = |reason: std::io::Error| {
            SandboxError::failed(format!("running a sandbox process for session {}", self.spec.name), reason)
        };
        let is_command = matches!(action, Action::Run(_));
        let order = serde_json::to_vec(&self.order(action)).map_err(|error| broken(error.into()))?;
        let (reader, writer) = std::io::pipe().map_err(broken)?;
        let (ours, theirs) = StdUnixStream::pair().map_err(broken)?;
        ours.set_nonblocking(true).map_err(broken)?;
        let mut socket = UnixStream::from_std(ours).map_err(broken)?;
        let child = {
            let mut command = Command::new("/proc/self/exe");
            command.arg0(MARKER).env_clear();
            for name in ["PATH", "LD_LIBRARY_PATH"] {
                if let Some(value) = std::env::var_os(name) {
                    command.env(name, value);
                }
            }
            command.stdin(OwnedFd::from(theirs));
            command.stdout(writer.try_clone().map_err(broken)?).stderr(writer);
            command.spawn().map_err(broken)?
        };
        // Unknown until it has ended well, whatever becomes of it or of the caller.
        let before = is_command.then(|| std::mem::take(&mut *self.waited()));
        let mut running = Running { child: Some(child), turn: Some(turn) };
        let output = Receiver::from_owned_fd(reader.into()).map_err(broken)?;
        let mut chunks = ReaderStream::with_capacity(output, CHUNK);
        socket.write_all(&order).await.map_err(broken)?;
        socket.write_all(b"\n").await.map_err(broken)?;
        let stop = tokio::select! {
            stop = watch.pump(&mut chunks, sink) => stop.map_err(broken)?,
            never = self.watch_memory(), if is_command => match never {},
        };
        if stop != Stop::Ended {
            // The end of the socket is the order to kill everything.
            socket.shutdown().await.map_err(broken)?;
            let rest = Watch::with_times(Some(END_TIME), None);
            if rest.pump(&mut chunks, sink).await.map_err(broken)? != Stop::Ended {
                return Err(broken(std::io::Error::other("it does not end although it was killed")));
            }
        }
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.map_err(broken)?;
        let Some(child) = running.child.as_mut() else { return Err(broken(std::io::ErrorKind::NotFound.into())) };
        let status = child.wait().await.map_err(broken)?;
        running.child = None;
        let answer = parse(&answer, status);
        if let Some(before) = before {
            *self.waited() = before.and(answer.usage);
        }
        Ok(Outcome { answer, stop })
    }

    /// The order for an action in this session.
    fn order(&self, action: Action) -> Order {
        let limits = &self.spec.limits;
        let is_command = matches!(action, Action::Run(_));
        let process_limits = ProcessLimits {
            memory: limits.memory.filter(|_| is_command && !self.groups.limits_memory),
            processes: limits.processes.filter(|_| is_command && !self.groups.limits_processes),
        };
        Order {
            layer: self.spec.layer.clone(),
            above: self.spec.above.clone(),
            scratch: self.spec.scratch.clone(),
            binds: self.spec.binds.iter().map(|bind| (bind.host.clone(), bind.guest.clone())).collect(),
            volumes: self.spec.volumes.clone(),
            identity: self.identity.clone(),
            cgroups: if is_command { self.groups.process_files() } else { Vec::new() },
            process_limits,
            action,
        }
    }

    /// Has an action done whose only good answer is that it is done.
    async fn carry_out(&self, action: Action) -> Result<(), SandboxError> {
        match self.give(action).await? {
            Report::Failed { action, reason } => Err(SandboxError::Failed { action, reason }),
            _ => Ok(()),
        }
    }
}

/// Reads a sandbox process's answer.
fn parse(answer: &str, status: ExitStatus) -> Answer {
    serde_json::from_str(answer.trim()).unwrap_or_else(|_| Answer {
        report: Report::Failed {
            action: "running a sandbox process".into(),
            reason: format!("it ended with {status} and answered {answer:?}"),
        },
        usage: Usage::default(),
    })
}

#[async_trait]
impl Session for LinuxSession {
    async fn exec(&self, spec: ExecSpec, sink: &mut dyn OutputSink) -> Result<ExecStatus, SandboxError> {
        let watch = Watch::new(&spec);
        let kills = self.groups.kills();
        let action = Action::Run(spec.into());
        let outcome = self.perform(action, sink, &watch).await?;
        let status = match (outcome.stop, outcome.answer.report) {
            (_, Report::Failed { action, reason }) => return Err(SandboxError::Failed { action, reason }),
            (Stop::TimedOut, _) => ExecStatus::TimedOut,
            (Stop::Idle, _) => ExecStatus::Idle,
            (Stop::Ended, Report::Exited(code)) => ExecStatus::Exited(code),
            (Stop::Ended, Report::Signaled(signal)) => ExecStatus::Signaled(signal),
            (Stop::Ended, Report::Lost | Report::Done) if self.groups.kills() > kills => ExecStatus::OutOfMemory,
            (Stop::Ended, Report::Lost | Report::Done) => {
                return Err(SandboxError::failed(
                    format!("running a command in session {}", self.spec.name),
                    "its sandbox was killed",
                ));
            }
        };
        let short_of_memory = matches!(status, ExecStatus::Exited(1..) | ExecStatus::Signaled(_));
        Ok(if short_of_memory && self.groups.kills() > kills { ExecStatus::OutOfMemory } else { status })
    }

    async fn copy_out(&self, guest: &Path, host: &Path) -> Result<(), SandboxError> {
        self.carry_out(Action::CopyOut { guest: guest.to_owned(), host: host.to_owned() }).await
    }

    async fn copy_in(&self, host_files: &[PathBuf], guest: &Path) -> Result<(), SandboxError> {
        self.carry_out(Action::CopyIn { files: host_files.to_owned(), guest: guest.to_owned() }).await
    }

    fn usage(&self) -> Usage {
        let waited = *self.waited();
        Usage {
            // The group also knows what was killed.
            cpu_seconds: self.groups.cpu_seconds().or(waited.cpu_seconds),
            peak_memory: self.memory().most(),
            disk: waited.disk,
        }
    }

    async fn into_layer(self: Box<Self>, layer: &Path) -> Result<(), SandboxError> {
        let settled = self.carry_out(Action::Settle).await;
        let action = || format!("making {} of session {}", layer.display(), self.spec.name);
        let renamed = settled.and_then(|()| {
            // A rename would replace an empty directory.
            let is_there =
                layer.symlink_metadata().is_ok().then(|| SandboxError::failed(action(), "it is there already"));
            is_there.map_or(Ok(()), Err)?;
            std::fs::rename(self.spec.scratch.join("upper"), layer)
                .map_err(|error| SandboxError::failed(action(), error))
        });
        let ended = self.end().await;
        renamed.and(ended)
    }

    async fn end(mut self: Box<Self>) -> Result<(), SandboxError> {
        // What a caller left running may still be ending.
        drop(Arc::clone(&self.turn).lock_owned().await);
        self.groups.remove();
        if self.identity.needs_user_namespace() && !std::mem::replace(&mut self.clean, true) {
            self.carry_out(Action::Clean).await?;
        }
        Ok(())
    }
}

impl Drop for LinuxSession {
    fn drop(&mut self) {
        if self.clean || !self.identity.needs_user_namespace() {
            return;
        }
        // The runtime may be on its way down, so this has its own.
        let session = &*self;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
                runtime.block_on(async {
                    tokio::time::timeout(CLEAN_TIME, session.carry_out(Action::Clean)).await.ok()?.ok()
                })
            });
        });
    }
}
