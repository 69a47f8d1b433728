//! `rpm --eval`, `rpmspec -P` and `rpmspec -q` as rpm 4.18 runs them, made of this crate: enough of them to compare
//! with what rpm did.

mod machine;
mod query;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rpmspec_parser::macros::{Level, MacroContext, Macros, PreparedContext};
use rpmspec_parser::spec::decode;
use rpmspec_parser::{Diagnostic, Evaluation, Options, Place, Severity, World, evaluate_prepared};

pub(crate) use machine::Machine;

/// What a command did.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// What there was to say, with places.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

fn command_line() -> Place {
    Place { file: "<command line>".into(), line: 1, column: 1 }
}

/// Runs a command. `None`: it does something that has nothing to do with evaluation.
pub(crate) fn run(context: &MacroContext, argv: &[String], machine: &Machine) -> Option<Outcome> {
    let (program, options) = argv.split_first()?;
    let mut context = context.clone();
    if let Some(at) = options.iter().position(|option| option == "--macros") {
        let file = PathBuf::from(options.get(at + 1)?);
        let text = String::from_utf8_lossy(&machine.read_file(&file).ok()?).into_owned();
        context.files = vec![(file, text)];
    }
    if let Some(at) = options.iter().position(|option| option == "--target") {
        options.get(at + 1)?.split('-').next()?.clone_into(&mut context.target_cpu);
    }
    let context = PreparedContext::new(&context);
    let mut outcome = match program.as_str() {
        "rpm" => run_rpm(&context, options, machine)?,
        "rpmspec" => run_rpmspec(&context, options, machine)?,
        _ => return None,
    };
    outcome.stdout.insert_str(0, &machine.take_shown());
    outcome.stderr.insert_str(0, &machine.take_errors());
    tell(&mut outcome.stderr, &outcome.diagnostics);
    Some(outcome)
}

fn run_rpm(context: &PreparedContext, options: &[String], machine: &Machine) -> Option<Outcome> {
    let mut macros = Macros::prepared(context, machine);
    let mut outcome = Outcome::default();
    let mut options = options.iter();
    while let Some(option) = options.next() {
        if option == "-v" {
            macros.set_verbose(true);
            continue;
        }
        let value = options.next()?;
        let right = match option.as_str() {
            "--macros" => true,
            "--define" | "-D" => macros.define_text(value, Level::COMMAND_LINE, &command_line()),
            "--undefine" => {
                macros.undefine(value);
                true
            }
            "--eval" | "-E" => {
                let text = macros.expand_and_log(value, &command_line());
                if let Some(text) = &text {
                    machine.echo(text);
                }
                text.is_some()
            }
            _ => return None,
        };
        outcome.diagnostics.extend(macros.take_diagnostics());
        if !right {
            outcome.status = 1;
            break;
        }
    }
    Some(outcome)
}

fn run_rpmspec(context: &PreparedContext, options: &[String], machine: &Machine) -> Option<Outcome> {
    let mut context = context.clone();
    let (mut file, mut parse, mut format, mut requires, mut source) = (None, false, None, false, false);
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match option.as_str() {
            "--define" | "-D" => {
                let (name, body) = options.next()?.split_once(' ')?;
                context = context.with_definition(name, body);
            }
            "--target" => drop(options.next()),
            "-P" | "--parse" => parse = true,
            "-q" | "--query" | "--rpms" => {}
            "--qf" => format = Some(options.next()?.as_str()),
            "--requires" => requires = true,
            "--srpm" => source = true,
            option if option.starts_with('-') => return None,
            _ => file = Some(option.as_str()),
        }
    }
    let file = file?;
    let text = machine.read_file(Path::new(file)).ok()?;
    let evaluation = evaluate(&text, &context, machine, file);
    let mut outcome = Outcome { diagnostics: evaluation.diagnostics, ..Outcome::default() };
    match evaluation.package {
        None => {
            outcome.status = 1;
            if !parse {
                writeln!(outcome.stderr, "error: query of specfile {file} failed, can't parse").ok()?;
            }
        }
        Some(package) if parse => outcome.stdout = package.parsed,
        Some(package) if requires => outcome.stdout = query::requires(&package),
        Some(package) => outcome.stdout = query::query(&package, source, format)?,
    }
    Some(outcome)
}

/// Evaluates a spec's bytes.
pub(crate) fn evaluate(text: &[u8], context: &PreparedContext, machine: &Machine, path: &str) -> Evaluation {
    evaluate_prepared(&decode(text), context, machine, &Options { path: path.into() })
}

/// Writes diagnostics as rpm does.
fn tell(stderr: &mut String, diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        let hint = diagnostic.hint.as_deref().unwrap_or("");
        if diagnostic.message.starts_with("Unknown option") {
            *stderr += &format!("{hint}\n");
        }
        let word = if diagnostic.severity == Severity::Error { "error" } else { "warning" };
        let file = diagnostic.place.as_ref().filter(|place| !place.file.starts_with('<'));
        let prefix = file.map(|place| format!("{}: line {}: ", place.file, place.line)).unwrap_or_default();
        *stderr += &format!("{word}: {prefix}{}\n", diagnostic.message);
        if let Some(at) = hint.strip_prefix("look at character ").and_then(|rest| rest.split(' ').next()) {
            let words = diagnostic.message.split(": ").next().map_or(0, str::len);
            let width = at.parse::<usize>().unwrap_or(0) + words + 2;
            *stderr += &format!("{word}: {:>width$}\n", "^");
        }
    }
}
