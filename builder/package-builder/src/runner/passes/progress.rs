//! What each pass runs: decided from the plan and the graph alone, and from what failed before.

use std::collections::{BTreeMap, BTreeSet};

use planner::{BuildGraph, Plan, StaleReason, Targets};
use report::PackageReason;

use crate::cli::TargetArgs;
use crate::error::CommandError;
use crate::runner::{Planning, RunEnd};

/// So often the members of a cycle are built. Two passes build all of it with its own result, a third one shows that it
/// stays the same; what takes more has something in it that is never the same.
const MOST_PASSES: usize = 5;

/// One pass.
#[derive(Debug, Default)]
pub(super) struct Pass {
    /// What it runs.
    pub(super) plan: Plan,
    /// The cycles that are not settled.
    pub(super) cycles: Vec<CyclePass>,
    /// What was not planned before, or was built already.
    pub(super) more: Vec<PackageReason>,
}

#[derive(Debug)]
pub(super) struct CyclePass {
    pub(super) members: Vec<String>,
    /// Counted from 1.
    pub(super) number: usize,
}

/// How far a run has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// What the first plan has and did not run yet, with its reason.
    waiting: BTreeMap<String, StaleReason>,
    /// What was run.
    ran: BTreeSet<String>,
    /// How often cycles were run, by their members.
    passes: BTreeMap<Vec<String>, usize>,
    /// What was reported as lost to something that failed.
    lost: BTreeSet<String>,
    pub(super) end: RunEnd,
}

impl Progress {
    pub(super) fn new(plan: &Plan) -> Self {
        Self { waiting: plan.stale.iter().cloned().collect(), ..Self::default() }
    }

    /// What of a plan is run now: nothing that failed, or needs a cycle that has not settled.
    pub(super) fn next(&mut self, graph: &BuildGraph, plan: &Plan) -> Pass {
        let mut pass = Pass::default();
        let unsettled = unsettled(graph, plan);
        // Only cycles are looked at again.
        let mut held = self.ran.clone();
        unsettled.iter().flatten().for_each(|member| {
            held.remove(member);
        });
        held.extend(self.end.failed.iter().chain(&self.lost).cloned());
        for members in unsettled {
            held.extend(dependants(graph, &members));
            if members.iter().any(|member| self.end.failed.contains(member)) {
                held.extend(members);
                continue;
            }
            let number = self.passes.entry(members.clone()).or_default();
            *number += 1;
            pass.cycles.push(CyclePass { number: *number, members });
        }
        // A cycle that needs one that has not settled does not begin.
        pass.cycles.retain(|cycle| {
            let waits = cycle.members.iter().any(|member| held.contains(member));
            if waits {
                self.passes.remove(&cycle.members);
            }
            !waits
        });
        let stale: BTreeMap<_, _> = plan.stale.iter().cloned().collect();
        for name in plan.order.iter().filter(|name| !held.contains(*name)) {
            // What was planned and is fresh by now ends as unchanged.
            let waited = self.waiting.get(name).cloned();
            let Some(reason) = stale.get(name).cloned().or_else(|| waited.clone()) else { continue };
            if waited.is_none() {
                pass.more.push(PackageReason { package: name.clone(), reason: reason.to_string() });
            }
            pass.plan.order.push(name.clone());
            pass.plan.stale.push((name.clone(), reason));
        }
        for (name, _) in &pass.plan.stale {
            self.waiting.remove(name);
            self.ran.insert(name.clone());
        }
        pass
    }

    pub(super) fn take(&mut self, end: RunEnd) {
        let RunEnd {
            interrupted,
            window_over,
            infrastructure,
            lacking_sources,
            unlike_lock,
            failed,
            blocked,
            unsettled,
            settled_unlike_lock: _,
        } = end;
        self.end.interrupted |= interrupted;
        self.end.window_over |= window_over;
        self.end.infrastructure |= infrastructure;
        self.end.lacking_sources += lacking_sources;
        self.end.unlike_lock += unlike_lock;
        self.end.failed.extend(failed);
        self.end.blocked.extend(blocked);
        self.end.unsettled.extend(unsettled);
    }

    /// The next plan; what was forced and waits is still forced.
    pub(super) fn plan(&self, planning: &Planning, targets: &TargetArgs) -> Result<Plan, CommandError> {
        let forced = self.waiting.iter().filter(|(_, reason)| matches!(reason, StaleReason::Forced));
        let forced = planning.circumstances(forced.map(|(name, _)| name.clone()).collect());
        let targets = if targets.all { Targets::All } else { Targets::Named(targets.names.clone()) };
        planner::plan(&planning.graph, &targets, &planning.state.known(), &planning.input_digests(), &forced)
            .map_err(|error| CommandError::usage(error.to_string()))
    }

    /// Ends the cycles that were built as often as may be and are still not settled.
    pub(super) fn give_up_on_what_never_settles(
        &mut self,
        graph: &BuildGraph,
        plan: &Plan,
        before: &BTreeMap<String, BTreeMap<String, String>>,
        after: &BTreeMap<String, BTreeMap<String, String>>,
    ) {
        for members in unsettled(graph, plan) {
            let is_over = self.passes.get(&members).is_some_and(|passes| *passes >= MOST_PASSES);
            if is_over && !members.iter().any(|member| self.end.failed.contains(member)) {
                let differ = members.iter().filter(|member| before.get(*member) != after.get(*member));
                let differ: Vec<_> = differ.map(String::as_str).collect();
                self.end.unsettled.push(format!(
                    "the cycle {} does not settle: after {MOST_PASSES} passes these still come out differently: {}",
                    members.join(" ↔ "),
                    differ.join(", ")
                ));
                self.end.failed.extend(members);
            }
        }
    }

    /// What waits for something that failed, each with that; told once.
    pub(super) fn newly_lost(&mut self, graph: &BuildGraph, plan: &Plan) -> Vec<(String, String)> {
        let mut roots: Vec<Vec<String>> = self.end.failed.iter().map(|name| vec![name.clone()]).collect();
        // Nothing is built with the members of a cycle that are there but not as they should be.
        roots.extend(
            unsettled(graph, plan)
                .into_iter()
                .filter(|members| members.iter().any(|member| self.end.failed.contains(member))),
        );
        let mut newly = BTreeMap::new();
        for members in roots {
            let Some(by) = members.iter().find(|member| self.end.failed.contains(*member)) else { continue };
            let by = self.end.blocked.get(by).unwrap_or(by);
            let is_new = |name: &String| self.waiting.contains_key(name) && !self.end.failed.contains(name);
            for name in dependants(graph, &members).into_iter().filter(is_new) {
                newly.entry(name).or_insert_with(|| by.clone());
            }
        }
        self.waiting.retain(|name, _| !newly.contains_key(name));
        self.lost.extend(newly.keys().cloned());
        newly.into_iter().collect()
    }
}

/// The opened cycles with members that are to be looked at again after this plan.
fn unsettled(graph: &BuildGraph, plan: &Plan) -> Vec<Vec<String>> {
    let again: BTreeSet<&String> = plan.again.iter().map(|(name, _)| name).collect();
    let is_open = |members: &&Vec<String>| members.iter().any(|member| again.contains(member));
    graph.cycles.iter().filter(|cycle| cycle.is_opened).map(|cycle| &cycle.members).filter(is_open).cloned().collect()
}

/// What needs one of these to be built, directly or not, and is none of them.
fn dependants(graph: &BuildGraph, members: &[String]) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = members.iter().cloned().collect();
    loop {
        let needs_one = |node: &&planner::BuildNode| node.needs.iter().any(|edge| found.contains(&edge.to));
        let new: Vec<String> = graph
            .nodes
            .values()
            .filter(needs_one)
            .map(|node| node.name.clone())
            .filter(|n| !found.contains(n))
            .collect();
        if new.is_empty() {
            break;
        }
        found.extend(new);
    }
    found.retain(|name| !members.contains(name));
    found
}

#[cfg(test)]
mod tests;
