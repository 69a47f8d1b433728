//! Builds that turn out to need more: what their roots get, and what must be built for them first.
//!
//! An executor whose build root was asked sends the answer and waits. The dispatcher remembers it, resolves the
//! package anew and decides: what is published is installed into the live root; what is to be built first is queued,
//! and the job ends without a verdict, to start again when all is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use planner::{Blocker, JobId, Outcome, Targets};
use report::{EventKind, PackageReason, Verdict};
use rpmspec_parser::rpm::Dependency;
use tokio::sync::{mpsc, oneshot};

use super::builds::Builds;
use super::ending::Taken;
use super::sources::bring_seeds;
use crate::error::CommandError;
use crate::runner::Events;
use crate::runner::asking::{Grant, MoreNeeds, Stopped};
use crate::runner::job::JobError;
use crate::runner::prepare::prepare_whole;
use crate::seeds::{Seed, SeedRpm};

/// How often the needs of one package may grow within a run.
const MOST_ROUNDS: u32 = 10;

/// The phase that a package fails in whose needs never settle.
const SECTION: &str = "%generate_buildrequires";

/// What a build root said that the build needs.
pub(super) struct Asked {
    id: JobId,
    needs: Vec<Dependency>,
    answer: oneshot::Sender<Decision>,
}

/// What becomes of it.
enum Decision {
    /// These RPMs are installed as well, of which some are of seeds.
    Install(Vec<PathBuf>, Vec<SeedRpm>),
    Stop(Stopped),
}

/// The executor's side.
pub(super) struct AskDispatcher {
    id: JobId,
    sender: mpsc::UnboundedSender<Asked>,
    sets: Arc<[Seed]>,
    events: Arc<Events>,
}

impl AskDispatcher {
    pub(super) fn new(
        id: &JobId,
        sender: &mpsc::UnboundedSender<Asked>,
        sets: &Arc<[Seed]>,
        events: &Arc<Events>,
    ) -> Self {
        Self { id: id.clone(), sender: sender.clone(), sets: Arc::clone(sets), events: Arc::clone(events) }
    }
}

#[async_trait]
impl MoreNeeds for AskDispatcher {
    async fn decide(&self, asked: Vec<Dependency>) -> Result<Grant, JobError> {
        let (answer, decided) = oneshot::channel();
        let message = Asked { id: self.id.clone(), needs: asked, answer };
        // The dispatcher only goes away when the run is being stopped, and then drops this task as well.
        self.sender.send(message).map_err(|_| JobError::Broken("the run is being stopped".to_owned()))?;
        match decided.await.map_err(|_| JobError::Broken("the run is being stopped".to_owned()))? {
            Decision::Install(rpms, seeds) => {
                bring_seeds(&seeds, Arc::clone(&self.sets), &self.events).await?;
                Ok(Grant::Install(rpms))
            }
            Decision::Stop(stopped) => Ok(Grant::Stop(stopped)),
        }
    }
}

impl Builds<'_> {
    /// Answers a build root that was asked.
    pub(super) fn answer(&mut self, asked: Asked) -> Result<(), CommandError> {
        let decision = self.decide(&asked.id, asked.needs)?;
        // An executor that is gone has no use for it.
        let _ = asked.answer.send(decision);
        Ok(())
    }

    fn decide(&mut self, id: &JobId, asked: Vec<Dependency>) -> Result<Decision, CommandError> {
        let Some(asked_at) = self.running.get(id).map(|running| running.asked_at.clone()) else {
            return Ok(Decision::Stop(Stopped::OtherRoot));
        };
        if let Some(reason) = self.planning.asks_beyond_lock(&id.0, &asked) {
            self.end.unlike_lock += 1;
            return Ok(refuse(Verdict::UnlikeLock { reason }, None));
        }
        let before = self.planning.generated(&id.0).map(|answer| answer.needs.clone());
        let needs = self.planning.take_answer(&id.0, &asked_at, asked);
        // Saved before it is acted on: a run that is killed while it builds what is needed goes on from here.
        self.planning.state.save(&self.layout.state())?;
        if before.as_ref() != Some(&needs) && !needs.is_empty() {
            let before = before.unwrap_or_default();
            let new: Vec<String> =
                needs.iter().filter(|need| !before.contains(need)).map(ToString::to_string).collect();
            self.events.emit(EventKind::NeedsGenerated {
                package: id.0.clone(),
                nevr: self.nevr(id),
                needs: needs.iter().map(ToString::to_string).collect(),
            });
            let rounds = self.rounds.entry(id.clone()).or_default();
            *rounds += 1;
            if *rounds > MOST_ROUNDS {
                return Ok(refuse(
                    Verdict::Failed { phase: SECTION.to_owned() },
                    Some(format!(
                        "it asked for more {MOST_ROUNDS} times and never settled; last for {}",
                        new.join(", ")
                    )),
                ));
            }
        }
        if let Some(refused) = self.queue_needs(id) {
            return Ok(refused);
        }
        let waits = self.direct_needs(id).into_iter().map(JobId);
        if waits.into_iter().any(|need| self.queue.is_open(&need) || self.queue.has_failed(&need)) {
            return Ok(Decision::Stop(Stopped::Waits));
        }
        let whole = match prepare_whole(self.planning, &id.0) {
            Ok(whole) => whole,
            Err(reason) => return Ok(refuse(Verdict::Unresolvable { reason }, None)),
        };
        let Some(running) = self.running.get_mut(id) else { return Ok(Decision::Stop(Stopped::OtherRoot)) };
        Ok(match whole.beyond(&running.prepared) {
            Some((rpms, seeds)) => {
                running.prepared = whole;
                Decision::Install(rpms, seeds)
            }
            None => Decision::Stop(Stopped::OtherRoot),
        })
    }

    /// Queues what must be built for a job that was not planned; says so if the job cannot be built.
    fn queue_needs(&mut self, id: &JobId) -> Option<Decision> {
        let planning = &*self.planning;
        let unresolvable = |reason: String| Some(refuse(Verdict::Unresolvable { reason }, None));
        let blocker = planning.graph.nodes.get(&id.0).and_then(|node| node.blocker.as_ref());
        if let Some(blocker @ (Blocker::Unresolvable { .. } | Blocker::Cycle { .. })) = blocker {
            return unresolvable(blocker.to_string());
        }
        let targets = Targets::Named(vec![id.0.clone()]);
        let circumstances = planning.circumstances(BTreeSet::new());
        let (known, inputs) = (planning.state.known(), planning.input_digests());
        let plan = match planner::plan(&planning.graph, &targets, &known, &inputs, &circumstances) {
            Ok(plan) => plan,
            Err(error) => return unresolvable(error.to_string()),
        };
        if let Some((_, blocker)) = plan.blocked.iter().find(|(name, _)| *name == id.0) {
            let causes = plan.blocked.iter().filter(|(_, blocker)| !matches!(blocker, Blocker::BlockedBy { .. }));
            let causes = causes.map(|(name, blocker)| format!("\n`{name}` cannot be built: {blocker}"));
            return unresolvable(format!("{blocker}{}", causes.collect::<String>()));
        }
        let new: Vec<_> = plan.stale.into_iter().filter(|(name, _)| !self.queue.has(&JobId(name.clone()))).collect();
        if new.is_empty() {
            return None;
        }
        let needs: BTreeMap<_, _> =
            new.iter().map(|(name, _)| (name.clone(), self.direct_needs(&JobId(name.clone())))).collect();
        let reason =
            |(package, why): (String, planner::StaleReason)| PackageReason { package, reason: why.to_string() };
        self.events.emit(EventKind::PlanGrew {
            package: id.0.clone(),
            nevr: self.nevr(id),
            stale: new.into_iter().map(reason).collect(),
        });
        let blocked = self.queue.extend(needs, &self.planning.estimates.durations()).blocked;
        self.report_lost(&blocked, id);
        None
    }

    /// The source packages that a build root draws on.
    fn direct_needs(&self, id: &JobId) -> BTreeSet<String> {
        let node = self.planning.graph.nodes.get(&id.0);
        node.into_iter().flat_map(|node| &node.needs).map(|edge| edge.to.clone()).collect()
    }

    /// Ends an attempt that was stopped by a decision.
    pub(super) fn stopped(
        &mut self,
        id: &JobId,
        stopped: Stopped,
        taken: Taken,
        log: String,
    ) -> Result<(), CommandError> {
        let (nevr, no_needs) = (self.nevr(id), BTreeSet::new());
        let needs = match stopped {
            Stopped::Waits => self.direct_needs(id),
            Stopped::OtherRoot => no_needs,
            Stopped::Refused { verdict, cause } => {
                self.report(id, &nevr, verdict, cause, taken, Some(log), Vec::new());
                self.release(id, Outcome::Failed);
                return Ok(());
            }
        };
        let open = needs.iter().filter(|need| self.queue.is_open(&JobId((*need).clone()))).cloned().collect();
        match self.queue.wait(id, BTreeMap::from([(id.0.clone(), needs)]), &BTreeMap::new()) {
            Ok(released) if released.blocked.is_empty() => {
                self.events.emit(EventKind::JobWaits { package: id.0.clone(), nevr, needs: open });
            }
            Ok(released) => self.report_lost(&released.blocked, id),
            Err(error) => self.give_up(id, &nevr, Verdict::Unresolvable { reason: error.to_string() }),
        }
        Ok(())
    }

    /// Reports jobs that can never start, each by what it needs and failed, or else by another job.
    fn report_lost(&mut self, lost: &[JobId], by: &JobId) {
        for id in lost {
            let mut needs = self.direct_needs(id).into_iter().filter(|need| !lost.contains(&JobId(need.clone())));
            let failed = needs.find(|need| self.queue.has_failed(&JobId(need.clone())));
            self.report_blocked(id, &failed.unwrap_or_else(|| by.0.clone()));
        }
    }
}

fn refuse(verdict: Verdict, cause: Option<String>) -> Decision {
    Decision::Stop(Stopped::Refused { verdict, cause })
}
