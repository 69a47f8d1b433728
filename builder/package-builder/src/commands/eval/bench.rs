//! What `eval` works with: the macro world of the tree, and specs looked at in it one by one.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use report::{Event, EventKind, Everyone, Reporter};
use rpmspec_parser::{Diagnostic, Macros, Observer, Place, PreparedContext, SourcePackage, TraceStep};

use crate::cli::EvalArgs;
use crate::config::{Settings, ShellPolicy};
use crate::error::{CommandError, IoContext};
use crate::host::{Context, HostWorld, Remembered, Snippets, evaluate_spec, evaluate_tree, find_specs, with_macros};
use crate::runner::{Events, Ground};

use super::tags::BuildTags;

/// Preparing a seed that is in the cache takes less; it is not worth a line.
const NOTICEABLE: f64 = 1.0;

/// A tree's macro world.
pub(super) struct Bench {
    pub(super) settings: Settings,
    pub(super) context: Context,
    remembered: Remembered,
    world: HostWorld,
    snippets: Snippets,
    expressions: Vec<(Place, String)>,
    trace: Option<String>,
}

/// What was seen of a spec, or of texts alone.
#[derive(Default)]
pub(super) struct Looked {
    /// The spec as messages name it.
    pub(super) name: String,
    /// What it evaluates to; `None` of a broken one.
    pub(super) package: Option<SourcePackage>,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// The expressions, expanded; `None` for one that cannot be.
    pub(super) texts: Vec<Option<String>>,
    /// The steps of the macro that is followed.
    pub(super) steps: Vec<TraceStep>,
    /// Whether the macro that is followed is defined in the end.
    pub(super) is_defined: bool,
    /// A macro spelled like the one that is followed, if that is not defined.
    pub(super) near: Option<String>,
    pub(super) tags: BuildTags,
}

impl Bench {
    pub(super) fn new(mut settings: Settings, arguments: &EvalArgs) -> Result<Self, CommandError> {
        if arguments.compare_rpm && !settings.shell_is_chosen {
            // Who asks for this machine's rpmspec has its shell run too.
            settings.shell = ShellPolicy::Host;
        }
        let events = Arc::new(Events::new("eval", Everyone::default().and(Quiet(super::super::terminal()))));
        let target = arguments.target.as_deref().map(architecture);
        let ground = Ground::lay(&settings, &events, target);
        events.finish();
        let ground = ground?;
        let (shell, context) = (ground.shell(&settings, &events), ground.context);
        let mut snippets = Snippets::new(&settings.tree, &context);
        let single = arguments.expressions.len() == 1;
        let mut expressions = Vec::new();
        for (index, text) in arguments.expressions.iter().enumerate() {
            let file = if single { "<eval>".to_owned() } else { format!("<eval {}>", index + 1) };
            snippets.add(&file, text);
            expressions.push((Place { file: file.into(), line: 1, column: 1 }, text.clone()));
        }
        let now = jiff::Timestamp::now().as_second();
        let world = HostWorld::new(now, &context, shell).with_echo();
        let context = Context::new(context, arguments.undefine.clone());
        let remembered = Remembered::open(&settings.cache, &context);
        if let (Some(asked), Some(arch)) = (&arguments.target, target)
            && !with_macros(&settings.tree, context.prepared(), &world, |macros| macros.is_known_arch(arch))?
        {
            return Err(CommandError::usage(format!("`{asked}` is no architecture that the base's rpm knows"))
                .hint("write it as `uname -m` does: `x86_64`, `aarch64`"));
        }
        let trace = arguments.trace.clone();
        Ok(Self { settings, context, remembered, world, snippets, expressions, trace })
    }

    /// The spec files that are meant: paths, or names of packages of the tree.
    pub(super) fn find(&self, names: &[String], all: bool) -> Result<Vec<PathBuf>, CommandError> {
        if all {
            return find_specs(&self.settings.specs);
        }
        let mut known = None;
        names.iter().map(|name| self.find_one(name, &mut known)).collect()
    }

    fn find_one(&self, name: &str, known: &mut Option<Vec<(String, PathBuf)>>) -> Result<PathBuf, CommandError> {
        if Path::new(name).extension().is_some_and(|extension| extension == "spec") || name.contains('/') {
            let path = std::path::absolute(name).doing("find", Path::new(name))?;
            let candidates = [path, self.settings.tree.join(name), self.settings.specs.join(name)];
            return candidates.into_iter().find(|path| path.is_file()).ok_or_else(|| {
                CommandError::usage(format!("there is no spec file `{name}`")).hint("name a package or a spec file")
            });
        }
        let usual = self.settings.specs.join(name).join(format!("{name}.spec"));
        if usual.is_file() {
            return Ok(usual);
        }
        if known.is_none() {
            *known = Some(self.packages()?);
        }
        let known = known.as_deref().unwrap_or_default();
        if let Some((_, path)) = known.iter().find(|(known, _)| known == name) {
            return Ok(path.clone());
        }
        let mut near: Vec<_> = known
            .iter()
            .map(|(known, _)| (strsim::damerau_levenshtein(known, name), known.as_str()))
            .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
            .collect();
        near.sort_unstable();
        near.dedup();
        let near: Vec<_> = near.into_iter().take(3).map(|(_, known)| known).collect();
        let alike = if near.is_empty() { String::new() } else { format!(", spelled alike: {}", near.join(", ")) };
        Err(CommandError::usage(format!("no spec of this tree makes `{name}`{alike}"))
            .hint("`package-builder eval --all` lists the packages"))
    }

    /// The packages of the tree and their specs: source packages before the binary ones.
    fn packages(&self) -> Result<Vec<(String, PathBuf)>, CommandError> {
        let Settings { tree, specs, .. } = &self.settings;
        let (evaluated, broken) = evaluate_tree(tree, specs, &self.context, &self.world, &self.remembered)?;
        let sources = evaluated.iter().map(|spec| (spec.package.name.clone(), spec.path.clone()));
        let unread = broken.iter().map(|spec| (spec.package.clone(), tree.join(&spec.name)));
        let binaries = evaluated
            .iter()
            .flat_map(|spec| spec.package.packages.iter().map(|package| (package.name.clone(), spec.path.clone())));
        Ok(sources.chain(unread).chain(binaries).collect())
    }

    /// Evaluates a spec and expands the expressions behind it.
    pub(super) fn look(&self, path: &Path) -> Result<Looked, CommandError> {
        self.look_in(path, self.context.prepared())
    }

    /// The same in another context.
    pub(super) fn look_in(&self, path: &Path, context: &PreparedContext) -> Result<Looked, CommandError> {
        let mut eye = Eye { bench: self, looked: Looked::default() };
        let outcome = evaluate_spec(&self.settings.tree, path.to_owned(), context, &self.world, &mut eye)?;
        let behind = std::mem::take(&mut eye.looked.diagnostics);
        let (name, package, mut diagnostics) = match outcome {
            Ok(spec) => (spec.name, Some(spec.package), spec.diagnostics),
            Err(spec) => (spec.name, None, spec.diagnostics),
        };
        diagnostics.extend(behind);
        Ok(Looked { name, package, diagnostics, ..eye.looked })
    }

    /// Expands the expressions without a spec.
    pub(super) fn expand(&self) -> Result<Looked, CommandError> {
        let mut eye = Eye { bench: self, looked: Looked { name: "<eval>".to_owned(), ..Looked::default() } };
        with_macros(&self.settings.tree, self.context.prepared(), &self.world, |macros| {
            eye.before(macros);
            eye.after(macros);
        })?;
        Ok(eye.looked)
    }

    /// Shows diagnostics on standard error.
    pub(super) fn show(&self, spec: &str, diagnostics: &[Diagnostic]) {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let coloured = std::io::stderr().is_terminal() && !plain;
        for diagnostic in diagnostics {
            let text = match coloured {
                true => self.snippets.coloured(spec, diagnostic),
                false => self.snippets.plain(spec, diagnostic),
            };
            // With standard error gone there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }
}

/// The architecture of a `--target`, which may be written `CPU-VENDOR-OS`.
fn architecture(target: &str) -> &str {
    target.split_once('-').map_or(target, |(cpu, _)| cpu)
}

struct Eye<'a> {
    bench: &'a Bench,
    looked: Looked,
}

impl Observer for Eye<'_> {
    fn before(&mut self, macros: &mut Macros<'_>) {
        if let Some(name) = &self.bench.trace {
            macros.follow(name);
        }
    }

    fn after(&mut self, macros: &mut Macros<'_>) {
        let place = Place { file: "<eval>".into(), line: 1, column: 1 };
        let mut expand = |text| macros.expand_and_log(text, &place).unwrap_or_default();
        if self.bench.trace.is_none() {
            let tags = BuildTags { optflags: expand("%{?optflags}"), platform: expand("%{?_target_platform}") };
            self.looked.tags = tags;
            macros.take_diagnostics();
        }
        let texts = self.bench.expressions.iter().map(|(place, text)| macros.expand_and_log(text, place));
        self.looked.texts = texts.collect();
        self.looked.diagnostics = macros.take_diagnostics();
        self.looked.steps = macros.take_trace();
        if let Some(name) = &self.bench.trace {
            self.looked.is_defined = macros.is_defined(name);
            self.looked.near = if self.looked.is_defined { None } else { macros.nearest(name) };
        }
    }
}

/// The terminal without what is over in a moment.
struct Quiet<R>(R);

impl<R: Reporter> Reporter for Quiet<R> {
    fn event(&mut self, event: &Event) {
        match event.kind {
            EventKind::SeedPrepared { seconds, .. } if seconds < NOTICEABLE => {}
            _ => self.0.event(event),
        }
    }

    fn finish(&mut self) {
        self.0.finish();
    }
}
