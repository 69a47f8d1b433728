//! The build scripts (`%prep` to `%clean`): what is added to them before and behind, and those a build system writes.

use std::collections::BTreeMap;

use super::arguments::{Arguments, split_words};
use super::evaluator::{Evaluator, Step};
use super::preamble::{NAME_BEGINNINGS, NAME_CHARACTERS};
use super::reader::Strip;
use super::sections::Part;
use super::source_package::Sections;
use crate::{Diagnostic, Place};

/// A build script. The order is that in which rpm looks for what a build system has to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BuildSection {
    Prep,
    Conf,
    GenerateBuildRequires,
    Build,
    Install,
    Check,
    Clean,
}

impl BuildSection {
    const ALL: [Self; 7] =
        [Self::Prep, Self::Conf, Self::GenerateBuildRequires, Self::Build, Self::Install, Self::Check, Self::Clean];

    /// Its word without `%`, which is also the end of a build system's macro for it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Prep => "prep",
            Self::Conf => "conf",
            Self::GenerateBuildRequires => "generate_buildrequires",
            Self::Build => "build",
            Self::Install => "install",
            Self::Check => "check",
            Self::Clean => "clean",
        }
    }

    /// Whether a build system must write it.
    fn is_required(self) -> bool {
        matches!(self, Self::Build | Self::Install)
    }

    /// Where its text is kept.
    fn slot(self, sections: &mut Sections) -> &mut Option<String> {
        match self {
            Self::Prep => &mut sections.prep,
            Self::Conf => &mut sections.conf,
            Self::GenerateBuildRequires => &mut sections.generate_buildrequires,
            Self::Build => &mut sections.build,
            Self::Install => &mut sections.install,
            Self::Check => &mut sections.check,
            Self::Clean => &mut sections.clean,
        }
    }
}

/// Where a piece goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Before,
    Behind,
}

/// What a spec says about build scripts besides their texts.
#[derive(Debug, Default)]
pub(super) struct BuildScripts {
    /// The values of `BuildOption`.
    options: BTreeMap<BuildSection, Vec<String>>,
    /// The texts of `-a` and `-p`, in the order of the spec.
    pieces: Vec<(BuildSection, End, String)>,
}

impl Evaluator<'_, '_> {
    /// Reads `%build`, `%install` and the like. Since rpm 4.20 `-a` and `-p` add to one instead.
    pub(super) fn read_build_script(&mut self, section: BuildSection) -> Step<Part> {
        let place = self.reader.place();
        let line = self.reader.line.clone();
        let end = if self.macros.rpm().is_at_least(&[4, 20]) { self.end_to_add_to(&line, &place)? } else { None };
        let second = end.is_none() && section.slot(&mut self.source.sections).is_some();
        if second {
            let percent = if self.macros.rpm().is_at_least(&[4, 20]) { "" } else { "%" };
            self.fail(Diagnostic::error(format!("second {percent}{}", section.name())).at(&place))?;
        }
        let mut text = String::new();
        let is_prep = section == BuildSection::Prep && end.is_none();
        let mut obsolete = None;
        let next = self.read_lines(Strip::NOTHING, |this| {
            let line = &this.reader.line;
            let number = line.strip_prefix("%patch").and_then(|rest| rest.bytes().next());
            if is_prep && obsolete.is_none() && number.is_some_and(|number| number.is_ascii_digit()) {
                obsolete = Some((line.trim_ascii_end().to_owned(), this.reader.place()));
            }
            text.push_str(line);
        })?;
        if let Some((line, place)) = obsolete {
            let message = format!("%patchN is obsolete, use %patch N (or %patch -P N): {line}");
            self.fail(Diagnostic::error(message).at(&place))?;
        }
        if section == BuildSection::GenerateBuildRequires {
            self.source.sections.generate_buildrequires_place.get_or_insert(place);
        }
        match end {
            Some(end) => self.scripts.pieces.push((section, end, text)),
            None if second => {}
            None => *section.slot(&mut self.source.sections) = Some(text),
        }
        Ok(next)
    }

    /// To which end of a script a section's line says its text is added; `None`: it is the script.
    fn end_to_add_to(&mut self, line: &str, place: &Place) -> Step<Option<End>> {
        let shown = line.trim_ascii_end();
        let arguments = match split_words(line).and_then(|words| Arguments::parse(&words, "ap")) {
            Ok(arguments) => arguments,
            Err(fault) => {
                let word = shown.split_ascii_whitespace().next().unwrap_or_default();
                let message = format!("Bad {word} option {}: {}", fault.option(), fault.words());
                self.fail(Diagnostic::error(message).at(place))?;
                return Ok(None);
            }
        };
        match (arguments.has('p'), arguments.has('a')) {
            (true, true) => {
                self.fail(Diagnostic::error(format!("append and prepend specified: {shown}")).at(place))?;
                Ok(None)
            }
            (true, false) => Ok(Some(End::Before)),
            (false, true) => Ok(Some(End::Behind)),
            (false, false) => Ok(None),
        }
    }

    /// Checks the name of `BuildSystem`: its macros must be there.
    pub(super) fn check_build_system(&mut self, name: &str) -> Result<(), Box<Diagnostic>> {
        self.check_characters(name, NAME_CHARACTERS, Some(NAME_BEGINNINGS))?;
        let place = self.reader.place_of(name);
        let lacks = |section: &BuildSection| !self.macros.is_parametric(&macro_of(name, *section));
        if BuildSection::ALL.iter().all(lacks) {
            let error = Diagnostic::error(format!("Unknown buildsystem: {name}")).at(&place);
            let hint = format!("no macro %{} is defined", macro_of(name, BuildSection::Build));
            return Err(Box::new(error.hint(hint)));
        }
        match BuildSection::ALL.iter().find(|section| section.is_required() && lacks(section)) {
            None => Ok(()),
            Some(section) => {
                let needed = macro_of(name, *section);
                let message = format!("Required parametric macro %{needed} not defined for buildsystem {name}");
                Err(Box::new(Diagnostic::error(message).at(&place).hint(format!("write it as `%{needed}() …`"))))
            }
        }
    }

    /// Keeps the value of `BuildOption`; without a section it is for `%conf`. Says whether there is such a section.
    pub(super) fn add_build_option(&mut self, section: &str, value: &str) -> bool {
        let name = if section.is_empty() { "conf" } else { section };
        let Some(section) = BuildSection::ALL.into_iter().find(|section| section.name() == name) else { return false };
        self.scripts.options.entry(section).or_default().push(value.to_owned());
        true
    }

    /// Reads the scripts that the build system writes and the spec does not, as if they stood at the spec's end.
    pub(super) fn read_build_system(&mut self) -> Step<()> {
        let name = self.expand("%{?buildsystem}");
        if name.is_empty() {
            return Ok(());
        }
        let mut text = String::new();
        for section in BuildSection::ALL {
            if section.slot(&mut self.source.sections).is_some() {
                continue;
            }
            let options = self.scripts.options.get(&section);
            let options = options.map(|all| format!("-- {}", all.join(" "))).unwrap_or_default();
            for system in [name.as_str(), "default"] {
                let named = macro_of(system, section);
                if self.macros.is_parametric(&named) {
                    text.push_str(&format!("%{}\n%{named} {options}\n", section.name()));
                    // Before 6.0, rpm also takes the default of what a build system writes itself, and refuses both.
                    if self.macros.rpm().is_at_least(&[6]) {
                        break;
                    }
                }
            }
        }
        self.reader.open(&format!("<buildsystem {name}>"), &text);
        let part = self.read_tags(0)?;
        self.read_parts_from(part)?;
        Ok(())
    }

    /// Adds the pieces of `-a` and `-p` to their scripts.
    pub(super) fn add_pieces(&mut self) {
        for (section, end, piece) in std::mem::take(&mut self.scripts.pieces) {
            let text = section.slot(&mut self.source.sections).get_or_insert_default();
            match end {
                End::Before => text.insert_str(0, &piece),
                End::Behind => text.push_str(&piece),
            }
        }
    }
}

/// The macro a build system writes a script by.
fn macro_of(system: &str, section: BuildSection) -> String {
    format!("buildsystem_{system}_{}", section.name())
}
