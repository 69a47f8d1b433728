//! The command line, as close to what the user types as can be; no decisions are made here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::ShellPolicy;

/// Turn a tree of RPM specs into a repository of RPMs
#[derive(Debug, Parser)]
#[command(name = "package-builder", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = "Examples:
  package-builder -i jq             build jq and what it lacks
  package-builder plan --all        what would be built, and why
  package-builder build --all -j 4  everything, four at a time
  package-builder doctor            what this machine lacks

Exit codes: 0 done, 1 something failed to build, 2 usage, 3 broken input, 4 infrastructure, 130 interrupted")]
pub struct CommandLine {
    /// Where the tree is and where results go
    #[command(flatten)]
    pub tree: TreeArgs,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// Options every command understands.
#[derive(Debug, Args)]
pub struct TreeArgs {
    /// The tree to work on
    #[arg(long, global = true, default_value = ".", value_name = "DIR")]
    pub tree: PathBuf,
    /// The folder of the specs [default: SPECS of the tree]
    #[arg(short = 's', long, global = true, value_name = "DIR")]
    pub spec_path: Option<PathBuf>,
    /// A folder with sources [default: SOURCES of the tree]
    #[arg(short = 'x', long, global = true, value_name = "DIR")]
    pub source_path: Option<PathBuf>,
    /// Where results go [default: out of the tree]
    #[arg(long, global = true, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Where layers, seeds and downloads are kept [default: the user's cache folder]
    #[arg(long, global = true, value_name = "DIR", env = "PACKAGE_BUILDER_CACHE")]
    pub cache: Option<PathBuf>,
    /// The dist tag [default: of package-builder.toml]
    #[arg(short = 'd', long, global = true, value_name = "TAG")]
    pub dist: Option<String>,
    /// Define a macro, as `rpmbuild --define` does
    #[arg(short = 'D', long, global = true, value_name = "'NAME BODY'")]
    pub define: Vec<String>,
    /// Where shell commands of specs run while they are evaluated [default: of package-builder.toml, or host]
    #[arg(long = "shell", global = true, value_enum, value_name = "POLICY")]
    pub shell_policy: Option<ShellPolicy>,
    /// Use nothing from outside the machine
    #[arg(long, global = true)]
    pub offline: bool,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build packages and what they lack (`-i NAME` is the same)
    #[command(after_help = "Examples:
  package-builder build jq
  package-builder build --all --jobs 2 --sandbox linux")]
    Build(BuildArgs),
    /// Show what would be built, in order, and why
    #[command(after_help = "Examples:
  package-builder plan jq
  package-builder plan --all --json")]
    Plan(PlanArgs),
    /// Print the dependency graph
    #[command(after_help = "Examples:
  package-builder graph | dot -Tsvg > graph.svg
  package-builder graph --format json jq")]
    Graph(GraphArgs),
    /// Fetch and verify sources
    #[command(after_help = "Examples:
  package-builder fetch --all
  package-builder fetch --lock zlib   write SPECS/zlib/sources")]
    Fetch(FetchArgs),
    /// Print the logs of a package's newest build
    #[command(after_help = "Examples:
  package-builder log zlib
  package-builder log zlib --phase check")]
    Log(LogArgs),
    /// Remove results or caches
    #[command(after_help = "Examples:
  package-builder clean            leftovers of stopped runs and old runs' logs
  package-builder clean --all      the whole output folder
  package-builder clean --cache    downloads, seeds and layers")]
    Clean(CleanArgs),
    /// Say what this machine lacks, and the line that mends it
    #[command(after_help = "Examples:
  package-builder doctor
  package-builder doctor --fix")]
    Doctor(DoctorArgs),
    /// Print what specs evaluate to
    #[command(after_help = "Examples:
  package-builder eval jq
  package-builder eval jq --parsed    the text as `rpmspec -P` prints it")]
    Eval(EvalArgs),
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Which packages a command is about.
#[derive(Clone, Debug, Args)]
pub struct TargetArgs {
    /// Names of source or binary packages
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// All packages of the tree
    #[arg(short = 'a', long, conflicts_with = "names")]
    pub all: bool,
}

/// Which sandbox builds run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SandboxChoice {
    /// Docker where an engine answers, Linux namespaces elsewhere
    Auto,
    /// A Docker Engine
    Docker,
    /// Linux namespaces and overlayfs, without a daemon
    Linux,
}

/// Options of `build`.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// What to build
    #[command(flatten)]
    pub targets: TargetArgs,
    /// How many builds run at once [default: the number of CPUs]
    #[arg(short = 'j', short_alias = 't', long, alias = "threads", value_name = "N")]
    pub jobs: Option<std::num::NonZeroUsize>,
    /// Where builds run
    #[arg(long, value_enum, default_value = "auto")]
    pub sandbox: SandboxChoice,
    /// Build the named packages even if they are fresh
    #[arg(long)]
    pub force: bool,
    /// Stop at the first failure instead of building what does not need it
    #[arg(long)]
    pub fail_fast: bool,
    /// Leave out `%check`; it is recorded that it was
    #[arg(long)]
    pub nocheck: bool,
    /// End a build that runs longer than this many minutes
    #[arg(long, default_value_t = 240, value_name = "MINUTES")]
    pub timeout: u64,
    /// Print the events of the run as JSON lines
    #[arg(long)]
    pub json: bool,
}

/// Options of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// What would be built
    #[command(flatten)]
    pub targets: TargetArgs,
    /// As if the named packages were stale
    #[arg(long)]
    pub force: bool,
    /// Print the plan as JSON
    #[arg(long)]
    pub json: bool,
}

/// Formats of `graph`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// For Graphviz
    Dot,
    /// For programs
    Json,
}

/// Options of `graph`.
#[derive(Debug, Args)]
pub struct GraphArgs {
    /// Only these packages and what they need
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// How to print it
    #[arg(long, value_enum, default_value = "dot")]
    pub format: GraphFormat,
}

/// Options of `fetch`.
#[derive(Debug, Args)]
pub struct FetchArgs {
    /// Whose sources
    #[command(flatten)]
    pub targets: TargetArgs,
    /// Fetch and write the checksums to `SPECS/NAME/sources`
    #[arg(long)]
    pub lock: bool,
}

/// Options of `log`.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// The source package
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Only this phase: root, srpm, prep, build, install, check, package
    #[arg(long, value_name = "PHASE")]
    pub phase: Option<String>,
    /// The run, as its first line and `out/runs` name it [default: the newest that built the package]
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
}

/// Options of `clean`.
#[derive(Debug, Args)]
pub struct CleanArgs {
    /// Remove the whole output folder, repository included
    #[arg(long)]
    pub all: bool,
    /// Remove downloads, seeds and layers
    #[arg(long)]
    pub cache: bool,
    /// Only say what would be removed
    #[arg(long)]
    pub dry_run: bool,
}

/// Options of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Mend what can be mended
    #[arg(long)]
    pub fix: bool,
}

/// Options of `eval`.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Names of source packages, or spec files
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
    /// Print the expanded text instead of JSON
    #[arg(long, short = 'P')]
    pub parsed: bool,
}

/// Rewrites Photon's `-i NAME` into `build NAME`, so that there is one path for both.
#[must_use]
pub fn with_verb(arguments: Vec<String>) -> Vec<String> {
    match arguments.iter().position(|argument| argument == "-i" || argument == "--install-package") {
        Some(index) => {
            let mut arguments = arguments;
            arguments[index] = "build".to_owned();
            arguments
        }
        None => arguments,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn dash_i_is_build() {
        let arguments = ["package-builder", "--tree", "x", "-i", "jq", "-j", "2"].map(str::to_owned).to_vec();
        let parsed = CommandLine::parse_from(with_verb(arguments));
        assert!(matches!(parsed.command, Command::Build(build) if build.targets.names == ["jq"]));
    }
}
