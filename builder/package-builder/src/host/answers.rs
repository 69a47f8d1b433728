//! What shell commands of specs answered: each is asked once in a run, and those whose inputs are all known are kept
//! for later runs.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sha2::{Digest as _, Sha256};

use super::kept::{Kept, name_of};

/// Words of commands that ask for what changes by itself: these are asked anew in each run.
const VOLATILE_WORDS: [&str; 20] = [
    "date",
    "time",
    "datetime",
    "localtime",
    "strftime",
    "uptime",
    "EPOCHSECONDS",
    "EPOCHREALTIME",
    "SECONDS",
    "RANDOM",
    "SRANDOM",
    "random",
    "uuid",
    "uuidgen",
    "mktemp",
    "uname",
    "hostname",
    "PPID",
    "BASHPID",
    "ps",
];

/// Parts of commands that do.
const VOLATILE_PARTS: [&str; 4] = ["/proc/", "/sys/", "/dev/", "$$"];

/// An answer, or the kind of an error and its words.
type Answer = Result<Vec<u8>, (io::ErrorKind, String)>;

/// Where and what was asked.
type Asked = (PathBuf, String);

/// The answers of a run.
#[derive(Debug, Default)]
pub(super) struct Answers {
    known: Mutex<HashMap<Asked, Arc<OnceLock<Answer>>>>,
}

impl Answers {
    /// The answer to a command that is asked in a folder. It runs at most once, however many ask at the same time.
    pub(super) fn once(
        &self,
        folder: &Path,
        command: &str,
        run: impl FnOnce() -> io::Result<Vec<u8>>,
    ) -> io::Result<Vec<u8>> {
        let key = (folder.to_owned(), command.to_owned());
        let cell = Arc::clone(self.known.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        let answer = cell.get_or_init(|| run().map_err(|error| (error.kind(), error.to_string())));
        answer.clone().map_err(|(kind, words)| io::Error::new(kind, words))
    }
}

/// Answers that were given over one base layer.
#[derive(Debug)]
pub(super) struct KeptAnswers(Kept);

impl KeptAnswers {
    /// The answers over a layer, by its digest, below the folder `cache`.
    pub(super) fn over(cache: &Path, layer: &str) -> Self {
        Self(Kept::open(&cache.join("answers"), layer))
    }

    /// The answer to a command that sees a layer, `environment` and what `inputs` is the stamp of, and nothing else;
    /// it runs where it is not known yet. What asks for the time and the like is not kept.
    pub(super) fn or_run(
        &self,
        command: &str,
        environment: &[(String, String)],
        inputs: &[u8],
        run: impl FnOnce() -> io::Result<Vec<u8>>,
    ) -> io::Result<Vec<u8>> {
        if is_volatile(command) {
            return run();
        }
        let variables = environment.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        let name = name_of([command.as_bytes(), inputs].into_iter().chain(variables));
        if let Some(answer) = self.0.read(&name) {
            return Ok(answer);
        }
        let answer = run()?;
        self.0.write(&name, &answer);
        Ok(answer)
    }
}

/// A stamp of all files below a folder, which differs when one of them was written, replaced, added or removed.
pub(super) fn stamp(folder: &Path) -> io::Result<Vec<u8>> {
    let mut hash = Sha256::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let times = (metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec());
        hash.update(entry.path().strip_prefix(folder).unwrap_or(entry.path()).as_os_str().as_encoded_bytes());
        hash.update(format!("\0{} {} {times:?}\n", metadata.ino(), metadata.len()));
    }
    Ok(hash.finalize().to_vec())
}

/// Whether a command may ask for what changes by itself. `/dev/null` does not.
fn is_volatile(command: &str) -> bool {
    let command = command.replace("/dev/null", "");
    let mut words = command.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.any(|word| VOLATILE_WORDS.contains(&word)) || VOLATILE_PARTS.iter().any(|part| command.contains(part))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_command_runs_once_in_a_run_and_errors_are_answers() {
        let answers = Answers::default();
        let mut runs = 0;
        let mut ask = |folder: &str| {
            answers.once(Path::new(folder), "x", || {
                runs += 1;
                Err(io::Error::new(io::ErrorKind::TimedOut, "too long"))
            })
        };
        for folder in ["a", "a", "b"] {
            let error = ask(folder).expect_err("it always fails");
            assert_eq!((error.kind(), error.to_string()), (io::ErrorKind::TimedOut, "too long".to_owned()));
        }
        assert_eq!(runs, 2);
    }

    #[test]
    fn answers_are_kept_by_all_that_the_command_sees() {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let ask = |layer: &str, command: &str, environment: &[(String, String)], inputs: &[u8]| {
            let mut ran = false;
            let kept = KeptAnswers::over(cache.path(), layer);
            let answer = kept.or_run(command, environment, inputs, || {
                ran = true;
                Ok(b"answer".to_vec())
            });
            assert_eq!(answer.ok().as_deref(), Some(b"answer".as_slice()));
            ran
        };
        let home = [("HOME".to_owned(), "/".to_owned())];
        assert!(ask("l", "echo", &[], b"") && !ask("l", "echo", &[], b""));
        assert!(ask("m", "echo", &[], b"") && ask("l", "echo 1", &[], b""));
        assert!(ask("l", "echo", &home, b"") && ask("l", "echo", &[], b"stamp"));
        assert!(ask("l", "date +%s", &[], b"") && ask("l", "date +%s", &[], b""));
        assert!(ask("l", "runtime 2>/dev/null", &[], b"") && !ask("l", "runtime 2>/dev/null", &[], b""));
    }

    #[test]
    fn a_stamp_tells_what_was_written() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let stamped = || stamp(folder.path()).expect("it can be listed");
        let mut seen = vec![stamped()];
        for (name, text) in [("a", "1"), ("a", "2"), ("b", "")] {
            fs::write(folder.path().join(name), text).expect("it can be written");
            seen.push(stamped());
            assert_eq!(seen.last(), Some(&stamped()));
        }
        fs::remove_file(folder.path().join("b")).expect("it can be removed");
        seen.push(stamped());
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 5);
    }
}
