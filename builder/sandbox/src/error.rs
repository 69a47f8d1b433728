//! The one error type of this crate.

/// Why a sandbox could not do what it was asked; a failing command is no error.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// This kind of sandbox does not work on this host.
    #[error("{reason}")]
    Unavailable {
        /// What is missing.
        reason: String,
        /// The exact thing to type.
        hint: String,
    },
    /// The sandbox broke: not the command's fault.
    #[error("{action}: {reason}")]
    Failed {
        /// What was being done.
        action: String,
        /// What went wrong.
        reason: String,
    },
}

impl SandboxError {
    /// A [`SandboxError::Failed`]: `action` is what was being done, `reason` is what went wrong.
    pub(crate) fn failed(action: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self::Failed { action: action.into(), reason: reason.to_string() }
    }
}
