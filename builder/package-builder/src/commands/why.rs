//! `why`: what a build root holds and why, and why one package is built before another.

use planner::Index;
use planner::queries::{How, UnknownName, WhyError, build_root_of, why};

use crate::cli::WhyArgs;
use crate::config::Settings;
use crate::error::{CommandError, ErrorKind};
use crate::runner::Planning;

pub(super) fn run(settings: Settings, arguments: &WhyArgs) -> Result<(), CommandError> {
    let events = super::shown_events("why");
    let planning = Planning::new(settings, &events)?;
    events.finish();
    let Some(needed) = &arguments.needed else {
        refuse_broken(&planning, [&arguments.name])?;
        let root = build_root_of(&planning.graph, &arguments.name).map_err(error)?;
        return if arguments.json { super::print_json(&root) } else { super::print_data(root.to_string().as_bytes()) };
    };
    refuse_broken(&planning, [&arguments.name, needed])?;
    let index = Index::new(&planning.universe);
    let answer = why(&index, &planning.graph, &arguments.name, needed).map_err(error)?;
    if arguments.json {
        super::print_json(&answer)?;
    }
    if answer.how == How::No {
        return Err(CommandError::new(ErrorKind::No, answer.to_string().trim_end())
            .hint(format!("`package-builder why {}` lists all that it needs to be built", answer.source)));
    }
    if arguments.json { Ok(()) } else { super::print_data(answer.to_string().as_bytes()) }
}

fn error(error: WhyError) -> CommandError {
    match error {
        WhyError::Unknown(name) => unknown(&name),
        WhyError::NoRoot { .. } => CommandError::input(error.to_string()),
    }
}

/// The error for a name that means nothing.
pub(super) fn unknown(name: &UnknownName) -> CommandError {
    CommandError::usage(name.to_string()).hint("`package-builder plan --all` lists the tree's packages")
}

/// The error for a source package whose spec does not evaluate: nothing is known of its needs.
pub(super) fn refuse_broken<'a>(
    planning: &Planning,
    names: impl IntoIterator<Item = &'a String>,
) -> Result<(), CommandError> {
    for name in names {
        if let Some(broken) = planning.broken.iter().find(|broken| broken.package == *name) {
            let lines: Vec<_> = broken.diagnostics.iter().map(ToString::to_string).collect();
            let message = format!("`{}` cannot be evaluated:\n{}", broken.name, lines.join("\n"));
            return Err(CommandError::input(message));
        }
    }
    Ok(())
}
