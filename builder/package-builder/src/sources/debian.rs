//! `debian:` origins: an upstream tarball as Debian ships it, by the host's `apt-get source`.
//!
//! apt checks the file against the signed archive; we check it against the tree's sha512 afterwards.

use crate::apt::{AptError, Indexes, PrivateApt};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Lists younger than this are asked without updating them.
const FRESH_ENOUGH: Duration = Duration::from_secs(24 * 3600);
/// When a version is not found, lists older than this are updated and asked once more.
const SURELY_FRESH: Duration = Duration::from_secs(10 * 60);

/// Our apt clients, one per suite, made when first needed.
pub(super) struct DebianArchives {
    directory: PathBuf,
    clients: Mutex<BTreeMap<Option<String>, ClientOrReason>>,
}

type ClientOrReason = Result<Arc<PrivateApt>, String>;

impl DebianArchives {
    /// Keeps each client's state below `directory`.
    pub(super) fn new(directory: PathBuf) -> DebianArchives {
        DebianArchives { directory, clients: Mutex::default() }
    }

    /// Downloads one file of a source package into `into` (an empty directory) and gives its path.
    pub(super) fn download(
        &self,
        source: &str,
        version: &str,
        suite: Option<&str>,
        which: Which<'_>,
        into: &Path,
    ) -> Result<PathBuf, String> {
        let mut reasons = Vec::new();
        // The suite that was named first; versions move between suites, so the host's own are asked as well.
        let suites = if suite.is_some() { vec![suite, None] } else { vec![None] };
        for suite in suites {
            match self.download_from(source, version, suite, which, into) {
                Ok(path) => return Ok(path),
                Err(reason) => reasons.push(reason),
            }
        }
        Err(reasons.join("\n"))
    }

    fn download_from(
        &self,
        source: &str,
        version: &str,
        suite: Option<&str>,
        which: Which<'_>,
        into: &Path,
    ) -> Result<PathBuf, String> {
        let apt = self.client(suite)?;
        let wanted = format!("{source}={version}");
        let mut arguments = vec!["-qq", "source", "--download-only"];
        if let Which::Like(_) = which {
            arguments.push("--tar-only");
        }
        arguments.push(&wanted);
        if let Err(error) = apt.run("apt-get", &arguments, Some(into)) {
            // The lists may be too old to know the version, or know one that has left the pool.
            apt.update(SURELY_FRESH).map_err(|error| error.to_string())?;
            let again = apt.run("apt-get", &arguments, Some(into));
            again.map_err(|_| explain(&apt, source, version, suite, &error))?;
        }
        pick(into, which)
    }

    fn client(&self, suite: Option<&str>) -> ClientOrReason {
        // Held while the lists are updated, so that a hundred sources cost one update.
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let directory = self.directory.join(suite.unwrap_or("host").replace('/', "_"));
            let apt = PrivateApt::new(&directory, suite, Indexes::Source)?;
            apt.update(FRESH_ENOUGH)?;
            Ok(Arc::new(apt))
        };
        let client = clients.entry(suite.map(str::to_owned));
        client.or_insert_with(|| make().map_err(|error: AptError| error.to_string())).clone()
    }
}

/// Says what the archive has instead, which is what one needs to mend the origin.
fn explain(apt: &PrivateApt, source: &str, version: &str, suite: Option<&str>, error: &AptError) -> String {
    let listing = apt.run("apt-cache", &["showsrc", "--only-source", source], None).unwrap_or_default();
    let mut versions: Vec<&str> = listing.lines().filter_map(|line| line.strip_prefix("Version: ")).collect();
    versions.sort_unstable();
    versions.dedup();
    let place = suite.map_or("the host's suites".to_owned(), |suite| format!("suite `{suite}`"));
    if versions.is_empty() {
        return format!("{place} has no source package `{source}`");
    }
    if versions.contains(&version) {
        return error.to_string();
    }
    format!("{place} has `{source}` only as {}; append `@SUITE` to ask another suite", versions.join(", "))
}

/// Which file of a source package is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which<'a> {
    /// The one of this name.
    Named(&'a str),
    /// The one of this name if there is one, else the upstream tarball (`NAME_VERSION.orig.tar.*`, not
    /// `.orig-COMPONENT.`; native packages have `NAME_VERSION.tar.*`).
    Like(&'a str),
}

/// The file that is wanted.
fn pick(directory: &Path, which: Which<'_>) -> Result<PathBuf, String> {
    let listing = fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut names: Vec<String> =
        listing.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let is_signature = |name: &str| name.ends_with(".asc") || name.ends_with(".sig");
    let of_kind = |kind: &str| names.iter().find(|name| name.contains(kind) && !is_signature(name));
    let named = |wanted: &str| names.iter().find(|name| *name == wanted);
    let chosen = match which {
        Which::Named(wanted) => named(wanted),
        Which::Like(wanted) => named(wanted)
            .or_else(|| of_kind(".orig.tar."))
            .or_else(|| names.iter().find(|name| is_native_tarball(name))),
    };
    match chosen {
        Some(name) => Ok(directory.join(name)),
        None => Err(format!("the source package has {}; append `#FILE` to choose", names.join(", "))),
    }
}

fn is_native_tarball(name: &str) -> bool {
    name.contains(".tar.") && ![".orig-", ".debian.tar.", ".asc", ".sig"].iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;

    fn picked(names: &[&str], which: Which<'_>) -> Result<String, String> {
        let directory = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(directory.path().join(name), "").unwrap();
        }
        pick(directory.path(), which).map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
    }

    #[test]
    fn the_upstream_tarball_is_picked_unless_another_file_is_named() {
        let names =
            ["a_1-1.debian.tar.xz", "a_1-1.dsc", "a_1.orig-doc.tar.gz", "a_1.orig.tar.gz", "a_1.orig.tar.gz.asc"];
        assert_eq!(picked(&names, Which::Like("a-1.tar.gz")).unwrap(), "a_1.orig.tar.gz");
        for which in [Which::Named("a_1.orig-doc.tar.gz"), Which::Like("a_1.orig-doc.tar.gz")] {
            assert_eq!(picked(&names, which).unwrap(), "a_1.orig-doc.tar.gz");
        }
        assert_eq!(picked(&["n_2.tar.xz", "n_2.dsc"], Which::Like("n.tar.xz")).unwrap(), "n_2.tar.xz");
        assert_eq!(
            picked(&["a_1.dsc"], Which::Named("b")).unwrap_err(),
            "the source package has a_1.dsc; append `#FILE` to choose"
        );
    }
}
