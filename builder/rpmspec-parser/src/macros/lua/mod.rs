//! Lua 5.4 as rpm's macros use it: `%{lua:…}`, and `lua:function(…)` in expressions.
//!
//! Scripts of one engine share one state, as in rpm. They reach the outside only by the engine, and stop when
//! their budget of instructions or memory is used up.

mod arguments;
mod base64;
mod known;
mod library;
mod pattern;
mod pool;
mod time;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use mlua::{Function, LuaString, MultiValue};

use super::engine::{Engine, Frame};
use super::expression::Value;
use super::options::{Found, read_options};
use crate::diagnostic::Severity;
use known::Outcome;
pub(super) use pool::Pool;
use pool::{MadeFor, State};

/// What rpm gives every script: its options and its arguments.
const PARAMETERS: &str = "local opt, arg = ...;";

/// The Lua side of an engine, made when it is first needed.
#[derive(Default)]
pub(super) struct LuaState {
    pool: Arc<Pool>,
    state: OnceCell<State>,
    /// The bridge is connected: a script is running.
    connected: Cell<bool>,
    /// What scripts printed, of each script that is running.
    prints: RefCell<Vec<Vec<u8>>>,
    /// Global tables by name, and whether the state does not have them yet.
    globals: RefCell<BTreeMap<String, Global>>,
    stale: Cell<bool>,
}

/// A global table that the spec layer provides.
enum Global {
    Texts(Vec<String>),
    Numbers(Vec<i64>),
}

impl Drop for LuaState {
    fn drop(&mut self) {
        if let Some(state) = self.state.take() {
            self.pool.put(state);
        }
    }
}

impl LuaState {
    /// Sets a global table of strings.
    pub(super) fn set_texts(&self, name: &str, values: Vec<String>) {
        self.set(name, Global::Texts(values));
    }

    /// Sets a global table of numbers.
    pub(super) fn set_numbers(&self, name: &str, values: Vec<i64>) {
        self.set(name, Global::Numbers(values));
    }

    fn set(&self, name: &str, values: Global) {
        self.globals.borrow_mut().insert(name.to_owned(), values);
        self.stale.set(true);
    }

    /// Adds a string to a global table of strings, and a number to one of numbers.
    pub(super) fn push(&self, texts: &str, text: String, numbers: &str, number: i64) {
        let mut globals = self.globals.borrow_mut();
        if let Some(Global::Texts(values)) = globals.get_mut(texts) {
            values.push(text);
        }
        if let Some(Global::Numbers(values)) = globals.get_mut(numbers) {
            values.push(number);
        }
        self.stale.set(true);
    }

    /// A Lua side that shares its states with others of the same context.
    pub(super) fn of(pool: Arc<Pool>) -> Self {
        let mut state = Self::default();
        state.pool = pool;
        state
    }

    /// Takes some of what scripts may take.
    fn budget(&self, cost: u64) -> bool {
        self.state.get().is_none_or(|state| state.budget.take(cost))
    }

    /// The state, ready to run: global tables are as they were last set.
    fn get(&self, engine: &Engine<'_>) -> mlua::Result<&State> {
        let state = match self.state.get() {
            Some(state) => state,
            None => {
                let (folder, lua) = (engine.config_directory(), engine.world.lua_version().to_owned());
                let state = self.pool.take(MadeFor { folder, lua, rpm: engine.rpm.number() })?;
                self.state.get_or_init(|| state)
            }
        };
        if self.stale.replace(false) {
            for (name, global) in &*self.globals.borrow() {
                let table = match global {
                    Global::Texts(texts) => state.lua.create_sequence_from(texts.iter().map(String::as_str))?,
                    Global::Numbers(numbers) => state.lua.create_sequence_from(numbers.iter().copied())?,
                };
                state.lua.globals().set(name.as_str(), table)?;
            }
        }
        Ok(state)
    }
}

impl Engine<'_> {
    /// `%{lua:…}`: runs a script and appends what it prints and returns.
    pub(super) fn run_lua(&self, frame: &mut Frame, script: &str) {
        let call = frame.call.clone();
        let name = call.as_ref().map_or("<lua>", |call| &*call.name);
        let mut options = Vec::new();
        let mut arguments = Vec::new();
        if let Some(call) = &call {
            let mut words = call.arguments.clone();
            let found = read_options(&mut words, &call.options);
            if let Some(error) = found.error {
                let message = format!("Unknown option {} in {name}({})", error.letter(), call.options);
                self.say(Severity::Error, message, Some(error.words(name)));
                frame.failed = true;
                return;
            }
            options = found.options;
            arguments = words.split_off(found.first.min(words.len()));
        }
        self.run_script(frame, name, script, options, arguments);
    }

    /// Runs a script under a name, with options and arguments, and appends what it prints and returns.
    pub(super) fn run_script(
        &self,
        frame: &mut Frame,
        name: &str,
        script: &str,
        options: Vec<Found>,
        arguments: Vec<String>,
    ) {
        let outer = (self.lua_depth.replace(frame.depth), self.lua_level.replace(frame.level));
        let outcome = self.without_lua(name, script, &options, &arguments);
        let outcome = outcome.unwrap_or_else(|| self.within_lua(name, script, options, arguments));
        self.lua_depth.set(outer.0);
        self.lua_level.set(outer.1);
        if let Err(message) = outcome.result {
            self.fail(frame, message);
        }
        self.append(frame, outcome.printed.split('\0').next().unwrap_or(""));
    }

    fn within_lua(&self, name: &str, script: &str, options: Vec<Found>, arguments: Vec<String>) -> Outcome {
        self.lua.prints.borrow_mut().push(Vec::new());
        let outcome = self.connected(|state| {
            let State { lua, bridge, .. } = state;
            let chunk = match state.compile(name, format!("{PARAMETERS}{script}")) {
                Ok(chunk) => chunk,
                Err(error) => return Ok(Err(format!("invalid syntax in lua script: {}", words_of(&error)))),
            };
            let option_table = lua.create_table()?;
            for (letter, argument) in options {
                option_table.set(letter.to_string(), argument.unwrap_or_default())?;
            }
            let argument_table = lua.create_sequence_from(arguments)?;
            let run: Function = bridge.get("run")?;
            let (right, message): (bool, Option<LuaString>) = run.call((chunk, option_table, argument_table))?;
            Ok(if right { Ok(()) } else { Err(message.map(|text| text.to_string_lossy()).unwrap_or_default()) })
        });
        let printed = self.lua.prints.borrow_mut().pop().unwrap_or_default();
        Outcome {
            printed: String::from_utf8_lossy(&printed).into_owned(),
            result: outcome.unwrap_or_else(|error| Err(format!("lua script failed: {}", words_of(&error)))),
        }
    }

    /// What Lua says about a script's syntax.
    pub(super) fn lua_syntax_error(&self, script: &str, name: &str) -> Option<String> {
        let state = self.lua.get(self).ok()?;
        state.compile(name, format!("{PARAMETERS}{script}")).err().map(|error| words_of(&error))
    }

    /// `lua:function(…)` in an expression. `None` after an error, which is in the log.
    pub(super) fn call_lua(&self, function: &str, arguments: &[Value]) -> Option<String> {
        let outcome = self.connected(|state| {
            let State { lua, bridge, .. } = state;
            let chunk = match state.compile(function, format!("return ({function})(...)")) {
                Ok(chunk) => chunk,
                Err(error) => return Ok((false, words_of(&error))),
            };
            let mut values = MultiValue::new();
            values.push_back(mlua::Value::Function(chunk));
            for argument in arguments {
                values.push_back(match argument {
                    Value::Integer(number) => mlua::Value::Integer(i64::from(*number)),
                    other => mlua::Value::String(lua.create_string(other.to_string())?),
                });
            }
            let invoke: Function = bridge.get("invoke")?;
            let (right, text): (bool, LuaString) = invoke.call(values)?;
            Ok((right, text.to_string_lossy()))
        });
        let message = match outcome {
            Ok((true, text)) => return Some(text),
            Ok((false, message)) => message,
            Err(error) => words_of(&error),
        };
        self.say(Severity::Error, format!("{function}: {message}"), None);
        None
    }

    /// Runs something in Lua with the bridge connected to this engine.
    fn connected<R>(&self, action: impl FnOnce(&State) -> mlua::Result<R>) -> mlua::Result<R> {
        let state = self.lua.get(self)?;
        if self.lua.connected.get() {
            return action(state);
        }
        let State { lua, bridge, .. } = state;
        lua.scope(|scope| {
            let call = scope.create_function(|lua, (name, arguments): (LuaString, MultiValue)| {
                self.answer(lua, &name.to_string_lossy(), &arguments)
            })?;
            bridge.raw_set("call", call)?;
            self.lua.connected.set(true);
            let result = action(state);
            self.lua.connected.set(false);
            result
        })
    }
}

/// Lua's own words for an error, without the stack trace.
fn words_of(error: &mlua::Error) -> String {
    let text = match error {
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        mlua::Error::RuntimeError(message) => message.clone(),
        mlua::Error::MemoryError(_) => "not enough memory".into(),
        mlua::Error::CallbackError { cause, .. } => words_of(cause),
        other => other.to_string(),
    };
    match text.find("\nstack traceback:") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
