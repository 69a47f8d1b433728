//! `fetch`: sources, verified, ahead of need; `--lock` writes their checksums.

use crate::cli::FetchArgs;
use crate::config::Settings;
use crate::error::{CommandError, ErrorKind};
use crate::runner::{Planning, fetch_of, fetch_settings};
use crate::sources::lock;

pub(super) fn run(settings: Settings, arguments: &FetchArgs) -> Result<(), CommandError> {
    let events = super::shown_events("fetch");
    let planning = Planning::new(settings, &events)?;
    planning.show_broken(&events);
    let plan = planning.plan(&arguments.targets, false)?;
    if arguments.lock {
        for name in &plan.targets {
            let spec = &planning.specs[name];
            let path = spec.path.with_file_name("sources");
            let outcome =
                lock(&path, &planning.inputs[name].requests, &fetch_settings(&planning), &|event| events.emit(event))
                    .map_err(|errors| {
                    CommandError::input(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
                })?;
            super::print_data(format!("{name}: {} written to {}\n", outcome.added.len(), path.display()).as_bytes())?;
        }
        events.finish();
        return Ok(());
    }
    let names: Vec<&str> = plan.order.iter().map(String::as_str).collect();
    let fetched = fetch_of(&planning, &names, &events);
    events.finish();
    let lacking: Vec<_> = fetched.values().filter_map(|outcome| outcome.as_ref().err()).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let infrastructure = lacking.iter().any(|lacking| lacking.is_infrastructure);
    let kind = if infrastructure { ErrorKind::Infrastructure } else { ErrorKind::Input };
    let reasons: Vec<_> = lacking.into_iter().map(|lacking| lacking.reason.as_str()).collect();
    Err(CommandError::new(kind, reasons.join("\n")))
}
