//! Which lines belong together: those in the middle of a macro, and those a backslash joins.

/// How far a joined buffer is from being complete.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Balance {
    parentheses: usize,
    braces: usize,
    brackets: usize,
    continued: bool,
    opened_at: usize,
}

impl Balance {
    /// Whether nothing is open.
    pub(crate) fn is_complete(self) -> bool {
        self.is_closed() && !self.continued
    }

    /// Whether no macro is open; a backslash may still join the next line.
    pub(crate) fn is_closed(self) -> bool {
        self.parentheses == 0 && self.braces == 0 && self.brackets == 0
    }

    /// Where what is open begins.
    pub(crate) const fn opened_at(self) -> usize {
        self.opened_at
    }

    /// Takes one more line, at an offset, into account. Brackets count once a macro has opened one of their kind.
    pub(crate) fn add(&mut self, line: &str, offset: usize) {
        if self.is_complete() && memchr::memchr2(b'%', b'\\', line.as_bytes()).is_none() {
            return;
        }
        let mut bytes = line.bytes().enumerate().peekable();
        while let Some((at, byte)) = bytes.next() {
            let next = bytes.peek().map(|(_, byte)| *byte);
            if byte == b'\n' {
                self.continued = false;
            } else if byte == b'\\' {
                self.continued = next == Some(b'\n');
                bytes.next();
            } else if byte == b'%' && matches!(next, Some(b'{' | b'(' | b'[' | b'%')) {
                if self.is_closed() {
                    self.opened_at = offset + at;
                }
                bytes.next();
                match next {
                    Some(b'{') => self.braces += 1,
                    Some(b'(') => self.parentheses += 1,
                    Some(b'[') => self.brackets += 1,
                    _ => {}
                }
            } else {
                self.count(byte);
            }
        }
    }

    fn count(&mut self, byte: u8) {
        let (open, count) = match byte {
            b'{' => (true, &mut self.braces),
            b'}' => (false, &mut self.braces),
            b'(' => (true, &mut self.parentheses),
            b')' => (false, &mut self.parentheses),
            b'[' => (true, &mut self.brackets),
            b']' => (false, &mut self.brackets),
            _ => return,
        };
        if open && *count > 0 {
            *count += 1;
        } else if !open {
            *count = count.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Balance;

    #[test]
    fn macros_go_over_lines() {
        for (text, complete) in [
            ("a\n", true),
            ("%{a\n", false),
            ("%{a {\n} b}\n", true),
            ("%%{a\n", true),
            ("a \\\n", false),
            ("\\%{a\n", true),
            ("%(a (b)\n", false),
            ("%[1\n", false),
        ] {
            let mut balance = Balance::default();
            balance.add(text, 0);
            assert_eq!(balance.is_complete(), complete, "{text}");
        }
    }
}
