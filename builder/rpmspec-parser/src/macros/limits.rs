//! Bounds on what an expansion may take, so that no text, however hostile, exhausts the machine.
//!
//! rpm itself has only the first one. The others are far above what any real spec needs.

use std::cell::Cell;

/// Nested expansions, as in rpm.
pub(super) const DEPTH: u32 = 64;

/// Nested expansions on the native stack: more than [`DEPTH`] because an expression starts counting anew.
pub(super) const NESTING: u32 = 160;

/// Nested parentheses and operators in an expression.
pub(super) const EXPRESSION_DEPTH: u32 = 100;

/// Bytes of one expansion's result.
pub(super) const BUFFER: usize = 128 << 20;

/// Bytes of all definitions together.
pub(super) const TABLE: usize = 256 << 20;

/// Bytes that one text's expansion may write in all.
const BYTES: usize = 1 << 30;

/// Macros that one text's expansion may expand: 2^20 and some.
const STEPS: u64 = 4_000_000;

/// Macros that one engine may expand in all.
const ALL_STEPS: u64 = 40_000_000;

/// Steps that an argument of a macro counts as: it is defined, hidden again and taken away.
pub(super) const ARGUMENT_STEPS: u64 = 4;

/// Messages that are kept until somebody takes them.
pub(super) const MESSAGES: usize = 10_000;

/// Instructions that Lua may run for one engine.
pub(super) const LUA_INSTRUCTIONS: u64 = 100_000_000;

/// Bytes in use that count as much as one instruction whenever garbage is collected: making it took time.
pub(super) const LUA_COPY: usize = 16;

/// Instructions between two looks at the count.
pub(super) const LUA_INTERVAL: u32 = 1000;

/// Bytes that Lua may hold.
pub(super) const LUA_MEMORY: usize = 384 << 20;

/// What is left of the limits that are counted.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: Cell<usize>,
    steps: Cell<u64>,
    all_steps: Cell<u64>,
    exhausted: Cell<bool>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            bytes: Cell::new(BYTES),
            steps: Cell::new(STEPS),
            all_steps: Cell::new(ALL_STEPS),
            exhausted: Cell::new(false),
        }
    }
}

impl Budget {
    /// Starts on another text.
    pub(super) fn renew(&self) {
        self.bytes.set(BYTES);
        self.steps.set(STEPS);
        self.exhausted.set(false);
    }

    /// Takes bytes; says no when they are used up.
    pub(super) fn take_bytes(&self, count: usize) -> bool {
        let left = self.bytes.get().checked_sub(count);
        self.bytes.set(left.unwrap_or(0));
        left.is_some()
    }

    /// Takes a step; says no when they are used up.
    pub(super) fn take_step(&self) -> bool {
        self.take_steps(1)
    }

    /// Takes steps; says no when they are used up.
    pub(super) fn take_steps(&self, count: u64) -> bool {
        for left in [&self.steps, &self.all_steps] {
            let Some(less) = left.get().checked_sub(count) else { return false };
            left.set(less);
        }
        true
    }

    /// Notes that a limit is reached; says whether that is new.
    pub(super) fn exhaust(&self) -> bool {
        !self.exhausted.replace(true)
    }

    /// Says whether a limit was reached.
    pub(super) fn is_exhausted(&self) -> bool {
        self.exhausted.get()
    }
}
