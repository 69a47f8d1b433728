//! Resolving and downloading: which packages apt would install into nothing, and their files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::trouble::Trouble;
use crate::apt::{Indexes, PrivateApt};
use crate::seeds::{DebianSeed, SeedError, sha256_of_file, store};

/// One package of a resolution.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct ResolvedPackage {
    /// Its Debian name.
    pub(super) name: String,
    /// Its full Debian version.
    pub(super) version: String,
    /// The name apt gives the file.
    pub(super) file: String,
    /// Its size in bytes.
    pub(super) size: u64,
    /// SHA-256 of the file, hexadecimal, as the signed index has it.
    pub(super) sha256: String,
}

/// apt's state for a suite, shared by all seeds of that suite.
pub(super) struct Fetcher<'a> {
    trouble: Trouble<'a>,
    apt: PrivateApt,
}

impl<'a> Fetcher<'a> {
    /// Sets apt up; uses no network. `resolution` is the file that holds the recorded resolution, for errors.
    pub(super) fn new(
        seed: &'a str,
        settings: &'a DebianSeed,
        cache: &Path,
        resolution: &'a Path,
    ) -> Result<Self, SeedError> {
        let trouble = Trouble { seed, settings, resolution };
        trouble.check_names()?;
        let directory = cache.join("apt").join(&settings.suite);
        let apt = PrivateApt::new(&directory, Some(&settings.suite), Indexes::Binary);
        let apt = apt.map_err(|error| trouble.of_apt("setting apt up", &error))?;
        Ok(Self { trouble, apt })
    }

    /// Resolves the closure of the wanted packages. Updates the lists when they are older than a day or
    /// `refresh` is set.
    pub(super) fn resolve(&self, refresh: bool) -> Result<Vec<ResolvedPackage>, SeedError> {
        let age = if refresh { Duration::ZERO } else { Duration::from_secs(24 * 60 * 60) };
        self.update(age)?;
        // apt names no package whose file it has already, so it is shown a folder that has none.
        let nothing = tempfile::tempdir().and_then(|folder| {
            std::fs::create_dir(folder.path().join("partial"))?;
            Ok(folder)
        });
        let nothing = nothing.map_err(|source| SeedError::Io { path: std::env::temp_dir(), source })?;
        let archives = format!("Dir::Cache::archives={}", nothing.path().display());
        let mut arguments = vec!["-o", "Acquire::ForceHash=sha256", "-o", &archives, "-qq", "--print-uris", "install"];
        arguments.extend(self.trouble.settings.packages.iter().map(String::as_str));
        let output = self.apt.run("apt-get", &arguments, None);
        let known = || self.apt.run("apt-cache", &["pkgnames"], None).unwrap_or_default();
        let output = output.map_err(|error| self.trouble.of_resolving(&error, &known))?;
        let mut packages = Vec::new();
        for line in output.lines().filter(|line| line.starts_with('\'')) {
            packages.push(parse_uri_line(line).ok_or_else(|| SeedError::Fetch {
                seed: self.trouble.seed.to_owned(),
                action: "resolving the packages".to_owned(),
                output: format!("apt wrote a line that is not understood: {line}"),
                hint: "report it with the version of apt".to_owned(),
            })?);
        }
        packages.sort();
        Ok(packages)
    }

    /// Downloads what is missing and gives the files, each with the hash the resolution recorded.
    pub(super) fn download(
        &self,
        packages: &[ResolvedPackage],
        offline: bool,
        announce: &dyn Fn(usize, u64),
    ) -> Result<Vec<PathBuf>, SeedError> {
        let archives = self.apt.directory().join("cache/archives");
        let is_there = |package: &&ResolvedPackage| {
            let file = archives.join(&package.file);
            let size = file.metadata().map(|metadata| metadata.len()).ok();
            size == Some(package.size) && sha256_of_file(&file).ok().as_deref() == Some(package.sha256.as_str())
        };
        // Seeds of one suite share the downloads; whoever comes second finds what the first has fetched.
        let _lock = store::lock(&self.apt.directory().join("download.lock"))?;
        let missing: Vec<&ResolvedPackage> = packages.par_iter().filter(|package| !is_there(package)).collect();
        if missing.is_empty() {
            return Ok(packages.iter().map(|package| archives.join(&package.file)).collect());
        }
        if offline {
            let names: Vec<&str> = missing.iter().take(3).map(|package| package.name.as_str()).collect();
            let missing = format!("{} packages are missing: {} …", missing.len(), names.join(", "));
            return Err(SeedError::Offline { seed: self.trouble.seed.to_owned(), missing });
        }
        announce(missing.len(), missing.iter().map(|package| package.size).sum());
        for package in &missing {
            // A damaged file of the right size would be taken for a finished download.
            let _ = std::fs::remove_file(archives.join(&package.file));
        }
        self.update(Duration::MAX)?;
        let wanted: Vec<String> = missing.iter().map(|p| format!("{}={}", p.name, p.version)).collect();
        let mut arguments = vec!["-qq", "download"];
        arguments.extend(wanted.iter().map(String::as_str));
        let output = self.apt.run("apt-get", &arguments, Some(&archives));
        output.map_err(|error| self.trouble.of_apt("downloading the packages", &error))?;
        if let Some(package) = missing.iter().find(|package| !is_there(package)) {
            return Err(SeedError::Fetch {
                seed: self.trouble.seed.to_owned(),
                action: format!("checking {}", package.file),
                output: format!("the file is not the one with sha256 {}", package.sha256),
                hint: self.trouble.resolve_anew(),
            });
        }
        Ok(packages.iter().map(|package| archives.join(&package.file)).collect())
    }

    fn update(&self, age: Duration) -> Result<(), SeedError> {
        self.apt.update(age).map_err(|error| self.trouble.of_updating(&error))
    }
}

/// `'URL' name_version_arch.deb SIZE SHA256:HEX`, as `--print-uris` writes it.
fn parse_uri_line(line: &str) -> Option<ResolvedPackage> {
    let mut words = line.rsplitn(4, ' ');
    let sha256 = words.next()?.strip_prefix("SHA256:")?.to_owned();
    let size = words.next()?.parse().ok()?;
    let file = words.next()?.to_owned();
    let mut parts = file.strip_suffix(".deb")?.splitn(3, '_');
    let name = parts.next()?.to_owned();
    let version = percent_decoded(parts.next()?);
    Some(ResolvedPackage { name, version, file, size, sha256 })
}

/// apt writes the colon of an epoch as `%3a` in file names.
fn percent_decoded(text: &str) -> String {
    text.replace("%3a", ":").replace("%3A", ":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uri_lines_are_read() {
        let line = "'http://archive.test/pool/g/gcc_12.2.0-3_amd64.deb' gcc_4%3a12.2.0-3_amd64.deb 5216 SHA256:abc";
        let package = parse_uri_line(line).expect("a valid line");
        assert_eq!((package.name.as_str(), package.version.as_str()), ("gcc", "4:12.2.0-3"));
        assert_eq!((package.size, package.sha256.as_str()), (5216, "abc"));
        assert_eq!(parse_uri_line("'http://archive.test/x.deb' x.deb 1 MD5Sum:abc"), None, "only SHA-256 will do");
    }
}
