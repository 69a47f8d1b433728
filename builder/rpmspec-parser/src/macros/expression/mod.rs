//! Expressions: what `%if`, `%[…]` and `%{expr:…}` evaluate.

mod parser;
mod token;
mod value;

pub(super) use value::Value;

use super::engine::Engine;

/// Evaluates an expression. Macros in its strings and numbers are expanded when `expand` says so (as in
/// `%[…]`). Returns `None` after an error, which is in the engine's log.
pub(super) fn evaluate(engine: &Engine<'_>, text: &str, expand: bool) -> Option<Value> {
    parser::Parser::new(engine, text, expand).whole().ok()
}
