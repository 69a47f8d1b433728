//! One job: a build root from the base layer and the install set, rpmbuild in it, the artifacts out of it.
//!
//! ```text
//! layers ─► install ─► [ask ─► install more ─► ask …] ─► rpmbuild -ba ─► collect
//! ```
//! A root is asked for its needs ([`asking`](super::asking)) where the order says so, and where rpmbuild itself says
//! that some are not met. What is asked may also end the job before it is over ([`JobEnd::Stopped`]).

mod order;

use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sandbox::{
    Bind, ExecSpec, ExecStatus, Limits, OutputSink, Sandbox, SandboxError, Session, SessionSpec, Usage, User,
};

use crate::host::TOPDIR;

use super::asking::MoreNeeds;
use super::conventions::{MAKE_JOBS, RPM_FOLDER, environment};
use super::jobserver;
use super::logs::PhaseLogs;
use super::root::{Root, Stacked};
pub use order::{JobEnd, JobError, JobLimits, JobOrder, JobReport, RootReport};

/// The folders below [`TOPDIR`] that a build only reads, and those that it writes to.
const INPUT_FOLDERS: [&str; 2] = ["SOURCES", "SPECS"];
const OUTPUT_FOLDERS: [&str; 4] = ["BUILD", "BUILDROOT", "RPMS", "SRPMS"];

/// How long the commands around rpmbuild may take.
pub(super) const ROOT_TIMEOUT: Duration = Duration::from_secs(600);

/// Runs a build from start to end. The session is ended on every way out.
///
/// # Errors
/// [`JobError`]: infrastructure. A failing build is a [`JobEnd::Failed`].
pub async fn run_job(
    order: &JobOrder,
    sandbox: &Arc<dyn Sandbox>,
    more: &dyn MoreNeeds,
    on_phase: &(dyn Fn(&str) + Send + Sync),
) -> Result<JobReport, JobError> {
    let rpms = order.work.join("rpms");
    let inputs = order.work.join("inputs");
    let scratch = order.work.join("scratch");
    let artifacts = order.work.join("artifacts");
    for folder in [&rpms, &inputs, &scratch, &artifacts] {
        std::fs::create_dir_all(folder).map_err(failure("create", folder))?;
    }
    let spec_file = inputs.join(place_in(&order.spec, &inputs, None)?);
    let mut sources = Vec::new();
    for (name, path) in &order.sources {
        sources.push(inputs.join(place_in(path, &inputs, Some(name))?));
    }
    let job_server = order.job_server.iter().map(|folder| (folder.clone(), jobserver::FOLDER));
    let shown = iter::once((rpms.clone(), RPM_FOLDER)).chain(job_server);
    let spec = SessionSpec {
        name: order.package.clone(),
        layer: order.layer.clone(),
        above: Vec::new(),
        scratch,
        binds: shown.map(|(host, guest)| Bind { host, guest: PathBuf::from(guest) }).collect(),
        volumes: [TOPDIR, "/tmp", "/var/tmp"].map(PathBuf::from).to_vec(),
        limits: Limits { memory: order.memory, ..Limits::default() },
    };
    let patience = order.limits.patience;
    let logs = PhaseLogs::new(&order.logs, "root", order.limits.log, on_phase);
    let began = Instant::now();
    let mut root = Root { sandbox: &**sandbox, order, spec, rpms, logs };
    let stacked = root.stack().await?;
    let Root { spec, rpms, mut logs, .. } = root;
    let Stacked { stack, install, installed } = match stacked {
        Ok(stacked) => stacked,
        Err(end) => {
            logs.flush();
            let log_error = logs.error.as_ref().map(ToString::to_string);
            let (log, phases, usage) = (logs.path(), logs.times(), Usage::default());
            return Ok(JobReport { end, root: None, log, rpmbuild: Duration::ZERO, phases, usage, log_error });
        }
    };
    let starting = sandbox.start(SessionSpec { above: stack.above.clone(), ..spec });
    let session = in_time("starting a session", patience, starting).await?;
    let mut build = Build { session: &*session, order, rpms, artifacts, logs, rpmbuild: Duration::ZERO, rooted: None };
    let outcome = build.run(&install, &spec_file, &sources, more).await;
    let Build { mut logs, rpmbuild, rooted, .. } = build;
    let root = rooted.map(|rooted| RootReport {
        layers: stack.above.len(),
        packages: stack.packages.len(),
        installed: installed + install.len(),
        kept: installed > 0,
        time: rooted.duration_since(began),
    });
    logs.flush();
    let usage = session.usage();
    // One that has not answered is only dropped.
    if let Err(error @ JobError::Silent { .. }) = outcome {
        return Err(error);
    }
    let ended = in_time("ending the session", patience, session.end()).await;
    let end = outcome?;
    ended?;
    // Until here nobody may remove the layers.
    drop(stack);
    let (log, phases) = (logs.path(), logs.times());
    let log_error = logs.error.map(|error| error.to_string());
    Ok(JobReport { end, root, log, rpmbuild, phases, usage, log_error })
}

/// A build that goes on in a session.
pub(super) struct Build<'s, 'a> {
    pub(super) session: &'s dyn Session,
    pub(super) order: &'a JobOrder,
    /// The folder of the host that the session sees as [`RPM_FOLDER`].
    rpms: PathBuf,
    /// Where to copy what the build makes.
    pub(super) artifacts: PathBuf,
    pub(super) logs: PhaseLogs<'a>,
    /// Wall time inside rpmbuild so far.
    rpmbuild: Duration,
    /// When the root had all that it was to have at first.
    rooted: Option<Instant>,
}

/// How a step of a build ended, if that ends the build.
pub(super) type Step<T> = Result<Result<T, JobEnd>, JobError>;

/// Goes on with what a step gave, or returns the end it came to.
macro_rules! go_on {
    ($step:expr) => {
        match $step? {
            Ok(value) => value,
            Err(end) => return Ok(Err(end)),
        }
    };
}
pub(super) use go_on;

/// What rpmbuild exits with when needs are not met.
pub(super) const NEEDS_NOT_MET: ExecStatus = ExecStatus::Exited(11);

impl Build<'_, '_> {
    async fn run(
        &mut self,
        install: &[PathBuf],
        spec: &Path,
        sources: &[PathBuf],
        more: &dyn MoreNeeds,
    ) -> Result<JobEnd, JobError> {
        Ok(match self.steps(install, spec, sources, more).await? {
            Ok(built) => JobEnd::Built(built),
            Err(end) => end,
        })
    }

    async fn steps(
        &mut self,
        install: &[PathBuf],
        spec: &Path,
        sources: &[PathBuf],
        more: &dyn MoreNeeds,
    ) -> Step<Vec<PathBuf>> {
        go_on!(self.install(install).await);
        self.rooted = Some(Instant::now());
        go_on!(self.make_folders().await);
        self.copy_in(&[spec.to_owned()], "SPECS").await?;
        self.copy_in(sources, "SOURCES").await?;
        let mut asked = self.order.ask;
        if asked {
            go_on!(self.ask(more).await);
        }
        loop {
            let mut options = vec!["-ba"];
            options.extend((!self.order.check).then_some("--nocheck"));
            let status = self.rpmbuild(&options).await?;
            if status.success() {
                let built = self.collect().await?;
                if built.is_empty() {
                    // rpmbuild has written a source package at least; the spec's own %clean may have taken it away.
                    self.logs.enter("collect");
                    self.logs.write(b"error: rpmbuild succeeded and left no packages\n");
                    return Ok(Err(self.failed(status).await));
                }
                return Ok(Ok(built));
            }
            if status != NEEDS_NOT_MET || asked {
                return Ok(Err(self.failed(status).await));
            }
            asked = true;
            go_on!(self.ask(more).await);
        }
    }

    /// Installs RPMs of the host in one transaction, with rpm's own check of what they need.
    pub(super) async fn install(&mut self, rpms: &[PathBuf]) -> Step<()> {
        if rpms.is_empty() {
            return Ok(Ok(()));
        }
        self.logs.enter("root");
        let argv = install_command(rpms, &self.rpms)?;
        self.as_root(argv).await
    }

    async fn make_folders(&mut self) -> Step<()> {
        let mut argv = owned(&["install", "-d", "-o", "1000", "-g", "1000", TOPDIR]);
        argv.extend(INPUT_FOLDERS.iter().chain(&OUTPUT_FOLDERS).map(|name| format!("{TOPDIR}/{name}")));
        self.as_root(argv).await
    }

    /// Makes rpmbuild's folders as if it had not run yet.
    pub(super) async fn clear_folders(&mut self) -> Step<()> {
        let mut argv = owned(&["rm", "-rf"]);
        argv.extend(OUTPUT_FOLDERS.map(|name| format!("{TOPDIR}/{name}")));
        go_on!(self.as_root(argv).await);
        self.make_folders().await
    }

    async fn as_root(&mut self, argv: Vec<String>) -> Step<()> {
        self.logs.start_clock();
        let command = self.command(argv, "/", User::Root, ROOT_TIMEOUT);
        let status = exec(self.session, self.order, command, &mut self.logs).await;
        self.logs.stop_clock();
        let status = status?;
        Ok(if status.success() { Ok(()) } else { Err(self.failed(status).await) })
    }

    /// Runs rpmbuild on the spec as an ordinary user.
    pub(super) async fn rpmbuild(&mut self, options: &[&str]) -> Result<ExecStatus, JobError> {
        self.logs.enter("srpm");
        let argv = self.on_spec("rpmbuild", options);
        let left = self.order.limits.timeout.saturating_sub(self.rpmbuild);
        let started = Instant::now();
        let mut command = self.command(argv, TOPDIR, User::Builder, left);
        command.idle_timeout = Some(self.order.limits.idle_timeout);
        if self.order.job_server.is_some() {
            command.argv.splice(0..0, owned(&jobserver::WRAPPER));
            command.environment.push((MAKE_JOBS.to_owned(), jobserver::MAKE_FLAGS.to_owned()));
        }
        let status = exec(self.session, self.order, command, &mut self.logs).await;
        self.rpmbuild += started.elapsed();
        self.logs.stop_clock();
        status
    }

    /// A program of rpm's with options, the macros of all builds and the spec.
    pub(super) fn on_spec(&self, program: &str, options: &[&str]) -> Vec<String> {
        let mut argv = owned(&[program]);
        argv.extend(owned(options));
        for (name, body) in &self.order.defines {
            argv.extend(["--define".to_owned(), format!("{name} {body}")]);
        }
        let file_name = self.order.spec.file_name().unwrap_or_default().to_string_lossy();
        argv.push(format!("{TOPDIR}/SPECS/{file_name}"));
        argv
    }

    pub(super) fn command(&self, argv: Vec<String>, directory: &str, user: User, timeout: Duration) -> ExecSpec {
        ExecSpec {
            argv,
            environment: environment(self.order.cpus),
            directory: PathBuf::from(directory),
            user,
            timeout: Some(timeout),
            idle_timeout: None,
        }
    }

    async fn copy_in(&self, files: &[PathBuf], folder: &str) -> Result<(), JobError> {
        let guest = PathBuf::from(format!("{TOPDIR}/{folder}"));
        in_time("copying sources in", self.order.limits.patience, self.session.copy_in(files, &guest)).await
    }

    async fn collect(&mut self) -> Result<Vec<PathBuf>, JobError> {
        let mut built = Vec::new();
        for folder in ["RPMS", "SRPMS"] {
            built.extend(self.copy_rpms(folder, folder).await?);
        }
        Ok(built)
    }

    /// Copies the RPMs of one of rpmbuild's folders to one of the artifacts', and lists them.
    pub(super) async fn copy_rpms(&mut self, folder: &str, to: &str) -> Result<Vec<PathBuf>, JobError> {
        let host = self.artifacts.join(to);
        std::fs::create_dir_all(&host).map_err(failure("create", &host))?;
        let guest = PathBuf::from(format!("{TOPDIR}/{folder}"));
        in_time("copying RPMs out", self.order.limits.patience, self.session.copy_out(&guest, &host)).await?;
        let mut rpms = Vec::new();
        for entry in walkdir::WalkDir::new(&host).sort_by_file_name() {
            let entry =
                entry.map_err(|error| JobError::Io { action: "list", path: host.clone(), source: error.into() })?;
            if entry.file_type().is_file() && entry.path().extension().is_some_and(|extension| extension == "rpm") {
                rpms.push(entry.into_path());
            }
        }
        Ok(rpms)
    }

    pub(super) async fn failed(&mut self, status: ExecStatus) -> JobEnd {
        self.logs.flush();
        let by_itself = matches!(status, ExecStatus::Exited(_) | ExecStatus::Signaled(_));
        let disk_is_full = by_itself && self.disk_is_full().await;
        JobEnd::Failed { phase: self.logs.phase().to_owned(), status, disk_is_full, tail: self.logs.tail() }
    }
}

/// The transaction that installs RPMs of the host, which it puts into a folder that the session sees as [`RPM_FOLDER`].
pub(super) fn install_command(rpms: &[PathBuf], folder: &Path) -> Result<Vec<String>, JobError> {
    // `--oldpackage`: the tree decides its versions, even below the seed's. Dependencies are checked.
    let mut argv = owned(&["rpm", "--define", "_dbpath /var/lib/rpm", "-U", "--oldpackage"]);
    for path in rpms {
        argv.push(format!("{RPM_FOLDER}/{}", place_in(path, folder, None)?));
    }
    Ok(argv)
}

/// Runs a command, whose own times the sandbox sees to, unless the sandbox is stuck itself.
pub(super) async fn exec(
    session: &dyn Session,
    order: &JobOrder,
    command: ExecSpec,
    sink: &mut dyn OutputSink,
) -> Result<ExecStatus, JobError> {
    let time = command.timeout.unwrap_or_default().saturating_add(order.limits.patience);
    in_time("running a command", time, session.exec(command, sink)).await
}

/// Waits for the sandbox, but not for ever.
pub(super) async fn in_time<T>(
    action: &'static str,
    time: Duration,
    step: impl Future<Output = Result<T, SandboxError>>,
) -> Result<T, JobError> {
    match tokio::time::timeout(time, step).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(JobError::Silent { action, time }),
    }
}

pub(super) fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Puts a file into a folder under its own or another name, by a hard link where that can be, and returns the
/// name.
fn place_in(path: &Path, folder: &Path, name: Option<&str>) -> Result<String, JobError> {
    let name = match name {
        Some(name) => name.to_owned(),
        None => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    let target = folder.join(&name);
    if std::fs::hard_link(path, &target).is_err() {
        std::fs::copy(path, &target).map_err(failure("copy", path))?;
    }
    Ok(name)
}

pub(super) fn failure<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> JobError + 'a {
    move |source| JobError::Io { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
