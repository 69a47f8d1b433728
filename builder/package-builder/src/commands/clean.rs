//! `clean`: removes leftovers, results or caches, and says what.

use std::path::{Path, PathBuf};

use sandbox::docker::DockerSandbox;
use sandbox::linux::LinuxSandbox;
use sandbox::{Sandbox, SandboxError};

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
            forget_layers(&settings.cache)?;
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

/// Takes away what only sandboxes can remove of the cache's layers: images of a Docker Engine, where there is one, and
/// files of users that are mapped to others.
fn forget_layers(cache: &Path) -> Result<(), CommandError> {
    let (docker, linux) = (DockerSandbox::new(), LinuxSandbox::new());
    let is_layer = |path: &PathBuf| path.is_dir() && !path.ends_with("over");
    let bases: Vec<_> = children(&cache.join("layers"))?.into_iter().filter(is_layer).collect();
    let mut over = Vec::new();
    for base in children(&cache.join("layers/over"))? {
        for sandbox in children(&base)? {
            over.extend(children(&sandbox)?.into_iter().filter(|path| path.is_dir()));
        }
    }
    let is_of_docker = |layer: &Path| {
        layer.parent().and_then(Path::file_name).is_some_and(|kind| kind.to_string_lossy().starts_with("docker"))
    };
    let trouble = |error: SandboxError| CommandError::infrastructure(error.to_string());
    super::build::runtime()?.block_on(async {
        let has_docker = !(bases.is_empty() && over.is_empty()) && docker.check().await.is_ok();
        for layer in bases.iter().filter(|_| has_docker) {
            docker.forget(layer).await.map_err(trouble)?;
        }
        for layer in over {
            match is_of_docker(&layer) {
                true if has_docker => docker.remove_layer(&layer).await.map_err(trouble)?,
                true => {}
                false => linux.remove_layer(&layer).await.map_err(trouble)?,
            }
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
