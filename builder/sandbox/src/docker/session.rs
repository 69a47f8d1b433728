//! One session of the Docker sandbox: a container that does nothing, and commands executed in it.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bollard::Docker;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::query_parameters::{
    DownloadFromContainerOptionsBuilder, EventsOptionsBuilder, KillContainerOptionsBuilder,
    UploadToContainerOptionsBuilder,
};
use futures_util::{StreamExt, TryStreamExt};
use tokio::sync::Mutex;
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::{HELPER_PATH, archive, leftovers, tree, within};
use crate::watch::{Stop, Watch};
use crate::{ExecSpec, ExecStatus, OutputSink, SandboxError, Session, SessionSpec, User};

/// Joins the two outputs, so that they keep their order, and gives the command exactly its environment.
const JOIN: &str = "exec env -i \"$@\" 2>&1";
/// Kills everything in the container but its first process, which holds it.
const KILL_ALL: &str = "kill -9 -1";
/// The uid and gid of the build user.
const BUILDER_ID: u64 = 1000;
/// How long killed processes may take to be gone.
const END_TIME: Duration = Duration::from_secs(20);

/// A container.
#[derive(Debug)]
pub(super) struct DockerSession {
    /// The engine.
    docker: Docker,
    /// The container's id.
    id: String,
    /// What it was started from.
    spec: SessionSpec,
    /// The holder's processes, by the host's numbers; the guard is also the turn to run a command, since all
    /// that is left running after a command is killed.
    holder: Mutex<BTreeSet<String>>,
    /// Whether a command was given up in the middle.
    dirty: AtomicBool,
    /// Whether the container was removed.
    ended: AtomicBool,
}

impl DockerSession {
    /// A session with a container that was created.
    pub(super) fn new(docker: Docker, id: String, spec: SessionSpec) -> Self {
        let (dirty, ended) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { docker, id, spec, holder: Mutex::default(), dirty, ended }
    }

    /// What is being done, for errors.
    fn doing(&self, what: &str) -> String {
        format!("{what} in session {} (container {:.12})", self.spec.name, self.id)
    }

    /// Starts the container.
    pub(super) async fn start(&self) -> Result<(), SandboxError> {
        let mut holder = self.holder.lock().await;
        self.start_container(&mut holder).await
    }

    /// Starts the container, if it is not running, and notes which processes are the holder's.
    async fn start_container(&self, holder: &mut BTreeSet<String>) -> Result<(), SandboxError> {
        within(self.doing("starting the container"), self.docker.start_container(&self.id, None)).await?;
        self.note_holder(holder).await
    }

    /// Waits for the holder's two processes, and notes their numbers.
    async fn note_holder(&self, holder: &mut BTreeSet<String>) -> Result<(), SandboxError> {
        for _ in 0..100 {
            *holder = self.processes().await?;
            if holder.len() == 2 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let reason = format!("its first process has not settled; it runs {holder:?}");
        Err(SandboxError::failed(self.doing("starting the container"), reason))
    }

    /// The numbers of all processes in the container.
    async fn processes(&self) -> Result<BTreeSet<String>, SandboxError> {
        let action = self.doing("listing processes");
        let top = within(action.clone(), self.docker.top_processes(&self.id, None)).await?;
        let titles = top.titles.unwrap_or_default();
        let column = titles.iter().position(|title| title == "PID");
        let column = column.ok_or_else(|| SandboxError::failed(action, format!("there is no PID in {titles:?}")))?;
        Ok(top.processes.unwrap_or_default().into_iter().filter_map(|row| row.into_iter().nth(column)).collect())
    }

    /// Starts a command by the engine and gives its id and output.
    async fn start_exec(&self, command: CreateExecOptions<String>) -> Result<(String, Output), SandboxError> {
        let exec = within(self.doing("creating a command"), self.docker.create_exec(&self.id, command)).await?.id;
        let options = StartExecOptions { detach: false, tty: false, output_capacity: Some(64 * 1024) };
        let started = within(self.doing("starting a command"), self.docker.start_exec(&exec, Some(options))).await?;
        match started {
            StartExecResults::Attached { output, input } => Ok((exec, Output { chunks: output, _input: input })),
            StartExecResults::Detached => {
                Err(SandboxError::failed(self.doing("starting a command"), "the engine did not attach to it"))
            }
        }
    }

    /// Waits until a command has ended, or the engine does not answer for it, which the next request tells.
    async fn exec_ended(&self, exec: &str) {
        let mut pause = Duration::from_millis(50);
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(800));
            match within("", self.docker.inspect_exec(exec)).await {
                Ok(state) if state.running == Some(true) => {}
                _ => break,
            }
        }
        // What it wrote last may still be on its way.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    /// The exit code of a command that has ended.
    async fn exit_code(&self, exec: &str) -> Result<i64, SandboxError> {
        let began = tokio::time::Instant::now();
        loop {
            let state = within(self.doing("watching a command"), self.docker.inspect_exec(exec)).await?;
            match (state.running, state.exit_code) {
                (Some(false), Some(code)) => return Ok(code),
                _ if began.elapsed() > END_TIME => {
                    return Err(SandboxError::failed(self.doing("watching a command"), "it does not end"));
                }
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Kills all that is not the holder. Starting the container anew is the last means: its files stay.
    async fn kill_leftovers(&self, holder: &mut BTreeSet<String>) -> Result<(), SandboxError> {
        match self.processes().await {
            Ok(processes) if processes == *holder => return Ok(()),
            // The container is not running: so is nothing in it.
            Err(_) => return self.restart(holder).await,
            Ok(_) => {}
        }
        let kill = CreateExecOptions {
            cmd: Some(["/bin/sh", "-c", KILL_ALL].map(String::from).to_vec()),
            user: Some("0:0".into()),
            attach_stdout: Some(true),
            ..CreateExecOptions::default()
        };
        if let Ok((_, mut output)) = self.start_exec(kill).await {
            let end = Watch::with_times(Some(END_TIME), None);
            end.pump(
                &mut output.chunks.by_ref().map_ok(bollard::container::LogOutput::into_bytes),
                &mut Vec::new(),
                std::future::pending(),
            )
            .await
            .ok();
        }
        let began = tokio::time::Instant::now();
        while began.elapsed() < Duration::from_secs(2) {
            match self.processes().await {
                // The holder's first process is still there and has started another `sleep`.
                Ok(processes) if processes.len() == 2 && !processes.is_disjoint(holder) => {
                    *holder = processes;
                    return Ok(());
                }
                Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(_) => break,
            }
        }
        self.restart(holder).await
    }

    /// Kills the container and starts it again.
    async fn restart(&self, holder: &mut BTreeSet<String>) -> Result<(), SandboxError> {
        let options = KillContainerOptionsBuilder::default().signal("SIGKILL").build();
        // An error means that it is not running, or that the next request tells more.
        within("", self.docker.kill_container(&self.id, Some(options))).await.ok();
        let began = tokio::time::Instant::now();
        loop {
            let state =
                within(self.doing("stopping the container"), self.docker.inspect_container(&self.id, None)).await?;
            if state.state.and_then(|state| state.running) != Some(true) {
                return self.start_container(holder).await;
            }
            if began.elapsed() > END_TIME {
                return Err(SandboxError::failed(self.doing("stopping the container"), "it does not stop"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether the kernel killed something in the container for want of memory since then.
    async fn ran_out_of_memory(&self, since: SystemTime) -> Result<bool, SandboxError> {
        // The news may come a little after the command's end.
        for wait in [50, 200] {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let filters = HashMap::from([
                ("container", vec![self.id.as_str()]),
                ("event", vec!["oom"]),
                ("type", vec!["container"]),
            ]);
            let options = EventsOptionsBuilder::default()
                .since(&stamp(since))
                .until(&stamp(SystemTime::now()))
                .filters(&filters)
                .build();
            let events = self.docker.events(Some(options)).try_fold(0, async |count, _| Ok(count + 1));
            if within(self.doing("asking for events"), events).await? > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Runs a command while holding the turn.
    async fn run(
        &self,
        spec: ExecSpec,
        sink: &mut dyn OutputSink,
        holder: &mut BTreeSet<String>,
    ) -> Result<ExecStatus, SandboxError> {
        if self.dirty.swap(true, Ordering::Relaxed) {
            self.kill_leftovers(holder).await?;
        }
        let watch = Watch::new(&spec);
        let began = SystemTime::now();
        let (exec, output) = self.start_exec(command_of(&spec)?).await?;
        let mut chunks = output.chunks.map_ok(bollard::container::LogOutput::into_bytes);
        let failed = |error: bollard::errors::Error| SandboxError::failed(self.doing("reading output"), error);
        let stop = watch.pump(&mut chunks, sink, self.exec_ended(&exec)).await.map_err(failed)?;
        // A command that has ended has its code now; killing what it left does not change it.
        let code = if stop == Stop::Ended { Some(self.exit_code(&exec).await?) } else { None };
        self.kill_leftovers(holder).await?;
        // All writers are dead, so the output has an end.
        let rest = Watch::with_times(Some(END_TIME), None);
        rest.pump(&mut chunks, sink, std::future::pending()).await.map_err(failed)?;
        self.dirty.store(false, Ordering::Relaxed);
        let status = match (stop, code) {
            (Stop::TimedOut, _) => ExecStatus::TimedOut,
            (Stop::Idle, _) => ExecStatus::Idle,
            (Stop::Ended, code) => ExecStatus::Exited(code.and_then(|code| i32::try_from(code).ok()).unwrap_or(-1)),
        };
        let may_lack_memory = self.spec.limits.memory.is_some() && matches!(status, ExecStatus::Exited(1..));
        if may_lack_memory && self.ran_out_of_memory(began).await? {
            return Ok(ExecStatus::OutOfMemory);
        }
        Ok(status)
    }
}

/// An attached command: the input is kept, since dropping it could detach the output.
struct Output {
    chunks: std::pin::Pin<
        Box<dyn futures_util::Stream<Item = Result<bollard::container::LogOutput, bollard::errors::Error>> + Send>,
    >,
    _input: std::pin::Pin<Box<dyn tokio::io::AsyncWrite + Send>>,
}

/// A command as the engine takes it.
fn command_of(spec: &ExecSpec) -> Result<CreateExecOptions<String>, SandboxError> {
    let refuse = |reason: &str| Err(SandboxError::failed(format!("running {:?}", spec.argv), reason));
    match spec.argv.first() {
        None => return refuse("the command is empty"),
        Some(program) if program.contains('=') => return refuse("a program's name with = cannot be run by Docker"),
        Some(_) => {}
    }
    let mut command: Vec<String> = ["/bin/sh", "-c", JOIN, "sh"].map(String::from).to_vec();
    command.extend(spec.environment.iter().map(|(name, value)| format!("{name}={value}")));
    command.extend(spec.argv.iter().cloned());
    let id = if spec.user == User::Root { 0 } else { BUILDER_ID };
    Ok(CreateExecOptions {
        cmd: Some(command),
        env: Some(vec![HELPER_PATH.into()]),
        user: Some(format!("{id}:{id}")),
        working_dir: Some(spec.directory.to_string_lossy().into_owned()),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..CreateExecOptions::default()
    })
}

/// A moment as the engine takes it: seconds and nanoseconds since 1970.
fn stamp(moment: SystemTime) -> String {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:09}", since.as_secs(), since.subsec_nanos())
}

#[async_trait]
impl Session for DockerSession {
    async fn exec(&self, spec: ExecSpec, sink: &mut dyn OutputSink) -> Result<ExecStatus, SandboxError> {
        let mut holder = self.holder.lock().await;
        self.run(spec, sink, &mut holder).await
    }

    async fn copy_out(&self, guest: &Path, host: &Path) -> Result<(), SandboxError> {
        let _turn = self.holder.lock().await;
        let action = self.doing(&format!("copying {} to {}", guest.display(), host.display()));
        // With the dot the engine sends what is in the directory, and refuses anything else.
        let path = format!("{}/.", guest.to_string_lossy().trim_end_matches('/'));
        let options = DownloadFromContainerOptionsBuilder::default().path(&path).build();
        let stream = self.docker.download_from_container(&self.id, Some(options)).map_err(io::Error::other);
        let reader = SyncIoBridge::new(StreamReader::new(Box::pin(stream)));
        let host = host.to_owned();
        let unpacked = tokio::task::spawn_blocking(move || archive::unpack(reader, &host)).await;
        match unpacked {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(SandboxError::failed(action, error)),
            Err(error) => Err(SandboxError::failed(action, error)),
        }
    }

    async fn copy_in(&self, host_files: &[PathBuf], guest: &Path) -> Result<(), SandboxError> {
        let _turn = self.holder.lock().await;
        let action = self.doing(&format!("copying {} files to {}", host_files.len(), guest.display()));
        let files = host_files.to_owned();
        let body = tree::stream(move |builder| tree::append_files(builder, &files, BUILDER_ID));
        let options = UploadToContainerOptionsBuilder::default().path(&guest.to_string_lossy()).build();
        let upload = self.docker.upload_to_container(&self.id, Some(options), bollard::body_try_stream(body));
        upload.await.map_err(|error| SandboxError::failed(action, error))
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
            runtime.block_on(async { tokio::time::timeout(END_TIME, removal).await.ok()? })
        });
        removal.join().ok();
    }
}
