//! One file a verb; each returns what the process ends with.

mod build;
mod clean;
mod doctor;
mod eval;
mod fetch;
mod graph;
mod history;
mod installable;
mod lock;
mod log;
mod nightly;
mod plan;
mod rdeps;
mod report;
mod simulate;
mod what_provides;
mod why;

use std::io::Write;
use std::sync::Arc;

use ::report::{Everyone, Terminal, TerminalSettings};
use clap::CommandFactory;

use crate::cli::{Command, CommandLine};
use crate::config::Settings;
use crate::error::{CommandError, IoContext};
use crate::runner::Events;

/// Runs the command.
///
/// # Errors
/// How it ended if not well; see [`ErrorKind`](crate::error::ErrorKind).
pub fn run(command_line: &CommandLine) -> Result<(), CommandError> {
    let settings = || Settings::load(&command_line.tree);
    match &command_line.command {
        Command::Build(arguments) => build::run(settings()?, arguments),
        Command::Plan(arguments) => plan::run(settings()?, arguments),
        Command::Simulate(arguments) => simulate::run(settings, arguments),
        Command::Graph(arguments) => graph::run(settings()?, arguments),
        Command::Why(arguments) => why::run(settings()?, arguments),
        Command::Rdeps(arguments) => rdeps::run(settings()?, arguments),
        Command::WhatProvides(arguments) => what_provides::run(settings()?, arguments),
        Command::Installable(arguments) => installable::run(&settings()?, arguments),
        Command::Fetch(arguments) => fetch::run(settings()?, arguments),
        Command::Lock(arguments) => lock::run(settings()?, arguments),
        Command::Log(arguments) => log::run(&settings()?, arguments),
        Command::History(arguments) => history::run(&settings()?, arguments),
        Command::Nightly(arguments) => nightly::run(settings()?, arguments),
        Command::Report(arguments) => report::run(&settings()?, arguments),
        Command::Clean(arguments) => clean::run(&settings()?, arguments),
        Command::Doctor(arguments) => doctor::run(&settings()?, arguments),
        Command::Eval(arguments) => eval::run(settings()?, arguments),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut CommandLine::command(), "package-builder", &mut script);
            print_data(&script)
        }
    }
}

/// Events of a command that is no run: shown, not recorded.
fn shown_events(name: &str) -> Arc<Events> {
    Arc::new(Events::new(name, Everyone::default().and(terminal())))
}

fn terminal() -> Terminal {
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    Terminal::new(Box::new(std::io::stderr()), TerminalSettings::for_stderr(no_colour))
}

/// Writes data to standard output. A reader that has seen enough (`| head`) is no error.
fn print_data(data: &[u8]) -> Result<(), CommandError> {
    let mut output = std::io::stdout().lock();
    match output.write_all(data).and_then(|()| output.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.doing("write to", std::path::Path::new("standard output")),
    }
}

/// Writes a value as indented JSON to standard output.
fn print_json(value: &impl serde::Serialize) -> Result<(), CommandError> {
    let mut text =
        serde_json::to_vec_pretty(value).map_err(|error| CommandError::infrastructure(format!("no JSON: {error}")))?;
    text.push(b'\n');
    print_data(&text)
}
