//! `%prep`, with `%setup` and `%patch` written out as the shell commands rpm makes of them.

use std::rc::Rc;

use super::arguments::{Arguments, split_words, whole_number};
use super::build_scripts::BuildSection;
use super::evaluator::{Evaluator, Step};
use super::patch;
use super::reader::Strip;
use super::sections::Part;
use super::sources::Registered;
use crate::macros::{PrepCommands, PrepFault, PrepHost};
use crate::{Diagnostic, Place};

/// Ends a script where the command before it failed.
const CHECK_STATUS: &str = "STATUS=$?\nif [ $STATUS -ne 0 ]; then\n  exit $STATUS\nfi";

/// What `%setup` and `%patch` are about.
#[derive(Debug)]
struct Prep {
    sources: Registered,
    patches: Registered,
    /// The folder sources unpack to unless `-n` says otherwise.
    folder: String,
}

impl PrepCommands for Prep {
    fn write(&self, name: &str, line: &str, host: &PrepHost<'_, '_>, text: &mut String) -> Result<(), PrepFault> {
        match name {
            "setup" => self.setup(line, host, text),
            _ => patch::write(&self.patches, line, host, text),
        }
    }
}

impl Evaluator<'_, '_> {
    /// Reads `%prep`: since rpm 4.20 `%setup` and `%patch` are macros in it.
    pub(super) fn read_prep(&mut self) -> Step<Part> {
        let main = self.drafts.first().map(|draft| &draft.package);
        let prep = Prep {
            sources: self.source_numbers.registered(),
            patches: self.patch_numbers.registered(),
            folder: main.map_or_else(String::new, |main| format!("{}-{}", main.name, main.version)),
        };
        if !self.macros.rpm().is_at_least(&[4, 20]) {
            return self.read_prep_lines(&prep);
        }
        self.macros.begin_prep(Rc::new(prep));
        let next = self.read_build_script(BuildSection::Prep);
        self.macros.end_prep();
        next
    }

    /// Reads `%prep` as rpm did before 4.20. Faults of `%setup` and `%patch` are said; `rpmspec` goes on, a build does
    /// not.
    fn read_prep_lines(&mut self, prep: &Prep) -> Step<Part> {
        let place = self.reader.place();
        let mut lines: Vec<(String, Place)> = Vec::new();
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
            let command = line.strip_prefix('%').unwrap_or_default();
            match ["setup", "patch"].into_iter().find(|name| command.starts_with(name)) {
                Some(name) => {
                    self.macros.write_prep(prep, name, &line, &place, &mut text);
                    self.collect_macro_diagnostics();
                }
                None => text.push_str(&line),
            }
        }
        // `rpmspec -P` shows what became of the lines, not the lines; the one that ends the section is lost there.
        self.reader.parsed.truncate(start);
        self.reader.parsed.push_str(&text);
        self.source.sections.prep = Some(text);
        Ok(next)
    }
}

impl Prep {
    fn setup(&self, line: &str, host: &PrepHost<'_, '_>, text: &mut String) -> Result<(), PrepFault> {
        let words =
            split_words(line).map_err(|fault| PrepFault::Wrong(format!("Error parsing %setup: {}", fault.words())))?;
        let table = if host.is_at_least(&[4, 20]) { "a:b:cCDn:Tq" } else { "a:b:cDn:Tq" };
        // Options are read one by one: what stands before a wrong one has been done.
        let arguments = Arguments::parse(&words, table)
            .map_err(|fault| PrepFault::Wrong(format!("Bad %setup option {}: {}", fault.option(), fault.words())))?;
        let quietly = arguments.has('q');
        let (mut before, mut after) = (String::new(), String::new());
        for (option, value) in &arguments.options {
            let target = match option {
                'a' => &mut after,
                'b' => &mut before,
                _ => continue,
            };
            let value = value.as_deref().unwrap_or_default();
            let number = whole_number(value).ok_or_else(|| PrepFault::Wrong(format!("Bad arg to %setup: {value}")))?;
            self.unpack(number, quietly, "", host, target)?;
        }
        let folder = arguments.value('n').unwrap_or(&self.folder);
        host.define("buildsubdir", folder);
        let build = host.expand("%{_builddir}");
        text.push_str(&format!("cd '{build}'\n"));
        if !arguments.has('D') {
            text.push_str(&format!("rm -rf '{folder}'\n"));
        }
        text.push_str(&before);
        let enter = format!("cd '{folder}'\n");
        let creates = arguments.has('c');
        if creates {
            let make = host.expand("%{__mkdir_p}");
            text.push_str(&format!("{make} '{folder}'\n{enter}"));
        }
        if !arguments.has('T') {
            let into = if arguments.has('C') { "-C %{buildsubdir} " } else { "" };
            self.unpack(0, quietly, into, host, text)?;
        }
        if !creates {
            text.push_str(&enter);
        }
        text.push_str(&after);
        let permissions = host.expand("%{_fixperms} .");
        if !permissions.starts_with('%') {
            text.push_str(&permissions);
            text.push('\n');
        }
        Ok(())
    }

    /// Writes the commands that unpack a source.
    fn unpack(
        &self,
        number: u32,
        quietly: bool,
        into: &str,
        host: &PrepHost<'_, '_>,
        text: &mut String,
    ) -> Result<(), PrepFault> {
        let Some(path) = self.sources.get(&number) else {
            return Err(PrepFault::Lacking(format!("No source number {number}")));
        };
        let verbose = if quietly { "" } else { "-v " };
        let quoted = host.is_at_least(&[4, 18, 2]);
        let path = if quoted { format!("%{{shescape:{path}}}") } else { path.clone() };
        text.push_str(&host.expand(&format!("%{{__rpmuncompress}} -x {verbose}{into}{path}")));
        text.push_str(&format!("\n{CHECK_STATUS}\n"));
        Ok(())
    }
}
