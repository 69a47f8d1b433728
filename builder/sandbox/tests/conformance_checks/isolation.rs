//! What a session must not see, reach or leave behind.

use std::fs;

use sandbox::Sandbox;

use super::place::{root_script, script};
use super::{CheckResult, Place, holds, same};

pub(crate) async fn no_network(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let running = place.start(sandbox).await?;
    let interfaces =
        running.output(script("ls /sys/class/net 2>/dev/null; tail -n +3 /proc/net/dev | cut -d: -f1")).await?;
    let foreign: Vec<&str> = interfaces.split_whitespace().filter(|name| *name == "eth0").collect();
    same("interfaces of the host", foreign, Vec::new())?;
    let (status, output) = running.run(script("nc -w 2 192.0.2.1 80 </dev/null 2>&1")).await?;
    holds(&format!("a connection: {status:?} {output}"), !status.success() && output.contains("unreachable"))?;
    let loopback = "nc -l -p 8123 -e echo hello & sleep 0.3; nc -w 2 127.0.0.1 8123 </dev/null";
    same("loopback", running.output(script(loopback)).await?.trim(), "hello")?;
    running.end().await
}

pub(crate) async fn nothing_of_the_host_is_seen(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let running = place.start(sandbox).await?;
    let listing = running.output(root_script("ls /; ls /dev; ls /home /tmp /var/lib")).await?;
    for name in ["work", "boot", "lost+found", "docker", "vda", "sda", "mem", "kmsg", "loop0", "fuse", "conformance"] {
        let found = listing.split_whitespace().any(|found| found == name);
        holds(&format!("{name} is seen: {listing}"), !found)?;
    }
    for name in ["null", "zero", "full", "random", "urandom", "tty", "pts", "ptmx", "shm", "fd", "stdin", "stdout"] {
        let found = listing.split_whitespace().any(|found| found == name);
        holds(&format!("/dev/{name} is missing: {listing}"), found)?;
    }
    running.output(script("echo x > /dev/null; head -c 4 /dev/urandom | wc -c; echo y > /dev/shm/y")).await?;
    let sockets = "ls /var/run/docker.sock /run/docker.sock; find / -xdev -type s";
    holds("a socket is seen", !running.run(root_script(sockets)).await?.1.lines().any(|line| line.starts_with('/')))?;
    let processes = running.output(script("ls -d /proc/[0-9]* | wc -l")).await?;
    holds(&format!("{} processes are seen", processes.trim()), processes.trim().parse::<u32>().is_ok_and(|n| n < 8))?;
    let mounts = running.output(root_script("cat /proc/mounts")).await?;
    holds(&format!("devices of the host are mounted: {mounts}"), !mounts.contains(" / ext4"))?;
    running.end().await
}

pub(crate) async fn cannot_mount_or_make_devices(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let running = place.start(sandbox).await?;
    let attempts = [
        "mount -t tmpfs none /tmp",
        "mount -o remount,rw /proc/sys",
        "umount /proc",
        "mknod /tmp/disk b 254 0",
        "unshare -m true",
        "unshare -U true",
        "unshare -r mount -t tmpfs none /tmp",
        "echo /tmp/x > /proc/sys/kernel/core_pattern",
        "echo c > /proc/sysrq-trigger",
        "hostname elsewhere",
        // busybox's `date` succeeds even if it may not.
        "date -s 2001-01-01; date | grep 2001",
        "ls /proc/1/root/",
        "cat /proc/1/environ | grep .",
        "kill -9 1; sleep 0.2; kill -0 1 && exit 1",
        "echo -1000 > /proc/self/oom_score_adj",
        "chroot /bin /busybox chroot / mount -t tmpfs none /tmp",
    ];
    for attempt in attempts {
        for spec in [script(attempt), root_script(attempt)] {
            let user = spec.user;
            let (status, output) = running.run(spec).await?;
            holds(&format!("{user:?} may {attempt}: {output}"), !status.success())?;
        }
    }
    running.end().await
}

pub(crate) async fn two_sessions_at_once(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let (first, second) = tokio::join!(place.start(sandbox), place.start(sandbox));
    let (first, second) = (first?, second?);
    let text = |own: &str| script(&format!("echo {own} > /home/own; sleep 0.5; cat /home/own; ls /home | wc -l"));
    let (one, two) = tokio::join!(first.output(text("one")), second.output(text("two")));
    same("first", one?.as_str(), "one\n1\n")?;
    same("second", two?.as_str(), "two\n1\n")?;
    first.end().await?;
    same("the other goes on", second.output(script("cat /home/own")).await?.as_str(), "two\n")?;
    second.end().await
}

pub(crate) async fn nothing_is_left(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let mounts = || fs::read_to_string("/proc/self/mountinfo").map_err(|error| error.to_string());
    let before = mounts()?;
    let running = place.start(sandbox).await?;
    running.output(script("(setsid sleep 4321 &); true")).await?;
    let during = mounts()?;
    let of_ours = during.lines().filter(|line| line.contains(&*running.scratch.path().to_string_lossy())).count();
    same("mounts of the scratch directory", of_ours, 0)?;
    let dropped = place.start(sandbox).await?;
    drop(dropped.session);
    running.end().await?;
    let ours = |text: &str| text.lines().filter(|line| line.contains("conformance-")).count();
    same("mounts", ours(&mounts()?), ours(&before))?;
    for entry in fs::read_dir("/proc").map_err(|error| error.to_string())?.flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        holds("a process is left", line != b"sleep\x004321\0")?;
    }
    Ok(())
}
