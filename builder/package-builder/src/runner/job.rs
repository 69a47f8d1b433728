//! One job: a build root from the base layer and the install set, rpmbuild in it, the artifacts out of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sandbox::{Bind, ExecSpec, ExecStatus, Limits, Sandbox, SandboxError, Session, SessionSpec, User};

use crate::host::TOPDIR;
use crate::seeds::SeedError;

use super::conventions::{RPM_FOLDER, environment};
use super::logs::PhaseLogs;

/// Everything one build needs; no decision is left.
#[derive(Clone, Debug)]
pub struct JobOrder {
    /// The source package's name.
    pub package: String,
    /// The spec's file on the host.
    pub spec: PathBuf,
    /// Verified sources and patches on the host, under the names the spec expects.
    pub sources: Vec<(String, PathBuf)>,
    /// RPMs to install over the base layer, in one transaction.
    pub install: Vec<PathBuf>,
    /// The base layer.
    pub layer: PathBuf,
    /// An empty private folder on the host, removed by the caller.
    pub work: PathBuf,
    /// Where the logs go.
    pub logs: PathBuf,
    /// Macros for rpmbuild.
    pub defines: Vec<(String, String)>,
    /// CPUs this build may use.
    pub cpus: usize,
    /// Whether `%check` runs.
    pub check: bool,
    /// How long it may take.
    pub timeout: Duration,
}

/// How a build ended.
#[derive(Debug)]
pub enum JobEnd {
    /// It gave these RPMs and SRPM, copied to the work folder.
    Built(Vec<PathBuf>),
    /// rpm or rpmbuild ended badly in a phase.
    Failed {
        /// The phase.
        phase: String,
        /// How.
        status: ExecStatus,
        /// The last lines it wrote.
        tail: Vec<String>,
    },
}

/// What is known when a job is over.
#[derive(Debug)]
pub struct JobReport {
    /// How it ended.
    pub end: JobEnd,
    /// The log of the last phase.
    pub log: PathBuf,
    /// Wall time inside rpmbuild.
    pub rpmbuild: Duration,
    /// The first error of writing a log, which does not fail a build.
    pub log_error: Option<String>,
}

/// Why a job has no report: not the package's fault.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The sandbox broke.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// An RPM of a seed cannot be had.
    #[error(transparent)]
    Seed(SeedError),
    /// A task of ours broke off.
    #[error("preparing the build broke off: {0}")]
    Broken(String),
    /// A file of ours could not be made.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// Runs a build from start to end. The session is ended on every way out.
///
/// # Errors
/// [`JobError`]: infrastructure. A failing build is a [`JobEnd::Failed`].
pub async fn run_job(
    order: &JobOrder,
    sandbox: &Arc<dyn Sandbox>,
    on_phase: &(dyn Fn(&str) + Send + Sync),
) -> Result<JobReport, JobError> {
    let rpms = order.work.join("rpms");
    let inputs = order.work.join("inputs");
    let scratch = order.work.join("scratch");
    let artifacts = order.work.join("artifacts");
    for folder in [&rpms, &inputs, &scratch, &artifacts] {
        std::fs::create_dir_all(folder).map_err(failure("create", folder))?;
    }
    let mut guests = Vec::new();
    for path in &order.install {
        guests.push(format!("{RPM_FOLDER}/{}", place_in(path, &rpms, None)?));
    }
    let spec = inputs.join(place_in(&order.spec, &inputs, None)?);
    let mut sources = Vec::new();
    for (name, path) in &order.sources {
        sources.push(inputs.join(place_in(path, &inputs, Some(name))?));
    }
    let session = sandbox
        .start(SessionSpec {
            name: order.package.clone(),
            layer: order.layer.clone(),
            scratch,
            binds: vec![Bind { host: rpms, guest: PathBuf::from(RPM_FOLDER) }],
            volumes: [TOPDIR, "/tmp", "/var/tmp"].map(PathBuf::from).to_vec(),
            limits: Limits::default(),
        })
        .await?;
    let mut logs = PhaseLogs::new(&order.logs, "root", on_phase);
    let outcome = build_in(&*session, order, &guests, &spec, &sources, &artifacts, &mut logs).await;
    logs.flush();
    let ended = session.end().await;
    let (end, rpmbuild) = outcome?;
    ended?;
    Ok(JobReport { end, log: logs.path(), rpmbuild, log_error: logs.error.map(|error| error.to_string()) })
}

async fn build_in(
    session: &dyn Session,
    order: &JobOrder,
    rpms: &[String],
    spec: &Path,
    sources: &[PathBuf],
    artifacts: &Path,
    logs: &mut PhaseLogs<'_>,
) -> Result<(JobEnd, Duration), JobError> {
    let root = |argv: Vec<String>| ExecSpec {
        argv,
        environment: environment(order.cpus),
        directory: PathBuf::from("/"),
        user: User::Root,
        timeout: Some(Duration::from_secs(600)),
        idle_timeout: None,
    };
    if !rpms.is_empty() {
        // `--oldpackage`: the tree decides its versions, even below the seed's. Dependencies are checked.
        let mut argv: Vec<String> =
            ["rpm", "--define", "_dbpath /var/lib/rpm", "-U", "--oldpackage"].map(str::to_owned).to_vec();
        argv.extend_from_slice(rpms);
        let status = session.exec(root(argv), logs).await?;
        if !status.success() {
            return Ok((failed(logs, status), Duration::ZERO));
        }
    }
    let folders = ["BUILD", "BUILDROOT", "RPMS", "SOURCES", "SPECS", "SRPMS"].map(|name| format!("{TOPDIR}/{name}"));
    let mut argv: Vec<String> = ["install", "-d", "-o", "1000", "-g", "1000", TOPDIR].map(str::to_owned).to_vec();
    argv.extend(folders);
    let status = session.exec(root(argv), logs).await?;
    if !status.success() {
        return Ok((failed(logs, status), Duration::ZERO));
    }
    session.copy_in(&[spec.to_owned()], Path::new(&format!("{TOPDIR}/SPECS"))).await?;
    session.copy_in(sources, Path::new(&format!("{TOPDIR}/SOURCES"))).await?;

    logs.enter("srpm");
    let mut argv = vec!["rpmbuild".to_owned(), "-ba".to_owned()];
    for (name, body) in &order.defines {
        argv.extend(["--define".to_owned(), format!("{name} {body}")]);
    }
    if !order.check {
        argv.push("--nocheck".to_owned());
    }
    let file_name = spec.file_name().unwrap_or_default().to_string_lossy();
    argv.push(format!("{TOPDIR}/SPECS/{file_name}"));
    let started = Instant::now();
    let status = session
        .exec(
            ExecSpec {
                argv,
                environment: environment(order.cpus),
                directory: PathBuf::from(TOPDIR),
                user: User::Builder,
                timeout: Some(order.timeout),
                idle_timeout: None,
            },
            logs,
        )
        .await?;
    let rpmbuild = started.elapsed();
    if !status.success() {
        return Ok((failed(logs, status), rpmbuild));
    }
    let mut built = Vec::new();
    for folder in ["RPMS", "SRPMS"] {
        let host = artifacts.join(folder);
        std::fs::create_dir_all(&host).map_err(failure("create", &host))?;
        session.copy_out(Path::new(&format!("{TOPDIR}/{folder}")), &host).await?;
        for entry in walkdir::WalkDir::new(&host).sort_by_file_name() {
            let entry =
                entry.map_err(|error| JobError::Io { action: "list", path: host.clone(), source: error.into() })?;
            if entry.file_type().is_file() && entry.path().extension().is_some_and(|extension| extension == "rpm") {
                built.push(entry.into_path());
            }
        }
    }
    Ok((JobEnd::Built(built), rpmbuild))
}

fn failed(logs: &mut PhaseLogs<'_>, status: ExecStatus) -> JobEnd {
    logs.flush();
    JobEnd::Failed { phase: logs.phase().to_owned(), status, tail: logs.tail() }
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

fn failure<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> JobError + 'a {
    move |source| JobError::Io { action, path: path.to_owned(), source }
}
