//! Where Podman's Docker API is not the Docker Engine's.

use bollard::models::{ContainerCreateBody, Mount, MountType, ResourcesUlimits};
use rustix::process::{Resource, getrlimit};

use super::session::MASKED;
use crate::SessionSpec;

/// Says what has to be said to Podman besides.
pub(super) fn adapt(body: &mut ContainerCreateBody, spec: &SessionSpec) {
    let host = body.host_config.get_or_insert_default();
    host.ulimits.get_or_insert_default().extend(own_limits());
    // It mounts files of its own over these, which tell of the host, unless something else is mounted there.
    let files = MASKED.iter().map(|name| (format!("/etc/{name}"), spec.layer.join("etc").join(name)));
    let files = files.filter(|(_, path)| path.symlink_metadata().is_ok_and(|file| file.is_file()));
    host.mounts.get_or_insert_default().extend(files.map(|(guest, path)| Mount {
        target: Some(guest),
        source: Some(path.to_string_lossy().into_owned()),
        typ: Some(MountType::BIND),
        read_only: Some(true),
        ..Mount::default()
    }));
}

/// The limits that this process has. Podman sets higher ones of its own where it is not told, which takes a power that it
/// may not have.
fn own_limits() -> [ResourcesUlimits; 2] {
    let most = |resource| getrlimit(resource).maximum.and_then(|most| i64::try_from(most).ok());
    // No more processes than numbers for them; Podman has that limit itself.
    let numbers = std::fs::read_to_string("/proc/sys/kernel/pid_max").ok().and_then(|text| text.trim().parse().ok());
    let processes = most(Resource::Nproc).into_iter().chain(numbers).min();
    [limit("nofile", most(Resource::Nofile)), limit("nproc", processes)]
}

/// A limit of processes; `None` is none.
fn limit(name: &str, most: Option<i64>) -> ResourcesUlimits {
    ResourcesUlimits { name: Some(name.into()), soft: Some(most.unwrap_or(-1)), hard: Some(most.unwrap_or(-1)) }
}
