//! `clean`: removes leftovers, results or caches, and says what.

use std::path::{Path, PathBuf};

use sandbox::Sandbox;
use sandbox::docker::DockerSandbox;

use crate::cli::CleanArgs;
use crate::config::Settings;
use crate::error::{CommandError, IoContext};
use crate::host::{Layout, OutputLock};

/// How many runs keep their logs.
const KEPT_RUNS: usize = 20;

/// How many generations of the repository stay.
const KEPT_GENERATIONS: usize = 3;

pub(super) fn run(settings: &Settings, arguments: &CleanArgs) -> Result<(), CommandError> {
    let layout = Layout::new(&settings.output);
    if !layout.root().exists() && !arguments.cache {
        return Ok(());
    }
    let mut folders = Vec::new();
    // Held while anything below the output folder goes away, so that no run is pulled out from under itself.
    let _lock = if layout.root().exists() { Some(OutputLock::take(&layout, "clean")?) } else { None };
    if arguments.all {
        folders.push(layout.root().to_owned());
    } else if layout.root().exists() {
        folders.extend(children(&layout.work())?);
        let mut runs = children(&layout.runs())?;
        runs.truncate(runs.len().saturating_sub(KEPT_RUNS));
        folders.extend(runs);
    }
    if arguments.cache {
        if !arguments.dry_run {
            forget_images(&settings.cache)?;
        }
        folders.push(settings.cache.clone());
    }
    let verb = if arguments.dry_run { "would remove" } else { "removed" };
    for folder in folders.iter().filter(|folder| folder.exists()) {
        if !arguments.dry_run {
            std::fs::remove_dir_all(folder).doing("remove", folder)?;
        }
        super::print_data(format!("{verb} {}\n", folder.display()).as_bytes())?;
    }
    if !arguments.all && !arguments.dry_run && layout.repository().exists() {
        let trouble = |error: repository::RepositoryError| CommandError::infrastructure(error.to_string());
        let generations = repository::Generations::open(layout.root()).map_err(trouble)?;
        for number in generations.gc(KEPT_GENERATIONS).map_err(trouble)? {
            super::print_data(format!("removed generation {number}\n").as_bytes())?;
        }
    }
    Ok(())
}

/// Takes the images that a Docker Engine has of the cache's layers away, where there is an engine.
fn forget_images(cache: &Path) -> Result<(), CommandError> {
    let docker = DockerSandbox::new();
    let layers: Vec<_> = children(&cache.join("layers"))?.into_iter().filter(|path| path.is_dir()).collect();
    super::build::runtime()?.block_on(async {
        if layers.is_empty() || docker.check().await.is_err() {
            return Ok(());
        }
        for layer in &layers {
            docker.forget(layer).await.map_err(|error| CommandError::infrastructure(error.to_string()))?;
        }
        Ok(())
    })
}

/// The folders below a folder in the order of their names; none where it is not there.
fn children(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).doing("list", folder),
    };
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().doing("list", folder)?;
    paths.sort();
    Ok(paths)
}
