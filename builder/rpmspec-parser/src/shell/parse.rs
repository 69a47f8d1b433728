//! Reads a script. `None` wherever a shell's grammar offers more than is understood here.

use super::script::{Command, List, Piece, Pipeline, When};
use super::variables::is_name;

/// Deeper nesting is left to a shell.
pub(super) const DEEPEST: u32 = 16;

const RESERVED: [&str; 21] = [
    "if", "then", "elif", "else", "fi", "!", "case", "esac", "for", "select", "while", "until", "do", "done", "in",
    "{", "}", "function", "time", "[[", "coproc",
];

/// Reads a whole script.
pub(super) fn script(text: &str) -> Option<List> {
    let mut parser = Parser { bytes: text.as_bytes(), at: 0, depth: 0 };
    let list = parser.list()?;
    (parser.at == text.len()).then_some(list)
}

pub(super) struct Parser<'text> {
    pub(super) bytes: &'text [u8],
    pub(super) at: usize,
    pub(super) depth: u32,
}

impl Parser<'_> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text.as_bytes());
        self.at += if found { text.len() } else { 0 };
        found
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) || self.rest().starts_with(b"\\\n") {
            self.at += if self.peek() == Some(b'\\') { 2 } else { 1 };
        }
    }

    fn skip_lines(&mut self) {
        self.skip_blanks();
        while self.peek() == Some(b'\n') {
            self.at += 1;
            self.skip_blanks();
        }
    }

    /// The reserved word that stands here, if any; what follows it is left.
    fn reserved(&self) -> Option<&'static str> {
        let end = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>');
        let rest = self.rest();
        let word = &rest[..rest.iter().position(end).unwrap_or(rest.len())];
        RESERVED.into_iter().find(|reserved| reserved.as_bytes() == word)
    }

    fn expect(&mut self, word: &str) -> Option<()> {
        (self.reserved() == Some(word)).then(|| self.at += word.len())
    }

    /// Commands up to the end, a `)`, or a reserved word that ends them; at least one.
    pub(super) fn list(&mut self) -> Option<List> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let mut list = Vec::new();
        let mut when = When::Always;
        loop {
            self.skip_lines();
            let ended = self.peek().is_none_or(|byte| byte == b')')
                || matches!(self.reserved(), Some("then" | "elif" | "else" | "fi"));
            if ended {
                break;
            }
            list.push((when, self.pipeline()?));
            self.skip_blanks();
            when = match self.peek() {
                None | Some(b')' | b'\n') => When::Always,
                Some(b';') => {
                    self.at += 1;
                    When::Always
                }
                _ if self.take("&&") => When::Success,
                _ if self.take("||") => When::Failure,
                _ => return None,
            };
        }
        self.depth -= 1;
        (when == When::Always && !list.is_empty()).then_some(list)
    }

    fn pipeline(&mut self) -> Option<Pipeline> {
        let negated = self.expect("!").is_some();
        self.skip_blanks();
        let mut commands = vec![self.command()?];
        self.skip_blanks();
        while self.peek() == Some(b'|') && self.bytes.get(self.at + 1) != Some(&b'|') {
            self.at += 1;
            if self.peek() == Some(b'&') {
                return None;
            }
            self.skip_lines();
            commands.push(self.command()?);
            self.skip_blanks();
        }
        let plain = commands.len() == 1 || commands.iter().all(|command| matches!(command, Command::Simple { .. }));
        plain.then_some(Pipeline { negated, commands })
    }

    fn command(&mut self) -> Option<Command> {
        match self.reserved() {
            Some("if") => self.conditional(),
            Some(_) => None,
            None => self.simple(),
        }
    }

    fn conditional(&mut self) -> Option<Command> {
        let mut branches = Vec::new();
        let mut otherwise = None;
        self.expect("if")?;
        loop {
            let condition = self.list()?;
            self.expect("then")?;
            branches.push((condition, self.list()?));
            if self.expect("elif").is_some() {
                continue;
            }
            if self.expect("else").is_some() {
                otherwise = Some(self.list()?);
            }
            self.expect("fi")?;
            return Some(Command::If { branches, otherwise });
        }
    }

    fn simple(&mut self) -> Option<Command> {
        let (mut assignments, mut words) = (Vec::new(), Vec::new());
        loop {
            self.skip_blanks();
            match self.peek() {
                None | Some(b'\n' | b';' | b'&' | b'|' | b')') => break,
                // The rest of the line is a remark.
                Some(b'#') => return None,
                _ => {}
            }
            if !words.is_empty() && self.discards_errors() {
                continue;
            }
            if words.is_empty()
                && let Some(name) = self.assigned_name()
            {
                assignments.push((name, self.word()?));
            } else {
                words.push(self.word()?);
            }
        }
        // A line end within a reserved word hides it from `reserved`, but not from bash.
        if matches!(words.first().map(Vec::as_slice), Some([Piece::Text { text, quoted: false }]) if RESERVED.contains(&&**text))
        {
            return None;
        }
        // Assignments for one command alone are an environment, which only real programs see.
        (assignments.is_empty() != words.is_empty()).then_some(Command::Simple { assignments, words })
    }

    /// Skips the one redirection that changes nothing that counts.
    fn discards_errors(&mut self) -> bool {
        let begin = self.at;
        let found = self.take("2>/dev/null") && matches!(self.peek(), None | Some(b' ' | b'\t' | b'\n' | b';' | b')'));
        if !found {
            self.at = begin;
        }
        found
    }

    fn assigned_name(&mut self) -> Option<String> {
        let name = self.name()?;
        if self.take("=") {
            return Some(name);
        }
        self.at -= name.len();
        None
    }

    pub(super) fn name(&mut self) -> Option<String> {
        let rest = self.rest();
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        let name = std::str::from_utf8(&rest[..length]).ok().filter(|name| is_name(name))?.to_owned();
        self.at += length;
        Some(name)
    }
}
