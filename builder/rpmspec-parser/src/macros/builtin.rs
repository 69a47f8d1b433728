//! The built-in macros of rpm, and since when it has them.

use std::fmt::Write as _;
use std::path::Path;

use super::definition::Keyword;
use super::engine::{Engine, Frame};
use super::expand::line_length;
use super::scan::join_quoted;
use super::table::{Definition, Kind};
use super::{Level, RpmVersion};
use super::{expression, text};
use crate::diagnostic::Severity;

/// Since when `%{basename:}` and `%{dirname:}` do as the C library does.
const LIBC_PATHS: &[u32] = &[4, 20];

/// Since when the marks of `%{quote:}` are seen by nobody but what splits arguments.
pub(super) const QUOTES_VANISH: &[u32] = &[4, 20];

/// A built-in macro.
#[derive(Clone, Copy, Debug)]
pub(super) struct Builtin {
    /// Its name.
    pub(super) name: &'static str,
    /// How many arguments it takes.
    takes: Takes,
    /// It reads the text behind it by itself, unexpanded and unsplit.
    pub(super) unparsed: bool,
    /// The version of rpm that brought it.
    since: &'static [u32],
    action: Action,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Nothing,
    Something,
    Anything,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Basename,
    Body,
    ConfigDirectory,
    Define,
    Dirname,
    Dnl,
    Dump,
    Echo,
    Error,
    Exists,
    Expand,
    Expression,
    /// The line of the spec that is read.
    FileLine,
    /// The spec's file that is read.
    FileName,
    GetEnvironment,
    Global,
    Load,
    Lua,
    Patch,
    /// `%setup` and `%patch`.
    Prep,
    ProcessorCount,
    Quote,
    RpmVersion,
    ShellEscape,
    Shrink,
    Source,
    Span,
    Suffix,
    /// The function of Lua's `string` of the same name.
    Text,
    Trace,
    Uncompress,
    Undefine,
    UrlToPath,
    Verbose,
    Warn,
    /// A folder of the XDG base directories.
    Xdg,
}

/// What every rpm has that is spoken here.
const OLDEST: &[u32] = &[];

/// rpm has functions for texts since 4.19.
const fn text(name: &'static str) -> Builtin {
    since(&[4, 19], takes_one(name, Action::Text))
}

const fn takes_one(name: &'static str, action: Action) -> Builtin {
    Builtin { name, takes: Takes::Something, unparsed: false, since: OLDEST, action }
}

const fn takes_none(name: &'static str, action: Action) -> Builtin {
    Builtin { name, takes: Takes::Nothing, unparsed: false, since: OLDEST, action }
}

const fn takes_any(name: &'static str, action: Action) -> Builtin {
    Builtin { name, takes: Takes::Anything, unparsed: false, since: OLDEST, action }
}

const fn reads_on(name: &'static str, action: Action) -> Builtin {
    Builtin { name, takes: Takes::Something, unparsed: true, since: OLDEST, action }
}

const fn since(since: &'static [u32], builtin: Builtin) -> Builtin {
    Builtin { since, ..builtin }
}

static BUILTINS: [Builtin; 40] = [
    takes_one("P", Action::Patch),
    takes_one("S", Action::Source),
    takes_one("basename", Action::Basename),
    reads_on("define", Action::Define),
    takes_one("dirname", Action::Dirname),
    reads_on("dnl", Action::Dnl),
    takes_none("dump", Action::Dump),
    takes_one("echo", Action::Echo),
    takes_one("error", Action::Error),
    takes_one("exists", Action::Exists),
    takes_one("expand", Action::Expand),
    takes_one("expr", Action::Expression),
    takes_none("getconfdir", Action::ConfigDirectory),
    takes_one("getenv", Action::GetEnvironment),
    takes_any("getncpus", Action::ProcessorCount),
    reads_on("global", Action::Global),
    text("gsub"),
    text("len"),
    takes_one("load", Action::Load),
    text("lower"),
    reads_on("lua", Action::Lua),
    takes_one("macrobody", Action::Body),
    takes_one("quote", Action::Quote),
    text("rep"),
    text("reverse"),
    since(&[4, 18, 2], takes_none("rpmversion", Action::RpmVersion)),
    takes_one("shrink", Action::Shrink),
    since(&[6], takes_one("span", Action::Span)),
    text("sub"),
    takes_one("suffix", Action::Suffix),
    takes_none("trace", Action::Trace),
    takes_one("u2p", Action::UrlToPath),
    takes_one("shescape", Action::ShellEscape),
    takes_one("uncompress", Action::Uncompress),
    takes_one("undefine", Action::Undefine),
    text("upper"),
    takes_one("url2path", Action::UrlToPath),
    Builtin { takes: Takes::Anything, ..reads_on("verbose", Action::Verbose) },
    takes_one("warn", Action::Warn),
    since(&[6], takes_one("xdg", Action::Xdg)),
];

/// What is built in only while a spec is read.
static SPEC: [Builtin; 2] =
    [takes_none("__file_name", Action::FileName), takes_none("__file_lineno", Action::FileLine)];

/// What is built in only while `%prep` is read.
static PREP: [Builtin; 2] = [takes_any("setup", Action::Prep), takes_any("patch", Action::Prep)];

/// Returns the definitions of the built-in macros a version of rpm has.
pub(super) fn definitions(rpm: &RpmVersion) -> impl Iterator<Item = Definition> {
    BUILTINS.iter().filter(|builtin| rpm.is_at_least(builtin.since)).map(definition)
}

/// Returns the definitions of `%__file_name` and `%__file_lineno`.
pub(super) fn spec_definitions() -> impl Iterator<Item = Definition> {
    SPEC.iter().map(definition)
}

/// Returns the definitions of `%setup` and `%patch`.
pub(super) fn prep_definitions() -> impl Iterator<Item = Definition> {
    PREP.iter().map(definition)
}

fn definition(builtin: &'static Builtin) -> Definition {
    Definition {
        name: builtin.name.into(),
        options: (builtin.takes != Takes::Nothing).then(Box::default),
        body: "<builtin>".into(),
        level: Level::BUILTIN,
        kind: Kind::Builtin(builtin),
        quoted: false,
        place: None,
    }
}

impl Engine<'_> {
    /// Runs a built-in macro. `arguments`, if any, start with its name. `used` is there when it reads on from
    /// its name in the text: it then says how far.
    pub(super) fn run_builtin(
        &self,
        frame: &mut Frame,
        builtin: &'static Builtin,
        arguments: Option<&[String]>,
        used: Option<&mut usize>,
    ) {
        let arguments = arguments.and_then(|all| all.get(1..)).unwrap_or_default();
        match (builtin.takes, arguments.is_empty()) {
            (Takes::Nothing, false) => {
                return self.fail(frame, format!("%{}: unexpected argument", builtin.name));
            }
            (Takes::Something, true) => return self.fail(frame, format!("%{}: argument expected", builtin.name)),
            _ => {}
        }
        let argument = arguments.first().map_or("", String::as_str);
        match builtin.action {
            Action::Basename if self.rpm.is_at_least(LIBC_PATHS) => self.append(frame, text::last_component(argument)),
            Action::Basename => self.append(frame, text::basename(argument)),
            Action::Body => self.macro_body(frame, argument),
            Action::ConfigDirectory => self.append(frame, &self.config_directory()),
            Action::Define => self.builtin_define(frame, arguments, Keyword::Define, used),
            Action::Dirname if self.rpm.is_at_least(LIBC_PATHS) => self.append(frame, text::parent(argument)),
            Action::Dirname => self.append(frame, text::dirname(argument)),
            Action::Dnl => {
                if let Some(used) = used {
                    *used += line_length(argument);
                }
            }
            Action::Dump => self.dump(),
            Action::Echo => self.world.echo(argument),
            Action::Error => self.fail(frame, argument),
            Action::Exists => {
                let exists = !argument.is_empty() && self.world.exists(Path::new(argument));
                self.append(frame, if exists { "1" } else { "0" });
            }
            Action::Expand => {
                if !argument.is_empty() {
                    self.expand_into(frame, argument);
                }
            }
            Action::Expression => match expression::evaluate(self, argument, false) {
                Some(value) => self.append(frame, &value.to_string()),
                None => frame.failed = true,
            },
            Action::FileLine => self.append(frame, &self.reading.borrow().1.to_string()),
            Action::FileName => {
                let name = std::sync::Arc::clone(&self.reading.borrow().0);
                self.append(frame, &name);
            }
            Action::GetEnvironment => {
                let value = self.variable(argument).unwrap_or_default();
                self.append(frame, &value);
            }
            Action::Global => self.builtin_define(frame, arguments, Keyword::Global, used),
            Action::Load => {
                if self.load_file(argument) != Some(true) {
                    self.fail(frame, format!("failed to load macro file {argument}"));
                }
            }
            Action::Lua => self.run_lua(frame, argument),
            Action::Patch => self.expand_into(frame, &format!("%PATCH{argument}")),
            Action::Prep => self.run_prep(frame, builtin.name, arguments),
            Action::ProcessorCount => self.processor_count(frame, arguments),
            Action::Quote => self.quote(frame, arguments),
            Action::RpmVersion => self.append(frame, self.rpm.as_str()),
            Action::ShellEscape => {
                let all = if self.rpm.is_at_least(&[4, 20]) { arguments } else { &arguments[..1] };
                let quoted: Vec<String> = all.iter().map(|argument| text::shell_quote(argument)).collect();
                self.append(frame, &quoted.join(" "));
            }
            Action::Shrink => self.append(frame, &text::shrink(argument)),
            Action::Source => self.expand_into(frame, &format!("%SOURCE{argument}")),
            Action::Text => {
                let call = format!("return (string.{}(table.unpack(arg)))", builtin.name);
                self.run_script(frame, builtin.name, &call, Vec::new(), arguments.to_vec());
            }
            Action::Span => self.append(frame, argument),
            Action::Suffix => self.append(frame, text::suffix(argument)),
            // Tracing writes how expansion goes to standard error; diagnostics carry that by themselves.
            Action::Trace => {}
            Action::Uncompress => {
                if !argument.is_empty() {
                    self.expand_into(frame, "%__rpmuncompress ");
                    self.append(frame, argument);
                }
            }
            Action::Undefine => {
                if self.check_name(frame, argument, "%undefine") {
                    self.table.borrow_mut().pop(argument);
                }
            }
            Action::UrlToPath => self.append(frame, text::url_path(argument)),
            Action::Verbose => {
                if used.is_some() || arguments.is_empty() {
                    self.append(frame, if self.verbose.get() { "1" } else { "0" });
                } else if self.verbose.get() {
                    self.expand_into(frame, argument);
                }
            }
            Action::Warn => self.complain(frame, Severity::Warning, argument),
            Action::Xdg => self.xdg_folder(frame, argument),
        }
    }

    fn builtin_define(&self, frame: &mut Frame, arguments: &[String], keyword: Keyword, used: Option<&mut usize>) {
        let level = if keyword == Keyword::Global { Level::GLOBAL } else { Level(frame.level) };
        // Lua's macros.define { name, body } gives two arguments.
        let text = arguments.get(..2).unwrap_or(arguments).join(" ");
        let length = self.read_definition(frame, &text, level, keyword, used.is_none());
        if let Some(used) = used {
            *used += length;
        }
    }

    /// `%{quote:…}`. Since 4.20 the marks are there only where arguments are split, and as long as they may be.
    fn quote(&self, frame: &mut Frame, arguments: &[String]) {
        if !self.rpm.is_at_least(QUOTES_VANISH) {
            self.append(frame, &join_quoted(arguments));
        } else if frame.keep_quotes {
            frame.has_quotes = true;
            self.append(frame, &join_quoted(arguments));
        } else {
            self.append(frame, &arguments.join(" "));
        }
    }

    /// `%getncpus`. Since 4.19 it may be asked how many have memory enough for a process or a thread each: as
    /// many as there are, since what a spec evaluates to does not depend on this machine's memory.
    fn processor_count(&self, frame: &mut Frame, arguments: &[String]) {
        match arguments.first().map(String::as_str) {
            None => {}
            Some(_) if !self.rpm.is_at_least(&[4, 19]) => {
                return self.fail(frame, "%getncpus: unexpected argument");
            }
            Some("total" | "proc" | "thread") => {}
            Some(other) => return self.fail(frame, format!("invalid argument: {other}")),
        }
        self.append(frame, &self.world.processor_count().to_string());
    }

    /// `%{xdg:…}`: what a variable of the environment says, or a folder in the home.
    fn xdg_folder(&self, frame: &mut Frame, kind: &str) {
        let (variable, folder) = match kind {
            "cache" => ("XDG_CACHE_HOME", ".cache"),
            "config" => ("XDG_CONFIG_HOME", ".config"),
            "data" => ("XDG_DATA_HOME", ".local/share"),
            "state" => ("XDG_STATE_HOME", ".local/state"),
            other => return self.fail(frame, format!("xdg: invalid argument: {other}")),
        };
        let named = self.variable(variable).filter(|path| !path.is_empty());
        let path = named.unwrap_or_else(|| format!("{}/{folder}", self.variable("HOME").unwrap_or_default()));
        self.append(frame, &path);
    }

    fn macro_body(&self, frame: &mut Frame, name: &str) {
        if name.is_empty() {
            return;
        }
        let body = self.table.borrow().get(name).map(|definition| definition.body.clone());
        match body {
            Some(body) => self.append(frame, &body),
            None => self.fail(frame, format!("no such macro: '{name}'")),
        }
    }

    /// rpm's own folder.
    pub(super) fn config_directory(&self) -> String {
        self.world.environment("RPM_CONFIGDIR").unwrap_or_else(|| "/usr/lib/rpm".into())
    }

    /// `%dump`: every definition in force, as rpm writes them to standard error.
    fn dump(&self) {
        let mut listing = String::from("========================\n");
        let table = self.table.borrow();
        let all = table.all();
        for (definition, used) in &all {
            let mark = if *used { '=' } else { ':' };
            // Writing to a string cannot fail.
            let _ = write!(listing, "{:3}{mark} {}", definition.level.0, definition.name);
            if let Some(options) = definition.options.as_deref().filter(|options| !options.is_empty()) {
                let _ = write!(listing, "({options})");
            }
            if !definition.body.is_empty() {
                let _ = write!(listing, "\t{}", definition.body);
            }
            listing.push('\n');
        }
        let _ = write!(listing, "======================== active {} empty 0", all.len());
        self.world.echo(&listing);
    }
}

#[cfg(test)]
mod tests {
    use super::BUILTINS;

    #[test]
    fn no_name_is_there_twice() {
        let mut names: Vec<_> = BUILTINS.iter().map(|builtin| builtin.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), BUILTINS.len());
    }
}
