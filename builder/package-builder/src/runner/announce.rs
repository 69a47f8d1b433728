//! Tells a plan as an event, with the root cause of everything that is blocked.

use std::collections::BTreeSet;

use planner::{Blocker, Plan};
use report::{BlockedPackage, EventKind, Hindrance, PackageReason};

use super::events::Events;

/// Says what was planned, and shows why what is blocked is.
pub fn emit_plan(plan: &Plan, events: &Events) {
    let reason = |(package, reason): (&String, String)| PackageReason { package: package.clone(), reason };
    events.emit(EventKind::Planned {
        stale: plan.stale.iter().map(|(name, why)| reason((name, why.to_string()))).collect(),
        fresh: plan.fresh.len(),
        blocked: plan.blocked.iter().map(|(name, why)| blocked_package(plan, name, why)).collect(),
    });
}

fn blocked_package(plan: &Plan, name: &str, blocker: &Blocker) -> BlockedPackage {
    let hindrance = match blocker {
        Blocker::DuplicateName { .. } | Blocker::DuplicatePackage { .. } => Hindrance::Duplicate,
        Blocker::ExcludedArchitecture { .. } => Hindrance::Excluded,
        Blocker::Unresolvable { .. } => Hindrance::Unresolvable,
        Blocker::Cycle { .. } => Hindrance::Cycle,
        Blocker::BlockedBy { names } => Hindrance::Needs { root: root_of(plan, names) },
    };
    BlockedPackage { package: name.to_owned(), reason: blocker.to_string(), hindrance }
}

/// The first package that is not blocked by others, on the chains that start with these; they may lead in a circle.
fn root_of(plan: &Plan, names: &[String]) -> String {
    let mut open: Vec<&String> = names.iter().rev().collect();
    let mut passed = BTreeSet::new();
    while let Some(name) = open.pop() {
        let blocker = plan.blocked.iter().find(|(blocked, _)| blocked == name).map(|(_, blocker)| blocker);
        match blocker {
            Some(Blocker::BlockedBy { names }) if passed.insert(name) => open.extend(names.iter().rev()),
            Some(Blocker::BlockedBy { .. }) => {}
            _ => return name.clone(),
        }
    }
    names.first().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_blocked_through_several_levels_is_told_with_its_root() {
        let by = |names: &[&str]| Blocker::BlockedBy { names: names.iter().map(|name| (*name).to_owned()).collect() };
        let excluded = Blocker::ExcludedArchitecture {
            name: "z".to_owned(),
            arch: "x86_64".to_owned(),
            only: vec!["aarch64".to_owned()],
            not: Vec::new(),
        };
        let blocked =
            [("a", by(&["b", "d"])), ("b", by(&["c"])), ("c", by(&["b"])), ("d", by(&["z"])), ("z", excluded)];
        let plan = Plan { blocked: blocked.map(|(name, why)| (name.to_owned(), why)).into(), ..Plan::default() };
        let told = plan.blocked.iter().map(|(name, why)| blocked_package(&plan, name, why).hindrance);
        let root = |name: &str| Hindrance::Needs { root: name.to_owned() };
        let expected = [root("z"), root("c"), root("b"), root("z"), Hindrance::Excluded];
        assert_eq!(told.collect::<Vec<_>>(), expected, "a circle has no root, its first member stands for it");
    }
}
