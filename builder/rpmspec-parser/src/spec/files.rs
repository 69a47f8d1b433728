//! `%files`: the lines that say what a binary package holds.

use super::evaluator::{Evaluator, Step};
use super::reader::Strip;
use super::sections::Part;
use crate::Diagnostic;
use crate::macros::Level;

impl Evaluator<'_, '_> {
    /// `%files`
    pub(super) fn read_files(&mut self) -> Step<Part> {
        let place = self.reader.place();
        // Within `%files`, `%license` is a directive even where a `License` tag has made it a macro.
        self.macros.define("license", None, "%%license", Level::SPEC, Some(&place));
        let target = self.section_package("n:f:")?;
        // A comment leaves nothing of its line, not even the line's end.
        let (text, next) = self.read_text(Strip::COMMENTS)?;
        self.macros.undefine("license");
        let Some((arguments, Some(index))) = target else { return Ok(next) };
        let lists = arguments.options.into_iter().filter(|(option, _)| *option == 'f').filter_map(|(_, file)| file);
        let Some(draft) = self.drafts.get_mut(index) else { return Ok(next) };
        draft.package.file_lists.extend(lists);
        let repeated = draft.package.files.is_some();
        let lines = text.trim_ascii_end().lines().map(|line| line.trim_ascii().to_owned());
        draft.package.files.get_or_insert_default().extend(lines);
        if repeated {
            let warning = format!("multiple %files for package '{}'", draft.package.name);
            self.record(Diagnostic::warning(warning).at(&place));
        }
        Ok(next)
    }
}
