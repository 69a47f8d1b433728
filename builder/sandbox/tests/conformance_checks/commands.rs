//! How commands run and end.

use std::time::{Duration, Instant};

use sandbox::{ExecSpec, ExecStatus, Limits, Sandbox};

use super::place::{root_script, script};
use super::{CheckResult, Place, holds, same};

pub(crate) async fn exit_codes_and_output(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let running = place.start(sandbox).await?;
    same("exit 0", running.run(script("exit 0")).await?.0, ExecStatus::Exited(0))?;
    same("exit 7", running.run(script("exit 7")).await?.0, ExecStatus::Exited(7))?;
    let killed = running.run(script("kill -9 $$")).await?.0;
    // Docker Engine tells a signal only as 128 + its number.
    holds("killed by signal 9", matches!(killed, ExecStatus::Signaled(9) | ExecStatus::Exited(137)))?;
    let output = running.output(script("echo one; echo two >&2; printf three")).await?;
    same("both outputs", output.as_str(), "one\ntwo\nthree")?;
    let output = running.output(script("head -c 3000000 /dev/zero | tr '\\0' x")).await?;
    same("long output", (output.len(), output.bytes().all(|byte| byte == b'x')), (3_000_000, true))?;
    let missing = ExecSpec { argv: vec!["no-such-program".into()], ..script("") };
    same("missing program", running.run(missing).await?.0, ExecStatus::Exited(127))?;
    let in_path = ExecSpec { argv: vec!["echo".into(), "a  b".into(), "$HOME".into()], ..script("") };
    same("arguments", running.output(in_path).await?.as_str(), "a  b $HOME\n")?;
    let elsewhere = ExecSpec { directory: "/var/lib".into(), ..script("pwd") };
    same("directory", running.output(elsewhere).await?.as_str(), "/var/lib\n")?;
    let nowhere = ExecSpec { directory: "/var/nowhere".into(), ..script("pwd") };
    holds("a missing directory is an error", running.run(nowhere).await.is_err())?;
    same("standard input", running.output(script("cat; echo end")).await?.as_str(), "end\n")?;
    running.end().await
}

pub(crate) async fn environment_is_exactly_as_given(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let running = place.start(sandbox).await?;
    let given = [("PATH", "/bin"), ("A", "b=c d\n'e'"), ("EMPTY", ""), ("LC_ALL", "C")];
    let spec = ExecSpec {
        argv: ["/bin/cat", "/proc/self/environ"].map(String::from).to_vec(),
        environment: given.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        ..script("")
    };
    let output = running.output(spec).await?;
    let mut found: Vec<&str> = output.split_terminator('\0').collect();
    found.sort_unstable();
    same("environment", found, vec!["A=b=c d\n'e'", "EMPTY=", "LC_ALL=C", "PATH=/bin"])?;
    running.end().await
}

pub(crate) async fn users_and_their_powers(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let running = place.start(sandbox).await?;
    let ids = "id -u; id -g; grep -E '^(CapEff|CapPrm|CapAmb|NoNewPrivs)' /proc/self/status | tr -d '\\t '";
    let builder = running.output(script(ids)).await?;
    let zero = "0000000000000000";
    same(
        "builder",
        builder.as_str(),
        &*format!("1000\n1000\nCapPrm:{zero}\nCapEff:{zero}\nCapAmb:{zero}\nNoNewPrivs:1\n"),
    )?;
    let root = running.output(root_script(ids)).await?;
    holds(&format!("root is root: {root}"), root.starts_with("0\n0\n") && root.contains("NoNewPrivs:1"))?;
    let powers = root.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap_or_default();
    let powers = u64::from_str_radix(powers, 16).map_err(|error| error.to_string())?;
    // linux/capability.h: 8 setpcap, 12 net_admin, 16 sys_module, 17 sys_rawio, 19 sys_ptrace, 21 sys_admin,
    // 24 sys_resource, 25 sys_time, 27 mknod, 39 bpf.
    for refused in [8, 12, 16, 17, 19, 21, 24, 25, 27, 39] {
        holds(&format!("root has capability {refused}: {powers:x}"), powers & (1 << refused) == 0)?;
    }
    for needed in [0, 1, 3, 4, 6, 7, 31] {
        holds(&format!("root lacks capability {needed}: {powers:x}"), powers & (1 << needed) != 0)?;
    }
    running.end().await
}

pub(crate) async fn timeout_kills_grandchildren_and_daemons(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let running = place.start(sandbox).await?;
    let text = "(setsid sh -c 'while :; do echo >> /home/daemon; sleep 0.05; done' &)
        sh -c 'sh -c \"trap : TERM INT HUP; while :; do echo >> /home/grandchild; sleep 0.05; done\"'";
    let began = Instant::now();
    let spec = ExecSpec { timeout: Some(Duration::from_millis(700)), ..script(text) };
    same("status", running.run(spec).await?.0, ExecStatus::TimedOut)?;
    holds("it took too long", began.elapsed() < Duration::from_secs(15))?;
    let counts = "wc -l < /home/daemon; wc -l < /home/grandchild; sleep 0.3";
    let before = running.output(script(counts)).await?;
    holds(&format!("they never wrote: {before}"), before.split_whitespace().all(|count| count != "0"))?;
    same("they still write", running.output(script(counts)).await?, before)?;
    running.end().await
}

pub(crate) async fn silence_is_idle(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let running = place.start(sandbox).await?;
    let text = "for i in 1 2 3 4 5 6; do echo $i; sleep 0.2; done; sleep 50";
    let spec = ExecSpec { idle_timeout: Some(Duration::from_millis(900)), ..script(text) };
    let (status, output) = running.run(spec).await?;
    same("status", status, ExecStatus::Idle)?;
    same("output", output.as_str(), "1\n2\n3\n4\n5\n6\n")?;
    running.end().await
}

pub(crate) async fn background_process_ends_with_its_command(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let running = place.start(sandbox).await?;
    let began = Instant::now();
    let output = running.output(script("(setsid sleep 1234 &) ; sleep 1234 & echo started")).await?;
    same("output", output.as_str(), "started\n")?;
    holds("the command's end was not waited for alone", began.elapsed() < Duration::from_secs(15))?;
    let left = running.output(root_script("ps | grep -c '[s]leep 1234' || true")).await?;
    same("processes left", left.trim(), "0")?;
    running.end().await
}

pub(crate) async fn memory_hog_is_out_of_memory(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let limits = Limits { memory: Some(64 << 20), ..Limits::default() };
    let running = place.start_with(sandbox, limits, Vec::new()).await?;
    let (status, output) = running.run(script("head -c 200000000 /dev/zero | tail -c 150000000 | wc -c")).await?;
    holds(&format!("the pipe's last command wrote {output}"), !output.contains("150000000"))?;
    let hog = "x=x; while :; do x=$x$x; done";
    let (direct, output) = running.run(script(hog)).await?;
    if rustix::process::geteuid().is_root() {
        same(&format!("status (after {status:?}; it wrote {output})"), direct, ExecStatus::OutOfMemory)?;
    } else {
        // Without control groups a process is refused memory, and nobody is told.
        holds(&format!("the memory is not limited: {direct:?}"), !direct.success())?;
    }
    same("the session goes on", running.run(script("exit 3")).await?.0, ExecStatus::Exited(3))?;
    running.end().await
}

pub(crate) async fn fork_bomb_stops_at_the_limit(sandbox: &dyn Sandbox, place: &Place) -> CheckResult {
    let limits = Limits { processes: Some(40), ..Limits::default() };
    let running = place.start_with(sandbox, limits, Vec::new()).await?;
    let spec = ExecSpec { timeout: Some(Duration::from_secs(2)), ..script("f() { f | f & }; f; sleep 50") };
    let began = Instant::now();
    running.run(spec).await?;
    holds("ending it took too long", began.elapsed() < Duration::from_secs(25))?;
    let count = "i=0; while [ $i -lt 100 ]; do sleep 5 & i=$((i+1)); done; echo all; exit 0";
    let (_, output) = running.run(script(count)).await?;
    holds(&format!("100 processes were made: {output}"), !output.contains("all"))?;
    same("the session goes on", running.run(script("exit 3")).await?.0, ExecStatus::Exited(3))?;
    running.end().await
}
