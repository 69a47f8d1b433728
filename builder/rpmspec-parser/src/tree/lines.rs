//! The first reading: which lines belong together, and which of them steer, begin a section or define a macro.

use memchr::memchr;

use super::Fault;
use crate::macros::RpmVersion;
use crate::spec::balance::Balance;
use crate::spec::conditional::{LineKind, classify};
use crate::spec::sections::{Part, part_of};

/// One or more lines of the text that are one thing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub what: What,
    pub start: usize,
    pub end: usize,
    /// The number of the first, from 1.
    pub line: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// `%if` and the like; whether its conditional holds the beginning of a section.
    Opening {
        has_sections: bool,
    },
    /// `%elif` and `%else`.
    Turning(LineKind),
    Closing,
    Include,
    Header(Part),
    Definition,
    /// What it is depends on the section.
    Other,
}

/// White space as rpm has it at the beginning of a line.
pub(super) fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

/// The word of a definition, if a line begins with one.
pub(super) fn definition_word(line: &str) -> Option<&'static str> {
    let line = line.trim_start_matches(is_space);
    ["%define", "%global"]
        .into_iter()
        .find(|word| line.strip_prefix(word).is_some_and(|rest| rest.starts_with([' ', '\t'])))
}

/// The length of the line that a text begins with, its end included.
fn line_length(text: &str) -> usize {
    memchr(b'\n', text.as_bytes()).map_or(text.len(), |end| end + 1)
}

/// Reads a text.
pub(super) fn read(text: &str) -> (Vec<Line>, Vec<Fault>) {
    let mut lines: Vec<Line> = Vec::new();
    let mut faults = Vec::new();
    // The conditionals that are open: their lines' indices.
    let mut open: Vec<usize> = Vec::new();
    let mut balance = Balance::default();
    let (mut at, mut number) = (0, 1);
    while at < text.len() {
        let start = at;
        // Lines that a backslash joins are expanded together and cut again: only what begins a joint is special.
        let begins = balance.is_complete();
        if begins {
            balance = Balance::default();
        }
        let first = &text[start..start + line_length(&text[start..])];
        let kind = classify(first.trim_start_matches(is_space));
        let is_definition = kind.is_none() && definition_word(first).is_some();
        let joins = is_definition || begins && kind.is_some_and(LineKind::goes_on);
        let line = number;
        loop {
            let next = &text[at..at + line_length(&text[at..])];
            balance.add(next, at);
            at += next.len();
            number += 1;
            let ends = if joins { balance.is_complete() } else { balance.is_closed() };
            if ends || at == text.len() {
                break;
            }
        }
        let what = match kind {
            Some(kind) if kind.opens() => What::Opening { has_sections: false },
            Some(LineKind::EndIf) => What::Closing,
            Some(LineKind::Include) => What::Include,
            Some(kind) => What::Turning(kind),
            None if is_definition => What::Definition,
            None => part_of(first, RpmVersion::any()).map_or(What::Other, What::Header),
        };
        match what {
            What::Opening { .. } => open.push(lines.len()),
            What::Closing => close(&mut lines, &mut open),
            What::Header(_) => mark(&mut lines, open.last()),
            _ => {}
        }
        lines.push(Line { what, start, end: at, line });
    }
    if !balance.is_complete() {
        faults.push(Fault { at: balance.opened_at(), message: "unclosed macro or bad line continuation" });
    }
    while !open.is_empty() {
        close(&mut lines, &mut open);
    }
    (lines, faults)
}

fn mark(lines: &mut [Line], conditional: Option<&usize>) {
    if let Some(line) = conditional.and_then(|index| lines.get_mut(*index)) {
        line.what = What::Opening { has_sections: true };
    }
}

/// Ends the innermost conditional; what it holds, the one around it holds too.
fn close(lines: &mut [Line], open: &mut Vec<usize>) {
    let Some(index) = open.pop() else { return };
    if lines[index].what == (What::Opening { has_sections: true }) {
        mark(lines, open.last());
    }
}
