//! `eval`: what specs evaluate to.

use crate::cli::EvalArgs;
use crate::config::Settings;
use crate::error::CommandError;
use crate::runner::Planning;

pub(super) fn run(settings: Settings, arguments: &EvalArgs) -> Result<(), CommandError> {
    let events = super::shown_events("eval");
    let planning = Planning::new(settings, &events)?;
    events.finish();
    for name in &arguments.names {
        let found = planning.specs.get(name).or_else(|| planning.specs.values().find(|spec| spec.path.ends_with(name)));
        match found {
            Some(spec) if arguments.parsed => super::print_data(spec.package.parsed.as_bytes())?,
            Some(spec) => super::print_json(&spec.package)?,
            None => return Err(planning.unknown_package(name)),
        }
    }
    Ok(())
}
