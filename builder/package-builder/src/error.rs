//! The one error of the command line: what went wrong, what to type next, and the exit code.

use std::fmt;
use std::process::ExitCode;

/// What kind of end a command came to; each has its documented exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Something failed to build (1).
    BuildFailed,
    /// The answer to a question is no (1).
    No,
    /// The command line is wrong (2).
    Usage,
    /// The tree has broken input: a spec, a checksum, a setting, a cycle (3).
    Input,
    /// The machine or a service failed, not the tree (4).
    Infrastructure,
    /// The time window ended before all was done (5).
    Incomplete,
    /// The user stopped it (130).
    Interrupted,
}

impl ErrorKind {
    /// The exit code of this kind of end.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::BuildFailed | Self::No => 1,
            Self::Usage => 2,
            Self::Input => 3,
            Self::Infrastructure => 4,
            Self::Incomplete => 5,
            Self::Interrupted => 130,
        }
    }
}

/// An error as the user sees it.
#[derive(Debug)]
pub struct CommandError {
    /// The kind, which gives the exit code.
    pub kind: ErrorKind,
    /// What is wrong, in one lowercase sentence; may have more lines of detail.
    pub message: String,
    /// What to type or look at next.
    pub hints: Vec<String>,
}

impl CommandError {
    /// An error of a kind.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new() }
    }

    /// A mistake in the tree.
    #[must_use]
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Input, message)
    }

    /// A mistake on the command line.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// A failure of the machine.
    #[must_use]
    pub fn infrastructure(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Infrastructure, message)
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The process's exit code.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind.code())
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "error: {}", self.message)?;
        for hint in &self.hints {
            write!(formatter, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CommandError {}

/// Names the path in an I/O error, so that none is ever shown without one.
pub trait IoContext<T> {
    /// Turns the error into a [`CommandError`] that says what was being done to which path.
    ///
    /// # Errors
    /// The original error, with its context.
    fn doing(self, action: &str, path: &std::path::Path) -> Result<T, CommandError>;
}

impl<T> IoContext<T> for std::io::Result<T> {
    fn doing(self, action: &str, path: &std::path::Path) -> Result<T, CommandError> {
        self.map_err(|error| {
            let failure = CommandError::infrastructure(format!("cannot {action} `{}`: {error}", path.display()));
            match error.kind() {
                std::io::ErrorKind::StorageFull => failure.hint(
                    "the disk is full; free some space, or `package-builder clean`, and run the same command again",
                ),
                _ => failure,
            }
        })
    }
}
