//! Runs the shell commands of specs in a sandbox: over the base layer, without a network, with nothing of this host
//! but the spec's own folder, read-only.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use sandbox::docker::DockerSandbox;
use sandbox::linux::LinuxSandbox;
use sandbox::{Bind, ExecSpec, ExecStatus, Limits, OutputSink, Sandbox, SandboxError, Session, SessionSpec, User};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::error::CommandError;

use super::TOPDIR;
use super::shell::{LARGEST, LONGEST};

/// Memory of all commands of one spec together.
const MEMORY: u64 = 1 << 30;

/// Processes of all commands of one spec together.
const PROCESSES: u64 = 256;

/// Where sandboxed commands run.
pub struct SandboxedShell {
    runtime: Runtime,
    sandbox: Arc<dyn Sandbox>,
    layer: PathBuf,
    /// A folder on a real file system, for what commands write.
    cache: PathBuf,
}

/// The sandbox of one spec, while it is evaluated.
pub(super) struct SpecSession<'a> {
    shell: &'a SandboxedShell,
    session: Option<Box<dyn Session>>,
    _scratch: TempDir,
}

impl SandboxedShell {
    /// Chooses a sandbox that works here; `prepare` makes the base layer in it.
    ///
    /// # Errors
    /// None works here, or the base layer cannot be made.
    pub fn over(
        cache: &Path,
        prepare: impl FnOnce(&Runtime, &dyn Sandbox) -> Result<PathBuf, CommandError>,
    ) -> Result<Self, CommandError> {
        let runtime = Runtime::new()
            .map_err(|error| CommandError::infrastructure(format!("no threads can be started: {error}")))?;
        let candidates: [Arc<dyn Sandbox>; 2] = [Arc::new(LinuxSandbox::new()), Arc::new(DockerSandbox::new())];
        let mut failure = CommandError::infrastructure("shell commands of specs cannot be sandboxed here");
        for sandbox in candidates {
            match runtime.block_on(sandbox.check()) {
                Ok(()) => {
                    let layer = prepare(&runtime, &*sandbox)?;
                    return Ok(Self { runtime, sandbox, layer, cache: cache.to_owned() });
                }
                Err(SandboxError::Unavailable { reason, hint }) => {
                    failure.message.push_str(&format!("\n  {}: {reason}", sandbox.name()));
                    failure = failure.hint(hint);
                }
                Err(error) => failure.message.push_str(&format!("\n  {}: {error}", sandbox.name())),
            }
        }
        Err(failure.hint("`--shell refuse` evaluates what needs no shell"))
    }

    /// Starts a sandbox that shows a spec's folder where a build has the spec and its sources.
    pub(super) fn start(&self, folder: &Path) -> io::Result<SpecSession<'_>> {
        let scratch = tempfile::Builder::new().prefix(".eval-").tempdir_in(&self.cache)?;
        let folder = folder.canonicalize()?;
        let bind = |name: &str| Bind { host: folder.clone(), guest: PathBuf::from(format!("{TOPDIR}/{name}")) };
        let spec = SessionSpec {
            name: "package-builder-eval".to_owned(),
            layer: self.layer.clone(),
            scratch: scratch.path().to_owned(),
            binds: vec![bind("SOURCES"), bind("SPECS")],
            volumes: Vec::new(),
            limits: Limits { memory: Some(MEMORY), processes: Some(PROCESSES), cpus: None },
        };
        let session = self.runtime.block_on(self.sandbox.start(spec)).map_err(io::Error::other)?;
        Ok(SpecSession { shell: self, session: Some(session), _scratch: scratch })
    }
}

impl fmt::Debug for SandboxedShell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SandboxedShell").field("layer", &self.layer).finish_non_exhaustive()
    }
}

impl SpecSession<'_> {
    /// Runs a command and returns what it wrote to its standard output.
    pub(super) fn run(&self, command: &str, environment: &[(String, String)]) -> io::Result<Vec<u8>> {
        let session = self.session.as_ref().ok_or_else(|| io::Error::other("the sandbox has ended"))?;
        // A session has one stream for both outputs; of a spec's command only one counts.
        let quiet = "exec \"$@\" 2>/dev/null </dev/null";
        let argv = ["/bin/bash", "-c", quiet, "sh", "/bin/bash", "-c", command].map(str::to_owned).to_vec();
        let spec = ExecSpec {
            argv,
            environment: environment.to_vec(),
            directory: PathBuf::from(TOPDIR),
            user: User::Builder,
            timeout: Some(LONGEST),
            idle_timeout: None,
        };
        let mut output = Bounded::default();
        let status = self.shell.runtime.block_on(session.exec(spec, &mut output)).map_err(io::Error::other)?;
        match status {
            ExecStatus::TimedOut | ExecStatus::Idle => Err(too_long(command, LONGEST)),
            ExecStatus::OutOfMemory => {
                Err(io::Error::other(format!("`{command}` took more than {} MiB", MEMORY >> 20)))
            }
            _ if output.flooded => Err(io::Error::other(format!("`{command}` wrote more than {} MiB", LARGEST >> 20))),
            ExecStatus::Exited(_) | ExecStatus::Signaled(_) => Ok(output.bytes),
        }
    }
}

impl Drop for SpecSession<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            // What is left of it goes with the scratch folder.
            let _ = self.shell.runtime.block_on(session.end());
        }
    }
}

fn too_long(command: &str, longest: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("`{command}` ran longer than {longest:?}"))
}

/// Keeps as much as a command may write.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    flooded: bool,
}

impl OutputSink for Bounded {
    fn write(&mut self, bytes: &[u8]) {
        self.flooded |= (self.bytes.len() + bytes.len()) as u64 > LARGEST;
        if !self.flooded {
            self.bytes.extend_from_slice(bytes);
        }
    }
}
