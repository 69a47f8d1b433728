//! This machine as a world, with one folder as the current one and files that are not on any disk.

#![expect(clippy::disallowed_methods, reason = "the tests give the engine a world: this machine")]
#![expect(clippy::unwrap_used, reason = "what is not there is the test's failure")]

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use rpmspec_parser::World;

/// The world.
pub(crate) struct Machine {
    folder: PathBuf,
    files: BTreeMap<PathBuf, Vec<u8>>,
    shown: Mutex<Vec<u8>>,
    errors: Mutex<String>,
}

impl Machine {
    /// A machine whose current folder is an empty one.
    pub(crate) fn new(folder: PathBuf, files: BTreeMap<PathBuf, Vec<u8>>) -> Self {
        Self { folder, files, shown: Mutex::default(), errors: Mutex::default() }
    }

    /// What was shown since the last call.
    pub(crate) fn take_shown(&self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut *self.shown.lock().unwrap())).into_owned()
    }

    /// What commands wrote to standard error since the last call.
    pub(crate) fn take_errors(&self) -> String {
        std::mem::take(&mut *self.errors.lock().unwrap())
    }
}

impl World for Machine {
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self.files.get(path) {
            Some(content) => Ok(content.clone()),
            None => std::fs::read(self.folder.join(path)),
        }
    }

    fn exists(&self, path: &Path) -> bool {
        self.files.keys().any(|file| file.starts_with(path)) || self.folder.join(path).exists()
    }

    fn glob(&self, _pattern: &str) -> Vec<PathBuf> {
        Vec::new()
    }

    fn shell(&self, command: &str) -> io::Result<Vec<u8>> {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(command).current_dir(&self.folder).stdin(Stdio::null());
        let output = shell.output()?;
        self.errors.lock().unwrap().push_str(&String::from_utf8_lossy(&output.stderr));
        Ok(output.stdout)
    }

    fn environment(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn processor_count(&self) -> usize {
        std::thread::available_parallelism().unwrap().get()
    }

    fn now(&self) -> i64 {
        0
    }

    fn echo(&self, text: &str) {
        writeln!(self.shown.lock().unwrap(), "{text}").unwrap();
    }
}
