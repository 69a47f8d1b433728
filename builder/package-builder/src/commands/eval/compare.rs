//! `--compare-rpm`: the expanded text as `rpmspec -P` of this machine gives it, in the same macro world.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rpmspec_parser::{Diagnostic, MacroContext};

use crate::config::ShellPolicy;
use crate::error::{CommandError, IoContext};
use crate::host::Context;
use crate::runner::conventions;

use super::bench::Bench;

/// How a comparison ended.
pub(super) struct Compared {
    /// The spec's name.
    pub(super) name: String,
    /// What there is to say, with the spec's name before it.
    pub(super) said: String,
    /// Whether both read the same.
    pub(super) same: bool,
    /// Why we refuse what rpm accepts.
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// Compares one spec and says what the first difference is. Both see the spec's own folder as `%{_sourcedir}`, since
/// rpm looks at the files there.
pub(super) fn run(bench: &Bench, path: &Path) -> Result<Compared, CommandError> {
    if bench.settings.shell != ShellPolicy::Host {
        return Err(CommandError::usage("`--compare-rpm` has `rpmspec` run the specs' shell commands on this machine")
            .hint("add `--shell host` if you trust these specs"));
    }
    let context = with_source_folder(bench.context.source(), path.parent().unwrap_or(Path::new("/")));
    let context = Context::new(context, bench.context.undefined().to_vec());
    let ours = bench.look_in(path, context.prepared())?;
    let theirs = rpmspec(context.source(), context.undefined(), path)?;
    let (said, same, diagnostics) = match (&ours.package, theirs) {
        (Some(package), Ok(text)) => match difference(&package.parsed, &text) {
            None => ("the same".to_owned(), true, Vec::new()),
            Some(difference) => (difference, false, Vec::new()),
        },
        (None, Err(_)) => ("refused by both".to_owned(), true, Vec::new()),
        (Some(_), Err(errors)) => (format!("only rpm refuses it:\n{}", errors.trim_end()), false, Vec::new()),
        (None, Ok(_)) => ("rpm accepts it".to_owned(), false, ours.diagnostics),
    };
    Ok(Compared { said: format!("{}: {said}\n", ours.name), name: ours.name, same, diagnostics })
}

/// The first line in which two texts differ; `None` if they are the same but for line ends at the very end.
fn difference(ours: &str, theirs: &str) -> Option<String> {
    let (ours, theirs) = (ours.trim_end_matches('\n'), theirs.trim_end_matches('\n'));
    if ours == theirs {
        return None;
    }
    let (mut left, mut right) = (ours.split('\n'), theirs.split('\n'));
    let mut number = 0;
    loop {
        number += 1;
        let (left, right) = (left.next(), right.next());
        if left == right && left.is_some() {
            continue;
        }
        let mut text = format!("line {number} of the expanded text differs\n");
        for (who, line) in [("package-builder", left), ("rpmspec", right)] {
            // Writing to a string cannot fail.
            let _ = match line {
                Some(line) => writeln!(text, "  {who:>15}: {line}"),
                None => writeln!(text, "  {who:>15} has no such line"),
            };
        }
        if let (Some(left), Some(right)) = (left, right) {
            let same = left.chars().zip(right.chars()).take_while(|(left, right)| left == right).count();
            let _ = writeln!(text, "  {:>15}  {}^ column {}", "", " ".repeat(same), same + 1);
        }
        return Some(text.trim_end().to_owned());
    }
}

/// What `rpmspec -P` prints, or what it says is wrong.
fn rpmspec(context: &MacroContext, undefined: &[String], path: &Path) -> Result<Result<String, String>, CommandError> {
    let files = tempfile::tempdir().doing("create", &std::env::temp_dir())?;
    let macros = write_all(files.path(), "macros", context.files.iter().map(|(_, text)| text))?;
    let rcfiles = write_all(files.path(), "rpmrc", context.rpmrc.iter())?;
    let mut command = Command::new("rpmspec");
    command.arg("-P").arg(format!("--macros={macros}")).arg(format!("--rcfile={rcfiles}"));
    command.arg(format!("--target={}-{}", context.target_cpu, context.target_os));
    for (name, body) in &context.defines {
        command.arg("--define").arg(format!("{name} {body}"));
    }
    for name in undefined {
        command.arg("--undefine").arg(name);
    }
    let environment = conventions::environment(1).into_iter().filter(|(name, _)| name != "PACKAGE_BUILDER_CPUS");
    command.arg(path).env_clear().envs(environment).current_dir("/").stdin(Stdio::null());
    let output = command.output().map_err(|error| {
        CommandError::infrastructure(format!("`rpmspec` cannot be run: {error}"))
            .hint("install it (`apt-get install rpm`); nothing else of `eval` needs it")
    })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) })
}

/// Writes texts to files in order and returns their paths as rpm's options take them.
fn write_all<'t>(folder: &Path, kind: &str, texts: impl Iterator<Item = &'t String>) -> Result<String, CommandError> {
    let mut paths = Vec::new();
    for (index, text) in texts.enumerate() {
        let path: PathBuf = folder.join(format!("{kind}.{index:04}"));
        std::fs::write(&path, text).doing("write", &path)?;
        paths.push(path.display().to_string());
    }
    Ok(paths.join(":"))
}

/// A context in which the sources are in another folder.
fn with_source_folder(context: &MacroContext, folder: &Path) -> MacroContext {
    let folder = folder.display().to_string();
    let defines = ["_sourcedir", "_specdir"].map(|name| (name.to_owned(), folder.clone()));
    let mut context = context.clone();
    context.defines.extend(defines);
    context
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_shown_on_both_sides() {
        assert_eq!(difference("a\nb\n", "a\nb"), None);
        let shown = difference("a\nbcd\n", "a\nbxd\n").expect("they differ");
        assert_eq!(
            shown,
            "line 2 of the expanded text differs\n  package-builder: bcd\n          rpmspec: bxd\n                    ^ column 2"
        );
        assert!(difference("a\n", "a\nb\n").is_some_and(|shown| shown.contains("package-builder has no such line")));
    }
}
