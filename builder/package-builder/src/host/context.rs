//! The macro world that specs are evaluated in, read when the first one needs it.

use std::sync::OnceLock;

use rpmspec_parser::{MacroContext, PreparedContext};

/// A macro context without some of its definitions. Reading it takes longer than looking up what is known of a
/// hundred specs, so it waits until a spec must be evaluated.
#[derive(Debug)]
pub struct Context {
    source: MacroContext,
    undefined: Vec<String>,
    prepared: OnceLock<PreparedContext>,
}

impl Context {
    /// The context without the newest definition of each of these names, as `--undefine` takes them away.
    #[must_use]
    pub fn new(source: MacroContext, undefined: Vec<String>) -> Self {
        Self { source, undefined, prepared: OnceLock::new() }
    }

    /// The files and definitions it is made of.
    #[must_use]
    pub fn source(&self) -> &MacroContext {
        &self.source
    }

    /// The definitions that are taken away.
    #[must_use]
    pub fn undefined(&self) -> &[String] {
        &self.undefined
    }

    /// The context, read.
    #[must_use]
    pub fn prepared(&self) -> &PreparedContext {
        self.prepared.get_or_init(|| {
            let without = |prepared: PreparedContext, name: &String| prepared.without_definition(name);
            self.undefined.iter().fold(PreparedContext::new(&self.source), without)
        })
    }

    /// Whether a spec has needed it.
    #[cfg(test)]
    pub(super) fn is_read(&self) -> bool {
        self.prepared.get().is_some()
    }
}
