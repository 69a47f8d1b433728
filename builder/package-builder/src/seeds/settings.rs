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
    /// The stage file it stands in.
    #[serde(skip)]
    pub file: PathBuf,
}

/// A seed that is an RPM repository already.
///
/// ```toml
/// [seed.published]
/// kind = "repository"
/// url = "https://mirror.example/os/x86_64"
/// gpg-key = "keys/distribution.asc"
/// ```
/// A URL needs `gpg-key`, `repomd-sha256` or `unverified = true`; a directory is believed like the tree itself.
/// From there on checksums guard everything: repomd.xml has those of the metadata, and these have the packages'.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RepositorySeed {
    /// An `http(s)://` or `file://` URL or a directory (relative to the tree) that holds `repodata/`.
    pub url: String,
    /// Other URLs of the same repository, asked in this order where `url` does not answer.
    #[serde(default)]
    pub mirrors: Vec<String>,
    /// What stands for `{snapshot}` in `url` and `mirrors`: the state of that time, where a server keeps them.
    pub snapshot: Option<String>,
    /// The packages wanted, with all they may need; empty for all packages. Names, capabilities or file paths.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Names of packages left out, in all their versions.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// A file of public keys, armored or not, relative to the tree: one of them must have signed `repomd.xml`
    /// (`repomd.xml.asc`). The host's `gpgv` judges.
    pub gpg_key: Option<PathBuf>,
    /// The SHA-256 of `repomd.xml`: this state of the repository and no other.
    pub repomd_sha256: Option<String>,
    /// The policy that whatever the URL gives is believed. It is recorded with the resolution.
    #[serde(default)]
    pub unverified: bool,
    /// The stage file it stands in.
    #[serde(skip)]
    pub file: PathBuf,
}

impl RepositorySeed {
    /// Makes paths absolute and refuses what contradicts itself.
    fn settle(&mut self, tree: &Path) -> Result<(), String> {
        self.settle_snapshot()?;
        let is_web = is_web(&self.url);
        if let Some(mirror) = self.mirrors.iter().find(|mirror| !is_web || !self::is_web(mirror)) {
            return Err(format!("`mirrors`: `{mirror}`: only http and https, and only besides such a `url`"));
        }
        let path = self.url.strip_prefix("file://").unwrap_or(&self.url);
        if !is_web && path.contains("://") {
            return Err(format!("`url = \"{}\"`: only http, https, file and directories are supported", self.url));
        }
        if path.is_empty() {
            return Err("`url` is empty; name a directory or a URL".to_owned());
        }
        if !is_web {
            self.url = tree.join(path).display().to_string();
        }
        self.gpg_key = self.gpg_key.take().map(|path| tree.join(path));
        let is_sha256 = |text: &String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let Some(text) = self.repomd_sha256.as_ref().filter(|text| !is_sha256(text)) {
            return Err(format!("`repomd-sha256 = \"{text}\"` is no SHA-256; it has 64 hexadecimal digits"));
        }
        if self.unverified && (self.gpg_key.is_some() || self.repomd_sha256.is_some()) {
            return Err("`unverified` contradicts `gpg-key` and `repomd-sha256`; take one side out".to_owned());
        }
        Ok(())
    }
}

impl RepositorySeed {
    /// Writes the snapshot into the URLs.
    fn settle_snapshot(&mut self) -> Result<(), String> {
        const PLACE: &str = "{snapshot}";
        let urls = || std::iter::once(&self.url).chain(&self.mirrors);
        match &self.snapshot {
            None => match urls().find(|url| url.contains(PLACE)) {
                Some(url) => Err(format!("`{url}` asks for a snapshot; say which by `snapshot = \"…\"`")),
                None => Ok(()),
            },
            Some(snapshot) => match urls().find(|url| !url.contains(PLACE)) {
                Some(url) => Err(format!("`snapshot` is set, but `{url}` has no `{PLACE}` in it")),
                None => {
                    let snapshot = snapshot.clone();
                    std::iter::once(&mut self.url)
                        .chain(&mut self.mirrors)
                        .for_each(|url| *url = url.replace(PLACE, &snapshot));
                    Ok(())
                }
            },
        }
    }
}

fn is_web(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
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
    /// Source packages with a bootstrap variant (`rpmbuild --with bootstrap`), which opens the cycles they are in.
    #[serde(default)]
    pub bootstrap: Vec<String>,
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
        add_file(&mut stages, &text, path, tree)
            .map_err(|reason| SeedError::Settings { path: path.clone(), reason })?;
    }
    if stages.stages.is_empty() {
        return Err(SeedError::Settings {
            path: directory,
            reason: "no `[stage]` here; write one, see the README beside the stage files".to_owned(),
        });
    }
    Ok(stages)
}

fn add_file(stages: &mut Stages, text: &str, path: &Path, tree: &Path) -> Result<(), String> {
    let file: StageFile = toml::from_str(text).map_err(|error| error.to_string())?;
    for (name, mut seed) in file.seed {
        match &mut seed {
            SeedSettings::Debian(debian) => path.clone_into(&mut debian.file),
            SeedSettings::Repository(repository) => {
                path.clone_into(&mut repository.file);
                repository.settle(tree).map_err(|reason| format!("`[seed.{name}]`: {reason}"))?;
            }
        }
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
        if stage.all != stage.packages.is_empty() {
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
        add_file(&mut stages, text, Path::new("/tree/stages/0.toml"), Path::new("/tree")).map(|()| stages)
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
            gpg-key = "keys/a.asc"
            [stage]
            name = "base"
            seeds = ["debian"]
            buildroot = ["gcc"]
            all = true
            bootstrap = ["a"]
            rebuild = "fixpoint"
            "#,
        )
        .expect("the example is valid");
        let Some(SeedSettings::Debian(debian)) = stages.seeds.get("debian") else { panic!("no Debian seed") };
        assert_eq!(debian.rename.get("libc6").map(String::as_str), Some("glibc"));
        assert!(!debian.documentation);
        let Some(SeedSettings::Repository(published)) = stages.seeds.get("published") else { panic!("no repository") };
        assert_eq!(published.url, "/tree/../published");
        assert_eq!(published.gpg_key.as_deref(), Some(Path::new("/tree/keys/a.asc")));
        assert_eq!(published.file, Path::new("/tree/stages/0.toml"));
        let stage = stages.stages.first().expect("there is one stage");
        assert_eq!((stage.rebuild, &*stage.bootstrap), (StageRebuild::Fixpoint, &["a".to_owned()][..]));
    }

    #[test]
    fn mistakes_are_refused() {
        for (text, reason) in [
            ("[seed.a]\nkind = \"debian\"\nsuite = \"x\"\npackages = []\nsuit = 1\n", "suit"),
            ("[seed.a]\nkind = \"ubuntu\"\n", "ubuntu"),
            ("[stage]\nname = \"s\"\nseeds = [\"x\"]\nbuildroot = []\nall = true\n", "unknown seed `x`"),
            ("[stage]\nname = \"s\"\nseeds = []\nbuildroot = []\n", "either"),
            ("[stages]\n", "stages"),
            ("[seed.a]\nkind = \"repository\"\nurl = \"ftp://x\"\n", "only http"),
            ("[seed.a]\nkind = \"repository\"\nurl = \"\"\n", "empty"),
            ("[seed.a]\nkind = \"repository\"\nurl = \"x\"\nmirrors = [\"http://a\"]\n", "only besides"),
            ("[seed.a]\nkind = \"repository\"\nurl = \"http://a\"\nmirrors = [\"b\"]\n", "only http"),
            ("[seed.a]\nkind = \"repository\"\nurl = \"http://a/{snapshot}\"\n", "say which"),
            ("[seed.a]\nkind = \"repository\"\nurl = \"http://a\"\nsnapshot = \"1\"\n", "has no `{snapshot}`"),
            ("[seed.a]\nkind = \"repository\"\nurl = \"x\"\nrepomd-sha256 = \"12\"\n", "64 hexadecimal"),
            ("[seed.a]\nkind = \"repository\"\nurl = \"x\"\nunverified = true\ngpg-key = \"k\"\n", "contradicts"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
