//! The command line, as close to what the user types as can be; no decisions are made here.

mod limits;
mod simulate;

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

use crate::config::ShellPolicy;

pub use limits::{JobServerChoice, LimitArgs};
pub use simulate::SimulateArgs;

/// Turn a tree of RPM specs into a repository of RPMs
#[derive(Debug, Parser)]
#[command(name = "package-builder", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = "Examples:
  package-builder -i jq             build jq and what it lacks
  package-builder plan --all        what would be built, and why
  package-builder build --all -j 4  everything, four at a time
  package-builder doctor            what this machine lacks

Exit codes: 0 done, 1 something failed to build, 2 usage, 3 broken input, 4 infrastructure, \
5 out of time (nightly), 130 interrupted")]
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
    /// Where shell commands of specs run while they are evaluated [default: of package-builder.toml, or sandboxed]
    #[arg(long = "shell", global = true, value_enum, value_name = "POLICY", env = "PACKAGE_BUILDER_SHELL")]
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
  package-builder build --all --jobs 2 --sandbox linux
  package-builder build jq --locked out/runs/RUN/lock.json   from the very build roots of that run")]
    Build(BuildArgs),
    /// Show what would be built, in order, and why, and how cycles are opened
    #[command(after_help = "Examples:
  package-builder plan jq
  package-builder plan --all --time -j 8   and how long eight jobs at once would take
  package-builder plan --all --json")]
    Plan(PlanArgs),
    /// Say how long building would take with so many jobs at once, what bounds it, and what would help
    #[command(after_help = "Examples:
  package-builder simulate                   the whole tree, as if nothing were built
  package-builder simulate jq -j 2,4 --json
  package-builder simulate --graph FILE -j 8,16,32 --parallel 0.75

Packages take what their last builds took. FILE is
  {\"packages\": {NAME: {\"minutes\": NUMBER, \"needs\": [NAME, ...], \"parallel\": SHARE}, ...}}
where `parallel` may be left out.
Exit codes: 0 answered, 2 no such package, 3 broken input: FILE, a need nobody meets, a cycle")]
    Simulate(SimulateArgs),
    /// Print the dependency graph
    #[command(after_help = "Examples:
  package-builder graph | dot -Tsvg > graph.svg
  package-builder graph --format json jq")]
    Graph(GraphArgs),
    /// Say why a package is in the build root of another, or must be built before it
    #[command(after_help = "Examples:
  package-builder why jq oniguruma    the chain of needs, with spec lines
  package-builder why jq              all of jq's build root, with reasons
  package-builder why jq zlib --json

Exit codes: 0 answered, 1 it is not needed, 2 no such package, 3 there is no build root")]
    Why(WhyArgs),
    /// List who needs a package
    #[command(after_help = "Examples:
  package-builder rdeps zlib              what has it in its build root
  package-builder rdeps zlib --recursive  all that a change of it rebuilds, in build order
  package-builder rdeps zlib --runtime    also what requires it once installed

Exit codes: 0 answered, 2 no such package")]
    Rdeps(RdepsArgs),
    /// List who offers a capability, the preferred first
    #[command(after_help = "Examples:
  package-builder what-provides 'pkgconfig(zlib)'
  package-builder what-provides 'zlib-devel >= 1.3' --json
  package-builder what-provides '(gawk or mawk)'
  package-builder what-provides /bin/sh

`*` marks what a BuildRequires of the tree gets.
Exit codes: 0 answered, 1 nothing offers it, 2 it is no dependency")]
    WhatProvides(WhatProvidesArgs),
    /// Check that published packages can be installed from the repository alone
    #[command(after_help = "Examples:
  package-builder installable --all
  package-builder installable jq zlib --json

Exit codes: 0 all can be installed, 1 something cannot, 2 no such package")]
    Installable(InstallableArgs),
    /// Fetch and verify sources
    #[command(after_help = "Examples:
  package-builder fetch --all
  package-builder fetch --lock zlib   write SPECS/zlib/sources")]
    Fetch(FetchArgs),
    /// Print what published packages were built from: every RPM of every build root, with checksum and origin
    #[command(after_help = "Examples:
  package-builder lock --all --to out.lock   then: package-builder build --all --locked out.lock
  package-builder lock jq

Every run writes the lock of what it did to out/runs/RUN/lock.json.
Exit codes: 0 done, 2 no such package, 3 something is not built")]
    Lock(LockArgs),
    /// Print the logs of a package's newest build
    #[command(after_help = "Examples:
  package-builder log zlib
  package-builder log zlib --phase check")]
    Log(LogArgs),
    /// List what builds took: the newest first, of one package or of all
    #[command(after_help = "Examples:
  package-builder history            the newest builds
  package-builder history gcc        all that is known of gcc's, and what the next one is expected to take
  package-builder history gcc --limit 3 --json

Times are wall time and CPU time; memory is the most that was held at once; written is the sum of all files.
Exit codes: 0 answered, 2 no build of that package is recorded")]
    History(HistoryArgs),
    /// Build all that is stale, within a time if need be, and tell what came of it as a mail
    #[command(after_help = "Examples:
  package-builder nightly                            the whole tree
  package-builder nightly --until 06:00 --jobs 2     start no build after six o'clock
  package-builder nightly --for 8h --mail-to night.txt
  package-builder nightly jq zlib                    these, with what they need

What was killed or did not fit goes on with the next one.
Exit codes: as of build, and 5 if the time was over before all was tried and nothing failed")]
    Nightly(NightlyArgs),
    /// Tell what came of a run, from its journal
    #[command(after_help = "Examples:
  package-builder report                          the newest run, as a mail
  package-builder report RUN --format junit > junit.xml
  package-builder report --format json | jq .counts

RUN is a name in out/runs. Every run writes junit.xml and summary.json there itself, if it was not killed.")]
    Report(ReportArgs),
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
    /// Print what specs evaluate to, as `rpmspec` and `rpm --eval` do, with the macros of the base
    #[command(after_help = "Examples:
  package-builder eval jq                          the packages it makes, as `rpmspec -q` lists them
  package-builder eval jq --qf '%{NAME} [%{REQUIRES} ]\\n'
  package-builder eval SPECS/jq/jq.spec --parsed   the text as `rpmspec -P` prints it
  package-builder eval jq --buildrequires
  package-builder eval --eval '%{_libdir}' --target aarch64
  package-builder eval jq --trace configure        every step of the macro's expansion, with places
  package-builder eval --all --compare-rpm         whether this machine's rpmspec says the same

Exit codes: 0 done, 1 --compare-rpm found a difference, 2 usage, 3 broken input, 4 infrastructure")]
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
#[derive(Clone, Debug, Args)]
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
    /// Take every build root from this lock; what is not as the lock says is an error
    #[arg(long, value_name = "FILE")]
    pub locked: Option<PathBuf>,
    /// Leave out `%check`; it is recorded that it was
    #[arg(long)]
    pub nocheck: bool,
    /// What builds may use up
    #[command(flatten)]
    pub limits: LimitArgs,
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
    /// Take every build root from this lock, as `build --locked` does
    #[arg(long, value_name = "FILE")]
    pub locked: Option<PathBuf>,
    /// Also say how long it would take, as earlier builds took
    #[arg(long)]
    pub time: bool,
    /// How many builds would run at once [default: the number of CPUs]
    #[arg(short = 'j', short_alias = 't', long, alias = "threads", value_name = "N", requires = "time")]
    pub jobs: Option<std::num::NonZeroUsize>,
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

/// Options of `why`.
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// The source package, or one of its packages
    #[arg(value_name = "NAME")]
    pub name: String,
    /// What it needs: a source package, or a package of the tree or a seed [default: all of the build root]
    #[arg(value_name = "NEEDED")]
    pub needed: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `rdeps`.
#[derive(Debug, Args)]
pub struct RdepsArgs {
    /// A source package, or a package of the tree or a seed
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Also who requires it once installed
    #[arg(long)]
    pub runtime: bool,
    /// Also who needs those, and so on, in build order
    #[arg(short = 'r', long)]
    pub recursive: bool,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `what-provides`.
#[derive(Debug, Args)]
pub struct WhatProvidesArgs {
    /// A dependency as `BuildRequires` has it
    #[arg(value_name = "CAPABILITY")]
    pub capability: String,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `installable`.
#[derive(Debug, Args)]
pub struct InstallableArgs {
    /// What to check
    #[command(flatten)]
    pub targets: TargetArgs,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
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

/// Options of `lock`.
#[derive(Debug, Args)]
pub struct LockArgs {
    /// What to lock, with all that it needs
    #[command(flatten)]
    pub targets: TargetArgs,
    /// Write it to this file [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
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

/// Options of `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// A source package [default: all]
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// At most so many
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `nightly`: those of `build`, and its own.
#[derive(Debug, Args)]
pub struct NightlyArgs {
    /// What to build, and how; all packages where none is named
    #[command(flatten)]
    pub build: BuildArgs,
    /// Start no build after this time of the day, in the local time zone
    #[arg(long, value_name = "HH:MM", conflicts_with = "duration")]
    pub until: Option<jiff::civil::Time>,
    /// Start no build after so long, as in 8h, 90m, 7h30m
    #[arg(long = "for", id = "duration", value_name = "TIME")]
    pub duration: Option<jiff::SignedDuration>,
    /// Write the mail to this file [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub mail_to: Option<PathBuf>,
}

/// What a run is told as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// The text of a mail
    Text,
    /// JUnit XML
    Junit,
    /// What summary.json has
    Json,
}

/// Options of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The run [default: the newest]
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// How to tell it
    #[arg(long, value_enum, default_value = "text")]
    pub format: ReportFormat,
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
#[command(group(ArgGroup::new("what").multiple(false)))]
pub struct EvalArgs {
    /// Names of packages of the tree, or spec files anywhere
    #[arg(value_name = "NAME|SPEC")]
    pub names: Vec<String>,
    /// All specs of the tree
    #[arg(short = 'a', long, conflicts_with = "names")]
    pub all: bool,
    /// Print a line for each package; this is what is done unless something else is asked for
    #[arg(short = 'q', long)]
    pub query: bool,
    /// Print this for each package, in rpm's format for queries
    #[arg(long = "qf", visible_alias = "queryformat", value_name = "FORMAT", group = "what")]
    pub queryformat: Option<String>,
    /// List the tags that FORMAT can have
    #[arg(long, group = "what")]
    pub querytags: bool,
    /// Ask the binary packages; this is what is done unless others are asked for
    #[arg(long)]
    pub rpms: bool,
    /// Ask the source package instead of the binary ones
    #[arg(long, conflicts_with = "builtrpms")]
    pub srpm: bool,
    /// Ask only the binary packages that a build gives: those with `%files`
    #[arg(long)]
    pub builtrpms: bool,
    /// Print the expanded text
    #[arg(short = 'P', long, visible_alias = "parse", group = "what")]
    pub parsed: bool,
    /// Print everything as JSON, an object for each spec; with --trace the steps
    #[arg(long, conflicts_with_all = ["queryformat", "parsed", "buildrequires", "buildconflicts", "requires", "provides"])]
    pub json: bool,
    /// List what building needs
    #[arg(long, group = "what")]
    pub buildrequires: bool,
    /// List what building must not find
    #[arg(long, group = "what")]
    pub buildconflicts: bool,
    /// List what the packages require
    #[arg(long, group = "what")]
    pub requires: bool,
    /// List what the packages provide
    #[arg(long, group = "what")]
    pub provides: bool,
    /// List what the packages conflict with
    #[arg(long, group = "what")]
    pub conflicts: bool,
    /// List what the packages replace
    #[arg(long, group = "what")]
    pub obsoletes: bool,
    /// Expand a text: with the macros of the tree alone, or as they are behind each named spec
    #[arg(short = 'E', long = "eval", value_name = "EXPR")]
    pub expressions: Vec<String>,
    /// Print every step of the expansion of a macro, with places
    #[arg(long, value_name = "MACRO", group = "what", value_parser = macro_name)]
    pub trace: Option<String>,
    /// Print the first line in which the expanded text differs from `rpmspec -P` of this machine
    #[arg(long, group = "what")]
    pub compare_rpm: bool,
    /// Take the definition of a macro away
    #[arg(long, value_name = "MACRO")]
    pub undefine: Vec<String>,
    /// Turn a `%bcond` on
    #[arg(long, value_name = "NAME")]
    pub with: Vec<String>,
    /// Turn a `%bcond` off
    #[arg(long, value_name = "NAME")]
    pub without: Vec<String>,
    /// Evaluate for this architecture [default: of package-builder.toml]
    #[arg(long, value_name = "ARCH")]
    pub target: Option<String>,
}

/// A macro's name, with or without its `%` and braces.
fn macro_name(text: &str) -> Result<String, String> {
    let name = text.strip_prefix('%').unwrap_or(text);
    let name = name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name);
    if name.is_empty() { Err("a macro's name is missing".to_owned()) } else { Ok(name.to_owned()) }
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
