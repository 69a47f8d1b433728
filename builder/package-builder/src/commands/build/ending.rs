//! The end of a run: its last event, and what the command ends with.

use planner::Plan;
use report::{EventKind, ExpectedFailure, Verdict};

use crate::cli::BuildArgs;
use crate::error::{CommandError, ErrorKind};
use crate::host::Layout;
use crate::runner::{Events, Planning, RunEnd, blocked_targets};

/// All that was decided before anything was built, and how building ended.
pub(super) struct Built {
    pub(super) planning: Planning,
    pub(super) plan: Plan,
    pub(super) expected: Vec<ExpectedFailure>,
    pub(super) end: RunEnd,
}

/// What to install of a source package: the binary package of its name, or all if it makes none of that name.
fn binary_names<'a>(planning: &'a Planning, source: &'a str) -> Vec<&'a str> {
    let packages = planning.specs.get(source).map(|spec| spec.package.packages.as_slice()).unwrap_or_default();
    let built: Vec<&str> = packages.iter().filter(|made| made.files.is_some()).map(|made| &*made.name).collect();
    if built.is_empty() || built.contains(&source) { vec![source] } else { built }
}

/// Says how the run ended, and turns it into the command's end.
pub(super) fn finish(built: &Built, arguments: &BuildArgs, events: &Events) -> Result<(), CommandError> {
    let Built { planning, plan, expected, end } = built;
    let counts = events.counts();
    let all_built = counts.failed + counts.expected + counts.blocked + counts.excluded == 0;
    let good = all_built && !end.interrupted && !end.window_over && end.unsettled.is_empty();
    let layout = Layout::new(&planning.settings.output);
    let repository = repository(&layout);
    let install = repository.as_ref().filter(|_| good && !arguments.targets.all).map(|repository| {
        let name = planning.settings.file.distribution.name.to_lowercase();
        let packages: Vec<_> = arguments.targets.names.iter().flat_map(|name| binary_names(planning, name)).collect();
        let packages = packages.join(" ");
        format!("dnf --repofrompath={name},{repository} --repo={name} --nogpgcheck install {packages}")
    });
    for reason in &end.unsettled {
        events.emit(EventKind::CycleUnsettled { reason: reason.clone() });
    }
    if end.interrupted {
        return Err(interrupted(&layout, events));
    }
    let seconds = events.elapsed();
    events.emit_last(EventKind::RunFinished { counts, interrupted: false, repository, install, seconds });
    let is_expected = |name: &str, verdict: Verdict| ExpectedFailure::of(expected, name, &verdict).is_some();
    let unresolvable = || Verdict::Unresolvable { reason: String::new() };
    let blocked = plan.blocked.iter().filter(|(name, _)| !is_expected(name, unresolvable())).cloned();
    if let Some(error) = blocked_targets(&Plan { blocked: blocked.collect(), ..Plan::default() }) {
        return Err(error);
    }
    if end.infrastructure {
        return Err(CommandError::infrastructure("some builds could not be run"));
    }
    if counts.failed > 0 && counts.failed == end.lacking_sources {
        return Err(CommandError::input(format!("{} of {} lack sources", counts.failed, counts.planned)));
    }
    if counts.failed == end.unlike_lock && counts.failed + end.settled_unlike_lock.len() > 0 {
        let settled = end.settled_unlike_lock.iter();
        let settled = settled.map(|(name, how)| format!("\n  `{name}`, whose cycle has settled: {how}"));
        let (unlike, planned) = (counts.failed + end.settled_unlike_lock.len(), counts.planned);
        let settled = settled.collect::<String>();
        return Err(CommandError::input(format!("{unlike} of {planned} are not what the lock says{settled}")));
    }
    if counts.failed > 0 {
        return Err(CommandError::new(
            ErrorKind::BuildFailed,
            format!("{} of {} failed", counts.failed, counts.planned),
        ));
    }
    if !end.unsettled.is_empty() {
        return Err(CommandError::new(ErrorKind::BuildFailed, end.unsettled.join("\n"))
            .hint("build a member twice and compare what it gives; a build that is not reproducible never settles"));
    }
    let broken = || Verdict::BrokenSpec { reason: String::new() };
    let broken = planning.broken.iter().filter(|spec| !is_expected(&spec.package, broken()));
    let names: Vec<_> = broken.map(|spec| spec.name.as_str()).collect();
    if arguments.targets.all && !names.is_empty() {
        return Err(CommandError::input(format!("broken specs were left out: {}", names.join(", "))));
    }
    if end.window_over {
        return Err(CommandError::new(ErrorKind::Incomplete, "the time was over before all was tried")
            .hint("the same command goes on where this one stopped"));
    }
    Ok(())
}

/// Ends a run that the user has stopped.
pub(super) fn interrupted(layout: &Layout, events: &Events) -> CommandError {
    events.emit_last(EventKind::RunFinished {
        counts: events.counts(),
        interrupted: true,
        repository: repository(layout),
        install: None,
        seconds: events.elapsed(),
    });
    CommandError::new(ErrorKind::Interrupted, "interrupted").hint("the same command goes on where this one stopped")
}

/// The repository's directory, when there is one.
fn repository(layout: &Layout) -> Option<String> {
    let repository = layout.repository();
    repository.exists().then(|| repository.display().to_string())
}
