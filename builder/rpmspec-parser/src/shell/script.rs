//! What a script is made of, as far as it is understood here.

/// Commands, each with the condition under which it runs.
pub(super) type List = Vec<(When, Pipeline)>;

/// A word's pieces, glued together when it is expanded.
pub(super) type Word = Vec<Piece>;

/// Under which outcome of the command before a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Always,
    Success,
    Failure,
}

/// Commands whose outputs are the next one's input.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub negated: bool,
    pub commands: Vec<Command>,
}

#[derive(Debug)]
pub(super) enum Command {
    /// Assignments, or words of which the first is the command.
    Simple { assignments: Vec<(String, Word)>, words: Vec<Word> },
    /// Conditions with what follows from them, and what is done without any.
    If { branches: Vec<(List, List)>, otherwise: Option<List> },
}

#[derive(Debug)]
pub(super) enum Piece {
    Text { text: String, quoted: bool },
    Variable { name: String, operation: Operation, quoted: bool },
    Command { list: List, quoted: bool },
    Arithmetic(Word),
}

/// What `${NAME…}` does to the value.
#[derive(Debug)]
pub(super) enum Operation {
    Value,
    Length,
    /// `#` and `##`.
    WithoutPrefix {
        pattern: String,
        longest: bool,
    },
    /// `%` and `%%`.
    WithoutSuffix {
        pattern: String,
        longest: bool,
    },
    /// `/` and `//`.
    Replace {
        from: String,
        to: String,
        all: bool,
    },
    /// `-` and `:-`.
    Otherwise {
        word: String,
        empty_too: bool,
    },
    /// `+` and `:+`.
    Instead {
        word: String,
        empty_too: bool,
    },
}
