//! The macro engine: definitions, scopes, expansion, expressions and Lua (rpm-macros(7)).

mod level;

use std::path::PathBuf;

pub use level::Level;

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
    /// Loads a context: built-ins, the target's macros from rpmrc, the macro files in order, the
    /// command line's definitions. What is wrong with a file is among [`Self::take_diagnostics`].
    #[must_use]
    pub fn new(context: &MacroContext, world: &'world dyn World) -> Self {
        let _ = context;
        Self { world }
    }

    /// Expands a text as rpm would at that place. A `%define` in it takes effect.
    ///
    /// # Errors
    /// The first error that stops the expansion.
    pub fn expand(&mut self, text: &str, place: &Place) -> Result<String, Diagnostic> {
        let _ = (text, self.world);
        Err(Diagnostic::error("macros cannot be expanded yet").at(place))
    }

    /// Evaluates what follows `%if` or `%elif`: macros are expanded and the expression is evaluated as rpm does.
    ///
    /// # Errors
    /// A failing expansion, a malformed expression, or a value that is neither number nor string.
    pub fn condition(&mut self, text: &str, place: &Place) -> Result<bool, Diagnostic> {
        let _ = text;
        Err(Diagnostic::error("expressions cannot be evaluated yet").at(place))
    }

    /// Says whether a text stands in the middle of a macro: rpm then joins the next line before it expands.
    #[must_use]
    pub fn is_unfinished(text: &str) -> bool {
        let _ = text;
        false
    }

    /// Defines a macro on top of what the name meant until now. `options` is what a parametric macro's
    /// parentheses hold. `place` is where it stands, for diagnostics.
    pub fn define(&mut self, name: &str, options: Option<&str>, body: &str, level: Level, place: Option<&Place>) {
        let _ = (name, options, body, level, place);
    }

    /// Takes the newest definition of a name away; an older one shows again.
    pub fn undefine(&mut self, name: &str) {
        let _ = name;
    }

    /// Takes away every definition of a level and above (after a spec: [`Level::SPEC`]).
    pub fn forget(&mut self, level: Level) {
        let _ = level;
    }

    /// Says whether a name is defined.
    #[must_use]
    pub fn is_defined(&self, name: &str) -> bool {
        let _ = name;
        false
    }

    /// Returns a macro's unexpanded body.
    #[must_use]
    pub fn body(&self, name: &str) -> Option<String> {
        let _ = name;
        None
    }

    /// Returns where the definition in force stands, where that is known.
    #[must_use]
    pub fn place_of_definition(&self, name: &str) -> Option<Place> {
        let _ = name;
        None
    }

    /// Takes the warnings, and errors that did not stop an expansion, that arose since the last call.
    pub fn take_diagnostics(&mut self) -> Vec<Diagnostic> {
        Vec::new()
    }

    /// Sets a global Lua table of strings, as rpm does for `sources` and `patches` (full paths).
    pub fn set_lua_table(&mut self, name: &str, values: Vec<String>) {
        let _ = (name, values);
    }

    /// Sets a global Lua table of numbers, as rpm does for `source_nums` and `patch_nums`.
    pub fn set_lua_numbers(&mut self, name: &str, values: Vec<i64>) {
        let _ = (name, values);
    }

    /// Reads another macro file, as `%{load:…}` does.
    pub fn load(&mut self, file: &str, text: &str) {
        let _ = (file, text);
    }

    /// Builds for another architecture from now on, as rpm does on a spec's second pass for `BuildArch: noarch`:
    /// `%{_target_cpu}`, `%{_target}` and `%{_target_platform}`'s parts change, `%{_arch}` stays.
    pub fn set_build_arch(&mut self, arch: &str) {
        let _ = arch;
    }

    /// The architecture built for, as `%ifarch` compares it.
    #[must_use]
    pub fn build_arch(&self) -> String {
        String::new()
    }

    /// The operating system built for, as `%ifos` compares it.
    #[must_use]
    pub fn build_os(&self) -> String {
        String::new()
    }

    /// Says whether packages built for `arch` can be built on (or installed for) the context's target: rpmrc's
    /// `arch_compat`/`buildarch_compat` closure, the question behind "No compatible architectures found for build".
    #[must_use]
    pub fn is_build_arch_compatible(&self, arch: &str) -> bool {
        let _ = arch;
        false
    }
}
