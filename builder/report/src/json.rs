//! Events as JSON Lines: to any writer ([`Json`]) and to a run's journal ([`Recorder`]).

use crate::event::Event;
use crate::reporter::Reporter;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

/// Every event, progress included, as one line each to a writer.
pub struct Json<W: Write + Send> {
    writer: W,
}

impl<W: Write + Send> Json<W> {
    /// Writes to `writer`; each line is flushed, since someone may be reading along.
    pub fn new(writer: W) -> Self {
        Json { writer }
    }
}

impl<W: Write + Send> Reporter for Json<W> {
    fn event(&mut self, event: &Event) {
        // A reader that went away (`| head`) is no reason to stop a build.
        let _ = writeln!(self.writer, "{}", event.to_json_line()).and_then(|()| self.writer.flush());
    }
}

/// The journal of a run, appended line by line; progress is left out. The first error stops the recording, never
/// the run, and can be asked for.
pub struct Recorder {
    file: Option<File>,
    first_error: Option<String>,
}

impl Recorder {
    /// Opens (or goes on with) the journal at `path`.
    pub fn append_to(path: &Path) -> Recorder {
        match OpenOptions::new().create(true).append(true).open(path) {
            Ok(file) => Recorder { file: Some(file), first_error: None },
            Err(error) => Recorder { file: None, first_error: Some(format!("{}: {error}", path.display())) },
        }
    }

    /// Why this run is not, or not wholly, recorded.
    pub fn first_error(&self) -> Option<&str> {
        self.first_error.as_deref()
    }

    fn write(&mut self, line: &str) {
        let Some(file) = &mut self.file else { return };
        // One write per line: a reader, or a crash, then sees whole lines.
        if let Err(error) = file.write_all(line.as_bytes()) {
            self.first_error = Some(error.to_string());
            self.file = None;
        }
    }
}

impl Reporter for Recorder {
    fn event(&mut self, event: &Event) {
        if !event.is_progress() {
            self.write(&format!("{}\n", event.to_json_line()));
        }
    }

    fn finish(&mut self) {
        if let Some(Err(error)) = self.file.as_ref().map(File::sync_all) {
            self.first_error.get_or_insert(error.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;
    use crate::event::EventKind;

    fn event(kind: EventKind) -> Event {
        Event { run: "r".into(), at: 0, elapsed: 0.0, kind }
    }

    #[test]
    fn the_journal_grows_and_leaves_progress_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.jsonl");
        let fact = event(EventKind::Diagnostic { text: "two\nlines".into() });
        let progress = event(EventKind::SourceProgress { file: "f".into(), bytes: 1, total: None });
        for _ in 0..2 {
            let mut recorder = Recorder::append_to(&path);
            recorder.event(&fact);
            recorder.event(&progress);
            recorder.finish();
            assert_eq!(recorder.first_error(), None);
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let events: Vec<Event> = text.lines().map(|line| Event::from_json_line(line).unwrap()).collect();
        assert_eq!(events, [fact.clone(), fact]);
    }

    #[test]
    fn a_journal_that_cannot_be_written_stops_nothing() {
        let mut recorder = Recorder::append_to(Path::new("/dev/full"));
        recorder.event(&event(EventKind::Diagnostic { text: "x".into() }));
        recorder.event(&event(EventKind::Diagnostic { text: "y".into() }));
        recorder.finish();
        assert!(recorder.first_error().is_some_and(|error| error.contains("space")), "{:?}", recorder.first_error());
        assert!(Recorder::append_to(Path::new("/nonexistent/events")).first_error().is_some());
    }
}
