//! Who a container belongs to, told by labels, and the removal of those whose owner is gone.

use std::collections::HashMap;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

use bollard::Docker;
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};

use super::within;
use crate::SandboxError;

/// Marks every container and image of ours, for whoever wants to remove them all.
pub(super) const MARK: (&str, &str) = ("package-builder", "1");
/// The label that tells the owner: see [`Owner`].
const OWNER: &str = "package-builder.owner";

/// A process, told apart from all others that ever had its number: `boot/namespace/pid/start`.
#[derive(Debug, PartialEq, Eq)]
struct Owner {
    /// The running kernel's id.
    boot: String,
    /// The process namespace the number is of.
    namespace: String,
    /// The process's number.
    pid: u32,
    /// When it started, in clock ticks since boot.
    start: String,
}

impl Owner {
    /// This process.
    fn this() -> Self {
        let pid = std::process::id();
        let (boot, namespace) = here();
        Self { boot, namespace, pid, start: start_of(pid).unwrap_or_default() }
    }

    /// As a label.
    fn label(&self) -> String {
        format!("{}/{}/{}/{}", self.boot, self.namespace, self.pid, self.start)
    }

    /// From a label.
    fn parse(label: &str) -> Option<Self> {
        let mut fields = label.split('/').map(str::to_owned);
        let (boot, namespace) = (fields.next()?, fields.next()?);
        Some(Self { boot, namespace, pid: fields.next()?.parse().ok()?, start: fields.next()? })
    }

    /// Whether it is known to be gone. One in another process namespace is not known to be.
    fn is_gone(&self) -> bool {
        let (boot, namespace) = here();
        self.boot != boot || self.namespace == namespace && start_of(self.pid).as_ref() != Some(&self.start)
    }
}

/// The running kernel and the process namespace of this process.
fn here() -> (String, String) {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    (boot.trim().to_owned(), namespace.to_string_lossy().into_owned())
}

/// When a process started: field 22 of `/proc/PID/stat` (proc_pid_stat(5)).
fn start_of(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in parentheses, which may hold anything.
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19).map(str::to_owned)
}

/// The labels of a container of this process.
pub(super) fn labels() -> HashMap<String, String> {
    HashMap::from([(MARK.0.into(), MARK.1.into()), (OWNER.into(), Owner::this().label())])
}

/// The end of a name no other container has.
pub(super) fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let owner = Owner::this();
    format!("{}-{}-{}", owner.pid, owner.start, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Removes the containers whose owner is gone.
pub(super) async fn remove(docker: &Docker) -> Result<(), SandboxError> {
    let filters = HashMap::from([("label", vec![format!("{}={}", MARK.0, MARK.1)])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let containers = within("listing containers", docker.list_containers(Some(options))).await?;
    for container in containers {
        let owner = container.labels.as_ref().and_then(|labels| Owner::parse(labels.get(OWNER)?));
        if let (Some(owner), Some(id)) = (owner, &container.id)
            && owner.is_gone()
        {
            remove_container(docker, id).await?;
        }
    }
    Ok(())
}

/// Kills and removes a container; one that is gone already is no error.
pub(super) async fn remove_container(docker: &Docker, id: &str) -> Result<(), SandboxError> {
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    let action = format!("removing the container {id}");
    let removal = async {
        match docker.remove_container(id, Some(options)).await {
            // 404: there is none. 409: it is being removed.
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(()),
            other => other,
        }
    };
    within(action, removal).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_known_by_number_start_and_kernel() {
        let this = Owner::this();
        assert!(!this.start.is_empty());
        assert_eq!(Owner::parse(&this.label()).as_ref(), Some(&this));
        assert!(!this.is_gone());
        assert!(Owner { start: "1".into(), ..Owner::this() }.is_gone());
        assert!(Owner { boot: "other".into(), ..Owner::this() }.is_gone());
        assert!(!Owner { namespace: "other".into(), start: "1".into(), ..Owner::this() }.is_gone());
    }
}
