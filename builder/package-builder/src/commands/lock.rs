//! `lock`: what published packages were built from, as `--locked` reads it.

use crate::cli::LockArgs;
use crate::config::Settings;
use crate::error::CommandError;
use crate::runner::{Lock, Planning, blocked_targets};

pub(super) fn run(settings: Settings, arguments: &LockArgs) -> Result<(), CommandError> {
    let events = super::shown_events("lock");
    let planning = Planning::new(settings, &events)?;
    planning.show_broken(&events);
    let plan = planning.plan(&arguments.targets, false)?;
    events.finish();
    if let Some(error) = blocked_targets(&plan) {
        return Err(error);
    }
    if !plan.stale.is_empty() {
        let reasons: String = plan.stale.iter().map(|(name, reason)| format!("\n  {name}: {reason}")).collect();
        let names = if arguments.targets.all { "--all".to_owned() } else { arguments.targets.names.join(" ") };
        return Err(CommandError::input(format!("a lock is of what is built, and this is not:{reasons}"))
            .hint(format!("`package-builder build {names}` builds it, and writes the lock of its run")));
    }
    let lock = Lock::of(&planning, &plan.fresh);
    match &arguments.to {
        Some(path) => lock.write(path),
        None => super::print_json(&lock),
    }
}
