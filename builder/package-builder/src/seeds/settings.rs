//! The stage files `stages/*.toml`: seeds and stages as data.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::SeedError;

/// One file of `stages/`: any number of seeds, at most one stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageFile {
    /// `[seed.NAME]` tables.
    #[serde(default)]
    pub seed: BTreeMap<String, SeedSettings>,
    /// The `[stage]` table.
    pub stage: Option<StageSettings>,
}

/// Where a seed comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum SeedSettings {
    /// Debian packages, converted one by one.
    Debian(DebianSeed),
    /// An RPM repository.
    Repository(RepositorySeed),
}

/// A seed made of Debian packages that the host's apt fetches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DebianSeed {
    /// The suite, such as `bookworm`; its `-updates` and `-security` are used where the host has them.
    pub suite: String,
    /// The packages wanted, by their Debian names; all they depend on is taken too.
    pub packages: Vec<String>,
    /// Packages left out although something depends on them; such dependencies are dropped.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Debian names and what they are called here; the old name stays provided.
    #[serde(default)]
    pub rename: BTreeMap<String, String>,
    /// Further names a package provides, by its Debian name: `name`, or `name = version`.
    #[serde(default)]
    pub provides: BTreeMap<String, Vec<String>>,
    /// Links that maintainer scripts would make: path and target, by the package's Debian name.
    #[serde(default)]
    pub links: BTreeMap<String, BTreeMap<String, String>>,
    /// Whether manuals, documentation and translations are kept.
    #[serde(default)]
    pub documentation: bool,
    /// Macros every build root of this seed defines: name (with options) and body.
    #[serde(default)]
    pub macros: BTreeMap<String, String>,
    /// Lines of `/etc/rpmrc` in every build root of this seed; the only place `optflags` can be set.
    #[serde(default)]
    pub rpmrc: Vec<String>,
}

/// A seed that is an RPM repository already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RepositorySeed {
    /// An `http(s)://` or `file://` URL or a directory (relative to the tree) that holds `repodata/`.
    pub url: String,
    /// The packages wanted, with all they depend on; empty for all packages.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Whether the packages' signatures are checked with `gpg-key`.
    #[serde(default = "yes")]
    pub gpg_check: bool,
    /// The public key's file, relative to the tree.
    pub gpg_key: Option<PathBuf>,
}

fn yes() -> bool {
    true
}

/// A set of packages built against the same seeds and earlier stages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StageSettings {
    /// Its name.
    pub name: String,
    /// The seeds its build roots draw on, besides earlier stages; the first wins.
    pub seeds: Vec<String>,
    /// What every build root holds, as dependencies: the base layer.
    pub buildroot: Vec<String>,
    /// The source packages it builds.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Whether it builds every spec of the tree.
    #[serde(default)]
    pub all: bool,
    /// How often.
    #[serde(default)]
    pub rebuild: StageRebuild,
}

/// How often a stage builds its packages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StageRebuild {
    /// Once.
    #[default]
    Once,
    /// Again with its own result, until nothing changes.
    Fixpoint,
}

/// All stage files of a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stages {
    /// Seeds by name.
    pub seeds: BTreeMap<String, SeedSettings>,
    /// Stages in order of their file names.
    pub stages: Vec<StageSettings>,
}

/// Reads `stages/*.toml` below a tree, in order of file names.
///
/// # Errors
/// The directory cannot be read, a file is malformed, two seeds or stages share a name, or a stage names
/// an unknown seed.
pub fn read_stages(tree: &Path) -> Result<Stages, SeedError> {
    let directory = tree.join("stages");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&directory).map_err(SeedError::io(&directory))? {
        let path = entry.map_err(SeedError::io(&directory))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    let mut stages = Stages::default();
    for path in &files {
        let text = std::fs::read_to_string(path).map_err(SeedError::io(path))?;
        add_file(&mut stages, &text).map_err(|reason| SeedError::Settings { path: path.clone(), reason })?;
    }
    if stages.stages.is_empty() {
        return Err(SeedError::Settings {
            path: directory,
            reason: "no `[stage]` here; write one, see the README beside the stage files".to_owned(),
        });
    }
    Ok(stages)
}

fn add_file(stages: &mut Stages, text: &str) -> Result<(), String> {
    let file: StageFile = toml::from_str(text).map_err(|error| error.to_string())?;
    for (name, seed) in file.seed {
        if stages.seeds.contains_key(&name) {
            return Err(format!("seed `{name}` is there twice; rename one"));
        }
        stages.seeds.insert(name, seed);
    }
    if let Some(stage) = file.stage {
        if stages.stages.iter().any(|earlier| earlier.name == stage.name) {
            return Err(format!("stage `{}` is there twice; rename one", stage.name));
        }
        if let Some(seed) = stage.seeds.iter().find(|seed| !stages.seeds.contains_key(*seed)) {
            return Err(format!("stage `{}` wants the unknown seed `{seed}`; add `[seed.{seed}]`", stage.name));
        }
        if stage.all == !stage.packages.is_empty() {
            return Err(format!("stage `{}` needs either `packages = […]` or `all = true`", stage.name));
        }
        stages.stages.push(stage);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Stages, String> {
        let mut stages = Stages::default();
        add_file(&mut stages, text).map(|()| stages)
    }

    #[test]
    fn the_design_s_example_is_read() {
        let stages = read(
            r#"
            [seed.debian]
            kind = "debian"
            suite = "bookworm"
            packages = ["gcc", "make"]
            rename = { libc6 = "glibc", "libc6-dev" = "glibc-devel" }
            [seed.published]
            kind = "repository"
            url = "../published"
            gpg-check = false
            [stage]
            name = "base"
            seeds = ["debian"]
            buildroot = ["gcc"]
            all = true
            rebuild = "fixpoint"
            "#,
        )
        .expect("the example is valid");
        let Some(SeedSettings::Debian(debian)) = stages.seeds.get("debian") else { panic!("no Debian seed") };
        assert_eq!(debian.rename.get("libc6").map(String::as_str), Some("glibc"));
        assert!(!debian.documentation);
        assert!(matches!(stages.seeds.get("published"), Some(SeedSettings::Repository(seed)) if !seed.gpg_check));
        assert_eq!(stages.stages.first().map(|stage| stage.rebuild), Some(StageRebuild::Fixpoint));
    }

    #[test]
    fn mistakes_are_refused() {
        for (text, reason) in [
            ("[seed.a]\nkind = \"debian\"\nsuite = \"x\"\npackages = []\nsuit = 1\n", "suit"),
            ("[seed.a]\nkind = \"ubuntu\"\n", "ubuntu"),
            ("[stage]\nname = \"s\"\nseeds = [\"x\"]\nbuildroot = []\nall = true\n", "unknown seed `x`"),
            ("[stage]\nname = \"s\"\nseeds = []\nbuildroot = []\n", "either"),
            ("[stages]\n", "stages"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
