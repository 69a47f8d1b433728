//! Settings: what the tree's `package-builder.toml` and the command line say together.

mod expected_failures;

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Deserialize;

use crate::cli::TreeArgs;
use crate::error::{CommandError, IoContext};

pub use expected_failures::ExpectedFailures;

/// `package-builder.toml`: the settings of a tree.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TreeFile {
    /// The distribution.
    pub distribution: Distribution,
    /// Macros defined for every spec, as `--define` would.
    pub macros: std::collections::BTreeMap<String, String>,
    /// Where sources come from besides the tree and their own URL.
    pub sources: SourceSettings,
    /// How providers are chosen.
    pub resolve: ResolveSettings,
    /// What specs may do while they are evaluated.
    pub evaluate: EvaluateSettings,
}

/// The distribution a tree makes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Distribution {
    /// Its name, in reports.
    pub name: String,
    /// `%{dist}`, with its leading dot.
    pub dist: String,
    /// The architecture built for.
    pub architecture: String,
}

impl Default for Distribution {
    fn default() -> Self {
        Self { name: "unnamed".to_owned(), dist: String::new(), architecture: std::env::consts::ARCH.to_owned() }
    }
}

/// Where sources come from.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceSettings {
    /// Lookaside mirrors: URLs with `{name}` and `{sha512}`.
    pub mirrors: Vec<String>,
}

/// How providers are chosen.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResolveSettings {
    /// Package names preferred where several would do, best first.
    pub prefer: Vec<String>,
}

/// What specs may do while they are evaluated.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluateSettings {
    /// Where their shell commands run. A tree can only ask for less than it would be given anyway.
    pub shell: Option<ShellPolicy>,
}

/// Where the shell commands of specs (`%(…)`, Lua's `io.popen`) run while they are evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ShellPolicy {
    /// In a sandbox without a network, over the base layer
    #[default]
    Sandboxed,
    /// Nowhere: what needs a shell is an error; nor are files outside of the tree read
    Refuse,
    /// On this host, as its user, with the environment of a build
    Host,
}

/// Everything a command needs to know, with absolute paths.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The tree's root.
    pub tree: PathBuf,
    /// The folder of the specs.
    pub specs: PathBuf,
    /// The folder of the sources.
    pub sources: PathBuf,
    /// The folder of the stage files.
    pub stages: PathBuf,
    /// Where results go.
    pub output: PathBuf,
    /// Where what can be had again is kept.
    pub cache: PathBuf,
    /// Whether the network may be used.
    pub offline: bool,
    /// Where the shell commands of specs run while they are evaluated.
    pub shell: ShellPolicy,
    /// Whether someone has chosen that.
    pub shell_is_chosen: bool,
    /// The tree's own settings, with the command line's on top.
    pub file: TreeFile,
    /// `--define` values: name (with options) and body.
    pub defines: Vec<(String, String)>,
}

impl Settings {
    /// Reads the tree's settings and lays the command line's over them.
    ///
    /// # Errors
    /// The tree is not there, its settings cannot be read, or a `--define` has no body.
    pub fn load(arguments: &TreeArgs) -> Result<Self, CommandError> {
        let tree = std::path::absolute(&arguments.tree).doing("find", &arguments.tree)?;
        let absolute = |path: &Option<PathBuf>, default: &str| match path {
            Some(path) => std::path::absolute(path).doing("find", path),
            None => Ok(tree.join(default)),
        };
        let specs = absolute(&arguments.spec_path, "SPECS")?;
        if !specs.is_dir() {
            return Err(CommandError::usage(format!(
                "`{}` is no tree: it has no folder `{}`",
                tree.display(),
                specs.display()
            ))
            .hint("name the tree with `--tree DIR`, or the folder of its specs with `-s DIR`"));
        }
        let mut file = read_tree_file(&tree.join("package-builder.toml"))?;
        if file.evaluate.shell == Some(ShellPolicy::Host) {
            let message =
                "package-builder.toml: `[evaluate] shell = \"host\"`: a tree cannot give its own specs this machine";
            return Err(CommandError::input(message)
                .hint("say `--shell host`, or set `PACKAGE_BUILDER_SHELL=host`, if you trust them"));
        }
        if let Some(dist) = &arguments.dist {
            file.distribution.dist.clone_from(dist);
        }
        let defines = arguments.define.iter().map(|define| split_define(define)).collect::<Result<_, _>>()?;
        let cache = match &arguments.cache {
            Some(path) => std::path::absolute(path).doing("find", path)?,
            None => default_cache()?,
        };
        Ok(Self {
            specs,
            sources: absolute(&arguments.source_path, "SOURCES")?,
            stages: tree.join("stages"),
            output: absolute(&arguments.output, "out")?,
            cache,
            offline: arguments.offline,
            shell: arguments.shell_policy.or(file.evaluate.shell).unwrap_or_default(),
            shell_is_chosen: arguments.shell_policy.or(file.evaluate.shell).is_some(),
            file,
            defines,
            tree,
        })
    }
}

fn read_tree_file(path: &Path) -> Result<TreeFile, CommandError> {
    match std::fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text)
            .map_err(|error| CommandError::input(format!("{}: {}", path.display(), error.to_string().trim_end()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(TreeFile::default()),
        Err(error) => Err(error).doing("read", path),
    }
}

fn split_define(define: &str) -> Result<(String, String), CommandError> {
    match define.trim().split_once(char::is_whitespace) {
        Some((name, body)) if !body.trim().is_empty() => Ok((name.to_owned(), body.trim_start().to_owned())),
        _ => Err(CommandError::usage(format!("`--define '{define}'` has no body"))
            .hint("write `--define 'NAME BODY'`; `%{nil}` is an empty body")),
    }
}

fn default_cache() -> Result<PathBuf, CommandError> {
    let home = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    home("XDG_CACHE_HOME")
        .or_else(|| home("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("package-builder"))
        .ok_or_else(|| {
            CommandError::usage("neither `HOME` nor `XDG_CACHE_HOME` is set").hint("name a folder with `--cache DIR`")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defines_split_at_the_first_blank() {
        assert_eq!(split_define("a b c").ok(), Some(("a".to_owned(), "b c".to_owned())));
        assert!(split_define("a").is_err());
    }

    #[test]
    fn unknown_settings_are_refused_with_their_line() {
        let error =
            toml::from_str::<TreeFile>("[distribution]\nname = 'a'\ndits = '.x'\n").expect_err("`dits` is no setting");
        assert!(error.to_string().contains("line 3"), "{error}");
    }
}
