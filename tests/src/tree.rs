//! Small trees for tests: specs written in a line or two, with the seeds of this repository's own tree.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::{package_builder, root, run};

/// The cache that all end-to-end tests share, so that seeds are fetched and converted once.
///
/// # Panics
/// The target folder cannot be written to.
#[must_use]
pub fn cache() -> PathBuf {
    let folder = package_builder().ancestors().nth(2).unwrap_or(Path::new(".")).join("end-to-end/cache");
    match std::fs::create_dir_all(&folder) {
        Ok(()) => folder,
        Err(error) => panic!("{}: {error}", folder.display()),
    }
}

/// A tree in a temporary folder that goes away with it.
pub struct Tree {
    folder: tempfile::TempDir,
}

impl Tree {
    /// A tree with the stages of this repository and no specs.
    ///
    /// # Panics
    /// The temporary folder cannot be written to.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let tree = Self { folder };
        tree.write("SPECS/.keep", "");
        let stages = std::os::unix::fs::symlink(root().join("stages"), tree.path("stages"));
        stages.unwrap_or_else(|error| panic!("no link to the stages: {error}"));
        tree.write("package-builder.toml", "[distribution]\nname = \"Test\"\n");
        tree
    }

    /// A place in the tree.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        let written =
            std::fs::create_dir_all(path.parent().unwrap_or(&path)).and_then(|()| std::fs::write(&path, text));
        written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Adds a spec of a package without architecture; `tags` are further lines of its preamble, `build` is its
    /// `%build`. The line of the first tag is [`FIRST_TAG`].
    pub fn spec(&self, name: &str, tags: &[&str], build: &str) {
        let tags: String = tags.iter().map(|tag| format!("{tag}\n")).collect();
        let text = format!(
            "Name: {name}\nVersion: 1\nRelease: 1\nSummary: A test\nLicense: MIT\nBuildArch: noarch\n{tags}\
             \n%description\nA test.\n\n%build\n{build}\n\n%install\ninstall -D /dev/null %{{buildroot}}/usr/share/{name}\n\
             \n%files\n/usr/share/{name}\n"
        );
        self.write(&format!("SPECS/{name}/{name}.spec"), &text);
    }

    /// The command on this tree, with its own output and the shared cache.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_with(&cache(), arguments)
    }

    /// The command on this tree, with a cache of its own.
    #[must_use]
    pub fn command_with(&self, cache: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(package_builder());
        command.arg("--tree").arg(self.folder.path()).arg("--cache").arg(cache).args(arguments);
        command
    }

    /// Runs the command to its end.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Answer {
        Answer::new(&run(&mut self.command(arguments)))
    }

    /// Starts the command in a process group of its own, as a shell does, and returns when its journal has `word`.
    ///
    /// # Panics
    /// It cannot be started, or ends or takes a minute before.
    #[must_use]
    pub fn start(&self, arguments: &[&str], word: &str) -> Child {
        use std::os::unix::process::CommandExt;
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let began = Instant::now();
        while !self.journal().contains(word) {
            let ended = child.try_wait().ok().flatten();
            assert!(ended.is_none() && began.elapsed() < Duration::from_secs(60), "no `{word}` in {}", self.journal());
            std::thread::sleep(Duration::from_millis(20));
        }
        child
    }

    /// The journals of all runs so far.
    #[must_use]
    pub fn journal(&self) -> String {
        let runs = std::fs::read_dir(self.path("out/runs")).into_iter().flatten().filter_map(Result::ok);
        let mut paths: Vec<_> = runs.map(|run| run.path().join("events.jsonl")).collect();
        paths.sort();
        paths.iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect()
    }

    /// Whether a package of this name is published.
    #[must_use]
    pub fn has_published(&self, name: &str) -> bool {
        self.path(&format!("out/repo/RPMS/noarch/{name}-1-1.noarch.rpm")).is_file()
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

/// The line of the first of the tags that [`Tree::spec`] was given.
pub const FIRST_TAG: u32 = 7;

/// How a command ended.
#[derive(Debug)]
pub struct Answer {
    /// Its exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output and then standard error.
    pub text: String,
}

impl Answer {
    /// Takes over what a command gave.
    #[must_use]
    pub fn new(output: &Output) -> Self {
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        Self { code: output.status.code(), text: text.into_owned() }
    }

    /// Checks how it ended and that it said all of this.
    ///
    /// # Panics
    /// It did not.
    pub fn expect(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.text);
        for word in words {
            assert!(self.text.contains(word), "`{word}` is not said in:\n{}", self.text);
        }
    }
}
