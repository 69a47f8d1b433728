//! Reads words: quotes, and what a `$` begins.

use super::parse::{DEEPEST, Parser};
use super::script::{Operation, Piece, Word};

impl Parser<'_> {
    /// A word, empty behind `NAME=`.
    pub(super) fn word(&mut self) -> Option<Word> {
        let begin = self.at;
        let mut word = Word::new();
        let (mut braces, mut bracket) = (false, false);
        loop {
            match self.peek() {
                None | Some(b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b')') => break,
                Some(b'<' | b'>' | b'(' | b'*' | b'?' | b'~' | b'`') => return None,
                Some(b'\\') => match *self.bytes.get(self.at + 1)? {
                    b'\n' => self.at += 2,
                    byte => {
                        self.at += 2;
                        push(&mut word, byte, true);
                    }
                },
                Some(b'\'') => {
                    self.at += 1;
                    let length = self.rest().iter().position(|byte| *byte == b'\'')?;
                    let text = String::from_utf8(self.rest()[..length].to_vec()).ok()?;
                    word.push(Piece::Text { text, quoted: true });
                    self.at += length + 1;
                }
                Some(b'"') => self.quoted(&mut word)?,
                Some(b'$') => word.push(self.dollar(false)?),
                Some(byte) => {
                    braces |= matches!(byte, b'{' | b'}');
                    bracket |= byte == b'[';
                    self.at += 1;
                    push(&mut word, byte, false);
                }
            }
        }
        let raw = &self.bytes[begin..self.at];
        // `{a,b}` and `{1..3}` are several words, and `[ab]` is a pattern of file names.
        let alternatives = braces && (raw.contains(&b',') || raw.windows(2).any(|two| two == b".."));
        (!alternatives && (!bracket || raw == b"[")).then_some(word)
    }

    fn quoted(&mut self, word: &mut Word) -> Option<()> {
        self.at += 1;
        word.push(Piece::Text { text: String::new(), quoted: true });
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'`' => return None,
                b'$' => word.push(self.dollar(true)?),
                b'\\' => {
                    let next = *self.bytes.get(self.at + 1)?;
                    if !matches!(next, b'$' | b'`' | b'"' | b'\\' | b'\n') {
                        push(word, b'\\', true);
                    }
                    if next != b'\n' {
                        push(word, next, true);
                    }
                    self.at += 2;
                }
                byte => {
                    push(word, byte, true);
                    self.at += 1;
                }
            }
        }
    }

    /// What a `$` begins.
    fn dollar(&mut self, quoted: bool) -> Option<Piece> {
        self.at += 1;
        if self.take("((") {
            return self.arithmetic();
        }
        if self.take("(") {
            let list = self.list()?;
            return self.take(")").then_some(Piece::Command { list, quoted });
        }
        if !self.take("{") {
            let name = self.name()?;
            return Some(Piece::Variable { name, operation: Operation::Value, quoted });
        }
        let length = self.take("#");
        let name = self.name()?;
        let end = self.rest().iter().position(|byte| *byte == b'}')?;
        let rest = std::str::from_utf8(&self.rest()[..end]).ok()?;
        let operation = if length { rest.is_empty().then_some(Operation::Length) } else { operation(rest) }?;
        self.at += end + 1;
        Some(Piece::Variable { name, operation, quoted })
    }

    /// The inside of `$((…))`: numbers, operators and what expands to them.
    fn arithmetic(&mut self) -> Option<Piece> {
        let mut word = Word::new();
        let mut open = 0_u32;
        loop {
            match self.peek()? {
                b'$' => {
                    self.depth += 1;
                    word.push(if self.depth > DEEPEST { None } else { self.dollar(true) }?);
                    self.depth -= 1;
                    continue;
                }
                b')' if open == 0 => return self.take("))").then_some(Piece::Arithmetic(word)),
                b')' => open -= 1,
                b'(' => open += 1,
                b'0'..=b'9' | b' ' | b'\t' | b'+' | b'-' | b'*' | b'/' | b'%' => {}
                _ => return None,
            }
            push(&mut word, self.peek()?, true);
            self.at += 1;
        }
    }
}

/// Adds a character to the text a word ends with.
fn push(word: &mut Word, byte: u8, is_quoted: bool) {
    match word.last_mut() {
        Some(Piece::Text { text, quoted }) if *quoted == is_quoted => text.push(char::from(byte)),
        _ => word.push(Piece::Text { text: char::from(byte).to_string(), quoted: is_quoted }),
    }
}

/// What stands behind the name in `${NAME…}`.
fn operation(text: &str) -> Option<Operation> {
    let plain = |text: &str, more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
    let pattern = |text: &str| plain(text, " ._+,:=@/-*?").then(|| text.to_owned());
    if text.is_empty() {
        return Some(Operation::Value);
    }
    for (sign, longest) in [("##", true), ("#", false)] {
        if let Some(text) = text.strip_prefix(sign) {
            return Some(Operation::WithoutPrefix { pattern: pattern(text)?, longest });
        }
    }
    for (sign, longest) in [("%%", true), ("%", false)] {
        if let Some(text) = text.strip_prefix(sign) {
            return Some(Operation::WithoutSuffix { pattern: pattern(text)?, longest });
        }
    }
    if let Some(rest) = text.strip_prefix('/') {
        let all = rest.starts_with('/');
        let (from, to) = rest[usize::from(all)..].split_once('/')?;
        let fits = !from.is_empty() && plain(from, "._-+") && plain(to, "._-+");
        return fits.then(|| Operation::Replace { from: from.to_owned(), to: to.to_owned(), all });
    }
    let (empty_too, text) = text.strip_prefix(':').map_or((false, text), |text| (true, text));
    let word = text.get(1..).filter(|word| plain(word, "._+,=@/-"))?.to_owned();
    match text.as_bytes().first()? {
        b'-' => Some(Operation::Otherwise { word, empty_too }),
        b'+' => Some(Operation::Instead { word, empty_too }),
        _ => None,
    }
}
