//! What Lua asks of the engine and, through it, of the world.

use std::path::Path;

use mlua::{Lua, MultiValue, Value};

use super::arguments::{Answer, Arguments, Refusal};
use super::{base64, pattern, time};
use crate::macros::Level;
use crate::macros::engine::Engine;
use crate::macros::scan::{join_quoted, split_arguments};
use crate::macros::text::shell_quote;
use crate::macros::version::Version;

/// Since when a macro that Lua calls with a list of arguments may fail.
const CHECKED_CALLS: &[u32] = &[4, 18, 2];

impl Engine<'_> {
    /// Answers a call from Lua: true and results, or false and what is wrong.
    pub(super) fn answer(&self, lua: &Lua, function: &str, values: &MultiValue) -> mlua::Result<MultiValue> {
        let arguments = Arguments { function, values };
        let answer = match function {
            "access" | "getenv" | "putenv" | "setenv" | "unsetenv" | "read" | "shell" | "system" | "execute"
            | "spawn" | "glob" | "echo" | "time" | "date" | "uname" => self.answer_of_world(lua, &arguments),
            "b64encode" | "b64decode" | "splitargs" | "unsplitargs" | "vercmp" | "compare" | "parse_version"
            | "pattern" => self.answer_of_text(lua, &arguments),
            _ => self.answer_of_macros(lua, &arguments),
        };
        let mut result = MultiValue::new();
        match answer {
            Ok(values) => {
                result.push_back(Value::Boolean(true));
                result.extend(values);
            }
            Err(Refusal::Words(words)) => {
                result.push_back(Value::Boolean(false));
                result.push_back(Value::String(lua.create_string(words)?));
            }
            Err(Refusal::Lua(error)) => return Err(error),
        }
        Ok(result)
    }

    fn answer_of_macros(&self, lua: &Lua, arguments: &Arguments<'_>) -> Answer {
        match arguments.function {
            "print" => {
                let text = arguments.bytes(0)?;
                match self.lua.prints.borrow_mut().last_mut() {
                    Some(buffer) => buffer.extend_from_slice(&text),
                    None => self.world.echo(&String::from_utf8_lossy(&text)),
                }
                Ok(Vec::new())
            }
            "expand" => self.expanded(lua, &arguments.text(0)?),
            "define" => {
                let right = self.define_text(&arguments.text(0)?, Level::GLOBAL);
                if right { Ok(Vec::new()) } else { Err("error defining macro".into()) }
            }
            "undefine" => {
                let name = arguments.text(0)?;
                self.table.borrow_mut().pop(&name);
                Ok(Vec::new())
            }
            "isdefined" => {
                let table = self.table.borrow();
                let definition = table.get(&arguments.text(0)?);
                let parametric = definition.is_some_and(|definition| definition.is_parametric());
                Ok(vec![Value::Boolean(definition.is_some()), Value::Boolean(parametric)])
            }
            "load" => {
                let result = match self.load_file(&arguments.text(0)?) {
                    Some(true) => 0.0,
                    Some(false) => 1.0,
                    None => -1.0,
                };
                Ok(vec![Value::Number(result)])
            }
            "macro" => self.macro_value(lua, &arguments.text(0)?),
            "macro_call" => self.macro_call(lua, arguments),
            "macro_set" => self.macro_set(arguments),
            other => Err(format!("{other} is not supported here").into()),
        }
    }

    fn expanded(&self, lua: &Lua, text: &str) -> Answer {
        let expanded = self.expand_fresh(text).ok_or("error expanding macro")?;
        Ok(vec![Value::String(lua.create_string(expanded)?)])
    }

    fn macro_value(&self, lua: &Lua, name: &str) -> Answer {
        let parametric = self.table.borrow().get(name).map(|definition| definition.is_parametric());
        Ok(match parametric {
            None => Vec::new(),
            Some(true) => vec![Value::String(lua.create_string("parametric")?)],
            Some(false) => {
                let mut values = vec![Value::String(lua.create_string("text")?)];
                values.extend(self.expanded(lua, &format!("%{{{name}}}"))?);
                values
            }
        })
    }

    fn macro_call(&self, lua: &Lua, arguments: &Arguments<'_>) -> Answer {
        let name = arguments.text(0)?;
        if arguments.values.len() > 2 {
            return Err("too many arguments".into());
        }
        match arguments.values.get(1) {
            Some(Value::Table(table)) => {
                let mut words = vec![name.clone()];
                for index in 1..=table.raw_len() {
                    let value = table.raw_get::<mlua::Value>(index)?;
                    match value {
                        Value::String(_) | Value::Integer(_) | Value::Number(_) => words.push(value.to_string()?),
                        _ if self.rpm.is_at_least(CHECKED_CALLS) => {
                            return Err(format!("bad argument #{index} to '{name}' (cannot convert to string)").into());
                        }
                        // A list of arguments ends where C would see its end.
                        _ => break,
                    }
                }
                let definition = self.table.borrow().get(&name).cloned();
                let Some(definition) = definition else { return Ok(Vec::new()) };
                let mut frame = self.fresh_frame();
                if self.enter(&mut frame) {
                    self.run(&mut frame, &definition, Some(words), None);
                    self.leave(&mut frame);
                }
                if frame.failed {
                    let checked = self.rpm.is_at_least(CHECKED_CALLS);
                    return if checked { Err("error expanding macro".into()) } else { Ok(Vec::new()) };
                }
                Ok(vec![Value::String(lua.create_string(frame.out)?)])
            }
            Some(Value::String(_) | Value::Integer(_) | Value::Number(_)) => {
                let text = format!("%{{{name} {}}}", arguments.text(1)?);
                self.expanded(lua, &text)
            }
            _ => Err(format!("bad argument #1 to '{name}' (string or table expected)").into()),
        }
    }

    fn macro_set(&self, arguments: &Arguments<'_>) -> Answer {
        let name = arguments.text(0)?;
        if arguments.get(1).is_none() {
            self.table.borrow_mut().pop(&name);
        } else {
            let body = arguments.text(1)?;
            if !self.define_text(&format!("{name} {body}"), Level::GLOBAL) {
                return Err(format!("error defining macro {name}").into());
            }
        }
        Ok(Vec::new())
    }

    fn answer_of_text(&self, lua: &Lua, arguments: &Arguments<'_>) -> Answer {
        let value = match arguments.function {
            "b64encode" => {
                let line = arguments.integer(1).and_then(|length| usize::try_from(length).ok());
                Value::String(lua.create_string(base64::encode(&arguments.bytes(0)?, line))?)
            }
            "b64decode" => match base64::decode(&arguments.bytes(0)?) {
                Some(decoded) => Value::String(lua.create_string(decoded)?),
                None => Value::Nil,
            },
            "splitargs" => Value::Table(lua.create_sequence_from(split_arguments(&arguments.text(0)?))?),
            "unsplitargs" => {
                let Some(Value::Table(table)) = arguments.get(0) else {
                    let got = arguments.values.front().map_or("no value", Value::type_name);
                    return Err(format!("bad argument #1 to 'unsplitargs' (table expected, got {got})").into());
                };
                let words = table.sequence_values::<String>().collect::<mlua::Result<Vec<_>>>()?;
                Value::String(lua.create_string(join_quoted(&words))?)
            }
            "vercmp" => {
                let mut versions = Vec::new();
                for index in 0..2 {
                    let version = Version::parse(&arguments.text(index)?);
                    versions.push(version.ok_or_else(|| {
                        Refusal::Words(format!("bad argument #{} to 'vercmp' (invalid version )", index + 1))
                    })?);
                }
                Value::Integer(versions[0].compare(&versions[1]) as i64)
            }
            "compare" => match (Version::parse(&arguments.text(0)?), Version::parse(&arguments.text(1)?)) {
                (Some(left), Some(right)) => Value::Integer(left.compare(&right) as i64),
                _ => return Err("invalid version".into()),
            },
            "parse_version" => {
                let Some(version) = Version::parse(&arguments.text(0)?) else { return Ok(Vec::new()) };
                let mut values = vec![Value::Boolean(true)];
                for part in [version.epoch, Some(version.version), version.release] {
                    values.push(match part {
                        Some(part) => Value::String(lua.create_string(part)?),
                        None => Value::Nil,
                    });
                }
                return Ok(values);
            }
            _ => {
                let length = arguments.integer(0).and_then(|length| u64::try_from(length).ok()).unwrap_or(0);
                if !self.lua.budget(pattern::cost(length, &arguments.bytes(1)?)) {
                    return Err("lua script takes too long".into());
                }
                Value::Nil
            }
        };
        Ok(vec![value])
    }

    fn answer_of_world(&self, lua: &Lua, arguments: &Arguments<'_>) -> Answer {
        Ok(match arguments.function {
            "access" => {
                let path = arguments.text(0)?;
                if !path.is_empty() && self.world.exists(Path::new(&path)) {
                    vec![Value::Number(0.0)]
                } else {
                    let words = format!("{path}: No such file or directory");
                    vec![Value::Nil, Value::String(lua.create_string(words)?), Value::Number(2.0)]
                }
            }
            "getenv" => match self.variable(&arguments.text(0)?) {
                Some(value) => vec![Value::String(lua.create_string(value)?)],
                None => vec![Value::Nil],
            },
            "putenv" => {
                let text = arguments.text(0)?;
                let (name, value) = match text.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (&*text, None),
                };
                self.set_variable(name, value)?;
                vec![Value::Number(0.0)]
            }
            "setenv" => {
                let name = arguments.text(0)?;
                let keep = matches!(arguments.get(2), Some(Value::Boolean(false)));
                if !keep || self.variable(&name).is_none() {
                    self.set_variable(&name, Some(arguments.text(1)?))?;
                }
                vec![Value::Number(0.0)]
            }
            "unsetenv" => {
                self.set_variable(&arguments.text(0)?, None)?;
                Vec::new()
            }
            "read" => {
                let path = arguments.text(0)?;
                let content = self.world.read_file(Path::new(&path)).map_err(|error| format!("{path}: {error}"))?;
                vec![Value::String(lua.create_string(content)?)]
            }
            "shell" => {
                let command = arguments.text(0)?;
                let output = self.shell_output(&command).map_err(|error| format!("{command}: {error}"))?;
                vec![Value::String(lua.create_string(output)?)]
            }
            "system" => {
                if arguments.get(0).is_none() {
                    return Ok(vec![Value::Boolean(true)]);
                }
                let status = self.status_of(&arguments.text(0)?)?;
                let first = if status == 0 { Value::Boolean(true) } else { Value::Nil };
                vec![first, Value::String(lua.create_string("exit")?), Value::Integer(status)]
            }
            "execute" => {
                let mut words = Vec::new();
                for index in 0..arguments.values.len() {
                    words.push(shell_quote(&arguments.text(index)?));
                }
                if words.is_empty() {
                    arguments.text(0)?;
                }
                self.ran(lua, &words.join(" "))?
            }
            "spawn" => {
                let Some(Value::Table(command)) = arguments.get(0) else {
                    return Err("bad argument #1 to 'spawn' (table expected)".into());
                };
                let mut words = Vec::new();
                for word in command.sequence_values::<String>() {
                    words.push(shell_quote(&word?));
                }
                if words.is_empty() {
                    return Err("command not supplied".into());
                }
                if let Some(Value::Table(streams)) = arguments.get(1) {
                    for pair in streams.pairs::<String, String>() {
                        let (stream, path) = pair?;
                        let sign = match stream.as_str() {
                            "stdin" => "<",
                            "stdout" => ">>",
                            "stderr" => "2>>",
                            other => return Err(format!("invalid spawn directive: {other}").into()),
                        };
                        words.push(format!("{sign}{}", shell_quote(&path)));
                    }
                }
                self.ran(lua, &words.join(" "))?
            }
            "glob" => {
                let pattern = arguments.text(0)?;
                let mut paths: Vec<String> =
                    self.world.glob(&pattern).iter().map(|path| path.to_string_lossy().into_owned()).collect();
                // Where nothing fits, rpm gives the pattern back: in a list, since 6.0 as it is.
                if paths.is_empty() && self.rpm.is_at_least(&[6]) {
                    return Ok(vec![Value::String(lua.create_string(pattern)?)]);
                } else if paths.is_empty() {
                    paths.push(pattern);
                }
                vec![Value::Table(lua.create_sequence_from(paths)?)]
            }
            "echo" => {
                self.world.echo(&arguments.text(0)?);
                Vec::new()
            }
            "uname" => vec![Value::String(lua.create_string(self.uname(&arguments.text(0)?))?)],
            "time" => {
                let Some(Value::Table(table)) = arguments.get(0) else {
                    return Ok(vec![Value::Integer(self.world.now())]);
                };
                let mut fields = [0; 6];
                for (field, name) in fields.iter_mut().zip(["year", "month", "day", "hour", "min", "sec"]) {
                    let default = match name {
                        "year" | "month" | "day" => None,
                        "hour" => Some(12),
                        _ => Some(0),
                    };
                    let value = table.get::<Option<i64>>(name)?.or(default);
                    *field = value.ok_or_else(|| format!("field '{name}' missing in date table"))?;
                }
                vec![Value::Integer(time::seconds(fields))]
            }
            _ => {
                let format = if arguments.get(0).is_some() { arguments.text(0)? } else { "%c".into() };
                let now = arguments.integer(1).unwrap_or_else(|| self.world.now());
                let format = format.trim_start_matches('!');
                let broken = time::Broken::new(now);
                if format.starts_with("*t") {
                    let table = lua.create_table()?;
                    for (name, value) in broken.fields() {
                        table.set(name, value)?;
                    }
                    table.set("isdst", false)?;
                    return Ok(vec![Value::Table(table)]);
                }
                let text = broken.format(format).map_err(|conversion| {
                    format!("bad argument #1 to 'date' (invalid conversion specifier '{conversion}')")
                })?;
                vec![Value::String(lua.create_string(text)?)]
            }
        })
    }

    /// What `uname` says of the machine: the target's where the context has it, else the world's, if it tells.
    fn uname(&self, what: &str) -> String {
        match what {
            "m" => self.expand_fresh("%{_host_cpu}").filter(|cpu| !cpu.starts_with('%')).unwrap_or_default(),
            "s" => "Linux".to_owned(),
            _ => {
                let output = self.shell_output(&format!("uname -{what}")).unwrap_or_default();
                String::from_utf8_lossy(&output).trim_end().to_owned()
            }
        }
    }

    /// Sets or, without a value, unsets a variable for this engine and the commands it runs.
    fn set_variable(&self, name: &str, value: Option<String>) -> Result<(), Refusal> {
        let mut bytes = name.bytes();
        let legal = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !legal {
            return Err(format!("'{name}' is no name of a variable").into());
        }
        self.environment.borrow_mut().insert(name.to_owned(), value);
        Ok(())
    }

    /// Runs a command and says how it ended, as rpm does.
    fn ran(&self, lua: &Lua, command: &str) -> Answer {
        let status = self.status_of(command)?;
        if status == 0 {
            return Ok(vec![Value::Number(0.0)]);
        }
        let (words, status) = if self.rpm.is_at_least(&[4, 18, 2]) {
            ("exit code".to_owned(), status)
        } else {
            // rpm takes the status as wait(2) has it for the number of an error.
            (format!("Unknown error {}", status << 8), status << 8)
        };
        Ok(vec![Value::Nil, Value::String(lua.create_string(words)?), Value::Number(status as f64)])
    }

    /// Runs a command whose output goes where rpm's own errors go, and returns its exit status.
    fn status_of(&self, command: &str) -> Result<i64, Refusal> {
        let wrapped = format!("{{ {command}\n}} >&2; echo $?");
        let output = self.shell_output(&wrapped).map_err(|error| format!("{command}: {error}"))?;
        let text = String::from_utf8_lossy(&output);
        text.trim().parse().map_err(|_| Refusal::Words(format!("{command}: no exit status")))
    }
}
