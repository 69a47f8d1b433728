//! `simulate`: what building would take with so many jobs at once, before anything is built or bought.

use std::num::NonZeroUsize;
use std::path::Path;

use planner::Workload;
use planner::queue::durations;
use planner::simulate::{Work, WorkloadError, file, job_server};

use crate::cli::{SimulateArgs, TargetArgs};
use crate::config::Settings;
use crate::error::{CommandError, IoContext};
use crate::history::Estimates;
use crate::runner::{Planning, num_cpus};

mod answer;

pub(super) use answer::Expected;
use answer::{Answer, Guesses};

pub(super) fn run(
    settings: impl FnOnce() -> Result<Settings, CommandError>,
    arguments: &SimulateArgs,
) -> Result<(), CommandError> {
    let share = arguments.parallel.unwrap_or(0.0);
    let Known { recorded, on_one_core, guesses, blocked } = match &arguments.graph {
        Some(path) => {
            let workload = read(path, share)?;
            Known { on_one_core: workload.clone(), recorded: workload, guesses: Guesses::default(), blocked: 0 }
        }
        None => of_tree(settings()?, arguments, share)?,
    };
    let served = arguments.parallel.map(|_| &on_one_core);
    let answer = Answer::new(&recorded, served, guesses, blocked, &arguments.jobs);
    if arguments.json { super::print_json(&answer) } else { super::print_data(answer.to_string().as_bytes()) }
}

/// What is known of the packages that are asked for.
struct Known {
    /// As long as their builds took.
    recorded: Workload,
    /// As long as they would take on one core, each with its parallel share.
    on_one_core: Workload,
    guesses: Guesses,
    /// How many packages cannot be built.
    blocked: usize,
}

/// The packages of a file.
fn read(path: &Path, share: f64) -> Result<Workload, CommandError> {
    let text = std::fs::read(path).doing("read", path)?;
    file::parse(&text, share).map_err(|error| {
        CommandError::input(format!("`{}`: {error}", path.display()))
            .hint(r#"the form is {"packages": {"zlib": {"minutes": 0.5, "needs": []}, "jq": {"minutes": 2, "needs": ["zlib"]}}}"#)
    })
}

/// The packages of a tree as if nothing were built.
fn of_tree(settings: Settings, arguments: &SimulateArgs, share: f64) -> Result<Known, CommandError> {
    let events = super::shown_events("simulate");
    let planning = Planning::new(settings, &events)?;
    planning.show_broken(&events);
    let targets = TargetArgs { names: arguments.names.clone(), all: arguments.names.is_empty() };
    let plan = planning.plan(&targets, false)?;
    events.finish();
    let (recorded, guesses) = workload(&planning, &plan.order, share)?;
    let on_one_core = on_one_core(&planning.estimates, &recorded, cores())?;
    Ok(Known { recorded, on_one_core, guesses, blocked: plan.blocked.len() })
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
        .map_err(|error| refused(&error))?;
    let known = names.iter().filter(|name| durations::known_seconds(&recorded, name).is_some()).count();
    Ok((workload, Guesses { packages: names.len() - known, seconds: durations::guess(&recorded) }))
}

/// The same packages as they would be on one core, where CPU time is recorded. How many cores a build had is not: it
/// counts as all of them, so that no share comes out larger than it is.
fn on_one_core(estimates: &Estimates, recorded: &Workload, cores: NonZeroUsize) -> Result<Workload, CommandError> {
    let times = |name: &str, work: &Work| {
        let measured = estimates.of(name).and_then(|estimate| job_server::on_one_core(&estimate, cores));
        measured.unwrap_or((work.seconds, work.parallel))
    };
    recorded.with_times(times).map_err(|error| refused(&error))
}

fn refused(error: &WorkloadError) -> CommandError {
    CommandError::input(format!("nothing to simulate: {error}"))
}

fn cores() -> NonZeroUsize {
    NonZeroUsize::new(num_cpus()).unwrap_or(NonZeroUsize::MIN)
}
