//! Preambles: the tags of the main package and of each `%package`.

use super::dependencies::Dependencies;
use super::evaluator::{Draft, Evaluator, Step};
use super::qualifier::Qualifier;
use super::reader::{Strip, is_space};
use super::sections::Part;
use super::tags::{FoundTag, Kind, Parentheses, Relation, find_tag, nearest_tag};
use crate::Diagnostic;

/// Characters of a name besides letters and digits, and those it may begin with.
pub(super) const NAME_CHARACTERS: &str = "._+%{}-";
pub(super) const NAME_BEGINNINGS: &str = "_%{";

/// Characters of a version or release besides letters and digits.
const VERSION_CHARACTERS: &str = "._+%{}~^";

/// rpm's name for the first preamble's package in messages.
const MAIN: &str = "(main package)";

impl Evaluator<'_, '_> {
    /// Reads a preamble to the next part.
    pub(super) fn read_preamble(&mut self, first: bool) -> Step<Part> {
        let index = self.drafts.len();
        let mut draft = Draft { dependencies: Dependencies::default(), ..Default::default() };
        let shown = if first {
            self.drafts.push(draft);
            MAIN.to_owned()
        } else {
            let place = self.reader.place();
            let line = self.reader.line.clone();
            match self.subpackage_name(&line) {
                Ok(name) => {
                    if self.names.contains_key(&name) {
                        let shown = line.trim_ascii_end();
                        let error = Diagnostic::error(format!("{shown}: package {name} already exists")).at(&place);
                        self.fail(error)?;
                    }
                    draft.package.name.clone_from(&name);
                    draft.package.place = Some(place);
                    self.names.entry(name.clone()).or_insert(index);
                    self.drafts.push(draft);
                    name
                }
                Err(diagnostic) => {
                    // Whatever follows belongs to a package that has no name.
                    self.fail(*diagnostic)?;
                    self.drafts.push(draft);
                    "?".to_owned()
                }
            }
        };
        let part = self.read_tags(index)?;
        if part == Part::BuildArchitectures {
            return Ok(part);
        }
        if first {
            self.finish_main_preamble()?;
        } else if shown != "?" {
            self.inherit(index);
        }
        if shown != "?" {
            self.check_tags(index, &shown)?;
        }
        Ok(part)
    }

    /// Reads a package's tags to the next part.
    pub(super) fn read_tags(&mut self, index: usize) -> Step<Part> {
        loop {
            if !self.read_line(Strip::BOTH)? {
                return Ok(Part::None);
            }
            if let Some(part) = self.part_at_hand() {
                return Ok(part);
            }
            if self.reader.line.trim_start_matches(is_space).is_empty() {
                continue;
            }
            let mut line = self.reader.line.clone();
            if self.macros.rpm().is_at_least(&[4, 20]) {
                line.drain(..line.len() - line.trim_start_matches(is_space).len());
            }
            let Some(found) = find_tag(&line, self.macros.rpm()) else {
                self.unknown_tag(&line)?;
                continue;
            };
            let place = self.reader.place();
            if found.tag.deprecated {
                let warning = format!("{} is deprecated: {line}", found.tag.name);
                self.record(Diagnostic::warning(warning).at(&place));
            }
            if let Err(diagnostic) = self.read_tag(index, &found, &line)? {
                self.fail(*diagnostic)?;
            }
            if found.tag.kind == Kind::BuildArch && index == 0 && !self.second_pass {
                return Ok(Part::BuildArchitectures);
            }
        }
    }

    fn unknown_tag(&mut self, line: &str) -> Step<()> {
        let place = self.reader.place_of(line.trim_start_matches(is_space));
        let mut diagnostic = Diagnostic::error(format!("Unknown tag: {line}")).at(&place);
        if line.starts_with(is_space) && find_tag(line.trim_start_matches(is_space), self.macros.rpm()).is_some() {
            diagnostic = diagnostic.hint("rpm allows no white space before a tag");
        } else if line.starts_with('\u{feff}') {
            diagnostic = diagnostic.hint("take the byte order mark out");
        } else if let Some(name) = line.strip_prefix('%') {
            diagnostic = diagnostic.hint(self.undefined_macro(name));
        } else if let Some(name) = nearest_tag(line, self.macros.rpm()) {
            diagnostic = diagnostic.hint(format!("did you mean `{name}`?"));
        }
        self.fail(diagnostic)
    }

    /// What to say about the macro whose name a text begins with.
    pub(super) fn undefined_macro(&self, text: &str) -> String {
        let name = text.trim_start_matches(['{', '?', '!']);
        let length = name.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(name.len());
        let name = &name[..length];
        match self.macros.nearest(name) {
            Some(near) => format!("the macro %{name} is not defined here; did you mean %{near}?"),
            None => format!("the macro %{name} is not defined here"),
        }
    }

    /// Acts on one tag. The inner result is what is wrong with it.
    fn read_tag(&mut self, index: usize, found: &FoundTag<'_>, line: &str) -> Step<Result<(), Box<Diagnostic>>> {
        let tag = found.tag;
        let field = line.split_once(':').map_or("", |(_, field)| field).trim_matches(is_space);
        let place = self.reader.place_of(field);
        let error = |message: String| Ok(Err(Box::new(Diagnostic::error(message).at(&place))));
        if field.is_empty() {
            return error(format!("Empty tag: {line}"));
        }
        let single = matches!(
            tag.kind,
            Kind::Name
                | Kind::Version
                | Kind::Release
                | Kind::Epoch
                | Kind::Word
                | Kind::DocDir
                | Kind::Icon
                | Kind::BuildSystem
        );
        if single && field.contains(is_space) {
            return error(format!("Tag takes single token only: {line}"));
        }
        let is_kept = match tag.kind {
            Kind::Text | Kind::Word | Kind::Prefixes => true,
            Kind::Dependency(relation) => !matches!(relation, Relation::BuildRequires | Relation::BuildConflicts),
            _ => false,
        };
        if is_kept {
            self.note_encoding(index, tag.shown, field, &place);
        }
        match tag.kind {
            Kind::Name | Kind::Version | Kind::Release => {
                let (allowed, first) = match tag.kind {
                    Kind::Name => (NAME_CHARACTERS, Some(NAME_BEGINNINGS)),
                    _ => (VERSION_CHARACTERS, None),
                };
                let checked = self.check_characters(field, allowed, first);
                self.set_text(index, tag.name, tag.shown, field);
                if let Err(diagnostic) = checked {
                    return Ok(Err(Box::new(diagnostic)));
                }
            }
            Kind::Epoch => {
                let Ok(epoch) = field.parse::<u32>() else {
                    return error(format!("Epoch field must be an unsigned number: {line}"));
                };
                self.note_repeated(index, tag.shown, |draft| draft.package.epoch.is_some());
                if let Some(draft) = self.drafts.get_mut(index) {
                    draft.package.epoch = Some(epoch);
                }
            }
            Kind::Text if tag.parentheses == Parentheses::Language => {
                self.set_translated(index, tag.name, tag.shown, found.qualifier, field, &place);
            }
            Kind::Text | Kind::Word => {
                if tag.kind == Kind::Text && self.has_text(index, tag.name) {
                    self.record(
                        Diagnostic::warning(format!("second {}", tag.shown.trim_start_matches("Source"))).at(&place),
                    );
                }
                self.set_text(index, tag.name, tag.shown, field);
            }
            Kind::Source | Kind::Patch => return self.add_source(tag, found.number, field, &place),
            Kind::NoSource | Kind::NoPatch => return self.exclude_sources(tag, field, &place),
            Kind::Icon => {
                let folder = self.expand("%{_sourcedir}");
                if !self.world.exists(std::path::Path::new(&format!("{folder}/{field}"))) {
                    return error(format!("Unable to open icon {folder}/{field}: No such file or directory"));
                }
            }
            Kind::Restriction => {
                let words = field.split(is_space).filter(|word| !word.is_empty()).map(str::to_owned);
                match tag.name {
                    "exclusivearch" => self.source.exclusive_archs.extend(words),
                    "excludearch" => self.source.exclude_archs.extend(words),
                    "exclusiveos" => self.source.exclusive_oses.extend(words),
                    _ => self.source.exclude_oses.extend(words),
                }
            }
            Kind::Dependency(relation) => {
                let mut flags = 0;
                let counts = relation != Relation::Prereq && !found.qualifier.is_empty();
                for word in found.qualifier.split(',').filter(|_| counts) {
                    match Qualifier::of_requires(word) {
                        Some(qualifier) => flags |= qualifier.bit(),
                        None => return error(format!("Bad {}: qualifiers: {line}", tag.shown)),
                    }
                }
                self.add_dependencies(index, relation, field, flags, 0)?;
            }
            Kind::Prefixes => {
                let prefixes: Vec<String> =
                    field.split(is_space).filter(|word| !word.is_empty()).map(str::to_owned).collect();
                if prefixes.iter().any(|prefix| prefix.len() > 1 && prefix.ends_with('/')) {
                    return error(format!("Prefixes must not end with \"/\": {line}"));
                }
                if let Some(draft) = self.drafts.get_mut(index) {
                    draft.package.prefixes.extend(prefixes);
                }
            }
            Kind::BuildArch => {
                let archs: Vec<String> =
                    field.split(is_space).filter(|word| !word.is_empty()).map(str::to_owned).collect();
                let repeated =
                    self.drafts.get_mut(index).map(|draft| std::mem::replace(&mut draft.has_build_arch, true));
                if repeated == Some(true) && index == 0 {
                    return error(format!("Duplicate BuildArch entry: {line}"));
                }
                if repeated == Some(true) {
                    self.note_repeated(index, "Arch", |_| true);
                }
                if index == 0 {
                    self.source.build_archs = archs;
                } else if archs.iter().all(|arch| arch == "noarch") {
                    if let Some(draft) = self.drafts.get_mut(index) {
                        "noarch".clone_into(&mut draft.package.arch);
                    }
                } else {
                    return error(format!("Only noarch subpackages are supported: {line}"));
                }
            }
            Kind::DocDir => {
                if !field.starts_with('/') {
                    return error(format!("Docdir must begin with '/': {line}"));
                }
                self.macros.undefine("_docdir");
                self.define("_docdir", field);
            }
            Kind::BuildSystem => {
                if let Err(diagnostic) = self.check_build_system(field) {
                    return Ok(Err(diagnostic));
                }
            }
            Kind::BuildOption => {
                if !self.add_build_option(found.qualifier, field) {
                    return error(format!("No section of that name: {line}"));
                }
            }
            Kind::Bogus => return error("Internal error: Bogus tag 1123".to_owned()),
            Kind::BuildRoot | Kind::Automatic | Kind::RemovePathPostfixes => {}
        }
        let defines = matches!(
            tag.kind,
            Kind::Name
                | Kind::Version
                | Kind::Release
                | Kind::Epoch
                | Kind::Text
                | Kind::Word
                | Kind::Prefixes
                | Kind::RemovePathPostfixes
                | Kind::BuildSystem
        );
        if defines {
            self.define(tag.name, field);
            if index == 0 {
                self.define(&tag.name.to_ascii_uppercase(), field);
            }
        }
        Ok(Ok(()))
    }

    /// What rpm does behind the main package's tags.
    fn finish_main_preamble(&mut self) -> Step<()> {
        self.set_build_folders()?;
        for name in ["vendor", "packager", "distribution", "disturl", "disttag", "bugurl"] {
            if !self.has_text(0, name) {
                let value = self.expand(&format!("%{{{name}}}"));
                if !value.is_empty() && !value.starts_with('%') {
                    if let Some(text) = self.text_of(0, name) {
                        *text = value;
                    }
                } else if let Some(draft) = self.drafts.first_mut() {
                    draft.package.other_tags.remove(name);
                }
            }
        }
        if let Some(draft) = self.drafts.first_mut()
            && draft.package.group.is_empty()
        {
            "Unspecified".clone_into(&mut draft.package.group);
        }
        Ok(())
    }
}
