//! Passes: cycles are opened, and their members built again with what they lacked, until nothing changes.
//!
//! A pass is one plan taken to its end; whatever needs a cycle from outside waits until it has settled, so that nothing
//! is built with what is only there to open it. What a pass does is decided from what is published and known alone, so a
//! run that was killed between passes or in one goes on with the next. A tree without cycles takes one pass.

mod progress;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use planner::Plan;
use report::{EventKind, PackageReason, Verdict};
use sandbox::Sandbox;

use self::progress::{Pass, Progress};
use super::dispatcher::{RunEnd, RunOptions, run};
use super::events::Events;
use super::inputs::{FetchedSources, fetch_of};
use super::planning::Planning;
use super::stop::StopSignals;
use crate::buildroot::Layers;
use crate::cli::TargetArgs;
use crate::error::CommandError;

/// What is needed besides the plan.
pub struct Passes<'a> {
    /// What the plan was made for.
    pub targets: &'a TargetArgs,
    /// The sources of the plan's stale packages.
    pub sources: FetchedSources,
    /// What build roots are stacked from.
    pub layers: Layers,
    /// Where builds run.
    pub sandbox: Arc<dyn Sandbox>,
    /// How.
    pub options: &'a RunOptions,
    /// Who is told.
    pub events: &'a Arc<Events>,
    /// Set as soon as signals are listened to here.
    pub listens: &'a AtomicBool,
}

impl Passes<'_> {
    /// Runs a plan, and the plans that follow from it, to the end.
    ///
    /// # Errors
    /// Publishing or recording the state failed: the repository is as it was, and nothing more can be done.
    pub async fn run(mut self, planning: &mut Planning, plan: &Plan) -> Result<RunEnd, CommandError> {
        // Kept all the time, so that no signal between two passes is lost.
        let mut signals = StopSignals::new()
            .map_err(|error| CommandError::infrastructure(format!("signals cannot be taken over: {error}")))?;
        self.listens.store(true, Ordering::Release);
        let mut progress = Progress::new(plan);
        let mut plan = plan.clone();
        loop {
            let pass = progress.next(&planning.graph, &plan);
            self.announce(planning, &pass);
            let before = identities(planning);
            let end = self.run_pass(planning, &pass.plan).await?;
            let has_failed = self.options.fail_fast && self.events.counts().failed > 0;
            let is_over = end.interrupted || end.window_over || has_failed || pass.plan.stale.is_empty();
            progress.take(end);
            if is_over || plan.again.is_empty() {
                if !progress.end.interrupted {
                    progress.end.settled_unlike_lock = planning.never_as_locked(&plan);
                }
                return Ok(progress.end);
            }
            // The published headers are known by now; what is built with what may have changed.
            tokio::task::block_in_place(|| planning.settle());
            plan = progress.plan(planning, self.targets)?;
            let is_stopped = tokio::select! {
                biased;
                _ = signals.next() => true,
                () = std::future::ready(()) => false,
            };
            if is_stopped {
                return Ok(RunEnd { interrupted: true, ..progress.end });
            }
            progress.give_up_on_what_never_settles(&planning.graph, &plan, &before, &identities(planning));
            for (package, by) in progress.newly_lost(&planning.graph, &plan) {
                let nevr = planning.specs.get(&package).map(|spec| format!("{package}-{}", spec.package.evr()));
                self.events.emit(EventKind::JobFinished {
                    package,
                    nevr: nevr.unwrap_or_default(),
                    verdict: Verdict::BlockedBy { package: by },
                    cause: None,
                    seconds: 0.0,
                    own_seconds: 0.0,
                    log: None,
                    rpms: Vec::new(),
                    attempt: None,
                });
            }
        }
    }

    async fn run_pass(&mut self, planning: &mut Planning, plan: &Plan) -> Result<RunEnd, CommandError> {
        if plan.stale.is_empty() {
            return Ok(RunEnd::default());
        }
        // The full build of a package may have sources that its bootstrap variant has not.
        let is_lacking = |name: &&str| !self.sources.contains_key(*name);
        let lacking: Vec<&str> = plan.stale.iter().map(|(name, _)| name.as_str()).filter(is_lacking).collect();
        if !lacking.is_empty() {
            let fetched = tokio::task::block_in_place(|| fetch_of(planning, &lacking, self.events));
            self.sources.extend(fetched);
        }
        let sandbox = Arc::clone(&self.sandbox);
        let end = run(planning, plan, &self.sources, &self.layers, sandbox, self.options, self.events).await?;
        self.sources.retain(|name, _| !plan.stale.iter().any(|(ran, _)| ran == name));
        Ok(end)
    }

    fn announce(&self, planning: &Planning, pass: &Pass) {
        for cycle in &pass.cycles {
            let in_cycle = |name: &&String| cycle.members.contains(name);
            let first = |name: &String| {
                let deferred = planning.graph.nodes.get(name).into_iter().flat_map(|node| &node.deferred);
                let reasons: Vec<_> = deferred.map(|deferred| deferred.way_out.to_string()).collect();
                PackageReason { package: name.clone(), reason: reasons.join(", ") }
            };
            let building = pass.plan.stale.iter().map(|(name, _)| name).filter(in_cycle);
            let opened = building.map(first).filter(|first| !first.reason.is_empty()).collect();
            let more = pass.more.iter().filter(|more| cycle.members.contains(&more.package)).cloned().collect();
            let (members, number) = (cycle.members.clone(), cycle.number);
            self.events.emit(EventKind::CyclePass { members, number, opened, stale: more });
        }
    }
}

/// The identities of everything that was built, by source package.
fn identities(planning: &Planning) -> BTreeMap<String, BTreeMap<String, String>> {
    planning.state.packages().iter().map(|(name, built)| (name.clone(), built.rpms.clone())).collect()
}
