//! Specs that are not UTF-8: rpm reads any bytes, but does not let them into a package.

use super::evaluator::{Evaluator, Step};
use crate::{Diagnostic, Place};

/// Bytes that are no UTF-8 become these private characters: this and 255 more.
const FIRST: u32 = 0x0010_ff00;

/// What the encoding of every such character begins with.
const LEAD: u8 = 0xf4;

/// A text of a package that is no UTF-8.
#[derive(Clone, Debug)]
pub(super) struct Misencoded {
    package: usize,
    /// rpm's name of the tag.
    tag: String,
    text: String,
    place: Place,
}

/// Reads a spec's bytes. What is no UTF-8 becomes private characters that evaluation knows: as in rpm it does no
/// harm in a comment or a build script, and is an error in what a package holds.
#[must_use]
pub fn decode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|byte| char::from_u32(FIRST + u32::from(*byte))));
    }
    text
}

fn byte_of(letter: char) -> Option<u8> {
    u32::from(letter).checked_sub(FIRST).and_then(|byte| u8::try_from(byte).ok()).filter(|byte| *byte >= 0x80)
}

fn is_misencoded(text: &str) -> bool {
    text.as_bytes().contains(&LEAD) && text.chars().any(|letter| byte_of(letter).is_some())
}

/// A text with its wrong bytes written out.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    for letter in text.chars() {
        match byte_of(letter) {
            Some(byte) => shown.push_str(&format!("\\x{byte:02x}")),
            None => shown.push(letter),
        }
    }
    shown
}

impl Evaluator<'_, '_> {
    /// Notes a text that goes into a package, if it is no UTF-8.
    pub(super) fn note_encoding(&mut self, package: usize, tag: &str, text: &str, place: &Place) {
        if is_misencoded(text) {
            let (tag, text) = (tag.to_owned(), text.to_owned());
            self.misencoded.push(Misencoded { package, tag, text, place: place.clone() });
        }
    }

    /// Says which texts are no UTF-8: an error, unless `%_invalid_encoding_terminates_build` says otherwise.
    pub(super) fn check_encoding(&mut self) -> Step<()> {
        let misencoded = std::mem::take(&mut self.misencoded);
        if misencoded.is_empty() {
            return Ok(());
        }
        let fatal = self.expand("%{?_invalid_encoding_terminates_build}").trim_ascii().parse() != Ok(0_i64);
        for Misencoded { package, tag, text, place } in misencoded {
            let name = self.drafts.get(package).map_or("", |draft| draft.package.name.as_str());
            let cut = text.chars().next_back().is_some_and(|letter| byte_of(letter).is_some());
            let reason = if cut { "Invalid argument" } else { "Invalid or incomplete multibyte or wide character" };
            let message = format!("Package {name}: invalid utf-8 encoding in {tag}: {} - {reason}", shown(&text));
            let diagnostic = if fatal { Diagnostic::error(message) } else { Diagnostic::warning(message) };
            let diagnostic = diagnostic.at(&place).hint("store the spec as UTF-8");
            if fatal {
                self.fail(diagnostic)?;
            } else {
                self.record(diagnostic);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_bytes_are_kept() {
        let text = decode(b"caf\xe9 \xc3\xa9");
        assert!(is_misencoded(&text) && !is_misencoded("café \u{10ff00}"));
        assert_eq!(shown(&text), "caf\\xe9 é");
        assert_eq!(decode("é".as_bytes()), "é");
    }
}
