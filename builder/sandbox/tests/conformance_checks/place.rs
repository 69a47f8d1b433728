//! Where the checks work: a tiny layer with a shell, and sessions on it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sandbox::{Bind, ExecSpec, ExecStatus, Limits, Sandbox, Session, SessionSpec, User};
use tempfile::TempDir;

/// The environment of commands that need none in particular.
const PATH: (&str, &str) = ("PATH", "/bin:/usr/bin");

/// A directory with the layer; everything else is made below it.
pub(crate) struct Place {
    directory: TempDir,
}

/// A session with its scratch directory, which must outlive it.
pub(crate) struct Running {
    pub(crate) session: Box<dyn Session>,
    pub(crate) scratch: TempDir,
}

impl Place {
    /// Makes the layer; `None` without a static busybox.
    pub(crate) fn prepare() -> Option<Self> {
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new).into_iter().find(|path| {
            // A dynamic program names its loader near its beginning.
            let program = fs::read(path).unwrap_or_default();
            let head = &program[..program.len().min(4096)];
            !head.is_empty() && !head.windows(9).any(|window| window == b"ld-linux-")
        })?;
        let directory = tempfile::Builder::new().prefix("conformance-").tempdir().ok()?;
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).ok()?;
        let layer = directory.path().join("layer");
        for name in ["bin", "usr/bin", "etc", "tmp", "home", "var/lib"] {
            fs::create_dir_all(layer.join(name)).ok()?;
        }
        fs::set_permissions(layer.join("tmp"), fs::Permissions::from_mode(0o1777)).ok()?;
        fs::set_permissions(layer.join("home"), fs::Permissions::from_mode(0o777)).ok()?;
        fs::copy(busybox, layer.join("bin/busybox")).ok()?;
        let applets = Command::new(busybox).arg("--list").output().ok()?;
        for applet in String::from_utf8(applets.stdout).ok()?.lines().filter(|name| *name != "busybox") {
            symlink("busybox", layer.join("bin").join(applet)).ok()?;
        }
        fs::write(layer.join("etc/passwd"), "root:x:0:0::/:/bin/sh\nbuilder:x:1000:1000::/home:/bin/sh\n").ok()?;
        fs::write(layer.join("etc/hosts"), "127.0.0.1 localhost\n").ok()?;
        fs::write(layer.join("etc/hostname"), "layer\n").ok()?;
        fs::write(layer.join("etc/original"), "from the layer\n").ok()?;
        fs::hard_link(layer.join("etc/original"), layer.join("etc/second-name")).ok()?;
        Some(Self { directory })
    }

    /// The layer.
    pub(crate) fn layer(&self) -> PathBuf {
        self.directory.path().join("layer")
    }

    /// A new empty directory of the host.
    pub(crate) fn directory(&self) -> TempDir {
        tempfile::tempdir_in(self.directory.path()).expect("a directory can be made")
    }

    /// What a session in a scratch directory is made of.
    pub(crate) fn spec(&self, scratch: &Path) -> SessionSpec {
        SessionSpec {
            name: "conformance".into(),
            layer: self.layer(),
            above: Vec::new(),
            scratch: scratch.to_owned(),
            binds: Vec::new(),
            volumes: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// Starts a session without limits.
    pub(crate) async fn start(&self, sandbox: &dyn Sandbox) -> Result<Running, String> {
        self.start_with(sandbox, Limits::default(), Vec::new()).await
    }

    /// Starts a session.
    pub(crate) async fn start_with(
        &self,
        sandbox: &dyn Sandbox,
        limits: Limits,
        binds: Vec<Bind>,
    ) -> Result<Running, String> {
        let scratch = self.directory();
        let spec = SessionSpec { binds, limits, ..self.spec(scratch.path()) };
        let session = sandbox.start(spec).await.map_err(|error| format!("starting: {error}"))?;
        Ok(Running { session, scratch })
    }
}

/// A shell script as a command of the build user.
pub(crate) fn script(text: &str) -> ExecSpec {
    ExecSpec {
        argv: ["/bin/sh", "-c", text].map(String::from).to_vec(),
        environment: vec![(PATH.0.into(), PATH.1.into())],
        directory: "/".into(),
        user: User::Builder,
        timeout: Some(Duration::from_secs(60)),
        idle_timeout: None,
    }
}

/// The same as root.
pub(crate) fn root_script(text: &str) -> ExecSpec {
    ExecSpec { user: User::Root, ..script(text) }
}

impl Running {
    /// Runs a command and gives how it ended and what it wrote.
    pub(crate) async fn run(&self, spec: ExecSpec) -> Result<(ExecStatus, String), String> {
        let mut output = Vec::new();
        let status = self.session.exec(spec, &mut output).await.map_err(|error| format!("running: {error}"))?;
        Ok((status, String::from_utf8_lossy(&output).into_owned()))
    }

    /// Runs a command that has to succeed and gives what it wrote.
    pub(crate) async fn output(&self, spec: ExecSpec) -> Result<String, String> {
        let (status, output) = self.run(spec).await?;
        if status.success() { Ok(output) } else { Err(format!("ended with {status:?} and wrote: {output}")) }
    }

    /// Ends the session.
    pub(crate) async fn end(self) -> Result<(), String> {
        self.session.end().await.map_err(|error| format!("ending: {error}"))?;
        self.scratch.close().map_err(|error| format!("the scratch directory cannot be removed: {error}"))
    }
}
