//! The parts a spec is made of: which line begins which, whose package they are for, and the simple ones.

use super::arguments::{ArgumentError, Arguments, split_words};
use super::build_scripts::BuildSection;
use super::evaluator::{Evaluator, Step};
use super::reader::Strip;
use super::scriptlets::ScriptPart;
use crate::Diagnostic;
use crate::macros::RpmVersion;

/// The parts of a spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The end.
    None,
    /// `BuildArch` was read: all begins again.
    BuildArchitectures,
    Preamble,
    Empty,
    PatchList,
    SourceList,
    Build(BuildSection),
    Description,
    Files,
    Changelog,
    Policies,
    Script(ScriptPart),
}

const PARTS: &[(&str, Part)] = &[
    ("%package", Part::Preamble),
    ("%prep", Part::Build(BuildSection::Prep)),
    ("%generate_buildrequires", Part::Build(BuildSection::GenerateBuildRequires)),
    ("%conf", Part::Build(BuildSection::Conf)),
    ("%build", Part::Build(BuildSection::Build)),
    ("%install", Part::Build(BuildSection::Install)),
    ("%check", Part::Build(BuildSection::Check)),
    ("%clean", Part::Build(BuildSection::Clean)),
    ("%description", Part::Description),
    ("%files", Part::Files),
    ("%changelog", Part::Changelog),
    ("%sepolicy", Part::Policies),
    ("%end", Part::Empty),
    ("%patchlist", Part::PatchList),
    ("%sourcelist", Part::SourceList),
    ("%pre", Part::Script(ScriptPart::Pre)),
    ("%post", Part::Script(ScriptPart::Post)),
    ("%preun", Part::Script(ScriptPart::Preun)),
    ("%postun", Part::Script(ScriptPart::Postun)),
    ("%pretrans", Part::Script(ScriptPart::Pretrans)),
    ("%posttrans", Part::Script(ScriptPart::Posttrans)),
    ("%preuntrans", Part::Script(ScriptPart::Preuntrans)),
    ("%postuntrans", Part::Script(ScriptPart::Postuntrans)),
    ("%verifyscript", Part::Script(ScriptPart::Verify)),
    ("%triggerpostun", Part::Script(ScriptPart::TriggerPostun)),
    ("%triggerprein", Part::Script(ScriptPart::TriggerPrein)),
    ("%triggerun", Part::Script(ScriptPart::TriggerUn)),
    ("%triggerin", Part::Script(ScriptPart::TriggerIn)),
    ("%trigger", Part::Script(ScriptPart::TriggerIn)),
    ("%filetriggerin", Part::Script(ScriptPart::FileTriggerIn)),
    ("%filetrigger", Part::Script(ScriptPart::FileTriggerIn)),
    ("%filetriggerun", Part::Script(ScriptPart::FileTriggerUn)),
    ("%filetriggerpostun", Part::Script(ScriptPart::FileTriggerPostun)),
    ("%transfiletriggerin", Part::Script(ScriptPart::TransactionFileTriggerIn)),
    ("%transfiletrigger", Part::Script(ScriptPart::TransactionFileTriggerIn)),
    ("%transfiletriggerun", Part::Script(ScriptPart::TransactionFileTriggerUn)),
    ("%transfiletriggerpostun", Part::Script(ScriptPart::TransactionFileTriggerPostun)),
];

/// The part a line begins, if any. Letters' case does not matter, as in rpm.
pub(crate) fn part_of(line: &str, rpm: &RpmVersion) -> Option<Part> {
    if !line.starts_with('%') {
        return None;
    }
    let word = &line[..line.find(|letter: char| letter.is_ascii_whitespace()).unwrap_or(line.len())];
    let (_, part) = PARTS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name))?;
    // rpm runs scripts after the removal of packages since 4.19.
    let newer = matches!(part, Part::Script(ScriptPart::Preuntrans | ScriptPart::Postuntrans));
    (!newer || rpm.is_at_least(&[4, 19])).then_some(*part)
}

impl Part {
    /// The word that begins it.
    pub(crate) fn word(self) -> &'static str {
        PARTS.iter().find(|(_, part)| *part == self).map_or("", |(word, _)| word)
    }
}

impl Evaluator<'_, '_> {
    /// The part the line at hand begins, if any.
    pub(super) fn part_at_hand(&self) -> Option<Part> {
        part_of(&self.reader.line, self.macros.rpm())
    }

    /// Reads lines to the next part and hands each to `take`.
    pub(super) fn read_lines(&mut self, strip: Strip, mut take: impl FnMut(&mut Self)) -> Step<Part> {
        loop {
            if !self.read_line(strip)? {
                return Ok(Part::None);
            }
            if let Some(part) = self.part_at_hand() {
                return Ok(part);
            }
            take(self);
        }
    }

    /// Reads a section's text to the next part.
    pub(super) fn read_text(&mut self, strip: Strip) -> Step<(String, Part)> {
        let mut text = String::new();
        let part = self.read_lines(strip, |this| {
            text.push_str(&this.reader.line);
            if strip.trailing {
                text.push('\n');
            }
        })?;
        Ok((text, part))
    }

    /// `%end` and what belongs to nothing.
    pub(super) fn read_empty(&mut self) -> Step<Part> {
        let place = self.reader.place();
        let line = self.reader.line.trim_ascii_end().to_owned();
        if line.split_ascii_whitespace().count() > 1 {
            self.fail(Diagnostic::error(format!("%end doesn't take any arguments: {line}")).at(&place))?;
        }
        let mut stray = None;
        let part = self.read_lines(Strip::BOTH, |this| {
            if stray.is_none() && !this.reader.line.trim_ascii().is_empty() {
                stray = Some((this.reader.line.clone(), this.reader.place()));
            }
        })?;
        if let Some((line, place)) = stray {
            self.fail(Diagnostic::error(format!("%end not expected here: {line}")).at(&place))?;
        }
        Ok(part)
    }

    /// `%sourcelist` and `%patchlist`: a file a line.
    pub(super) fn read_list(&mut self, part: Part) -> Step<Part> {
        let is_patch = part == Part::PatchList;
        let mut files = Vec::new();
        let next = self.read_lines(Strip::BOTH, |this| {
            let line = this.reader.line.as_str();
            if !line.trim_ascii().is_empty() {
                files.push((line.to_owned(), this.reader.place_of(line)));
            }
        })?;
        for (file, place) in files {
            if let Err(diagnostic) = self.register_source(is_patch, None, &file, &place) {
                self.fail(*diagnostic)?;
            }
        }
        Ok(next)
    }

    /// `%sepolicy`, which rpm reads and no longer uses.
    pub(super) fn read_policies(&mut self) -> Step<Part> {
        self.section_package("n:")?;
        self.read_lines(Strip::BOTH, |_| {})
    }

    /// `%description`
    pub(super) fn read_description(&mut self) -> Step<Part> {
        let place = self.reader.place();
        let target = self.section_package("n:l:")?;
        let (text, next) = self.read_text(Strip::BOTH)?;
        let Some((arguments, Some(index))) = target else { return Ok(next) };
        let untranslated = matches!(arguments.value('l'), None | Some("" | "C"));
        self.note_encoding(index, "Description", text.trim_end(), &place);
        let Some(draft) = self.drafts.get_mut(index) else { return Ok(next) };
        let repeated = untranslated && draft.has_description;
        if untranslated || !draft.has_description {
            text.trim_end().clone_into(&mut draft.package.description);
        }
        draft.has_description = true;
        if repeated {
            self.record(Diagnostic::warning("second Description").at(&place));
        }
        Ok(next)
    }

    /// Reads the options and the package name of a section's line, with `n` for a full name. The package is
    /// `None` where it does not exist; all is `None` where the line cannot be read.
    pub(super) fn section_package(&mut self, table: &str) -> Step<Option<(Arguments, Option<usize>)>> {
        let line = self.reader.line.clone();
        self.section_package_of(&line, table)
    }

    /// The same for the part of the line that is given.
    pub(super) fn section_package_of(&mut self, line: &str, table: &str) -> Step<Option<(Arguments, Option<usize>)>> {
        let place = self.reader.place();
        let shown = line.trim_ascii_end();
        let word = shown.split_ascii_whitespace().next().unwrap_or_default().to_owned();
        let parsed = split_words(line).and_then(|words| Arguments::parse(&words, table));
        let mut arguments = match parsed {
            Ok(arguments) => arguments,
            Err(error @ ArgumentError::Quoting) => {
                let message = format!("Error parsing {word}: {}", error.words());
                self.fail(Diagnostic::error(message).at(&place))?;
                return Ok(None);
            }
            Err(error) => {
                let message = format!("Bad option {}: {shown}", error.option());
                self.fail(Diagnostic::error(message).at(&place).hint(error.words()))?;
                return Ok(None);
            }
        };
        let full = arguments.value('n').map(str::to_owned);
        let name = match &full {
            Some(name) => Some(name.clone()),
            None => arguments.words.pop_front(),
        };
        if !arguments.words.is_empty() {
            self.fail(Diagnostic::error(format!("Too many names: {shown}")).at(&place))?;
            return Ok(None);
        }
        let Some(name) = name else { return Ok(Some((arguments, Some(0)))) };
        let main = self.drafts.first().map_or("", |draft| draft.package.name.as_str());
        let name = if full.is_some() { name } else { format!("{main}-{name}") };
        let index = self.names.get(&name).copied();
        if index.is_none() {
            let place = self.reader.place_of(name.strip_prefix(&format!("{main}-")).unwrap_or(&name));
            let mut error = Diagnostic::error(format!("{shown}: package {name} does not exist")).at(&place);
            if let Some(near) = self.nearest_package(&name) {
                error = error.hint(format!("did you mean `{near}`?"));
            }
            self.fail(error)?;
        }
        Ok(Some((arguments, index)))
    }

    fn nearest_package(&self, name: &str) -> Option<String> {
        self.names
            .keys()
            .take(1000)
            .map(|known| (strsim::damerau_levenshtein(known, name), known))
            .filter(|(distance, known)| *distance <= 1 + known.len() / 5)
            .min()
            .map(|(_, known)| known.clone())
    }

    /// The full name a `%package` line gives.
    pub(super) fn subpackage_name(&mut self, line: &str) -> Result<String, Box<Diagnostic>> {
        let bad = |this: &Self| {
            Box::new(
                Diagnostic::error(format!("Bad package specification: {}", line.trim_ascii_end()))
                    .at(&this.reader.place())
                    .hint("write `%package SUFFIX` or `%package -n NAME`"),
            )
        };
        let words: Vec<String> = line.split_ascii_whitespace().map(str::to_owned).collect();
        let (name, full) = match words.as_slice() {
            [_, name] if !name.starts_with('-') => (name.clone(), false),
            [_, option, name] if option == "-n" => (name.clone(), true),
            _ => return Err(bad(self)),
        };
        self.check_characters(&name, "._+%{}-", Some("_%{"))?;
        let main = self.drafts.first().map_or("", |draft| draft.package.name.as_str());
        Ok(if full { name } else { format!("{main}-{name}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_begin_at_the_beginning_of_a_line() {
        let part_of = |line: &str| part_of(line, &RpmVersion::default());
        assert_eq!(part_of("%build"), Some(Part::Build(BuildSection::Build)));
        assert_eq!(part_of("%BUILD\n"), Some(Part::Build(BuildSection::Build)));
        assert_eq!(part_of("%post -p /bin/sh"), Some(Part::Script(ScriptPart::Post)));
        for text in [" %build", "%builds", "%build(x)", "build", "%preuntrans"] {
            assert_eq!(part_of(text), None, "{text}");
        }
    }

    #[test]
    fn newer_versions_know_more_parts() {
        let newer = RpmVersion::parse("4.19.0").expect("it is a version");
        assert_eq!(part_of("%preuntrans", &newer), Some(Part::Script(ScriptPart::Preuntrans)));
    }
}
