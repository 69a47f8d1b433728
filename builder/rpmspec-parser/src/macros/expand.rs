//! Expansion: the walk over a text that replaces every macro call by what it means.

use std::rc::Rc;
use std::sync::Arc;

use super::engine::{Engine, Frame};
use super::scan::{QUOTE, is_blank, is_line_end, macro_end, unquote};
use super::table::{Definition, Kind};
use super::{expression, limits};
use crate::diagnostic::Severity;

/// A macro call as written, found at a `%`.
struct Found<'text> {
    /// The text from which offsets count, behind the `%`.
    text: &'text str,
    /// The name, without `?`, `!` and brackets.
    name: &'text str,
    /// Offset behind the name.
    name_end: usize,
    /// Offset behind the call.
    end: usize,
    /// An odd number of `!`.
    negated: bool,
    /// A `?`.
    conditional: bool,
    /// What follows `:` in braces.
    argument: Option<&'text str>,
    /// Offset behind the arguments where a blank follows the name.
    line: Option<usize>,
    /// Where reading goes on if the call is left as it is.
    resume: usize,
}

impl Found<'_> {
    /// Whether something stands in the braces behind the name.
    fn has_argument(&self) -> bool {
        self.argument.is_some() || (self.line.is_some() && self.text.starts_with('{'))
    }
}

impl Engine<'_> {
    /// Expands a text into a frame's buffer.
    pub(super) fn expand_into(&self, frame: &mut Frame, source: &str) {
        if !self.enter(frame) {
            return;
        }
        let mut rest = source;
        while !frame.failed && !rest.is_empty() {
            let Some(percent) = memchr::memchr(b'%', rest.as_bytes()) else {
                self.append(frame, rest);
                break;
            };
            let after = &rest[percent + 1..];
            match after.as_bytes().first() {
                None => {
                    self.append(frame, rest);
                    break;
                }
                Some(b'%') => {
                    self.append(frame, &rest[..=percent]);
                    rest = &after[1..];
                    continue;
                }
                Some(_) => self.append(frame, &rest[..percent]),
            }
            if frame.failed {
                break;
            }
            if self.nesting.get() == 1 {
                self.offset.set(source.len() - rest.len() + percent);
            }
            let Some(used) = self.expand_call(frame, after) else { break };
            rest = after.get(used..).unwrap_or("");
        }
        self.leave(frame);
    }

    /// Starts a nested expansion, unless there are too many.
    pub(super) fn enter(&self, frame: &mut Frame) -> bool {
        if self.budget.is_exhausted() {
            frame.failed = true;
            return false;
        }
        if frame.depth >= limits::DEPTH || self.nesting.get() >= limits::NESTING {
            self.fail(
                frame,
                "Too many levels of recursion in macro expansion. It is likely caused by recursive macro declaration.",
            );
            return false;
        }
        frame.depth += 1;
        self.nesting.set(self.nesting.get() + 1);
        true
    }

    /// Ends a nested expansion.
    pub(super) fn leave(&self, frame: &mut Frame) {
        frame.depth -= 1;
        self.nesting.set(self.nesting.get() - 1);
    }

    /// Expands the call that `text`, which follows a `%`, starts with. Returns the offset to go on at.
    fn expand_call(&self, frame: &mut Frame, text: &str) -> Option<usize> {
        if !self.budget.take_step() {
            self.exhausted(frame);
            return None;
        }
        let first = text.as_bytes().first().copied().unwrap_or(0);
        let Some(end) = macro_end(text) else {
            self.fail(frame, format!("Unterminated {}: {text}", char::from(first)));
            return None;
        };
        match first {
            b'(' => self.shell(frame, if end > 2 { &text[1..end - 1] } else { &text[1..] }),
            b'[' => self.expression(frame, &text[1..end - 1]),
            _ => return self.expand_named(frame, &find_call(text, end)),
        }
        Some(end)
    }

    /// Expands `%name`, `%{name}` and their like.
    fn expand_named(&self, frame: &mut Frame, call: &Found<'_>) -> Option<usize> {
        if call.name.is_empty() {
            self.append(frame, "%");
            return Some(call.resume);
        }
        let definition = self.table.borrow_mut().find(call.name, frame.level);
        if call.conditional || call.name.starts_with('-') {
            if definition.is_some() != call.negated {
                match (call.argument, &definition) {
                    (Some(argument), _) if !argument.is_empty() => self.expand_into(frame, argument),
                    (_, Some(definition)) => self.run(frame, definition, None, None),
                    (_, None) => {}
                }
            }
            return Some(call.end);
        }
        let Some(definition) = definition else {
            self.append(frame, "%");
            return Some(call.resume);
        };
        match definition.kind {
            Kind::Builtin(_) => {}
            _ if definition.is_parametric() => {}
            _ => {
                if self.rpm.is_at_least(&[4, 20]) && call.has_argument() {
                    let name = &definition.name;
                    let message = format!("unexpected argument to non-parametric macro %{name}");
                    self.complain(frame, Severity::Warning, message);
                }
                self.run(frame, &definition, None, None);
                return Some(call.end);
            }
        }
        Some(self.expand_with_arguments(frame, &definition, call))
    }

    /// Expands a parametric macro or a built-in one. Returns the offset to go on at.
    fn expand_with_arguments(&self, frame: &mut Frame, definition: &Arc<Definition>, call: &Found<'_>) -> usize {
        let bare = call.name_end == call.end;
        let mut arguments = vec![definition.name.to_string()];
        if bare && matches!(definition.kind, Kind::Builtin(builtin) if builtin.unparsed) {
            // %define and its like read on as far as they like.
            let mut used = 0;
            arguments.push(call.text[call.end..].to_owned());
            self.run(frame, definition, Some(arguments), Some(&mut used));
            return call.end + used;
        }
        let line = if bare && !definition.is_parametric() { None } else { call.line };
        let mut end = call.end;
        if let Some(argument) = call.argument {
            self.grab_arguments(frame, definition, &mut arguments, argument, false);
        } else if let Some(line) = line {
            self.grab_arguments(frame, definition, &mut arguments, &call.text[call.name_end..line], true);
            let bytes = call.text.as_bytes();
            end = match bytes.get(line) {
                None => line,
                Some(b'\n') if bytes[line - 1] != b'\\' => line,
                Some(_) => line + 1,
            };
        }
        self.run(frame, definition, Some(arguments), None);
        end
    }

    /// Expands the body of a definition, or runs it if it is built in.
    pub(super) fn run(
        &self,
        frame: &mut Frame,
        definition: &Arc<Definition>,
        arguments: Option<Vec<String>>,
        used: Option<&mut usize>,
    ) {
        let previous = frame.call.clone();
        self.chain.borrow_mut().push(Arc::clone(definition));
        let start = frame.out.len();
        let step = self.begin_step(frame, definition, arguments.as_deref());
        match definition.kind {
            Kind::Builtin(builtin) => self.run_builtin(frame, builtin, arguments.as_deref(), used),
            Kind::Literal | Kind::Argument => self.append(frame, &definition.body),
            Kind::Text if definition.body.is_empty() => {}
            Kind::Text => match arguments {
                None => self.expand_body(frame, definition),
                Some(arguments) => {
                    frame.level += 1;
                    frame.call = Some(Rc::new(self.set_arguments(frame, definition, arguments)));
                    self.expand_body(frame, definition);
                    self.end_scope(frame);
                }
            },
        }
        if definition.quoted {
            if frame.keep_quotes {
                frame.has_quotes = true;
            } else {
                unquote(&mut frame.out, start);
            }
        }
        self.end_step(frame, step);
        self.chain.borrow_mut().pop();
        frame.call = previous;
    }

    /// Expands a body; where marks of quotes are kept, those inside quotes are not.
    fn expand_body(&self, frame: &mut Frame, definition: &Definition) {
        if !(definition.quoted && frame.keep_quotes) {
            return self.expand_into(frame, &definition.body);
        }
        let mut parts = definition.body.split(QUOTE);
        self.expand_into(frame, parts.next().unwrap_or_default());
        for part in parts {
            self.append(frame, QUOTE.encode_utf8(&mut [0; 4]));
            frame.keep_quotes = !frame.keep_quotes;
            self.expand_into(frame, part);
        }
        frame.keep_quotes = true;
    }

    /// `%(…)`: the command's macros are expanded, then the world runs it.
    fn shell(&self, frame: &mut Frame, command: &str) {
        let (command, failed) = self.expand_part(frame, command);
        if failed {
            return;
        }
        match self.shell_output(&command) {
            Ok(output) => {
                let output = String::from_utf8_lossy(&output);
                self.append(frame, output.trim_end_matches(['\n', '\r']));
            }
            Err(error) => {
                self.fail(frame, format!("Failed to open shell expansion pipe for command: {command}: {error}"));
            }
        }
    }

    /// `%[…]`
    fn expression(&self, frame: &mut Frame, text: &str) {
        match expression::evaluate(self, text, true) {
            Some(value) => self.append(frame, &value.to_string()),
            None => frame.failed = true,
        }
    }
}

/// Takes a call apart. `end` is its end.
fn find_call(text: &str, end: usize) -> Found<'_> {
    let bytes = text.as_bytes();
    let braced = bytes.first() == Some(&b'{');
    let start = usize::from(braced);
    let flags = bytes[start..].iter().take_while(|byte| matches!(byte, b'?' | b'!')).count();
    let name_start = start + flags;
    let negated = bytes[start..name_start].iter().filter(|byte| **byte == b'!').count() % 2 == 1;
    let conditional = bytes[start..name_start].contains(&b'?');
    let (name_end, argument, line);
    if braced {
        let length = bytes[name_start..].iter().take_while(|byte| !matches!(byte, b' ' | b':' | b'}')).count();
        name_end = name_start + length;
        argument = (bytes.get(name_end) == Some(&b':')).then(|| text.get(name_end + 1..end - 1).unwrap_or(""));
        line = (bytes.get(name_end) == Some(&b' ')).then_some(end - 1);
    } else {
        name_end = end;
        argument = None;
        line = bytes.get(end).is_some_and(|byte| is_blank(*byte)).then(|| {
            let length = bytes[end..].iter().take_while(|byte| **byte != b'\n').count();
            end + length
        });
    }
    Found {
        text,
        name: text.get(name_start..name_end).unwrap_or(""),
        name_end,
        end,
        negated,
        conditional,
        argument,
        line,
        resume: if braced { 0 } else { name_start },
    }
}

/// The length of a line with its end.
pub(super) fn line_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let length = bytes.iter().take_while(|byte| !is_line_end(**byte)).count();
    if length < bytes.len() { length + 1 } else { length }
}
