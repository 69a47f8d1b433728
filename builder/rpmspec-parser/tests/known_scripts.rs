//! Scripts of rpm's macros that are answered without Lua say what they say in Lua: text, errors, places.
//!
//! `PACKAGE_BUILDER_CORPUS` names the folder with rpm's macros. Those of this machine's rpm are tried too, and those of
//! other versions that `PACKAGE_BUILDER_MACROS` names: their files called `macros`, with `:` between them.

#![expect(clippy::disallowed_methods, reason = "the corpus is read from files")]
#![expect(clippy::unwrap_used, reason = "what is not there is the test's failure")]
#![expect(dead_code, reason = "of the corpus, only its macros are used")]

#[path = "../examples/score/corpus.rs"]
mod corpus;
mod support;

use std::io;
use std::path::{Path, PathBuf};

use rpmspec_parser::world::NoWorld;
use rpmspec_parser::{MacroContext, Options, RpmVersion, World, evaluate};

const HEAD: &str = "Name: a\nVersion: 1\nRelease: 1\nSummary: s\nLicense: l\n\
    Patch0: there-0.patch\nPatch1: missing-1.patch\nPatch2: there%%-2.patch\nPatch7: there-7.patch\nPatch8: a(b).there\n";

const CASES: &[&str] = &[
    "%prep\n%autosetup\n",
    "%prep\n%autosetup -p1 -n %{name}\n",
    "%prep\n%autosetup -v -S git -p 2\n",
    "%prep\n%autosetup -S quilt -N\n%autopatch -p3 -m 1 -M 7\n",
    "%prep\n%autosetup -N\n%autopatch -p1 7 0 02\n",
    "%prep\n%autopatch -M2 -m1\n%autopatch -m2 -m8\n",
    "%prep\n%autopatch -m 0x2\n%autopatch -m 1.5\n%autopatch -m ' 2 '\n%autopatch -m x\n%autopatch -m -1\n",
    "%prep\n%autopatch 9\n",
    "%prep\n%autopatch -m 3 -M 6\n%autopatch -q -m 3 -M 6\n%autopatch -q 0 9\n",
    "%prep\n%autopatch -q -p1\n",
    "%prep\n%autopatch 0 9 7\n",
    "%prep\n%autopatch 0x7 7.0\n%autopatch x\n",
    "%prep\n%autopatch -m 9999999999999999999\n",
    "%prep\n%autopatch -z\n",
    "%prep\n%autopatch -m\n",
    "%global __scm_apply_patch(qp:m:) %%{error:no patches today}\n%prep\n%autopatch 0\necho on\n",
    "%global __scm_apply_patch(qp:m:) %%{error:no patches today}\n%prep\n%autopatch\necho on\n",
    "%global __scm nothing\n%prep\n%autopatch 0 1\n",
    "%undefine __scm\n%prep\n%autopatch 0 1\n",
    "%global __apply_patch(qp:m:) %{lua:print(#arg .. rpm.expand('%{1}') .. #patches)}\n%prep\n%autopatch 0 1\n",
    "%{lua:patches[1] = 'other'}\n%prep\n%autopatch 0\n",
    "%{lua:function tonumber() return 7 end}\n%prep\n%autopatch 0\n",
    "%prep\n%autopatch 0\n%{lua:posix.access = nil}\n%autopatch 0\n",
    "%global again(vp:m:M:) %{macrobody:autopatch}\n%prep\n%again 2 -p1\n",
    "%define deep() %{?1:%{deep}}%autopatch 0\n%prep\n%{deep x}\n",
    "%prep\n%__apply_patch -p1 -m x %{PATCH0} 4\n%__apply_patch\n%__apply_patch /%%/there /there\n",
];

struct Patches;

impl World for Patches {
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        NoWorld.read_file(path)
    }

    fn exists(&self, path: &Path) -> bool {
        path.to_string_lossy().contains("there")
    }

    fn glob(&self, _pattern: &str) -> Vec<PathBuf> {
        Vec::new()
    }

    fn shell(&self, _command: &str) -> io::Result<Vec<u8>> {
        Ok(b"1\n".to_vec())
    }

    fn environment(&self, _name: &str) -> Option<String> {
        None
    }

    fn now(&self) -> i64 {
        0
    }
}

#[test]
fn what_is_known_agrees_with_lua() {
    let Some(folder) = support::corpus("the scripts of rpm's macros") else { return };
    let corpus = corpus::Corpus::read(&folder, "shell-answers-photon.json").unwrap();
    known_agrees_with_lua(&corpus.context("x86_64", &[]));
}

/// `PACKAGE_BUILDER_MACROS` may name macro files of other versions of rpm than this machine's.
#[test]
fn what_is_known_of_other_versions_agrees_with_lua() {
    let named = std::env::var_os("PACKAGE_BUILDER_MACROS").unwrap_or_default();
    let named = std::env::split_paths(&named).filter(|path| !path.as_os_str().is_empty());
    for path in named.chain([PathBuf::from("/usr/lib/rpm/macros")]) {
        let Ok(text) = std::fs::read_to_string(&path) else {
            let words = format!("SKIPPED: the scripts of rpm's macros: there is no {}", path.display());
            assert!(std::env::var_os("CI").is_none(), "{words}");
            support::report(&words);
            continue;
        };
        // Only newer ones have the option.
        let version = if text.contains("%autopatch(vqp:") { "4.20.1" } else { "4.18.0" };
        known_agrees_with_lua(&MacroContext {
            files: vec![(path, text)],
            target_cpu: "x86_64".into(),
            target_os: "linux".into(),
            rpm: RpmVersion::parse(version).unwrap(),
            ..MacroContext::default()
        });
    }
}

fn known_agrees_with_lua(known: &MacroContext) {
    // A blank more, and a script is not known any more.
    let unknown = MacroContext {
        files: known.files.iter().map(|(path, text)| (path.clone(), text.replace("{lua:", "{lua: "))).collect(),
        ..known.clone()
    };
    let options = Options { path: "/specs/a.spec".into() };
    let mut applied = 0;
    for case in CASES {
        let spec = format!("{HEAD}%description\nd\n{case}%files\n");
        let [by_us, by_lua] = [known, &unknown].map(|context| evaluate(&spec, context, &Patches, &options));
        let texts = [&by_us, &by_lua].map(|it| it.package.as_ref().map(|package| package.parsed.as_str()));
        assert_eq!(texts[0], texts[1], "{case}");
        assert_eq!(by_us.diagnostics, by_lua.diagnostics, "{case}");
        applied += texts[0].map_or(0, |text| text.matches(" | ").count() + text.matches("Cannot read").count());
    }
    assert!(applied > 20, "only {applied} patches are applied");
}
