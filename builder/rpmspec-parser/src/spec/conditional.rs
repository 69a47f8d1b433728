//! `%if` and its relatives: which lines they are, what they ask, and which text they leave out.

use super::evaluator::{Evaluator, Step};
use super::reader::is_space;
use crate::{Diagnostic, Place};

/// The lines that steer reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineKind {
    IfArch,
    IfNotArch,
    IfOs,
    IfNotOs,
    If,
    ElifArch,
    ElifOs,
    Elif,
    Else,
    EndIf,
    Include,
}

/// Word, meaning, and whether an argument must follow.
const KINDS: &[(&str, LineKind, bool)] = &[
    ("%ifarch", LineKind::IfArch, true),
    ("%ifnarch", LineKind::IfNotArch, true),
    ("%ifos", LineKind::IfOs, true),
    ("%ifnos", LineKind::IfNotOs, true),
    ("%if", LineKind::If, true),
    ("%elifarch", LineKind::ElifArch, true),
    ("%elifos", LineKind::ElifOs, true),
    ("%elif", LineKind::Elif, true),
    ("%else", LineKind::Else, false),
    ("%endif", LineKind::EndIf, false),
    ("%include", LineKind::Include, true),
];

impl LineKind {
    pub(crate) fn word(self) -> &'static str {
        KINDS.iter().find(|(_, kind, _)| *kind == self).map_or("%if", |(word, ..)| word)
    }

    /// Whether a backslash at its end joins the next line to it.
    pub(crate) fn goes_on(self) -> bool {
        !matches!(self, Self::Else | Self::EndIf | Self::Include)
    }

    pub(crate) fn opens(self) -> bool {
        matches!(self, Self::IfArch | Self::IfNotArch | Self::IfOs | Self::IfNotOs | Self::If)
    }
}

/// Says which steering line a text without leading white space is, if any. What takes an argument is followed by a
/// blank, or by nothing, not even a line end.
pub(crate) fn classify(line: &str) -> Option<LineKind> {
    if !(line.starts_with("%i") || line.starts_with("%e")) {
        return None;
    }
    KINDS.iter().find_map(|(word, kind, argument)| {
        let rest = line.strip_prefix(word)?;
        let next = rest.chars().next();
        let ends = if *argument {
            next.is_none_or(|letter| matches!(letter, ' ' | '\t'))
        } else {
            !next.is_some_and(char::is_alphabetic)
        };
        ends.then_some(*kind)
    })
}

/// One conditional that is open.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    /// Whether its present branch is read.
    pub reading: bool,
    /// Whether a later branch of it may still be read.
    readable: bool,
    /// The steering line that began the present branch.
    last: LineKind,
    /// Where its `%if` stands.
    pub place: Place,
}

impl Evaluator<'_, '_> {
    /// Acts on a conditional line.
    pub(super) fn obey_branch(&mut self, kind: LineKind, line: &str) -> Step<()> {
        let place = self.reader.place();
        let word = kind.word();
        let argument = line.get(word.len()..).unwrap_or_default();
        if matches!(kind, LineKind::Else | LineKind::EndIf) {
            let extra = argument.trim_matches(is_space);
            if !extra.is_empty() && !extra.starts_with('#') {
                let words = format!("extra tokens at the end of {word} directive: {}", line.trim_ascii_end());
                let hint = "put a `#` before a remark";
                if self.macros.rpm().is_at_least(&[4, 20]) {
                    self.fail(Diagnostic::error(words).at(&place).hint(hint))?;
                } else {
                    self.record(Diagnostic::warning(words).at(&place).hint(hint));
                }
            }
        }
        let outer =
            self.reader.branches.iter().rev().nth(usize::from(!kind.opens())).is_none_or(|branch| branch.reading);
        if kind.opens() {
            let reading = self.ask(outer, kind, argument, &place)?;
            self.reader.branches.push(Branch { reading, readable: outer && !reading, last: kind, place });
            return Ok(());
        }
        let Some(branch) = self.reader.branches.last().cloned() else {
            return self.stop(
                Diagnostic::error(format!("{word} with no %if"))
                    .at(&place)
                    .hint("take it out, or find the `%if` it belongs to"),
            );
        };
        if branch.last == LineKind::Else && kind != LineKind::EndIf {
            return self.stop(Diagnostic::error(format!("{word} after %else")).at(&place));
        }
        if kind == LineKind::EndIf {
            self.reader.branches.pop();
            return Ok(());
        }
        let readable = outer && branch.readable;
        let reading = if kind == LineKind::Else { readable } else { self.ask(readable, kind, argument, &place)? };
        if let Some(branch) = self.reader.branches.last_mut() {
            branch.reading = reading;
            branch.readable &= !reading;
            branch.last = kind;
        }
        Ok(())
    }

    /// Evaluates a condition, if the answer matters.
    fn ask(&mut self, matters: bool, kind: LineKind, argument: &str, place: &Place) -> Step<bool> {
        let place = &self.reader.place_behind(kind.word(), place);
        if !matters {
            self.read_behind_condition(argument.split_once('\n').map_or("", |(_, behind)| behind));
            return Ok(false);
        }
        let listed = |name: &str| argument.split(is_space).any(|word| word.eq_ignore_ascii_case(name));
        if !matches!(kind, LineKind::If | LineKind::Elif) && argument.trim_matches(is_space).is_empty() {
            let error = Diagnostic::error(format!("Argument expected for {}", kind.word())).at(place);
            self.fail(error.hint("name what it is about, or take it out"))?;
            return Ok(false);
        }
        Ok(match kind {
            LineKind::IfArch | LineKind::ElifArch => listed(&self.macros.build_arch()),
            LineKind::IfNotArch => !listed(&self.macros.build_arch()),
            LineKind::IfOs | LineKind::ElifOs => listed(&self.macros.build_os()),
            LineKind::IfNotOs => !listed(&self.macros.build_os()),
            _ => {
                let answer = self.macros.expand(argument, place).and_then(|expanded| {
                    let (condition, behind) = expanded.split_once('\n').unwrap_or((&expanded, ""));
                    self.read_behind_condition(behind);
                    self.macros.expanded_condition(condition, place)
                });
                self.collect_macro_diagnostics();
                match answer {
                    Ok(answer) => answer,
                    Err(diagnostic) => {
                        self.fail(diagnostic)?;
                        false
                    }
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steering_lines_are_told_from_text() {
        assert_eq!(classify("%if 1"), Some(LineKind::If));
        assert_eq!(classify("%ifarch\tx86_64"), Some(LineKind::IfArch));
        assert_eq!(classify("%endif"), Some(LineKind::EndIf));
        assert_eq!(classify("%else#x"), Some(LineKind::Else));
        for text in ["%if(1)", "%if\n", "if 1", "%endiff", "%iffy 1", "%includes a"] {
            assert_eq!(classify(text), None, "{text}");
        }
    }
}
