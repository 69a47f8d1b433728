//! A job's logs: rpmbuild's output, split into a file a phase as it comes.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use report::text::size;
use sandbox::OutputSink;

/// How many of the last lines are kept for the summary of a failure.
const TAIL: usize = 40;

/// How much is held back of a line that does not end, in bytes.
const LINE: usize = 64 << 10;

/// Writes the output of a job to `<folder>/<phase>.log`, noticing rpm's phase marks.
///
/// A log that cannot be written must not fail a build: the first such error is kept and reported, the rest of
/// the output of that phase is dropped. So is, behind a line that says so, what goes beyond the limit of a log.
pub(super) struct PhaseLogs<'a> {
    folder: PathBuf,
    phase: String,
    /// The most bytes of output that the log of a phase may have.
    limit: u64,
    /// The output so far of each phase that has a log of this job already: rpmbuild may run more than once.
    written: BTreeMap<String, u64>,
    file: Option<BufWriter<File>>,
    line: Vec<u8>,
    /// How long each phase took so far, in the order in which they were first entered.
    times: Vec<(String, Duration)>,
    /// Since when the clock of the current phase runs.
    since: Option<Instant>,
    tail: std::collections::VecDeque<String>,
    on_phase: &'a (dyn Fn(&str) + Send + Sync),
    /// The first error of writing a log.
    pub(super) error: Option<std::io::Error>,
}

impl<'a> PhaseLogs<'a> {
    /// Starts with the phase `phase`; `on_phase` is told of every one that follows. No log gets more than `limit` bytes.
    pub(super) fn new(folder: &Path, phase: &str, limit: u64, on_phase: &'a (dyn Fn(&str) + Send + Sync)) -> Self {
        let mut logs = Self {
            folder: folder.to_owned(),
            phase: String::new(),
            limit,
            written: BTreeMap::new(),
            file: None,
            line: Vec::new(),
            times: Vec::new(),
            since: None,
            tail: std::collections::VecDeque::new(),
            on_phase,
            error: std::fs::create_dir_all(folder).err(),
        };
        logs.enter(phase);
        logs
    }

    /// Begins another phase; one that was there before goes on.
    pub(super) fn enter(&mut self, phase: &str) {
        self.flush();
        self.stop_clock();
        self.since = Some(Instant::now());
        if self.phase == phase {
            return;
        }
        phase.clone_into(&mut self.phase);
        self.tail.clear();
        let goes_on = self.written.contains_key(phase);
        self.written.entry(phase.to_owned()).or_default();
        let file = OpenOptions::new().create(true).write(true).append(goes_on).truncate(!goes_on).open(self.path());
        match file {
            Ok(file) => self.file = Some(BufWriter::new(file)),
            Err(error) => {
                self.file = None;
                self.error.get_or_insert(error);
            }
        }
        (self.on_phase)(phase);
    }

    /// Lets the clock of the current phase run, if it does not.
    pub(super) fn start_clock(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// Stops the clock: what goes on now is no part of the phase.
    pub(super) fn stop_clock(&mut self) {
        let Some(since) = self.since.take() else { return };
        match self.times.iter_mut().find(|(phase, _)| *phase == self.phase) {
            Some((_, time)) => *time += since.elapsed(),
            None => self.times.push((self.phase.clone(), since.elapsed())),
        }
    }

    /// How long each phase took until its clock was stopped, in the order in which they were first entered.
    #[must_use]
    pub(super) fn times(&self) -> Vec<(String, Duration)> {
        self.times.clone()
    }

    /// The phase the output is in: `root`, `prep`, `build`, `install`, `check`, `package`.
    #[must_use]
    pub(super) fn phase(&self) -> &str {
        &self.phase
    }

    /// The log of the current phase.
    #[must_use]
    pub(super) fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.phase))
    }

    /// The last lines of the current phase.
    #[must_use]
    pub(super) fn tail(&self) -> Vec<String> {
        self.tail.iter().cloned().collect()
    }

    /// Writes what is held back.
    pub(super) fn flush(&mut self) {
        if !self.line.is_empty() {
            self.end_line();
        }
        if let Some(Err(error)) = self.file.as_mut().map(BufWriter::flush) {
            self.error.get_or_insert(error);
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if let Some(phase) = phase_of(&line) {
            self.enter(phase);
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(String::from_utf8_lossy(&line).trim_end().to_owned());
        let written = self.written.entry(self.phase.clone()).or_default();
        let before = *written;
        *written = before.saturating_add(line.len() as u64);
        if before > self.limit {
            return;
        }
        let cut = *written > self.limit;
        let marker = || format!("[cut here: package-builder keeps {} of a phase's output]\n", size(self.limit));
        let line = if cut { marker().into_bytes() } else { line };
        if let Some(Err(error)) = self.file.as_mut().map(|file| file.write_all(&line)) {
            self.error.get_or_insert(error);
            self.file = None;
        }
    }
}

impl OutputSink for PhaseLogs<'_> {
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") || self.line.len() > LINE {
                self.end_line();
            }
        }
    }
}

/// The phase that rpmbuild's line begins, as it prints them: `Executing(%build): /bin/sh -e …`, and
/// `Processing files: name-version` when it starts to package.
fn phase_of(line: &[u8]) -> Option<&'static str> {
    if line.starts_with(b"Processing files: ") {
        return Some("package");
    }
    let name = line.strip_prefix(b"Executing(")?;
    let name = name.strip_prefix(b"%").unwrap_or(name);
    let name = &name[..name.iter().position(|byte| *byte == b')')?];
    Some(match name {
        // Since 4.20 rpm first makes the package's own folder, and removes it at last.
        b"mkbuilddir" | b"prep" => "prep",
        b"conf" => "conf",
        b"generate_buildrequires" => "generate_buildrequires",
        b"build" => "build",
        b"install" => "install",
        b"check" => "check",
        b"clean" | b"rmbuild" => "clean",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_of_rpm_names_its_phases() {
        for (line, phase) in [
            ("Executing(%mkbuilddir): /bin/sh -e x\n", Some("prep")),
            ("Executing(%conf): /bin/sh -e x\n", Some("conf")),
            ("Executing(%clean): /bin/sh -e x\n", Some("clean")),
            ("Executing(rmbuild): /bin/sh -e x\n", Some("clean")),
            ("Executing(other): /bin/sh -e x\n", None),
            ("Processing files: a-1-1.noarch\n", Some("package")),
        ] {
            assert_eq!(phase_of(line.as_bytes()), phase, "{line}");
        }
    }

    #[test]
    fn output_goes_to_the_log_of_its_phase_however_it_is_cut() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let seen = std::sync::Mutex::new(Vec::new());
        let on_phase = |phase: &str| seen.lock().expect("no other thread").push(phase.to_owned());
        let mut logs = PhaseLogs::new(folder.path(), "root", u64::MAX, &on_phase);
        for piece in
            ["inst", "alled\nExecuting(%bu", "ild): /bin/sh -e x\ncc a.c\nExecuting(%check): x\nok", "\nno end"]
        {
            logs.write(piece.as_bytes());
        }
        logs.flush();
        assert_eq!(logs.tail(), ["Executing(%check): x", "ok", "no end"]);
        logs.enter("root");
        logs.write(b"more installed\n");
        logs.flush();
        logs.stop_clock();
        let times = logs.times();
        assert_eq!(times.iter().map(|(phase, _)| phase.as_str()).collect::<Vec<_>>(), ["root", "build", "check"]);
        std::thread::sleep(Duration::from_millis(2));
        logs.stop_clock();
        assert_eq!(logs.times(), times, "a clock that stands counts nothing");
        logs.start_clock();
        std::thread::sleep(Duration::from_millis(2));
        logs.stop_clock();
        assert!(logs.times()[0].1 >= times[0].1 + Duration::from_millis(2) && logs.times()[1..] == times[1..]);
        let read = |phase: &str| std::fs::read_to_string(folder.path().join(format!("{phase}.log"))).expect("a log");
        assert_eq!(read("root"), "installed\nmore installed\n");
        assert_eq!(read("build"), "Executing(%build): /bin/sh -e x\ncc a.c\n");
        assert_eq!(read("check"), "Executing(%check): x\nok\nno end");
        assert_eq!(*seen.lock().expect("no other thread"), ["root", "build", "check", "root"]);
    }

    #[test]
    fn a_log_beyond_its_limit_is_cut_with_a_word_and_the_next_phase_has_its_own() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut logs = PhaseLogs::new(folder.path(), "root", 32, &|_| {});
        logs.write(b"Executing(%build): x\n");
        (0..1000).for_each(|number| logs.write(format!("line {number}\n").as_bytes()));
        logs.write(b"Executing(%check): x\n");
        logs.flush();
        let read = |phase: &str| std::fs::read_to_string(folder.path().join(format!("{phase}.log"))).expect("a log");
        let marker = "[cut here: package-builder keeps 32 B of a phase's output]\n";
        assert_eq!(read("build"), format!("Executing(%build): x\nline 0\n{marker}"));
        assert_eq!(read("check"), "Executing(%check): x\n");
        logs.enter("build");
        logs.write(b"once more\n");
        logs.flush();
        assert!(read("build").ends_with(marker), "what was cut stays cut: {}", read("build"));
        assert_eq!(logs.tail(), ["once more"], "the end of the output still tells the cause");
    }

    #[test]
    fn a_line_without_end_is_not_held_in_memory() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut logs = PhaseLogs::new(folder.path(), "root", u64::MAX, &|_| {});
        (0..64).for_each(|_| logs.write(&[b'x'; 8 << 10]));
        assert!(logs.line.len() <= LINE + (8 << 10), "{} bytes are held back", logs.line.len());
        logs.flush();
        assert_eq!(std::fs::metadata(folder.path().join("root.log")).expect("a log").len(), 64 * (8 << 10));
    }
}
