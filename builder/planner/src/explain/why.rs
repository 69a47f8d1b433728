//! Why what a package offers is not what is asked for.

use std::cmp::Ordering;

use rpmspec_parser::rpm::{Capability, Dependency, PackageMetadata, Relation, RichOperator};

/// What a package that has a name of a dependency lacks to meet it, a lowercase fragment.
pub(super) fn not_enough(metadata: &PackageMetadata, dependency: &Dependency) -> String {
    let offers = |wanted: &Capability| {
        metadata.files.contains(&wanted.name) || metadata.provides.iter().any(|provided| provided.overlaps(wanted))
    };
    let wanted = dependency.capabilities();
    let (met, unmet): (Vec<&Capability>, Vec<&Capability>) = wanted.into_iter().partition(|wanted| offers(wanted));
    let quoted = |list: &[&Capability]| {
        let names: Vec<_> = list.iter().map(|capability| format!("`{capability}`")).collect();
        names.join(" and ")
    };
    let without = matches!(dependency, Dependency::Rich(rich) if rich.operator == RichOperator::Without);
    let named: Vec<String> = unmet.iter().flat_map(|wanted| nearly(metadata, wanted)).collect();
    match (&*met, &*unmet) {
        (met, []) if without => format!("offers {}, the last of which it must not", quoted(met)),
        ([], _) if !named.is_empty() => format!("offers {}", named.join(", ")),
        (met, unmet) if !met.is_empty() && !named.is_empty() => {
            format!("offers {}, which meets {}, not {}", named.join(", "), quoted(met), quoted(unmet))
        }
        (met, unmet) if !met.is_empty() => format!("offers {}, not {}", quoted(met), quoted(unmet)),
        _ => "does not offer it".to_owned(),
    }
}

/// What a package offers under a name in other versions, with a word on epochs where they decide.
fn nearly(metadata: &PackageMetadata, wanted: &Capability) -> Vec<String> {
    let same_name = metadata.provides.iter().filter(|provided| provided.name == wanted.name);
    let told = |provided: &Capability| {
        let epochs = match (&provided.version, &wanted.version) {
            (Some((Relation::Equal, have)), Some((_, want))) => {
                let (have, want) = (have.epoch.unwrap_or(0), want.epoch.unwrap_or(0));
                match have.cmp(&want) {
                    Ordering::Equal => String::new(),
                    Ordering::Less => format!(", whose epoch {have} is less than {want} whatever the version is"),
                    Ordering::Greater => format!(", whose epoch {have} is more than {want} whatever the version is"),
                }
            }
            _ => String::new(),
        };
        format!("{provided}{epochs}")
    };
    same_name.map(told).collect()
}
