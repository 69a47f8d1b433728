//! The text of dependency tags: names, versions, rich dependencies, and their order in a header.

use std::collections::BTreeMap;

use super::Qualifier;
use super::evaluator::{Evaluator, Step};
use super::preamble::NAME_CHARACTERS;
use super::rich::{self, Leaf};
use super::source_package::Located;
use super::tags::Relation;
use crate::rpm::{self, Capability, Dependency, Evr};
use crate::{Diagnostic, Place};

/// rpm's bits for `<`, `>` and `=`.
const LESS: u32 = 2;
const GREATER: u32 = 4;
const EQUAL: u32 = 8;
const SENSE: u32 = LESS | GREATER | EQUAL;

/// One dependency as rpm's headers hold it. The order is the order in a header.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// A name, or a whole rich dependency.
    pub name: String,
    /// The version as written; empty without one.
    pub evr: String,
    /// Comparison and qualifiers.
    pub flags: u32,
    /// The script of a trigger.
    pub index: usize,
}

/// The dependencies of one package, sorted and merged.
#[derive(Clone, Debug, Default)]
pub(super) struct Dependencies(BTreeMap<Relation, BTreeMap<Entry, Option<Place>>>);

impl Dependencies {
    /// Adds one; what is there already stays.
    pub(super) fn add(&mut self, relation: Relation, entry: Entry, place: Option<Place>) {
        self.0.entry(relation).or_default().entry(entry).or_insert(place);
    }

    /// Whether a trigger of the same kind is fired by some of the same packages.
    fn fires_already(&self, entry: &Entry) -> bool {
        let same = |known: &Entry| known.flags & !SENSE == entry.flags & !SENSE;
        let Some(all) = self.0.get(&Relation::Triggers) else { return false };
        let first = Entry { name: entry.name.clone(), evr: String::new(), flags: 0, index: 0 };
        let mut named = all.range(first..).map(|(known, _)| known).take_while(|known| known.name == entry.name);
        named.any(|known| same(known) && known.capability().overlaps(&entry.capability()))
    }

    fn of(&self, relation: Relation) -> impl Iterator<Item = (&Entry, &Option<Place>)> {
        self.0.get(&relation).into_iter().flatten()
    }

    /// All of a kind, in rpm's order.
    pub(super) fn dependencies(&self, relation: Relation) -> Vec<Located<Dependency>> {
        self.of(relation)
            .map(|(entry, place)| Located {
                value: entry.dependency(),
                place: place.clone(),
                qualifiers: Qualifier::of_flags(entry.flags),
            })
            .collect()
    }

    /// All of a kind that can have no rich dependencies, in rpm's order.
    pub(super) fn capabilities(&self, relation: Relation) -> Vec<Located<Capability>> {
        self.indexed(relation).into_iter().map(|(capability, _)| capability).collect()
    }

    /// All of a kind, with the scripts they belong to.
    pub(super) fn indexed(&self, relation: Relation) -> Vec<(Located<Capability>, usize)> {
        self.of(relation)
            .map(|(entry, place)| {
                let qualifiers = Qualifier::of_flags(entry.flags);
                (Located { value: entry.capability(), place: place.clone(), qualifiers }, entry.index)
            })
            .collect()
    }
}

impl Entry {
    fn capability(&self) -> Capability {
        let relation = match self.flags & SENSE {
            LESS => rpm::Relation::Less,
            GREATER => rpm::Relation::Greater,
            sense if sense == LESS | EQUAL => rpm::Relation::LessOrEqual,
            sense if sense == GREATER | EQUAL => rpm::Relation::GreaterOrEqual,
            EQUAL => rpm::Relation::Equal,
            _ => return Capability::any(&*self.name),
        };
        Capability { name: self.name.clone(), version: Some((relation, Evr::parse(&self.evr))) }
    }

    fn dependency(&self) -> Dependency {
        if self.name.starts_with('(')
            && let Ok(dependency) = Dependency::parse(&self.name)
        {
            return dependency;
        }
        Dependency::Capability(self.capability())
    }

    /// `name = evr`, as every package provides itself.
    pub(super) fn exact(name: String, evr: String) -> Self {
        Self { name, evr, flags: EQUAL, index: 0 }
    }

    /// `name <= evr`, as features of rpm are required.
    pub(super) fn rpmlib(feature: &str, evr: &str) -> Self {
        let flags = LESS | EQUAL | Qualifier::Rpmlib.bit();
        Self { name: format!("rpmlib({feature})"), evr: evr.to_owned(), flags, index: 0 }
    }
}

/// What separates dependencies: white space and commas.
fn is_separator(letter: char) -> bool {
    letter.is_ascii_whitespace() || letter == ','
}

/// Takes the next word off a text; empty at its end.
fn next_word<'text>(text: &mut &'text str) -> &'text str {
    let rest = text.trim_start_matches(is_separator);
    let length = rest.find(is_separator).unwrap_or(rest.len());
    let (word, rest) = rest.split_at(length);
    *text = rest;
    word
}

/// How rpm writes a comparison, between blanks.
pub(super) fn written(sense: u32) -> &'static str {
    match sense {
        LESS => " < ",
        GREATER => " > ",
        EQUAL => " = ",
        sense if sense & LESS != 0 => " <= ",
        _ => " >= ",
    }
}

/// Reads a comparison.
pub(super) fn sense(word: &str) -> Option<u32> {
    Some(match word {
        "<" => LESS,
        "<=" | "=<" => LESS | EQUAL,
        "=" | "==" => EQUAL,
        ">=" | "=>" => GREATER | EQUAL,
        ">" => GREATER,
        _ => return None,
    })
}

/// What is wrong with a version, in rpm's words.
fn version_error(evr: &str) -> Option<String> {
    for separator in ['-', ':'] {
        if evr.matches(separator).count() > 1 {
            return Some(format!("Invalid version (double separator '{separator}'): {evr}"));
        }
    }
    let (epoch, _) = evr.split_once(':')?;
    (!epoch.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| format!("Invalid version (epoch must be unsigned integer): {evr}"))
}

/// Characters of a version besides letters and digits.
const VERSION_CHARACTERS: &str = "._+%{}~^-:";

impl Evaluator<'_, '_> {
    /// Reads all dependencies of a tag's or trigger's text.
    /// `draft` is the package they belong to; build dependencies belong to the source.
    pub(super) fn add_dependencies(
        &mut self,
        draft: usize,
        relation: Relation,
        text: &str,
        flags: u32,
        index: usize,
    ) -> Step<()> {
        let (relation, flags) = match relation {
            Relation::Prereq => (Relation::Requires, flags | Qualifier::Pre.bit() | Qualifier::Preun.bit()),
            relation => (relation, flags),
        };
        let mut entries = Vec::new();
        let outcome = self.parse_dependencies(relation, text, flags, index, &mut entries);
        for (entry, place) in entries {
            let target = match relation {
                Relation::BuildRequires | Relation::BuildConflicts => &mut self.build_dependencies,
                _ => match self.drafts.get_mut(draft) {
                    Some(draft) => &mut draft.dependencies,
                    None => return Ok(()),
                },
            };
            if relation == Relation::Triggers && target.fires_already(&entry) {
                let message = "Trigger fired by the same package is already defined in spec file";
                self.record(Diagnostic::error(message).at(&place));
                return Ok(());
            }
            target.add(relation, entry, Some(place));
        }
        let is_trigger =
            matches!(relation, Relation::Triggers | Relation::FileTriggers | Relation::TransactionFileTriggers);
        match outcome {
            Err(diagnostic) if is_trigger => {
                // rpm goes on with the conditions before.
                self.record(*diagnostic);
                Ok(())
            }
            Err(diagnostic) => self.fail(*diagnostic),
            Ok(()) => Ok(()),
        }
    }

    fn parse_dependencies(
        &mut self,
        relation: Relation,
        text: &str,
        tag_flags: u32,
        index: usize,
        entries: &mut Vec<(Entry, Place)>,
    ) -> Result<(), Box<Diagnostic>> {
        let files = matches!(relation, Relation::FileTriggers | Relation::TransactionFileTriggers);
        let rich = matches!(
            relation,
            Relation::Requires
                | Relation::Recommends
                | Relation::Suggests
                | Relation::Supplements
                | Relation::Enhances
                | Relation::Conflicts
                | Relation::BuildRequires
                | Relation::BuildConflicts
        );
        let mut rest = text;
        loop {
            rest = rest.trim_start_matches(is_separator);
            if rest.is_empty() {
                return Ok(());
            }
            let first = rest.chars().next().unwrap_or_default();
            let error_at = |place: Place, message: String| Box::new(Diagnostic::error(message).at(&place));
            if first == '(' && !files {
                if !rich {
                    let place = self.reader.place_of(rest);
                    return Err(error_at(place, "No rich dependencies allowed for this type".to_owned()));
                }
                let place = self.reader.place_of(rest.trim_ascii_end());
                let conflicts = matches!(
                    relation,
                    Relation::Conflicts | Relation::BuildConflicts | Relation::Supplements | Relation::Enhances
                );
                let mut fault = None;
                let read = rich::read(rest, conflicts, |leaf| {
                    self.check_leaf(leaf).map_err(|diagnostic| {
                        fault = Some(diagnostic);
                        String::new()
                    })
                });
                let read = read.map_err(|words| fault.unwrap_or_else(|| error_at(place.clone(), words)))?;
                entries.push((Entry { name: read.text, evr: String::new(), flags: tag_flags, index }, place));
                rest = &rest[read.length..];
                continue;
            }
            let name = next_word(&mut rest);
            let place = self.reader.place_of(name);
            let mut behind = rest;
            let mut leaf = Leaf { name, sense: 0, evr: "" };
            if let Some(sense) = sense(next_word(&mut behind)) {
                leaf = Leaf { sense, evr: next_word(&mut behind), ..leaf };
                if leaf.evr.is_empty() {
                    return Err(error_at(place, "Version required".to_owned()));
                }
                rest = behind;
            }
            self.check_leaf(leaf)?;
            if files && first != '/' {
                self.record(Diagnostic::warning("Only absolute paths are allowed in file triggers").at(&place));
            }
            if relation == Relation::Obsoletes {
                self.check_obsolete(leaf, &place)?;
            }
            let mut flags = tag_flags | leaf.sense;
            if name.starts_with("rpmlib(") {
                if relation == Relation::Provides {
                    return Err(error_at(place, "invalid dependency".to_owned()));
                }
                flags |= Qualifier::Rpmlib.bit();
            }
            entries.push((Entry { name: name.to_owned(), evr: leaf.evr.to_owned(), flags, index }, place));
        }
    }

    /// Checks a name and its version, wherever they stand.
    fn check_leaf(&mut self, leaf: Leaf<'_>) -> Result<(), Box<Diagnostic>> {
        let Leaf { name, sense, evr } = leaf;
        let first = name.chars().next().unwrap_or_default();
        if !(first.is_ascii_alphanumeric() || matches!(first, '_' | '/')) {
            let hint = match name.strip_prefix('%') {
                Some(name) => self.undefined_macro(name),
                None => "see `Requires` in rpm's manual".to_owned(),
            };
            return Err(Box::new(
                Diagnostic::error("Dependency tokens must begin with alpha-numeric, '_' or '/'")
                    .at(&self.reader.place_of(name))
                    .hint(hint),
            ));
        }
        if sense == 0 {
            return Ok(());
        }
        let fault = |this: &Self, word: &str, message: String| {
            Err(Box::new(Diagnostic::error(message).at(&this.reader.place_of(word))))
        };
        if first == '/' {
            return fault(self, name, "Versioned file name not permitted".to_owned());
        }
        self.check_characters(evr, VERSION_CHARACTERS, None)?;
        match version_error(evr) {
            Some(message) => fault(self, evr, message),
            None => Ok(()),
        }
    }

    /// What is obsolete is a package, and best only some versions of it.
    fn check_obsolete(&mut self, leaf: Leaf<'_>, place: &Place) -> Result<(), Box<Diagnostic>> {
        if let Err(diagnostic) = self.check_characters(leaf.name, NAME_CHARACTERS, None) {
            self.record(diagnostic);
            return Err(Box::new(Diagnostic::error("Only package names are allowed in Obsoletes").at(place)));
        }
        if leaf.sense == 0 {
            self.record(
                Diagnostic::warning("It's not recommended to have unversioned Obsoletes")
                    .at(place)
                    .hint(format!("write `{} < VERSION`", leaf.name)),
            );
        }
        Ok(())
    }

    /// Checks the characters of a name or version as rpm does; an unexpanded macro is a warning.
    pub(super) fn check_characters(
        &mut self,
        text: &str,
        allowed: &str,
        first: Option<&str>,
    ) -> Result<(), Diagnostic> {
        let place = self.reader.place_of(text);
        let is_allowed = |letter: char, allowed: &str| letter.is_ascii_alphanumeric() || allowed.contains(letter);
        let mut wrong = None;
        if let (Some(first), Some(letter)) = (first, text.chars().next())
            && !is_allowed(letter, first)
        {
            wrong = Some(letter);
        }
        let wrong = wrong.or_else(|| text.chars().rfind(|letter| !is_allowed(*letter, allowed)));
        if let Some(letter) = wrong {
            let shown = u32::from(letter);
            let letter = if letter.is_ascii_graphic() { letter } else { '?' };
            return Err(
                Diagnostic::error(format!("Illegal char '{letter}' (0x{shown:x}) in: {}", self.reader.line)).at(&place)
            );
        }
        if text.contains("..") {
            return Err(Diagnostic::error(format!("Illegal sequence \"..\" in: {}", self.reader.line)).at(&place));
        }
        if text.contains(['%', '{', '}']) {
            self.record(
                Diagnostic::warning(format!("Possible unexpanded macro in: {}", self.reader.line.trim_ascii_end()))
                    .at(&place)
                    .hint("define the macro, or write `%{?name}`"),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_sorted_and_merged_as_in_a_header() {
        let mut dependencies = Dependencies::default();
        for (name, evr, flags) in [("b", "", 0), ("a", "2", EQUAL), ("a", "", 0), ("b", "", 0), ("a", "", 1 << 9)] {
            let entry = Entry { name: name.to_owned(), evr: evr.to_owned(), flags, index: 0 };
            dependencies.add(Relation::Requires, entry, None);
        }
        let shown: Vec<String> =
            dependencies.dependencies(Relation::Requires).iter().map(|entry| entry.value.to_string()).collect();
        assert_eq!(shown, ["a", "a", "a = 2", "b"]);
    }

    #[test]
    fn versions_have_one_of_each_separator() {
        assert_eq!(version_error("1:2-3"), None);
        assert!(version_error("1-2-3").is_some());
        assert!(version_error("1:2:3").is_some());
        assert!(version_error("x:1").is_some());
    }
}
