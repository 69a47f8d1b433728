//! Lua 5.4 as rpm's macros use it: `%{lua:…}`, and `lua:function(…)` in expressions.
//!
//! Scripts of one engine share one state, as in rpm. They reach the outside only by the engine, and stop when
//! their budget of instructions or memory is used up.

mod base64;
mod library;
mod pattern;
mod time;

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use mlua::chunk::ChunkMode;
use mlua::{Function, HookTriggers, Lua, LuaOptions, LuaString, MultiValue, StdLib, Table, VmState};

use super::engine::{Engine, Frame};
use super::expression::Value;
use super::limits;
use super::options::read_options;
use crate::diagnostic::Severity;

/// What rpm gives every script: its options and its arguments.
const PARAMETERS: &str = "local opt, arg = ...;";

/// The Lua side of an engine, made when it is first needed.
#[derive(Default)]
pub(super) struct LuaState {
    state: OnceCell<(Lua, Table)>,
    /// The bridge is connected: a script is running.
    connected: Cell<bool>,
    /// What scripts printed, of each script that is running.
    prints: RefCell<Vec<Vec<u8>>>,
    /// Global tables to set, by name.
    globals: RefCell<Vec<(String, Global)>>,
    budget: Arc<LuaBudget>,
}

/// A global table that the spec layer provides.
enum Global {
    Texts(Vec<String>),
    Numbers(Vec<i64>),
}

/// Instructions left.
#[derive(Debug)]
struct LuaBudget {
    left: AtomicU64,
    exhausted: AtomicBool,
}

impl Default for LuaBudget {
    fn default() -> Self {
        Self { left: AtomicU64::new(limits::LUA_INSTRUCTIONS), exhausted: AtomicBool::new(false) }
    }
}

impl LuaBudget {
    /// Takes some; once they are used up, nothing runs any more.
    fn take(&self, cost: u64) -> bool {
        // One thread at a time runs a state, so nothing changes between the two.
        let left = self.left.load(Ordering::Relaxed).checked_sub(cost);
        self.left.store(left.unwrap_or(0), Ordering::Relaxed);
        if left.is_none() {
            self.exhausted.store(true, Ordering::Relaxed);
        }
        left.is_some()
    }
}

impl LuaState {
    /// Sets a global table of strings.
    pub(super) fn set_texts(&self, name: &str, values: Vec<String>) {
        self.globals.borrow_mut().push((name.to_owned(), Global::Texts(values)));
    }

    /// Sets a global table of numbers.
    pub(super) fn set_numbers(&self, name: &str, values: Vec<i64>) {
        self.globals.borrow_mut().push((name.to_owned(), Global::Numbers(values)));
    }

    /// The state and its bridge, ready to run: global tables are as they were last set.
    fn get(&self, engine: &Engine<'_>) -> mlua::Result<&(Lua, Table)> {
        let state = match self.state.get() {
            Some(state) => state,
            None => {
                let made = self.create(&engine.config_directory())?;
                self.state.get_or_init(|| made)
            }
        };
        for (name, global) in self.globals.borrow_mut().drain(..) {
            let table = match global {
                Global::Texts(texts) => state.0.create_sequence_from(texts)?,
                Global::Numbers(numbers) => state.0.create_sequence_from(numbers)?,
            };
            state.0.globals().set(name, table)?;
        }
        Ok(state)
    }

    fn create(&self, config_directory: &str) -> mlua::Result<(Lua, Table)> {
        let libraries = StdLib::COROUTINE | StdLib::MATH | StdLib::STRING | StdLib::TABLE | StdLib::UTF8;
        let lua = Lua::new_with(libraries, LuaOptions::default())?;
        lua.set_memory_limit(limits::LUA_MEMORY)?;
        let bridge = lua.create_table()?;
        bridge.set("config_directory", config_directory)?;
        let budget = Arc::clone(&self.budget);
        bridge.set("exhausted", lua.create_function(move |_, ()| Ok(budget.exhausted.load(Ordering::Relaxed)))?)?;
        let budget = Arc::clone(&self.budget);
        bridge.set(
            "collected",
            lua.create_function(move |lua, ()| {
                budget.take(u64::try_from(lua.used_memory() / limits::LUA_COPY).unwrap_or(u64::MAX));
                Ok(())
            })?,
        )?;
        lua.load(include_str!("prelude.lua")).set_name("=rpm").set_mode(ChunkMode::Text).call::<()>(&bridge)?;
        let budget = Arc::clone(&self.budget);
        let triggers = HookTriggers::new().every_nth_instruction(limits::LUA_INTERVAL);
        lua.set_global_hook(triggers, move |_, _| {
            if budget.take(u64::from(limits::LUA_INTERVAL)) {
                Ok(VmState::Continue)
            } else {
                Err(mlua::Error::runtime("lua script takes too long"))
            }
        })?;
        Ok((lua, bridge))
    }
}

impl Engine<'_> {
    /// `%{lua:…}`: runs a script and appends what it prints and returns.
    pub(super) fn run_lua(&self, frame: &mut Frame, script: &str) {
        let call = frame.call.clone();
        let name = call.as_ref().map_or("<lua>", |call| &call.name);
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
        let outer = (self.lua_depth.replace(frame.depth), self.lua_level.replace(frame.level));
        self.lua.prints.borrow_mut().push(Vec::new());
        let outcome = self.connected(|lua, bridge| {
            let chunk =
                lua.load(format!("{PARAMETERS}{script}")).set_name(name).set_mode(ChunkMode::Text).into_function();
            let chunk = match chunk {
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
        self.lua_depth.set(outer.0);
        self.lua_level.set(outer.1);
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(message)) => self.fail(frame, message),
            Err(error) => self.fail(frame, format!("lua script failed: {}", words_of(&error))),
        }
        let printed = String::from_utf8_lossy(&printed);
        self.append(frame, printed.split('\0').next().unwrap_or(""));
    }

    /// What Lua says about a script's syntax.
    pub(super) fn lua_syntax_error(&self, script: &str, name: &str) -> Option<String> {
        let (lua, _) = self.lua.get(self).ok()?;
        let chunk = lua.load(format!("{PARAMETERS}{script}")).set_name(name).set_mode(ChunkMode::Text);
        chunk.into_function().err().map(|error| words_of(&error))
    }

    /// `lua:function(…)` in an expression. `None` after an error, which is in the log.
    pub(super) fn call_lua(&self, function: &str, arguments: &[Value]) -> Option<String> {
        let outcome = self.connected(|lua, bridge| {
            let chunk = lua
                .load(format!("return ({function})(...)"))
                .set_name(function)
                .set_mode(ChunkMode::Text)
                .into_function();
            let chunk = match chunk {
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
    fn connected<R>(&self, action: impl FnOnce(&Lua, &Table) -> mlua::Result<R>) -> mlua::Result<R> {
        let (lua, bridge) = self.lua.get(self)?;
        if self.lua.connected.get() {
            return action(lua, bridge);
        }
        lua.scope(|scope| {
            let call = scope.create_function(|lua, (name, arguments): (LuaString, MultiValue)| {
                self.answer(lua, &name.to_string_lossy(), &arguments)
            })?;
            bridge.raw_set("call", call)?;
            self.lua.connected.set(true);
            let result = action(lua, bridge);
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
