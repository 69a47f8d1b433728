//! Sessions by a Docker Engine: one container each, made from an image that is imported from the layer once.
//!
//! The container's first process is this program itself, as an agent: it runs commands one at a time, kills
//! whatever one leaves running, and copies files. That costs milliseconds where the engine's own ways to do
//! these things cost tens of them each, and leaves the isolation to the engine. The program that uses this
//! has to call [`init_if_called`](crate::linux::init_if_called) first thing in `main`. The engine has to be
//! on the same machine. A session becomes a layer as an image of its container; an engine that stores on fuse-overlayfs
//! loses what was written there in place to a file that has several names in a lower layer (rpm never does that). It
//! mounts its own `/etc/hostname`, which a package that owns that file cannot
//! replace.

pub(crate) mod agent;
mod archive;
mod frame;
mod image;
mod leftovers;
mod link;
mod podman;
pub(crate) mod program;
mod session;
mod tree;

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType, ResourcesUlimits};
use bollard::query_parameters::CreateContainerOptionsBuilder;
use tokio::sync::{Mutex, OnceCell};

use self::program::Program;
use self::session::DockerSession;
use crate::linux::init;
use crate::{Sandbox, SandboxError, Session, SessionSpec};

/// How long any one request may take.
const REQUEST_TIME: Duration = Duration::from_secs(120);
/// The agent's powers: those root has in the Linux sandbox, which are what installing packages needs, and to
/// take from commands what they must not have.
const POWERS: [&str; 10] =
    ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETFCAP", "SETPCAP", "SYS_CHROOT"];
/// Processes of the container that are not the command's: the agent.
const OWN_PROCESSES: i64 = 1;
/// The size of `/dev/shm`.
const SHARED_MEMORY: i64 = 1 << 30;

/// Sessions made of containers of the local Docker Engine.
#[derive(Clone, Debug, Default)]
pub struct DockerSandbox {
    /// The connection, made at first use.
    docker: Arc<OnceCell<Docker>>,
    /// Whether it is to Podman.
    is_podman: Arc<OnceCell<bool>>,
    /// Held while an image is imported.
    importing: Arc<Mutex<()>>,
}

impl DockerSandbox {
    /// A sandbox that connects to the local engine (`DOCKER_HOST`, or the usual socket) at first use.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Removes the image of a layer that is not needed any more; there need not be one.
    ///
    /// # Errors
    /// The engine does not answer, or a container uses the image.
    pub async fn forget(&self, layer: &Path) -> Result<(), SandboxError> {
        image::remove(self.docker().await?, layer).await
    }

    /// The connection.
    async fn docker(&self) -> Result<&Docker, SandboxError> {
        self.docker.get_or_try_init(connect).await
    }

    /// Whether the engine is Podman, by its Docker API.
    async fn is_podman(&self, docker: &Docker) -> Result<bool, SandboxError> {
        let found = self.is_podman.get_or_try_init(|| async {
            let version = within("asking the engine for its version", docker.version()).await?;
            let parts = version.components.unwrap_or_default();
            Ok::<_, SandboxError>(parts.iter().any(|part| part.name.to_lowercase().contains("podman")))
        });
        found.await.copied()
    }

    /// Makes and starts the container.
    async fn start_session(&self, spec: SessionSpec) -> Result<DockerSession, SandboxError> {
        let docker = self.docker().await?.clone();
        let image = {
            let _turn = self.importing.lock().await;
            match spec.above.last() {
                None => image::ensure(&docker, &spec.layer).await?,
                Some(top) => image::find(&docker, top).await?.ok_or_else(|| {
                    SandboxError::failed(format!("looking for the image of {}", top.display()), "the engine lost it")
                })?,
            }
        };
        let name = format!("package-builder-{}-{}", spec.name, leftovers::unique());
        let program = program::this(&spec.scratch)
            .map_err(|error| SandboxError::failed("looking for this program's own file", error))?;
        let is_podman = self.is_podman(&docker).await?;
        let mut body = container(&spec, image, program);
        if is_podman {
            podman::adapt(&mut body, &spec);
        }
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let action = format!("creating the container {name}");
        let created = within(action, docker.create_container(Some(options), body)).await?;
        let session = DockerSession::new(docker, created.id, spec, is_podman);
        session.start().await?;
        Ok(session)
    }
}

#[async_trait]
impl Sandbox for DockerSandbox {
    fn name(&self) -> &'static str {
        "docker"
    }

    async fn check(&self) -> Result<(), SandboxError> {
        init::require()?;
        let docker = self.docker().await?;
        let version = within("asking the Docker Engine for its version", docker.version()).await?;
        let system = version.os.unwrap_or_default();
        if system != "linux" {
            return Err(SandboxError::Unavailable {
                reason: format!("the Docker Engine runs {system} containers, not Linux ones"),
                hint: "switch the engine to Linux containers, or use --sandbox linux".into(),
            });
        }
        leftovers::remove(docker).await
    }

    async fn start(&self, spec: SessionSpec) -> Result<Box<dyn Session>, SandboxError> {
        init::require()?;
        Ok(Box::new(self.start_session(spec).await?))
    }

    async fn has_layer(&self, layer: &Path) -> Result<bool, SandboxError> {
        Ok(layer.is_dir() && image::find(self.docker().await?, layer).await?.is_some())
    }

    async fn remove_layer(&self, layer: &Path) -> Result<(), SandboxError> {
        if !layer.is_dir() {
            return Ok(());
        }
        self.forget(layer).await?;
        std::fs::remove_dir(layer)
            .map_err(|error| SandboxError::failed(format!("removing the layer {}", layer.display()), error))
    }
}

/// Connects and agrees on a version.
async fn connect() -> Result<Docker, SandboxError> {
    let unavailable = |error: &dyn std::fmt::Display| SandboxError::Unavailable {
        reason: format!("no Docker Engine answers: {error}"),
        hint:
            "start it (systemctl start docker), be in its group (usermod -aG docker \"$USER\"), or use --sandbox linux"
                .into(),
    };
    let docker = Docker::connect_with_local_defaults().map_err(|error| unavailable(&error))?;
    let negotiation =
        tokio::time::timeout(Duration::from_secs(20), docker.with_timeout(REQUEST_TIME).negotiate_version());
    match negotiation.await {
        Ok(Ok(docker)) => Ok(docker),
        Ok(Err(error)) => Err(unavailable(&error)),
        Err(_) => Err(unavailable(&"it took longer than 20 s")),
    }
}

/// Waits for an answer of the engine, but not forever.
async fn within<T>(
    action: impl Into<String>,
    request: impl Future<Output = Result<T, bollard::errors::Error>>,
) -> Result<T, SandboxError> {
    match tokio::time::timeout(REQUEST_TIME, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(SandboxError::failed(action, error)),
        Err(_) => Err(SandboxError::failed(
            action,
            format!("the Docker Engine did not answer for {} s", REQUEST_TIME.as_secs()),
        )),
    }
}

/// All about a session's container.
fn container(spec: &SessionSpec, image: String, program: Program) -> ContainerCreateBody {
    let shown = |host: &Path, guest: String| Mount {
        target: Some(guest),
        source: Some(host.to_string_lossy().into_owned()),
        typ: Some(MountType::BIND),
        read_only: Some(true),
        ..Mount::default()
    };
    let binds = spec.binds.iter().map(|bind| shown(&bind.host, bind.guest.to_string_lossy().into_owned()));
    // The engine fills a new volume with what the image has there, and removes it with the container.
    let volumes = spec.volumes.iter().map(|guest| Mount {
        target: Some(guest.to_string_lossy().into_owned()),
        typ: Some(MountType::VOLUME),
        ..Mount::default()
    });
    let mounts = binds.chain(volumes).chain(program.files.into_iter().map(|(guest, host)| shown(&host, guest)));
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let memory = spec.limits.memory.map(signed);
    let host = HostConfig {
        network_mode: Some("none".into()),
        cap_drop: Some(vec!["ALL".into()]),
        cap_add: Some(POWERS.map(String::from).to_vec()),
        security_opt: Some(vec!["no-new-privileges".into()]),
        mounts: Some(mounts.collect()),
        memory,
        memory_swap: memory,
        pids_limit: spec.limits.processes.map(|count| signed(count).saturating_add(OWN_PROCESSES)),
        nano_cpus: spec.limits.cpus.map(nano_cpus),
        shm_size: Some(SHARED_MEMORY),
        ulimits: Some(vec![ResourcesUlimits { name: Some("core".into()), soft: Some(0), hard: Some(0) }]),
        log_config: Some(HostConfigLogConfig { typ: Some("none".into()), config: None }),
        ..HostConfig::default()
    };
    ContainerCreateBody {
        image: Some(image),
        cmd: Some(program.command),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        // The agent's input, and with it the container, ends when this program does.
        stdin_once: Some(true),
        user: Some("0:0".into()),
        hostname: Some("localhost".into()),
        // Without this the engine mounts `/etc/hosts` and `/etc/resolv.conf`, and packages cannot replace them.
        network_disabled: Some(true),
        labels: Some(leftovers::labels()),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    }
}

/// CPUs in the engine's unit.
#[expect(clippy::cast_possible_truncation, reason = "clamped to what fits")]
fn nano_cpus(cpus: f64) -> i64 {
    (cpus * 1e9).clamp(1e7, 1e15) as i64
}
