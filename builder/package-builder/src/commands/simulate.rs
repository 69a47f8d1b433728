//! `simulate`: what building would take with so many jobs at once, before anything is built or bought.

use std::num::NonZeroUsize;
use std::path::Path;

use planner::Workload;
use planner::queue::durations;
use planner::simulate::file;

use crate::cli::{SimulateArgs, TargetArgs};
use crate::config::Settings;
use crate::error::{CommandError, IoContext};
use crate::runner::Planning;

mod answer;

pub(super) use answer::Expected;
use answer::{Answer, Guesses};

pub(super) fn run(
    settings: impl FnOnce() -> Result<Settings, CommandError>,
    arguments: &SimulateArgs,
) -> Result<(), CommandError> {
    let share = arguments.parallel.unwrap_or(0.0);
    let (workload, guesses, blocked) = match &arguments.graph {
        Some(path) => (read(path, share)?, Guesses::default(), 0),
        None => of_tree(settings()?, arguments, share)?,
    };
    let answer = Answer::new(&workload, guesses, blocked, &arguments.jobs, arguments.parallel.is_some());
    if arguments.json { super::print_json(&answer) } else { super::print_data(answer.to_string().as_bytes()) }
}

/// The packages of a file.
fn read(path: &Path, share: f64) -> Result<Workload, CommandError> {
    let text = std::fs::read(path).doing("read", path)?;
    file::parse(&text, share).map_err(|error| {
        CommandError::input(format!("`{}`: {error}", path.display()))
            .hint(r#"the form is {"packages": {"zlib": {"minutes": 0.5, "needs": []}, "jq": {"minutes": 2, "needs": ["zlib"]}}}"#)
    })
}

/// The packages of a tree as if nothing were built, and how many of those asked for cannot be.
fn of_tree(
    settings: Settings,
    arguments: &SimulateArgs,
    share: f64,
) -> Result<(Workload, Guesses, usize), CommandError> {
    let events = super::shown_events("simulate");
    let planning = Planning::new(settings, &events)?;
    planning.show_broken(&events);
    let targets = TargetArgs { names: arguments.names.clone(), all: arguments.names.is_empty() };
    let plan = planning.plan(&targets, false)?;
    events.finish();
    let (workload, guesses) = workload(&planning, &plan.order, share)?;
    Ok((workload, guesses, plan.blocked.len()))
}

/// What the stale packages of a plan are expected to take with so many jobs at once; `None` where there are none.
pub(super) fn expected(
    planning: &Planning,
    stale: &[String],
    jobs: NonZeroUsize,
) -> Result<Option<Expected>, CommandError> {
    if stale.is_empty() {
        return Ok(None);
    }
    let (workload, guesses) = workload(planning, stale, 0.0)?;
    Ok(Some(Expected::new(&workload, guesses, jobs)))
}

/// Packages with what is recorded of earlier builds. The one place that asks for it.
fn workload(planning: &Planning, names: &[String], share: f64) -> Result<(Workload, Guesses), CommandError> {
    let recorded = planning.estimates.durations();
    let workload = Workload::of_graph(&planning.graph, names.iter().map(|name| &**name), &recorded, share)
        .map_err(|error| CommandError::input(format!("nothing to simulate: {error}")))?;
    let known = names.iter().filter(|name| durations::known_seconds(&recorded, name).is_some()).count();
    Ok((workload, Guesses { packages: names.len() - known, seconds: durations::guess(&recorded) }))
}
