//! Ends nobody planned: a caller that goes away, a program that is killed, a disk that is full.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sandbox::{OutputSink, Sandbox};

use super::place::script;
use super::{CheckResult, Place, holds, same};

/// The argument by which this program only holds a session; see [`hold`].
pub(crate) const HOLD: &str = "--hold";
/// How long an end may take.
const END_TIME: Duration = Duration::from_secs(20);

pub(crate) async fn a_command_given_up_is_ended(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let running = place.start(sandbox).await?;
    let (text, line) = sleeper("7");
    let given_up = tokio::time::timeout(Duration::from_millis(500), running.run(script(&text))).await;
    holds("it ended by itself", given_up.is_err())?;
    let seen = running.output(script(&format!("ps -o args | grep -c '[s]{}'; echo next", &line[1..]))).await;
    // Nothing found is a failure of `grep`, not of the script.
    same("the session goes on without it", seen?.as_str(), "0\nnext\n")?;
    holds("it is left on the host", !is_running(&line))?;
    running.end().await
}

pub(crate) async fn a_killed_program_leaves_nothing(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let failed = |error: std::io::Error| error.to_string();
    let scratch = place.directory();
    let (_, line) = sleeper("8");
    let mut holder = Command::new(std::env::current_exe().map_err(failed)?)
        .args([HOLD, sandbox.name(), &line])
        .args([place.layer(), scratch.path().to_owned()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let output = holder.stdout.take().ok_or("it has no output")?;
    let mut first = String::new();
    BufReader::new(output).read_line(&mut first).map_err(failed)?;
    let started = is_running(&line);
    holder.kill().map_err(failed)?;
    holder.wait().map_err(failed)?;
    same("the holder's word", first.as_str(), "running\n")?;
    holds("what was held is not seen", started)?;
    let began = Instant::now();
    while is_running(&line) {
        holds("a process is left", began.elapsed() < END_TIME)?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The next run's check removes what is left on disk and in the engine.
    sandbox.check().await.map_err(|error| format!("the next run's check: {error}"))?;
    let cleared = sandbox::linux::LinuxSandbox::new().remove_leftover(scratch.path()).await;
    cleared.map_err(|error| format!("removing its files: {error}"))?;
    let mark = format!("package-builder-{}-", holder.id());
    let groups = find(Path::new("/sys/fs/cgroup"), &mark, 6);
    holds(&format!("control groups are left: {groups:?}"), groups.is_empty())?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(failed)?;
    holds("a mount is left", !mounts.contains(&*scratch.path().to_string_lossy()))?;
    if sandbox.name() == "docker"
        && let Ok(list) = Command::new("docker").args(["ps", "--all", "--format", "{{.Names}}"]).output()
    {
        let names = String::from_utf8_lossy(&list.stdout).into_owned();
        let owned = format!("-{}-", holder.id());
        holds("a container is left", !names.lines().any(|name| name.contains("-held-") && name.contains(&owned)))?;
    }
    scratch.close().map_err(|error| format!("its scratch directory cannot be removed: {error}"))
}

pub(crate) async fn a_container_that_dies_is_started_again(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    if sandbox.name() != "docker" {
        return Ok(());
    }
    let name = format!("mortal-{}", std::process::id());
    let scratch = place.directory();
    let spec = sandbox::SessionSpec { name: name.clone(), ..place.spec(scratch.path()) };
    let session = sandbox.start(spec).await.map_err(|error| format!("starting: {error}"))?;
    let running = super::place::Running { session, scratch };
    running.output(script("echo kept > /home/kept")).await?;
    let kill = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let filter = format!("name=package-builder-{name}-");
        let list = Command::new("docker").args(["ps", "--quiet", "--filter", &filter]).output().ok()?;
        let id = String::from_utf8(list.stdout).ok()?;
        Command::new("docker").args(["kill", id.trim()]).output().ok()
    };
    let (ended, killed) = tokio::join!(running.run(script("sleep 30")), kill);
    if !killed.is_some_and(|output| output.status.success()) {
        return running.end().await; // Without the engine's own command nobody kills the container.
    }
    let reason = ended.err().unwrap_or_default();
    holds(&format!("a command whose container was killed: {reason:?}"), reason.contains("the container has ended"))?;
    same("the session goes on with its files", running.output(script("cat /home/kept")).await?.as_str(), "kept\n")?;
    running.end().await
}

/// What the program that is to be killed does: says when the session's command runs, and waits.
pub(crate) async fn hold(sandbox: &dyn Sandbox, line: &str, layer: PathBuf, scratch: PathBuf) -> CheckResult {
    struct Out;
    impl OutputSink for Out {
        fn write(&mut self, bytes: &[u8]) {
            let mut output = std::io::stdout();
            output.write_all(bytes).and_then(|()| output.flush()).ok();
        }
    }
    let spec = sandbox::SessionSpec {
        name: "held".into(),
        layer,
        above: Vec::new(),
        scratch,
        binds: Vec::new(),
        volumes: Vec::new(),
        limits: sandbox::Limits::default(),
    };
    let session = sandbox.start(spec).await.map_err(|error| error.to_string())?;
    let text = format!("(setsid {line} &); (trap '' TERM HUP; {line}) & sleep 0.2; echo running; {line}");
    session.exec(script(&text), &mut Out).await.map(|_| ()).map_err(|error| error.to_string())
}

pub(crate) async fn a_full_disk_is_a_clean_error(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let (full, source) = (place.directory(), place.directory());
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "full"]).arg(full.path()).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        return Ok(()); // Only the host's root can make a full disk.
    }
    let result = fill(sandbox, place, full.path(), source.path()).await;
    let unmounted = Command::new("umount").arg("--lazy").arg(full.path()).status();
    holds("the full disk is still mounted", unmounted.is_ok_and(|status| status.success()))?;
    result
}

/// Copies out to a full disk, and, where the session's own files are kept in its scratch directory, fills it.
async fn fill(sandbox: &dyn Sandbox, place: &Place, full: &Path, source: &Path) -> CheckResult {
    let running = place.start(sandbox).await?;
    running.output(script("mkdir /home/out; head -c 3000000 /dev/zero > /home/out/big")).await?;
    let copied = running.session.copy_out(Path::new("/home/out"), full).await;
    let reason = copied.err().map(|error| error.to_string()).unwrap_or_default();
    holds(&format!("copy_out to a full disk: {reason:?}"), reason.contains("No space left"))?;
    same("the session goes on", running.output(script("echo on")).await?.as_str(), "on\n")?;
    running.end().await?;
    if sandbox.name() != "linux" {
        return Ok(());
    }
    let (scratch, file) = (full.join("scratch"), source.join("big"));
    fs::remove_file(full.join("big")).ok();
    fs::create_dir(&scratch).and_then(|()| fs::write(&file, vec![1; 3_000_000])).map_err(|error| error.to_string())?;
    let session = sandbox.start(place.spec(&scratch)).await.map_err(|error| format!("starting: {error}"))?;
    let mut output = Vec::new();
    let status = session.exec(script("dd if=/dev/zero of=/home/big bs=64k count=50"), &mut output).await;
    let output = String::from_utf8_lossy(&output).into_owned();
    let refused = status.is_ok_and(|status| !status.success()) && output.contains("No space left");
    holds(&format!("a command on a full disk wrote {output:?}"), refused)?;
    let copied = session.copy_in(&[file], Path::new("/home")).await;
    let reason = copied.err().map(|error| error.to_string()).unwrap_or_default();
    holds(&format!("copy_in to a full disk: {reason:?}"), reason.contains("No space left"))?;
    let status = session.exec(script("rm /home/big; echo on > /home/on"), &mut Vec::new()).await;
    holds(&format!("the session does not go on: {status:?}"), status.is_ok_and(|status| status.success()))?;
    session.end().await.map_err(|error| format!("ending: {error}"))
}

/// A script that sleeps in three ways, and the command line no other process has that it leaves.
fn sleeper(digit: &str) -> (String, String) {
    let line = format!("sleep {digit}{}", std::process::id());
    (format!("(setsid {line} &); {line} & {line}"), line)
}

/// Whether a process with this command line runs on the host.
fn is_running(line: &str) -> bool {
    let wanted = format!("{}\0", line.replace(' ', "\0"));
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.into_iter().any(|entry| fs::read(entry.path().join("cmdline")).is_ok_and(|is| is == wanted.as_bytes()))
}

/// Directories whose names begin so.
fn find(directory: &Path, prefix: &str, depth: u32) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            found.push(entry.path());
        } else if depth > 0 {
            found.extend(find(&entry.path(), prefix, depth - 1));
        }
    }
    found
}
