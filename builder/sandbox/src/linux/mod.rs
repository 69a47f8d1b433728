//! Sessions by Linux namespaces and overlayfs, without a daemon and, where the kernel lets an ordinary user
//! do it, without root.
//!
//! Each command gets namespaces of its own over the session's one upper directory. So nothing is mounted on
//! the host at any time, nothing but files outlives a command, and ending a command is ending process 1 of
//! its process namespace. Commands of one session run one at a time: two overlays over one upper directory
//! would disagree.

pub(crate) mod cgroup;
pub(crate) mod command;
mod copy;
mod filter;
pub(crate) mod identity;
pub(crate) mod init;
pub(crate) mod order;
mod powers;
mod root;
mod session;
pub(crate) mod sys;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use self::identity::Identity;
pub use self::init::init_if_called;
use self::order::{Action, Report};
use self::session::LinuxSession;
use crate::{Sandbox, SandboxError, Session, SessionSpec};

/// The magic number of overlayfs in `statfs` (linux/magic.h).
const OVERLAYFS_MAGIC: u64 = 0x794c_7630;

/// Sessions made of Linux namespaces. The program has to call [`init_if_called`] first thing in `main`.
#[derive(Clone, Debug, Default)]
pub struct LinuxSandbox {
    /// Where [`Sandbox::check`] tries itself out; the temporary directory if not given.
    trial: Option<PathBuf>,
}

impl LinuxSandbox {
    /// A sandbox that tries itself out in the temporary directory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A sandbox whose `check` tries itself out in `directory`, which should be where sessions will have
    /// their scratch directories.
    #[must_use]
    pub fn trying_in(directory: &Path) -> Self {
        Self { trial: Some(directory.to_owned()) }
    }

    /// Removes what a session has written that was never ended, because its program was killed; `scratch` is
    /// its scratch directory. After that the caller can remove the directory, as after a session's end.
    ///
    /// # Errors
    /// Something could not be removed.
    pub async fn remove_leftover(&self, scratch: &Path) -> Result<(), SandboxError> {
        init::require()?;
        let (layer, limits) = (scratch.to_owned(), crate::Limits::default());
        let scratch = scratch.to_owned();
        let (above, binds, volumes) = (Vec::new(), Vec::new(), Vec::new());
        let spec = SessionSpec { name: "leftover".into(), layer, above, scratch, binds, volumes, limits };
        Box::new(LinuxSession::new(spec, Identity::detect())).end().await
    }

    /// Makes a session of an empty layer and does everything but running a command.
    async fn try_out(&self) -> Result<(), SandboxError> {
        let parent = self.trial.clone().unwrap_or_else(std::env::temp_dir);
        let in_parent = |action: &str| format!("{action} in {}", parent.display());
        let trial = tempfile::Builder::new()
            .prefix("package-builder-check-")
            .tempdir_in(&parent)
            .map_err(|error| SandboxError::failed(in_parent("making a directory"), error))?;
        let (layer, scratch) = (trial.path().join("layer"), trial.path().join("scratch"));
        for directory in [&layer, &scratch] {
            fs::create_dir(directory).map_err(|error| SandboxError::failed(in_parent("making a directory"), error))?;
        }
        let limits = crate::Limits::default();
        let (above, binds, volumes) = (Vec::new(), Vec::new(), Vec::new());
        let spec = SessionSpec { name: "check".into(), layer, above, scratch, binds, volumes, limits };
        let session = open_session(spec)?;
        match session.give(Action::Probe).await? {
            Report::Done => Ok(()),
            Report::Failed { action, reason } => Err(SandboxError::Failed { action, reason }),
            other => Err(SandboxError::failed("trying the sandbox out", format!("it answered {other:?}"))),
        }
    }
}

#[async_trait]
impl Sandbox for LinuxSandbox {
    fn name(&self) -> &'static str {
        "linux"
    }

    async fn check(&self) -> Result<(), SandboxError> {
        init::require()?;
        cgroup::remove_leftovers();
        self.try_out().await.map_err(|error| match error {
            SandboxError::Failed { action, reason } => unavailable(
                format!("Linux namespaces do not work here: {action}: {reason}"),
                &hint(&Identity::detect()),
            ),
            unavailable @ SandboxError::Unavailable { .. } => unavailable,
        })
    }

    async fn start(&self, spec: SessionSpec) -> Result<Box<dyn Session>, SandboxError> {
        init::require()?;
        Ok(Box::new(open_session(spec)?))
    }

    async fn has_layer(&self, layer: &Path) -> Result<bool, SandboxError> {
        Ok(layer.is_dir())
    }

    async fn remove_layer(&self, layer: &Path) -> Result<(), SandboxError> {
        let action = || format!("removing the layer {}", layer.display());
        let mut doomed = layer.as_os_str().to_owned();
        doomed.push(".gone");
        let doomed = PathBuf::from(doomed);
        // It is gone at once, whatever becomes of the rest.
        match fs::rename(layer, &doomed) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !doomed.exists() => return Ok(()),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(SandboxError::failed(action(), error));
            }
            _ => {}
        }
        // Its files are other users' where there are subordinate ones.
        let scratch = tempfile::tempdir_in(doomed.parent().unwrap_or(Path::new("/")))
            .map_err(|error| SandboxError::failed(action(), error))?;
        fs::rename(&doomed, scratch.path().join("upper")).map_err(|error| SandboxError::failed(action(), error))?;
        self.remove_leftover(scratch.path()).await?;
        scratch.close().map_err(|error| SandboxError::failed(action(), error))
    }
}

/// Prepares the scratch directory and the control groups.
fn open_session(spec: SessionSpec) -> Result<LinuxSession, SandboxError> {
    let action = || format!("preparing {} for session {}", spec.scratch.display(), spec.name);
    let file_system = rustix::fs::statfs(&spec.scratch).map_err(|error| SandboxError::failed(action(), error))?;
    if u64::try_from(file_system.f_type) == Ok(OVERLAYFS_MAGIC) {
        return Err(unavailable(
            format!("{} is on overlayfs, which cannot hold another overlay's changes", spec.scratch.display()),
            "put the cache directory on a volume (docker run --volume package-builder:/cache), or set TMPDIR to a \
             directory on ext4, xfs, btrfs or tmpfs",
        ));
    }
    let top = spec.above.last().unwrap_or(&spec.layer);
    let layer = fs::metadata(top)
        .map_err(|error| SandboxError::failed(format!("reading the layer {}", top.display()), error))?;
    for name in ["upper", "work", "root"] {
        fs::create_dir(spec.scratch.join(name)).map_err(|error| SandboxError::failed(action(), error))?;
    }
    for (number, layer) in std::iter::once(&spec.layer).chain(&spec.above).enumerate() {
        std::path::absolute(layer)
            .and_then(|layer| std::os::unix::fs::symlink(layer, spec.scratch.join(root::lower_name(number))))
            .map_err(|error| SandboxError::failed(action(), error))?;
    }
    // The top directory's attributes are the upper's, so they have to be copied from the layer's.
    let upper = spec.scratch.join("upper");
    fs::set_permissions(&upper, fs::Permissions::from_mode(layer.mode() & 0o7777))
        .map_err(|error| SandboxError::failed(action(), error))?;
    let identity = Identity::detect();
    if identity.keeps_owners() {
        std::os::unix::fs::chown(&upper, Some(layer.uid()), Some(layer.gid()))
            .map_err(|error| SandboxError::failed(action(), error))?;
    }
    Ok(LinuxSession::new(spec, identity))
}

/// A [`SandboxError::Unavailable`].
fn unavailable(reason: String, hint: &str) -> SandboxError {
    SandboxError::Unavailable { reason, hint: hint.to_owned() }
}

/// What to do, from what this host says about itself; every line is looked up, not guessed from the error.
fn hint(identity: &Identity) -> String {
    let setting = |name: &str| fs::read_to_string(Path::new("/proc/sys").join(name)).unwrap_or_default();
    if *identity == Identity::HostRoot {
        return "give this root the capabilities SYS_ADMIN and NET_ADMIN (in a container: docker run --privileged), or \
                use --sandbox docker"
            .into();
    }
    if setting("kernel/unprivileged_userns_clone").trim() == "0" {
        return "sysctl -w kernel.unprivileged_userns_clone=1 (as root), or use --sandbox docker".into();
    }
    if setting("kernel/apparmor_restrict_unprivileged_userns").trim() == "1" {
        return "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (as root), or use --sandbox docker".into();
    }
    if setting("user/max_user_namespaces").trim() == "0" {
        return "sysctl -w user.max_user_namespaces=10000 (as root), or use --sandbox docker".into();
    }
    "run as root, or use --sandbox docker".into()
}
