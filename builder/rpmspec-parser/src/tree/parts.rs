//! What the lines of a node hold: the parts of tags, definitions, headers and includes, with their bytes.

use super::lines::{definition_word, is_space};
use super::{Kind, Node, Span};
use crate::macros::RpmVersion;
use crate::spec::sections::part_of;
use crate::spec::tags::{Kind as TagKind, find_tag, spelled};

/// A tag: `Requires(post): a`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag<'tree> {
    /// Its name as most people write it, without a number: `BuildRequires`.
    pub name: String,
    /// What stands in parentheses: a qualifier or a language; empty without them.
    pub qualifier: &'tree str,
    /// What stands between `Source` or `Patch` and the colon, usually a number.
    pub number: &'tree str,
    /// The value, without the white space around it.
    pub value: &'tree str,
    /// The value's bytes.
    pub value_span: Span,
}

impl Tag<'_> {
    /// Whether it is the tag of that name, in any letters' case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Whether the value is what rpm takes it for: it has no macro, and stands on one line.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        !self.value.contains(['%', '\n', '\0', '\\'])
    }

    /// The dependencies of a value, by rpm's separators: white space and commas. Versions stay with their names,
    /// parentheses together.
    #[must_use]
    pub fn items(&self) -> Vec<Item<'_>> {
        items(self.value, self.value_span.start)
    }
}

/// One dependency of a tag's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<'tree> {
    /// Its name, or all of a rich one.
    pub name: &'tree str,
    /// All of it: `gcc >= 4`.
    pub text: &'tree str,
    /// The bytes of all of it.
    pub span: Span,
}

/// A `%define` or `%global`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition<'tree> {
    /// `%define` or `%global`.
    pub word: &'static str,
    /// The macro's name.
    pub name: &'tree str,
    /// What stands in parentheses behind the name of a macro with parameters.
    pub options: Option<&'tree str>,
    /// The body as written, without the white space or the braces around it.
    pub body: &'tree str,
    /// The body's bytes.
    pub body_span: Span,
}

/// Whose section it is, as its header writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageName<'tree> {
    /// The main package's.
    Main,
    /// That of a package whose name begins with the main one's: `devel`.
    Suffix(&'tree str),
    /// That of a package named in full by `-n`.
    Full(&'tree str),
}

/// The line that begins a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header<'tree> {
    /// The word it begins with, in lower case: `%files`.
    pub word: &'static str,
    /// Whose it is.
    pub package: PackageName<'tree>,
    /// Options with their values, in the order of the line; without a value for those that have none.
    pub options: Vec<(char, Option<&'tree str>)>,
}

impl<'tree> Header<'tree> {
    /// The value of an option that is given: `f` of `%files -f list`.
    #[must_use]
    pub fn option(&self, letter: char) -> Option<&'tree str> {
        self.options.iter().find(|(given, _)| *given == letter)?.1
    }

    fn read(line: &'tree str) -> Option<Self> {
        let word = part_of(line, RpmVersion::any())?.word();
        let mut words = line.split_ascii_whitespace().skip(1);
        let mut options = Vec::new();
        let mut package = PackageName::Main;
        while let Some(text) = words.next() {
            // What fires a trigger follows.
            if text == "--" {
                break;
            }
            let Some(letter) = text.strip_prefix('-').and_then(|text| text.chars().next()) else {
                if package == PackageName::Main {
                    package = PackageName::Suffix(text);
                }
                continue;
            };
            let rest = &text[1 + letter.len_utf8()..];
            let takes_value = matches!(letter, 'n' | 'f' | 'l' | 'p' | 'P');
            let value = if takes_value && rest.is_empty() { words.next() } else { Some(rest).filter(|_| takes_value) };
            if let ('n', Some(name)) = (letter, value) {
                package = PackageName::Full(name);
            }
            options.push((letter, value));
        }
        Some(Self { word, package, options })
    }
}

impl<'tree> Node<'tree> {
    /// The parts of a tag.
    #[must_use]
    pub fn tag(self) -> Option<Tag<'tree>> {
        if self.kind() != Kind::Tag {
            return None;
        }
        let text = self.text();
        let found = find_tag(text, RpmVersion::any())?;
        let behind = text.find(':')? + 1;
        let value = text[behind..].split('\0').next().unwrap_or_default();
        let (value, start) = trimmed(value, self.span().start + behind);
        let number =
            if matches!(found.tag.kind, TagKind::Source | TagKind::Patch) { found.number.trim_ascii() } else { "" };
        let value_span = start..start + value.len();
        Some(Tag { name: spelled(found.tag.name), qualifier: found.qualifier, number, value, value_span })
    }

    /// The parts of a definition.
    #[must_use]
    pub fn definition(self) -> Option<Definition<'tree>> {
        if self.kind() != Kind::Definition {
            return None;
        }
        let word = definition_word(self.text())?;
        let behind = self.text().find(word)? + word.len();
        let (text, mut start) = trimmed(&self.text()[behind..], self.span().start + behind);
        let length = text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(text.len());
        let (name, mut rest) = text.split_at(length);
        start += length;
        let mut options = None;
        if let Some((inner, behind)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            options = Some(inner);
            start += inner.len() + 2;
            rest = behind;
        }
        let (mut body, mut start) = trimmed(rest, start);
        if let Some(inner) = body.strip_prefix('{').and_then(|body| body.strip_suffix('}')) {
            (body, start) = (inner, start + 1);
        }
        Some(Definition { word, name, options, body, body_span: start..start + body.len() })
    }

    /// The parts of a header; for a section, those of the header it begins with.
    #[must_use]
    pub fn header(self) -> Option<Header<'tree>> {
        match self.kind() {
            Kind::Header => Header::read(self.text()),
            Kind::Section => self.children().next().filter(|node| node.kind() == Kind::Header)?.header(),
            _ => None,
        }
    }

    /// The file an `%include` names.
    #[must_use]
    pub fn included(self) -> Option<&'tree str> {
        let text = self.text().trim_matches(is_space);
        (self.kind() == Kind::Include).then(|| text.strip_prefix("%include"))?.map(|name| name.trim_matches(is_space))
    }

    /// The package whose preamble it stands in; `None` in other sections.
    #[must_use]
    pub fn preamble(self) -> Option<PackageName<'tree>> {
        match self.section()?.header() {
            None => Some(PackageName::Main),
            Some(header) => (header.word == "%package").then_some(header.package),
        }
    }
}

/// A text without the white space around it, and the offset it begins at.
fn trimmed(text: &str, start: usize) -> (&str, usize) {
    // From the end, so that what is nothing but white space is found where it begins.
    let text = text.trim_end_matches(is_space);
    let behind = text.trim_start_matches(is_space);
    (behind, start + text.len() - behind.len())
}

fn items(value: &str, start: usize) -> Vec<Item<'_>> {
    let separates = |letter: char| letter.is_ascii_whitespace() || letter == ',';
    let mut items: Vec<Item<'_>> = Vec::new();
    let mut at = 0;
    // Whether the next word belongs to the item before it: a comparison, or what it compares with.
    let mut compares = false;
    while at < value.len() {
        let rest = &value[at..];
        let begin = at + rest.len() - rest.trim_start_matches(separates).len();
        let word = &value[begin..];
        let mut depth = 0_usize;
        let length = word
            .find(|letter: char| {
                match letter {
                    '(' | '{' => depth += 1,
                    ')' | '}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                depth == 0 && separates(letter)
            })
            .unwrap_or(word.len());
        let word = &word[..length];
        at = begin + length;
        if word.is_empty() {
            break;
        }
        let is_comparison = matches!(word, "<" | "<=" | "=<" | "=" | "==" | ">=" | "=>" | ">");
        match items.last_mut() {
            Some(item) if compares || is_comparison => {
                item.text = &value[item.span.start - start..at];
                item.span.end = start + at;
            }
            _ => items.push(Item { name: word, text: word, span: start + begin..start + at }),
        }
        compares = is_comparison;
    }
    items
}
