//! The command line's entry point.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use package_builder::cli::{CommandLine, with_verb};

fn main() -> ExitCode {
    // The `linux` sandbox starts this program again as the first process of a build root.
    sandbox::linux::init_if_called();
    let command_line = CommandLine::parse_from(with_verb(std::env::args().collect()));
    match package_builder::commands::run(&command_line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // With standard error gone there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "{error}");
            error.exit_code()
        }
    }
}
