//! The engine's state, and what every part of it uses: messages, limits, definitions.
//!
//! Everything is behind `&self`, because Lua calls back into an expansion that is under way.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use super::RpmVersion;
use super::lua::LuaState;
use super::prep::PrepCommands;
use super::rpmrc::Rpmrc;
use super::table::{Definition, Kind, MacroTable};
use super::trace::Trace;
use super::{Level, limits, text};
use crate::diagnostic::{Expansion, Severity};
use crate::{Diagnostic, Place, World};

/// The parametric call that is under way, as Lua sees it.
#[derive(Debug)]
pub(super) struct Call {
    /// The macro's name.
    pub(super) name: Arc<str>,
    /// Its options.
    pub(super) options: Box<str>,
    /// The name, then the arguments, options first.
    pub(super) arguments: Vec<String>,
}

/// One expansion into one buffer.
#[derive(Debug, Default)]
pub(super) struct Frame {
    /// What was expanded so far.
    pub(super) out: String,
    /// How deep expansions are nested.
    pub(super) depth: u32,
    /// How deep parametric calls are nested; a definition made here has this level.
    pub(super) level: i32,
    /// An error stopped it.
    pub(super) failed: bool,
    /// The innermost parametric call.
    pub(super) call: Option<Rc<Call>>,
    /// The marks of quotes are kept (since 4.20): what is expanded will be split into arguments.
    pub(super) keep_quotes: bool,
    /// There are some in the buffer.
    pub(super) has_quotes: bool,
}

impl Frame {
    /// An expansion into a buffer of its own, at the same depth and inside the same call.
    pub(super) fn nested(&self) -> Self {
        Self { call: self.call.clone(), depth: self.depth, level: self.level, ..Self::default() }
    }
}

/// The macro engine.
pub(super) struct Engine<'world> {
    pub(super) world: &'world dyn World,
    /// The version of rpm whose language is spoken.
    pub(super) rpm: RpmVersion,
    pub(super) table: RefCell<MacroTable>,
    pub(super) rpmrc: Arc<Rpmrc>,
    pub(super) lua: LuaState,
    /// Everything there is to say, in order.
    pub(super) log: RefCell<Vec<Diagnostic>>,
    /// Where the text that is expanded stands.
    pub(super) place: RefCell<Option<Place>>,
    /// Whether it is a macro file's.
    pub(super) loading: Cell<bool>,
    /// The spec's file that is read, and the last line of it that was.
    pub(super) reading: RefCell<(Arc<str>, u32)>,
    /// How far into that text expansion is: where the outermost macro stands.
    pub(super) offset: Cell<usize>,
    /// The macros being expanded, outermost first.
    pub(super) chain: RefCell<Vec<Arc<Definition>>>,
    /// Depth and level at which Lua, if any runs, was called: what it expands goes on from there.
    pub(super) lua_depth: Cell<u32>,
    pub(super) lua_level: Cell<i32>,
    /// Variables that Lua set; they hide the world's.
    pub(super) environment: RefCell<BTreeMap<String, Option<String>>>,
    /// Whether rpm would be verbose.
    pub(super) verbose: Cell<bool>,
    /// Expansions on the native stack.
    pub(super) nesting: Cell<u32>,
    pub(super) budget: limits::Budget,
    /// The macro that is followed, if any.
    pub(super) trace: Trace,
    /// What `%setup` and `%patch` stand for while `%prep` is read (since rpm 4.20).
    pub(super) prep: RefCell<Option<Rc<dyn PrepCommands>>>,
}

impl<'world> Engine<'world> {
    /// An expansion that is not part of another; inside Lua it goes on where Lua was called.
    pub(super) fn fresh_frame(&self) -> Frame {
        Frame { depth: self.lua_depth.get(), level: self.lua_level.get(), ..Frame::default() }
    }

    /// Returns a variable of the environment.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        match self.environment.borrow().get(name) {
            Some(value) => value.clone(),
            None => self.world.environment(name),
        }
    }

    /// Runs a command in the environment that Lua made.
    pub(super) fn shell_output(&self, command: &str) -> io::Result<Vec<u8>> {
        let environment = self.environment.borrow();
        if environment.is_empty() {
            let plain = self.world.plain_commands().then(|| crate::shell::answer(command, self.world)).flatten();
            return plain.map_or_else(|| self.world.shell(command), Ok);
        }
        let mut script = String::new();
        for (name, value) in &*environment {
            script += &match value {
                Some(value) => format!("export {name}={}\n", text::shell_quote(value)),
                None => format!("unset {name}\n"),
            };
        }
        self.world.shell(&(script + command))
    }

    /// Says something, and stops the frame if it is an error.
    pub(super) fn complain(&self, frame: &mut Frame, severity: Severity, message: impl Into<String>) {
        self.say(severity, message, None);
        if severity == Severity::Error {
            frame.failed = true;
        }
    }

    /// Says an error, and stops the frame.
    pub(super) fn fail(&self, frame: &mut Frame, message: impl Into<String>) {
        self.complain(frame, Severity::Error, message);
    }

    /// Adds to what there is to say, with the place and the macros being expanded.
    pub(super) fn say(&self, severity: Severity, message: impl Into<String>, hint: Option<String>) {
        let mut log = self.log.borrow_mut();
        if log.len() >= limits::MESSAGES {
            return;
        }
        let expansions = self
            .chain
            .borrow()
            .iter()
            .map(|definition| Expansion { name: definition.name.to_string(), defined_at: definition.place.clone() })
            .collect();
        let message = message.into();
        log.push(Diagnostic { severity, message, place: self.place_of_use(), expansions, hint });
    }

    /// Where the outermost macro stands that is being expanded; the column counts from the text's beginning.
    pub(super) fn place_of_use(&self) -> Option<Place> {
        let mut place = self.place.borrow().clone();
        if let Some(place) = place.as_mut().filter(|_| !self.loading.get()) {
            let offset = u32::try_from(self.offset.get()).unwrap_or(u32::MAX);
            place.column = place.column.saturating_add(offset);
        }
        place
    }

    /// Appends to a frame's buffer, within the limits.
    pub(super) fn append(&self, frame: &mut Frame, text: &str) {
        if frame.out.len() + text.len() > limits::BUFFER || !self.budget.take_bytes(text.len()) {
            self.exhausted(frame);
            return;
        }
        frame.out.push_str(text);
    }

    /// Stops everything because a limit is reached.
    pub(super) fn exhausted(&self, frame: &mut Frame) {
        frame.failed = true;
        if self.budget.exhaust() {
            self.say(
                Severity::Error,
                "macro expansion takes too many steps or too much memory",
                Some("look for a macro that doubles its text again and again".into()),
            );
        }
    }

    /// Defines a macro at a place. Says no when all definitions together are too large.
    pub(super) fn push_at(
        &self,
        name: &str,
        options: Option<&str>,
        body: &str,
        level: Level,
        kind: Kind,
        place: Option<Place>,
    ) -> bool {
        self.push_definition(Definition {
            name: name.into(),
            options: options.map(Into::into),
            body: body.into(),
            level,
            kind,
            quoted: false,
            place,
        })
    }

    /// Makes a definition. Says no when all definitions together are too large.
    pub(super) fn push_definition(&self, definition: Definition) -> bool {
        let mut table = self.table.borrow_mut();
        if table.size() + definition.body.len() > limits::TABLE {
            return false;
        }
        table.push(definition);
        true
    }

    /// Expands a text that is not part of a larger one and returns the result; `None` after an error, which is
    /// in the log.
    pub(super) fn expand_fresh(&self, text: &str) -> Option<String> {
        let mut frame = self.fresh_frame();
        self.expand_into(&mut frame, text);
        (!frame.failed).then(|| until_nul(frame.out))
    }

    /// Expands an argument, or the body of `%global`, into a string of its own, with the marks of quotes or without.
    /// Says whether that failed, and whether there are marks in it.
    pub(super) fn expand_argument(&self, frame: &mut Frame, text: &str, keep_quotes: bool) -> (String, bool, bool) {
        let mut part = Frame { keep_quotes, ..frame.nested() };
        self.expand_into(&mut part, text);
        frame.failed |= part.failed;
        (until_nul(part.out), part.failed, part.has_quotes)
    }

    /// Expands a part of a text into a string of its own. An error stops the outer frame too, but the result
    /// is what was expanded before it.
    pub(super) fn expand_part(&self, frame: &mut Frame, text: &str) -> (String, bool) {
        let mut part = frame.nested();
        self.expand_into(&mut part, text);
        frame.failed |= part.failed;
        (until_nul(part.out), part.failed)
    }
}

/// C's strings end at a NUL; only a shell can write one.
fn until_nul(mut text: String) -> String {
    if let Some(end) = text.find('\0') {
        text.truncate(end);
    }
    text
}
