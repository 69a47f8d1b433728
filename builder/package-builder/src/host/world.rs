//! A [`World`] that answers from this host, as far as the policy of the tree allows.
//!
//! What a spec evaluates to must not depend on who evaluates it where: the environment is that of a build, and what
//! rpm brings along (`/usr/lib/rpm`, `/etc/rpm`) is the base's, never the host's.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use rpmspec_parser::{MacroContext, World};

use crate::error::CommandError;
use crate::runner::conventions;

use super::answers::Answers;
use super::sandboxed::{SandboxedShell, SpecSession};
use super::shell;

/// Where a build root keeps its rpmbuild tree. Specs are evaluated with the same `%{_topdir}`, so that what
/// they evaluate to does not depend on where the tree lies on the host.
pub const TOPDIR: &str = "/build";

/// Where the spec's own folder is to be seen below [`TOPDIR`].
const FOLDERS: [&str; 2] = ["SOURCES", "SPECS"];

/// The variable of a build's environment that depends on the machine.
const CPUS: &str = "PACKAGE_BUILDER_CPUS";

/// Where the shell commands of specs run.
#[derive(Debug)]
pub enum Shell {
    /// On this host.
    Host,
    /// Nowhere; nor are files outside of the tree read.
    Refused,
    /// In a sandbox; files outside of the tree are not read.
    Sandboxed(Box<SandboxedShell>),
}

/// Answers from the host's files and shell, shared by all specs. Shell answers are remembered for the process's life.
#[derive(Debug)]
pub struct HostWorld {
    now: i64,
    shell: Shell,
    environment: Vec<(String, String)>,
    /// rpm's own files that the macro context brings along.
    files: BTreeMap<PathBuf, String>,
    answers: Answers,
    /// Whether what specs ask to be shown is shown.
    echo: bool,
}

impl HostWorld {
    /// A world whose clock stands still at `now`, seconds since 1970, with the rpm of a macro context.
    #[must_use]
    pub fn new(now: i64, context: &MacroContext, shell: Shell) -> Self {
        let environment = conventions::environment(1).into_iter().filter(|(name, _)| name != CPUS).collect();
        let files = context.files.iter().cloned().collect();
        Self { now, shell, environment, files, answers: Answers::default(), echo: false }
    }

    /// The same world, in which what specs ask to be shown (`%{echo:…}`) is, on standard error.
    #[must_use]
    pub fn with_echo(self) -> Self {
        Self { echo: true, ..self }
    }

    /// Why commands of specs could not be run, where that is not the specs' fault.
    pub(super) fn trouble(&self) -> Option<CommandError> {
        match &self.shell {
            Shell::Sandboxed(shell) => shell.trouble(),
            Shell::Host | Shell::Refused => None,
        }
    }
}

/// What one spec sees: its own folder as the build root's `%{_sourcedir}` and `%{_specdir}`, and no file outside of
/// the tree unless the policy trusts it.
pub(super) struct SpecWorld<'a> {
    host: &'a HostWorld,
    folder: &'a Path,
    tree: &'a Path,
    /// The two with links followed, once that was asked.
    roots: OnceLock<[Option<PathBuf>; 2]>,
    /// Its sandbox, from its first command on.
    session: Mutex<Option<SpecSession>>,
}

impl<'a> SpecWorld<'a> {
    /// The world of a spec in `folder`; relative paths count from `tree`.
    pub(super) fn new(host: &'a HostWorld, folder: &'a Path, tree: &'a Path) -> Self {
        Self { host, folder, tree, roots: OnceLock::new(), session: Mutex::default() }
    }

    fn on_host(&self, path: &Path) -> PathBuf {
        let in_folder = |name: &str| path.strip_prefix(TOPDIR).and_then(|path| path.strip_prefix(name)).ok();
        match in_folder("SOURCES").or_else(|| in_folder("SPECS")) {
            Some(relative) => self.folder.join(relative),
            None => self.tree.join(path),
        }
    }

    /// Whether a file may be looked at; links count as what they lead to.
    fn may_see(&self, path: &Path) -> bool {
        if matches!(self.host.shell, Shell::Host) {
            return true;
        }
        let Ok(path) = path.canonicalize() else { return false };
        let roots = self.roots.get_or_init(|| [self.folder, self.tree].map(|root| root.canonicalize().ok()));
        roots.iter().flatten().any(|root| path.starts_with(root))
    }

    /// Runs a command here; what it says of this spec's folder is said of the build root's.
    fn on_this_host(&self, command: &str) -> io::Result<Vec<u8>> {
        let on_host = self.command_on_host(command)?;
        let run = || shell::run(&on_host, &self.host.environment);
        let answer = self.host.answers.once(Path::new(""), &on_host, run)?;
        if on_host == command {
            return Ok(answer);
        }
        let text = String::from_utf8_lossy(&answer);
        Ok(text.replace(&*self.folder.to_string_lossy(), &format!("{TOPDIR}/SOURCES")).into_bytes())
    }

    /// Replaces the build root's folders in a command by this spec's, where nothing needs quoting for that.
    fn command_on_host(&self, command: &str) -> io::Result<String> {
        let names = FOLDERS.map(|name| format!("{TOPDIR}/{name}"));
        if !names.iter().any(|name| command.contains(name)) {
            return Ok(command.to_owned());
        }
        let folder = self.folder.to_string_lossy();
        if folder.contains(|letter: char| !letter.is_ascii_alphanumeric() && !"/._+-".contains(letter)) {
            return Err(io::Error::other(format!(
                "`{folder}` cannot be named in a shell command; move the tree to a path of letters, digits and `._+-`"
            )));
        }
        Ok(names.iter().fold(command.to_owned(), |command, name| command.replace(name, &folder)))
    }
}

impl World for SpecWorld<'_> {
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        if is_rpms(path) {
            let text = self.host.files.get(path).ok_or(io::ErrorKind::NotFound)?;
            return Ok(text.clone().into_bytes());
        }
        let path = self.on_host(path);
        if path.exists() && !self.may_see(&path) {
            return Err(refusal("files outside of the tree are refused here"));
        }
        std::fs::read(path)
    }

    fn exists(&self, path: &Path) -> bool {
        if is_rpms(path) {
            return self.host.files.keys().any(|file| file.starts_with(path));
        }
        let path = self.on_host(path);
        path.exists() && self.may_see(&path)
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
        if is_rpms(&fixed) {
            return self.host.files.keys().filter(|path| matcher.is_match(path)).cloned().collect();
        }
        let on_host = self.on_host(&fixed);
        // What is found is named as the pattern names it.
        let as_asked = |path: &Path| path.strip_prefix(&on_host).map(|below| fixed.join(below)).ok();
        walkdir::WalkDir::new(&on_host)
            .max_depth(8)
            .sort_by_file_name()
            .into_iter()
            .filter_map(Result::ok)
            .filter(|entry| as_asked(entry.path()).is_some_and(|path| matcher.is_match(path)))
            .filter(|entry| self.may_see(entry.path()))
            .filter_map(|entry| as_asked(entry.path()))
            .collect()
    }

    fn shell(&self, command: &str) -> io::Result<Vec<u8>> {
        match &self.host.shell {
            Shell::Host => self.on_this_host(command),
            Shell::Refused => Err(refusal("shell commands are refused here (`--shell refuse`)")),
            Shell::Sandboxed(shell) => {
                let own = names_folder(command).then_some((self.folder, &self.session));
                let folder = own.map_or(Path::new(""), |(folder, _)| folder);
                let run = || shell.answer(own, command, &self.host.environment);
                self.host.answers.once(folder, command, run)
            }
        }
    }

    /// Plain commands touch nothing, so every policy allows them.
    fn plain_commands(&self) -> bool {
        true
    }

    fn environment(&self, name: &str) -> Option<String> {
        self.host.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    fn now(&self) -> i64 {
        self.host.now
    }

    fn echo(&self, text: &str) {
        if self.host.echo {
            // With standard error gone there is nobody left to tell.
            let _ = writeln!(io::stderr(), "{}", text.trim_end_matches('\n'));
        }
    }
}

/// Whether a command can reach the spec's folder: it works in [`TOPDIR`], and only this names the way.
fn names_folder(command: &str) -> bool {
    FOLDERS.iter().any(|name| command.contains(name))
}

/// Whether a path is rpm's own: such files are the base's.
fn is_rpms(path: &Path) -> bool {
    let plain = path.components().all(|part| part != Component::ParentDir);
    plain && ["/usr/lib/rpm", "/etc/rpm"].iter().any(|folder| path.starts_with(folder))
}

fn refusal(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(shell: Shell) -> HostWorld {
        let files = vec![(PathBuf::from("/usr/lib/rpm/macros.d/macros.a"), "%a 1".to_owned())];
        HostWorld::new(0, &MacroContext { files, ..MacroContext::default() }, shell)
    }

    #[test]
    fn a_spec_sees_its_folder_and_the_bases_rpm() {
        let tree = tempfile::tempdir().expect("a temporary folder");
        let folder = tree.path().join("SPECS/a");
        std::fs::create_dir_all(&folder).expect("it can be made");
        std::fs::write(folder.join("a.inc"), "x").expect("it can be written");
        let host = host(Shell::Host);
        let world = SpecWorld::new(&host, &folder, tree.path());
        for path in ["/build/SOURCES/a.inc", "/build/SPECS/a.inc", "SPECS/a/a.inc"] {
            assert_eq!(world.read_file(Path::new(path)).ok().as_deref(), Some(b"x".as_slice()), "{path}");
        }
        assert_eq!(world.glob("/build/SOURCES/*.inc"), [PathBuf::from("/build/SOURCES/a.inc")]);
        let answer = world.shell("cat /build/SOURCES/a.inc; echo /build/SOURCES").expect("it runs");
        assert_eq!(String::from_utf8_lossy(&answer), "x/build/SOURCES\n");
        assert!(world.read_file(Path::new("/usr/lib/rpm/macros.d/macros.a")).is_ok());
        assert!(world.exists(Path::new("/usr/lib/rpm/macros.d")) && !world.exists(Path::new("/usr/lib/rpm/other")));
        assert_eq!(world.glob("/usr/lib/rpm/macros.d/*").len(), 1);
        assert_eq!(world.environment("HOME").as_deref(), Some(TOPDIR));
        assert_eq!(world.environment("PACKAGE_BUILDER_CPUS"), None);
    }

    #[test]
    fn who_refuses_shells_refuses_files_outside_too() {
        let tree = tempfile::tempdir().expect("a temporary folder");
        let outside = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(tree.path().join("inside"), "x").expect("it can be written");
        std::os::unix::fs::symlink(outside.path(), tree.path().join("link")).expect("it can be linked");
        let host = host(Shell::Refused);
        let world = SpecWorld::new(&host, tree.path(), tree.path());
        assert!(world.read_file(Path::new("inside")).is_ok());
        for path in [outside.path(), Path::new("link")] {
            let error = world.read_file(path).expect_err("it lies outside");
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            assert!(!world.exists(path));
        }
        assert_eq!(world.shell("true").expect_err("refused").kind(), io::ErrorKind::PermissionDenied);
    }
}
