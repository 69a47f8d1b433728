//! What a session costs beside its commands, against a `docker run` of a no-op in the same image: both
//! sandboxes and the engine's own command, in turn, in one run.
//!
//! A session is what a build needs at least: start, three commands that do nothing, a small file in, a
//! directory out, end. With a directory as its argument the bench uses that as the layer (a build root with
//! `/bin/true`), otherwise it makes a small one of busybox.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use sandbox::docker::DockerSandbox;
use sandbox::linux::LinuxSandbox;
use sandbox::{Limits, Sandbox, SessionSpec};
use tests::small_root::{busybox_layer, command, median, milliseconds};

/// How often each side is measured.
const ROUNDS: usize = 20;
/// How much more than `docker run` a Docker session may cost.
const ALLOWANCE: f64 = 100.0;
/// The steps of a session, in the table's order.
const STEPS: [&str; 6] = ["start", "3 x exec", "copy in", "copy out", "end", "whole"];
/// What the bench's containers are called after.
const NAME: &str = "overhead-bench";

type Error = Box<dyn std::error::Error>;
/// Times of each step, in milliseconds.
type Times = BTreeMap<&'static str, Vec<f64>>;

fn main() -> ExitCode {
    sandbox::linux::init_if_called();
    match measure() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            writeln!(io::stderr(), "overhead: {error}").ok();
            ExitCode::FAILURE
        }
    }
}

/// Measures and prints; tells whether the aim is met.
fn measure() -> Result<bool, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let place = tempfile::Builder::new().prefix("overhead-").tempdir()?;
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755))?;
    let given = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let layer = match &given {
        Some(layer) => fs::canonicalize(layer)?,
        None => busybox_layer(place.path())?,
    };
    let (docker, linux) = (DockerSandbox::new(), LinuxSandbox::new());
    let measured = runtime.block_on(rounds(&docker, &linux, &layer, place.path()));
    if given.is_none() {
        runtime.block_on(docker.forget(&layer))?;
    }
    let (docker, linux, run) = measured?;
    let holds = report(&docker, &linux, run);
    Ok(holds)
}

/// All rounds: the times of Docker sessions, of Linux sessions, and the median of `docker run`.
async fn rounds(
    docker: &DockerSandbox,
    linux: &LinuxSandbox,
    layer: &Path,
    place: &Path,
) -> Result<(Times, Times, f64), Error> {
    docker.check().await?;
    linux.check().await?;
    let mut sides = (Times::new(), Times::new());
    let mut runs = Vec::new();
    // The first session imports the image, which is no part of a build.
    let image = session(docker, layer, place, &mut Times::new()).await?.ok_or("the container's image is unknown")?;
    session(linux, layer, place, &mut Times::new()).await?;
    docker_run(&image)?;
    for _ in 0..ROUNDS {
        session(docker, layer, place, &mut sides.0).await?;
        runs.push(docker_run(&image)?);
        session(linux, layer, place, &mut sides.1).await?;
    }
    Ok((sides.0, sides.1, median(&runs)))
}

/// One session; adds its times, and tells a container's image.
async fn session(
    sandbox: &dyn Sandbox,
    layer: &Path,
    place: &Path,
    times: &mut Times,
) -> Result<Option<String>, Error> {
    let scratch = tempfile::tempdir_in(place)?;
    let (input, output) = (tempfile::tempdir_in(place)?, tempfile::tempdir_in(place)?);
    let file = input.path().join("file");
    fs::write(&file, "a small file\n")?;
    let spec = SessionSpec {
        name: NAME.into(),
        layer: layer.to_owned(),
        above: Vec::new(),
        scratch: scratch.path().to_owned(),
        binds: Vec::new(),
        volumes: vec!["/tmp".into()],
        limits: Limits::default(),
    };
    let began = Instant::now();
    let mut last = began;
    let mut note = |step: &'static str| {
        times.entry(step).or_default().push(milliseconds(last.elapsed()));
        last = Instant::now();
    };
    let session = sandbox.start(spec).await?;
    note("start");
    for argv in [["/bin/mkdir", "-p", "/tmp/in"], ["/bin/true", "", ""], ["/bin/true", "", ""]] {
        let status = session.exec(command(&argv), &mut Vec::new()).await?;
        if !status.success() {
            return Err(format!("{argv:?} in {}: {status:?}", sandbox.name()).into());
        }
    }
    note("3 x exec");
    session.copy_in(&[file], Path::new("/tmp/in")).await?;
    note("copy in");
    session.copy_out(Path::new("/tmp/in"), output.path()).await?;
    note("copy out");
    // Looked up before the end, and not counted.
    let looking = Instant::now();
    let image = if times.get("whole").is_none_or(Vec::is_empty) { image_of_session()? } else { None };
    let looked = looking.elapsed();
    let ending = Instant::now();
    session.end().await?;
    times.entry("end").or_default().push(milliseconds(ending.elapsed()));
    times.entry("whole").or_default().push(milliseconds(began.elapsed().saturating_sub(looked)));
    if fs::read(output.path().join("file"))? != b"a small file\n" {
        return Err(format!("{} copied something else", sandbox.name()).into());
    }
    Ok(image)
}

/// The image of the bench's running container.
fn image_of_session() -> Result<Option<String>, Error> {
    let filter = format!("name=package-builder-{NAME}");
    let output = Command::new("docker").args(["ps", "--filter", &filter, "--format", "{{.Image}}"]).output()?;
    Ok(String::from_utf8(output.stdout)?.lines().next().map(str::to_owned))
}

/// The engine's own command, and how long it took.
fn docker_run(image: &str) -> Result<f64, Error> {
    let began = Instant::now();
    let arguments = ["run", "--rm", "--network", "none", image, "/bin/true"];
    let status = Command::new("docker").args(arguments).stdin(Stdio::null()).status()?;
    let time = milliseconds(began.elapsed());
    if status.success() { Ok(time) } else { Err(format!("docker run: {status}").into()) }
}

/// Prints the table and the verdict.
fn report(docker: &Times, linux: &Times, run: f64) -> bool {
    let of = |times: &Times, step| times.get(step).map_or(f64::NAN, |times| median(times));
    let mut text = format!("{:<14}{:>12}{:>12}{:>10}\n", "median, ms", "docker", "linux", "ratio");
    for step in STEPS {
        let (docker, linux) = (of(docker, step), of(linux, step));
        writeln!(text, "{step:<14}{docker:>12.1}{linux:>12.1}{:>10.1}", docker / linux).ok();
    }
    let (docker, linux) = (of(docker, "whole"), of(linux, "whole"));
    let ratio = docker / run;
    writeln!(text, "{:<14}{run:>12.1}{:>12}{ratio:>10.2}", "docker run", "").ok();
    let holds = docker <= run + ALLOWANCE && linux < docker;
    let verdict = if holds { "holds" } else { "falls short" };
    writeln!(
        text,
        "overhead: docker_ms={docker:.1} docker_run_ms={run:.1} linux_ms={linux:.1} ratio={ratio:.2} {verdict}"
    )
    .ok();
    io::stdout().write_all(text.as_bytes()).ok();
    holds
}
