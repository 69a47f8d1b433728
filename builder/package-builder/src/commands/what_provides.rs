//! `what-provides`: who offers a capability, in the order in which the resolver prefers them.

use planner::Index;
use planner::queries::what_provides;
use rpmspec_parser::rpm::Dependency;

use crate::cli::WhatProvidesArgs;
use crate::config::Settings;
use crate::error::{CommandError, ErrorKind};
use crate::runner::Planning;

pub(super) fn run(settings: Settings, arguments: &WhatProvidesArgs) -> Result<(), CommandError> {
    let wanted = Dependency::parse(&arguments.capability).map_err(|error| {
        CommandError::usage(error.to_string()).hint("write it as BuildRequires has it, in quotes: 'zlib-devel >= 1.3'")
    })?;
    let events = super::shown_events("what-provides");
    let planning = Planning::new(settings, &events)?;
    events.finish();
    let answer = what_provides(&Index::new(&planning.universe), &wanted);
    if arguments.json {
        super::print_json(&answer)?;
    } else {
        super::print_data(answer.to_string().as_bytes())?;
    }
    if answer.is_met() {
        return Ok(());
    }
    let alike = match &*answer.nearest {
        [] => String::new(),
        nearest => format!(", spelled alike: {}", nearest.join(", ")),
    };
    // The solver's explanation has the nearest names and what comes near in another version.
    let message = answer.unmet.unwrap_or_else(|| format!("nothing offers `{wanted}`{alike}"));
    Err(CommandError::new(ErrorKind::No, message))
}
