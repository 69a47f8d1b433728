//! The macro engine: definitions, scopes, expansion, expressions and Lua (rpm-macros(7)).

mod builtin;
mod context;
mod definition;
mod engine;
mod expand;
mod expression;
mod hash;
mod level;
mod limits;
mod load;
mod lua;
mod options;
mod parametric;
mod prep;
mod rpm_version;
mod rpmrc;
mod scan;
mod table;
mod text;
mod trace;
mod version;

use std::cell::{Cell, RefCell};
use std::sync::Arc;

pub use context::{MacroContext, PreparedContext};
pub use level::Level;
pub(crate) use prep::{PrepCommands, PrepFault, PrepHost};
pub use rpm_version::RpmVersion;
pub use trace::TraceStep;

use crate::diagnostic::Severity;
use crate::{Diagnostic, Place, World};
use engine::Engine;
use rpmrc::Rpmrc;
use table::{Kind, MacroTable};

/// How much was said and followed before an expansion.
#[derive(Clone, Copy)]
struct Before {
    said: usize,
    steps: usize,
}

/// Macro definitions in force, and everything that can be expanded with them.
pub struct Macros<'world> {
    engine: Engine<'world>,
    /// The machine packages are built for; `%{_target_cpu}` may be `noarch` meanwhile.
    machine_cpu: String,
    machine_os: String,
}

impl<'world> Macros<'world> {
    /// Loads a context: built-ins, the target's macros from rpmrc, the macro files in order, the
    /// command line's definitions. What is wrong with a file is among [`Self::take_diagnostics`].
    ///
    /// For many specs of one context, read it once by [`PreparedContext::new`] and use [`Self::prepared`].
    #[must_use]
    pub fn new(context: &MacroContext, world: &'world dyn World) -> Self {
        Self::prepared(&PreparedContext::new(context), world)
    }

    /// Starts with a context that is read already.
    #[must_use]
    pub fn prepared(context: &PreparedContext, world: &'world dyn World) -> Self {
        let engine = Self::engine(
            world,
            context.rpm.clone(),
            context.table.clone(),
            Arc::clone(&context.rpmrc),
            Arc::clone(&context.lua),
        );
        engine.log.borrow_mut().extend(context.diagnostics.iter().cloned());
        Self { engine, machine_cpu: context.target_cpu.clone(), machine_os: context.target_os.clone() }
    }

    fn engine(
        world: &'world dyn World,
        rpm: RpmVersion,
        table: MacroTable,
        rpmrc: Arc<Rpmrc>,
        pool: Arc<lua::Pool>,
    ) -> Engine<'world> {
        Engine {
            world,
            rpm,
            table: RefCell::new(table),
            rpmrc,
            lua: lua::LuaState::of(pool),
            log: RefCell::default(),
            place: RefCell::default(),
            loading: Cell::new(false),
            reading: RefCell::new(("".into(), 0)),
            offset: Cell::new(0),
            chain: RefCell::default(),
            lua_depth: Cell::new(0),
            lua_level: Cell::new(0),
            environment: RefCell::default(),
            verbose: Cell::new(false),
            nesting: Cell::new(0),
            budget: limits::Budget::default(),
            trace: trace::Trace::default(),
            prep: RefCell::default(),
        }
    }

    /// Expands a text as rpm would at that place. A `%define` in it takes effect. Warnings, and errors after
    /// the first one, are among [`Self::take_diagnostics`].
    ///
    /// # Errors
    /// The first error that stops the expansion.
    pub fn expand(&mut self, text: &str, place: &Place) -> Result<String, Diagnostic> {
        let before = self.begin(place);
        let expanded = self.engine.expand_fresh(text);
        self.locate(before, text, place);
        expanded.ok_or_else(|| self.first_error(before, place))
    }

    /// Expands a text as [`Self::expand`] does, but leaves every message, in order, among
    /// [`Self::take_diagnostics`]; `None` after an error.
    pub fn expand_and_log(&mut self, text: &str, place: &Place) -> Option<String> {
        let before = self.begin(place);
        let expanded = self.engine.expand_fresh(text);
        self.locate(before, text, place);
        expanded
    }

    /// Makes a definition as `--define` does: `name(options) body`, with or without a `%` before it. Messages are among
    /// [`Self::take_diagnostics`]; says whether it worked.
    pub fn define_text(&mut self, text: &str, level: Level, place: &Place) -> bool {
        self.begin(place);
        self.engine.define_text(text.strip_prefix('%').unwrap_or(text), level)
    }

    /// Evaluates what follows `%if` or `%elif`: macros are expanded and the expression is evaluated as rpm does.
    ///
    /// # Errors
    /// A failing expansion or a malformed expression.
    pub fn condition(&mut self, text: &str, place: &Place) -> Result<bool, Diagnostic> {
        let expanded = self.expand(text, place)?;
        self.expanded_condition(&expanded, place)
    }

    /// Evaluates what follows `%if` or `%elif` on a line that is expanded already.
    ///
    /// # Errors
    /// A malformed expression.
    pub fn expanded_condition(&mut self, text: &str, place: &Place) -> Result<bool, Diagnostic> {
        let before = self.begin(place);
        let value = expression::evaluate(&self.engine, text, false);
        value.map(|value| value.is_true()).ok_or_else(|| self.first_error(before, place))
    }

    fn begin(&self, place: &Place) -> Before {
        *self.engine.place.borrow_mut() = Some(place.clone());
        self.engine.offset.set(0);
        self.engine.budget.renew();
        Before { said: self.engine.log.borrow().len(), steps: self.engine.trace.steps.borrow().len() }
    }

    /// Gives what was said about a text since a point its line and column. Until then the column counts from the
    /// text's beginning.
    fn locate(&self, before: Before, text: &str, place: &Place) {
        let mut said = self.engine.log.borrow_mut();
        let mut steps = self.engine.trace.steps.borrow_mut();
        let said = said.iter_mut().skip(before.said).filter_map(|said| said.place.as_mut());
        let steps = steps.iter_mut().skip(before.steps).filter_map(|step| step.used_at.as_mut());
        for at in said.chain(steps).filter(|at| at.file == place.file && at.line == place.line) {
            let offset = usize::try_from(at.column.saturating_sub(place.column)).unwrap_or(0);
            let above = text.get(..offset).unwrap_or("");
            let column = above.len() - above.rfind('\n').map_or(0, |end| end + 1);
            let column = u32::try_from(column).unwrap_or(u32::MAX);
            let lines = u32::try_from(above.bytes().filter(|byte| *byte == b'\n').count()).unwrap_or(u32::MAX);
            at.line = at.line.saturating_add(lines);
            at.column = if lines == 0 { place.column.saturating_add(column) } else { column.saturating_add(1) };
        }
    }

    /// Takes the first error of what was said since a point.
    fn first_error(&self, before: Before, place: &Place) -> Diagnostic {
        let mut log = self.engine.log.borrow_mut();
        match log.iter().skip(before.said).position(|said| said.severity == Severity::Error) {
            Some(index) => log.remove(before.said + index),
            None => Diagnostic::error("macro expansion failed").at(place),
        }
    }

    /// Defines a macro on top of what the name meant until now. `options` is what a parametric macro's
    /// parentheses hold. `place` is where it stands, for diagnostics.
    pub fn define(&mut self, name: &str, options: Option<&str>, body: &str, level: Level, place: Option<&Place>) {
        self.push(name, options, body, level, Kind::Text, place);
    }

    /// Defines a macro whose body is the result as it is: no `%` in it is expanded. rpm does this for values
    /// it computes itself, such as `%{__file_name}` and the paths of sources.
    pub fn define_literal(&mut self, name: &str, body: &str, level: Level, place: Option<&Place>) {
        self.push(name, None, body, level, Kind::Literal, place);
    }

    fn push(&mut self, name: &str, options: Option<&str>, body: &str, level: Level, kind: Kind, place: Option<&Place>) {
        if !self.engine.push_at(name, options, body, level, kind, place.cloned()) {
            *self.engine.place.borrow_mut() = place.cloned();
            self.engine.say(Severity::Error, format!("macro %{name} is too large to be defined"), None);
        }
    }

    /// Starts to tell where a spec is read, as `%{__file_name}` and `%{__file_lineno}` say it.
    pub(crate) fn begin_reading(&mut self) {
        for definition in builtin::spec_definitions() {
            if self.body(&definition.name).is_none() {
                self.engine.push_definition(definition);
            }
        }
    }

    /// Says which file of a spec is read, and which is its last line that was.
    pub(crate) fn set_reading(&mut self, file: &Arc<str>, line: u32) {
        let reading = self.engine.reading.get_mut();
        if !Arc::ptr_eq(&reading.0, file) {
            reading.0 = Arc::clone(file);
        }
        reading.1 = line;
    }

    /// Takes the newest definition of a name away; an older one shows again.
    pub fn undefine(&mut self, name: &str) {
        self.engine.table.get_mut().pop(name);
    }

    /// Takes away every definition of a level (after a spec: [`Level::SPEC`]).
    pub fn forget(&mut self, level: Level) {
        self.engine.table.get_mut().forget(level);
    }

    /// Sets what `%{verbose}` tells, as `rpm -v` does. Evaluation is not verbose unless it is asked to be.
    pub fn set_verbose(&mut self, verbose: bool) {
        self.engine.verbose.set(verbose);
    }

    /// Follows a macro from now on: every step of its expansions is among [`Self::take_trace`].
    pub fn follow(&mut self, name: &str) {
        self.engine.trace.follow(name);
    }

    /// Takes the steps of the macro that is followed, in order, since the last call.
    pub fn take_trace(&mut self) -> Vec<TraceStep> {
        self.engine.trace.take()
    }

    /// Says whether a name is defined.
    #[must_use]
    pub fn is_defined(&self, name: &str) -> bool {
        self.engine.table.borrow().get(name).is_some()
    }

    /// Says whether a name is a macro that takes arguments.
    #[must_use]
    pub fn is_parametric(&self, name: &str) -> bool {
        self.engine.table.borrow().get(name).is_some_and(|definition| definition.is_parametric())
    }

    /// Returns the defined name that is spelled most like another one, if any is near enough to be meant.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<String> {
        if name.len() < 3 || name.len() > 60 {
            return None;
        }
        self.engine.table.borrow().nearest(name)
    }

    /// Returns a macro's unexpanded body.
    #[must_use]
    pub fn body(&self, name: &str) -> Option<String> {
        self.engine.table.borrow().get(name).map(|definition| definition.body.to_string())
    }

    /// Returns where the definition in force stands, where that is known.
    #[must_use]
    pub fn place_of_definition(&self, name: &str) -> Option<Place> {
        self.engine.table.borrow().get(name)?.place.clone()
    }

    /// Takes the warnings, and errors that did not stop an expansion, that arose since the last call.
    pub fn take_diagnostics(&mut self) -> Vec<Diagnostic> {
        std::mem::take(self.engine.log.get_mut())
    }

    /// Says what is wrong with the syntax of a Lua script that is not run now, such as a scriptlet.
    #[must_use]
    pub fn lua_syntax_error(&self, script: &str, name: &str) -> Option<String> {
        self.engine.lua_syntax_error(script, name)
    }

    /// Sets a global Lua table of strings, as rpm does for `sources` and `patches` (full paths).
    pub fn set_lua_table(&mut self, name: &str, values: Vec<String>) {
        self.engine.lua.set_texts(name, values);
    }

    /// Sets a global Lua table of numbers, as rpm does for `source_nums` and `patch_nums`.
    pub fn set_lua_numbers(&mut self, name: &str, values: Vec<i64>) {
        self.engine.lua.set_numbers(name, values);
    }

    /// Adds a path to the global Lua table `texts` and its number to `numbers`, as rpm does for each source and patch.
    /// The tables must have been set before.
    pub fn push_lua_values(&mut self, texts: &str, text: String, numbers: &str, number: i64) {
        self.engine.lua.push(texts, text, numbers, number);
    }

    /// Reads another macro file, as `%{load:…}` does.
    pub fn load(&mut self, file: &str, text: &str) {
        self.engine.load_text(file, text);
    }

    /// Builds for another architecture from now on, as rpm does on a spec's second pass for `BuildArch: noarch`:
    /// `%{_target_cpu}` changes, `%{_arch}` and `%{_target}` stay. Undo it by `undefine("_target_cpu")`.
    pub fn set_build_arch(&mut self, arch: &str) {
        self.engine.push_at("_target_cpu", None, arch, Level::RPMRC, Kind::Text, None);
    }

    /// The architecture built for, as `%ifarch` compares it: what `%{_target_cpu}` expands to.
    #[must_use]
    pub fn build_arch(&self) -> String {
        self.engine.expand_fresh("%{_target_cpu}").unwrap_or_default()
    }

    /// The operating system built for, as `%ifos` compares it: what `%{_target_os}` expands to.
    #[must_use]
    pub fn build_os(&self) -> String {
        self.engine.expand_fresh("%{_target_os}").unwrap_or_default()
    }

    /// Says whether packages for `arch` can be built on the context's machine: the question behind "No
    /// compatible architectures found for build".
    #[must_use]
    pub fn is_build_arch_compatible(&self, arch: &str) -> bool {
        self.build_arch_score(arch) > 0
    }

    /// How far `arch` is from what the context's machine builds: 1 for itself, more for what is compatible by
    /// rpmrc's `buildarch_compat`, 0 for what cannot be built.
    #[must_use]
    pub fn build_arch_score(&self, arch: &str) -> u32 {
        self.engine.rpmrc.build_arch_score(self.machine(), arch)
    }

    /// The same for operating systems, by `buildos_compat`.
    #[must_use]
    pub fn build_os_score(&self, os: &str) -> u32 {
        self.engine.rpmrc.build_os_score(&self.machine_os, os)
    }

    /// The same for what can be installed on the context's machine, by `arch_compat`.
    #[must_use]
    pub fn install_arch_score(&self, arch: &str) -> u32 {
        self.engine.rpmrc.install_arch_score(self.machine(), arch)
    }

    /// Says whether rpmrc names an architecture; `noarch` is known too.
    #[must_use]
    pub fn is_known_arch(&self, arch: &str) -> bool {
        self.engine.rpmrc.is_known_arch(arch)
    }

    /// The colour rpmrc gives an architecture: 1 for 32 bits, 2 for 64 bits.
    #[must_use]
    pub fn arch_color(&self, arch: &str) -> Option<u32> {
        self.engine.rpmrc.arch_color(arch)
    }

    /// The version of rpm whose language is spoken.
    #[must_use]
    pub fn rpm(&self) -> &RpmVersion {
        &self.engine.rpm
    }

    fn machine(&self) -> &str {
        &self.machine_cpu
    }
}
