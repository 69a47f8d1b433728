//! What specs evaluated to before, by everything that had a part in it.
//!
//! One folder holds what is known in one macro context, by one build of this program; in it is one file for each spec,
//! named after the spec's path and bytes. The file says what else the evaluation asked for (other files, shell answers,
//! the time …): it counts only while the world still answers all of that alike. So an answer from here is what
//! evaluating again would give, and nothing has to be declared out of date. What is damaged does not count either.

use std::fs;
use std::path::Path;

use rpmspec_parser::recording::{Question, Recording};
use rpmspec_parser::{Evaluation, MacroContext, World};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Context;
use super::kept::{Kept, name_of};

/// Part of every folder's name: raised when the files' form changes.
const FORM: &str = "2";

/// Below the cache folder.
const FOLDER: &str = "evaluated";

/// The evaluations known in one macro context.
#[derive(Debug)]
pub struct Remembered(Kept);

/// What a file holds.
#[derive(Serialize, Deserialize)]
struct Entry {
    /// What was asked, with the SHA-256 of the answer.
    asked: Vec<(Question, [u8; 32])>,
    /// What the spec wanted shown.
    echoed: Vec<String>,
    evaluation: Evaluation,
}

impl Remembered {
    /// Opens what is known in a context, in the folder `cache`. A folder that cannot be used remembers nothing.
    #[must_use]
    pub fn open(cache: &Path, context: &Context) -> Self {
        Self(Kept::open(&cache.join(FOLDER), &digest_of(context)))
    }

    /// What a spec evaluates to, if that is known and nothing has changed since.
    pub(super) fn look_up(&self, name: &str, spec: &[u8], world: &dyn World) -> Option<Evaluation> {
        let content = self.0.read(&name_of([name.as_bytes(), spec]))?;
        let entry: Entry = postcard::from_bytes(&content).ok()?;
        let same = |(question, answer): &(Question, [u8; 32])| digest(&question.ask(world)) == *answer;
        if !entry.asked.iter().all(same) {
            return None;
        }
        entry.echoed.iter().for_each(|line| world.echo(line));
        Some(entry.evaluation)
    }

    /// Remembers what a spec evaluates to. Where that is not possible it is evaluated again next time.
    pub(super) fn remember(&self, name: &str, spec: &[u8], recording: Recording<'_>, evaluation: &Evaluation) {
        let echoed = recording.echoed();
        let asked = recording.asked().into_iter().map(|(question, answer)| (question, digest(&answer))).collect();
        let entry = Entry { asked, echoed, evaluation: evaluation.clone() };
        let Ok(content) = postcard::to_allocvec(&entry) else { return };
        self.0.write(&name_of([name.as_bytes(), spec]), &content);
    }
}

/// The digest of a context and of this program: another build of it may evaluate otherwise.
fn digest_of(context: &Context) -> String {
    let program = std::env::current_exe().and_then(fs::metadata);
    let program = program.and_then(|program| Ok((program.len(), program.modified()?)));
    let MacroContext { files, rpmrc, target_cpu, target_os, defines, rpm } = context.source();
    let counts = [files.len(), rpmrc.len(), defines.len(), context.undefined().len()];
    let head = format!("{FORM} {} {:?} {counts:?}", env!("CARGO_PKG_VERSION"), program.ok());
    let parts = [head.as_str(), rpm.as_str(), target_cpu, target_os].map(str::as_bytes).into_iter();
    let files = files.iter().flat_map(|(path, text)| [path.as_os_str().as_encoded_bytes(), text.as_bytes()]);
    let defines = defines.iter().flat_map(|(name, body)| [name.as_bytes(), body.as_bytes()]);
    let texts = rpmrc.iter().chain(context.undefined()).map(String::as_bytes);
    name_of(parts.chain(files).chain(defines).chain(texts))
}

fn digest(answer: &[u8]) -> [u8; 32] {
    Sha256::digest(answer).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{HostWorld, Shell, evaluate_tree};

    const SPEC: &str = "Name: a\nVersion: %(cat %{_sourcedir}/version)\nRelease: 1\nSummary: %{?words}\nLicense: MIT\n\
        Requires: b >= 1:2-3, (c or (d and e))\nRequires(post): f\nProvides: g = 1\nSource0: a.tar\n%description\n\
        %package b\nSummary: b\n%description b\n%post b\ntrue\n%triggerin -- x\n%build\ntrue\n%{load:%{_sourcedir}/more}%files\n";

    struct Tree {
        folder: tempfile::TempDir,
    }

    impl Tree {
        fn new() -> Self {
            let tree = Self { folder: tempfile::tempdir().expect("a temporary folder") };
            fs::create_dir_all(tree.folder.path().join("SPECS/a")).expect("it can be made");
            for (name, text) in [("a.spec", SPEC), ("version", "1"), ("more", "%x 1\n")] {
                tree.write(name, text);
            }
            tree
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.folder.path().join("SPECS/a").join(name), text).expect("it can be written");
        }

        /// The version that the spec has, and whether it was evaluated for that.
        fn evaluate(&self, words: &str) -> (String, bool) {
            let source = MacroContext {
                target_cpu: "x86_64".into(),
                target_os: "linux".into(),
                defines: [("_sourcedir", "/build/SOURCES"), ("buildroot", "/root"), ("words", words)]
                    .map(|(name, body)| (name.into(), body.into()))
                    .to_vec(),
                ..MacroContext::default()
            };
            let world = HostWorld::new(0, &source, Shell::Host);
            let context = Context::new(source, Vec::new());
            let remembered = Remembered::open(&self.folder.path().join("cache"), &context);
            let (tree, specs) = (self.folder.path(), self.folder.path().join("SPECS"));
            let (specs, broken) = evaluate_tree(tree, &specs, &context, &world, &remembered).expect("it is listed");
            assert_eq!(broken.len(), 0, "{broken:?}");
            (specs[0].package.version.clone(), context.is_read())
        }
    }

    #[test]
    fn a_spec_is_evaluated_again_when_something_it_asked_for_has_changed() {
        let tree = Tree::new();
        assert_eq!(tree.evaluate("Words"), ("1".to_owned(), true));
        assert_eq!(tree.evaluate("Words"), ("1".to_owned(), false));
        tree.write("version", "2");
        assert_eq!(tree.evaluate("Words"), ("2".to_owned(), true), "the shell answers otherwise");
        tree.write("more", "%x 2\n");
        assert_eq!(tree.evaluate("Words"), ("2".to_owned(), true), "a file reads otherwise");
        assert_eq!(tree.evaluate("Other"), ("2".to_owned(), true), "the context differs");
        tree.write("a.spec", &SPEC.replace("MIT", "BSD"));
        assert_eq!(tree.evaluate("Words"), ("2".to_owned(), true), "the spec differs");
        tree.write("a.spec", SPEC);
        tree.write("version", "1");
        tree.write("more", "%x 1\n");
        assert_eq!(tree.evaluate("Words"), ("1".to_owned(), true), "only the last answer is known");
        assert_eq!(tree.evaluate("Words"), ("1".to_owned(), false));
    }

    #[test]
    fn what_is_damaged_does_not_count() {
        let tree = Tree::new();
        tree.evaluate("Words");
        let files = walkdir::WalkDir::new(tree.folder.path().join("cache")).into_iter().filter_map(Result::ok);
        for file in files.filter(|file| file.file_type().is_file()) {
            let mut bytes = fs::read(file.path()).expect("it is read");
            *bytes.last_mut().expect("it is not empty") ^= 1;
            fs::write(file.path(), bytes).expect("it is written");
        }
        assert_eq!(tree.evaluate("Words"), ("1".to_owned(), true));
    }
}
