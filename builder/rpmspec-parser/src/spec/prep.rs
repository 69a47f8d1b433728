//! `%prep`, with `%setup` and `%patch` written out as the shell commands rpm makes of them.

use super::arguments::{Arguments, split_words};
use super::evaluator::{Evaluator, Step};
use super::reader::Strip;
use super::sections::Part;
use crate::{Diagnostic, Place};

/// Ends a script where the command before it failed.
const CHECK_STATUS: &str = "STATUS=$?\nif [ $STATUS -ne 0 ]; then\n  exit $STATUS\nfi\n";

/// What a `%patch` line asks for besides numbers.
struct PatchOptions<'line> {
    strip: &'line str,
    backup: String,
    fuzz: String,
    /// The other options, ready to be added to the command.
    rest: String,
}

impl Evaluator<'_, '_> {
    /// Reads `%prep`. Faults of `%setup` and `%patch` are said; `rpmspec` goes on, a build does not.
    pub(super) fn read_prep(&mut self) -> Step<Part> {
        let place = self.reader.place();
        let mut lines = Vec::new();
        let start = self.reader.parsed.len();
        let mut end = start;
        let next = self.read_lines(Strip::NOTHING, |this| {
            end = this.reader.parsed.len();
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
        // `rpmspec -P` shows what became of the lines, not the lines.
        self.reader.parsed.replace_range(start..end, &text);
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
            let number = value.parse().map_err(|_| error(format!("Bad arg to %setup: {value}")))?;
            // Whether it is quiet depends on the options up to here.
            let quiet = arguments
                .options
                .iter()
                .take_while(|(_, other)| other.as_deref() != Some(value))
                .any(|(o, _)| *o == 'q');
            let unpack = self.unpack(number, quiet, place)?;
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

    fn write_patches(&mut self, line: &str, place: &Place, text: &mut String) -> Result<(), Box<Diagnostic>> {
        let error = |message: String| Box::new(Diagnostic::error(message).at(place));
        let behind = &line["%patch".len()..];
        let digits = behind.len() - behind.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        let (own_number, rest) = behind.split_at(digits);
        let line = format!("%patch {rest}");
        let words = split_words(&line).map_err(|fault| error(format!("Error parsing %patch: {}", fault.words())))?;
        let arguments = Arguments::parse(&words, "P:p:REb:z:F:d:o:Z")
            .map_err(|fault| error(format!("Bad %patch option {}: {}", fault.option(), fault.words())))?;
        let backup = arguments.value('z').or(arguments.value('b'));
        let fuzz = match arguments.value('F') {
            Some(fuzz) => fuzz.to_owned(),
            None => self.expand("%{?_default_patch_fuzz}"),
        };
        let mut rest = String::new();
        if let Some(folder) = arguments.value('d') {
            rest.push_str(&format!(" -d {folder}"));
        }
        if let Some(output) = arguments.value('o') {
            rest.push_str(&format!(" -o {output}"));
        }
        for (option, word) in [('R', " -R"), ('E', " -E"), ('Z', " -Z")] {
            if arguments.has(option) {
                rest.push_str(word);
            }
        }
        let options = PatchOptions {
            strip: arguments.value('p').unwrap_or("0"),
            backup: backup.map(|suffix| format!("-b --suffix {suffix}")).unwrap_or_default(),
            fuzz: if fuzz.is_empty() { String::new() } else { format!(" --fuzz={fuzz}") },
            rest,
        };
        let mut numbers = Vec::new();
        if !own_number.is_empty() {
            numbers.push(own_number.to_owned());
        }
        numbers.extend(
            arguments.options.iter().filter(|(option, _)| *option == 'P').filter_map(|(_, value)| value.clone()),
        );
        numbers.extend(arguments.words.iter().cloned());
        if numbers.is_empty() {
            let shown = line.trim_ascii_end();
            self.record(
                Diagnostic::warning(format!("Patch number not specified: {shown}"))
                    .at(place)
                    .hint("write `%patch -P 0`"),
            );
            numbers.push("0".to_owned());
        }
        for number in numbers {
            let number = number.parse().map_err(|_| error(format!("Bad arg to %patch: {number}")))?;
            self.write_patch(number, &options, place, text)?;
        }
        Ok(())
    }

    fn write_patch(
        &mut self,
        number: u32,
        options: &PatchOptions<'_>,
        place: &Place,
        text: &mut String,
    ) -> Result<(), Box<Diagnostic>> {
        let Some(patch) = self.source.patches.iter().find(|patch| patch.number == number) else {
            return Err(Box::new(Diagnostic::error(format!("No patch number {number}")).at(place)));
        };
        let name = patch.file_name().to_owned();
        let path = self.source_path(&name);
        let uncompress = self.expand("%{_rpmconfigdir}/rpmuncompress");
        let command = self.expand("%{__patch} %{_default_patch_flags}");
        let PatchOptions { strip, backup, fuzz, rest } = options;
        text.push_str(&format!(
            "echo \"Patch #{number} ({name}):\"\n\
             {{ {uncompress} {path} || echo patch_fail ; }} | {command} -p{strip} {backup}{fuzz}{rest}\n\n"
        ));
        Ok(())
    }
}
