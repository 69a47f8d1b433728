//! Whether a set of packages may be installed together, by rpm's rules, told without any solver.
//!
//! Dependencies are evaluated as rpm's `unsatisfiedDepend` does: directly, operand by operand.

use std::fmt;

use rpmspec_parser::rpm::{Capability, Dependency, PackageMetadata, RichOperator};

/// What is wrong with a set of packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Somebody's need is not met.
    Unmet(String),
    /// Somebody refuses what is there.
    Conflict(String),
    /// A package refuses, by a rich dependency, what is there already when it is there alone. rpm installs no such
    /// package.
    ConflictWithItself(String),
    /// A package replaces another.
    Obsoletes(String),
    /// Two packages of one name.
    SameName(String),
    /// A package for another architecture.
    OtherArchitecture(String),
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unmet(text)
            | Self::Conflict(text)
            | Self::ConflictWithItself(text)
            | Self::Obsoletes(text)
            | Self::SameName(text)
            | Self::OtherArchitecture(text) => formatter.write_str(text),
        }
    }
}

/// Everything that is wrong with a set of packages that is to meet some needs.
#[must_use]
pub fn violations(
    chosen: &[&PackageMetadata],
    needs: &[Dependency],
    refuses: &[Dependency],
    arch: &str,
) -> Vec<Violation> {
    let mut found = Vec::new();
    for need in needs.iter().filter(|need| !is_met(need, chosen)) {
        found.push(Violation::Unmet(format!("`{need}` is asked for")));
    }
    for refused in refuses.iter().filter(|refused| is_met(refused, chosen)) {
        found.push(Violation::Conflict(format!("`{refused}` is refused")));
    }
    for (place, package) in chosen.iter().enumerate() {
        let nevra = &package.nevra;
        if nevra.arch != arch && nevra.arch != "noarch" {
            found.push(Violation::OtherArchitecture(nevra.to_string()));
        }
        for need in package.requires.iter().filter(|need| !is_met(need, chosen)) {
            found.push(Violation::Unmet(format!("{nevra} requires `{need}`")));
        }
        let others: Vec<_> = chosen.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, o)| *o).collect();
        for conflict in &package.conflicts {
            let text = format!("{nevra} conflicts with `{conflict}`");
            // A plain conflict does not mean the package itself, an operand of a rich one does.
            let is_plain = matches!(conflict, Dependency::Capability(_));
            if is_met(conflict, if is_plain { &others } else { chosen }) {
                let is_alone = !is_plain && is_met(conflict, &[package]);
                found.push(if is_alone { Violation::ConflictWithItself(text) } else { Violation::Conflict(text) });
            }
        }
        for other in &others {
            let own = Capability::exact(&*other.nevra.name, other.nevra.evr.clone());
            if package.obsoletes.iter().any(|obsoleted| own.overlaps(obsoleted)) && other.nevra.name != nevra.name {
                found.push(Violation::Obsoletes(format!("{nevra} obsoletes {}", other.nevra)));
            }
            if other.nevra.name == nevra.name {
                found.push(Violation::SameName(format!("{nevra} and {}", other.nevra)));
            }
        }
    }
    found
}

/// Whether packages meet a dependency together.
#[must_use]
pub fn is_met(dependency: &Dependency, by: &[&PackageMetadata]) -> bool {
    let Dependency::Rich(rich) = dependency else { return by.iter().any(|package| offers(package, dependency)) };
    let mut operands = rich.operands.iter().map(|operand| is_met(operand, by));
    let otherwise = || rich.otherwise.as_ref().map(|otherwise| is_met(otherwise, by));
    let condition = || is_met(&rich.operands[1], by);
    match rich.operator {
        RichOperator::And => operands.all(|met| met),
        RichOperator::Or => operands.any(|met| met),
        RichOperator::If if condition() => is_met(&rich.operands[0], by),
        RichOperator::If => otherwise().unwrap_or(true),
        RichOperator::Unless if condition() => otherwise().unwrap_or(false),
        RichOperator::Unless => is_met(&rich.operands[0], by),
        RichOperator::With | RichOperator::Without => by.iter().any(|package| offers(package, dependency)),
    }
}

/// Whether one package meets a dependency alone.
fn offers(package: &PackageMetadata, dependency: &Dependency) -> bool {
    let rich = match dependency {
        Dependency::Capability(wanted) => {
            return package.provides.iter().any(|provided| provided.overlaps(wanted))
                || package.files.contains(&wanted.name);
        }
        Dependency::Rich(rich) => rich,
    };
    let mut operands = rich.operands.iter().map(|operand| offers(package, operand));
    match rich.operator {
        RichOperator::Or => operands.any(|met| met),
        RichOperator::Without => offers(package, &rich.operands[0]) && !offers(package, &rich.operands[1]),
        _ => operands.all(|met| met),
    }
}

/// A set of packages with which nothing is wrong, if there is one; every one is tried.
///
/// # Panics
/// There are too many packages to try.
#[must_use]
pub fn search<'a>(
    packages: &'a [PackageMetadata],
    needs: &[Dependency],
    refuses: &[Dependency],
    arch: &str,
) -> Option<Vec<&'a PackageMetadata>> {
    assert!(packages.len() <= 20, "{} packages are too many", packages.len());
    let subset = |bits: u32| packages.iter().enumerate().filter(move |(at, _)| bits >> at & 1 == 1).map(|(_, p)| p);
    let mut sets = (0..1u32 << packages.len()).map(|bits| subset(bits).collect::<Vec<_>>());
    sets.find(|chosen| violations(chosen, needs, refuses, arch).is_empty())
}
