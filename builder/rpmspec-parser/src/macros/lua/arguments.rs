//! What a function that Lua calls is given, and what it gives back.

use mlua::{MultiValue, Value};

/// Results, or what `error` says.
pub(super) type Answer = Result<Vec<Value>, Refusal>;

/// Why there is no result.
pub(super) enum Refusal {
    /// The script is told.
    Words(String),
    /// Lua itself failed.
    Lua(mlua::Error),
}

impl From<mlua::Error> for Refusal {
    fn from(error: mlua::Error) -> Self {
        Self::Lua(error)
    }
}

impl From<String> for Refusal {
    fn from(words: String) -> Self {
        Self::Words(words)
    }
}

impl From<&str> for Refusal {
    fn from(words: &str) -> Self {
        Self::Words(words.into())
    }
}

/// The arguments of a function.
pub(super) struct Arguments<'a> {
    pub(super) function: &'a str,
    pub(super) values: &'a MultiValue,
}

impl Arguments<'_> {
    /// One that is there.
    pub(super) fn get(&self, index: usize) -> Option<&Value> {
        self.values.get(index).filter(|value| !value.is_nil())
    }

    /// A string, or a number as one.
    pub(super) fn bytes(&self, index: usize) -> Result<Vec<u8>, Refusal> {
        match self.values.get(index) {
            Some(Value::String(text)) => Ok(text.as_bytes().to_vec()),
            Some(Value::Integer(number)) => Ok(number.to_string().into_bytes()),
            Some(Value::Number(number)) => Ok(number.to_string().into_bytes()),
            other => {
                let got = other.map_or("no value", Value::type_name);
                Err(format!("bad argument #{} to '{}' (string expected, got {got})", index + 1, self.function).into())
            }
        }
    }

    /// The same as C has it: to a NUL.
    pub(super) fn text(&self, index: usize) -> Result<String, Refusal> {
        let bytes = self.bytes(index)?;
        let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    /// A number, or a string that is one.
    pub(super) fn integer(&self, index: usize) -> Option<i64> {
        match self.get(index)? {
            Value::Integer(number) => Some(*number),
            // Numbers of seconds and widths are small; the fraction does not count.
            Value::Number(number) => Some(*number as i64),
            Value::String(text) => text.to_string_lossy().trim().parse().ok(),
            _ => None,
        }
    }
}
