//! `rdeps`: who needs a package, and what a change of it rebuilds.

use planner::Index;
use planner::queries::{RdepsOptions, rdeps};

use crate::cli::RdepsArgs;
use crate::config::Settings;
use crate::error::CommandError;
use crate::runner::Planning;

use super::why::{refuse_broken, unknown};

pub(super) fn run(settings: Settings, arguments: &RdepsArgs) -> Result<(), CommandError> {
    let events = super::shown_events("rdeps");
    let planning = Planning::new(settings, &events)?;
    // A spec that does not evaluate may need it as well.
    planning.show_broken(&events);
    events.finish();
    refuse_broken(&planning, [&arguments.name])?;
    let index = Index::new(&planning.universe);
    let options = RdepsOptions { run_time: arguments.runtime, recursive: arguments.recursive };
    let answer = rdeps(&index, &planning.graph, &arguments.name, options).map_err(|name| unknown(&name))?;
    if arguments.json { super::print_json(&answer) } else { super::print_data(answer.to_string().as_bytes()) }
}
