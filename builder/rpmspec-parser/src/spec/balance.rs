//! Which lines belong together: those in the middle of a macro, and those a backslash joins.

/// How far a joined buffer is from being complete.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Balance {
    parentheses: usize,
    braces: usize,
    brackets: usize,
    continued: bool,
}

impl Balance {
    /// Whether nothing is open.
    pub(super) fn is_complete(self) -> bool {
        self.parentheses == 0 && self.braces == 0 && self.brackets == 0 && !self.continued
    }

    /// Takes one more line into account. Brackets count once a macro has opened one of their kind.
    pub(super) fn add(&mut self, line: &str) {
        if self.is_complete() && !line.bytes().any(|byte| matches!(byte, b'%' | b'\\')) {
            return;
        }
        let mut bytes = line.bytes().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\\' => match bytes.peek() {
                    Some(b'\n') => {
                        bytes.next();
                        self.continued = true;
                    }
                    Some(_) => {
                        bytes.next();
                    }
                    None => {}
                },
                b'\n' => self.continued = false,
                b'%' => match bytes.peek() {
                    Some(b'{') => {
                        bytes.next();
                        self.braces += 1;
                    }
                    Some(b'(') => {
                        bytes.next();
                        self.parentheses += 1;
                    }
                    Some(b'[') => {
                        bytes.next();
                        self.brackets += 1;
                    }
                    Some(b'%') => {
                        bytes.next();
                    }
                    _ => {}
                },
                b'{' if self.braces > 0 => self.braces += 1,
                b'}' => self.braces = self.braces.saturating_sub(1),
                b'(' if self.parentheses > 0 => self.parentheses += 1,
                b')' => self.parentheses = self.parentheses.saturating_sub(1),
                b'[' if self.brackets > 0 => self.brackets += 1,
                b']' => self.brackets = self.brackets.saturating_sub(1),
                _ => {}
            }
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
            balance.add(text);
            assert_eq!(balance.is_complete(), complete, "{text}");
        }
    }
}
