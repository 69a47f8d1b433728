//! What apt's errors mean for a seed: which setting is wrong, or what to type.

use std::collections::BTreeSet;
use std::path::Path;

use crate::apt::AptError;
use crate::seeds::{DebianSeed, SeedError, nearest};

/// Names this alike are offered in place of an unknown one; among tens of thousands many are somewhat alike.
const ALIKE: f64 = 0.9;

const NETWORK: &str = "look at the network and its proxy: `apt-get update` must work on this host";

/// What errors of one seed are told with.
pub(super) struct Trouble<'a> {
    pub(super) seed: &'a str,
    pub(super) settings: &'a DebianSeed,
    /// The recorded resolution's file.
    pub(super) resolution: &'a Path,
}

impl Trouble<'_> {
    /// Refuses what apt would not take for names of packages: options, removals (`name-`), patterns, versions.
    pub(super) fn check_names(&self) -> Result<(), SeedError> {
        if self.settings.packages.is_empty() {
            return Err(self.unusable(format!("`packages` is empty; name what is wanted in {}", self.table())));
        }
        match self.settings.packages.iter().find(|name| !is_package_name(name)) {
            Some(name) => {
                Err(self.unusable(format!("`{name}` is no name of a Debian package; correct it in {}", self.table())))
            }
            None if !is_suite_name(&self.settings.suite) => Err(self.unusable(format!(
                "`{}` is no name of a suite; correct `suite` in {}",
                self.settings.suite,
                self.table()
            ))),
            None => Ok(()),
        }
    }

    /// Any error of apt but those below.
    pub(super) fn of_apt(&self, action: &str, error: &AptError) -> SeedError {
        self.told(action, error, &format!("{NETWORK}; {}", self.resolve_anew()))
    }

    /// `hint` is for errors that apt itself ended with.
    fn told(&self, action: &str, error: &AptError, hint: &str) -> SeedError {
        let (output, hint) = match error {
            AptError::Missing { program, .. } => {
                return SeedError::MissingProgram {
                    seed: self.seed.to_owned(),
                    program: program.clone(),
                    hint: format!(
                        "run on Debian or Ubuntu, or use a seed of kind `repository` in {}",
                        self.settings.file.display()
                    ),
                };
            }
            AptError::NoArchive { .. } => return self.unusable(format!("{error}; `suite` stands in {}", self.table())),
            AptError::File { .. } => (error.to_string(), "see that the cache can be written"),
            AptError::Failed { message, .. } => {
                let lines: Vec<&str> = message.split("; ").map(|line| line.trim_start_matches("E: ")).collect();
                (lines.join("\n  "), hint)
            }
        };
        let (seed, action) = (self.seed.to_owned(), action.to_owned());
        SeedError::Fetch { seed, action, output, hint: hint.to_owned() }
    }

    /// An error of updating the lists.
    pub(super) fn of_updating(&self, error: &AptError) -> SeedError {
        if let AptError::Failed { message, .. } = error
            && message.contains("does not have a Release file")
        {
            return self.unusable(format!(
                "the archives of this host have no suite `{}`; correct `suite` in {}",
                self.settings.suite,
                self.table()
            ));
        }
        self.told("updating the package lists", error, NETWORK)
    }

    /// An error of resolving; `known` gives the names of all packages, one a line.
    pub(super) fn of_resolving(&self, error: &AptError, known: &dyn Fn() -> String) -> SeedError {
        let told = || self.told("resolving the packages", error, "apt's own words say what it lacks");
        let AptError::Failed { message, .. } = error else { return told() };
        let unknown = quoted_after(message, "Unable to locate package ");
        let virtuals = quoted_after(message, "Package '");
        if !unknown.is_empty() || !virtuals.is_empty() {
            let known = known();
            let unknown = unknown.iter().map(|name| {
                format!(
                    "there is no `{name}` in suite `{}`{}",
                    self.settings.suite,
                    nearest(name, known.lines(), ALIKE)
                )
            });
            let virtuals = virtuals.iter().map(|name| {
                format!("`{name}` is no package of its own; name one that provides it (`apt-cache showpkg {name}`)")
            });
            let reasons: Vec<String> = unknown.chain(virtuals).collect();
            return self.unusable(format!("{}; correct `packages` in {}", reasons.join("; "), self.table()));
        }
        if message.contains("held broken packages") {
            return self.unusable(format!(
                "apt cannot install all of `packages` together; correct {}, where `apt-get --simulate install NAMES` on a host with suite `{}` tells which exclude each other",
                self.table(),
                self.settings.suite
            ));
        }
        told()
    }

    /// What to type where the archive has moved on.
    pub(super) fn resolve_anew(&self) -> String {
        format!(
            "if the archive has changed since the packages were resolved, type `rm -f {}` to resolve them anew",
            self.resolution.display()
        )
    }

    fn unusable(&self, reason: String) -> SeedError {
        SeedError::Unusable { seed: self.seed.to_owned(), reason }
    }

    /// The place of the settings.
    fn table(&self) -> String {
        format!("`[seed.{}]` of {}", self.seed, self.settings.file.display())
    }
}

/// Debian Policy 5.6.1; a `-` at the end would mean "remove" to apt.
fn is_package_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() > 1
        && name.bytes().next().is_some_and(is_plain)
        && name.bytes().all(|byte| is_plain(byte) || b"+-.".contains(&byte))
        && !name.ends_with('-')
}

/// It names a directory of the cache, too.
fn is_suite_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte);
    name.bytes().all(is_plain) && name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
}

/// The words after each occurrence of some text, up to a blank, quote or semicolon; each once, in order.
fn quoted_after<'a>(message: &'a str, text: &str) -> Vec<&'a str> {
    let words = message.split(text).skip(1).filter_map(|rest| rest.split([' ', '\'', ';', '\n']).next());
    words.collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message a seed with these settings gives for what apt said (apt 2.6, `LC_ALL=C.UTF-8`).
    fn told(packages: &str, tell: impl Fn(&Trouble<'_>) -> SeedError) -> String {
        let mut settings: DebianSeed =
            toml::from_str(&format!("suite = \"bookworm\"\npackages = [{packages}]")).expect("valid settings");
        settings.file = "stages/00-seeds.toml".into();
        let trouble =
            Trouble { seed: "debian", settings: &settings, resolution: Path::new("/cache/seeds/k.lock.json") };
        tell(&trouble).to_string()
    }

    fn failed(message: &str) -> AptError {
        AptError::Failed { command: "apt-get install".to_owned(), message: message.to_owned() }
    }

    #[test]
    fn unknown_packages_are_named_with_the_stage_file() {
        let apt = failed(
            "E: Unable to locate package g+x+; E: Couldn't find any package by regex 'g+x+'; E: Unable to locate package bsah; E: Package 'awk' has no installation candidate",
        );
        let error = told("\"bsah\"", |trouble| trouble.of_resolving(&apt, &|| "bash\nzlib1g\n".to_owned()));
        assert_eq!(
            error,
            "seed `debian`: there is no `bsah` in suite `bookworm`; near: `bash`; there is no `g+x+` in suite `bookworm`; \
             `awk` is no package of its own; name one that provides it (`apt-cache showpkg awk`); \
             correct `packages` in `[seed.debian]` of stages/00-seeds.toml"
        );
    }

    #[test]
    fn an_unknown_suite_and_a_missing_apt_are_told_as_such() {
        let apt = failed("E: The repository 'http://a.test/debian bookworm Release' does not have a Release file.");
        let error = told("\"a1\"", |trouble| trouble.of_updating(&apt));
        assert!(error.contains("no suite `bookworm`") && error.contains("00-seeds.toml"), "{error}");
        let missing =
            AptError::Missing { program: "apt-config".to_owned(), error: std::io::ErrorKind::NotFound.into() };
        let error = told("\"a1\"", |trouble| trouble.of_updating(&missing));
        assert!(error.contains("`apt-config` is not installed") && error.contains("kind `repository`"), "{error}");
    }

    #[test]
    fn an_error_is_told_once_with_what_to_type() {
        let apt = failed("E: Failed to fetch http://a.test/x.deb  404  Not Found; E: Some downloads failed.");
        let error = told("\"a1\"", |trouble| trouble.of_apt("downloading the packages", &apt));
        assert_eq!(error.matches("failed").count(), 2, "once ours, once apt's own: {error}");
        assert!(error.contains("`rm -f /cache/seeds/k.lock.json`") && !error.contains("--refresh"), "{error}");
    }

    #[test]
    fn what_is_no_name_never_reaches_apt() {
        for name in ["-o=x", "bash-", "libc6:i386", "bash=5", "Bash", "b*", "a", ""] {
            assert!(!is_package_name(name), "{name}");
        }
        assert!(["g++", "libstdc++6", "python3.11", "0ad", "libgcc-s1"].iter().all(|name| is_package_name(name)));
        assert!(["bookworm", "bookworm-backports", "24.04"].iter().all(|name| is_suite_name(name)));
        assert!(["", "../x", "a b", "-x"].iter().all(|name| !is_suite_name(name)));
    }
}
