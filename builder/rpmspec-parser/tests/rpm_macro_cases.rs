//! rpm's own macro cases (`rpm --eval`), run through the engine.
//!
//! The cases are others' work and not part of the project: `PACKAGE_BUILDER_CORPUS` names the folder that has
//! `rpm-testsuite-cases.json` and `bad-inputs.json`. Without it the tests say so and do nothing.
#![expect(clippy::disallowed_methods, reason = "the tests give the engine a world: this machine")]
#![expect(clippy::unwrap_used, reason = "what is not there is the test's failure")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use rpmspec_parser::macros::{Level, MacroContext, Macros, PreparedContext};
use rpmspec_parser::{Diagnostic, Place, Severity, World};
use serde::Deserialize;

/// A case of rpm's suite.
#[derive(Deserialize)]
struct Case {
    name: String,
    line: u32,
    holds_on_4_18_0: bool,
    newer: Option<bool>,
    commands: Vec<Recorded>,
    files: BTreeMap<String, String>,
}

/// A command and what rpm 4.18 answered.
#[derive(Deserialize)]
struct Recorded {
    argv: Vec<String>,
    status: i32,
    stdout: String,
    stderr: String,
}

/// A malformed or hostile input and what rpm 4.18 answered.
#[derive(Deserialize)]
struct BadInput {
    id: String,
    tool: String,
    #[serde(default)]
    args: Vec<String>,
    exit: serde_json::Value,
    stdout: String,
    stderr: String,
}

/// This machine, with one folder as the current one.
struct Host {
    folder: PathBuf,
    shown: Mutex<String>,
    errors: Mutex<String>,
}

impl Host {
    fn new(folder: PathBuf) -> Self {
        Self { folder, shown: Mutex::default(), errors: Mutex::default() }
    }
}

impl World for Host {
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(self.folder.join(path))
    }

    fn exists(&self, path: &Path) -> bool {
        self.folder.join(path).exists()
    }

    fn glob(&self, _pattern: &str) -> Vec<PathBuf> {
        Vec::new()
    }

    fn shell(&self, command: &str) -> io::Result<Vec<u8>> {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(command).current_dir(&self.folder).stdin(Stdio::null());
        let output = shell.output()?;
        self.errors.lock().unwrap().push_str(&String::from_utf8_lossy(&output.stderr));
        Ok(output.stdout)
    }

    fn environment(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn processor_count(&self) -> usize {
        std::thread::available_parallelism().unwrap().get()
    }

    fn now(&self) -> i64 {
        0
    }

    fn echo(&self, text: &str) {
        writeln!(self.shown.lock().unwrap(), "{text}").unwrap();
    }
}

/// What a command did.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    status: i32,
    stdout: String,
    stderr: String,
}

/// Runs `rpm` with options that define and evaluate; `None` for a command that does something else.
fn run(context: &PreparedContext, argv: &[String], world: &Host) -> Option<Outcome> {
    let place = Place { file: "<command line>".into(), line: 1, column: 1 };
    let mut macros = Macros::prepared(context, world);
    let mut stderr = String::new();
    let mut options = argv.iter().skip(1);
    let mut status = 0;
    while let Some(option) = options.next() {
        let value = options.next()?;
        match option.as_str() {
            "--define" | "-D" => {
                // rpm reads it as it does a line of a macro file.
                let defined = macros.define_text(value, Level::COMMAND_LINE, &place);
                tell(&mut stderr, &macros.take_diagnostics());
                if !defined {
                    status = 1;
                    break;
                }
            }
            "--undefine" => macros.undefine(value),
            "--eval" | "-E" => match macros.expand_and_log(value, &place) {
                Some(text) => {
                    world.echo(&text);
                    tell(&mut stderr, &macros.take_diagnostics());
                }
                None => {
                    tell(&mut stderr, &macros.take_diagnostics());
                    status = 1;
                    break;
                }
            },
            _ => return None,
        }
    }
    let stdout = std::mem::take(&mut *world.shown.lock().unwrap());
    let stderr = std::mem::take(&mut *world.errors.lock().unwrap()) + &stderr;
    Some(Outcome { status, stdout, stderr })
}

/// Writes diagnostics as rpm does.
fn tell(stderr: &mut String, diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        let hint = diagnostic.hint.as_deref().unwrap_or("");
        if diagnostic.message.starts_with("Unknown option") {
            writeln!(stderr, "{hint}").unwrap();
        }
        let word = if diagnostic.severity == Severity::Error { "error" } else { "warning" };
        let file = diagnostic.place.as_ref().filter(|place| !place.file.starts_with('<'));
        let prefix = file.map(|place| format!("{}: line {}: ", place.file, place.line)).unwrap_or_default();
        writeln!(stderr, "{word}: {prefix}{}", diagnostic.message).unwrap();
        if let Some(at) = hint.strip_prefix("look at character ").and_then(|rest| rest.split(' ').next()) {
            let words = diagnostic.message.split(": ").next().unwrap().len();
            let width = at.parse::<usize>().unwrap() + words + 2;
            writeln!(stderr, "{word}: {:>width$}", "^").unwrap();
        }
    }
}

/// The macro files of a distribution, as the yardstick has them: `context.json` says their order.
fn context(corpus: &Path) -> PreparedContext {
    #[derive(Deserialize)]
    struct Listing {
        macro_files: Vec<String>,
        rcfiles: Vec<String>,
        mounts: BTreeMap<String, String>,
    }
    let packed = std::fs::read(corpus.join("context-photon.tar.zst")).unwrap();
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(zstd::Decoder::new(&*packed).unwrap()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let mut content = Vec::new();
        io::Read::read_to_end(&mut entry, &mut content).unwrap();
        let name = path.trim_start_matches("./").split_once('/').map_or("", |(_, name)| name).to_owned();
        files.insert(name, String::from_utf8_lossy(&content).into_owned());
    }
    let listing: Listing = serde_json::from_str(&files["context.json"]).unwrap();
    let mounted = |name: &str| {
        let (folder, rest) = name.split_once('/').unwrap();
        PathBuf::from(&listing.mounts[folder]).join(rest)
    };
    let text = |name: &String| {
        let name = name.replace("%{_target}", "x86_64-linux");
        (mounted(&name), files[&name].clone())
    };
    PreparedContext::new(&MacroContext {
        files: listing.macro_files.iter().map(text).collect(),
        rpmrc: listing.rcfiles.iter().map(|name| files[name].clone()).collect(),
        target_cpu: "x86_64".into(),
        target_os: "linux".into(),
        defines: Vec::new(),
    })
}

/// The folder of the yardstick, if there is one.
fn corpus() -> Option<PathBuf> {
    let corpus = std::env::var_os("PACKAGE_BUILDER_CORPUS").map(PathBuf::from);
    if corpus.is_none() {
        let words = "SKIPPED: rpm's macro cases were not run: PACKAGE_BUILDER_CORPUS names no folder\n";
        io::stderr().write_all(words.as_bytes()).unwrap();
    }
    corpus
}

fn report(words: &str) {
    io::stderr().write_all(words.as_bytes()).unwrap();
}

#[test]
fn rpms_own_cases_agree() {
    let Some(corpus) = corpus() else { return };
    let text = std::fs::read_to_string(corpus.join("rpm-testsuite-cases.json")).unwrap();
    let context = context(&corpus);
    let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
    let folder = std::env::temp_dir().join(format!("rpm-macro-cases-{}", std::process::id()));
    let (mut all, mut same_output, mut same_all) = (0, 0, 0);
    for case in cases.iter().filter(|case| case.newer != Some(true)) {
        let case_folder = folder.join(case.line.to_string());
        std::fs::create_dir_all(&case_folder).unwrap();
        for (name, content) in &case.files {
            std::fs::write(case_folder.join(name), content).unwrap();
        }
        let world = Host::new(case_folder);
        for command in &case.commands {
            if command.argv[0] != "rpm" {
                continue;
            }
            let Some(outcome) = run(&context, &command.argv, &world) else { continue };
            all += 1;
            let output = outcome.status == command.status && outcome.stdout == command.stdout;
            same_output += usize::from(output);
            same_all += usize::from(output && outcome.stderr == command.stderr);
            if !output || outcome.stderr != command.stderr {
                let holds = if case.holds_on_4_18_0 { "" } else { " (rpm 4.18.0 fails it)" };
                report(&format!(
                    "DIFFERS{holds}: {} {:?}\n  rpm  {} {:?} {:?}\n  ours {} {:?} {:?}\n",
                    case.name,
                    command.argv,
                    command.status,
                    command.stdout,
                    command.stderr,
                    outcome.status,
                    outcome.stdout,
                    outcome.stderr,
                ));
            }
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
    report(&format!(
        "rpm's cases: {all} commands, {same_output} with the same output, {same_all} also the same words\n"
    ));
    assert!(all >= 200, "only {all} commands were run");
    assert!(same_output >= 200, "only {same_output} of {all} commands have the same output");
}

#[test]
fn bad_inputs_agree() {
    let Some(corpus) = corpus() else { return };
    let text = std::fs::read_to_string(corpus.join("bad-inputs.json")).unwrap();
    let inputs: Vec<BadInput> = serde_json::from_str(&text).unwrap();
    let context = context(&corpus);
    let world = Host::new(std::env::temp_dir());
    let (mut all, mut same) = (0, 0);
    for input in inputs.iter().filter(|input| input.tool == "rpm") {
        let argv: Vec<String> = std::iter::once("rpm".to_owned()).chain(input.args.iter().cloned()).collect();
        if argv.iter().any(|argument| argument.ends_with(" bytes)")) {
            // Cut short in the listing; a unit test has these.
            continue;
        }
        let Some(outcome) = run(&context, &argv, &world) else { continue };
        all += 1;
        let agrees = input.exit == outcome.status && outcome.stdout == input.stdout && outcome.stderr == input.stderr;
        same += usize::from(agrees);
        if !agrees {
            let short = |text: &str| text.chars().take(300).collect::<String>();
            report(&format!(
                "DIFFERS: {} {}\n  rpm  {} {:?} {:?}\n  ours {} {:?} {:?}\n",
                input.id,
                short(&format!("{:?}", input.args)),
                input.exit,
                short(&input.stdout),
                short(&input.stderr),
                outcome.status,
                short(&outcome.stdout),
                short(&outcome.stderr),
            ));
        }
    }
    report(&format!("bad inputs: {all} commands, {same} the same\n"));
    assert!(all >= 30, "only {all} commands were run");
}
