//! A [`World`] that answers from this host: the effects a spec of a trusted tree may have.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rpmspec_parser::World;

/// Shell commands of a spec are ended after this long.
const LONGEST_SHELL: Duration = Duration::from_secs(20);

/// Answers from the host's files and shell. Files below `/usr/lib/rpm` and `/etc/rpm` are not the host's
/// business: they come with the macro context. Shell answers are remembered for the process's life.
#[derive(Debug)]
pub struct HostWorld {
    now: i64,
    answers: Mutex<HashMap<String, Vec<u8>>>,
}

impl HostWorld {
    /// A world whose clock stands still at `now`, seconds since 1970.
    #[must_use]
    pub fn new(now: i64) -> Self {
        Self { now, answers: Mutex::new(HashMap::new()) }
    }
}

impl World for HostWorld {
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        let Ok(matcher) = globset::GlobBuilder::new(pattern).literal_separator(true).build() else {
            return Vec::new();
        };
        let matcher = matcher.compile_matcher();
        let fixed: PathBuf = Path::new(pattern)
            .components()
            .take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{']))
            .collect();
        walkdir::WalkDir::new(fixed)
            .max_depth(8)
            .sort_by_file_name()
            .into_iter()
            .filter_map(Result::ok)
            .map(walkdir::DirEntry::into_path)
            .filter(|path| matcher.is_match(path))
            .collect()
    }

    fn shell(&self, command: &str) -> io::Result<Vec<u8>> {
        if let Some(answer) = self.answers.lock().ok().and_then(|answers| answers.get(command).cloned()) {
            return Ok(answer);
        }
        let answer = run_shell(command)?;
        if let Ok(mut answers) = self.answers.lock() {
            answers.insert(command.to_owned(), answer.clone());
        }
        Ok(answer)
    }

    fn environment(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn now(&self) -> i64 {
        self.now
    }
}

/// Where a build root keeps its rpmbuild tree. Specs are evaluated with the same `%{_topdir}`, so that what
/// they evaluate to does not depend on where the tree lies on the host.
pub const TOPDIR: &str = "/build";

/// A world that shows the spec's own folder as the build root's `%{_sourcedir}`.
pub(super) struct SpecWorld<'a> {
    inner: &'a dyn World,
    folder: &'a Path,
}

impl<'a> SpecWorld<'a> {
    pub(super) fn new(inner: &'a dyn World, folder: &'a Path) -> Self {
        Self { inner, folder }
    }

    fn on_host(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(TOPDIR).and_then(|path| path.strip_prefix("SOURCES")) {
            Ok(relative) => self.folder.join(relative),
            Err(_) => path.to_owned(),
        }
    }
}

impl World for SpecWorld<'_> {
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.inner.read_file(&self.on_host(path))
    }

    fn exists(&self, path: &Path) -> bool {
        self.inner.exists(&self.on_host(path))
    }

    fn glob(&self, pattern: &str) -> Vec<PathBuf> {
        self.inner.glob(pattern)
    }

    fn shell(&self, command: &str) -> io::Result<Vec<u8>> {
        self.inner.shell(command)
    }

    fn environment(&self, name: &str) -> Option<String> {
        self.inner.environment(name)
    }

    fn now(&self) -> i64 {
        self.inner.now()
    }
}

fn run_shell(command: &str) -> io::Result<Vec<u8>> {
    // Specs are written for bash; Debian's `/bin/sh` is another shell.
    let shell = if Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" };
    let mut child = Command::new(shell)
        .args(["-c", command])
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut output = child.stdout.take().ok_or_else(|| io::Error::other("the shell has no output"))?;
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        output.read_to_end(&mut bytes).map(|_| bytes)
    });
    let deadline = Instant::now() + LONGEST_SHELL;
    while child.try_wait()?.is_none() {
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("`{command}` ran longer than {LONGEST_SHELL:?}"),
            ));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    reader.join().map_err(|_| io::Error::other("the shell's output could not be read"))?
}
