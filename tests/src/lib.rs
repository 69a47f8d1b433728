//! Helpers of the end-to-end suite: where things are, running real programs, and skips nobody can miss.

pub mod distribution;
pub mod oracle;
pub mod small_root;
pub mod tree;
pub mod validity;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// The repository's root, which is itself a tree.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// The command under test, built by `tests/run` or `cargo build` before.
///
/// # Panics
/// It is not built.
#[must_use]
pub fn package_builder() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let folder = test.ancestors().nth(2).unwrap_or(Path::new("."));
    let command = folder.join("package-builder");
    assert!(command.is_file(), "`{}` is not there: run `cargo build -p package-builder` first", command.display());
    command
}

/// Runs a program to its end.
///
/// # Panics
/// It cannot be started.
#[must_use]
pub fn run(command: &mut Command) -> Output {
    match command.output() {
        Ok(output) => output,
        Err(error) => panic!("{command:?} cannot be run: {error}"),
    }
}

/// Runs a program that must succeed, and returns its standard output.
///
/// # Panics
/// It fails; the message has all it wrote.
#[must_use]
pub fn succeed(command: &mut Command) -> String {
    let output = run(command);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether a program can be run here.
#[must_use]
pub fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// Whether tests run as root.
#[must_use]
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0)
}

/// Whether a Docker Engine answers.
#[must_use]
pub fn has_docker() -> bool {
    Command::new("docker").arg("version").output().is_ok_and(|output| output.status.success())
}

/// Prints a line of a bench.
pub fn say(line: &str) {
    // A closed pipe ends a bench's use, not the bench.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// How long some work of a bench takes.
pub fn time(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

/// The middle one of some times.
///
/// # Panics
/// There is none.
#[must_use]
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Says loudly that a test cannot run here; in CI that is a failure.
///
/// # Panics
/// `CI` is set.
pub fn skip(test: &str, why: &str) {
    // Written past the test harness's capture, so that it is seen.
    let _ = writeln!(std::io::stderr(), "\n!!! SKIPPED {test}: {why}");
    assert!(std::env::var_os("CI").is_none(), "{test} must run in CI, but {why}");
}
