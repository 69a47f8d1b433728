//! The right-aligned verb column, with or without colour. Colours only repeat what the words already say.

use std::fmt::Display;

/// Width of the verb column.
const VERB_COLUMNS: usize = 12;

/// What a colour stands for; fixed everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Done (green).
    Good,
    /// Failed (red).
    Bad,
    /// Needs a look (yellow).
    Warning,
    /// Under way, hints, names (cyan).
    Note,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Warning => "33",
            Tone::Note => "36",
        }
    }
}

/// Text in bold colour if `colour`, else as it is.
pub(crate) fn paint(tone: Tone, text: impl Display, colour: bool) -> String {
    if colour { format!("\u{1b}[1;{}m{text}\u{1b}[0m", tone.code()) } else { text.to_string() }
}

/// `   Evaluated 412 specs`: the verb right-aligned (before it is painted, so that columns hold), then the rest.
pub(crate) fn verb_line(tone: Tone, verb: &str, rest: impl Display, colour: bool) -> String {
    format!("{} {rest}", paint(tone, format_args!("{verb:>VERB_COLUMNS$}"), colour))
}

/// A line that continues the one above, under its text.
pub(crate) fn continuation(rest: impl Display) -> String {
    format!("{:VERB_COLUMNS$} {rest}", "")
}
