//! From the events of one run to its summary, one event at a time.

use super::{PackageSummary, RunEnd, SUMMARY_VERSION, Summary};
use crate::blocked::{BlockedPackage, Hindrance};
use crate::event::{Event, EventKind};
use crate::expected::ExpectedFailure;
use crate::tally::Tally;
use crate::verdict::Verdict;
use std::collections::{BTreeMap, BTreeSet};

/// What is known while a journal is read.
#[derive(Default)]
struct Fold {
    run: String,
    command: String,
    tree: String,
    started: i64,
    seconds: f64,
    tally: Tally,
    end: Option<RunEnd>,
    window_over: bool,
    generation: Option<u64>,
    repository: Option<String>,
    entries: Vec<ExpectedFailure>,
    unsettled: Vec<String>,
    planned: BTreeSet<String>,
    packages: BTreeMap<String, PackageSummary>,
    /// The last lines of jobs that have not ended yet.
    last_lines: BTreeMap<String, Vec<String>>,
}

impl Summary {
    /// Adds the events of one run up, in order; a journal that was cut gives what is in it.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Summary {
        let mut fold = Fold::default();
        events.into_iter().for_each(|event| fold.event(event));
        fold.finish()
    }
}

impl Fold {
    fn event(&mut self, event: &Event) {
        if self.run.is_empty() {
            (self.run, self.started) = (event.run.clone(), event.at);
        }
        self.tally.event(event);
        self.seconds = event.elapsed;
        match &event.kind {
            EventKind::RunStarted { command, tree, .. } => {
                (self.command, self.tree) = (command.clone(), tree.clone());
            }
            EventKind::FailuresExpected { entries } => self.entries.clone_from(entries),
            EventKind::SpecBroken { package, reason, .. } => {
                let verdict = Verdict::BrokenSpec { reason: reason.clone() };
                self.end_of(package, None, verdict);
            }
            EventKind::Planned { stale, blocked, .. } => {
                self.planned.extend(stale.iter().map(|planned| planned.package.clone()));
                blocked.iter().for_each(|blocked| self.blocked(blocked));
            }
            EventKind::PlanGrew { stale, .. } | EventKind::CyclePass { stale, .. } => {
                self.planned.extend(stale.iter().map(|planned| planned.package.clone()));
            }
            EventKind::LastLines { package, lines } => drop(self.last_lines.insert(package.clone(), lines.clone())),
            EventKind::JobFinished { package, nevr, verdict, cause, seconds, log, .. } => {
                let lines = self.last_lines.remove(package).unwrap_or_default();
                let ended = self.end_of(package, Some(nevr), verdict.clone());
                (ended.cause, ended.log, ended.last_lines) = (cause.clone(), log.clone(), lines);
                ended.seconds += seconds;
            }
            EventKind::Published { generation, .. } => self.generation = Some(*generation),
            EventKind::CycleUnsettled { reason } => self.unsettled.push(reason.clone()),
            EventKind::WindowEnded => self.window_over = true,
            EventKind::RunBroke { reason } => self.end = Some(RunEnd::Broke { reason: reason.clone() }),
            EventKind::RunFinished { interrupted, repository, seconds, .. } => {
                self.end = Some(if *interrupted { RunEnd::Interrupted } else { RunEnd::Complete });
                (self.repository, self.seconds) = (repository.clone(), *seconds);
            }
            _ => {}
        }
    }

    fn blocked(&mut self, blocked: &BlockedPackage) {
        let reason = blocked.reason.clone();
        let verdict = match &blocked.hindrance {
            Hindrance::Excluded => Verdict::Excluded { reason },
            Hindrance::Needs { root } => Verdict::BlockedBy { package: root.clone() },
            Hindrance::Duplicate => Verdict::BrokenSpec { reason },
            Hindrance::Unresolvable | Hindrance::Cycle | Hindrance::Untold => Verdict::Unresolvable { reason },
        };
        self.end_of(&blocked.package, None, verdict);
    }

    /// Notes an end; the last one of several counts.
    fn end_of(&mut self, package: &str, nevr: Option<&String>, verdict: Verdict) -> &mut PackageSummary {
        let new = PackageSummary {
            package: package.to_owned(),
            nevr: None,
            verdict: Verdict::Unchanged,
            root: None,
            blocks: 0,
            cause: None,
            last_lines: Vec::new(),
            log: None,
            seconds: 0.0,
            expected: None,
        };
        let ended = self.packages.entry(package.to_owned()).or_insert(new);
        // A later pass that gives the same leaves the package built.
        let stays = ended.verdict == Verdict::Success && verdict == Verdict::Unchanged;
        if !stays {
            ended.verdict = verdict;
        }
        ended.nevr = nevr.cloned().or(ended.nevr.take());
        ended
    }

    /// The package at the end of the chain of needs that starts with a blocked one.
    fn root(&self, package: &str) -> Option<String> {
        let by = |name: &str| match &self.packages.get(name)?.verdict {
            Verdict::BlockedBy { package } => Some(package.clone()),
            _ => None,
        };
        let mut root = by(package)?;
        let mut passed = BTreeSet::from([package.to_owned()]);
        while passed.insert(root.clone()) {
            let Some(next) = by(&root) else { break };
            root = next;
        }
        Some(root)
    }

    fn finish(mut self) -> Summary {
        let roots: BTreeMap<String, String> =
            self.packages.keys().filter_map(|name| Some((name.clone(), self.root(name)?))).collect();
        for (package, root) in roots {
            if let Some(cause) = self.packages.get_mut(&root) {
                cause.blocks += 1;
            }
            if let Some(blocked) = self.packages.get_mut(&package) {
                blocked.root = Some(root);
            }
        }
        for ended in self.packages.values_mut() {
            let expired = |entry: &&ExpectedFailure| entry.package == ended.package && entry.covers(&ended.verdict);
            let in_force = ExpectedFailure::of(&self.entries, &ended.package, &ended.verdict);
            ended.expected = in_force.or_else(|| self.entries.iter().find(expired)).cloned();
        }
        let is_good = |name: &String| self.packages.get(name).is_some_and(|ended| ended.verdict.is_good());
        let is_left = |name: &&String| !self.packages.contains_key(*name);
        let left: Vec<String> = self.planned.iter().filter(is_left).cloned().collect();
        let end = match self.end {
            Some(RunEnd::Complete) if self.window_over && !left.is_empty() => RunEnd::WindowOver,
            end => end.unwrap_or(RunEnd::Unfinished),
        };
        Summary {
            version: SUMMARY_VERSION,
            run: self.run,
            command: self.command,
            tree: self.tree,
            started: self.started,
            seconds: self.seconds,
            end,
            counts: self.tally.counts(),
            generation: self.generation,
            repository: self.repository,
            left,
            unsettled: self.unsettled,
            regressions: self.tally.regressions,
            unexpected_passes: self
                .entries
                .iter()
                .filter(|entry| entry.is_fresh || is_good(&entry.package))
                .cloned()
                .collect(),
            packages: self.packages.into_values().collect(),
        }
    }
}
