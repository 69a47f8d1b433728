//! Finds the specs of a tree and evaluates them all, one broken spec never stopping another.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rpmspec_parser::recording::Recording;
use rpmspec_parser::spec::{Evaluation, SourcePackage, decode};
use rpmspec_parser::{
    Diagnostic, Macros, Observer, Options, PreparedContext, Severity, evaluate_observed, evaluate_prepared,
};

use crate::error::{CommandError, IoContext};

use super::world::{HostWorld, SpecWorld};
use super::{Context, Remembered};

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

/// Evaluates every `*/*.spec` below `specs`, in parallel, or remembers what they evaluate to; results are in the order
/// of their paths.
///
/// # Errors
/// The folder cannot be listed, a spec cannot be read, or shell commands could not be run at all. Broken specs are no
/// error: they are in the second list.
pub fn evaluate_tree(
    tree: &Path,
    specs: &Path,
    context: &Context,
    world: &HostWorld,
    remembered: &Remembered,
) -> Result<(Vec<Evaluated>, Vec<BrokenSpec>), CommandError> {
    evaluate_files(tree, find_specs(specs)?, context, world, remembered)
}

/// Like [`evaluate_tree`], for these spec files.
///
/// # Errors
/// One cannot be read, or shell commands could not be run at all. Broken specs are no error.
pub fn evaluate_files(
    tree: &Path,
    files: Vec<PathBuf>,
    context: &Context,
    world: &HostWorld,
    remembered: &Remembered,
) -> Result<(Vec<Evaluated>, Vec<BrokenSpec>), CommandError> {
    let outcomes: Vec<_> = files
        .into_par_iter()
        .map(|path| {
            let spec = SpecFile::read(tree, path)?;
            let evaluation = evaluate_or_remember(tree, &spec, context, world, remembered);
            Ok(spec.outcome(evaluation))
        })
        .collect::<Result<_, CommandError>>()?;
    if let Some(trouble) = world.trouble() {
        return Err(trouble);
    }
    let (mut evaluated, mut broken) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(spec) => evaluated.push(spec),
            Err(spec) => broken.push(spec),
        }
    }
    Ok((evaluated, broken))
}

fn evaluate_or_remember(
    tree: &Path,
    spec: &SpecFile,
    context: &Context,
    world: &HostWorld,
    remembered: &Remembered,
) -> Evaluation {
    let world = SpecWorld::new(world, spec.folder(), tree);
    if let Some(evaluation) = remembered.look_up(&spec.name, &spec.bytes, &world) {
        return evaluation;
    }
    let recording = Recording::new(&world);
    let evaluation = evaluate_prepared(&decode(&spec.bytes), context.prepared(), &recording, &spec.options());
    remembered.remember(&spec.name, &spec.bytes, recording, &evaluation);
    evaluation
}

/// The spec files of a tree, in the order of their paths.
///
/// # Errors
/// The folder cannot be listed.
pub fn find_specs(specs: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let folders = children(specs)?;
    let found: Vec<_> = folders.par_iter().map(|folder| children(folder)).collect::<Result<_, _>>()?;
    let is_spec = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "spec");
    Ok(found.into_iter().flatten().filter(is_spec).collect())
}

/// What is in a folder, in the order of the names; nothing where it is none, or a link that leads nowhere.
fn children(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotADirectory | ErrorKind::NotFound) => return Ok(Vec::new()),
        entries => entries.doing("list", folder)?,
    };
    let paths = entries.map(|entry| Ok(entry.doing("list", folder)?.path()));
    let mut paths = paths.collect::<Result<Vec<_>, CommandError>>()?;
    paths.sort_unstable();
    Ok(paths)
}

/// Evaluates one spec file, under the eyes of an observer.
///
/// # Errors
/// It cannot be read, or shell commands could not be run at all. A broken spec is no error, but the inner one.
pub fn evaluate_spec(
    tree: &Path,
    path: PathBuf,
    context: &PreparedContext,
    world: &HostWorld,
    observer: &mut dyn Observer,
) -> Result<Result<Evaluated, BrokenSpec>, CommandError> {
    let spec = SpecFile::read(tree, path)?;
    let evaluation = {
        let world = SpecWorld::new(world, spec.folder(), tree);
        evaluate_observed(&decode(&spec.bytes), context, &world, &spec.options(), observer)
    };
    world.trouble().map_or_else(|| Ok(spec.outcome(evaluation)), Err)
}

/// A spec's file.
struct SpecFile {
    path: PathBuf,
    /// Its path as messages name it.
    name: String,
    bytes: Vec<u8>,
}

impl SpecFile {
    fn read(tree: &Path, path: PathBuf) -> Result<Self, CommandError> {
        let name = path.strip_prefix(tree).unwrap_or(&path).to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).doing("read", &path)?;
        Ok(Self { path, name, bytes })
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    fn options(&self) -> Options {
        Options { path: PathBuf::from(&self.name) }
    }

    fn outcome(self, evaluation: Evaluation) -> Result<Evaluated, BrokenSpec> {
        let Evaluation { package, diagnostics } = evaluation;
        let failed = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        match package {
            Some(package) if !failed => Ok(Evaluated { path: self.path, name: self.name, package, diagnostics }),
            _ => {
                let package = self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                Err(BrokenSpec { name: self.name, package, diagnostics })
            }
        }
    }
}

/// Looks at the macros of a context without any spec.
///
/// # Errors
/// Shell commands were asked for and could not be run at all.
pub fn with_macros<T>(
    tree: &Path,
    context: &PreparedContext,
    world: &HostWorld,
    look: impl FnOnce(&mut Macros<'_>) -> T,
) -> Result<T, CommandError> {
    let seen = look(&mut Macros::prepared(context, &SpecWorld::new(world, tree, tree)));
    world.trouble().map_or_else(|| Ok(seen), Err)
}

#[cfg(test)]
mod tests {
    use rpmspec_parser::MacroContext;

    use super::*;
    use crate::error::ErrorKind;
    use crate::host::{SandboxedShell, Shell};

    struct Nobody;

    impl Observer for Nobody {}

    #[test]
    fn a_spec_is_not_blamed_where_commands_cannot_be_run_at_all() {
        let tree = tempfile::tempdir().expect("a temporary folder");
        let spec = tree.path().join("SPECS/a/a.spec");
        std::fs::create_dir_all(tree.path().join("SPECS/a")).expect("it can be made");
        std::fs::write(&spec, "Name: a\nVersion: %(seq 1 1)\n").expect("it can be written");
        let source = MacroContext::default();
        let cache = tree.path().join("cache");
        let world = || {
            // Neither is there a sandbox for a test's program, nor a layer.
            let shell =
                SandboxedShell::over(&cache, "layer", |_, _| Err(CommandError::infrastructure("there is no layer")));
            HostWorld::new(0, &source, Shell::Sandboxed(Box::new(shell)))
        };
        let context = Context::new(source.clone(), Vec::new());
        let (prepared, remembered) = (context.prepared(), Remembered::open(&cache, &context));
        let (path, specs) = (tree.path(), tree.path().join("SPECS"));
        // What is remembered of the first try is no answer in the second.
        for _ in 0..2 {
            let error = evaluate_tree(path, &specs, &context, &world(), &remembered).expect_err("nothing can be run");
            assert_eq!(error.kind, ErrorKind::Infrastructure);
            assert!(error.hints.iter().any(|hint| hint.contains("--shell host")), "{error:?}");
        }
        let error = evaluate_spec(path, spec, prepared, &world(), &mut Nobody).expect_err("nor here");
        assert_eq!(error.kind, ErrorKind::Infrastructure);
        let place = rpmspec_parser::Place { file: "x".into(), line: 1, column: 1 };
        let expand = |macros: &mut Macros<'_>| macros.expand_and_log("%(seq 1 1)", &place);
        let error = with_macros(path, prepared, &world(), expand).expect_err("nor here");
        assert_eq!(error.kind, ErrorKind::Infrastructure);
    }
}
