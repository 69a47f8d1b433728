//! The folders of an output directory.
//!
//! ```text
//! out/
//!   repo -> generations/<n>    what clients point at
//!   generations/<n>/           immutable; owned by the crate `repository`
//!   runs/<id>/                 events.jsonl, plan.json, lock.json, junit.xml, summary.json,
//!                              logs/<package>/<phase>.log
//!   work/<id>/                 a run's private files, gone with it
//!   state.sqlite               keys and identities of what is published, and what builds took
//!   lock                       held by the one writer
//! ```

use std::path::{Path, PathBuf};

/// The paths below one output directory.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout of an output directory, which need not exist.
    #[must_use]
    pub fn new(output: &Path) -> Self {
        Self { root: output.to_owned() }
    }

    /// The output directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What clients point at.
    #[must_use]
    pub fn repository(&self) -> PathBuf {
        self.root.join("repo")
    }

    /// All runs.
    #[must_use]
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// One run's records.
    #[must_use]
    pub fn run(&self, run: &str) -> PathBuf {
        self.runs().join(run)
    }

    /// The logs of one package in one run.
    #[must_use]
    pub fn logs(&self, run: &str, package: &str) -> PathBuf {
        self.run(run).join("logs").join(package)
    }

    /// Private files of all runs.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    /// Keys and identities of what is published, and what builds took.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.root.join("state.sqlite")
    }

    /// The lock of the one writer.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }
}
