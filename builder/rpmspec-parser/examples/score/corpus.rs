//! The corpus as a world: its files in memory, its recorded shell answers, nothing of this machine.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rpmspec_parser::{Evaluation, MacroContext, Options, PreparedContext, RpmVersion, World, evaluate_prepared};
use serde_json::Value;

/// Where the corpus' specs and macro files were when the answers were recorded.
const SPECS: &str = "/corpus/";
const MOUNTS: [(&str, &str); 2] = [("usr-lib-rpm", "/usr/lib/rpm"), ("etc-rpm", "/etc/rpm")];

/// A corpus, unpacked in memory.
pub(crate) struct Corpus {
    files: BTreeMap<PathBuf, Vec<u8>>,
    answers: BTreeMap<String, String>,
    context: Value,
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// Reads a file of the corpus, unpacked where its name ends in `.zst`.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let content = std::fs::read(path).map_err(|error| invalid(&format!("{}: {error}", path.display())))?;
    if path.extension().is_some_and(|extension| extension == "zst") {
        return zstd::decode_all(content.as_slice());
    }
    Ok(content)
}

fn unpack(path: &Path) -> io::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let content = read(path)?;
    let mut archive = tar::Archive::new(content.as_slice());
    let mut files = BTreeMap::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            // The archive's own top folder is of no interest.
            files.insert(entry.path()?.components().skip(1).collect(), bytes);
        }
    }
    Ok(files)
}

impl Corpus {
    /// Reads a corpus folder; `answers` is the name of its recorded shell answers.
    pub(crate) fn read(folder: &Path, answers: &str) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        for (path, content) in unpack(&folder.join("photon-dev-specs.tar.zst"))? {
            files.insert(Path::new(SPECS).join(path), content);
        }
        let mut context = Value::Null;
        for (path, content) in unpack(&folder.join("context-photon.tar.zst"))? {
            if path == Path::new("context.json") {
                context = serde_json::from_slice(&content)?;
            }
            for (name, mount) in MOUNTS {
                if let Ok(rest) = path.strip_prefix(name) {
                    files.insert(Path::new(mount).join(rest), content.clone());
                }
            }
        }
        let recorded: Value = serde_json::from_slice(&read(&folder.join(answers))?)?;
        let recorded = recorded.as_array().ok_or_else(|| invalid("the shell answers are no list"))?;
        let answers = recorded
            .iter()
            .filter_map(|answer| Some((answer["cmd"].as_str()?.to_owned(), answer["out"].as_str()?.to_owned())))
            .collect();
        Ok(Self { files, answers, context })
    }

    /// The paths of the specs, below the corpus' top.
    pub(crate) fn specs(&self) -> Vec<String> {
        self.files
            .keys()
            .filter_map(|path| path.to_str()?.strip_prefix(SPECS))
            .filter(|path| path.starts_with("SPECS/") && path.ends_with(".spec"))
            .map(str::to_owned)
            .collect()
    }

    /// A spec's text, and the path it is evaluated at.
    pub(crate) fn spec(&self, path: &str) -> (String, PathBuf) {
        let path = Path::new(SPECS).join(path);
        let content = self.files.get(&path).map(Vec::as_slice).unwrap_or_default();
        (String::from_utf8_lossy(content).into_owned(), path)
    }

    /// Evaluates a spec.
    pub(crate) fn evaluate(&self, spec: &str, context: &PreparedContext) -> Evaluation {
        let (text, path) = self.spec(spec);
        self.evaluate_text(&text, path, context)
    }

    /// Evaluates a text at the path of a spec.
    pub(crate) fn evaluate_text(&self, text: &str, path: PathBuf, context: &PreparedContext) -> Evaluation {
        let folder = path.parent().unwrap_or(Path::new("/")).display().to_string();
        evaluate_prepared(text, &context.with_definition("_sourcedir", &folder), self, &Options { path })
    }

    /// The version of the rpm that was asked (`rpm 4.18.0 (…)`).
    fn rpm(&self) -> RpmVersion {
        let oracle = self.context["oracle"].as_str().unwrap_or_default();
        RpmVersion::parse(oracle.trim_start_matches("rpm ")).unwrap_or_default()
    }

    /// The macro context for an architecture, with more definitions on top.
    pub(crate) fn context(&self, arch: &str, defines: &[(&str, &str)]) -> MacroContext {
        let text = |path: &str| -> Option<(PathBuf, String)> {
            let path = path.replace("%{_target}", &format!("{arch}-linux"));
            let (mount, rest) = path.split_once('/')?;
            let (_, mount) = MOUNTS.iter().find(|(name, _)| *name == mount)?;
            let path = Path::new(mount).join(rest);
            let content = self.files.get(&path)?;
            Some((path, String::from_utf8_lossy(content).into_owned()))
        };
        let list = |key: &str| self.context[key].as_array().cloned().unwrap_or_default();
        let mut all: Vec<(String, String)> = list("defines")
            .iter()
            .filter_map(|define| Some((define["name"].as_str()?.to_owned(), define["value"].as_str()?.to_owned())))
            .collect();
        all.extend(defines.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        MacroContext {
            files: list("macro_files").iter().filter_map(|path| text(path.as_str()?)).collect(),
            rpmrc: list("rcfiles").iter().filter_map(|path| Some(text(path.as_str()?)?.1)).collect(),
            target_cpu: arch.to_owned(),
            target_os: "linux".to_owned(),
            rpm: self.rpm(),
            defines: all,
        }
    }
}

impl World for Corpus {
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn exists(&self, path: &Path) -> bool {
        let next = self.files.range(path.to_path_buf()..).next();
        next.is_some_and(|(found, _)| found.starts_with(path))
    }

    fn glob(&self, _pattern: &str) -> Vec<PathBuf> {
        Vec::new()
    }

    fn shell(&self, command: &str) -> io::Result<Vec<u8>> {
        match self.answers.get(command) {
            Some(answer) => Ok(answer.clone().into_bytes()),
            None => Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("no recorded answer: {command}"))),
        }
    }

    fn environment(&self, _name: &str) -> Option<String> {
        None
    }

    fn plain_commands(&self) -> bool {
        true
    }

    fn lua_version(&self) -> &str {
        // That of the rpm that was recorded.
        "Lua 5.3"
    }

    fn now(&self) -> i64 {
        1_730_000_000
    }
}
