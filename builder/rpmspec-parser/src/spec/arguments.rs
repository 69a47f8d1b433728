//! Splitting a section's line into words and options, as popt does for rpm.

use std::collections::VecDeque;

/// What is wrong with a line of arguments, in popt's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ArgumentError {
    /// Nothing follows a backslash.
    Quoting,
    /// An option nobody knows.
    Unknown(String),
    /// An option's value is missing.
    Missing(String),
}

impl ArgumentError {
    /// popt's words for it.
    pub(super) fn words(&self) -> &'static str {
        match self {
            Self::Quoting => "error in parameter quoting",
            Self::Unknown(_) => "unknown option",
            Self::Missing(_) => "missing argument",
        }
    }

    /// The option at fault.
    pub(super) fn option(&self) -> &str {
        match self {
            Self::Quoting => "",
            Self::Unknown(option) | Self::Missing(option) => option,
        }
    }
}

/// Splits at white space; `'` and `"` quote, to the end if they are not closed, `\` escapes.
pub(super) fn split_words(text: &str) -> Result<Vec<String>, ArgumentError> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (Some(open), '\\') => {
                let next = letters.next().ok_or(ArgumentError::Quoting)?;
                if next != open {
                    word.push('\\');
                }
                word.push(next);
            }
            (Some(_), letter) => word.push(letter),
            (None, letter) if letter.is_ascii_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            (None, '"' | '\'') => {
                quote = Some(letter);
            }
            (None, '\\') => {
                word.push(letters.next().ok_or(ArgumentError::Quoting)?);
            }
            (None, letter) => {
                word.push(letter);
            }
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}

/// The options and other words of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    /// Options in their order, with their values where they take one.
    pub options: Vec<(char, Option<String>)>,
    /// Everything else.
    pub words: VecDeque<String>,
}

impl Arguments {
    /// Reads the words behind the first by a table such as `"n:f:e"`: a colon marks an option with a value.
    pub(super) fn parse(words: &[String], table: &str) -> Result<Self, ArgumentError> {
        let mut result = Self::default();
        let mut rest = words.iter().skip(1);
        while let Some(word) = rest.next() {
            if word == "--" {
                result.words.extend(rest.cloned());
                break;
            }
            if !word.starts_with('-') || word == "-" {
                result.words.push_back(word.clone());
                continue;
            }
            if word.starts_with("--") {
                return Err(ArgumentError::Unknown(word.clone()));
            }
            for (at, letter) in word[1..].char_indices() {
                let takes_value = match table.find(letter).filter(|_| letter != ':') {
                    None => return Err(ArgumentError::Unknown(format!("-{letter}"))),
                    Some(found) => table[found + letter.len_utf8()..].starts_with(':'),
                };
                if !takes_value {
                    result.options.push((letter, None));
                    continue;
                }
                let behind = &word[1 + at + letter.len_utf8()..];
                let value = match behind.strip_prefix('=') {
                    Some(value) => value.to_owned(),
                    None if behind.is_empty() => {
                        rest.next().cloned().ok_or_else(|| ArgumentError::Missing(format!("-{letter}")))?
                    }
                    None => behind.to_owned(),
                };
                result.options.push((letter, Some(value)));
                break;
            }
        }
        Ok(result)
    }

    /// The value of the last use of an option.
    pub(super) fn value(&self, option: char) -> Option<&str> {
        self.options.iter().rev().find(|(letter, _)| *letter == option).and_then(|(_, value)| value.as_deref())
    }

    /// Whether an option is used.
    pub(super) fn has(&self, option: char) -> bool {
        self.options.iter().any(|(letter, _)| *letter == option)
    }
}

/// Reads the number of a source or patch: digits, with blanks before them at most.
pub(super) fn whole_number(text: &str) -> Option<u32> {
    let digits = text.trim_ascii_start();
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        split_words(text).expect("the quotes are closed")
    }

    #[test]
    fn quotes_and_escapes_join_words() {
        assert_eq!(words(r#"%post -p "/bin/sh -e" a\ b 'c"d'"#), ["%post", "-p", "/bin/sh -e", "a b", "c\"d"]);
        assert_eq!(words("a 'b c"), ["a", "b c"]);
        assert_eq!(split_words("a \\"), Err(ArgumentError::Quoting));
    }

    #[test]
    fn options_may_be_joined_and_stand_anywhere() {
        let parsed = Arguments::parse(&words("%setup one -qn name -a1 two"), "a:b:cDn:Tq").expect("all are known");
        assert_eq!(parsed.options, [('q', None), ('n', Some("name".to_owned())), ('a', Some("1".to_owned()))]);
        assert_eq!(parsed.words, ["one", "two"]);
        assert_eq!(Arguments::parse(&words("%files -x"), "n:f:"), Err(ArgumentError::Unknown("-x".to_owned())));
        assert_eq!(Arguments::parse(&words("%files -n"), "n:f:"), Err(ArgumentError::Missing("-n".to_owned())));
    }
}
