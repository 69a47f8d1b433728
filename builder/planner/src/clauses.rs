//! Dependencies as clauses, so that rich ones of any depth can be solved.
//!
//! A dependency is turned into clauses that must all hold; a clause holds when an atom of `present` is there or an
//! atom of `absent` is not. An atom stands for a set of packages: a capability, or `with` and `without`, which ask
//! for one package. The meaning of the operators is rpm's (`lib/depends.c`): `A if B else C` is
//! `(A or not B) and (C or B)`, `A unless B else C` is `(A and not B) or (C and B)`.

use rpmspec_parser::rpm::{Dependency, RichOperator};

/// One condition on the packages of a build root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clause<'a> {
    /// It holds if one of these is there…
    pub present: Vec<&'a Dependency>,
    /// …or one of these is not.
    pub absent: Vec<&'a Dependency>,
}

/// A dependency that expands to more clauses than this is refused.
const MOST_CLAUSES: usize = 512;

/// A rich dependency that is too large to be solved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` stands for more than {MOST_CLAUSES} alternatives; split it")]
pub struct TooComplex(String);

/// The clauses that hold when the dependency is met.
///
/// # Errors
/// There would be too many.
pub fn required(dependency: &Dependency) -> Result<Vec<Clause<'_>>, TooComplex> {
    clauses(dependency, true).ok_or_else(|| TooComplex(dependency.to_string()))
}

/// The clauses that hold when the dependency is not met: those of a conflict.
///
/// # Errors
/// There would be too many.
pub fn refused(dependency: &Dependency) -> Result<Vec<Clause<'_>>, TooComplex> {
    clauses(dependency, false).ok_or_else(|| TooComplex(dependency.to_string()))
}

/// `None` when there are too many.
fn clauses(dependency: &Dependency, wanted: bool) -> Option<Vec<Clause<'_>>> {
    let rich = match dependency {
        Dependency::Capability(_) => return Some(atom(dependency, wanted)),
        Dependency::Rich(rich) => rich,
    };
    let each = || rich.operands.iter().map(|operand| clauses(operand, wanted)).collect::<Option<Vec<_>>>();
    match (rich.operator, &*rich.operands) {
        (RichOperator::With | RichOperator::Without, _) => Some(atom(dependency, wanted)),
        // By De Morgan's rule a refused `and` is an `or` of what is refused.
        (RichOperator::And, _) if wanted => all(&each()?),
        (RichOperator::Or, _) if !wanted => all(&each()?),
        (RichOperator::And | RichOperator::Or, _) => {
            each()?.iter().try_fold(vec![Clause::default()], |left, right| any(&left, right))
        }
        (RichOperator::If | RichOperator::Unless, [main, condition]) => {
            let is_if = rich.operator == RichOperator::If;
            // Without `else`, `if` is met and `unless` is not when it is the other side's turn.
            let constant = |value: bool| if value { Vec::new() } else { vec![Clause::default()] };
            let main = clauses(main, wanted)?;
            let otherwise = match &rich.otherwise {
                Some(otherwise) => clauses(otherwise, wanted)?,
                None => constant(is_if == wanted),
            };
            let (when, when_not) = if is_if { (main, otherwise) } else { (otherwise, main) };
            // What the other side asks for goes before the condition: nothing is installed only to turn it.
            all(&[any(&clauses(condition, false)?, &when)?, any(&when_not, &clauses(condition, true)?)?])
        }
        // `if` and `unless` have two operands by construction; a third would have no meaning.
        (RichOperator::If | RichOperator::Unless, _) => None,
    }
}

fn all<'a>(lists: &[Vec<Clause<'a>>]) -> Option<Vec<Clause<'a>>> {
    Some(lists.concat()).filter(|clauses| clauses.len() <= MOST_CLAUSES)
}

fn atom(dependency: &Dependency, wanted: bool) -> Vec<Clause<'_>> {
    let (present, absent) = if wanted { (vec![dependency], Vec::new()) } else { (Vec::new(), vec![dependency]) };
    vec![Clause { present, absent }]
}

/// The clauses that hold when those of one side all hold: every clause of one joined with every one of the other.
fn any<'a>(left: &[Clause<'a>], right: &[Clause<'a>]) -> Option<Vec<Clause<'a>>> {
    if left.len().saturating_mul(right.len()) > MOST_CLAUSES {
        return None;
    }
    let join = |left: &Clause<'a>, right: &Clause<'a>| {
        let mut clause = left.clone();
        for (into, from) in [(&mut clause.present, &right.present), (&mut clause.absent, &right.absent)] {
            from.iter().for_each(|atom| {
                if !into.contains(atom) {
                    into.push(atom);
                }
            });
        }
        clause
    };
    let joined = left.iter().flat_map(|left| right.iter().map(move |right| join(left, right)));
    // A clause with an atom on both sides always holds.
    Some(joined.filter(|clause| !clause.present.iter().any(|atom| clause.absent.contains(atom))).collect())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing parse is a failing test")]
    use std::collections::BTreeSet;

    use super::*;

    /// What rpm's own recursive check says, with each capability there or not.
    fn is_met(dependency: &Dependency, there: &BTreeSet<&str>) -> bool {
        let Dependency::Rich(rich) = dependency else { return there.contains(&*dependency.to_string()) };
        let mut operands = rich.operands.iter().map(|operand| is_met(operand, there));
        let otherwise = rich.otherwise.as_ref().map(|otherwise| is_met(otherwise, there));
        match rich.operator {
            RichOperator::And => operands.all(|met| met),
            RichOperator::Or => operands.any(|met| met),
            RichOperator::If if is_met(&rich.operands[1], there) => is_met(&rich.operands[0], there),
            RichOperator::If => otherwise.unwrap_or(true),
            RichOperator::Unless if is_met(&rich.operands[1], there) => otherwise.unwrap_or(false),
            RichOperator::Unless => is_met(&rich.operands[0], there),
            RichOperator::With | RichOperator::Without => there.contains(&*dependency.to_string()),
        }
    }

    fn hold(clauses: &[Clause<'_>], there: &BTreeSet<&str>) -> bool {
        let is_there = |atom: &&Dependency| there.contains(&*atom.to_string());
        clauses.iter().all(|clause| clause.present.iter().any(is_there) || !clause.absent.iter().all(is_there))
    }

    #[test]
    fn clauses_mean_what_the_dependency_means() {
        let atoms = ["a", "b", "c", "d", "(a with b)"];
        for text in [
            "a",
            "(a and b and c)",
            "(a or b or c)",
            "(a if b)",
            "(a if b else c)",
            "(a unless b)",
            "(a unless b else c)",
            "((a and b) or (c and d))",
            "((a or b) if (c or d) else (a and d))",
            "((a unless b) or (c if d))",
            "((a with b) or c)",
            "((a if (b if (c unless d))) and (d or a))",
        ] {
            let dependency = Dependency::parse(text).unwrap();
            let (wanted, unwanted) = (required(&dependency).unwrap(), refused(&dependency).unwrap());
            for bits in 0..1u32 << atoms.len() {
                let there = (0..atoms.len()).filter(|bit| bits >> bit & 1 == 1).map(|bit| atoms[bit]).collect();
                assert_eq!(hold(&wanted, &there), is_met(&dependency, &there), "{text} with {there:?}");
                assert_eq!(hold(&unwanted, &there), !is_met(&dependency, &there), "not {text} with {there:?}");
            }
        }
    }

    #[test]
    fn what_would_explode_is_refused() {
        let pair = |index: usize| format!("(a{index} and b{index})");
        let text = format!("({})", (0..12).map(pair).collect::<Vec<_>>().join(" or "));
        assert!(required(&Dependency::parse(&text).unwrap()).is_err());
    }
}
