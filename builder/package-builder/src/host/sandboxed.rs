//! Runs the shell commands of specs in a sandbox: over the base layer, without a network, with nothing of this host
//! but the spec's own folder, read-only.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use sandbox::docker::DockerSandbox;
use sandbox::linux::LinuxSandbox;
use sandbox::{Bind, ExecSpec, ExecStatus, Limits, OutputSink, Sandbox, SandboxError, Session, SessionSpec, User};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::error::CommandError;

use super::TOPDIR;
use super::answers::{KeptAnswers, stamp};
use super::shell::{LARGEST, LONGEST};

/// Memory of all commands of one spec together.
const MEMORY: u64 = 1 << 30;

/// Processes of all commands of one spec together.
const PROCESSES: u64 = 256;

/// Makes the base layer in a sandbox, or finds it, and says where it is.
type Prepare = Box<dyn Fn(&Runtime, &dyn Sandbox) -> Result<PathBuf, CommandError> + Send + Sync>;

/// Where sandboxed commands run. Neither a sandbox nor the base layer is needed until one must.
pub struct SandboxedShell {
    /// A folder on a real file system, for what commands write and for their answers.
    cache: PathBuf,
    prepare: Prepare,
    kept: KeptAnswers,
    ground: OnceLock<Option<Arc<Ground>>>,
    /// Why there is no ground.
    trouble: Mutex<Option<CommandError>>,
    /// Where commands run that name no folder of a spec.
    common: Mutex<Option<SpecSession>>,
}

/// What sandboxes are started with.
struct Ground {
    runtime: Runtime,
    sandbox: Arc<dyn Sandbox>,
    layer: PathBuf,
}

/// The sandbox of one spec, while it is evaluated.
pub(super) struct SpecSession {
    ground: Arc<Ground>,
    session: Option<Box<dyn Session>>,
    _folders: [TempDir; 2],
}

impl SandboxedShell {
    /// Runs commands over the base layer with this digest, which `prepare` makes when the first one comes.
    #[must_use]
    pub fn over(
        cache: &Path,
        layer: &str,
        prepare: impl Fn(&Runtime, &dyn Sandbox) -> Result<PathBuf, CommandError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            cache: cache.to_owned(),
            prepare: Box::new(prepare),
            kept: KeptAnswers::over(cache, layer),
            ground: OnceLock::new(),
            trouble: Mutex::default(),
            common: Mutex::default(),
        }
    }

    /// Why commands could not be run, if they could not; to be asked when specs are evaluated.
    pub(super) fn trouble(&self) -> Option<CommandError> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Answers a command. `folder` is what its sandbox shows where a build has the spec and its sources, and `own` is
    /// that sandbox; commands that see no folder share one.
    pub(super) fn answer(
        &self,
        own: Option<(&Path, &Mutex<Option<SpecSession>>)>,
        command: &str,
        environment: &[(String, String)],
    ) -> io::Result<Vec<u8>> {
        let (folder, session) = own.map_or((None, &self.common), |(folder, session)| (Some(folder), session));
        let inputs = folder.map_or_else(|| Ok(Vec::new()), stamp)?;
        self.kept.or_run(command, environment, &inputs, || {
            let mut session = session.lock().map_err(|_| io::Error::other("the sandbox broke off"))?;
            let session = match &mut *session {
                Some(session) => session,
                none => none.insert(self.start(folder)?),
            };
            session.run(command, environment)
        })
    }

    fn start(&self, folder: Option<&Path>) -> io::Result<SpecSession> {
        let ground = self.ground.get_or_init(|| match self.lay() {
            Ok(ground) => Some(Arc::new(ground)),
            Err(error) => {
                *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                None
            }
        });
        let ground = ground.as_ref().ok_or_else(|| io::Error::other("shell commands cannot be sandboxed here"))?;
        let scratch = tempfile::Builder::new().prefix(".eval-").tempdir_in(&self.cache)?;
        let nothing = tempfile::Builder::new().prefix(".eval-").tempdir_in(&self.cache)?;
        let shown = folder.unwrap_or(nothing.path()).canonicalize()?;
        let bind = |name: &str| Bind { host: shown.clone(), guest: PathBuf::from(format!("{TOPDIR}/{name}")) };
        let spec = SessionSpec {
            name: "package-builder-eval".to_owned(),
            layer: ground.layer.clone(),
            above: Vec::new(),
            scratch: scratch.path().to_owned(),
            binds: vec![bind("SOURCES"), bind("SPECS")],
            volumes: Vec::new(),
            limits: Limits { memory: Some(MEMORY), processes: Some(PROCESSES), cpus: None },
        };
        let session = ground.runtime.block_on(ground.sandbox.start(spec)).map_err(io::Error::other)?;
        Ok(SpecSession { ground: Arc::clone(ground), session: Some(session), _folders: [scratch, nothing] })
    }

    /// Chooses a sandbox that works here and makes the base layer in it.
    fn lay(&self) -> Result<Ground, CommandError> {
        let runtime = Runtime::new()
            .map_err(|error| CommandError::infrastructure(format!("no threads can be started: {error}")))?;
        let candidates: [Arc<dyn Sandbox>; 2] = [Arc::new(LinuxSandbox::new()), Arc::new(DockerSandbox::new())];
        let mut failure = CommandError::infrastructure("shell commands of specs cannot be sandboxed here");
        for sandbox in candidates {
            match runtime.block_on(sandbox.check()) {
                Ok(()) => {
                    let layer = (self.prepare)(&runtime, &*sandbox)?;
                    return Ok(Ground { runtime, sandbox, layer });
                }
                Err(SandboxError::Unavailable { reason, hint }) => {
                    failure.message.push_str(&format!("\n  {}: {reason}", sandbox.name()));
                    failure = failure.hint(hint);
                }
                Err(error) => failure.message.push_str(&format!("\n  {}: {error}", sandbox.name())),
            }
        }
        Err(failure.hint("`--shell host` runs them on this machine, if you trust the specs; `--shell refuse` evaluates what needs no shell"))
    }
}

impl fmt::Debug for SandboxedShell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SandboxedShell").field("kept", &self.kept).finish_non_exhaustive()
    }
}

impl SpecSession {
    /// Runs a command and returns what it wrote to its standard output.
    fn run(&self, command: &str, environment: &[(String, String)]) -> io::Result<Vec<u8>> {
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
        let status = self.ground.runtime.block_on(session.exec(spec, &mut output)).map_err(io::Error::other)?;
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

impl Drop for SpecSession {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            // What is left of it goes with the scratch folder.
            let _ = self.ground.runtime.block_on(session.end());
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
