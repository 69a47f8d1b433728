//! What sessions say that they used.

use std::time::Duration;

use sandbox::{ExecSpec, ExecStatus, Sandbox, SessionSpec};

use super::place::{Running, root_script, script};
use super::{CheckResult, Place, holds, same};

/// A session's own work, and what else is charged to it, is less than this.
const SPARE_CPU: f64 = 0.25;

pub(crate) async fn what_is_used_is_counted(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let scratch = place.directory();
    // What a build writes, it writes below a volume.
    let spec = SessionSpec { volumes: vec!["/home/volume".into()], ..place.spec(scratch.path()) };
    let session = sandbox.start(spec).await.map_err(|error| format!("starting: {error}"))?;
    let running = Running { session, scratch };
    running.output(root_script("chmod 777 /home/volume")).await?;
    let before = running.session.usage();
    let idle = before.cpu_seconds.ok_or("CPU time is not counted")?;
    holds(&format!("it has used {idle} s of CPU time"), idle < SPARE_CPU)?;
    let wrote = before.disk.ok_or("what is written is not counted")?;
    holds(&format!("it has written {wrote} bytes"), wrote < 1 << 20)?;

    // The shell tells what its child has used; what a daemon leaves behind counts as well.
    let work = "(setsid sh -c 'head -c 8000000 /dev/zero > left; sleep 100' &) ; sleep 0.3
        sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'
        head -c 8000000 /dev/zero > gone; rm gone; times";
    let work = ExecSpec { directory: "/home/volume".into(), ..script(work) };
    let told = running.output(work).await?;
    let told = children_seconds(&told).ok_or_else(|| format!("`times` wrote {told:?}"))?;
    let used = running.session.usage();
    let counted = used.cpu_seconds.ok_or("CPU time is not counted")? - idle;
    holds(
        &format!("{counted} s of CPU time for {told}"),
        told > 0.05 && (told * 0.9..told + SPARE_CPU).contains(&counted),
    )?;
    let wrote = used.disk.ok_or("what is written is not counted")? - wrote;
    holds(&format!("{wrote} bytes for 16,000,000"), (16_000_000..18_000_000).contains(&wrote))?;

    // Files that the kernel has kept in memory are not the commands'.
    let peak = running.session.usage().peak_memory;
    holds(&format!("a peak of {peak:?} bytes"), peak.is_none_or(|peak| (10_000..12_000_000).contains(&peak)))?;
    // `dd` reads a block into memory as a whole.
    running.output(script("dd if=/dev/zero of=/dev/null bs=100000000 count=20")).await?;
    match running.session.usage().peak_memory {
        Some(peak) => holds(&format!("a peak of {peak} bytes"), (90_000_000..130_000_000).contains(&peak))?,
        None => holds("memory is not counted", !rustix::process::geteuid().is_root())?,
    }
    running.end().await
}

pub(crate) async fn what_is_killed_is_counted(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let running = place.start(sandbox).await?;
    let spec = ExecSpec { timeout: Some(Duration::from_millis(700)), ..script("while :; do :; done") };
    same("status", running.run(spec).await?.0, ExecStatus::TimedOut)?;
    match running.session.usage().cpu_seconds {
        Some(counted) => holds(&format!("{counted} s of CPU time"), (0.05..1.0).contains(&counted))?,
        None => holds("CPU time is not counted", !rustix::process::geteuid().is_root())?,
    }
    running.end().await
}

/// User and system time of the children from what the shell's `times` writes last: `0m0.30s 0m0.01s`.
fn children_seconds(output: &str) -> Option<f64> {
    let times = output.trim().lines().last()?.split_whitespace().map(|time| {
        let (minutes, seconds) = time.strip_suffix('s')?.split_once('m')?;
        Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
    });
    times.sum()
}
