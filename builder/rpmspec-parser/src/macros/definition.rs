//! Reading a definition: `name(options) body`, as `%define`, `%global`, macro files and `--define` have it.

use super::Level;
use super::engine::{Engine, Frame};
use super::scan::{Openings, is_blank, is_line_end, is_name, match_bracket};
use super::table::{Definition, Kind};
use crate::diagnostic::Severity;

/// A definition as read.
struct Parsed<'text> {
    name: &'text str,
    options: Option<&'text str>,
    body: String,
    /// The text from the end of name and options.
    behind_name: &'text str,
    /// Offset behind the definition and the line ends after it.
    end: usize,
}

/// Whose definition it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    /// `%define`, and what is not in a text: macro files, `--define`, Lua.
    Define,
    /// `%global`, whose body is expanded at once.
    Global,
}

impl Engine<'_> {
    /// Reads a definition and makes it. `whole`: the text is all body, to its end, as in `%{define:…}`.
    /// Returns the offset behind it.
    pub(super) fn read_definition(
        &self,
        frame: &mut Frame,
        text: &str,
        level: Level,
        keyword: Keyword,
        whole: bool,
    ) -> usize {
        let parsed = match parse(text, whole) {
            Ok(parsed) => parsed,
            Err(message) => {
                self.fail(frame, message);
                return 0;
            }
        };
        let name = parsed.name;
        let action = if keyword == Keyword::Global { "%global" } else { "%define" };
        if !self.check_name(frame, name, action) {
            return parsed.end;
        }
        if parsed.body.is_empty() {
            self.fail(frame, format!("Macro %{name} has empty body"));
            return parsed.end;
        }
        let behind = parsed.behind_name.as_bytes();
        let separated = match behind.first() {
            Some(b'\\') => behind.get(1).is_some_and(|byte| is_line_end(*byte)),
            Some(byte) => is_blank(*byte),
            None => false,
        };
        if !separated {
            self.complain(frame, Severity::Warning, format!("Macro %{name} needs whitespace before body"));
        }
        let mut body = parsed.body;
        let mut quoted = false;
        if keyword == Keyword::Global {
            let (expanded, failed, quotes) = self.expand_argument(frame, &body, true);
            quoted = quotes;
            if failed {
                self.fail(frame, format!("Macro %{name} failed to expand"));
                return parsed.end;
            }
            body = expanded;
        }
        let definition = Definition {
            name: name.into(),
            options: parsed.options.map(Into::into),
            body: body.into(),
            level,
            kind: Kind::Text,
            quoted,
            place: self.place.borrow().clone(),
        };
        if !self.push_definition(definition) {
            self.exhausted(frame);
        }
        parsed.end
    }

    /// Says whether a name can be defined or undefined; the error is said.
    pub(super) fn check_name(&self, frame: &mut Frame, name: &str, action: &str) -> bool {
        let legal = match name.as_bytes() {
            [first, ..] if first.is_ascii_alphabetic() => true,
            [b'_', _, ..] => true,
            _ => false,
        };
        if !legal {
            self.fail(frame, format!("Macro %{name} has illegal name ({action})"));
            return false;
        }
        let builtin = self
            .table
            .borrow()
            .get(name)
            .is_some_and(|definition| matches!(definition.kind, Kind::Builtin(_) | Kind::Argument));
        if builtin {
            self.fail(frame, format!("Macro %{name} is a built-in ({action})"));
        }
        !builtin
    }

    /// Makes a definition of a text that stands by itself. Says whether that worked.
    pub(super) fn define_text(&self, text: &str, level: Level) -> bool {
        let mut frame = Frame::default();
        self.read_definition(&mut frame, text, level, Keyword::Define, false);
        !frame.failed
    }
}

/// Reads name, options and body. Errors are rpm's words.
fn parse(text: &str, whole: bool) -> Result<Parsed<'_>, String> {
    let bytes = text.as_bytes();
    let start = blanks(bytes, 0);
    let mut at = start + bytes[start..].iter().take_while(|byte| is_name(**byte)).count();
    let name = &text[start..at];
    let mut options = None;
    if bytes.get(at) == Some(&b'(') {
        let Some(length) = text[at + 1..].find(')') else {
            return Err(format!("Macro %{name} has unterminated opts"));
        };
        options = Some(&text[at + 1..at + 1 + length]);
        at += length + 2;
    }
    let behind_name = &text[at..];
    let begin = blanks(bytes, at);
    let unterminated = || format!("Macro %{name} has unterminated body");
    let (body, mut end) = if whole {
        (text[begin..].to_owned(), text.len())
    } else if bytes.get(begin) == Some(&b'{') {
        let length = match_bracket(&text[begin..], b'{', b'}').ok_or_else(unterminated)?;
        (text[begin + 1..begin + length - 1].to_owned(), begin + length)
    } else {
        let (body, length) = free_body(&bytes[begin..]).ok_or_else(unterminated)?;
        (body, begin + length)
    };
    end += bytes[end..].iter().take_while(|byte| is_line_end(**byte)).count();
    Ok(Parsed { name, options, body, behind_name, end })
}

fn blanks(bytes: &[u8], from: usize) -> usize {
    from + bytes[from..].iter().take_while(|byte| is_blank(**byte)).count()
}

/// Reads a body up to its line's end; a backslash is dropped and keeps what follows it, a brace or
/// parenthesis that a macro opens keeps line ends. Returns it and its length; `None` if it does not end.
fn free_body(bytes: &[u8]) -> Option<(String, usize)> {
    let mut body = Vec::new();
    let mut openings = Openings::default();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if is_line_end(byte) && !openings.over_lines() {
            break;
        }
        let next = bytes.get(at + 1).copied();
        if byte == b'\\' {
            if next.is_some() {
                at += 1;
            }
        } else if openings.read(byte, next) {
            body.push(byte);
            at += 1;
        }
        body.push(bytes[at]);
        at += 1;
    }
    if openings.any() {
        return None;
    }
    while body.last().is_some_and(|byte| is_blank(*byte) || is_line_end(*byte)) {
        body.pop();
    }
    let body = String::from_utf8(body).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    Some((body, at))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "what does not parse is the test's failure")]

    use super::*;

    #[test]
    fn definitions_are_read() {
        let parsed = parse(" foo(a:b) %{x} \\\n y  \nnext", false).unwrap();
        assert_eq!((parsed.name, parsed.options, &*parsed.body), ("foo", Some("a:b"), "%{x} \n y"));
        assert_eq!(parsed.end, " foo(a:b) %{x} \\\n y  \n".len());
    }

    #[test]
    fn bodies_go_over_lines_in_braces() {
        assert_eq!(parse("f %{a\nb}\nc", false).unwrap().body, "%{a\nb}");
        assert_eq!(parse("f {a\n\\b}c", false).unwrap().body, "a\n\\b");
        assert_eq!(parse("f a\\b", false).unwrap().body, "ab");
        assert_eq!(parse("f a\\\\b\n", true).unwrap().body, "a\\\\b\n");
    }

    #[test]
    fn what_does_not_end_is_an_error() {
        assert_eq!(parse("f(a b", false).err().unwrap(), "Macro %f has unterminated opts");
        assert_eq!(parse("f %{a", false).err().unwrap(), "Macro %f has unterminated body");
        assert_eq!(parse("f {a", false).err().unwrap(), "Macro %f has unterminated body");
        assert_eq!(parse("f %[a\n]", false).err().unwrap(), "Macro %f has unterminated body");
    }
}
