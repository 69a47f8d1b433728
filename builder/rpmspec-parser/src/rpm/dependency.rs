//! Capabilities and dependencies, plain and rich, and when one meets the other.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Evr, compare_versions};

/// How the version of a dependency relates to the one it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Relation {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `=`
    Equal,
    /// `>=`
    GreaterOrEqual,
    /// `>`
    Greater,
}

impl Relation {
    /// Reads an operator as rpm writes it (`==`, `=<` and `=>` are accepted as rpm accepts them).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "<" => Self::Less,
            "<=" | "=<" => Self::LessOrEqual,
            "=" | "==" => Self::Equal,
            ">=" | "=>" => Self::GreaterOrEqual,
            ">" => Self::Greater,
            _ => return None,
        })
    }

    fn allows_less(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual)
    }

    fn allows_greater(self) -> bool {
        matches!(self, Self::Greater | Self::GreaterOrEqual)
    }

    fn allows_equal(self) -> bool {
        !matches!(self, Self::Less | Self::Greater)
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Equal => "=",
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">",
        })
    }
}

/// A name, a virtual name such as `pkgconfig(zlib)`, a soname or a file path, with or without a version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Capability {
    /// The name, exactly as written: `zlib`, `pkgconfig(zlib)`, `libz.so.1()(64bit)`, `/bin/sh`.
    pub name: String,
    /// The version it is limited to.
    pub version: Option<(Relation, Evr)>,
}

impl Capability {
    /// A capability without a version.
    #[must_use]
    pub fn any(name: impl Into<String>) -> Self {
        Self { name: name.into(), version: None }
    }

    /// `name = evr`, as every package provides itself.
    #[must_use]
    pub fn exact(name: impl Into<String>, evr: Evr) -> Self {
        Self { name: name.into(), version: Some((Relation::Equal, evr)) }
    }

    /// Whether what one side asks for and the other offers meet: the same name and overlapping version
    /// ranges, by the rules of `rpmdsCompare`. A side without a version meets all versions. A side without a
    /// release stands for all releases of its version if it allows equality (`= 1` meets `> 1-1`), and else for
    /// none of them (`> 1` does not meet `= 1-1`).
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        if self.name != other.name {
            return false;
        }
        let (Some((left, left_evr)), Some((right, right_evr))) = (&self.version, &other.version) else {
            return true;
        };
        let versions = (left_evr.epoch.unwrap_or(0).cmp(&right_evr.epoch.unwrap_or(0)))
            .then_with(|| compare_versions(&left_evr.version, &right_evr.version));
        let order = match (left_evr.release.is_empty(), right_evr.release.is_empty()) {
            (true, false) if versions.is_eq() && left.allows_equal() => return true,
            (false, true) if versions.is_eq() && right.allows_equal() => return true,
            (false, false) => versions.then_with(|| compare_versions(&left_evr.release, &right_evr.release)),
            _ => versions,
        };
        match order {
            Ordering::Less => left.allows_greater() || right.allows_less(),
            Ordering::Greater => left.allows_less() || right.allows_greater(),
            Ordering::Equal => {
                (left.allows_equal() && right.allows_equal())
                    || (left.allows_less() && right.allows_less())
                    || (left.allows_greater() && right.allows_greater())
            }
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)?;
        match &self.version {
            Some((relation, evr)) => write!(formatter, " {relation} {evr}"),
            None => Ok(()),
        }
    }
}

/// The operators of rich dependencies (rpm's manual, "Boolean dependencies").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RichOperator {
    /// All operands.
    And,
    /// Any operand.
    Or,
    /// The first, if the second is there.
    If,
    /// The first, if the second is not there.
    Unless,
    /// One package that meets all operands.
    With,
    /// One package that meets the first and not the second.
    Without,
}

impl RichOperator {
    /// Reads the operator's word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "and" => Self::And,
            "or" => Self::Or,
            "if" => Self::If,
            "unless" => Self::Unless,
            "with" => Self::With,
            "without" => Self::Without,
            _ => return None,
        })
    }
}

impl fmt::Display for RichOperator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::And => "and",
            Self::Or => "or",
            Self::If => "if",
            Self::Unless => "unless",
            Self::With => "with",
            Self::Without => "without",
        })
    }
}

/// A rich dependency: operands chained by one operator.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rich {
    /// The operator between the operands.
    pub operator: RichOperator,
    /// Two or more; for `if` and `unless` exactly two: what is needed and the condition.
    pub operands: Vec<Dependency>,
    /// The `else` part of `if` and `unless`.
    pub otherwise: Option<Dependency>,
}

/// What a package asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Dependency {
    /// A single capability.
    Capability(Capability),
    /// `(a or b)` and the like.
    Rich(Box<Rich>),
}

impl Dependency {
    /// A dependency on a bare name.
    #[must_use]
    pub fn any(name: impl Into<String>) -> Self {
        Self::Capability(Capability::any(name))
    }

    /// Reads one dependency as it stands in a header or in repodata: `name`, `name >= evr` or `(rich)`.
    ///
    /// # Errors
    /// The text is empty, has words left over, or is a malformed rich dependency.
    pub fn parse(text: &str) -> Result<Self, ParseDependencyError> {
        let error = |reason: &str| ParseDependencyError { text: text.to_owned(), reason: reason.to_owned() };
        let mut words = Words(text);
        let dependency = words.dependency(0).map_err(|reason| error(&reason))?;
        match words.next_word() {
            "" => Ok(dependency),
            _ => Err(error("words follow the dependency")),
        }
    }

    /// Every capability it mentions, in order.
    pub fn capabilities(&self) -> Vec<&Capability> {
        match self {
            Self::Capability(capability) => vec![capability],
            Self::Rich(rich) => rich.operands.iter().chain(&rich.otherwise).flat_map(Self::capabilities).collect(),
        }
    }
}

impl fmt::Display for Dependency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capability(capability) => capability.fmt(formatter),
            Self::Rich(rich) => {
                formatter.write_str("(")?;
                for (index, operand) in rich.operands.iter().enumerate() {
                    if index > 0 {
                        write!(formatter, " {} ", rich.operator)?;
                    }
                    operand.fmt(formatter)?;
                }
                if let Some(otherwise) = &rich.otherwise {
                    write!(formatter, " else {otherwise}")?;
                }
                formatter.write_str(")")
            }
        }
    }
}

/// A dependency that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no dependency: {reason}")]
pub struct ParseDependencyError {
    /// The text as it was given.
    pub text: String,
    /// Why it cannot be read.
    pub reason: String,
}

/// Rich dependencies nested deeper than this are refused.
const DEEPEST: usize = 32;

struct Words<'a>(&'a str);

/// Whether a word opens a parenthesis it does not close: in a rich dependency, the next one would be taken for it.
fn is_open(word: &str) -> bool {
    word.matches('(').count() > word.matches(')').count()
}

impl<'a> Words<'a> {
    /// The next word: `(` and the `)` that closes a rich dependency stand alone; parentheses inside a
    /// name (`libz.so.1()(64bit)`) belong to it.
    fn next_word(&mut self) -> &'a str {
        let text = self.0.trim_start();
        let mut open = 0usize;
        let length = match text.bytes().next() {
            None => 0,
            Some(b'(' | b')') => 1,
            Some(_) => text
                .bytes()
                .position(|byte| match byte {
                    b'(' => {
                        open += 1;
                        false
                    }
                    b')' if open > 0 => {
                        open -= 1;
                        false
                    }
                    byte => byte == b')' || byte.is_ascii_whitespace(),
                })
                .unwrap_or(text.len()),
        };
        let (word, rest) = text.split_at(length);
        self.0 = rest;
        word
    }

    fn peek(&self) -> &'a str {
        Words(self.0).next_word()
    }

    fn dependency(&mut self, depth: usize) -> Result<Dependency, String> {
        match self.next_word() {
            "" => Err("a name is missing".to_owned()),
            ")" => Err("`)` without `(`".to_owned()),
            "(" if depth >= DEEPEST => Err("it is nested too deeply".to_owned()),
            "(" => self.rich(depth + 1),
            name if depth > 0 && is_open(name) => Err(format!("a `)` is missing in `{name}`")),
            name => match Relation::parse(self.peek()) {
                None => Ok(Dependency::any(name)),
                Some(relation) => {
                    self.next_word();
                    let evr = self.next_word();
                    let parsed = Evr::parse(evr);
                    if evr == ")" || parsed.version.is_empty() {
                        return Err(format!("a version is missing behind `{name} {relation}`"));
                    }
                    if depth > 0 && is_open(evr) {
                        return Err(format!("a `)` is missing in `{evr}`"));
                    }
                    Ok(Dependency::Capability(Capability { name: name.to_owned(), version: Some((relation, parsed)) }))
                }
            },
        }
    }

    fn rich(&mut self, depth: usize) -> Result<Dependency, String> {
        let mut operands = vec![self.dependency(depth)?];
        let mut operator = None;
        let mut otherwise = None;
        loop {
            let word = self.next_word();
            if word == ")" {
                break;
            }
            if word.is_empty() {
                return Err("a `)` is missing".to_owned());
            }
            if word == "else" {
                if otherwise.is_some() || !matches!(operator, Some(RichOperator::If | RichOperator::Unless)) {
                    return Err("`else` belongs to `if` or `unless`".to_owned());
                }
                otherwise = Some(self.dependency(depth)?);
                continue;
            }
            let next = RichOperator::parse(word).ok_or_else(|| format!("`{word}` is no operator"))?;
            let chains = !matches!(next, RichOperator::If | RichOperator::Unless | RichOperator::Without);
            match operator {
                None => operator = Some(next),
                Some(operator) if operator == next && chains => {}
                Some(operator) => {
                    return Err(format!("`{operator}` and `{next}` cannot be chained"));
                }
            }
            operands.push(self.dependency(depth)?);
        }
        match operator {
            None => Ok(operands.swap_remove(0)),
            Some(operator) => Ok(Dependency::Rich(Box::new(Rich { operator, operands, otherwise }))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capability(text: &str) -> Capability {
        match Dependency::parse(text) {
            Ok(Dependency::Capability(capability)) => capability,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn dependencies_survive_a_round_trip() {
        for text in [
            "zlib",
            "zlib-devel >= 1:1.2-3",
            "pkgconfig(zlib) = 1.3",
            "libc.so.6(GLIBC_2.34)(64bit)",
            "(gcc or clang)",
            "(a if (b and c >= 2) else d)",
            "(python3dist(x) >= 1 with python3dist(x) < 2)",
        ] {
            assert_eq!(Dependency::parse(text).map(|d| d.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn malformed_dependencies_are_refused() {
        for text in [
            "",
            "a >=",
            "a = -",
            "a = 1:-2",
            "(a if b(c )",
            "(a = 1(b )",
            "(a or b",
            "a b",
            "(a and b or c)",
            "(a or b else c)",
            "a)",
        ] {
            assert!(Dependency::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_overlap_as_in_rpm() {
        for (left, right, meet) in [
            ("a", "a = 1-1", true),
            ("a = 1", "a = 1-3", true),
            ("a >= 2", "a = 1-3", false),
            ("a > 1", "a = 1-3", false),
            ("a < 2", "a > 1", true),
            ("a < 1", "a > 1", false),
            ("a = 1", "a > 1-1", true),
            ("a = 1", "a < 1-1", true),
            ("a >= 1", "a < 1-1", true),
            ("a <= 1", "a > 1-1", true),
            ("a > 1", "a = 1-1", false),
            ("a > 1", "a < 1-1", false),
            ("a < 1", "a >= 1-1", false),
            ("a < 1", "a < 1-1", true),
            ("a <= 1", "a >= 1", true),
            ("a = 1:1", "a = 1", false),
            ("a", "b", false),
        ] {
            let (left, right) = (capability(left), capability(right));
            assert_eq!(left.overlaps(&right), meet, "{left} / {right}");
            assert_eq!(right.overlaps(&left), meet, "{right} / {left}");
        }
    }
}
