//! Shows diagnostics as people read them: the line underlined, how expansion got there, and what to do about it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str};
use rpmspec_parser::diagnostic::Expansion;
use rpmspec_parser::spec::decode;
use rpmspec_parser::{Diagnostic, MacroContext, Place, Severity};

use super::TOPDIR;

/// Lines longer than this are named and not shown.
const LONGEST_LINE: usize = 2000;

/// Of a longer chain of expansions, the middle is left out.
const LONGEST_CHAIN: usize = 8;

/// The texts that places are in: specs and what they include, and the macro files of the context.
#[derive(Debug)]
pub struct Snippets {
    tree: PathBuf,
    macros: BTreeMap<String, Arc<str>>,
    read: Mutex<HashMap<PathBuf, Option<Arc<str>>>>,
}

impl Snippets {
    /// The texts of a tree and of the macro files it is evaluated with.
    #[must_use]
    pub fn new(tree: &Path, context: &MacroContext) -> Self {
        let macros = context.files.iter().map(|(path, text)| (path.display().to_string(), Arc::from(text.as_str())));
        Self { tree: tree.to_owned(), macros: macros.collect(), read: Mutex::default() }
    }

    /// Adds a text that is no file, by the name its places have.
    pub fn add(&mut self, name: &str, text: &str) {
        self.macros.insert(name.to_owned(), Arc::from(text));
    }

    /// One diagnostic of a spec, which is named as in its own places, without colour.
    #[must_use]
    pub fn plain(&self, spec: &str, diagnostic: &Diagnostic) -> String {
        self.render(spec, diagnostic, &Renderer::plain())
    }

    /// The same with colours.
    #[must_use]
    pub fn coloured(&self, spec: &str, diagnostic: &Diagnostic) -> String {
        self.render(spec, diagnostic, &Renderer::styled())
    }

    fn render(&self, spec: &str, diagnostic: &Diagnostic, renderer: &Renderer) -> String {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut main = Group::with_title(level.primary_title(normalize_untrusted_str(&diagnostic.message)));
        if let Some(place) = &diagnostic.place {
            main = match self.line(spec, place) {
                Some(line) => main.element(snippet(&line, place)),
                None => main.element(origin(place)),
            };
        }
        for note in chain(&diagnostic.expansions) {
            main = main.element(Level::NOTE.message(note));
        }
        if let Some(hint) = &diagnostic.hint {
            main = main.element(Level::HELP.message(normalize_untrusted_str(hint)));
        }
        let mut groups = vec![main];
        // The body in which it went wrong is most often the one to mend.
        let innermost = diagnostic.expansions.iter().rev().find(|expansion| expansion.defined_at.is_some());
        if let Some((name, place)) = innermost.and_then(|inner| Some((&inner.name, inner.defined_at.as_ref()?)))
            && let Some(line) = self.line(spec, place)
        {
            let title = Level::NOTE.secondary_title(format!("`%{name}` is defined here"));
            groups.push(Group::with_title(title).element(snippet(&line, place)));
        }
        renderer.render(&groups)
    }

    /// The line of a place.
    fn line(&self, spec: &str, place: &Place) -> Option<String> {
        let index = usize::try_from(place.line).ok()?.checked_sub(1)?;
        let text = self.text(spec, &place.file)?;
        let line = text.lines().nth(index)?;
        (line.len() <= LONGEST_LINE).then(|| line.to_owned())
    }

    /// The text of a file as places name it: from the context, relative to the tree or to the spec's folder, or in
    /// the build root's folders.
    fn text(&self, spec: &str, file: &str) -> Option<Arc<str>> {
        if let Some(text) = self.macros.get(file) {
            return Some(Arc::clone(text));
        }
        let spec = self.tree.join(spec);
        let folder = spec.parent().unwrap_or(&self.tree);
        let in_root = ["SOURCES", "SPECS"].iter().find_map(|name| {
            Path::new(file)
                .strip_prefix(TOPDIR)
                .and_then(|path| path.strip_prefix(name))
                .map(|rest| folder.join(rest))
                .ok()
        });
        let candidates = in_root.into_iter().chain([self.tree.join(file), folder.join(file)]);
        candidates.into_iter().find_map(|path| self.read(&path))
    }

    fn read(&self, path: &Path) -> Option<Arc<str>> {
        let mut read = self.read.lock().ok()?;
        if let Some(known) = read.get(path) {
            return known.clone();
        }
        let text = std::fs::read(path).ok().map(|bytes| Arc::from(decode(&bytes)));
        read.insert(path.to_owned(), text.clone());
        text
    }
}

fn snippet(line: &str, place: &Place) -> Snippet<'static, annotate_snippets::Annotation<'static>> {
    let start = usize::try_from(place.column).unwrap_or(1).saturating_sub(1);
    Snippet::source(line.to_owned())
        .line_start(usize::try_from(place.line).unwrap_or(1))
        .path(place.file.to_string())
        .annotation(AnnotationKind::Primary.span(underlined(line, start)))
}

fn origin(place: &Place) -> Origin<'static> {
    let number = |value: u32| usize::try_from(value).unwrap_or(1);
    Origin::path(place.file.to_string()).line(number(place.line)).char_column(number(place.column))
}

/// What of a line is meant: the macro call or the word at an offset; the whole line where no more is known.
fn underlined(line: &str, start: usize) -> std::ops::Range<usize> {
    let start = (0..=start.min(line.len())).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    let rest = &line[start..];
    if start == 0 && !rest.starts_with('%') {
        let trimmed = line.trim_end();
        let blanks = trimmed.len() - trimmed.trim_start().len();
        return blanks..trimmed.len();
    }
    let length = match rest.as_bytes() {
        [b'%', b'{' | b'(' | b'[', ..] => closing(rest),
        [b'%', ..] => {
            rest[1..].find(|letter: char| !letter.is_alphanumeric() && !"_?!*#".contains(letter)).map(|at| at + 1)
        }
        _ => rest.find(|letter: char| letter.is_whitespace() || letter == ','),
    };
    start..start + length.unwrap_or(rest.trim_end().len()).max(usize::from(!rest.is_empty()))
}

/// The length of a bracketed call up to the bracket that closes it, if it does on this line.
fn closing(call: &str) -> Option<usize> {
    let (open, close) = match call.as_bytes().get(1)? {
        b'{' => ('{', '}'),
        b'(' => ('(', ')'),
        _ => ('[', ']'),
    };
    let mut depth = 0_usize;
    for (at, letter) in call.char_indices() {
        if letter == open {
            depth += 1;
        } else if letter == close {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return Some(at + 1);
            }
        }
    }
    None
}

/// One note for each macro on the way, outermost first.
fn chain(expansions: &[Expansion]) -> Vec<String> {
    let note = |expansion: &Expansion| match &expansion.defined_at {
        Some(place) => format!("in the expansion of `%{}`, defined at {place}", expansion.name),
        None => format!("in the expansion of `%{}`", expansion.name),
    };
    if expansions.len() <= LONGEST_CHAIN {
        return expansions.iter().map(note).collect();
    }
    let (first, last) = (&expansions[..LONGEST_CHAIN / 2], &expansions[expansions.len() - LONGEST_CHAIN / 2..]);
    let between = format!("… {} more expansions …", expansions.len() - LONGEST_CHAIN);
    first.iter().map(note).chain([between]).chain(last.iter().map(note)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_or_word_is_underlined() {
        for (line, start, expected) in [
            ("Name: %{a b} c", 6, "%{a b}"),
            ("Name: %foo-1", 6, "%foo"),
            ("Name: a, b", 6, "a"),
            ("  whole line ", 0, "whole line"),
            ("%if x", 0, "%if"),
            ("%{open", 0, "%{open"),
            ("é x", 1, "é x"),
        ] {
            assert_eq!(&line[underlined(line, start)], expected, "{line}");
        }
        assert_eq!(underlined("ab", 9), 2..2);
    }

    #[test]
    fn a_diagnostic_shows_line_chain_definition_and_hint() {
        let tree = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(tree.path().join("a.spec"), "Name: a\nVersion: %{outer}\n").expect("it can be written");
        let files = vec![(PathBuf::from("/usr/lib/rpm/macros"), "# x\n%outer %{error:no}\n".to_owned())];
        let snippets = Snippets::new(tree.path(), &MacroContext { files, ..MacroContext::default() });
        let place = |file: &str, line, column| Place { file: file.into(), line, column };
        let mut diagnostic = Diagnostic::error("no").at(&place("a.spec", 2, 10)).hint("say yes");
        let defined_at = Some(place("/usr/lib/rpm/macros", 2, 1));
        diagnostic.expansions = vec![Expansion { name: "outer".to_owned(), defined_at }];
        let text = snippets.plain("a.spec", &diagnostic);
        for part in
            ["error: no", "a.spec:2:10", "^^^^^^^^", "in the expansion of `%outer`", "say yes", "%outer %{error:no}"]
        {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
}
