//! `%prep`, with `%setup` written out as the shell commands rpm makes of it.

use super::arguments::{Arguments, split_words, whole_number};
use super::evaluator::{Evaluator, Step};
use super::reader::Strip;
use super::sections::Part;
use crate::{Diagnostic, Place};

/// Ends a script where the command before it failed.
const CHECK_STATUS: &str = "STATUS=$?\nif [ $STATUS -ne 0 ]; then\n  exit $STATUS\nfi\n";

impl Evaluator<'_, '_> {
    /// Reads `%prep`. Faults of `%setup` and `%patch` are said; `rpmspec` goes on, a build does not.
    pub(super) fn read_prep(&mut self) -> Step<Part> {
        let place = self.reader.place();
        let mut lines = Vec::new();
        let start = self.reader.parsed.len();
        let next = self.read_lines(Strip::NOTHING, |this| {
            lines.push((this.reader.line.clone(), this.reader.place()));
        })?;
        if self.source.sections.prep.is_some() {
            self.fail(Diagnostic::error("second %prep").at(&place))?;
            return Ok(next);
        }
        let mut text = String::new();
        for (line, place) in lines {
            let result = if line.starts_with("%setup") {
                self.write_setup(&line, &place, &mut text)
            } else if line.starts_with("%patch") {
                self.write_patches(&line, &place, &mut text)
            } else {
                text.push_str(&line);
                Ok(())
            };
            if let Err(diagnostic) = result {
                self.record(*diagnostic);
            }
        }
        // `rpmspec -P` shows what became of the lines, not the lines; the one that ends the section is lost there.
        self.reader.parsed.truncate(start);
        self.reader.parsed.push_str(&text);
        self.source.sections.prep = Some(text);
        Ok(next)
    }

    fn write_setup(&mut self, line: &str, place: &Place, text: &mut String) -> Result<(), Box<Diagnostic>> {
        let error = |message: String| Box::new(Diagnostic::error(message).at(place));
        let words = split_words(line).map_err(|fault| error(format!("Error parsing %setup: {}", fault.words())))?;
        // Options are read one by one: what stands before a wrong one has been done.
        let arguments = match Arguments::parse(&words, "a:b:cDn:Tq") {
            Ok(arguments) => arguments,
            Err(fault) => return Err(error(format!("Bad %setup option {}: {}", fault.option(), fault.words()))),
        };
        let quietly = arguments.has('q');
        let (mut before, mut after) = (String::new(), String::new());
        for (option, value) in &arguments.options {
            let target = match option {
                'a' => &mut after,
                'b' => &mut before,
                _ => continue,
            };
            let value = value.as_deref().unwrap_or_default();
            let number = whole_number(value).ok_or_else(|| error(format!("Bad arg to %setup: {value}")))?;
            let unpack = self.unpack(number, quietly, place)?;
            target.push_str(&unpack);
            target.push('\n');
        }
        let folder = match arguments.value('n') {
            Some(name) => name.to_owned(),
            None => {
                let main = self.drafts.first().map(|draft| &draft.package);
                main.map_or_else(String::new, |main| format!("{}-{}", main.name, main.version))
            }
        };
        self.define("buildsubdir", &folder);
        let build = self.expand("%{_builddir}");
        text.push_str(&format!("cd '{build}'\n"));
        if !arguments.has('D') {
            text.push_str(&format!("rm -rf '{folder}'\n"));
        }
        text.push_str(&before);
        let unpacks = !arguments.has('T');
        if arguments.has('c') {
            let make = self.expand("%{__mkdir_p}");
            text.push_str(&format!("{make} '{folder}'\n"));
        } else if unpacks {
            text.push_str(&self.unpack(0, quietly, place)?);
            text.push('\n');
        }
        text.push_str(&format!("cd '{folder}'\n"));
        if arguments.has('c') && unpacks {
            text.push_str(&self.unpack(0, quietly, place)?);
            text.push('\n');
        }
        text.push_str(&after);
        let permissions = self.expand("%{_fixperms} .");
        if !permissions.starts_with('%') {
            text.push_str(&permissions);
            text.push('\n');
        }
        Ok(())
    }

    /// The commands that unpack a source, without the last line end.
    fn unpack(&mut self, number: u32, quietly: bool, place: &Place) -> Result<String, Box<Diagnostic>> {
        let Some(source) = self.source.sources.iter().find(|source| source.number == number) else {
            return Err(Box::new(Diagnostic::error(format!("No source number {number}")).at(place)));
        };
        let name = source.file_name().to_owned();
        let path = self.source_path(&name);
        let program = self.expand("%{_rpmconfigdir}/rpmuncompress -x");
        let verbose = if quietly { "" } else { " -v" };
        Ok(format!("{program}{verbose} {path}\n{}", CHECK_STATUS.trim_end()))
    }
}
