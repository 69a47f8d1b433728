//! Parametric macros: how arguments become `%1`, `%*`, `%{-f}`, and cease to be.

use std::sync::Arc;

use super::Level;
use super::builtin::QUOTES_VANISH;
use super::engine::{Call, Engine, Frame};
use super::limits::ARGUMENT_STEPS;
use super::options::read_options;
use super::scan::{join_quoted, split_arguments};
use super::table::{Definition, Kind};
use crate::diagnostic::Severity;

impl Engine<'_> {
    /// Adds the arguments of a call: expanded, and split where they follow a blank. What reads its text itself
    /// gets it as it is.
    pub(super) fn grab_arguments(
        &self,
        frame: &mut Frame,
        definition: &Definition,
        arguments: &mut Vec<String>,
        text: &str,
        split: bool,
    ) {
        if matches!(definition.kind, Kind::Builtin(builtin) if builtin.unparsed) {
            arguments.push(text.to_owned());
            return;
        }
        let (expanded, _, _) = self.expand_argument(frame, text, split || frame.keep_quotes);
        if split {
            arguments.extend(split_arguments(&expanded));
        } else {
            arguments.push(expanded);
        }
    }

    /// Defines `%0`, `%**`, the options, `%#`, `%1` and so on, and `%*`, at the frame's level.
    pub(super) fn set_arguments(
        &self,
        frame: &mut Frame,
        definition: &Arc<Definition>,
        mut arguments: Vec<String>,
    ) -> Call {
        let level = Level(frame.level);
        let letters = definition.options.clone().unwrap_or_default();
        let mut complete = self.argument(level, "0", &definition.name);
        let all = arguments.get(1..).unwrap_or_default();
        let quoted = self.rpm.is_at_least(QUOTES_VANISH);
        complete &= self.push_definition(Definition {
            name: "**".into(),
            options: None,
            body: if quoted { join_quoted(all).into() } else { all.join(" ").into() },
            level,
            kind: Kind::Argument,
            quoted,
            place: None,
        });
        let options = read_options(&mut arguments, &letters);
        for (letter, argument) in &options.options {
            if let Some(argument) = argument {
                complete &= self.argument(level, &format!("-{letter}"), &format!("-{letter} {argument}"));
                complete &= self.argument(level, &format!("-{letter}*"), argument);
            } else {
                complete &= self.argument(level, &format!("-{letter}"), &format!("-{letter}"));
            }
        }
        if let Some(error) = options.error {
            let name = &definition.name;
            let message = format!("Unknown option {} in {name}({letters})", error.letter());
            self.say(Severity::Error, message, Some(error.words(name)));
            frame.failed = true;
        } else {
            let others = arguments.get(options.first..).unwrap_or_default();
            complete &= self.argument(level, "#", &others.len().to_string());
            for (index, argument) in others.iter().enumerate() {
                complete &= self.argument(level, &(index + 1).to_string(), argument);
            }
            complete &= self.argument(level, "*", &others.join(" "));
        }
        if !complete {
            self.exhausted(frame);
        }
        Call { name: Arc::clone(&definition.name), options: letters, arguments }
    }

    /// Defines one of them. It takes steps, or macros that hand on thousands of arguments again and again would make a
    /// short text take minutes.
    fn argument(&self, level: Level, name: &str, body: &str) -> bool {
        self.budget.take_steps(ARGUMENT_STEPS)
            && self.budget.take_bytes(body.len())
            && self.push_at(name, None, body, level, Kind::Argument, None)
    }

    /// Ends a parametric call.
    pub(super) fn end_scope(&self, frame: &mut Frame) {
        let unused = self.table.borrow_mut().end_scope(frame.level, self.rpm.is_at_least(&[4, 20]));
        for name in unused {
            let message = format!("Macro %{name} defined but not used within scope");
            self.complain(frame, Severity::Warning, message);
        }
        frame.level -= 1;
        frame.call = None;
    }
}
