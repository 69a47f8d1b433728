//! Lua states for many specs: making one takes longer than all that most specs ask of it, so it is used again,
//! once everything a script can reach is as it was.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mlua::chunk::ChunkMode;
use mlua::{Function, HookTriggers, Lua, LuaOptions, StdLib, Table, VmState};

use crate::macros::limits;

/// What a state has besides Lua's own: one script in three files.
const PRELUDE: &str = concat!(include_str!("prelude.lua"), include_str!("system.lua"), include_str!("modules.lua"));

/// States that wait for the next spec.
const MOST_IDLE: usize = 64;

/// Scripts that are kept compiled, and bytes of each.
const MOST_CHUNKS: usize = 128;
const LARGEST_CHUNK: usize = 16 << 10;

/// Instructions left.
#[derive(Debug)]
pub(super) struct LuaBudget {
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
    pub(super) fn take(&self, cost: u64) -> bool {
        // One thread at a time runs a state, so nothing changes between the two.
        let left = self.left.load(Ordering::Relaxed).checked_sub(cost);
        self.left.store(left.unwrap_or(0), Ordering::Relaxed);
        if left.is_none() {
            self.exhausted.store(true, Ordering::Relaxed);
        }
        left.is_some()
    }

    fn renew(&self) {
        self.left.store(limits::LUA_INSTRUCTIONS, Ordering::Relaxed);
    }

    fn is_exhausted(&self) -> bool {
        self.exhausted.load(Ordering::Relaxed)
    }
}

/// What a state is made for.
#[derive(PartialEq, Eq)]
pub(super) struct MadeFor {
    /// rpm's folder.
    pub(super) folder: String,
    /// The version of Lua scripts are told.
    pub(super) lua: String,
    /// rpm's version as a number: 42001 is 4.20.1.
    pub(super) rpm: u32,
}

/// A state, and the table through which it and the engine call each other.
pub(super) struct State {
    pub(super) lua: Lua,
    pub(super) bridge: Table,
    pub(super) budget: Arc<LuaBudget>,
    made_for: MadeFor,
    chunks: RefCell<HashMap<String, Function>>,
}

impl State {
    fn new(made_for: MadeFor) -> mlua::Result<Self> {
        let libraries = StdLib::COROUTINE | StdLib::MATH | StdLib::STRING | StdLib::TABLE | StdLib::UTF8;
        let lua = Lua::new_with(libraries, LuaOptions::default())?;
        lua.set_memory_limit(limits::LUA_MEMORY)?;
        let budget = Arc::<LuaBudget>::default();
        let bridge = lua.create_table()?;
        bridge.set("config_directory", made_for.folder.as_str())?;
        bridge.set("rpm", made_for.rpm)?;
        lua.globals().set("_VERSION", made_for.lua.as_str())?;
        let counted = Arc::clone(&budget);
        bridge.set("exhausted", lua.create_function(move |_, ()| Ok(counted.is_exhausted()))?)?;
        let counted = Arc::clone(&budget);
        bridge.set(
            "collected",
            lua.create_function(move |lua, ()| {
                counted.take(u64::try_from(lua.used_memory() / limits::LUA_COPY).unwrap_or(u64::MAX));
                Ok(())
            })?,
        )?;
        lua.load(PRELUDE).set_name("=rpm").set_mode(ChunkMode::Text).call::<()>(&bridge)?;
        let counted = Arc::clone(&budget);
        let triggers = HookTriggers::new().every_nth_instruction(limits::LUA_INTERVAL);
        lua.set_global_hook(triggers, move |_, _| {
            if counted.take(u64::from(limits::LUA_INTERVAL)) {
                Ok(VmState::Continue)
            } else {
                Err(mlua::Error::runtime("lua script takes too long"))
            }
        })?;
        Ok(Self { lua, bridge, budget, made_for, chunks: RefCell::default() })
    }

    /// A script, compiled. Those that come again and again, as the distribution's macros do, are compiled once.
    pub(super) fn compile(&self, name: &str, script: String) -> mlua::Result<Function> {
        let key = format!("{name}\0{script}");
        if let Some(chunk) = self.chunks.borrow().get(&key) {
            return Ok(chunk.clone());
        }
        let keep = script.len() <= LARGEST_CHUNK;
        let chunk = self.lua.load(script).set_name(name).set_mode(ChunkMode::Text).into_function()?;
        let mut chunks = self.chunks.borrow_mut();
        if keep && chunks.len() < MOST_CHUNKS {
            chunks.insert(key, chunk.clone());
        }
        Ok(chunk)
    }

    /// Makes everything a script can reach what it was. Says whether the state can be used again.
    fn reset(&self) -> bool {
        if self.budget.is_exhausted() {
            return false;
        }
        self.budget.renew();
        self.bridge.get::<Function>("reset").and_then(|reset| reset.call::<()>(())).is_ok()
    }
}

/// States of one context that no spec uses at the moment.
#[derive(Default)]
pub(in crate::macros) struct Pool {
    idle: Mutex<Vec<State>>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pool").finish_non_exhaustive()
    }
}

impl Pool {
    /// Takes a state, or makes one.
    pub(super) fn take(&self, made_for: MadeFor) -> mlua::Result<State> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle.filter(|state| state.made_for == made_for) {
            Some(state) => Ok(state),
            None => State::new(made_for),
        }
    }

    /// Takes a state back.
    pub(super) fn put(&self, state: State) {
        if state.reset() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < MOST_IDLE {
                idle.push(state);
            }
        }
    }
}
