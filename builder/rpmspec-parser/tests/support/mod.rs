//! What the tests against recorded behaviour of rpm share: the recordings, a machine, rpm's commands.

#![expect(clippy::unwrap_used, reason = "what is not there is the test's failure")]
#![expect(clippy::disallowed_methods, reason = "the environment names the recordings")]

use std::io::Write as _;
use std::path::PathBuf;

/// The folder of recordings, named by `PACKAGE_BUILDER_CORPUS`. Where it is missing, that is said loudly and the
/// test does nothing; under `CI` it fails.
pub(crate) fn corpus(what: &str) -> Option<PathBuf> {
    let corpus = std::env::var_os("PACKAGE_BUILDER_CORPUS").map(PathBuf::from).filter(|folder| folder.is_dir());
    if corpus.is_none() {
        let words = format!("SKIPPED: {what}: PACKAGE_BUILDER_CORPUS names no folder");
        assert!(std::env::var_os("CI").is_none(), "{words}");
        report(&words);
    }
    corpus
}

/// Says something even where a passing test's output is kept back.
pub(crate) fn report(words: &str) {
    std::io::stderr().write_all(format!("{words}\n").as_bytes()).unwrap();
}
