//! What a spec evaluates to: one source package and its binary packages.

use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};

use super::Qualifier;
use crate::Place;
use crate::rpm::{Capability, Dependency, Evr, Nevra};

/// A dependency and the place in the spec that states it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Located<T> {
    /// What is stated.
    pub value: T,
    /// Where; `None` for what rpm adds by itself.
    pub place: Option<Place>,
    /// For what it is needed, where that is limited (`Requires(post):`); empty for the package as a whole.
    #[serde(default)]
    pub qualifiers: Vec<Qualifier>,
}

impl<T> Located<T> {
    /// A dependency of the package as a whole.
    #[must_use]
    pub fn new(value: T, place: Option<Place>) -> Self {
        Self { value, place, qualifiers: Vec::new() }
    }
}

impl<T: Serialize> Serialize for Located<T> {
    /// Without the qualifiers where there are none and people may read it; formats for machines count fields.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let brief = serializer.is_human_readable() && self.qualifiers.is_empty();
        let mut fields = serializer.serialize_struct("Located", if brief { 2 } else { 3 })?;
        fields.serialize_field("value", &self.value)?;
        fields.serialize_field("place", &self.place)?;
        if !brief {
            fields.serialize_field("qualifiers", &self.qualifiers)?;
        }
        fields.end()
    }
}

/// One `Source` or `Patch`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Its number.
    pub number: u32,
    /// The value of the tag: a URL or a file name.
    pub url: String,
    /// Where the tag stands.
    pub place: Option<Place>,
    /// Whether `NoSource` or `NoPatch` keeps it out of the source RPM.
    #[serde(default)]
    pub excluded: bool,
}

impl SourceFile {
    /// The file's name below `%{_sourcedir}`: what follows the URL's last `/` and, behind that, the last `=`.
    #[must_use]
    pub fn file_name(&self) -> &str {
        match self.url.rsplit_once('/') {
            Some((_, name)) => name.rsplit_once('=').map_or(name, |(_, name)| name),
            None => &self.url,
        }
    }
}

/// A scriptlet of a package: `%pre`, `%post` and the like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scriptlet {
    /// The interpreter and its arguments: `["/bin/sh"]`, `["<lua>"]`.
    pub program: Vec<String>,
    /// The text, without trailing white space; empty where only the program is run.
    pub body: String,
    /// The file of `-f`, whose text is read when the package is built.
    pub file: Option<String>,
    /// rpm's flags: 1 expands macros at installation (`-e`), 2 is a query format (`-q`), 4 is critical.
    pub flags: u32,
}

/// A script run when other packages or files come and go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// The script.
    pub script: Scriptlet,
    /// The priority of a file trigger (`-P`).
    pub priority: Option<u32>,
}

/// The triggers of one family and what fires them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Triggers {
    /// The scripts in the order of the spec.
    pub scripts: Vec<Trigger>,
    /// What fires which of [`Self::scripts`], by index, in rpm's order. The qualifier says when.
    pub conditions: Vec<(Located<Capability>, usize)>,
}

/// One binary package of a spec.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BinaryPackage {
    /// Its name.
    pub name: String,
    /// Its epoch.
    pub epoch: Option<u32>,
    /// Its version.
    pub version: String,
    /// Its release.
    pub release: String,
    /// Its architecture.
    pub arch: String,
    /// Its operating system.
    pub os: String,
    /// Its one-line summary.
    pub summary: String,
    /// Its licence.
    pub license: String,
    /// Its group.
    pub group: String,
    /// Its home page.
    pub url: String,
    /// Who publishes it.
    pub vendor: String,
    /// Other tags by their name in lower case (`packager`, `distribution`, `bugurl`…).
    pub other_tags: std::collections::BTreeMap<String, String>,
    /// Its description.
    pub description: String,
    /// `Provides`, the package's own name included, in rpm's order.
    pub provides: Vec<Located<Capability>>,
    /// `Requires`, in rpm's order.
    pub requires: Vec<Located<Dependency>>,
    /// `Conflicts`.
    pub conflicts: Vec<Located<Dependency>>,
    /// `Obsoletes`.
    pub obsoletes: Vec<Located<Capability>>,
    /// `Recommends`.
    pub recommends: Vec<Located<Dependency>>,
    /// `Suggests`.
    pub suggests: Vec<Located<Dependency>>,
    /// `Supplements`.
    pub supplements: Vec<Located<Dependency>>,
    /// `Enhances`.
    pub enhances: Vec<Located<Dependency>>,
    /// `OrderWithRequires`.
    pub order_with_requires: Vec<Located<Dependency>>,
    /// `Prefixes`.
    pub prefixes: Vec<String>,
    /// The scriptlets by rpm's names: `prein`, `postin`, `preun`, `postun`, `pretrans`, `posttrans`,
    /// `preuntrans`, `postuntrans`, `verifyscript`.
    pub scriptlets: std::collections::BTreeMap<String, Scriptlet>,
    /// `%trigger…`
    pub triggers: Triggers,
    /// `%filetrigger…`
    pub file_triggers: Triggers,
    /// `%transfiletrigger…`
    pub transaction_file_triggers: Triggers,
    /// The lines of its `%files`, expanded; `None` without `%files`: the package is not built.
    pub files: Option<Vec<String>>,
    /// The files of `%files -f`, which list more when the package is built.
    pub file_lists: Vec<String>,
    /// Where its `%package` stands; `None` for the main package.
    pub place: Option<Place>,
}

impl BinaryPackage {
    /// Its epoch, version and release.
    #[must_use]
    pub fn evr(&self) -> Evr {
        Evr::new(self.epoch, &*self.version, &*self.release)
    }

    /// Its identity.
    #[must_use]
    pub fn nevra(&self) -> Nevra {
        Nevra { name: self.name.clone(), evr: self.evr(), arch: self.arch.clone() }
    }
}

/// The texts of the build scripts, expanded; `None` where the spec has no such section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sections {
    /// `%prep`, with `%setup` and `%patch` written out.
    pub prep: Option<String>,
    /// `%generate_buildrequires`
    pub generate_buildrequires: Option<String>,
    /// Where that section begins: the place of the needs it generates.
    #[serde(default)]
    pub generate_buildrequires_place: Option<Place>,
    /// `%conf`
    pub conf: Option<String>,
    /// `%build`
    pub build: Option<String>,
    /// `%install`
    pub install: Option<String>,
    /// `%check`
    pub check: Option<String>,
    /// `%clean`, or what rpm does without one.
    pub clean: Option<String>,
}

/// One entry of the changelog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangelogEntry {
    /// Seconds since 1970; noon UTC where only the day is written, as rpm has it.
    pub time: i64,
    /// Who, and by custom which version.
    pub name: String,
    /// What.
    pub text: String,
}

/// An evaluated spec.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcePackage {
    /// The source package's name.
    pub name: String,
    /// Its epoch.
    pub epoch: Option<u32>,
    /// Its version.
    pub version: String,
    /// Its release, dist tag included.
    pub release: String,
    /// `BuildRequires`.
    pub build_requires: Vec<Located<Dependency>>,
    /// `BuildConflicts`.
    pub build_conflicts: Vec<Located<Dependency>>,
    /// `Source` files.
    pub sources: Vec<SourceFile>,
    /// `Patch` files.
    pub patches: Vec<SourceFile>,
    /// `BuildArch` of the whole spec.
    pub build_archs: Vec<String>,
    /// `ExclusiveArch`.
    pub exclusive_archs: Vec<String>,
    /// `ExcludeArch`.
    pub exclude_archs: Vec<String>,
    /// `ExclusiveOS`.
    pub exclusive_oses: Vec<String>,
    /// `ExcludeOS`.
    pub exclude_oses: Vec<String>,
    /// The binary packages, the main one first.
    pub packages: Vec<BinaryPackage>,
    /// The build scripts.
    pub sections: Sections,
    /// The changelog, newest first.
    pub changelog: Vec<ChangelogEntry>,
    /// The expanded text, as `rpmspec -P` prints it.
    pub parsed: String,
    /// The day of the newest changelog entry, in seconds since 1970 (noon UTC, as rpm has it).
    pub changelog_time: Option<i64>,
}

impl SourcePackage {
    /// Its epoch, version and release.
    #[must_use]
    pub fn evr(&self) -> Evr {
        Evr::new(self.epoch, &*self.version, &*self.release)
    }
}
