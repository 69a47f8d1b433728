//! The tokens of expressions.

use super::Value;
use super::parser::{Failed, Parser};
use crate::macros::scan::{is_space, macro_end};
use crate::macros::version::Version;

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    End,
    Value(Value),
    Add,
    Minus,
    Multiply,
    Divide,
    Open,
    Close,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Not,
    And,
    Or,
    Question,
    Colon,
    Comma,
    /// A function's name; its parenthesis is read.
    Function(String),
}

impl Parser<'_, '_> {
    /// Reads the next token.
    pub(super) fn advance(&mut self) -> Result<(), Failed> {
        let bytes = self.text.as_bytes();
        let skipped = bytes[self.at..].iter().take_while(|byte| is_space(**byte)).count();
        let at = self.at + skipped;
        let next = bytes.get(at + 1).copied();
        let two = |second: u8| next == Some(second);
        let (token, length) = match bytes.get(at).copied() {
            None => (Token::End, 0),
            Some(b'+') => (Token::Add, 1),
            Some(b'-') => (Token::Minus, 1),
            Some(b'*') => (Token::Multiply, 1),
            Some(b'/') => (Token::Divide, 1),
            Some(b'(') => (Token::Open, 1),
            Some(b')') => (Token::Close, 1),
            Some(b'?') => (Token::Question, 1),
            Some(b':') => (Token::Colon, 1),
            Some(b',') => (Token::Comma, 1),
            Some(b'!') if two(b'=') => (Token::NotEqual, 2),
            Some(b'!') => (Token::Not, 1),
            Some(b'<') if two(b'=') => (Token::LessEqual, 2),
            Some(b'<') => (Token::Less, 1),
            Some(b'>') if two(b'=') => (Token::GreaterEqual, 2),
            Some(b'>') => (Token::Greater, 1),
            Some(b'=') if two(b'=') => (Token::Equal, 2),
            Some(b'&') if two(b'&') => (Token::And, 2),
            Some(b'|') if two(b'|') => (Token::Or, 2),
            Some(b'=') => return self.fail("syntax error while parsing ==", Some(at + 2)),
            Some(b'&') => return self.fail("syntax error while parsing &&", Some(at + 2)),
            Some(b'|') => return self.fail("syntax error while parsing ||", Some(at + 2)),
            Some(byte) => return self.operand_token(at, byte),
        };
        self.token = token;
        self.at = at + length;
        Ok(())
    }

    fn operand_token(&mut self, at: usize, first: u8) -> Result<(), Failed> {
        let bytes = self.text.as_bytes();
        if first.is_ascii_digit() || (first == b'%' && self.expand) {
            return self.integer(at);
        }
        if first == b'"' {
            return self.string(at + 1, false);
        }
        if first == b'v' && bytes.get(at + 1) == Some(&b'"') {
            return self.string(at + 2, true);
        }
        if !first.is_ascii_alphabetic() {
            return self.fail("parse error in expression", Some(at + 1));
        }
        let name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':');
        let length = bytes[at..].iter().take_while(|byte| name(byte)).count();
        if bytes.get(at + length) != Some(&b'(') {
            return self.fail("bare words are no longer supported, please use \"...\"", Some(at + 1));
        }
        self.token = Token::Function(self.text[at..at + length].to_owned());
        self.at = at + length + 1;
        Ok(())
    }

    /// Reads on from `at` to the first byte that neither belongs to a macro nor pleases `accept`.
    fn span(&self, mut at: usize, accept: impl Fn(u8) -> bool) -> usize {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(at) {
            if byte == b'%' && self.expand {
                at = match bytes.get(at + 1) {
                    Some(b'%') => at + 2,
                    _ => macro_end(&self.text[at + 1..]).map_or(bytes.len(), |length| at + 1 + length),
                };
            } else if accept(byte) {
                at += 1;
            } else {
                break;
            }
        }
        at
    }

    fn integer(&mut self, at: usize) -> Result<(), Failed> {
        let end = self.span(at, |byte| byte.is_ascii_digit());
        let digits = self.expanded(at, end)?;
        if self.expand && !digits.strip_prefix('-').unwrap_or(&digits).bytes().all(|byte| byte.is_ascii_digit()) {
            let bare = digits.starts_with(|first: char| first.is_ascii_alphabetic());
            let message = if bare {
                "macro expansion returned a bare word, please use \"...\""
            } else {
                "macro expansion did not return an integer"
            };
            self.say(message, Some(at + 1));
            return self.fail_plainly(&format!("expanded string: {digits}"));
        }
        self.token = Token::Value(Value::Integer(number(&digits)));
        self.at = end;
        Ok(())
    }

    fn string(&mut self, at: usize, version: bool) -> Result<(), Failed> {
        let end = self.span(at, |byte| byte != b'"');
        if self.text.as_bytes().get(end) != Some(&b'"') {
            return self.fail("unterminated string in expression", Some(end + 1));
        }
        let text = self.expanded(at, end)?;
        self.at = end + 1;
        self.token = Token::Value(if !version {
            Value::Text(text)
        } else if let Some(version) = Version::parse(if self.discard { "0" } else { &text }) {
            Value::Version(version)
        } else {
            return self.fail("invalid version", Some(end + 1));
        });
        Ok(())
    }

    /// A part of the text with its macros expanded; nothing where the value does not count.
    fn expanded(&mut self, start: usize, end: usize) -> Result<String, Failed> {
        let text = &self.text[start..end];
        if self.discard {
            Ok(String::new())
        } else if self.expand && text.contains('%') {
            self.engine.expand_fresh(text).ok_or(Failed)
        } else {
            Ok(text.to_owned())
        }
    }
}

/// C's `atoi` on 64-bit Linux: a number too large for 64 bits is the largest one, and 32 bits are taken of it.
fn number(digits: &str) -> i32 {
    let (negative, digits) = match digits.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, digits),
    };
    let value = digits.bytes().fold(0_i64, |value, digit| {
        let digit = i64::from(digit - b'0');
        let scaled = value.checked_mul(10);
        let value = scaled.and_then(|value| if negative { value.checked_sub(digit) } else { value.checked_add(digit) });
        value.unwrap_or(if negative { i64::MIN } else { i64::MAX })
    });
    let [a, b, c, d, ..] = value.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_read_as_c_does() {
        assert_eq!(number("0012"), 12);
        assert_eq!(number("-3"), -3);
        assert_eq!(number(""), 0);
        assert_eq!(number("4294967297"), 1);
        assert_eq!(number("99999999999999999999"), -1);
        assert_eq!(number("-99999999999999999999"), 0);
    }
}
