//! Scriptlets and triggers: `%post`, `%triggerin`, `%transfiletriggerin` and their kind.

use super::Qualifier;
use super::arguments::split_words;
use super::dependencies::Entry;
use super::evaluator::{Evaluator, Step};
use super::reader::Strip;
use super::sections::Part;
use super::source_package::{Scriptlet, Trigger};
use super::tags::Relation;
use crate::Diagnostic;

/// The scriptlets and triggers a spec can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScriptPart {
    Pre,
    Post,
    Preun,
    Postun,
    Pretrans,
    Posttrans,
    Preuntrans,
    Postuntrans,
    Verify,
    TriggerPrein,
    TriggerIn,
    TriggerUn,
    TriggerPostun,
    FileTriggerIn,
    FileTriggerUn,
    FileTriggerPostun,
    TransactionFileTriggerIn,
    TransactionFileTriggerUn,
    TransactionFileTriggerPostun,
}

/// How a kind of script is kept.
enum Kept {
    /// As a scriptlet of that name.
    Scriptlet(&'static str),
    /// As a trigger of that family.
    Trigger(Relation),
}

impl ScriptPart {
    fn kept(self) -> Kept {
        match self {
            Self::Pre => Kept::Scriptlet("prein"),
            Self::Post => Kept::Scriptlet("postin"),
            Self::Preun => Kept::Scriptlet("preun"),
            Self::Postun => Kept::Scriptlet("postun"),
            Self::Pretrans => Kept::Scriptlet("pretrans"),
            Self::Posttrans => Kept::Scriptlet("posttrans"),
            Self::Preuntrans => Kept::Scriptlet("preuntrans"),
            Self::Postuntrans => Kept::Scriptlet("postuntrans"),
            Self::Verify => Kept::Scriptlet("verifyscript"),
            Self::TriggerPrein | Self::TriggerIn | Self::TriggerUn | Self::TriggerPostun => {
                Kept::Trigger(Relation::Triggers)
            }
            Self::FileTriggerIn | Self::FileTriggerUn | Self::FileTriggerPostun => {
                Kept::Trigger(Relation::FileTriggers)
            }
            Self::TransactionFileTriggerIn | Self::TransactionFileTriggerUn | Self::TransactionFileTriggerPostun => {
                Kept::Trigger(Relation::TransactionFileTriggers)
            }
        }
    }

    /// For what the script's interpreter is needed, or when the trigger fires.
    fn qualifier(self) -> Qualifier {
        match self {
            Self::Pre => Qualifier::Pre,
            Self::Post => Qualifier::Post,
            Self::Preun => Qualifier::Preun,
            Self::Postun => Qualifier::Postun,
            Self::Pretrans => Qualifier::Pretrans,
            Self::Posttrans => Qualifier::Posttrans,
            Self::Preuntrans => Qualifier::Preuntrans,
            Self::Postuntrans => Qualifier::Postuntrans,
            Self::Verify => Qualifier::Verify,
            Self::TriggerPrein => Qualifier::Triggerprein,
            Self::TriggerIn | Self::FileTriggerIn | Self::TransactionFileTriggerIn => Qualifier::Triggerin,
            Self::TriggerUn | Self::FileTriggerUn | Self::TransactionFileTriggerUn => Qualifier::Triggerun,
            Self::TriggerPostun | Self::FileTriggerPostun | Self::TransactionFileTriggerPostun => {
                Qualifier::Triggerpostun
            }
        }
    }
}

impl Evaluator<'_, '_> {
    /// Reads a scriptlet or trigger.
    pub(super) fn read_script(&mut self, script: ScriptPart) -> Step<Part> {
        let place = self.reader.place();
        let line = self.reader.line.clone();
        let is_trigger = matches!(script.kept(), Kept::Trigger(_));
        let (line, conditions) = match line.split_once("--") {
            Some((line, conditions)) if is_trigger => (line.to_owned(), conditions.trim_ascii().to_owned()),
            _ if is_trigger => {
                let error = format!("triggers must have --: {}", line.trim_ascii_end());
                self.fail(Diagnostic::error(error).at(&place).hint("write `-- PACKAGE` or `-- /PATH` behind it"))?;
                return Ok(self.read_text(Strip::NOTHING)?.1);
            }
            _ => (line, String::new()),
        };
        if is_trigger && conditions.is_empty() {
            let error = format!("triggers must have --: {}", line.trim_ascii_end());
            self.fail(Diagnostic::error(error).at(&place))?;
        }
        let target = self.section_package_of(&line, "p:n:f:eqP:")?;
        let (program, priority, file, flags) = match &target {
            Some((arguments, _)) => (
                arguments.value('p').unwrap_or("/bin/sh").to_owned(),
                arguments.value('P').map(str::to_owned),
                arguments.value('f').map(str::to_owned),
                u32::from(arguments.has('e')) | (u32::from(arguments.has('q')) << 1),
            ),
            None => ("/bin/sh".to_owned(), None, None, 0),
        };
        if program.starts_with('<') && !program.ends_with('>') {
            let error = Diagnostic::error(format!("internal script must end with '>': {program}"));
            self.fail(error.at(&self.reader.place_of(&program)))?;
        } else if !program.starts_with(['<', '/']) {
            let error = Diagnostic::error(format!("script program must begin with '/': {program}"));
            self.fail(error.at(&self.reader.place_of(&program)))?;
        }
        let priority = match priority.as_deref().map(str::parse::<i32>) {
            Some(Ok(priority)) if priority < 0 => Some(0),
            None => None,
            Some(Ok(priority)) => Some(priority.unsigned_abs()),
            Some(Err(_)) => {
                let value = priority.unwrap_or_default();
                let error = Diagnostic::error(format!("Bad option {value}: {}", line.trim_ascii_end()));
                self.fail(error.at(&self.reader.place_of(&value)).hint("a priority is a number"))?;
                None
            }
        };
        if priority.is_some() && !is_trigger {
            let error = Diagnostic::error(format!("Priorities are allowed only for file triggers : {program}"));
            self.fail(error.at(&place))?;
        }
        let program = split_words(&program).unwrap_or_else(|_| vec![program]);
        let (text, next) = self.read_text(Strip::NOTHING)?;
        let Some((_, Some(index))) = target else { return Ok(next) };
        let scriptlet = Scriptlet { program, body: text.trim_end().to_owned(), file, flags };
        self.keep_script(script, index, scriptlet, &place, (&conditions, priority))?;
        Ok(next)
    }

    fn keep_script(
        &mut self,
        script: ScriptPart,
        index: usize,
        scriptlet: Scriptlet,
        place: &crate::Place,
        (conditions, priority): (&str, Option<u32>),
    ) -> Step<()> {
        let interpreter = scriptlet.program.first().cloned().unwrap_or_default();
        let arguments = scriptlet.program.len() > 1;
        let Some(draft) = self.drafts.get_mut(index) else { return Ok(()) };
        let requires = Relation::Requires;
        if interpreter == "<lua>" {
            let word = Part::Script(script).word();
            if let Some(words) = self.macros.lua_syntax_error(&scriptlet.body, word) {
                // rpmspec goes on without the script; a build does not.
                self.record(Diagnostic::error(format!("invalid syntax in lua scriptlet: {words}")).at(place));
                return Ok(());
            }
            let Some(draft) = self.drafts.get_mut(index) else { return Ok(()) };
            draft.dependencies.add(requires, Entry::rpmlib("BuiltinLuaScripts", "4.2.2-1"), None);
        } else if interpreter.starts_with('<') {
            // rpmspec goes on; a build does not.
            self.record(Diagnostic::error(format!("unsupported internal script: {interpreter}")).at(place));
            return Ok(());
        } else {
            let own = if matches!(script.kept(), Kept::Scriptlet(_)) { script.qualifier().bit() } else { 0 };
            let flags = Qualifier::Interp.bit() | own;
            let entry = Entry { name: interpreter, evr: String::new(), flags, index: 0 };
            draft.dependencies.add(requires, entry, Some(place.clone()));
        }
        let Some(draft) = self.drafts.get_mut(index) else { return Ok(()) };
        if scriptlet.flags & 3 != 0 {
            draft.dependencies.add(requires, Entry::rpmlib("ScriptletExpansion", "4.9.0-1"), None);
        }
        match script.kept() {
            Kept::Scriptlet(name) => {
                if draft.package.scriptlets.contains_key(name) {
                    let word = Part::Script(script).word();
                    return self.fail(Diagnostic::error(format!("Second {word}")).at(place));
                }
                if arguments {
                    draft.dependencies.add(requires, Entry::rpmlib("ScriptletInterpreterArgs", "4.0.3-1"), None);
                }
                let body = scriptlet.body.clone();
                draft.package.scriptlets.insert(name.to_owned(), scriptlet);
                let tag = name[..1].to_ascii_uppercase() + &name[1..];
                self.note_encoding(index, &tag, &body, place);
                Ok(())
            }
            Kept::Trigger(relation) => {
                if arguments {
                    let message =
                        format!("interpreter arguments not allowed in triggers: {}", scriptlet.program.join(" "));
                    self.record(Diagnostic::error(message).at(place));
                    return Ok(());
                }
                let files = !matches!(relation, Relation::Triggers);
                if files && !conditions.starts_with('/') {
                    let place = self.reader.place_of(conditions);
                    // Since 4.18.2 rpm gives up.
                    if self.macros.rpm().is_at_least(&[4, 18, 2]) {
                        let message = format!("file trigger conditions must begin with '/': {conditions}");
                        return self.fail(Diagnostic::error(message).at(&place));
                    }
                    let message = format!("file trigger condition must begin with '/': {conditions}");
                    self.record(Diagnostic::error(message).at(&place));
                    return Ok(());
                }
                let triggers = match relation {
                    Relation::FileTriggers => &mut draft.package.file_triggers,
                    Relation::TransactionFileTriggers => &mut draft.package.transaction_file_triggers,
                    _ => &mut draft.package.triggers,
                };
                let number = triggers.scripts.len();
                triggers.scripts.push(Trigger { script: scriptlet, priority });
                self.add_dependencies(index, relation, conditions, script.qualifier().bit(), number)
            }
        }
    }
}
