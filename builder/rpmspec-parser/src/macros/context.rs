//! The macro world of a distribution: read once, shared by all specs evaluated in it.

use std::path::PathBuf;
use std::sync::Arc;

use super::rpmrc::Rpmrc;
use super::table::{Kind, MacroTable};
use super::{Level, Macros, RpmVersion, builtin, lua};
use crate::{Diagnostic, Place, World};

/// The macro world a spec is evaluated in, as data: which files are loaded in which order for which
/// target, and what the command line defines on top.
#[derive(Clone, Debug, Default)]
pub struct MacroContext {
    /// Macro files in load order, later ones win: the name as macros and diagnostics see it, and the text.
    pub files: Vec<(PathBuf, String)>,
    /// `rpmrc` texts in load order, for architecture compatibility and optflags.
    pub rpmrc: Vec<String>,
    /// The architecture built for, as `%{_target_cpu}` (`x86_64`).
    pub target_cpu: String,
    /// The operating system built for, as `%{_target_os}` (`linux`).
    pub target_os: String,
    /// The version of the rpm whose files these are: it says which language they and the specs are written in.
    pub rpm: RpmVersion,
    /// `--define` values as (name with options, body), defined last.
    pub defines: Vec<(String, String)>,
}

/// A context that is read: what is left to do for each spec is little.
#[derive(Clone, Debug)]
pub struct PreparedContext {
    pub(super) rpm: RpmVersion,
    pub(super) table: MacroTable,
    pub(super) rpmrc: Arc<Rpmrc>,
    pub(super) target_cpu: String,
    pub(super) target_os: String,
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) lua: Arc<lua::Pool>,
}

impl PreparedContext {
    /// Reads a context's files. Needs no world: definitions are not expanded when they are made.
    #[must_use]
    pub fn new(context: &MacroContext) -> Self {
        let rpmrc = Rpmrc::parse(&context.rpmrc);
        let macros = Macros::read(context, rpmrc, &crate::world::NoWorld);
        Self {
            table: macros.engine.table.into_inner().share(),
            rpm: macros.engine.rpm,
            rpmrc: macros.engine.rpmrc,
            target_cpu: macros.machine_cpu,
            target_os: macros.machine_os,
            diagnostics: macros.engine.log.into_inner(),
            lua: Arc::default(),
        }
    }

    /// The same context with one more definition of the command line: `name` with its options, if any. What the
    /// two have in common is shared.
    #[must_use]
    pub fn with_definition(&self, name: &str, body: &str) -> Self {
        let macros = Macros::prepared(self, &crate::world::NoWorld);
        *macros.engine.place.borrow_mut() = Some(Place { file: "<command line>".into(), line: 1, column: 1 });
        let name = name.strip_prefix('%').unwrap_or(name);
        macros.engine.define_text(&format!("{name} {body}"), Level::COMMAND_LINE);
        self.replaced_by(macros)
    }

    /// The same context without the newest definition of a name, as `--undefine` takes it away.
    #[must_use]
    pub fn without_definition(&self, name: &str) -> Self {
        let mut macros = Macros::prepared(self, &crate::world::NoWorld);
        macros.undefine(name.strip_prefix('%').unwrap_or(name));
        self.replaced_by(macros)
    }

    fn replaced_by(&self, macros: Macros<'_>) -> Self {
        Self {
            table: macros.engine.table.into_inner(),
            rpm: macros.engine.rpm,
            rpmrc: macros.engine.rpmrc,
            target_cpu: macros.machine_cpu,
            target_os: macros.machine_os,
            diagnostics: macros.engine.log.into_inner(),
            lua: Arc::clone(&self.lua),
        }
    }
}

impl<'world> Macros<'world> {
    /// Reads a context's files.
    fn read(context: &MacroContext, rpmrc: Rpmrc, world: &'world dyn World) -> Self {
        let mut table = MacroTable::default();
        for definition in builtin::definitions(&context.rpm) {
            table.push(definition);
        }
        let engine = Self::engine(world, context.rpm.clone(), table, Arc::new(rpmrc), Arc::default());
        for (_, line, words) in &engine.rpmrc.problems {
            let place = Place { file: "rpmrc".into(), line: *line, column: 1 };
            engine.log.borrow_mut().push(Diagnostic::error(words).at(&place));
        }
        let (cpu, os) = (context.target_cpu.to_ascii_lowercase(), context.target_os.to_ascii_lowercase());
        let target = [("_target", format!("{cpu}-{os}")), ("_target_cpu", cpu.clone()), ("_target_os", os.clone())];
        let literal = |name: &str, body: &str| engine.push_at(name, None, body, Level::RPMRC, Kind::Text, None);
        for (name, body) in &target {
            literal(name, body);
        }
        if let Some(flags) = engine.rpmrc.optflags(&cpu) {
            literal("optflags", flags);
        }
        for (path, text) in &context.files {
            engine.load_text(&path.to_string_lossy(), text);
        }
        // rpm sets what depends on the target again after the macro files, over the platform's own file.
        for (name, body) in &target {
            engine.table.borrow_mut().pop(name);
            literal(name, body);
        }
        if let Some(flags) = engine.rpmrc.optflags(&cpu) {
            engine.table.borrow_mut().pop("optflags");
            literal("optflags", flags);
        }
        *engine.place.borrow_mut() = Some(Place { file: "<command line>".into(), line: 1, column: 1 });
        for (name, body) in &context.defines {
            let name = name.strip_prefix('%').unwrap_or(name);
            engine.define_text(&format!("{name} {body}"), Level::COMMAND_LINE);
        }
        *engine.place.borrow_mut() = None;
        Self { engine, machine_cpu: cpu, machine_os: os }
    }
}
