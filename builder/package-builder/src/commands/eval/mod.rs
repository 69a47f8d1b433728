//! `eval`: what specs evaluate to; what `rpmspec` and `rpm --eval` are used for, with the macros of the base's rpm.

mod bench;
mod compare;
mod format;
mod names;
mod present;
mod query;
mod tags;
mod trace;

use std::path::PathBuf;

use rayon::prelude::*;
use serde::Serialize;

use rpmspec_parser::{Diagnostic, SourcePackage};

use crate::cli::EvalArgs;
use crate::config::Settings;
use crate::error::{CommandError, ErrorKind};
use bench::{Bench, Looked};
use query::Query;

/// So many specs are looked at before the first of them is answered: what is kept of them takes memory.
const BATCH: usize = 64;

pub(super) fn run(mut settings: Settings, arguments: &EvalArgs) -> Result<(), CommandError> {
    let task = Task::of(arguments)?;
    let switches = |names: &[String], word: &str| -> Vec<(String, String)> {
        names.iter().map(|name| (format!("_{word}_{name}"), format!("--{word}-{name}"))).collect()
    };
    settings.defines.extend(switches(&arguments.with, "with"));
    settings.defines.extend(switches(&arguments.without, "without"));
    if let Task::Tags = task {
        return super::print_data(names::listed().as_bytes());
    }
    let bench = Bench::new(settings, arguments)?;
    if let Task::Query(Query::Refused(error)) = task {
        return Err(error);
    }
    let specs = bench.find(&arguments.names, arguments.all)?;
    if specs.is_empty() && !arguments.all {
        return alone(&bench, arguments);
    }
    match task {
        Task::Compare => compare_all(&bench, &specs),
        task => answer_all(&bench, &task, arguments, &specs),
    }
}

/// Looks at specs in parallel and answers in their order.
fn answer_all(bench: &Bench, task: &Task, arguments: &EvalArgs, specs: &[PathBuf]) -> Result<(), CommandError> {
    let mut broken = Vec::new();
    for batch in specs.chunks(BATCH) {
        let looked: Vec<_> = batch.par_iter().map(|path| bench.look(path)).collect();
        for looked in looked {
            let looked = looked?;
            bench.show(&looked.name, &looked.diagnostics);
            answer(task, arguments, &looked, specs.len() == 1)?;
            if looked.package.is_none() {
                broken.push(format!("`{}`", looked.name));
            } else if looked.texts.iter().any(Option::is_none) {
                broken.push(format!("the expression behind `{}`", looked.name));
            }
        }
    }
    match broken.is_empty() {
        true => Ok(()),
        false => Err(CommandError::input(format!("{} cannot be evaluated", broken.join(", ")))),
    }
}

/// Has rpmspec read specs in parallel and shows the differences in their order.
fn compare_all(bench: &Bench, specs: &[PathBuf]) -> Result<(), CommandError> {
    let mut different = Vec::new();
    for batch in specs.chunks(BATCH) {
        let compared: Vec<_> = batch.par_iter().map(|path| compare::run(bench, path)).collect();
        for compared in compared {
            let compared = compared?;
            super::print_data(compared.said.as_bytes())?;
            bench.show(&compared.name, &compared.diagnostics);
            if !compared.same {
                different.push(format!("`{}`", compared.name));
            }
        }
    }
    match different.is_empty() {
        true => Ok(()),
        false => {
            let message = format!("rpmspec reads {} differently", different.join(", "));
            Err(CommandError::new(ErrorKind::BuildFailed, message))
        }
    }
}

/// What is asked for.
enum Task {
    Query(Query),
    Parsed,
    Json,
    Expand,
    Trace,
    Compare,
    Tags,
}

impl Task {
    fn of(arguments: &EvalArgs) -> Result<Self, CommandError> {
        let named = !arguments.names.is_empty() || arguments.all;
        if !named && arguments.expressions.is_empty() && !arguments.querytags {
            return Err(CommandError::usage("no spec is named and nothing is to be expanded")
                .hint("name packages or spec files, say `--all`, or expand a text with `--eval '%{_libdir}'`"));
        }
        Ok(if arguments.querytags {
            Self::Tags
        } else if arguments.compare_rpm {
            Self::Compare
        } else if arguments.trace.is_some() {
            Self::Trace
        } else if !arguments.expressions.is_empty() {
            Self::Expand
        } else if arguments.parsed {
            Self::Parsed
        } else if arguments.json {
            Self::Json
        } else {
            Self::Query(Query::of(arguments))
        })
    }
}

/// What `--json` prints of a spec.
#[derive(Serialize)]
struct Everything<'a> {
    spec: &'a str,
    package: Option<&'a SourcePackage>,
    diagnostics: &'a [Diagnostic],
}

/// Prints what is asked of one spec, which may be the only one.
fn answer(task: &Task, arguments: &EvalArgs, looked: &Looked, only: bool) -> Result<(), CommandError> {
    match (task, &looked.package) {
        (Task::Json, package) => super::print_json(&Everything {
            spec: &looked.name,
            package: package.as_ref(),
            diagnostics: &looked.diagnostics,
        }),
        // Of many specs, those that use a macro are looked for.
        (Task::Trace, _) if looked.steps.is_empty() && !only => Ok(()),
        (Task::Trace, _) => print_trace(arguments, looked),
        (Task::Expand, _) => print_texts(looked),
        (Task::Parsed, Some(package)) => super::print_data(package.parsed.as_bytes()),
        (Task::Query(query), Some(package)) => super::print_data(query.ask(package, &looked.tags)?.as_bytes()),
        _ => Ok(()),
    }
}

/// Expands texts without a spec.
fn alone(bench: &Bench, arguments: &EvalArgs) -> Result<(), CommandError> {
    let looked = bench.expand()?;
    bench.show(&looked.name, &looked.diagnostics);
    if arguments.trace.is_some() {
        print_trace(arguments, &looked)?;
    } else {
        print_texts(&looked)?;
    }
    match looked.texts.iter().any(Option::is_none) {
        true => Err(CommandError::input("the expression cannot be expanded")),
        false => Ok(()),
    }
}

fn print_texts(looked: &Looked) -> Result<(), CommandError> {
    let lines: String = looked.texts.iter().flatten().map(|text| format!("{text}\n")).collect();
    super::print_data(lines.as_bytes())
}

fn print_trace(arguments: &EvalArgs, looked: &Looked) -> Result<(), CommandError> {
    let name = arguments.trace.as_deref().unwrap_or_default();
    if looked.steps.is_empty() {
        let error = CommandError::usage(format!("`%{name}` is not expanded in `{}`", looked.name));
        return Err(error.hint(match (&looked.near, looked.is_defined) {
            (Some(near), _) => format!("no macro of this name is defined; spelled alike: {near}"),
            (None, true) => {
                "nothing that was read calls it; `--eval EXPR` with `--trace` follows it elsewhere".to_owned()
            }
            (None, false) => {
                "no macro of this name is defined; `%setup`, `%patch` and sections are rpm's own".to_owned()
            }
        }));
    }
    if arguments.json {
        return super::print_json(&looked.steps);
    }
    super::print_data(trace::shown(&looked.steps).as_bytes())
}
