//! `graph`: who needs whom, for Graphviz or for programs.

use std::collections::BTreeSet;

use crate::cli::{GraphArgs, GraphFormat, TargetArgs};
use crate::config::Settings;
use crate::error::CommandError;
use crate::runner::Planning;

pub(super) fn run(settings: Settings, arguments: &GraphArgs) -> Result<(), CommandError> {
    let events = super::shown_events("graph");
    let planning = Planning::new(settings, &events)?;
    planning.show_broken(&events);
    let mut graph = planning.graph.clone();
    if !arguments.names.is_empty() {
        let targets = TargetArgs { names: arguments.names.clone(), all: false };
        let plan = planning.plan(&targets, false)?;
        let wanted: BTreeSet<_> = plan.order.iter().chain(plan.blocked.iter().map(|(name, _)| name)).collect();
        graph.nodes.retain(|name, _| wanted.contains(name));
    }
    events.finish();
    match arguments.format {
        GraphFormat::Dot => super::print_data(planner::graph::to_dot(&graph).as_bytes()),
        GraphFormat::Json => super::print_json(&planner::graph::to_json(&graph)),
    }
}
