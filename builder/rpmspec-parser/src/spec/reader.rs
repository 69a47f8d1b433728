//! Reads a spec line by line as rpm does: joins lines in the middle of a macro, expands, cuts again,
//! obeys conditionals and `%include`, and collects the expanded text.

use std::cell::Cell;
use std::sync::Arc;

use memchr::{memchr, memchr_iter, memrchr};

use super::balance::Balance;
use super::conditional::{Branch, LineKind, classify};
use super::evaluator::{Evaluator, Step};
use crate::{Diagnostic, Place};

/// Includes deeper than this are taken for endless.
const DEEPEST_INCLUDE: usize = 32;

/// A spec with more lines than this, includes counted as often as they are read, is not read on.
const MOST_LINES: usize = 2_000_000;

/// In longer lines a place is only looked for behind the last one.
const LONG_LINE: usize = 4096;

/// A longer expanded text is not read on.
const LARGEST_TEXT: usize = 64 << 20;

/// What is taken from a line before a section sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Strip {
    /// White space at its end, the line end with it.
    pub trailing: bool,
    /// A comment that is the whole line.
    pub comments: bool,
}

impl Strip {
    /// Scripts are kept as they are.
    pub(super) const NOTHING: Self = Self { trailing: false, comments: false };
    /// Preambles and descriptions.
    pub(super) const BOTH: Self = Self { trailing: true, comments: true };
    /// `%files` and the like.
    pub(super) const COMMENTS: Self = Self { trailing: false, comments: true };
}

#[derive(Debug)]
struct OpenFile {
    name: Arc<str>,
    text: Arc<str>,
    at: usize,
    line: u32,
}

/// The text being read, and what came of it so far.
#[derive(Debug)]
pub(super) struct Reader {
    files: Vec<OpenFile>,
    /// The last file, for places at the very end.
    last: Place,
    /// The conditionals that are open, outermost first.
    pub branches: Vec<Branch>,
    /// Lines joined for one expansion, as written.
    raw: String,
    /// Where in [`Self::raw`] the last word was that a place was asked for.
    searched: Cell<usize>,
    /// The last place in [`Self::raw`] that was asked for: its offset, the line ends before it, its line's beginning.
    placed: Cell<(usize, u32, usize)>,
    /// Where [`Self::raw`] begins.
    raw_place: Place,
    /// Whether they are an `%if` or `%elif`, which is expanded when it is evaluated.
    is_condition: bool,
    /// Whether the line at hand steers reading, and how.
    steering: Option<LineKind>,
    /// What the joined lines expanded to, and how much of it is used up.
    expanded: String,
    used: usize,
    /// The line at hand, stripped as asked.
    pub line: String,
    /// All expanded text so far.
    pub parsed: String,
    lines: usize,
}

impl Reader {
    /// Starts at the beginning of a spec.
    pub(super) fn new(name: String, text: Arc<str>) -> Self {
        let name: Arc<str> = Arc::from(name);
        let place = Place { file: name.clone(), line: 1, column: 1 };
        Self {
            files: vec![OpenFile { name, text, at: 0, line: 0 }],
            last: place.clone(),
            branches: Vec::new(),
            raw: String::new(),
            searched: Cell::new(0),
            placed: Cell::default(),
            raw_place: place,
            is_condition: false,
            steering: None,
            expanded: String::new(),
            used: 0,
            line: String::new(),
            parsed: String::new(),
            lines: 0,
        }
    }

    /// Reads a text next, as a file of that name.
    pub(super) fn open(&mut self, name: &str, text: &str) {
        self.files.push(OpenFile { name: name.into(), text: text.into(), at: 0, line: 0 });
    }

    /// The place of the line at hand: where the lines it was expanded from begin.
    pub(super) fn place(&self) -> Place {
        self.raw_place.clone()
    }

    /// The place of a word of the line at hand, where the spec has it literally; else the line's.
    pub(super) fn place_of(&self, word: &str) -> Place {
        // Words are mostly asked for in their order, and long lines are not searched again and again.
        let from = self.searched.get();
        let behind = self.raw.get(from..).and_then(|rest| find(rest, word)).map(|at| from + at);
        let found = behind.or_else(|| if self.raw.len() < LONG_LINE { find(&self.raw, word) } else { None });
        let Some(at) = found else { return self.place() };
        self.searched.set(at);
        self.place_at(at)
    }

    /// The place behind a word that the lines at hand begin with, if they do.
    pub(super) fn place_behind(&self, word: &str, place: &Place) -> Place {
        let leading = self.raw.len() - self.raw.trim_start_matches(is_space).len();
        match self.raw[leading..].strip_prefix(word) {
            Some(argument) => {
                let blanks = argument.len() - argument.trim_start_matches([' ', '\t']).len();
                self.place_at(leading + word.len() + blanks.min(argument.len()))
            }
            None => place.clone(),
        }
    }

    /// The place of an offset in the lines at hand.
    fn place_at(&self, at: usize) -> Place {
        // Places are mostly asked for in their order, so only what is between two is counted.
        let (from, lines, line_start) = Some(self.placed.get()).filter(|placed| placed.0 <= at).unwrap_or_default();
        let between = &self.raw.as_bytes()[from..at];
        let line_start = memrchr(b'\n', between).map_or(line_start, |end| from + end + 1);
        let lines = lines.saturating_add(u32::try_from(memchr_iter(b'\n', between).count()).unwrap_or(u32::MAX));
        self.placed.set((at, lines, line_start));
        let mut place = self.place();
        place.line = place.line.saturating_add(lines);
        place.column = u32::try_from(at - line_start + 1).unwrap_or(u32::MAX);
        place
    }

    fn reading(&self) -> bool {
        self.branches.last().is_none_or(|branch| branch.reading)
    }

    /// Adds a line of the innermost file to the joined ones and says where it begins; `None` at the end of all.
    fn next_raw_line(&mut self) -> Option<usize> {
        while let Some(file) = self.files.last_mut() {
            let rest = &file.text[file.at..];
            if rest.is_empty() {
                self.last = Place { file: file.name.clone(), line: file.line.max(1), column: 1 };
                self.files.pop();
                continue;
            }
            let line = &rest[..memchr(b'\n', rest.as_bytes()).map_or(rest.len(), |end| end + 1)];
            let start = self.raw.len();
            self.raw.push_str(line);
            file.at += line.len();
            file.line += 1;
            self.lines += 1;
            return Some(start);
        }
        None
    }
}

impl Evaluator<'_, '_> {
    /// Reads the next line into `self.reader.line`. `false` at the end of the spec.
    pub(super) fn read_line(&mut self, strip: Strip) -> Step<bool> {
        loop {
            if self.reader.used >= self.reader.expanded.len() && !self.fill(strip)? {
                return Ok(false);
            }
            self.cut_line(strip);
            if self.reader.parsed.len() > LARGEST_TEXT || self.reader.lines > MOST_LINES {
                let place = self.reader.place();
                return self.stop(Diagnostic::error("the spec is too large to be evaluated").at(&place));
            }
            match self.obey_conditional()? {
                Obeyed::Include => continue,
                Obeyed::Blank => self.reader.line.clear(),
                Obeyed::Text => {}
            }
            let Reader { line, parsed, .. } = &mut self.reader;
            parsed.push_str(line);
            if strip.trailing {
                parsed.push('\n');
            }
            return Ok(true);
        }
    }

    /// Joins as many lines as one expansion needs and expands them; `false` at the end of the spec.
    fn fill(&mut self, strip: Strip) -> Step<bool> {
        let mut balance = Balance::default();
        self.reader.raw.clear();
        self.reader.searched.set(0);
        self.reader.placed.set((0, 0, 0));
        loop {
            let Some(start) = self.reader.next_raw_line() else {
                if !self.reader.raw.is_empty() {
                    let place = self.reader.place_at(balance.opened_at());
                    return self.stop(
                        Diagnostic::error("unclosed macro or bad line continuation")
                            .at(&place)
                            .hint("close the `%{`, `%(` or `%[` that begins here"),
                    );
                }
                if let Some(branch) = self.reader.branches.pop() {
                    self.reader.branches.clear();
                    return self.stop(
                        Diagnostic::error("Unclosed %if").at(&branch.place).hint("an `%endif` is missing behind it"),
                    );
                }
                self.reader.raw_place = self.reader.last.clone();
                return Ok(false);
            };
            if let Some(file) = self.reader.files.last().filter(|_| start == 0) {
                self.reader.raw_place = Place { file: file.name.clone(), line: file.line, column: 1 };
            }
            balance.add(&self.reader.raw[start..], start);
            if balance.is_complete() {
                break;
            }
        }
        if let Some(file) = self.reader.files.last() {
            self.macros.set_reading(&file.name, file.line);
        }
        if let Some(at) = memchr(0, self.reader.raw.as_bytes()) {
            let place = self.reader.place();
            self.record(Diagnostic::warning("a NUL byte ends the line for rpm").at(&place));
            self.reader.raw.truncate(at);
            self.reader.raw.push('\n');
        }
        self.expand_buffer(strip)?;
        Ok(true)
    }

    /// Expands the joined lines; within a false branch, and before an expression, they stay as they are.
    fn expand_buffer(&mut self, strip: Strip) -> Step<()> {
        self.reader.used = 0;
        let kind = classify(self.reader.raw.trim_start_matches(is_space));
        self.reader.is_condition = matches!(kind, Some(LineKind::If | LineKind::Elif));
        if kind.is_some_and(LineKind::goes_on) {
            self.reader.raw = self.reader.raw.replace("\\\n", " ");
        }
        if self.reader.is_condition {
            self.reader.expanded.clone_from(&self.reader.raw);
            return Ok(());
        }
        if !self.reader.reading() || memchr(b'%', self.reader.raw.as_bytes()).is_none() {
            self.reader.expanded.clone_from(&self.reader.raw);
            return Ok(());
        }
        let place = self.reader.place();
        let result = self.macros.expand(&self.reader.raw, &place);
        self.collect_macro_diagnostics();
        match result {
            Ok(expanded) => {
                let is_comment = strip.comments && self.reader.raw.trim_start_matches(is_space).starts_with('#');
                if let Some(at) = is_comment.then(|| first_difference(&self.reader.raw, &expanded)).flatten() {
                    let shown = self.reader.raw[at..].lines().next().unwrap_or_default();
                    let warning = Diagnostic::warning(format!("Macro expanded in comment: {shown}"));
                    self.record(warning.at(&self.reader.place_at(at)).hint("write `%%` for a `%` in a comment"));
                }
                self.reader.expanded = expanded;
            }
            Err(diagnostic) => {
                self.fail(diagnostic)?;
                self.reader.expanded.clear();
                self.reader.expanded.push('\n');
            }
        }
        // A line may expand to nothing at all; it still is a line.
        if self.reader.expanded.is_empty() {
            self.reader.expanded.push('\0');
        }
        Ok(())
    }

    /// Takes the next line out of the expanded text.
    fn cut_line(&mut self, strip: Strip) {
        let reader = &mut self.reader;
        let rest = &reader.expanded[reader.used..];
        let end = memchr(b'\n', rest.as_bytes()).filter(|_| !reader.is_condition);
        let length = end.map_or(rest.len(), |end| end + 1);
        reader.used += length;
        reader.line.clear();
        let line = if rest == "\0" { "" } else { &rest[..length] };
        reader.steering =
            memchr(b'%', line.as_bytes()).is_some().then(|| classify(line.trim_start_matches(is_space))).flatten();
        reader.line.push_str(line);
        if strip.trailing && reader.steering.is_none() {
            let length = reader.line.trim_end_matches(is_space).len();
            reader.line.truncate(length);
        }
        if strip.comments {
            let start = reader.line.len() - reader.line.trim_start_matches(is_space).len();
            if reader.line[start..].starts_with('#') {
                reader.line.truncate(start);
            }
        }
    }

    fn obey_conditional(&mut self) -> Step<Obeyed> {
        if let Some(kind) = self.reader.steering {
            let line = self.reader.line.trim_start_matches(is_space).to_owned();
            if kind == LineKind::Include {
                if !self.reader.reading() {
                    return Ok(Obeyed::Blank);
                }
                self.include(&line)?;
                return Ok(Obeyed::Include);
            }
            self.obey_branch(kind, &line)?;
            return Ok(Obeyed::Blank);
        }
        Ok(if self.reader.reading() { Obeyed::Text } else { Obeyed::Blank })
    }

    /// What a condition expanded to behind its first line is read as text.
    pub(super) fn read_behind_condition(&mut self, text: &str) {
        if std::mem::take(&mut self.reader.is_condition) {
            text.clone_into(&mut self.reader.expanded);
            self.reader.used = 0;
        }
    }

    fn include(&mut self, line: &str) -> Step<()> {
        let name = line["%include".len()..].trim_matches(is_space);
        let place = self.reader.place_of(name);
        if name.is_empty() {
            return self.fail(Diagnostic::error("malformed %include statement").at(&place));
        }
        if self.reader.files.len() >= DEEPEST_INCLUDE {
            return self.stop(Diagnostic::error(format!("%include {name} is nested too deeply")).at(&place));
        }
        // rpm takes a relative name from its working folder, which a spec cannot count on: the spec's own is meant.
        let mut path = std::path::PathBuf::from(name);
        if let (true, Some(folder)) = (path.is_relative(), self.options.path.parent()) {
            path = folder.join(path);
        }
        match self.world.read_file(&path) {
            Ok(content) => {
                self.reader.open(name, &super::encoding::decode(&content));
                Ok(())
            }
            Err(error) => {
                let mut reason = error.to_string();
                if error.kind() == std::io::ErrorKind::NotFound {
                    "No such file or directory".clone_into(&mut reason);
                }
                self.fail(Diagnostic::error(format!("Unable to open {name}: {reason}")).at(&place))
            }
        }
    }
}

enum Obeyed {
    /// The line is text.
    Text,
    /// The line is a conditional or within a false branch.
    Blank,
    /// Reading goes on in another file.
    Include,
}

/// Where a word stands in a text; for the few short lines that are searched, this is quicker than preparing a search.
fn find(text: &str, word: &str) -> Option<usize> {
    let first = *word.as_bytes().first()?;
    let mut starts = text.bytes().enumerate().filter(|(_, byte)| *byte == first);
    starts.find(|(at, _)| text.as_bytes()[*at..].starts_with(word.as_bytes())).map(|(at, _)| at)
}

/// Where a comment and what it expanded to differ, `%%` for `%` apart.
fn first_difference(raw: &str, expanded: &str) -> Option<usize> {
    let mut rest = expanded.as_bytes();
    let bytes = raw.as_bytes();
    let mut at = 0;
    while let (Some(byte), [first, others @ ..]) = (bytes.get(at), rest) {
        if *byte == b'%' && bytes.get(at + 1) == Some(&b'%') {
            at += 1;
        }
        if byte != first {
            break;
        }
        at += 1;
        rest = others;
    }
    if at >= bytes.len() && rest.is_empty() {
        return None;
    }
    // Before a difference inside a character, the whole character is shown.
    (0..=at.min(raw.len())).rev().find(|at| raw.is_char_boundary(*at))
}

/// White space as C's `isspace` has it.
pub(super) fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}
