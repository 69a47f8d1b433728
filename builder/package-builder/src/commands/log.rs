//! `log`: what a build wrote, phase after phase.

use std::path::{Path, PathBuf};

use crate::cli::LogArgs;
use crate::config::Settings;
use crate::error::{CommandError, IoContext};
use crate::host::Layout;

pub(super) fn run(settings: &Settings, arguments: &LogArgs) -> Result<(), CommandError> {
    let layout = Layout::new(&settings.output);
    let folder = find(&layout, arguments)?;
    let logs = phases(&folder)?;
    let wanted = |path: &&PathBuf| {
        let phase = arguments.phase.as_deref().map(|phase| phase.trim_start_matches('%'));
        phase.is_none_or(|phase| path.file_stem().is_some_and(|stem| stem == phase))
    };
    let shown: Vec<_> = logs.iter().filter(wanted).collect();
    if shown.is_empty() {
        let phases: Vec<_> =
            logs.iter().filter_map(|path| path.file_stem()).map(|stem| stem.to_string_lossy()).collect();
        return Err(CommandError::usage(format!(
            "`{}` has no log of that phase; there are: {}",
            arguments.name,
            phases.join(", ")
        )));
    }
    for path in shown {
        super::print_data(&std::fs::read(path).doing("read", path)?)?;
    }
    Ok(())
}

/// The folder with the logs that are asked for.
fn find(layout: &Layout, arguments: &LogArgs) -> Result<PathBuf, CommandError> {
    let mut runs = match &arguments.run {
        Some(run) => vec![run.clone()],
        None => names(&layout.runs()),
    };
    runs.sort();
    let mut folders = runs.iter().rev().map(|run| layout.logs(run, &arguments.name));
    folders.find(|folder| folder.is_dir()).ok_or_else(|| {
        let which = arguments.run.as_ref().map_or_else(|| "no run".to_owned(), |run| format!("no run `{run}`"));
        CommandError::usage(format!("{which} in `{}` has built `{}`", layout.runs().display(), arguments.name))
            .hint("name a source package; a package that was fresh or blocked has no log")
    })
}

/// The logs of a build in the order in which they were begun.
fn phases(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let mut logs = Vec::new();
    for name in names(folder) {
        let path = folder.join(name);
        let status = path.metadata().doing("examine", &path)?;
        // Each phase's log is finished before the next one is begun.
        logs.push((status.modified().doing("examine", &path)?, path));
    }
    logs.sort();
    Ok(logs.into_iter().map(|(_, path)| path).collect())
}

/// The names in a folder; none where it cannot be listed.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
