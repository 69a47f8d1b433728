//! libsolv as an oracle, in one long-lived Python process: what it installs into an empty root.
//!
//! Both sides are asked the same: can these needs be installed together, from these packages alone, without weak
//! dependencies. The packages reach libsolv as repodata, as they would reach dnf.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rpmspec_parser::rpm::{Capability, Dependency, PackageMetadata, Relation};
use serde_json::{Value, json};

/// Debian's own Python, which its packages are for.
const PYTHON: &str = "/usr/bin/python3";
const SCRIPT: &str = include_str!("oracle.py");

/// What is to be installed.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// What must be met.
    pub needs: Vec<Dependency>,
    /// What must not be there.
    pub refuses: Vec<Dependency>,
    /// Packages that may not be used, as NEVRA.
    pub without: Vec<String>,
}

/// What libsolv says of some requests.
#[derive(Clone, Debug)]
pub struct Answers {
    /// For each: the packages as NEVRA, sorted, or what is wrong.
    pub found: Vec<Result<Vec<String>, String>>,
    /// The seconds of reading and indexing the packages.
    pub load: f64,
    /// The seconds of the solver, all requests together, Python's part left out.
    pub solve: f64,
}

/// The process.
#[derive(Debug)]
pub struct Libsolv {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    folder: tempfile::TempDir,
}

impl Libsolv {
    /// Starts it; `None` where Python's binding of libsolv is not installed.
    ///
    /// # Panics
    /// There is no room for a temporary folder, or no process can be started.
    #[must_use]
    pub fn start() -> Option<Self> {
        let is_there = Command::new(PYTHON).args(["-c", "import solv"]).stderr(Stdio::null()).status();
        if !is_there.is_ok_and(|status| status.success()) {
            return None;
        }
        let mut command = Command::new(PYTHON);
        command.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("Python was started before");
        let questions = process.stdin.take().expect("the input is piped");
        let answers = BufReader::new(process.stdout.take().expect("the output is piped"));
        Some(Self { process, questions, answers, folder: tempfile::tempdir().expect("a temporary folder") })
    }

    /// Asks it about requests to some packages.
    ///
    /// # Panics
    /// The process ends or writes what is no answer.
    pub fn ask<'a>(&mut self, packages: impl IntoIterator<Item = &'a PackageMetadata>, wanted: &[Wanted]) -> Answers {
        let path = self.folder.path().join("primary.xml");
        std::fs::write(&path, primary(packages)).expect("the packages are written");
        self.ask_file(&path, wanted)
    }

    /// Like [`Libsolv::ask`], for packages that are written already.
    ///
    /// # Panics
    /// The process ends or writes what is no answer.
    pub fn ask_file(&mut self, primary: &Path, wanted: &[Wanted]) -> Answers {
        let texts = |list: &[Dependency]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let request =
            |one: &Wanted| json!({"needs": texts(&one.needs), "refuses": texts(&one.refuses), "without": one.without});
        let requests: Vec<Value> = wanted.iter().map(request).collect();
        let question = json!({"primary": primary, "requests": requests});
        writeln!(self.questions, "{question}").expect("the process listens");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the process answers");
        let answer: Value = serde_json::from_str(&line).expect("the answer is JSON; Python's error is above");
        let found = answer["answers"].as_array().expect("answers");
        let found = found.iter().map(|one| match one.as_str() {
            Some(problem) => Err(problem.to_owned()),
            None => Ok(serde_json::from_value(one.clone()).expect("a list of packages")),
        });
        let seconds = |key: &str| answer[key].as_f64().expect("seconds");
        Answers { found: found.collect(), load: seconds("load"), solve: seconds("solve") }
    }
}

impl Drop for Libsolv {
    fn drop(&mut self) {
        // It holds nothing that is lost.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Packages as a repository's primary metadata.
#[must_use]
pub fn primary<'a>(packages: impl IntoIterator<Item = &'a PackageMetadata>) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata xmlns=\"http://linux.duke.edu/metadata/common\" \
         xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"1\">\n",
    );
    for (number, package) in packages.into_iter().enumerate() {
        let nevra = &package.nevra;
        // A string takes whatever is written to it.
        let _ = write!(
            text,
            "<package type=\"rpm\"><name>{}</name><arch>{}</arch><version epoch=\"{}\" ver=\"{}\" rel=\"{}\"/>\
             <checksum type=\"sha256\" pkgid=\"YES\">{number:064x}</checksum><format>",
            escaped(&nevra.name),
            nevra.arch,
            nevra.evr.epoch.unwrap_or(0),
            escaped(&nevra.evr.version),
            escaped(&nevra.evr.release),
        );
        let capabilities = |list: &[Capability]| list.iter().map(entry).collect::<String>();
        let dependencies = |list: &[Dependency]| list.iter().map(dependency).collect::<String>();
        for (tag, entries) in [
            ("provides", capabilities(&package.provides)),
            ("requires", dependencies(&package.requires)),
            ("conflicts", dependencies(&package.conflicts)),
            ("obsoletes", capabilities(&package.obsoletes)),
        ] {
            let _ = write!(text, "<rpm:{tag}>{entries}</rpm:{tag}>");
        }
        for file in &package.files {
            let _ = write!(text, "<file>{}</file>", escaped(file));
        }
        text.push_str("</format></package>\n");
    }
    text + "</metadata>\n"
}

fn dependency(dependency: &Dependency) -> String {
    match dependency {
        Dependency::Capability(capability) => entry(capability),
        Dependency::Rich(_) => format!("<rpm:entry name=\"{}\"/>", escaped(&dependency.to_string())),
    }
}

fn entry(capability: &Capability) -> String {
    let name = escaped(&capability.name);
    let Some((relation, evr)) = &capability.version else { return format!("<rpm:entry name=\"{name}\"/>") };
    let flags = match relation {
        Relation::Less => "LT",
        Relation::LessOrEqual => "LE",
        Relation::Equal => "EQ",
        Relation::GreaterOrEqual => "GE",
        Relation::Greater => "GT",
    };
    let (epoch, version) = (evr.epoch.unwrap_or(0), escaped(&evr.version));
    let release = if evr.release.is_empty() { String::new() } else { format!(" rel=\"{}\"", escaped(&evr.release)) };
    format!("<rpm:entry name=\"{name}\" flags=\"{flags}\" epoch=\"{epoch}\" ver=\"{version}\"{release}/>")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
