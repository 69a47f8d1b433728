//! The state of one evaluation, and the order in which a spec's parts are read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::build_scripts::{BuildScripts, BuildSection};
use super::dependencies::Dependencies;
use super::encoding::Misencoded;
use super::reader::Reader;
use super::sections::Part;
use super::source_package::{BinaryPackage, SourcePackage};
use super::sources::Numbering;
use super::{Evaluation, Observer, Options};
use crate::macros::{Level, PreparedContext};
use crate::{Diagnostic, Macros, Place, World};

/// After so many errors the rest is not worth reading.
const MOST_ERRORS: usize = 30;

/// Warnings beyond this number are not kept.
const MOST_WARNINGS: usize = 2000;

/// Reading cannot go on. What is wrong is among the diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stop;

/// The outcome of a step that may end the evaluation.
pub(super) type Step<T> = Result<T, Stop>;

/// A binary package while it is read.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub package: BinaryPackage,
    pub dependencies: Dependencies,
    /// Tags seen more than once, as rpm calls them, and where they were seen last.
    pub repeated: BTreeMap<&'static str, Place>,
    pub has_description: bool,
    pub has_build_arch: bool,
}

/// The state of one evaluation.
pub(super) struct Evaluator<'input, 'world> {
    pub macros: Macros<'world>,
    pub world: &'world dyn World,
    pub options: &'input Options,
    pub reader: Reader,
    /// The main package first.
    pub drafts: Vec<Draft>,
    /// Where each package name is in [`Self::drafts`].
    pub names: BTreeMap<String, usize>,
    pub source: SourcePackage,
    pub build_dependencies: Dependencies,
    pub source_numbers: Numbering,
    pub patch_numbers: Numbering,
    pub scripts: BuildScripts,
    /// Whether `BuildArch` has taken effect: the second reading.
    pub second_pass: bool,
    /// `%{buildroot}` as it was before the spec.
    pub install_root: String,
    /// Texts of packages that are no UTF-8.
    pub misencoded: Vec<Misencoded>,
    pub diagnostics: Vec<Diagnostic>,
    seen: BTreeSet<(Option<Place>, String)>,
    errors: usize,
    /// Whether an error occurred for which rpm gives up.
    pub failed: bool,
}

/// Evaluates a spec; see [`super::evaluate`].
pub(super) fn evaluate(
    text: &str,
    context: &PreparedContext,
    world: &dyn World,
    options: &Options,
    observer: &mut dyn Observer,
) -> Evaluation {
    let mut evaluator = Evaluator {
        macros: Macros::prepared(context, world),
        world,
        options,
        reader: Reader::new(options.path.display().to_string(), Arc::from(text)),
        drafts: Vec::new(),
        names: BTreeMap::new(),
        source: SourcePackage::default(),
        build_dependencies: Dependencies::default(),
        source_numbers: Numbering::default(),
        patch_numbers: Numbering::default(),
        scripts: BuildScripts::default(),
        second_pass: false,
        install_root: String::new(),
        misencoded: Vec::new(),
        diagnostics: Vec::new(),
        seen: BTreeSet::new(),
        errors: 0,
        failed: false,
    };
    evaluator.collect_macro_diagnostics();
    observer.before(&mut evaluator.macros);
    let _stopped_early = evaluator.read_spec(text);
    evaluator.collect_macro_diagnostics();
    observer.after(&mut evaluator.macros);
    let package = if evaluator.failed { None } else { Some(evaluator.finish()) };
    Evaluation { package, diagnostics: evaluator.diagnostics }
}

impl Evaluator<'_, '_> {
    /// Records a diagnostic, once.
    pub(super) fn record(&mut self, diagnostic: Diagnostic) {
        let warnings = self.diagnostics.len() - self.errors.min(self.diagnostics.len());
        if diagnostic.severity == crate::Severity::Warning && warnings >= MOST_WARNINGS {
            return;
        }
        if self.seen.insert((diagnostic.place.clone(), diagnostic.message.clone())) {
            self.errors += usize::from(diagnostic.severity == crate::Severity::Error);
            self.diagnostics.push(diagnostic);
        }
    }

    /// Records an error for which rpm gives up. Reading goes on for further ones, but not for ever.
    pub(super) fn fail(&mut self, diagnostic: Diagnostic) -> Step<()> {
        self.record(diagnostic);
        self.failed = true;
        if self.errors >= MOST_ERRORS { Err(Stop) } else { Ok(()) }
    }

    /// Records an error after which nothing sensible can follow.
    pub(super) fn stop<T>(&mut self, diagnostic: Diagnostic) -> Step<T> {
        self.record(diagnostic);
        self.failed = true;
        Err(Stop)
    }

    /// Takes over what the macro engine has to say.
    pub(super) fn collect_macro_diagnostics(&mut self) {
        for diagnostic in self.macros.take_diagnostics() {
            self.record(diagnostic);
        }
    }

    /// Expands a text of ours, such as `%{_sourcedir}`; a failure is recorded and gives the text itself.
    pub(super) fn expand(&mut self, text: &str) -> String {
        let place = self.reader.place();
        let result = self.macros.expand(text, &place);
        self.collect_macro_diagnostics();
        match result {
            Ok(expanded) => expanded,
            Err(diagnostic) => {
                self.record(diagnostic);
                text.to_owned()
            }
        }
    }

    /// Defines a macro as a tag does.
    pub(super) fn define(&mut self, name: &str, body: &str) {
        let place = self.reader.place();
        self.macros.define(name, None, body, Level::SPEC, Some(&place));
    }

    fn begin(&mut self, text: &str) {
        self.reader = Reader::new(self.options.path.display().to_string(), Arc::from(text));
        self.drafts.clear();
        self.names.clear();
        self.source = SourcePackage { build_archs: std::mem::take(&mut self.source.build_archs), ..Default::default() };
        self.build_dependencies = Dependencies::default();
        self.source_numbers = Numbering::default();
        self.patch_numbers = Numbering::default();
        self.scripts = BuildScripts::default();
        self.set_aside_build_folder();
        self.define("_docdir", "%{_defaultdocdir}");
        self.define("_licensedir", "%{_defaultlicensedir}");
        self.clear_lua_tables();
        self.misencoded.clear();
        self.install_root = self.expand("%{?buildroot}");
    }

    /// Reads the whole spec; twice where it has a `BuildArch`, as rpm does.
    fn read_spec(&mut self, text: &str) -> Step<()> {
        if !self.macros.is_defined("_sourcedir")
            && let Some(folder) = self.options.path.parent()
        {
            let folder = folder.display().to_string();
            self.define("_sourcedir", &folder);
        }
        self.macros.begin_reading();
        self.begin(text);
        if self.read_parts()? == Part::BuildArchitectures {
            let archs = self.source.build_archs.clone();
            let Some(arch) = archs.iter().find(|arch| self.macros.is_build_arch_compatible(arch)) else {
                let place = self.reader.place();
                return self.stop(
                    Diagnostic::error("No compatible architectures found for build")
                        .at(&place)
                        .hint(format!("`BuildArch: {}` excludes this target", archs.join(" "))),
                );
            };
            self.macros.set_build_arch(arch);
            // What was followed in the first reading is followed again in the second.
            self.macros.take_trace();
            self.second_pass = true;
            self.begin(text);
            self.read_parts()?;
        }
        if self.macros.rpm().is_at_least(&[4, 20]) {
            self.read_build_system()?;
            self.add_pieces();
        }
        self.complete()
    }

    /// Reads part after part until the end, or until `BuildArch` asks for another reading.
    fn read_parts(&mut self) -> Step<Part> {
        let part = self.read_preamble(true)?;
        self.read_parts_from(part)
    }

    /// The same from a part's line on.
    pub(super) fn read_parts_from(&mut self, mut part: Part) -> Step<Part> {
        loop {
            part = match part {
                Part::None | Part::BuildArchitectures => return Ok(part),
                Part::Preamble => self.read_preamble(false)?,
                Part::Empty => self.read_empty()?,
                Part::PatchList | Part::SourceList => self.read_list(part)?,
                Part::Build(BuildSection::Prep) => self.read_prep()?,
                Part::Build(section) => self.read_build_script(section)?,
                Part::Description => self.read_description()?,
                Part::Files => self.read_files()?,
                Part::Changelog => self.read_changelog()?,
                Part::Policies => self.read_policies()?,
                Part::Script(script) => self.read_script(script)?,
            };
        }
    }
}
