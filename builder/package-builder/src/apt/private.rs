//! [`PrivateApt`]: one directory that holds everything an apt client reads or writes.
//!
//! ```text
//! DIR/apt.conf          the settings below; the host's `Acquire::` settings (proxies, certificates) are carried over
//! DIR/sources.list.d/   host.sources: the host's archives, in the chosen suite and with the chosen indexes
//! DIR/state/ DIR/cache/ lists and downloads; an empty dpkg status, so that closures are complete
//! DIR/lock              held while the lists are updated
//! DIR/updated           the stanzas the lists were last updated for
//! ```
//! **Invariant:** the host's lists, cache, status, preferences and hooks are neither read nor written.

use super::entries::{ArchiveEntry, parse_deb822, parse_one_line};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// Which of an archive's indexes are wanted; each costs a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indexes {
    /// Binary packages (`deb`).
    Binary,
    /// Source packages (`deb-src`).
    Source,
}

/// Why apt could not be used.
#[derive(Debug, thiserror::Error)]
pub enum AptError {
    /// There is no apt on this host.
    #[error("`{program}` is not on this host: {error}; `debian` seeds and origins need a Debian or Ubuntu host")]
    Missing {
        /// The program that was started.
        program: String,
        /// What starting it said.
        error: std::io::Error,
    },
    /// A program of apt ended with an error.
    #[error("`{command}` failed: {message}")]
    Failed {
        /// The command, without its options.
        command: String,
        /// Its error lines.
        message: String,
    },
    /// The host names no archive that could hold the suite.
    #[error("no archive of this host can serve {wanted}; look at `apt-cache policy` and the host's sources.list")]
    NoArchive {
        /// The suite, or "packages" when the host has no entry at all.
        wanted: String,
    },
    /// A file of the private directory or of the host's settings.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
}

/// An apt of our own: the host's client and archives, our state.
#[derive(Debug, Clone)]
pub struct PrivateApt {
    directory: PathBuf,
}

impl PrivateApt {
    /// Sets the directory up (again). `suite`: `None` takes the host's archives as they are configured; a suite the
    /// host has takes only that suite with its `SUITE-*` companions; any other suite is looked for in the host's main
    /// archives, without an expiry check, since the archives of old releases are no longer refreshed.
    pub fn new(directory: &Path, suite: Option<&str>, indexes: Indexes) -> Result<PrivateApt, AptError> {
        let paths = apt_shell_variables()?;
        let host_entries = host_entries(&paths)?;
        let codename = codename_of_os_release(&fs::read_to_string("/etc/os-release").unwrap_or_default());
        let chosen = choose_entries(&host_entries, suite, codename.as_deref());
        if chosen.is_empty() {
            let wanted = suite.map_or("packages".to_owned(), |suite| format!("suite `{suite}`"));
            return Err(AptError::NoArchive { wanted });
        }
        let types = match indexes {
            Indexes::Binary => "deb",
            Indexes::Source => "deb-src",
        };
        let stanzas: String = chosen.iter().map(|entry| entry.to_deb822(types)).collect();
        for part in ["sources.list.d", "empty", "state/lists/partial", "cache/archives/partial"] {
            let path = directory.join(part);
            fs::create_dir_all(&path).map_err(|error| file_error(&path, error))?;
        }
        let directory = directory.canonicalize().map_err(|error| file_error(directory, error))?;
        write_if_changed(&directory.join("state/status"), "")?;
        write_if_changed(&directory.join("sources.list.d/host.sources"), &stanzas)?;
        let settings = private_settings(&directory, &paths, &capture(Command::new("apt-config").arg("dump"))?);
        write_if_changed(&directory.join("apt.conf"), &settings)?;
        Ok(PrivateApt { directory })
    }

    /// A command of apt (`apt-get`, `apt-cache`, …) that knows only this directory.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", self.directory.join("apt.conf")).env("LC_ALL", "C.UTF-8");
        command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        command
    }

    /// Runs such a command and gives its standard output; its error lines are in the error.
    pub fn run(&self, program: &str, arguments: &[&str], work_directory: Option<&Path>) -> Result<String, AptError> {
        let mut command = self.command(program);
        command.args(arguments);
        if let Some(work_directory) = work_directory {
            command.current_dir(work_directory);
        }
        capture(&mut command)
    }

    /// Downloads the lists unless that was done for the same archives within `max_age`. Safe to call from many
    /// threads and processes at once: one updates, the others wait and find it done.
    pub fn update(&self, max_age: Duration) -> Result<(), AptError> {
        let lock_path = self.directory.join("lock");
        let lock = fs::File::create(&lock_path).map_err(|error| file_error(&lock_path, error))?;
        lock.lock().map_err(|error| file_error(&lock_path, error))?;
        let sources_path = self.directory.join("sources.list.d/host.sources");
        let stanzas = fs::read_to_string(&sources_path).map_err(|error| file_error(&sources_path, error))?;
        let stamp_path = self.directory.join("updated");
        let recorded_for_these = fs::read_to_string(&stamp_path).is_ok_and(|recorded| recorded == stanzas);
        let age = fs::metadata(&stamp_path).and_then(|metadata| metadata.modified()).ok();
        let age = age.and_then(|modified| SystemTime::now().duration_since(modified).ok());
        if recorded_for_these && age.is_some_and(|age| age <= max_age) {
            return Ok(());
        }
        // Without this mode `update` reports success when an archive did not answer.
        self.run("apt-get", &["-qq", "-o", "APT::Update::Error-Mode=any", "update"], None)?;
        fs::write(&stamp_path, stanzas).map_err(|error| file_error(&stamp_path, error))
    }

    /// The directory all state is in (absolute).
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

/// Which of the host's entries serve `suite`; see [`PrivateApt::new`].
fn choose_entries(host: &[ArchiveEntry], suite: Option<&str>, codename: Option<&str>) -> Vec<ArchiveEntry> {
    // A stanza may be listed once for `deb` and once for `deb-src`; the types are ours to choose, so one is enough.
    let mut chosen: Vec<ArchiveEntry> = Vec::new();
    let mut add = |entry: Option<ArchiveEntry>| {
        let same = |a: &ArchiveEntry, b: &ArchiveEntry| {
            (&a.uris, &a.suites, &a.components) == (&b.uris, &b.suites, &b.components)
        };
        if let Some(entry) = entry.filter(|entry| !chosen.iter().any(|known| same(known, entry))) {
            chosen.push(entry);
        }
    };
    let Some(suite) = suite else {
        host.iter().for_each(|entry| add(Some(entry.clone())));
        return chosen;
    };
    if host.iter().any(|entry| entry.suites.iter().any(|known| known == suite)) {
        let companion = format!("{suite}-");
        host.iter().for_each(|entry| add(entry.with_suites(|known| known == suite || known.starts_with(&companion))));
        return chosen;
    }
    for entry in host {
        // Other vendors' archives on this host rarely carry a suite of the distribution: only its own are asked.
        let is_main_archive = entry.components.iter().any(|component| component == "main")
            && entry.suites.iter().any(|known| Some(known.as_str()) == codename || is_symbolic(known));
        if is_main_archive {
            let mut entry = ArchiveEntry { suites: vec![suite.to_owned()], ..entry.clone() };
            entry.options.retain(|name, _| !name.eq_ignore_ascii_case("check-valid-until"));
            entry.options.insert("Check-Valid-Until".to_owned(), "no".to_owned());
            add(Some(entry));
        }
    }
    chosen
}

/// Names that follow the releases instead of naming one.
fn is_symbolic(suite: &str) -> bool {
    matches!(suite, "oldoldstable" | "oldstable" | "stable" | "testing" | "unstable" | "sid")
}

fn codename_of_os_release(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?.trim().trim_matches('"');
    (!value.is_empty()).then(|| value.to_owned())
}

/// Every archive the host is configured for, in apt's order: the list file, then the parts by name.
fn host_entries(paths: &BTreeMap<String, String>) -> Result<Vec<ArchiveEntry>, AptError> {
    let mut files = vec![PathBuf::from(paths.get("LIST").map_or("/etc/apt/sources.list", String::as_str))];
    let parts = PathBuf::from(paths.get("PARTS").map_or("/etc/apt/sources.list.d", String::as_str));
    if let Ok(directory) = fs::read_dir(&parts) {
        let mut part_files: Vec<PathBuf> = directory.flatten().map(|file| file.path()).collect();
        part_files.sort();
        files.extend(part_files);
    }
    let mut entries = Vec::new();
    for path in files {
        let parse = match path.extension().and_then(OsStr::to_str) {
            Some("list") => parse_one_line,
            Some("sources") => parse_deb822,
            _ => continue,
        };
        match fs::read_to_string(&path) {
            Ok(text) => entries.extend(parse(&text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(file_error(&path, error)),
        }
    }
    Ok(entries)
}

/// Where the host's apt keeps its settings, and the native architecture.
fn apt_shell_variables() -> Result<BTreeMap<String, String>, AptError> {
    let mut command = Command::new("apt-config");
    command.args(["shell", "LIST", "Dir::Etc::sourcelist/f", "PARTS", "Dir::Etc::sourceparts/d"]);
    command.args(["ARCHITECTURE", "APT::Architecture"]);
    let output = capture(&mut command)?;
    let pairs = output.lines().filter_map(|line| line.split_once('='));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned())).collect())
}

/// The whole `apt.conf`. It is read before the host's parts would be, so the parts are pointed at nothing and what
/// of the host must hold (how to reach the network) is copied here. Hooks are deliberately absent.
fn private_settings(directory: &Path, paths: &BTreeMap<String, String>, host_dump: &str) -> String {
    let mut settings = String::from("// Written anew by every run.\n");
    let mut set = |name: &str, value: &str| settings.push_str(&format!("{name} \"{value}\";\n"));
    let inside = |part: &str| directory.join(part).display().to_string();
    set("Dir::State", &inside("state"));
    set("Dir::State::lists", &inside("state/lists"));
    set("Dir::State::status", &inside("state/status"));
    set("Dir::State::extended_states", &inside("state/extended_states"));
    set("Dir::Cache", &inside("cache"));
    set("Dir::Cache::archives", &inside("cache/archives"));
    set("Dir::Etc::main", "/dev/null");
    set("Dir::Etc::parts", &inside("empty"));
    set("Dir::Etc::sourcelist", "/dev/null");
    set("Dir::Etc::sourceparts", &inside("sources.list.d"));
    set("Dir::Etc::preferences", "/dev/null");
    set("Dir::Etc::preferencesparts", &inside("empty"));
    set("Dir::Log", &inside("cache"));
    // The directory may lie where apt's own user cannot look.
    set("APT::Sandbox::User", "root");
    set("APT::Get::Assume-Yes", "true");
    set("APT::Install-Recommends", "false");
    if let Some(architecture) = paths.get("ARCHITECTURE") {
        set("APT::Architecture", architecture);
        set("APT::Architectures::", architecture);
    }
    for line in host_dump.lines() {
        let ours = ["Acquire::Languages", "Acquire::IndexTargets", "Acquire::CompressionTypes", "Acquire::Changelogs"];
        if line.starts_with("Acquire::") && !ours.iter().any(|prefix| line.starts_with(prefix)) {
            settings.push_str(line);
            settings.push('\n');
        }
    }
    settings.push_str("Acquire::Languages \"none\";\nAcquire::Retries \"3\";\n");
    settings
}

fn capture(command: &mut Command) -> Result<String, AptError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).env("LC_ALL", "C.UTF-8").output();
    let output = output.map_err(|error| AptError::Missing { program: program.clone(), error })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
    let words: Vec<String> = words.filter(|word| !word.starts_with('-') && !word.contains("::")).collect();
    let error_text = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines = error_text.lines().map(str::trim).filter(|line| line.starts_with("E:") || line.starts_with("Err:"));
    let message = lines.collect::<Vec<_>>().join("; ");
    let message = if message.is_empty() { format!("{} {}", output.status, error_text.trim()) } else { message };
    Err(AptError::Failed { command: format!("{program} {}", words.join(" ")), message })
}

fn write_if_changed(path: &Path, text: &str) -> Result<(), AptError> {
    if fs::read_to_string(path).is_ok_and(|known| known == text) {
        return Ok(());
    }
    let beside = path.with_extension(format!("new{}", std::process::id()));
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, path)).map_err(|error| file_error(path, error))
}

fn file_error(path: &Path, error: std::io::Error) -> AptError {
    AptError::File { path: path.display().to_string(), error }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;

    const HOST: &str = "Types: deb\nURIs: http://a.test/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\n\
                        Types: deb-src\nURIs: http://a.test/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\n\
                        Types: deb\nURIs: http://s.test/security\nSuites: bookworm-security\nComponents: main\n\n\
                        Types: deb\nURIs: http://vendor.test/apt\nSuites: nodistro\nComponents: main\n";

    fn summary(suite: Option<&str>) -> Vec<String> {
        let chosen = choose_entries(&parse_deb822(HOST), suite, Some("bookworm"));
        chosen.iter().map(|entry| format!("{} {}", entry.uris.join(" "), entry.suites.join(" "))).collect()
    }

    #[test]
    fn the_hosts_own_suites_are_taken_once_each() {
        assert_eq!(
            summary(None),
            [
                "http://a.test/debian bookworm bookworm-updates",
                "http://s.test/security bookworm-security",
                "http://vendor.test/apt nodistro"
            ]
        );
        assert_eq!(
            summary(Some("bookworm")),
            ["http://a.test/debian bookworm bookworm-updates", "http://s.test/security bookworm-security"]
        );
    }

    #[test]
    fn another_suite_is_sought_in_the_main_archive_only_and_may_be_old() {
        assert_eq!(summary(Some("trixie")), ["http://a.test/debian trixie"]);
        let chosen = choose_entries(&parse_deb822(HOST), Some("trixie"), Some("bookworm"));
        assert_eq!(chosen[0].options["Check-Valid-Until"], "no");
        assert!(choose_entries(&parse_deb822(HOST), Some("trixie"), Some("noble")).is_empty());
    }

    #[test]
    fn the_hosts_network_settings_are_kept_and_its_hooks_are_not() {
        let dump = "APT::Update::Post-Invoke:: \"rm -rf x\";\nAcquire::http::Proxy \"http://proxy.test\";\n\
                    Acquire::IndexTargets::deb::Icons \"\";\n";
        let settings = private_settings(Path::new("/p"), &BTreeMap::new(), dump);
        assert!(settings.contains("Acquire::http::Proxy \"http://proxy.test\";"));
        assert!(!settings.contains("Post-Invoke") && !settings.contains("IndexTargets"));
        assert!(settings.contains("Dir::State \"/p/state\";"));
    }

    #[test]
    fn the_private_settings_are_what_apt_then_uses() {
        if Command::new("apt-config").arg("dump").stdin(Stdio::null()).output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "this test needs apt");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let apt = PrivateApt::new(directory.path(), None, Indexes::Source).unwrap();
        let dump = apt.run("apt-config", &["dump"], None).unwrap();
        let inside = apt.directory().join("state/status").display().to_string();
        assert!(dump.contains(&format!("Dir::State::status \"{inside}\";")), "{dump}");
        assert!(!dump.contains("Post-Invoke"), "no hook of the host may run: {dump}");
    }
}
