//! The door to `%setup` and `%patch`, which the spec layer computes: rpm 4.18 finds them at the beginning of `%prep`'s
//! lines, since 4.20 they are macros while `%prep` is read.

use std::fmt;
use std::rc::Rc;

use super::engine::{Engine, Frame};
use super::{Level, Macros};
use crate::diagnostic::Severity;
use crate::{Place, World};

/// Why a call cannot be computed, in rpm's words.
pub(crate) enum PrepFault {
    /// The call is wrong: where it is a macro, its expansion fails.
    Wrong(String),
    /// What it asks for is not there: that is said, and the commands end where it was needed. Since 6.0 it is wrong.
    Lacking(String),
}

/// Computes the commands that `%setup` and `%patch` stand for.
pub(crate) trait PrepCommands: fmt::Debug {
    /// Writes the commands of a call to `text`. `name` is `setup` or `patch`, `line` the whole call.
    fn write(&self, name: &str, line: &str, host: &PrepHost<'_, '_>, text: &mut String) -> Result<(), PrepFault>;
}

/// What computing them may use.
pub(crate) struct PrepHost<'engine, 'world>(&'engine Engine<'world>);

impl PrepHost<'_, '_> {
    /// Expands a text; one that fails stays as it is.
    pub(crate) fn expand(&self, text: &str) -> String {
        self.0.expand_fresh(text).unwrap_or_else(|| text.to_owned())
    }

    /// Defines a macro as the spec does.
    pub(crate) fn define(&self, name: &str, body: &str) {
        self.0.push_at(name, None, body, Level::SPEC, super::table::Kind::Text, self.0.place.borrow().clone());
    }

    /// Says what may be wrong.
    pub(crate) fn warn(&self, message: String, hint: Option<&str>) {
        self.0.say(Severity::Warning, message, hint.map(str::to_owned));
    }

    /// Whether the rpm that is spoken is at least a version.
    pub(crate) fn is_at_least(&self, version: &[u32]) -> bool {
        self.0.rpm.is_at_least(version)
    }

    /// The files there are.
    pub(crate) fn world(&self) -> &dyn World {
        self.0.world
    }
}

impl Engine<'_> {
    /// Expands `%setup` or `%patch` as a macro.
    pub(super) fn run_prep(&self, frame: &mut Frame, name: &str, arguments: &[String]) {
        let Some(commands) = self.prep.borrow().clone() else { return };
        let mut words = vec![name];
        words.extend(arguments.iter().map(String::as_str));
        let mut text = String::new();
        let outcome = commands.write(name, &words.join(" "), &PrepHost(self), &mut text);
        self.append(frame, &text);
        match outcome {
            Ok(()) => {}
            Err(PrepFault::Wrong(message)) => self.fail(frame, message),
            Err(PrepFault::Lacking(message)) if self.rpm.is_at_least(&[6]) => self.fail(frame, message),
            Err(PrepFault::Lacking(message)) => self.say(Severity::Error, message, None),
        }
    }
}

impl Macros<'_> {
    /// Makes `%setup` and `%patch` macros, until [`Self::end_prep`].
    pub(crate) fn begin_prep(&mut self, commands: Rc<dyn PrepCommands>) {
        *self.engine.prep.get_mut() = Some(commands);
        for definition in super::builtin::prep_definitions() {
            self.engine.push_definition(definition);
        }
    }

    /// Takes them away.
    pub(crate) fn end_prep(&mut self) {
        for definition in super::builtin::prep_definitions() {
            self.undefine(&definition.name);
        }
        *self.engine.prep.get_mut() = None;
    }

    /// Writes the commands of a line that begins with `%setup` or `%patch`. What is wrong with it is among
    /// [`Self::take_diagnostics`].
    pub(crate) fn write_prep(
        &mut self,
        commands: &dyn PrepCommands,
        name: &str,
        line: &str,
        place: &Place,
        text: &mut String,
    ) {
        self.begin(place);
        if let Err(PrepFault::Wrong(message) | PrepFault::Lacking(message)) =
            commands.write(name, line, &PrepHost(&self.engine), text)
        {
            self.engine.say(Severity::Error, message, None);
        }
    }
}
