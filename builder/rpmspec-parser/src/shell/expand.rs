//! Expands words: variables, commands and sums within them, and the fields that unquoted ones fall into.

use super::arithmetic;
use super::run::Shell;
use super::script::{Operation, Piece, Word};

impl Shell<'_> {
    /// Expands a word into the fields it is.
    pub(super) fn fields(&mut self, word: &Word, fields: &mut Vec<String>) -> Option<()> {
        let mut field: Option<String> = None;
        for piece in word {
            let (text, split) = self.piece(piece)?;
            if !split {
                field.get_or_insert_default().push_str(&text);
                continue;
            }
            // It could be a pattern of file names.
            if text.contains(['*', '?', '[', '\\']) {
                return None;
            }
            for letter in text.chars() {
                if matches!(letter, ' ' | '\t' | '\n') {
                    fields.extend(field.take());
                } else {
                    field.get_or_insert_default().push(letter);
                }
            }
        }
        fields.extend(field);
        Some(())
    }

    /// Expands a word that stays one, as what is assigned does.
    pub(super) fn text(&mut self, word: &Word) -> Option<String> {
        word.iter().map(|piece| self.piece(piece).map(|(text, _)| text)).collect()
    }

    /// The text of a piece, and whether blanks in it separate fields.
    fn piece(&mut self, piece: &Piece) -> Option<(String, bool)> {
        Some(match piece {
            Piece::Text { text, .. } => {
                self.spend(text.len())?;
                (text.clone(), false)
            }
            Piece::Variable { name, operation, quoted } => {
                let (value, is_set) = self.variable(name)?;
                (self.operate(operation, value, is_set)?, !quoted)
            }
            Piece::Command { list, quoted } => {
                let mut output = Vec::new();
                let success = self.subshell(|this| this.list(list, &mut output))?;
                self.substituted = Some(success);
                let mut text = String::from_utf8(output).ok()?;
                text.truncate(text.trim_end_matches('\n').len());
                (text, !quoted)
            }
            Piece::Arithmetic(word) => {
                let text = self.text(word)?;
                (arithmetic::evaluate(&text)?.to_string(), false)
            }
        })
    }

    fn operate(&mut self, operation: &Operation, value: String, is_set: bool) -> Option<String> {
        let counts = |empty_too: bool| is_set && !(empty_too && value.is_empty());
        Some(match operation {
            Operation::Value => value,
            Operation::Length => value.len().to_string(),
            Operation::WithoutPrefix { pattern, longest } => {
                self.spend(value.len().saturating_pow(2).saturating_mul(pattern.len()))?;
                let mut ends = 0..=value.len();
                let mut fits = |end: &usize| matches(pattern.as_bytes(), &value.as_bytes()[..*end]);
                let end = if *longest { ends.rev().find(&mut fits) } else { ends.find(&mut fits) };
                value[end.unwrap_or(0)..].to_owned()
            }
            Operation::WithoutSuffix { pattern, longest } => {
                self.spend(value.len().saturating_pow(2).saturating_mul(pattern.len()))?;
                let mut starts = 0..=value.len();
                let mut fits = |start: &usize| matches(pattern.as_bytes(), &value.as_bytes()[*start..]);
                let start = if *longest { starts.find(&mut fits) } else { starts.rev().find(&mut fits) };
                value[..start.unwrap_or(value.len())].to_owned()
            }
            Operation::Replace { from, to, all } => {
                self.spend(value.len().saturating_mul(to.len() + 1))?;
                if *all { value.replace(from, to) } else { value.replacen(from, to, 1) }
            }
            Operation::Otherwise { word, empty_too } => {
                if counts(*empty_too) {
                    value
                } else {
                    word.clone()
                }
            }
            Operation::Instead { word, empty_too } => {
                if counts(*empty_too) {
                    word.clone()
                } else {
                    String::new()
                }
            }
        })
    }
}

/// Whether all of a text fits a pattern of `*`, `?` and letters.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where the last `*` stands, and how much of the text it takes up to.
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[from] => {
                at += 1;
                from += 1;
            }
            _ => match &mut star {
                Some((place, taken)) => {
                    *taken += 1;
                    (at, from) = (*place + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}
