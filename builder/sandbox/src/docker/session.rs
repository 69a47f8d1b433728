//! One session of the Docker sandbox: a container whose first process is an agent that takes orders.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bollard::Docker;
use bollard::query_parameters::KillContainerOptionsBuilder;
use futures_util::StreamExt;
use tokio::sync::{Mutex, MutexGuard, mpsc};
use tokio::time::timeout;
use tokio_util::bytes::{Buf, Bytes};

use super::frame::{Answer, CHUNK, Kind, Order};
use super::link::Link;
use super::{REQUEST_TIME, archive, image, leftovers, tree, within};
use crate::linux::identity::BUILDER_ID;
use crate::linux::order::Report;
use crate::watch::{Stop, Watch};
use crate::{ExecSpec, ExecStatus, OutputSink, SandboxError, Session, SessionSpec, Usage};

/// How long killed processes may take to be gone.
const END_TIME: Duration = Duration::from_secs(20);
/// Files of `/etc` that the engine lays empty ones over, even without a network. Its `/etc/hostname` is a mount, which
/// stays.
pub(super) const MASKED: [&str; 2] = ["hosts", "resolv.conf"];
/// How many pieces of a copy may wait to be unpacked.
const WAITING: usize = 16;

/// A container.
#[derive(Debug)]
pub(super) struct DockerSession {
    /// The engine.
    docker: Docker,
    /// The container's id.
    id: String,
    /// What it was started from.
    spec: SessionSpec,
    /// Whether the engine is Podman.
    is_podman: bool,
    /// The line to the agent, `None` when that is no more; the guard is also the turn to do something.
    link: Mutex<Option<Link>>,
    /// What the agent said last that was used; `None` once a container died with what it knew.
    used: std::sync::Mutex<Option<Usage>>,
    /// Whether the container was removed.
    ended: AtomicBool,
}

impl DockerSession {
    /// A session with a container that was created.
    pub(super) fn new(docker: Docker, id: String, spec: SessionSpec, is_podman: bool) -> Self {
        let nothing = Usage { cpu_seconds: Some(0.0), peak_memory: None, disk: Some(0) };
        let used = Some(nothing).into();
        Self { docker, id, spec, is_podman, link: Mutex::default(), used, ended: AtomicBool::new(false) }
    }

    /// What was used until now.
    fn used(&self) -> std::sync::MutexGuard<'_, Option<Usage>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is being done, for errors.
    fn doing(&self, what: &str) -> String {
        format!("{what} in session {} (container {:.12})", self.spec.name, self.id)
    }

    /// Starts the container.
    pub(super) async fn start(&self) -> Result<(), SandboxError> {
        let mut turn = self.link.lock().await;
        let mut link = self.start_container().await?;
        if self.is_podman {
            // There they are mounted.
            *turn = Some(link);
            return Ok(());
        }
        let masked = MASKED.iter().map(|name| self.spec.layer.join("etc").join(name));
        let masked: Vec<_> = masked.filter(|path| path.symlink_metadata().is_ok_and(|file| file.is_file())).collect();
        let action = || self.doing("putting back the files of /etc that the engine masks");
        match self.send(&mut link, &masked, 0, Path::new("/etc")).await {
            Ok(Report::Done) => {}
            Ok(report) => return Err(SandboxError::failed(action(), format!("{report:?}"))),
            Err(error) => return Err(SandboxError::failed(action(), error)),
        }
        *turn = Some(link);
        Ok(())
    }

    /// Starts the container, which is not running.
    async fn start_container(&self) -> Result<Link, SandboxError> {
        let action = self.doing("starting the container");
        // The line comes first: what an agent says while nobody listens is lost.
        let link = within(action.clone(), Link::open(&self.docker, &self.id)).await?;
        within(action, self.docker.start_container(&self.id, None)).await?;
        Ok(link)
    }

    /// Waits for the turn, and makes sure that there is an agent that waits for an order.
    async fn turn(&self) -> Result<MutexGuard<'_, Option<Link>>, SandboxError> {
        let mut turn = self.link.lock().await;
        let settled = match turn.as_mut() {
            Some(link) => timeout(END_TIME, link.settle()).await.unwrap_or(false),
            None => false,
        };
        if !settled {
            *turn = None;
            self.stop_container().await?;
            *turn = Some(self.start_container().await?);
        }
        Ok(turn)
    }

    /// Kills the container, if it runs; its files stay.
    async fn stop_container(&self) -> Result<(), SandboxError> {
        *self.used() = None;
        let options = KillContainerOptionsBuilder::default().signal("SIGKILL").build();
        // An error means that it is not running, or that the next request tells more.
        within("", self.docker.kill_container(&self.id, Some(options))).await.ok();
        let action = self.doing("stopping the container");
        // How it ended is of no interest, and an error of the wait says no more than that. (Podman has names for states that
        // an inspection of the container would stumble over.)
        let ended = timeout(END_TIME, self.docker.wait_container(&self.id, None).next()).await;
        ended.map(drop).map_err(|_| SandboxError::failed(action, "it does not stop"))
    }

    /// Whether the container itself was ended for want of memory.
    async fn ended_for_memory(&self) -> bool {
        let container = within("", self.docker.inspect_container(&self.id, None)).await;
        container.is_ok_and(|container| container.state.and_then(|state| state.oom_killed) == Some(true))
    }

    /// Has a command run.
    async fn run(
        &self,
        link: &mut Link,
        spec: ExecSpec,
        sink: &mut dyn OutputSink,
    ) -> io::Result<(Stop, Option<Answer>)> {
        let watch = Watch::new(&spec);
        let mut answer = None;
        link.order(&Order::Run(spec.into())).await?;
        let stop = watch.pump(&mut link.data(&mut answer), sink).await?;
        if stop != Stop::Ended {
            link.send(Kind::Stop, &[]).await?;
            let rest = Watch::with_times(Some(END_TIME), None);
            rest.pump(&mut link.data(&mut answer), sink).await?;
        }
        Ok((stop, answer))
    }

    /// Has a directory sent and unpacks it.
    async fn receive(&self, link: &mut Link, guest: &Path, host: &Path) -> io::Result<Report> {
        link.order(&Order::CopyOut { guest: guest.to_owned() }).await?;
        let (sender, receiver) = mpsc::channel(WAITING);
        let host = host.to_owned();
        let unpacking = tokio::task::spawn_blocking(move || {
            archive::unpack(ChannelReader { receiver, piece: Bytes::new() }, &host)
        });
        let mut answer = None;
        let mut data = link.data(&mut answer);
        while let Some(piece) = in_time(data.next()).await? {
            // Once the unpacking has failed nobody takes the rest, which has to be taken off the line anyhow.
            sender.send(piece?).await.ok();
        }
        drop((data, sender));
        let unpacked = unpacking.await.map_err(io::Error::other)?;
        match answer.map(|answer| answer.report) {
            Some(Report::Done) => unpacked.map(|()| Report::Done),
            report => Ok(report.unwrap_or(Report::Lost)),
        }
    }

    /// Sends files and has them unpacked.
    async fn send(&self, link: &mut Link, files: &[PathBuf], owner: u64, guest: &Path) -> io::Result<Report> {
        let files = files.to_owned();
        let mut pieces = Box::pin(tree::stream(move |builder| tree::append_files(builder, &files, owner)));
        link.order(&Order::CopyIn { guest: guest.to_owned() }).await?;
        let mut failure = None;
        while let Some(piece) = pieces.next().await {
            match piece {
                Ok(piece) => {
                    for chunk in piece.chunks(CHUNK) {
                        in_time(link.send(Kind::Data, chunk)).await??;
                    }
                }
                Err(error) => failure = Some(error),
            }
        }
        let end = if failure.is_some() { Kind::Stop } else { Kind::Data };
        link.send(end, &[]).await?;
        let mut answer = None;
        let mut data = link.data(&mut answer);
        while in_time(data.next()).await?.transpose()?.is_some() {}
        drop(data);
        match failure {
            Some(error) => Err(error),
            None => Ok(answer.map_or(Report::Lost, |answer| answer.report)),
        }
    }
}

/// Waits for the agent, but not forever.
async fn in_time<T>(step: impl Future<Output = T>) -> io::Result<T> {
    timeout(REQUEST_TIME, step).await.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the container is stuck"))
}

/// The result of an order that is not a command.
fn done(action: String, report: io::Result<Report>) -> Result<(), SandboxError> {
    match report {
        Ok(Report::Done) => Ok(()),
        Ok(Report::Failed { action, reason }) => Err(SandboxError::Failed { action, reason }),
        Ok(report) => Err(SandboxError::failed(action, format!("the agent answered {report:?}"))),
        Err(error) => Err(SandboxError::failed(action, error)),
    }
}

#[async_trait]
impl Session for DockerSession {
    async fn exec(&self, spec: ExecSpec, sink: &mut dyn OutputSink) -> Result<ExecStatus, SandboxError> {
        let action = self.doing("running a command");
        let mut turn = self.turn().await?;
        let Some(link) = turn.as_mut() else { return Err(SandboxError::failed(action, "there is no agent")) };
        let (stop, answer) = match self.run(link, spec, sink).await {
            Ok((stop, Some(answer))) => {
                // What an agent counts is not all there is once there was another before it.
                if let Some(used) = self.used().as_mut() {
                    *used = answer.usage;
                }
                (stop, answer)
            }
            Ok((stop, None)) => {
                // The agent cannot end the command; nothing of it is left running all the same.
                *turn = None;
                self.stop_container().await?;
                (stop, Answer { report: Report::Lost, out_of_memory: false, usage: Usage::default() })
            }
            Err(error) => {
                *turn = None;
                self.stop_container().await?;
                if self.ended_for_memory().await {
                    return Ok(ExecStatus::OutOfMemory);
                }
                return Err(SandboxError::failed(action, error));
            }
        };
        let status = match (stop, answer.report) {
            (_, Report::Failed { action, reason }) => return Err(SandboxError::Failed { action, reason }),
            (Stop::TimedOut, _) => ExecStatus::TimedOut,
            (Stop::Idle, _) => ExecStatus::Idle,
            (Stop::Ended, Report::Exited(code)) => ExecStatus::Exited(code),
            (Stop::Ended, Report::Signaled(signal)) => ExecStatus::Signaled(signal),
            (Stop::Ended, report) => {
                return Err(SandboxError::failed(action, format!("the agent answered {report:?}")));
            }
        };
        let short_of_memory = matches!(status, ExecStatus::Exited(1..) | ExecStatus::Signaled(_));
        Ok(if short_of_memory && answer.out_of_memory { ExecStatus::OutOfMemory } else { status })
    }

    async fn copy_out(&self, guest: &Path, host: &Path) -> Result<(), SandboxError> {
        let action = self.doing(&format!("copying {} to {}", guest.display(), host.display()));
        let mut turn = self.turn().await?;
        let Some(link) = turn.as_mut() else { return Err(SandboxError::failed(action, "there is no agent")) };
        done(action, self.receive(link, guest, host).await)
    }

    async fn copy_in(&self, host_files: &[PathBuf], guest: &Path) -> Result<(), SandboxError> {
        let action = self.doing(&format!("copying {} files to {}", host_files.len(), guest.display()));
        let mut turn = self.turn().await?;
        let Some(link) = turn.as_mut() else { return Err(SandboxError::failed(action, "there is no agent")) };
        done(action, self.send(link, host_files, BUILDER_ID.into(), guest).await)
    }

    fn usage(&self) -> Usage {
        self.used().unwrap_or_default()
    }

    async fn into_layer(self: Box<Self>, layer: &Path) -> Result<(), SandboxError> {
        let action = || self.doing(&format!("making {}", layer.display()));
        // The image is the layer; the directory only says that there is one.
        let working = tempfile::tempdir_in(layer.parent().unwrap_or(Path::new("/")))
            .map_err(|error| SandboxError::failed(action(), error))?;
        let made = async {
            *self.link.lock().await = None;
            self.stop_container().await?;
            if layer.symlink_metadata().is_ok() {
                return Err(SandboxError::failed(action(), "it is there already"));
            }
            image::commit(&self.docker, &self.id, layer).await?;
            std::fs::rename(working.path(), layer).map_err(|error| SandboxError::failed(action(), error))
        };
        let made = made.await;
        let ended = self.end().await;
        made.and(ended)
    }

    async fn end(self: Box<Self>) -> Result<(), SandboxError> {
        self.ended.store(true, Ordering::Relaxed);
        leftovers::remove_container(&self.docker, &self.id).await
    }
}

impl Drop for DockerSession {
    fn drop(&mut self) {
        if self.ended.load(Ordering::Relaxed) {
            return;
        }
        // The runtime may be on its way down, so the removal has its own. What fails here is removed as a
        // leftover by the next run's check.
        let id = self.id.clone();
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            let removal = async {
                let docker = super::connect().await.ok()?;
                leftovers::remove_container(&docker, &id).await.ok()
            };
            runtime.block_on(async { timeout(END_TIME, removal).await.ok()? })
        });
        removal.join().ok();
    }
}

/// Reads what a channel brings.
struct ChannelReader {
    /// The channel.
    receiver: mpsc::Receiver<Bytes>,
    /// What is not read yet of the last piece.
    piece: Bytes,
}

impl Read for ChannelReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
