//! Finds the specs of a tree and evaluates them all, one broken spec never stopping another.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rpmspec_parser::spec::SourcePackage;
use rpmspec_parser::{Diagnostic, MacroContext, Options, Severity, World, evaluate};

use crate::error::{CommandError, IoContext};

use super::world::SpecWorld;

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
    context: &MacroContext,
    world: &dyn World,
) -> Result<(Vec<Evaluated>, Vec<BrokenSpec>), CommandError> {
    let files = find_specs(specs)?;
    let outcomes: Vec<_> =
        files.into_par_iter().map(|path| evaluate_file(tree, path, context, world)).collect::<Result<_, _>>()?;
    let (mut evaluated, mut broken) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(spec) => evaluated.push(spec),
            Err(spec) => broken.push(spec),
        }
    }
    Ok((evaluated, broken))
}

fn find_specs(specs: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(specs).min_depth(2).max_depth(2).sort_by_file_name() {
        let entry = entry.map_err(|error| CommandError::infrastructure(format!("cannot list the specs: {error}")))?;
        if entry.path().extension().is_some_and(|extension| extension == "spec") {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

fn evaluate_file(
    tree: &Path,
    path: PathBuf,
    context: &MacroContext,
    world: &dyn World,
) -> Result<Result<Evaluated, BrokenSpec>, CommandError> {
    let name = path.strip_prefix(tree).unwrap_or(&path).to_string_lossy().into_owned();
    let bytes = std::fs::read(&path).doing("read", &path)?;
    let text = String::from_utf8_lossy(&bytes);
    let world = SpecWorld::new(world, path.parent().unwrap_or(tree));
    let evaluation = evaluate(&text, context, &world, &Options { path: PathBuf::from(&name) });
    let failed = evaluation.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    Ok(match evaluation.package {
        Some(package) if !failed => Ok(Evaluated { path, name, package, diagnostics: evaluation.diagnostics }),
        _ => {
            let package = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Err(BrokenSpec { name, package, diagnostics: evaluation.diagnostics })
        }
    })
}
