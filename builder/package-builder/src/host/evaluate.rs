//! Finds the specs of a tree and evaluates them all, one broken spec never stopping another.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rpmspec_parser::spec::{SourcePackage, decode};
use rpmspec_parser::{Diagnostic, Macros, Observer, Options, PreparedContext, Severity, evaluate_observed};

use crate::error::{CommandError, IoContext};

use super::world::{HostWorld, SpecWorld};

/// A spec that evaluates.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// The spec's file.
    pub path: PathBuf,
    /// Its path as messages name it, relative to the tree where it lies in it.
    pub name: String,
    /// What it evaluates to.
    pub package: SourcePackage,
    /// Warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// A spec that does not.
#[derive(Clone, Debug)]
pub struct BrokenSpec {
    /// Its path as messages name it.
    pub name: String,
    /// The package's name, guessed from the file name: the spec could not say it.
    pub package: String,
    /// What is wrong.
    pub diagnostics: Vec<Diagnostic>,
}

/// Evaluates every `*/*.spec` below `specs`, in parallel; results are in the order of their paths.
///
/// # Errors
/// The folder cannot be listed. Broken specs are no error: they are in the second list.
pub fn evaluate_tree(
    tree: &Path,
    specs: &Path,
    context: &PreparedContext,
    world: &HostWorld,
) -> Result<(Vec<Evaluated>, Vec<BrokenSpec>), CommandError> {
    let files = find_specs(specs)?;
    let outcomes: Vec<_> = files
        .into_par_iter()
        .map(|path| evaluate_spec(tree, path, context, world, &mut Unwatched))
        .collect::<Result<_, _>>()?;
    let (mut evaluated, mut broken) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(spec) => evaluated.push(spec),
            Err(spec) => broken.push(spec),
        }
    }
    Ok((evaluated, broken))
}

/// The spec files of a tree, in the order of their paths.
///
/// # Errors
/// The folder cannot be listed.
pub fn find_specs(specs: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(specs).min_depth(2).max_depth(2).sort_by_file_name() {
        let entry = entry.map_err(|error| CommandError::infrastructure(format!("cannot list the specs: {error}")))?;
        if entry.path().extension().is_some_and(|extension| extension == "spec") {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

struct Unwatched;

impl Observer for Unwatched {}

/// Evaluates one spec file, under the eyes of an observer.
///
/// # Errors
/// It cannot be read. A broken spec is no error, but the inner one.
pub fn evaluate_spec(
    tree: &Path,
    path: PathBuf,
    context: &PreparedContext,
    world: &HostWorld,
    observer: &mut dyn Observer,
) -> Result<Result<Evaluated, BrokenSpec>, CommandError> {
    let name = path.strip_prefix(tree).unwrap_or(&path).to_string_lossy().into_owned();
    let bytes = std::fs::read(&path).doing("read", &path)?;
    let text = decode(&bytes);
    let options = Options { path: PathBuf::from(&name) };
    let evaluation = {
        let world = SpecWorld::new(world, path.parent().unwrap_or(tree), tree);
        evaluate_observed(&text, context, &world, &options, observer)
    };
    let failed = evaluation.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    Ok(match evaluation.package {
        Some(package) if !failed => Ok(Evaluated { path, name, package, diagnostics: evaluation.diagnostics }),
        _ => {
            let package = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Err(BrokenSpec { name, package, diagnostics: evaluation.diagnostics })
        }
    })
}

/// Looks at the macros of a context without any spec.
pub fn with_macros<T>(
    tree: &Path,
    context: &PreparedContext,
    world: &HostWorld,
    look: impl FnOnce(&mut Macros<'_>) -> T,
) -> T {
    let world = SpecWorld::new(world, tree, tree);
    look(&mut Macros::prepared(context, &world))
}
