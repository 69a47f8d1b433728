//! The macro engine: definitions, scopes, expansion, expressions and Lua (rpm-macros(7)).

use std::path::PathBuf;

use crate::{Diagnostic, Place, World};

/// The macro world a spec is evaluated in, as data: which files are loaded in which order for which
/// target, and what the command line defines on top.
#[derive(Clone, Debug, Default)]
pub struct MacroContext {
    /// Macro files in load order, later ones win: the name as macros and diagnostics see it, and the text.
    pub files: Vec<(PathBuf, String)>,
    /// `rpmrc` texts in load order, for architecture compatibility and optflags.
    pub rpmrc: Vec<String>,
    /// The architecture built for, as `%{_target_cpu}` (`x86_64`).
    pub target_cpu: String,
    /// The operating system built for, as `%{_target_os}` (`linux`).
    pub target_os: String,
    /// `--define` values as (name with options, body), defined last.
    pub defines: Vec<(String, String)>,
}

/// Macro definitions in force, and everything that can be expanded with them.
pub struct Macros<'world> {
    world: &'world dyn World,
}

impl<'world> Macros<'world> {
    /// Loads a context.
    #[must_use]
    pub fn new(context: &MacroContext, world: &'world dyn World) -> Self {
        let _ = context;
        Self { world }
    }

    /// Expands a text as rpm would at that place.
    ///
    /// # Errors
    /// The first error that stops the expansion.
    pub fn expand(&mut self, text: &str, place: &Place) -> Result<String, Diagnostic> {
        let _ = (text, self.world);
        Err(Diagnostic::error("macros cannot be expanded yet").at(place))
    }
}
