//! How long it takes until a first command has run in a build root of layers that are known, against what the kernel and
//! the engine themselves take for it; and whether many roots at once leave anything behind.
//!
//! `cargo bench -p tests --bench buildroot`, as root. In each round both sandboxes and both floors have their turn. The
//! floor of namespaces is `unshare` with five of them, a mount of the same layers and a command; that of containers is
//! `docker run` of a no-op without a network. It holds when the Linux sandbox takes at most 5 ms more than its floor, the
//! Docker one no more than its, and 200 roots made by 8 threads leave nothing.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sandbox::docker::DockerSandbox;
use sandbox::linux::LinuxSandbox;
use sandbox::{Limits, Sandbox, SessionSpec};
use tests::say;
use tests::small_root::{busybox_layer, command, median, milliseconds};

const ROUNDS: usize = 20;
/// How many layers are over the base, for each sandbox.
const LAYERS: [usize; 3] = [0, 10, 100];
const MORE_THAN_THE_FLOOR: f64 = 5.0;
const ROOTS: usize = 200;
const THREADS: usize = 8;

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    sandbox::linux::init_if_called();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
    let place = tempfile::Builder::new().prefix("buildroot-").tempdir()?;
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755))?;
    let layer = busybox_layer(place.path())?;
    let (linux, docker) = (Arc::new(LinuxSandbox::new()), DockerSandbox::new());
    let holds = runtime.block_on(async {
        linux.check().await?;
        docker.check().await?;
        let holds = compare(&linux, &docker, &layer, place.path()).await;
        docker.forget(&layer).await?;
        let crowd = crowd(&linux, &layer, place.path()).await;
        Ok::<_, Error>(holds? & crowd?)
    });
    std::process::exit(i32::from(!holds?));
}

/// Times of both sandboxes and their floors.
async fn compare(linux: &LinuxSandbox, docker: &DockerSandbox, layer: &Path, place: &Path) -> Result<bool, Error> {
    let mut above = Vec::new();
    let mut holds = true;
    for count in LAYERS {
        while above.len() < count {
            above.push(add_layer(linux, layer, &above, place).await?);
        }
        let (mut ours, mut floor) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(first_command(linux, layer, &above, place).await?);
            floor.push(namespaces(layer, &above, place)?);
        }
        let (ours, floor) = (median(&ours), median(&floor));
        say(&format!("linux, {count:>3} layers over the base: {ours:6.1} ms, unshare {floor:6.1} ms"));
        holds &= ours <= floor + MORE_THAN_THE_FLOOR;
    }
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    let image = image_of(docker, layer, place).await?;
    for _ in 0..ROUNDS {
        ours.push(first_command(docker, layer, &[], place).await?);
        let began = Instant::now();
        quietly(Command::new("docker").args(["run", "--rm", "--network", "none", &image, "/bin/true"]))?;
        floor.push(milliseconds(began.elapsed()));
    }
    let (ours, floor) = (median(&ours), median(&floor));
    holds &= ours <= floor;
    say(&format!("docker:                         {ours:6.1} ms, docker run {floor:6.1} ms"));
    say(&format!(
        "buildroot: docker_ms={ours:.1} docker_run_ms={floor:.1} {}",
        if holds { "holds" } else { "falls short" }
    ));
    Ok(holds)
}

/// What a session is made of, in a new scratch directory.
fn spec(layer: &Path, above: &[PathBuf], scratch: &Path) -> SessionSpec {
    SessionSpec {
        name: "buildroot-bench".into(),
        layer: layer.to_owned(),
        above: above.to_vec(),
        scratch: scratch.to_owned(),
        binds: Vec::new(),
        volumes: vec!["/tmp".into()],
        limits: Limits::default(),
    }
}

/// Milliseconds from nothing to the end of a first command that does nothing. What ends the session is not counted.
async fn first_command(sandbox: &dyn Sandbox, layer: &Path, above: &[PathBuf], place: &Path) -> Result<f64, Error> {
    let scratch = tempfile::tempdir_in(place)?;
    let began = Instant::now();
    let session = sandbox.start(spec(layer, above, scratch.path())).await?;
    let status = session.exec(command(&["/bin/true"]), &mut Vec::new()).await?;
    let time = milliseconds(began.elapsed());
    session.end().await?;
    if status.success() { Ok(time) } else { Err(format!("/bin/true in {}: {status:?}", sandbox.name()).into()) }
}

/// One more layer, with a file of its own.
async fn add_layer(linux: &LinuxSandbox, layer: &Path, above: &[PathBuf], place: &Path) -> Result<PathBuf, Error> {
    let scratch = tempfile::tempdir_in(place)?;
    let session = linux.start(spec(layer, above, scratch.path())).await?;
    session.exec(command(&["/bin/mkdir", &format!("/etc/{}", above.len())]), &mut Vec::new()).await?;
    let new = place.join(format!("layer-{}", above.len()));
    session.into_layer(&new).await?;
    Ok(new)
}

/// Milliseconds for the same by the programs that come with the system.
fn namespaces(layer: &Path, above: &[PathBuf], place: &Path) -> Result<f64, Error> {
    let scratch = tempfile::tempdir_in(place)?;
    for name in ["upper", "work", "root"] {
        fs::create_dir(scratch.path().join(name))?;
    }
    // Short names, since all of them go into one line: the mount is made where the layers are.
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut lower: Vec<String> = above.iter().rev().map(|path| name(path)).collect();
    lower.push(name(layer));
    let here = name(scratch.path());
    let options = format!("lowerdir={},upperdir={here}/upper,workdir={here}/work", lower.join(":"));
    let script = format!("mount -t overlay overlay -o {options} {here}/root && exec chroot {here}/root /bin/true");
    let began = Instant::now();
    let namespaces = ["--mount", "--pid", "--ipc", "--uts", "--net", "--fork"];
    quietly(Command::new("unshare").args(namespaces).args(["/bin/sh", "-c", &script]).current_dir(place))?;
    Ok(milliseconds(began.elapsed()))
}

fn quietly(command: &mut Command) -> Result<(), Error> {
    let status = command.stdin(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

/// The image of the layer, which a first session has the engine make.
async fn image_of(docker: &DockerSandbox, layer: &Path, place: &Path) -> Result<String, Error> {
    let scratch = tempfile::tempdir_in(place)?;
    let session = docker.start(spec(layer, &[], scratch.path())).await?;
    let filter = "name=package-builder-buildroot-bench";
    let output = Command::new("docker").args(["ps", "--filter", filter, "--format", "{{.Image}}"]).output()?;
    session.end().await?;
    let image = String::from_utf8(output.stdout)?.lines().next().map(str::to_owned);
    image.ok_or_else(|| "the container's image is unknown".into())
}

/// Many roots at once; tells whether all worked and nothing is left.
async fn crowd(linux: &Arc<LinuxSandbox>, layer: &Path, place: &Path) -> Result<bool, Error> {
    let before = leftovers(place)?;
    let (next, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let began = Instant::now();
    let workers: Vec<_> = (0..THREADS)
        .map(|_| {
            let (linux, next, failed) = (Arc::clone(linux), Arc::clone(&next), Arc::clone(&failed));
            let (layer, place) = (layer.to_owned(), place.to_owned());
            tokio::spawn(async move {
                while next.fetch_add(1, Ordering::Relaxed) < ROOTS {
                    let worked = first_command(&*linux, &layer, &[], &place).await.is_ok();
                    failed.fetch_add(usize::from(!worked), Ordering::Relaxed);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await?;
    }
    let seconds = began.elapsed().as_secs_f64();
    // The kernel takes groups away when their last process is gone.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let left = leftovers(place)?.difference(&before).count();
    let failed = failed.load(Ordering::Relaxed);
    let holds = failed == 0 && left == 0;
    say(&format!(
        "roots: made={ROOTS} threads={THREADS} a_second={:.0} failed={failed} left={left} {}",
        ROOTS as f64 / seconds,
        if holds { "holds" } else { "falls short" }
    ));
    Ok(holds)
}

/// Mounts, control groups, scratch directories and processes of this bench that are there now.
fn leftovers(place: &Path) -> Result<BTreeSet<String>, Error> {
    let mut found = BTreeSet::new();
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let here = place.display().to_string();
    found.extend(mounts.lines().filter(|line| line.contains(&here)).map(str::to_owned));
    let groups = walkdir::WalkDir::new("/sys/fs/cgroup").into_iter().filter_map(Result::ok);
    let own = format!("package-builder-{}-", std::process::id());
    let groups = groups.filter(|entry| entry.file_name().to_string_lossy().starts_with(&own));
    found.extend(groups.map(|entry| entry.path().display().to_string()));
    found.extend(fs::read_dir(place)?.filter_map(Result::ok).map(|entry| entry.path().display().to_string()));
    for process in fs::read_dir("/proc")?.filter_map(Result::ok) {
        let line = fs::read_to_string(process.path().join("cmdline")).unwrap_or_default();
        if line.starts_with("package-builder-sandbox") {
            found.insert(process.path().display().to_string());
        }
    }
    Ok(found)
}
