//! `plan`: what would be built, in order, and why.

use std::fmt::Write;
use std::num::NonZeroUsize;

use planner::Plan;
use serde::Serialize;

use crate::cli::PlanArgs;
use crate::config::Settings;
use crate::error::CommandError;
use crate::runner::{Locked, Planning, blocked_targets, num_cpus};

use super::simulate::Expected;

pub(super) fn run(settings: Settings, arguments: &PlanArgs) -> Result<(), CommandError> {
    let events = super::shown_events("plan");
    let locked = arguments.locked.as_deref().map(Locked::read).transpose()?;
    let planning = Planning::with(settings, &events, locked)?;
    planning.show_broken(&events);
    let plan = planning.plan(&arguments.targets, arguments.force)?;
    events.finish();
    let stale: Vec<String> = plan.stale.iter().map(|(name, _)| name.clone()).collect();
    let jobs = arguments.jobs.or(NonZeroUsize::new(num_cpus())).unwrap_or(NonZeroUsize::MIN);
    let expected = if arguments.time { super::simulate::expected(&planning, &stale, jobs)? } else { None };
    if arguments.json {
        super::print_json(&Timed { plan: &plan, expected })?;
    } else {
        let expected = expected.map(|expected| expected.to_string()).unwrap_or_default();
        super::print_data((table(&plan) + &expected).as_bytes())?;
    }
    blocked_targets(&plan).map_or(Ok(()), Err)
}

/// A plan, and what it is expected to take where that is asked for.
#[derive(Serialize)]
struct Timed<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<Expected>,
}

/// The plan as text: what is built in order, with reasons, then the counts.
fn table(plan: &Plan) -> String {
    let width = plan.stale.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let digits = plan.stale.len().to_string().len();
    let mut text = String::new();
    for (number, (name, reason)) in plan.stale.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:>digits$}  {name:width$}  {reason}", number + 1);
    }
    for (name, deferred) in &plan.again {
        let ways: Vec<_> =
            deferred.iter().map(|one| format!("{} until {} is built", one.way_out, one.edge.to)).collect();
        let _ = writeln!(text, "{name} is in a cycle: {}, then again", ways.join(", "));
    }
    let _ = writeln!(text, "{} to build, {} fresh, {} blocked", plan.stale.len(), plan.fresh.len(), plan.blocked.len());
    if !plan.unasked.is_empty() {
        let names: Vec<_> = plan.unasked.iter().map(|name| format!("`{name}`")).collect();
        let verb = if names.len() == 1 { "generates" } else { "generate" };
        let _ = writeln!(text, "what {} {verb} is not known yet, and is built as well", names.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use planner::StaleReason;

    use super::*;

    #[test]
    fn the_table_shows_order_and_reasons() {
        let plan = Plan {
            stale: vec![
                ("oniguruma".to_owned(), StaleReason::NeverBuilt),
                ("jq".to_owned(), StaleReason::DependencyStale { name: "oniguruma".to_owned() }),
            ],
            fresh: vec!["make".to_owned()],
            ..Plan::default()
        };
        assert_eq!(
            table(&plan),
            "1  oniguruma  never built\n2  jq         oniguruma is to be built\n2 to build, 1 fresh, 0 blocked\n"
        );
        let plan = Plan { unasked: vec!["a".to_owned(), "b".to_owned()], ..Plan::default() };
        let text = "0 to build, 0 fresh, 0 blocked\nwhat `a`, `b` generate is not known yet, and is built as well\n";
        assert_eq!(table(&plan), text);
    }
}
