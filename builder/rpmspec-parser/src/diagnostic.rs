//! Errors and warnings of evaluation, with the place they are at and how expansion got there.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// rpm goes on and so do we.
    Warning,
    /// The spec cannot be built as it is.
    Error,
}

/// A place in a file: line and column count from 1, the column in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The file as the caller named it; `<command line>` and the like for other origins.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The column in bytes, from 1; 1 where only the line is known.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One macro that was being expanded when a diagnostic arose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expansion {
    /// The macro's name, without `%`.
    pub name: String,
    /// Where it was defined, where known.
    pub defined_at: Option<Place>,
}

/// One thing to tell the spec's author.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong: rpm's own words where rpm has any, a lowercase fragment otherwise.
    pub message: String,
    /// Where.
    pub place: Option<Place>,
    /// The macros being expanded, outermost first.
    pub expansions: Vec<Expansion>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// Starts an error without a place.
    #[must_use]
    pub fn error(message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), place: None, expansions: Vec::new(), hint: None }
    }

    /// Starts a warning without a place.
    #[must_use]
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    /// Sets the place.
    #[must_use]
    pub fn at(mut self, place: &Place) -> Self {
        self.place = Some(place.clone());
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(formatter, "{place}: ")?;
        }
        match self.severity {
            Severity::Error => write!(formatter, "error: {}", self.message)?,
            Severity::Warning => write!(formatter, "warning: {}", self.message)?,
        }
        if let Some(hint) = &self.hint {
            write!(formatter, " (hint: {hint})")?;
        }
        Ok(())
    }
}
