//! `Source` and `Patch`: their numbers and the macros and Lua tables they fill.

use std::collections::BTreeMap;

use super::evaluator::{Evaluator, Step};
use super::source_package::SourceFile;
use super::tags::{Kind, Tag};
use crate::{Diagnostic, Place};

/// The numbers of sources or patches in use.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbering {
    /// What a tag without a number gets.
    next: u32,
    taken: Registered,
}

/// Sources or patches: where each lies, by number.
pub(super) type Registered = BTreeMap<u32, String>;

impl Numbering {
    /// What has a number by now.
    pub(super) fn registered(&self) -> Registered {
        self.taken.clone()
    }
}

/// The Lua tables of paths and of numbers.
const SOURCES: (&str, &str) = ("sources", "source_nums");
const PATCHES: (&str, &str) = ("patches", "patch_nums");

impl Evaluator<'_, '_> {
    /// Adds the source or patch of a tag; `number` is what stands before the colon.
    pub(super) fn add_source(
        &mut self,
        tag: &Tag,
        number: &str,
        field: &str,
        place: &Place,
    ) -> Step<Result<(), Box<Diagnostic>>> {
        let number = match number.trim_ascii() {
            "" => None,
            digits => match digits.parse() {
                Ok(number) => Some(number),
                Err(_) => {
                    let message = format!("Bad {} number: {}", tag.name, self.reader.line);
                    return Ok(Err(Box::new(Diagnostic::error(message).at(place))));
                }
            },
        };
        Ok(self.register_source(tag.kind == Kind::Patch, number, field, place))
    }

    /// Adds a source or patch: its number, macros and Lua tables.
    pub(super) fn register_source(
        &mut self,
        is_patch: bool,
        number: Option<u32>,
        field: &str,
        place: &Place,
    ) -> Result<(), Box<Diagnostic>> {
        let numbers = if is_patch { &mut self.patch_numbers } else { &mut self.source_numbers };
        let number = number.unwrap_or(numbers.next);
        numbers.next = number.saturating_add(1);
        if numbers.taken.contains_key(&number) {
            let what = if is_patch { "patch" } else { "source" };
            return Err(Box::new(
                Diagnostic::error(format!("{what} {number} defined multiple times"))
                    .at(place)
                    .hint("give it another number, or none"),
            ));
        }
        let file = SourceFile { number, url: field.to_owned(), place: Some(place.clone()), excluded: false };
        let path = self.source_path(file.file_name());
        let numbers = if is_patch { &mut self.patch_numbers } else { &mut self.source_numbers };
        numbers.taken.insert(number, path.clone());
        let name = if is_patch { "PATCH" } else { "SOURCE" };
        self.define(&format!("{name}{number}"), &path);
        self.define(&format!("{name}URL{number}"), field);
        let (table, numbers) = if is_patch { PATCHES } else { SOURCES };
        self.macros.push_lua_values(table, path, numbers, i64::from(number));
        if is_patch {
            self.source.patches.push(file);
        } else {
            self.source.sources.push(file);
        }
        Ok(())
    }

    /// Where a source lies.
    fn source_path(&mut self, name: &str) -> String {
        let path = self.expand(&format!("%{{_sourcedir}}/{name}"));
        tidy_path(&path)
    }

    /// Empties the Lua tables `sources`, `patches` and those of their numbers.
    pub(super) fn clear_lua_tables(&mut self) {
        for (table, numbers) in [SOURCES, PATCHES] {
            self.macros.set_lua_table(table, Vec::new());
            self.macros.set_lua_numbers(numbers, Vec::new());
        }
    }

    /// Obeys `NoSource` and `NoPatch`.
    pub(super) fn exclude_sources(
        &mut self,
        tag: &Tag,
        field: &str,
        place: &Place,
    ) -> Step<Result<(), Box<Diagnostic>>> {
        let files = if tag.kind == Kind::NoPatch { &mut self.source.patches } else { &mut self.source.sources };
        for word in
            field.split(|letter: char| letter == ',' || letter.is_ascii_whitespace()).filter(|word| !word.is_empty())
        {
            let Ok(number) = word.parse::<u32>() else {
                return Ok(Err(Box::new(Diagnostic::error(format!("Bad number: {word}")).at(place))));
            };
            match files.iter_mut().find(|file| file.number == number) {
                Some(file) => file.excluded = true,
                None => {
                    let message = format!("Bad {} number: {number}", tag.name);
                    return Ok(Err(Box::new(Diagnostic::error(message).at(place))));
                }
            }
        }
        Ok(Ok(()))
    }
}

/// Takes doubled and trailing slashes out of a path, as rpm does.
pub(super) fn tidy_path(path: &str) -> String {
    let mut tidy = String::with_capacity(path.len());
    for letter in path.chars() {
        if letter != '/' || !tidy.ends_with('/') || tidy.ends_with(":/") {
            tidy.push(letter);
        }
    }
    while tidy.len() > 1 && tidy.ends_with('/') {
        tidy.pop();
    }
    tidy
}

#[cfg(test)]
mod tests {
    use super::tidy_path;

    #[test]
    fn paths_are_tidied() {
        assert_eq!(tidy_path("/a//b/c/"), "/a/b/c");
        assert_eq!(tidy_path("/"), "/");
    }
}
