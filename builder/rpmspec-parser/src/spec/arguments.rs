//! Splitting a section's line into words and options, as popt does for rpm.

use std::collections::VecDeque;

/// What is wrong with a line of arguments, in popt's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ArgumentError {
    /// A quote is not closed.
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

/// Splits at white space; `'` and `"` quote, `\` escapes.
pub(super) fn split_words(text: &str) -> Result<Vec<String>, ArgumentError> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut within = false;
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
                if within && !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                within = false;
            }
            (None, '"' | '\'') => {
                quote = Some(letter);
                within = true;
            }
            (None, '\\') => {
                word.push(letters.next().ok_or(ArgumentError::Quoting)?);
                within = true;
            }
            (None, letter) => {
                word.push(letter);
                within = true;
            }
        }
    }
    if quote.is_some() {
        return Err(ArgumentError::Quoting);
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
            let mut letters = word[1..].char_indices();
            while let Some((at, letter)) = letters.next() {
                let takes_value = match table.find(letter).filter(|_| letter != ':') {
                    None => return Err(ArgumentError::Unknown(format!("-{letter}"))),
                    Some(found) => table[found + letter.len_utf8()..].starts_with(':'),
                };
                if !takes_value {
                    result.options.push((letter, None));
                    continue;
                }
                let behind = &word[1 + at + letter.len_utf8()..];
                let value = match behind.strip_prefix('=').unwrap_or(behind) {
                    "" => rest.next().cloned().ok_or_else(|| ArgumentError::Missing(format!("-{letter}")))?,
                    value => value.to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        split_words(text).expect("the quotes are closed")
    }

    #[test]
    fn quotes_and_escapes_join_words() {
        assert_eq!(words(r#"%post -p "/bin/sh -e" a\ b 'c"d'"#), ["%post", "-p", "/bin/sh -e", "a b", "c\"d"]);
        assert_eq!(split_words("a 'b"), Err(ArgumentError::Quoting));
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
