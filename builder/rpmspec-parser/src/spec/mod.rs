//! Spec files: from text to a [`SourcePackage`].

mod arguments;
pub(crate) mod balance;
mod build_scripts;
pub(crate) mod changelog;
mod completion;
pub(crate) mod conditional;
mod dependencies;
mod encoding;
mod evaluator;
mod files;
mod folders;
mod patch;
mod preamble;
mod prep;
mod qualifier;
mod reader;
mod rich;
mod scriptlets;
pub(crate) mod sections;
mod source_package;
mod sources;
mod tag_values;
pub(crate) mod tags;

pub use encoding::decode;
pub use qualifier::Qualifier;
pub use source_package::{
    BinaryPackage, ChangelogEntry, Located, Scriptlet, Sections, SourceFile, SourcePackage, Trigger, Triggers,
};

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::macros::PreparedContext;
use crate::{Diagnostic, MacroContext, Macros, World};

/// What evaluation needs to know besides the text and the macros.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The spec's path: named in diagnostics, and its folder is `%{_sourcedir}` unless the context says otherwise.
    pub path: PathBuf,
}

/// The outcome of evaluating one spec: as much as could be read, and everything there is to say.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Evaluation {
    /// The package; `None` when an error kept it from being known.
    pub package: Option<SourcePackage>,
    /// Errors and warnings, in the order they arose.
    pub diagnostics: Vec<Diagnostic>,
}

/// Evaluates a spec as rpm would for the context's architecture. Never fails and never panics: what is
/// wrong is in the diagnostics.
///
/// For many specs of one context, prepare it once and use [`evaluate_prepared`].
pub fn evaluate(text: &str, context: &MacroContext, world: &dyn World, options: &Options) -> Evaluation {
    evaluate_prepared(text, &PreparedContext::new(context), world, options)
}

/// Evaluates a spec as [`evaluate`] does, in a context that is read already. A spec's bytes are made a text by
/// [`decode`], so that what is no UTF-8 is found where rpm finds it.
pub fn evaluate_prepared(text: &str, context: &PreparedContext, world: &dyn World, options: &Options) -> Evaluation {
    evaluator::evaluate(text, context, world, options, &mut Unobserved)
}

/// Someone who looks at the macros before a spec is read and behind its last line: to follow one of them, or to
/// expand a text in what the spec has made of them.
pub trait Observer {
    /// The spec is about to be read.
    fn before(&mut self, macros: &mut Macros<'_>) {
        let _ = macros;
    }

    /// The spec is read as far as it could be. What the macros have to say from now on is the observer's to take.
    fn after(&mut self, macros: &mut Macros<'_>) {
        let _ = macros;
    }
}

struct Unobserved;

impl Observer for Unobserved {}

/// Evaluates a spec as [`evaluate_prepared`] does, under the eyes of an observer.
pub fn evaluate_observed(
    text: &str,
    context: &PreparedContext,
    world: &dyn World,
    options: &Options,
    observer: &mut dyn Observer,
) -> Evaluation {
    evaluator::evaluate(text, context, world, options, observer)
}
