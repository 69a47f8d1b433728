//! Rich dependencies as a spec writes them: read without recursion, however deeply they are nested, and written
//! the way rpm keeps them.

/// A name and the version it is limited to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf<'text> {
    pub name: &'text str,
    /// The comparison as rpm's headers have it; 0 without one.
    pub sense: u32,
    /// Empty without a comparison.
    pub evr: &'text str,
}

/// A rich dependency that is read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rich {
    /// As rpm writes it.
    pub text: String,
    /// Bytes of what was read.
    pub length: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    And,
    Or,
    If,
    Unless,
    Else,
    With,
    Without,
}

impl Operator {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "and" => Self::And,
            "or" => Self::Or,
            "if" => Self::If,
            "unless" => Self::Unless,
            "else" => Self::Else,
            "with" => Self::With,
            "without" => Self::Without,
            _ => return None,
        })
    }

    fn chains(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::With)
    }
}

/// What can be wrong with where an operand stands: it is an `if` or an `unless`, or is no operand of `with`.
#[derive(Clone, Copy, Debug, Default)]
struct Traits {
    has_if: bool,
    has_unless: bool,
    mixed: bool,
}

/// A dependency in parentheses that is being read.
#[derive(Debug, Default)]
struct Open {
    /// Where it begins.
    start: usize,
    first: Option<Operator>,
    last: Option<Operator>,
    /// What the next operator must be, if it matters.
    chained: Option<Operator>,
    /// The first operand, whose operator is not known yet.
    left: Traits,
    /// All operands.
    all: Traits,
}

impl Open {
    fn chain(&mut self, operator: Operator) -> Result<(), String> {
        if operator == Operator::Else && matches!(self.chained, Some(Operator::If | Operator::Unless)) {
            self.chained = None;
        }
        match self.chained {
            Some(chained) if chained != operator => return Err("Cannot chain different ops".into()),
            Some(chained) if !chained.chains() => return Err("Can only chain and/or/with ops".into()),
            _ => {}
        }
        self.chained = Some(operator);
        self.last = Some(operator);
        if self.first.is_none() {
            self.first = Some(operator);
            check(operator, operator, self.left, false)?;
        }
        Ok(())
    }

    fn operand(&mut self, operand: Traits) -> Result<(), String> {
        self.all.has_if |= operand.has_if;
        self.all.has_unless |= operand.has_unless;
        self.all.mixed |= operand.mixed;
        match (self.first, self.last) {
            (Some(first), Some(last)) => check(first, last, operand, true),
            _ => {
                self.left = operand;
                Ok(())
            }
        }
    }

    /// Ends it: what it is as an operand.
    fn close(&self) -> Result<Traits, String> {
        let with = matches!(self.first, Some(Operator::With | Operator::Without));
        if with && self.all.mixed {
            return Err("Illegal ops in with/without".into());
        }
        let plain = with || matches!(self.first, None | Some(Operator::Or));
        let mixed = !plain || self.all.mixed;
        Ok(match self.first {
            Some(Operator::If) => Traits { has_if: true, has_unless: false, mixed },
            Some(Operator::Unless) => Traits { has_if: false, has_unless: true, mixed },
            Some(Operator::And | Operator::Or) => Traits { mixed, ..Traits::default() },
            _ => Traits { mixed, ..self.all },
        })
    }
}

/// Checks an operand of an operator, or of the `else` that follows it; the right one of `if` is its condition.
fn check(first: Operator, last: Operator, operand: Traits, right: bool) -> Result<(), String> {
    let condition = right && matches!(last, Operator::If | Operator::Unless);
    match first {
        Operator::And | Operator::If if !condition => must_hold(operand),
        Operator::Or | Operator::Unless if !condition => may_hold(operand),
        _ => Ok(()),
    }
}

fn must_hold(operand: Traits) -> Result<(), String> {
    let wrong = "Illegal context for 'unless', please use 'or' instead";
    if operand.has_unless { Err(wrong.into()) } else { Ok(()) }
}

fn may_hold(operand: Traits) -> Result<(), String> {
    let wrong = "Illegal context for 'if', please use 'and' instead";
    if operand.has_if { Err(wrong.into()) } else { Ok(()) }
}

fn is_separator(letter: char) -> bool {
    letter.is_ascii_whitespace() || letter == ','
}

/// The length of a name or version: to a separator, or to a parenthesis that it does not open itself.
fn word_length(text: &str) -> usize {
    let mut open = 0_usize;
    text.find(|letter: char| match letter {
        '(' => {
            open += 1;
            false
        }
        ')' if open > 0 => {
            open -= 1;
            false
        }
        letter => letter == ')' || is_separator(letter),
    })
    .unwrap_or(text.len())
}

/// Reads the rich dependency a text begins with. `conflicts`: it is one of what must not be, or of when to be
/// there, rather than of what must be. `leaf` says what is wrong with a name and version, if anything.
pub(super) fn read<'text>(
    text: &'text str,
    conflicts: bool,
    mut leaf: impl FnMut(Leaf<'text>) -> Result<(), String>,
) -> Result<Rich, String> {
    let mut written = String::new();
    let mut stack: Vec<Open> = Vec::new();
    let mut at = 0;
    loop {
        // An operand.
        at = skip(text, at);
        let rest = &text[at..];
        if rest.starts_with('(') {
            written.push('(');
            stack.push(Open { start: at, ..Open::default() });
            at += 1;
            if text[skip(text, at)..].starts_with(')') {
                return Err("Empty rich dependency".into());
            }
            continue;
        }
        if rest.starts_with(')') {
            return Err("Missing argument to rich dependency op".into());
        }
        let length = word_length(rest);
        let name = &rest[..length];
        if name.is_empty() {
            return Err("Name required".into());
        }
        at = skip(text, at + length);
        let mut found = Leaf { name, sense: 0, evr: "" };
        let length = text[at..].find(|letter| !matches!(letter, '<' | '>' | '=')).unwrap_or(text.len() - at);
        let ends = text[at + length..].chars().next().is_none_or(is_separator);
        if let Some(sense) = super::dependencies::sense(&text[at..at + length]).filter(|_| ends) {
            at = skip(text, at + length);
            let length = word_length(&text[at..]);
            found = Leaf { sense, evr: &text[at..at + length], ..found };
            at += length;
            if found.evr.is_empty() {
                return Err("Version required".into());
            }
        }
        leaf(found)?;
        written.push_str(name);
        if found.sense != 0 {
            written.push_str(super::dependencies::written(found.sense));
            written.push_str(found.evr);
        }
        let mut operand = Traits::default();
        // What follows an operand: the ends of what it is the last of, then an operator.
        loop {
            let Some(open) = stack.last_mut() else { return Ok(Rich { text: written, length: at }) };
            open.operand(operand)?;
            at = skip(text, at);
            let rest = &text[at..];
            if rest.is_empty() {
                return Err(format!("Unterminated rich dependency: {}", &text[open.start..]));
            }
            if rest.starts_with(')') {
                operand = open.close()?;
                at += 1;
                written.push(')');
                stack.pop();
                if stack.is_empty() {
                    if conflicts { may_hold(operand)? } else { must_hold(operand)? }
                }
                continue;
            }
            let length = rest.find(|letter: char| letter.is_ascii_whitespace() || letter == ')').unwrap_or(rest.len());
            let word = &rest[..length];
            let operator = Operator::parse(word).ok_or_else(|| format!("Unknown rich dependency op '{word}'"))?;
            open.chain(operator)?;
            written.push(' ');
            written.push_str(word);
            written.push(' ');
            at += length;
            break;
        }
    }
}

fn skip(text: &str, at: usize) -> usize {
    text.len() - text[at..].trim_start_matches(is_separator).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(text: &str, conflicts: bool) -> Result<(String, usize), String> {
        read(text, conflicts, |_| Ok(())).map(|rich| (rich.text, rich.length))
    }

    #[test]
    fn they_are_written_as_rpm_does() {
        for (text, written, length) in [
            ("( foo  or   bar ) x", "(foo or bar)", 17),
            ("(a, or b)", "(a or b)", 9),
            ("((a))", "((a))", 5),
            ("(a =< 1 or b == 2)c", "(a <= 1 or b = 2)", 18),
            ("((a and b)or c)", "((a and b) or c)", 15),
            ("(a()(64bit) if b else c)", "(a()(64bit) if b else c)", 24),
        ] {
            assert_eq!(result(text, false), Ok((written.to_owned(), length)), "{text}");
        }
        let deep = "(a or ".repeat(100_000) + "b" + &")".repeat(100_000);
        assert_eq!(result(&deep, false).map(|(_, length)| length), Ok(deep.len()));
    }

    #[test]
    fn operators_stand_where_they_mean_something() {
        for (text, requires, conflicts) in [
            ("(a if b)", true, false),
            ("(a unless b)", false, true),
            ("((a if b) or c)", false, false),
            ("((a unless b) or c)", true, true),
            ("((a if b) and c)", true, true),
            ("(a if (b unless c))", true, false),
            ("(a else (b if c))", true, false),
            ("((a or b) with c)", true, true),
            ("((a and b) with c)", false, false),
            ("(x if ((a unless b) unless c))", true, false),
        ] {
            assert_eq!((result(text, false).is_ok(), result(text, true).is_ok()), (requires, conflicts), "{text}");
        }
    }

    #[test]
    fn faults_are_named() {
        for (text, words) in [
            ("()", "Empty rich dependency"),
            ("(a or)", "Missing argument to rich dependency op"),
            ("(a or", "Name required"),
            ("(a or (b and c", "Unterminated rich dependency: (b and c"),
            ("(a xor b)", "Unknown rich dependency op 'xor'"),
            ("(a and b or c)", "Cannot chain different ops"),
            ("(a if b if c)", "Can only chain and/or/with ops"),
            ("(a if b else c else d)", "Can only chain and/or/with ops"),
            ("(a >= )", "Version required"),
        ] {
            assert_eq!(result(text, false), Err(words.to_owned()), "{text}");
        }
    }
}
