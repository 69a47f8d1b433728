//! The values of a package's tags: what is kept, what a subpackage takes over, what must not be missing or there twice.

use super::evaluator::{Draft, Evaluator, Step};
use crate::{Diagnostic, Place};

impl Evaluator<'_, '_> {
    pub(super) fn text_of(&mut self, index: usize, name: &'static str) -> Option<&mut String> {
        let package = &mut self.drafts.get_mut(index)?.package;
        Some(match name {
            "name" => &mut package.name,
            "version" => &mut package.version,
            "release" => &mut package.release,
            "summary" => &mut package.summary,
            "license" => &mut package.license,
            "group" => &mut package.group,
            "url" => &mut package.url,
            "vendor" => &mut package.vendor,
            other => package.other_tags.entry(other.to_owned()).or_default(),
        })
    }

    pub(super) fn has_text(&mut self, index: usize, name: &'static str) -> bool {
        self.text_of(index, name).is_some_and(|text| !text.is_empty())
    }

    pub(super) fn note_repeated(&mut self, index: usize, shown: &'static str, is_set: impl Fn(&Draft) -> bool) {
        let place = self.reader.place();
        if let Some(draft) = self.drafts.get_mut(index)
            && is_set(draft)
        {
            draft.repeated.insert(shown, place);
        }
    }

    /// Sets a text; the first stays, and a second is noted.
    pub(super) fn set_text(&mut self, index: usize, name: &'static str, shown: &'static str, value: &str) {
        if self.has_text(index, name) {
            if name != "sourcelicense" {
                self.note_repeated(index, shown, |_| true);
            }
        } else if let Some(text) = self.text_of(index, name) {
            value.clone_into(text);
        }
        if name == "name" && index == 0 {
            self.names.insert(value.to_owned(), 0);
        }
    }

    /// Sets `Summary` or `Group`. Without a language, or in `C`, the last stays.
    pub(super) fn set_translated(
        &mut self,
        index: usize,
        name: &'static str,
        shown: &'static str,
        language: &str,
        value: &str,
        place: &Place,
    ) {
        let untranslated = matches!(language, "" | "C");
        if untranslated && self.has_text(index, name) {
            self.record(Diagnostic::warning(format!("second {shown}")).at(place));
        }
        if (untranslated || !self.has_text(index, name))
            && let Some(text) = self.text_of(index, name)
        {
            value.clone_into(text);
        }
    }

    /// Takes over from the main package what a subpackage does not say itself.
    pub(super) fn inherit(&mut self, index: usize) {
        let Some((main, others)) = self.drafts.split_first_mut() else { return };
        let Some(draft) = index.checked_sub(1).and_then(|index| others.get_mut(index)) else { return };
        let (main, package) = (&main.package, &mut draft.package);
        package.epoch = package.epoch.or(main.epoch);
        for (own, inherited) in [
            (&mut package.version, &main.version),
            (&mut package.release, &main.release),
            (&mut package.license, &main.license),
            (&mut package.group, &main.group),
            (&mut package.url, &main.url),
            (&mut package.vendor, &main.vendor),
        ] {
            if own.is_empty() {
                own.clone_from(inherited);
            }
        }
        if package.prefixes.is_empty() {
            package.prefixes.clone_from(&main.prefixes);
        }
        for (name, value) in &main.other_tags {
            package.other_tags.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }

    /// Tags a package must have, and tags it has twice.
    pub(super) fn check_tags(&mut self, index: usize, shown: &str) -> Step<()> {
        let place = match self.drafts.get(index).and_then(|draft| draft.package.place.clone()) {
            Some(place) => place,
            None => Place { column: 1, line: 1, ..self.reader.place() },
        };
        for (name, field) in [
            ("name", "Name"),
            ("version", "Version"),
            ("release", "Release"),
            ("summary", "Summary"),
            ("license", "License"),
        ] {
            // Where a wrong value was refused, that is enough to say.
            if !self.has_text(index, name) {
                // Since 4.20 rpm looks for some of them at once, for the others at the end.
                let newer = index == 0 && self.macros.rpm().is_at_least(&[4, 20]);
                let early = newer && matches!(name, "name" | "version" | "release");
                let when = if early { " before build" } else { "" };
                let main = self.drafts.first().map_or("", |draft| draft.package.name.as_str());
                let shown = if newer && !main.is_empty() { main } else { shown };
                let message = format!("{field} field must be present{when} in package: {shown}");
                self.fail(Diagnostic::error(message).at(&place).hint(format!("add `{field}:`")))?;
            }
        }
        let repeated = self.drafts.get_mut(index).map(|draft| std::mem::take(&mut draft.repeated)).unwrap_or_default();
        for (field, place) in repeated {
            let error = Diagnostic::error(format!("Duplicate {field} entries in package: {shown}")).at(&place);
            self.fail(error.hint("keep one of them"))?;
        }
        Ok(())
    }
}
