//! `report`: what came of a run, from its journal.

use planner::queries::UnknownName;
use report::Summary;

use crate::cli::{ReportArgs, ReportFormat};
use crate::config::Settings;
use crate::error::CommandError;
use crate::host::{Layout, Runs};

pub(super) fn run(settings: &Settings, arguments: &ReportArgs) -> Result<(), CommandError> {
    let layout = Layout::new(&settings.output);
    let runs = Runs::new(&layout);
    let ids = runs.ids();
    let id = match &arguments.run {
        Some(run) if ids.contains(run) => run.clone(),
        Some(run) => {
            let unknown = UnknownName::new(run, "", ids.iter().map(String::as_str));
            let error = CommandError::usage(format!("no run `{run}` in `{}`", layout.runs().display()));
            let known = if unknown.nearest.is_empty() { ids } else { unknown.nearest };
            return Err(match known.last() {
                Some(_) => error.hint(format!("there are: {}", known.join(", "))),
                None => error.hint("nothing was built here yet"),
            });
        }
        None => ids.last().cloned().ok_or_else(|| {
            CommandError::usage(format!("no run in `{}`", layout.runs().display()))
                .hint("nothing was built here yet; name another output folder with `--output DIR`")
        })?,
    };
    let summary = runs.summary(&id)?;
    match arguments.format {
        ReportFormat::Text => super::print_data(mail_of(&runs, &summary).as_bytes()),
        ReportFormat::Junit => super::print_data(report::junit(&summary).as_bytes()),
        ReportFormat::Json => super::print_json(&summary),
    }
}

/// The mail about a run, compared with what the runs before it know.
pub(super) fn mail_of(runs: &Runs, summary: &Summary) -> String {
    report::mail(summary, &runs.before(&summary.run).changes(summary))
}
