//! Writes a run's attempts down, from its events.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use report::{Event, EventKind, Reporter};
use rusqlite::Connection;

use super::attempts::{Record, insert};
use super::database::{open_to_write, trouble};
use super::machine_id;

/// A view of a run that keeps what its builds took. Clones are the same view. The first error ends the recording, never
/// the run, and can be asked for.
#[derive(Clone, Debug)]
pub struct Recorder {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    connection: Option<Connection>,
    path: std::path::PathBuf,
    machine: String,
    first_error: Option<String>,
}

impl Recorder {
    /// Records to the file at `path`, which is made if it is not there.
    #[must_use]
    pub fn open(path: &Path) -> Self {
        // A machine that loses its power loses the last records with it, which harms nobody.
        let (connection, first_error) = match open_to_write(path, false) {
            Ok(connection) => (Some(connection), None),
            Err(error) => (None, Some(error.message)),
        };
        let shared = Shared { connection, path: path.to_owned(), machine: machine_id(), first_error };
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    /// Why the history of this run is not, or not wholly, recorded.
    #[must_use]
    pub fn first_error(&self) -> Option<String> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).first_error.clone()
    }
}

impl Reporter for Recorder {
    fn event(&mut self, event: &Event) {
        let EventKind::JobFinished { package, nevr, verdict, seconds, own_seconds, attempt: Some(attempt), .. } =
            &event.kind
        else {
            return;
        };
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let Shared { connection, path, machine, first_error } = &mut *shared;
        let Some(open) = connection else { return };
        let record = Record {
            run: event.run.clone(),
            package: package.clone(),
            nevr: nevr.clone(),
            started: event.at.saturating_sub(milliseconds(*seconds)),
            machine: machine.clone(),
            verdict: verdict.clone(),
            seconds: *seconds,
            own_seconds: *own_seconds,
            attempt: attempt.clone(),
        };
        if let Err(error) = insert(open, &record) {
            *first_error = Some(trouble("write", path)(error).message);
            *connection = None;
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a build takes no million years")]
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0) as i64
}

#[cfg(test)]
mod tests {
    use report::{Attempt, Verdict};

    use super::super::newest;
    use super::*;

    fn finished(attempt: Option<Attempt>) -> Event {
        let kind = EventKind::JobFinished {
            package: "jq".to_owned(),
            nevr: "jq-1-1".to_owned(),
            verdict: Verdict::Unchanged,
            cause: None,
            seconds: 1.5,
            own_seconds: 0.5,
            log: None,
            rpms: Vec::new(),
            attempt,
        };
        Event { run: "run".to_owned(), at: 10_000, elapsed: 3.0, kind }
    }

    #[test]
    fn what_was_tried_is_recorded_and_what_was_not_is_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("state.sqlite");
        let mut recorder = Recorder::open(&path);
        recorder.event(&finished(None));
        recorder.event(&finished(Some(Attempt { disk: Some(5), ..Attempt::default() })));
        assert_eq!(recorder.first_error(), None);
        let records = newest(&path, None, 10).expect("it can be read");
        let [record] = records.as_slice() else { panic!("one attempt, not {records:?}") };
        assert_eq!((record.started, record.attempt.disk, &record.machine), (8500, Some(5), &machine_id()));
    }

    #[test]
    fn a_history_that_cannot_be_written_stops_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut recorder = Recorder::open(&folder.path().join("file/state.sqlite"));
        assert_eq!(recorder.first_error(), None);
        std::fs::write(folder.path().join("file2"), "").expect("the folder is writable");
        let blocked = Recorder::open(&folder.path().join("file2/state.sqlite"));
        assert!(blocked.first_error().is_some_and(|error| error.contains("file2")), "{:?}", blocked.first_error());
        let path = folder.path().join("file/state.sqlite");
        let other = Connection::open(&path).expect("it is there");
        other.execute_batch("DROP TABLE attempts").expect("nobody else writes");
        for _ in 0..2 {
            recorder.event(&finished(Some(Attempt::default())));
        }
        assert!(recorder.first_error().is_some_and(|error| error.contains("no such table")));
    }
}
