//! The character-level rules of macro text: brackets, the end of a macro call, blanks, quoted arguments.
//!
//! Positions are byte offsets. Every delimiter is ASCII, so they always are character boundaries.

/// Separates quoted arguments: rpm marks the ends of `%{quote:…}` by the ASCII unit separator.
pub(super) const QUOTE: char = '\u{1f}';

/// A blank as macro text has it; line ends are not blanks.
pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// A line end.
pub(super) const fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// A character of a macro's name.
pub(super) const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// White space as C's `isspace` has it.
pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Returns the offset behind the bracket that closes the one `text` starts with. A backslash hides the
/// byte that follows it.
pub(super) fn match_bracket(text: &str, open: u8, close: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut level = 0_i32;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        if byte == b'\\' {
            at += 1;
        } else if byte == close {
            level -= 1;
            if level <= 0 {
                return Some(at);
            }
        } else if byte == open {
            level += 1;
        }
    }
    None
}

/// Returns the offset behind the macro call that `text`, which follows a `%`, starts with; `None` where
/// its bracket is never closed.
pub(super) fn macro_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    match bytes.first() {
        Some(b'(') => return match_bracket(text, b'(', b')'),
        Some(b'{') => return match_bracket(text, b'{', b'}'),
        Some(b'[') => return match_bracket(text, b'[', b']'),
        _ => {}
    }
    let mut at = bytes.iter().take_while(|byte| matches!(byte, b'?' | b'!')).count();
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    at += bytes[at..].iter().take_while(|byte| is_name(**byte)).count();
    match (bytes.get(at), bytes.get(at + 1)) {
        (Some(b'*'), Some(b'*')) => at += 2,
        (Some(b'*' | b'#'), _) => at += 1,
        _ => {}
    }
    Some(at)
}

/// Counts the brackets that macro calls open, the way a definition's body is delimited.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Openings {
    braces: u32,
    parentheses: u32,
    brackets: u32,
}

impl Openings {
    /// Reads one byte and the one behind it. Says whether the two belong together (`%{`, `%%`, …), so that
    /// the second is not to be read again.
    pub(super) fn read(&mut self, byte: u8, next: Option<u8>) -> bool {
        match (byte, next) {
            (b'%', Some(b'{')) => self.braces += 1,
            (b'%', Some(b'(')) => self.parentheses += 1,
            (b'%', Some(b'[')) => self.brackets += 1,
            (b'%', Some(b'%')) => {}
            (b'{', _) => return Self::nested(&mut self.braces),
            (b'(', _) => return Self::nested(&mut self.parentheses),
            (b'[', _) => return Self::nested(&mut self.brackets),
            (b'}', _) => return Self::closed(&mut self.braces),
            (b')', _) => return Self::closed(&mut self.parentheses),
            (b']', _) => return Self::closed(&mut self.brackets),
            _ => return false,
        }
        true
    }

    fn nested(count: &mut u32) -> bool {
        if *count > 0 {
            *count += 1;
        }
        false
    }

    fn closed(count: &mut u32) -> bool {
        *count = count.saturating_sub(1);
        false
    }

    /// Says whether a brace or a parenthesis is open: a definition's free-form body then goes over line ends.
    pub(super) const fn over_lines(self) -> bool {
        self.braces > 0 || self.parentheses > 0
    }

    /// Says whether anything is open.
    pub(super) const fn any(self) -> bool {
        self.over_lines() || self.brackets > 0
    }
}

/// Splits arguments at blanks and tabs; what stands between quote marks stays together, empty words are dropped.
pub(super) fn split_arguments(text: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut word = String::new();
    // A quoted empty word counts as one: its marks make it longer than nothing.
    let mut marks = false;
    let mut quoted = false;
    for character in text.chars() {
        if !quoted && matches!(character, ' ' | '\t') {
            if !word.is_empty() || marks {
                arguments.push(std::mem::take(&mut word));
            }
            marks = false;
        } else if character == QUOTE {
            quoted = !quoted;
            marks = true;
        } else {
            word.push(character);
        }
    }
    // An unfinished quotation is dropped, as rpm does.
    if !quoted && (!word.is_empty() || marks) {
        arguments.push(word);
    }
    arguments
}

/// Takes the marks of quotes out of a text from an offset on.
pub(super) fn unquote(text: &mut String, from: usize) {
    if text.get(from..).is_some_and(|rest| rest.contains(QUOTE)) {
        let rest = text.split_off(from);
        text.extend(rest.chars().filter(|letter| *letter != QUOTE));
    }
}

/// Joins arguments so that [`split_arguments`] gives them back.
pub(super) fn join_quoted<S: AsRef<str>>(arguments: &[S]) -> String {
    let quoted: Vec<String> = arguments.iter().map(|argument| format!("{QUOTE}{}{QUOTE}", argument.as_ref())).collect();
    quoted.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_matched() {
        assert_eq!(match_bracket("{a{b}c}d", b'{', b'}'), Some(7));
        assert_eq!(match_bracket("{a\\}b}c", b'{', b'}'), Some(6));
        assert_eq!(match_bracket("{a{b}c", b'{', b'}'), None);
        assert_eq!(match_bracket("{a\\", b'{', b'}'), None);
    }

    #[test]
    fn a_call_ends_where_its_name_ends() {
        for (text, end) in [("foo bar", 3), ("?foo-bar", 4), ("-f*x", 3), ("**x", 2), ("#x", 1), ("*", 1), ("-", 1)] {
            assert_eq!(macro_end(text), Some(end), "{text}");
        }
        assert_eq!(macro_end("{foo"), None);
    }

    #[test]
    fn arguments_are_split_and_quoted() {
        assert_eq!(split_arguments(" a \t b"), ["a", "b"]);
        assert_eq!(split_arguments("x \u{1f}a b\u{1f} \u{1f}\u{1f}"), ["x", "a b", ""]);
        assert_eq!(split_arguments(&join_quoted(&["a b", ""])), ["a b", ""]);
        assert!(split_arguments("\u{1f}a b").is_empty());
    }
}
