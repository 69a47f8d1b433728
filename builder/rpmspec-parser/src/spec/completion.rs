//! What rpm does behind the last line: default scripts, what packages provide, and the result.

use super::dependencies::Entry;
use super::evaluator::{Draft, Evaluator, Step};
use super::source_package::{BinaryPackage, SourcePackage};
use super::tags::Relation;
use crate::Diagnostic;

impl Evaluator<'_, '_> {
    /// Checks and completes what was read.
    pub(super) fn complete(&mut self) -> Step<()> {
        // Since 4.20 rpm removes the build's whole folder by itself.
        if self.source.sections.clean.is_none() && !self.macros.rpm().is_at_least(&[4, 20]) {
            let mut clean = self.expand("%{?buildroot: %{__rm} -rf %{buildroot}}");
            clean.push('\n');
            self.source.sections.clean = Some(clean);
        }
        for index in 0..self.drafts.len() {
            let Some(draft) =
                self.drafts.get(index).filter(|draft| !draft.has_description && !draft.package.name.is_empty())
            else {
                continue;
            };
            let message = format!("Package has no %description: {}", draft.package.name);
            let place = draft.package.place.clone().unwrap_or_else(|| self.reader.place());
            self.fail(Diagnostic::error(message).at(&place).hint("add a `%description`"))?;
        }
        let arch = self.macros.build_arch();
        let os = self.macros.build_os();
        for index in 0..self.drafts.len() {
            let Some(package) = self.drafts.get_mut(index).map(|draft| &mut draft.package) else { continue };
            package.os.clone_from(&os);
            if package.arch.is_empty() {
                package.arch.clone_from(&arch);
            }
            self.provide_itself(index);
        }
        self.check_encoding()
    }

    /// Every package provides itself, and itself for its architecture unless it is noarch.
    fn provide_itself(&mut self, index: usize) {
        let Some(package) = self.drafts.get(index).map(|draft| &draft.package) else { return };
        let (name, evr, is_noarch) = (package.name.clone(), package.evr().to_string(), package.arch == "noarch");
        let isa = if is_noarch { String::new() } else { self.expand("%{?_isa}") };
        let Some(draft) = self.drafts.get_mut(index) else { return };
        if !isa.is_empty() {
            draft.dependencies.add(Relation::Provides, Entry::exact(format!("{name}{isa}"), evr.clone()), None);
        }
        draft.dependencies.add(Relation::Provides, Entry::exact(name, evr), None);
    }

    /// Puts the result together.
    pub(super) fn finish(&mut self) -> SourcePackage {
        let mut source = std::mem::take(&mut self.source);
        let drafts = std::mem::take(&mut self.drafts);
        source.build_requires = self.build_dependencies.dependencies(Relation::BuildRequires);
        source.build_conflicts = self.build_dependencies.dependencies(Relation::BuildConflicts);
        source.sources.sort_by_key(|file| file.number);
        source.patches.sort_by_key(|file| file.number);
        source.packages = drafts.into_iter().map(finish_package).collect();
        if let Some(main) = source.packages.first() {
            source.name.clone_from(&main.name);
            source.epoch = main.epoch;
            source.version.clone_from(&main.version);
            source.release.clone_from(&main.release);
        }
        source.parsed = std::mem::take(&mut self.reader.parsed);
        source.changelog_time = source.changelog.first().map(|entry| entry.time);
        source
    }
}

fn finish_package(draft: Draft) -> BinaryPackage {
    let Draft { mut package, dependencies, .. } = draft;
    package.provides = dependencies.capabilities(Relation::Provides);
    package.requires = dependencies.dependencies(Relation::Requires);
    package.conflicts = dependencies.dependencies(Relation::Conflicts);
    package.obsoletes = dependencies.capabilities(Relation::Obsoletes);
    package.recommends = dependencies.dependencies(Relation::Recommends);
    package.suggests = dependencies.dependencies(Relation::Suggests);
    package.supplements = dependencies.dependencies(Relation::Supplements);
    package.enhances = dependencies.dependencies(Relation::Enhances);
    package.order_with_requires = dependencies.dependencies(Relation::OrderWithRequires);
    package.triggers.conditions = dependencies.indexed(Relation::Triggers);
    package.file_triggers.conditions = dependencies.indexed(Relation::FileTriggers);
    package.transaction_file_triggers.conditions = dependencies.indexed(Relation::TransactionFileTriggers);
    package
}
