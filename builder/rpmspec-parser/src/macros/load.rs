//! Macro files: logical lines, each of which may define a macro.

use std::path::Path;

use super::Level;
use super::engine::Engine;
use super::scan::{Openings, is_blank};
use super::table::Kind;
use crate::Place;

/// One logical line of a macro file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LogicalLine {
    /// The text, without the last line end.
    pub(super) text: String,
    /// The number of its first physical line, from 1.
    pub(super) first: u32,
    /// The number of its last physical line.
    pub(super) last: u32,
}

/// Joins the physical lines of a macro file: one that starts with `%` goes on while it ends with a backslash
/// or a macro's bracket is open.
pub(super) fn logical_lines(text: &str) -> Vec<LogicalLine> {
    let mut lines = Vec::new();
    let mut physical = text.split_inclusive('\n');
    let mut number = 0;
    while let Some(line) = physical.next() {
        number += 1;
        let first = number;
        let (mut joined, mut ended) = without_end(line);
        if ended && joined.trim_start_matches([' ', '\t']).starts_with('%') {
            let mut openings = Openings::default();
            let mut at = joined.bytes().take_while(|byte| is_blank(*byte)).count();
            loop {
                at = read_openings(joined.as_bytes(), at, &mut openings);
                if !joined.ends_with('\\') && !openings.any() {
                    break;
                }
                joined.push('\n');
                at = at.min(joined.len());
                let Some(line) = physical.next() else { break };
                number += 1;
                let next;
                (next, ended) = without_end(line);
                joined.push_str(&next);
                if !ended {
                    break;
                }
            }
        }
        lines.push(LogicalLine { text: joined, first, last: number });
    }
    lines
}

/// The line without its end, and whether it had one.
fn without_end(line: &str) -> (String, bool) {
    let text = line.trim_end_matches(['\n', '\r']);
    (text.to_owned(), text.len() < line.len())
}

fn read_openings(bytes: &[u8], mut at: usize, openings: &mut Openings) -> usize {
    while let Some(&byte) = bytes.get(at) {
        let next = bytes.get(at + 1).copied();
        let pair = if byte == b'\\' { next.is_some() } else { openings.read(byte, next) };
        at += if pair { 2 } else { 1 };
    }
    at
}

impl Engine<'_> {
    /// Reads a macro file's text. Says whether every definition in it is right.
    pub(super) fn load_text(&self, file: &str, text: &str) -> bool {
        let outer = self.place.borrow().clone();
        let loading = self.loading.replace(true);
        let file_name: std::sync::Arc<str> = file.into();
        self.push_at("__file_name", None, file, Level::MACRO_FILES, Kind::Literal, None);
        let mut right = true;
        for line in logical_lines(text) {
            let Some(definition) = line.text.trim_start_matches([' ', '\t']).strip_prefix('%') else { continue };
            *self.place.borrow_mut() = Some(Place { file: file_name.clone(), line: line.first, column: 1 });
            let number = line.last.to_string();
            self.push_at("__file_lineno", None, &number, Level::MACRO_FILES, Kind::Literal, None);
            right &= self.define_text(definition, Level::MACRO_FILES);
            self.table.borrow_mut().pop("__file_lineno");
        }
        self.table.borrow_mut().pop("__file_name");
        *self.place.borrow_mut() = outer;
        self.loading.set(loading);
        right
    }

    /// Reads a macro file from the world. `None`: it cannot be read; otherwise whether all in it is right.
    pub(super) fn load_file(&self, file: &str) -> Option<bool> {
        let content = self.world.read_file(Path::new(file)).ok()?;
        let text = String::from_utf8_lossy(&content);
        Some(self.load_text(file, &text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        logical_lines(text).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn lines_are_joined() {
        assert_eq!(texts("%a b \\\n c\n%d e\n"), ["%a b \\\n c", "%d e"]);
        assert_eq!(texts("%a %{x:\n y}\n# %{\n%d e"), ["%a %{x:\n y}", "# %{", "%d e"]);
        assert_eq!(texts("%a \\%{ b\r\n%c d"), ["%a \\%{ b", "%c d"]);
        assert_eq!(logical_lines("\n%a b\\\nc\n")[1], LogicalLine { text: "%a b\\\nc".into(), first: 2, last: 3 });
    }
}
