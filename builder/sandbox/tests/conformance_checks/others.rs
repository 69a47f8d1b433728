//! Kinds of sandboxes that take another run of this program: as an ordinary user, and with another engine.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{ONLY, skip};

/// Every one.
pub(crate) const ALL: [Other; 2] = [Other::OrdinaryUser, Other::Podman];

/// A kind that takes another run.
#[derive(Clone, Copy)]
pub(crate) enum Other {
    /// Namespaces without root, with subordinate ids.
    OrdinaryUser,
    /// Podman's Docker API.
    Podman,
}

/// The ordinary user: nobody's number, with ids that are nobody's.
const USER: u32 = 54_321;
const SUBORDINATE: &str = "conformance:1700000000:65536\n";

/// Shows the user to the programs that map ids, in a mount namespace of its own, and becomes it.
const BECOME: &str = "set -e; for name in passwd subuid subgid; do mount --bind \"$1/$name\" /etc/$name; done; \
    exec setpriv --reuid \"$2\" --regid \"$2\" --clear-groups --inh-caps=-all \"$1/conformance\" $3";

/// Runs the checks against a kind; gives how many failed.
pub(crate) fn run(other: Other, filter: &str) -> usize {
    let is_wanted = |name: &str| filter.split_once("::").is_none_or(|(kind, _)| name.ends_with(kind));
    let place = tempfile::Builder::new().prefix("others-").tempdir().expect("a directory can be made");
    let outcome = match other {
        Other::OrdinaryUser if is_wanted("user") => as_user(place.path(), filter),
        Other::Podman if is_wanted("podman") => with_podman(place.path(), filter),
        Other::OrdinaryUser | Other::Podman => return 0,
    };
    match outcome {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(why) => skip(&why),
    }
}

/// Runs this program again as an ordinary user; tells whether it was content.
fn as_user(place: &Path, filter: &str) -> Result<bool, String> {
    let what = "linux as an ordinary user";
    if !rustix::process::geteuid().is_root() {
        return Err(format!("{what}: it takes root to become one (what ran is that already)"));
    }
    for program in ["unshare", "setpriv", "newuidmap"] {
        let found = ["/usr/bin", "/bin", "/usr/sbin"].iter().any(|folder| Path::new(folder).join(program).exists());
        if !found {
            return Err(format!("{what}: no `{program}` (apt-get install util-linux uidmap)"));
        }
    }
    let passwd = fs::read_to_string("/etc/passwd").map_err(|error| format!("{what}: /etc/passwd: {error}"))?;
    let user = format!("{passwd}conformance:x:{USER}:{USER}::{}:/bin/sh\n", place.display());
    let files = [("passwd", user.as_str()), ("subuid", SUBORDINATE), ("subgid", SUBORDINATE)];
    for (name, text) in files {
        fs::write(place.join(name), text).map_err(|error| format!("{what}: {name}: {error}"))?;
    }
    let program = place.join("conformance");
    fs::copy("/proc/self/exe", &program).map_err(|error| format!("{what}: its program: {error}"))?;
    std::os::unix::fs::chown(place, Some(USER), Some(USER)).map_err(|error| format!("{what}: {error}"))?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", BECOME, "sh"]).arg(place).args([&USER.to_string(), filter]);
    command.env("HOME", place).env("TMPDIR", place).env(ONLY, "linux=user");
    command.status().map(|status| status.success()).map_err(|error| format!("{what}: {error}"))
}

/// Runs this program again with Podman as its engine; tells whether it was content.
fn with_podman(place: &Path, filter: &str) -> Result<bool, String> {
    if Command::new("podman").arg("--version").output().is_err() {
        return Err("podman: not installed (apt-get install podman)".to_owned());
    }
    let socket = place.join("podman.sock");
    let address = format!("unix://{}", socket.display());
    let settings = place.join("containers.conf");
    // Its other runtime does not work where control groups are of both versions.
    let runtime = if Path::new("/usr/sbin/runc").exists() { "runtime = \"runc\"\n" } else { "" };
    let text = format!("[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n{runtime}");
    fs::write(&settings, text).map_err(|error| format!("podman: its settings: {error}"))?;
    let mut command = Command::new("podman");
    command.args(["--root"]).arg(place.join("root")).args(["--runroot"]).arg(place.join("run"));
    command.args(["system", "service", "--time=0", &address]).env("CONTAINERS_CONF", &settings);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut service = Service(command.spawn().map_err(|error| format!("podman: {error}"))?);
    let began = Instant::now();
    while !socket.exists() {
        let ended = service.0.try_wait().ok().flatten();
        if ended.is_some() || began.elapsed() > Duration::from_secs(30) {
            return Err("podman: its service does not come up".to_owned());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut again = Command::new("/proc/self/exe");
    again.arg(filter).env("DOCKER_HOST", &address).env(ONLY, "docker=podman");
    let content = again.status().map(|status| status.success()).map_err(|error| format!("podman: {error}"));
    drop(service);
    // What it stores with is mounted there.
    Command::new("umount").arg("-l").arg(place.join("root/overlay")).stderr(Stdio::null()).status().ok();
    content
}

/// A program that ends with this.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        self.0.kill().and_then(|()| self.0.wait()).ok();
    }
}
