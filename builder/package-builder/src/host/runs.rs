//! The runs of an output directory: their journals read again, and what is made from them.

use std::io::Write;
use std::path::{Path, PathBuf};

use report::{Event, ReadError, SUMMARY_VERSION, Standings, Summary};

use super::Layout;
use crate::error::{CommandError, IoContext};

/// So many earlier runs are asked what they know of packages; `clean` keeps as many.
const EARLIER: usize = 20;

/// The runs below an output directory.
#[derive(Clone, Debug)]
pub struct Runs {
    layout: Layout,
}

impl Runs {
    /// The runs of a layout.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        Self { layout: layout.clone() }
    }

    /// The runs with a journal, oldest first; none where the folder cannot be listed.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.layout.runs()).into_iter().flatten().filter_map(Result::ok);
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut ids: Vec<String> = names.filter(|id| self.journal(id).is_file()).collect();
        ids.sort();
        ids
    }

    fn journal(&self, id: &str) -> PathBuf {
        self.layout.run(id).join("events.jsonl")
    }

    /// The summary of a run, from its journal alone.
    ///
    /// # Errors
    /// The journal cannot be read, or has a line, other than a last one that was cut, that is no event.
    pub fn summary(&self, id: &str) -> Result<Summary, CommandError> {
        let path = self.journal(id);
        let text = std::fs::read_to_string(&path).doing("read", &path)?;
        events(&text)
            .map(|events| Summary::of(&events))
            .map_err(|(line, error)| CommandError::input(format!("{}:{line}: {error}", path.display())))
    }

    /// What the runs before one know of packages. A run that cannot be read knows nothing.
    #[must_use]
    pub fn before(&self, id: &str) -> Standings {
        let ids: Vec<String> = self.ids().into_iter().filter(|earlier| earlier.as_str() < id).collect();
        let mut standings = Standings::default();
        for earlier in &ids[ids.len().saturating_sub(EARLIER)..] {
            if let Some(summary) = self.written_summary(earlier).or_else(|| self.summary(earlier).ok()) {
                standings.take(&summary);
            }
        }
        standings
    }

    /// The summary that a run wrote at its end, where it did.
    fn written_summary(&self, id: &str) -> Option<Summary> {
        let text = std::fs::read(self.layout.run(id).join("summary.json")).ok()?;
        serde_json::from_slice(&text).ok().filter(|summary: &Summary| summary.version == SUMMARY_VERSION)
    }

    /// Writes `junit.xml` and `summary.json` beside a run's journal.
    ///
    /// # Errors
    /// The journal cannot be read, or a file not be written.
    pub fn write_results(&self, id: &str) -> Result<(), CommandError> {
        let (summary, folder) = (self.summary(id)?, self.layout.run(id));
        let mut json = serde_json::to_vec_pretty(&summary)
            .map_err(|error| CommandError::infrastructure(format!("no JSON: {error}")))?;
        json.push(b'\n');
        write_whole(&folder.join("junit.xml"), report::junit(&summary).as_bytes())?;
        write_whole(&folder.join("summary.json"), &json)
    }
}

/// The events of a journal; the number of a line that is none. A last line that was cut is left out.
fn events(text: &str) -> Result<Vec<Event>, (usize, ReadError)> {
    let mut events = Vec::new();
    for (number, line) in text.split_inclusive('\n').enumerate() {
        match Event::from_json_line(line) {
            Ok(event) => events.push(event),
            Err(ReadError::Malformed(_)) if !line.ends_with('\n') => {}
            Err(error) => return Err((number + 1, error)),
        }
    }
    Ok(events)
}

/// Writes a file whole or not at all: beside, then in its place by a rename.
///
/// # Errors
/// It cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).doing("write to", folder)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).doing("write", path)?;
    // Temporary files are for their owner alone; results are for whoever may read the folder.
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(permissions).doing("write", path)?;
    file.persist(path).map_err(|error| error.error).doing("replace", path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use report::EventKind;

    use super::*;

    fn line(text: &str) -> String {
        let kind = EventKind::Diagnostic { text: text.to_owned() };
        Event { run: "r".to_owned(), at: 0, elapsed: 0.0, kind }.to_json_line()
    }

    #[test]
    fn a_cut_last_line_is_left_out_and_any_other_is_named() {
        let good = format!("{}\n{}\n", line("a"), line("b"));
        let read = |text: &str| events(text).map(|events| events.len()).map_err(|(number, _)| number);
        assert_eq!(read(&good), Ok(2));
        assert_eq!(read(&good[..good.len() - 5]), Ok(1));
        assert_eq!(read(&good[..good.len() - 1]), Ok(2), "only the newline is missing");
        assert_eq!(read(&format!("{}\n{good}", &line("a")[..9])), Err(1));
        assert_eq!(read(&good.replace("\"version\":1", "\"version\":9")), Err(1));
    }

    #[test]
    fn runs_are_in_order_and_results_are_written_beside_the_journal() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let layout = Layout::new(folder.path());
        for id in ["2", "1", "no-run"] {
            std::fs::create_dir_all(layout.run(id)).expect("it is ours");
        }
        for id in ["1", "2"] {
            std::fs::write(layout.run(id).join("events.jsonl"), line("a") + "\n").expect("it is ours");
        }
        let runs = Runs::new(&layout);
        assert_eq!(runs.ids(), ["1", "2"]);
        runs.write_results("2").expect("it can be written");
        assert!(runs.written_summary("2").is_some() && runs.written_summary("1").is_none());
        assert!(layout.run("2").join("junit.xml").is_file());
    }
}
