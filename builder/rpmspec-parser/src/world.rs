//! The one door from evaluation to the outside.

use std::io;
use std::path::{Path, PathBuf};

/// Everything a spec can ask of the machine it is evaluated on.
///
/// An implementation decides what is answered: from the real host, from a sandbox, from a recording, or
/// not at all. A refusal is an [`io::Error`] of kind [`io::ErrorKind::PermissionDenied`]; it becomes a
/// diagnostic at the place that asked.
pub trait World: Send + Sync {
    /// Returns the content of a file (`%include`, `%{load:…}`, `%files -f`).
    ///
    /// # Errors
    /// Any error of reading, or a refusal.
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Says whether a path exists (`%{exists:…}`, Lua's `posix.access`, a patch of `%autosetup`).
    fn exists(&self, path: &Path) -> bool;

    /// Returns the existing paths a shell pattern matches, sorted (macro paths, `rpm.glob`).
    fn glob(&self, pattern: &str) -> Vec<PathBuf>;

    /// Runs `command` by `/bin/sh -c` and returns what it wrote to its standard output (`%(…)`,
    /// `io.popen`, `os.execute`). Exit status and standard error do not count, as in rpm.
    ///
    /// # Errors
    /// The shell could not be run, ran too long, or was refused.
    fn shell(&self, command: &str) -> io::Result<Vec<u8>>;

    /// Returns a variable of the environment (`%{getenv:…}`).
    fn environment(&self, name: &str) -> Option<String>;

    /// Returns the time, in seconds since 1970-01-01 UTC.
    fn now(&self) -> i64;

    /// Returns how many processors there are (`%{getncpus}`).
    fn processor_count(&self) -> usize {
        1
    }

    /// Whether plain commands are answered by [`crate::shell::answer`] and never get to [`Self::shell`]. Who agrees
    /// says that a shell of this world would be bash with [`Self::environment`] and with common tools in its `PATH`.
    fn plain_commands(&self) -> bool {
        false
    }

    /// The Lua that scripts are told they run in (`_VERSION`): that of the rpm which is stood in for. They run in 5.4
    /// in any case.
    fn lua_version(&self) -> &str {
        "Lua 5.4"
    }

    /// Writes a line that a spec asked to be shown (`%{echo:…}`, Lua's `print` outside `%{lua:…}`).
    fn echo(&self, text: &str) {
        let _ = text;
    }
}

/// A world that refuses everything: pure evaluation.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoWorld;

impl World for NoWorld {
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        Err(refusal(&format!("reading {}", path.display())))
    }

    fn exists(&self, _path: &Path) -> bool {
        false
    }

    fn glob(&self, _pattern: &str) -> Vec<PathBuf> {
        Vec::new()
    }

    fn shell(&self, _command: &str) -> io::Result<Vec<u8>> {
        Err(refusal("running a shell"))
    }

    fn environment(&self, _name: &str) -> Option<String> {
        None
    }

    fn now(&self) -> i64 {
        0
    }
}

fn refusal(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, format!("{what} is refused here"))
}
