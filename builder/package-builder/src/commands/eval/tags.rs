//! The tags of a package's header, as far as its spec can tell them.

use std::borrow::Cow;

use rpmspec_parser::SourcePackage;
use rpmspec_parser::rpm::{Capability, Dependency, Relation};
use rpmspec_parser::spec::{BinaryPackage, ChangelogEntry, Located, Qualifier, Scriptlet, SourceFile};

use super::names;

/// A tag that exists, by its name in capitals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag(&'static str);

impl Tag {
    /// Finds a tag by its name in any letters, with or without `RPMTAG_`.
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        let capitals = name.to_ascii_uppercase();
        let capitals = capitals.strip_prefix("RPMTAG_").unwrap_or(&capitals);
        match names::find(capitals) {
            names::Found::Known(name) => Ok(Self(name)),
            names::Found::NotHere => Err(format!("the tag `{name}` cannot be asked of a spec here")),
            names::Found::Unknown(Some(near)) => Err(format!("unknown tag: \"{name}\"; spelled alike: {near}")),
            names::Found::Unknown(None) => Err(format!("unknown tag: \"{name}\"")),
        }
    }
}

/// One element of a tag's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Text(String),
    Number(i64),
}

/// A tag's value; never without elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value(Vec<Item>);

impl Value {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, element: usize) -> Option<Item> {
        self.0.get(element).cloned()
    }
}

/// What a spec says of one package.
pub(super) struct Header<'a> {
    source: &'a SourcePackage,
    /// The binary package; of the source package the main one lends its texts.
    package: &'a BinaryPackage,
    is_source: bool,
    world: &'a BuildTags,
}

/// What the macros say of all packages.
#[derive(Clone, Debug, Default)]
pub(super) struct BuildTags {
    /// `%{optflags}`
    pub(super) optflags: String,
    /// `%{_target_platform}`
    pub(super) platform: String,
}

/// A dependency in the three parts a header keeps it in.
struct Part {
    name: String,
    version: String,
    flags: i64,
}

impl<'a> Header<'a> {
    pub(super) fn binary(source: &'a SourcePackage, package: &'a BinaryPackage, world: &'a BuildTags) -> Self {
        Self { source, package, is_source: false, world }
    }

    /// The source package's header; `None` of a spec without any package, which none is.
    pub(super) fn source(source: &'a SourcePackage, world: &'a BuildTags) -> Option<Self> {
        source.packages.first().map(|package| Self { source, package, is_source: true, world })
    }

    /// The value of a tag; `None` where the package has none.
    pub(super) fn get(&self, Tag(name): Tag) -> Option<Value> {
        let package = self.package;
        let evr = || package.evr().to_string();
        let without_epoch = || format!("{}-{}-{}", package.name, package.version, package.release);
        match name {
            "NAME" | "N" => text(&package.name),
            "VERSION" | "V" => text(&package.version),
            "RELEASE" | "R" => text(&package.release),
            "EPOCH" | "E" => package.epoch.and_then(|epoch| number(epoch.into())),
            "EPOCHNUM" => number(package.epoch.unwrap_or(0).into()),
            "ARCH" => text(&package.arch),
            "ARCHSUFFIX" => text(&format!(".{}", self.shown_arch())),
            "OS" => text(&package.os),
            "EVR" => text(&evr()),
            "NVR" => text(&without_epoch()),
            "NVRA" => text(&format!("{}.{}", without_epoch(), package.arch)),
            "NEVR" => text(&format!("{}-{}", package.name, evr())),
            "NEVRA" => text(&format!("{}-{}.{}", package.name, evr(), package.arch)),
            "SUMMARY" => text(&package.summary),
            "DESCRIPTION" => text(&package.description),
            "LICENSE" => text(&package.license),
            "GROUP" => text(&package.group),
            "URL" => text(&package.url),
            "VENDOR" => text(&package.vendor),
            "OPTFLAGS" if !self.is_source => text(&self.world.optflags),
            "PLATFORM" if !self.is_source => text(&self.world.platform),
            "HEADERI18NTABLE" => text("C"),
            "HEADERCOLOR" => number(0),
            "CHANGELOGTIME" => numbers(self.changelog().iter().map(|entry| entry.time)),
            "CHANGELOGNAME" => texts(self.changelog().iter().map(|entry| &*entry.name)),
            "CHANGELOGTEXT" => texts(self.changelog().iter().map(|entry| &*entry.text)),
            "PREFIXES" => texts(package.prefixes.iter().map(String::as_str)),
            _ if self.is_source && names::OF_SOURCES.contains(&name) => self.source_list(name),
            _ => self
                .dependency(name)
                .or_else(|| self.scriptlet(name))
                .or_else(|| package.other_tags.get(&name.to_ascii_lowercase()).and_then(|value| text(value))),
        }
    }

    /// The package as `rpmspec -q` lists it: the name of its file.
    pub(super) fn line(&self) -> String {
        let BinaryPackage { name, version, release, .. } = self.package;
        format!("{name}-{version}-{release}.{}\n", self.shown_arch())
    }

    /// The architecture in the file's name.
    fn shown_arch(&self) -> &str {
        match self.is_source {
            true if self.source.sources.iter().chain(&self.source.patches).any(|file| file.excluded) => "nosrc",
            true => "src",
            false => &self.package.arch,
        }
    }

    /// Other packages than the main one get theirs when they are built.
    fn changelog(&self) -> &'a [ChangelogEntry] {
        let is_main = self.source.packages.first().is_some_and(|main| main.name == self.package.name);
        if is_main { &self.source.changelog } else { &[] }
    }

    fn source_list(&self, name: &str) -> Option<Value> {
        let source = self.source;
        let words = |list: &'a [String]| texts(list.iter().map(String::as_str));
        match name {
            "SOURCE" => texts(last_first(&source.sources).into_iter().map(SourceFile::file_name)),
            "PATCH" => texts(last_first(&source.patches).into_iter().map(SourceFile::file_name)),
            "NOSOURCE" => numbers(source.sources.iter().filter(|file| file.excluded).map(|file| file.number.into())),
            "NOPATCH" => numbers(source.patches.iter().filter(|file| file.excluded).map(|file| file.number.into())),
            "BUILDARCHS" => words(&source.build_archs),
            "EXCLUSIVEARCH" => words(&source.exclusive_archs),
            "EXCLUDEARCH" => words(&source.exclude_archs),
            "EXCLUSIVEOS" => words(&source.exclusive_oses),
            "EXCLUDEOS" => words(&source.exclude_oses),
            _ => None,
        }
    }

    /// `REQUIRENAME`, `REQUIRES`, `REQUIREVERSION`, `REQUIREFLAGS`, `REQUIRENEVRS` and their like.
    fn dependency(&self, name: &str) -> Option<Value> {
        let (family, field) = names::DEPENDENCIES.iter().find_map(|family| {
            let field = name.strip_prefix(family)?;
            ["NAME", "S", "VERSION", "FLAGS", "NEVRS"].contains(&field).then_some((*family, field))
        })?;
        let parts = self.parts(family);
        match field {
            "VERSION" => texts(parts.iter().map(|part| &*part.version)),
            "FLAGS" => numbers(parts.iter().map(|part| part.flags)),
            "NEVRS" => {
                let shown: Vec<_> = parts.iter().map(Part::shown).collect();
                texts(shown.iter().map(|shown| &**shown))
            }
            _ => texts(parts.iter().map(|part| &*part.name)),
        }
    }

    fn parts(&self, family: &str) -> Vec<Part> {
        let Self { source, package, is_source, .. } = self;
        let all = |list: &[Located<Dependency>]| list.iter().map(Part::of_dependency).collect();
        let offers = |list: &[Located<Capability>]| {
            list.iter().map(|located| Part::of_capability(&located.value, &located.qualifiers)).collect()
        };
        match (family, is_source) {
            ("REQUIRE", true) => all(&source.build_requires),
            ("CONFLICT", true) => all(&source.build_conflicts),
            ("PROVIDE", true) => {
                let built = source.packages.iter().filter(|package| package.files.is_some());
                built
                    .map(|package| Part::of_capability(&Capability::exact(&*package.name, package.evr()), &[]))
                    .collect()
            }
            (_, true) => Vec::new(),
            ("REQUIRE", _) => all(&package.requires),
            ("CONFLICT", _) => all(&package.conflicts),
            ("PROVIDE", _) => offers(&package.provides),
            ("OBSOLETE", _) => offers(&package.obsoletes),
            ("RECOMMEND", _) => all(&package.recommends),
            ("SUGGEST", _) => all(&package.suggests),
            ("SUPPLEMENT", _) => all(&package.supplements),
            ("ENHANCE", _) => all(&package.enhances),
            ("ORDER", _) => all(&package.order_with_requires),
            _ => Vec::new(),
        }
    }

    /// `PREIN`, `PREINPROG`, `PREINFLAGS` and their like.
    fn scriptlet(&self, name: &str) -> Option<Value> {
        if self.is_source {
            return None;
        }
        let name = name.to_ascii_lowercase();
        let of = |name: &str| self.package.scriptlets.get(name);
        let with = |ending: &str| name.strip_suffix(ending).and_then(of);
        if let Some(script) = of(&name) {
            return text(&script.body);
        }
        if let Some(Scriptlet { program, .. }) = with("prog") {
            return texts(program.iter().map(String::as_str));
        }
        with("flags").filter(|script| script.flags != 0).and_then(|script| number(script.flags.into()))
    }
}

impl Part {
    fn of_dependency(located: &Located<Dependency>) -> Self {
        match &located.value {
            Dependency::Capability(capability) => Self::of_capability(capability, &located.qualifiers),
            rich @ Dependency::Rich(_) => {
                Self { name: rich.to_string(), version: String::new(), flags: bits(&located.qualifiers) }
            }
        }
    }

    fn of_capability(capability: &Capability, qualifiers: &[Qualifier]) -> Self {
        let version = capability.version.as_ref().map(|(_, evr)| evr.to_string()).unwrap_or_default();
        let flags = match capability.version.as_ref().map(|(relation, _)| relation) {
            None => 0,
            Some(Relation::Less) => 2,
            Some(Relation::LessOrEqual) => 2 | 8,
            Some(Relation::Equal) => 8,
            Some(Relation::GreaterOrEqual) => 4 | 8,
            Some(Relation::Greater) => 4,
        };
        Self { name: capability.name.clone(), version, flags: flags | bits(qualifiers) }
    }

    fn shown(&self) -> Cow<'_, str> {
        let relation: String = [(2, '<'), (4, '>'), (8, '=')]
            .iter()
            .filter(|(bit, _)| self.flags & bit != 0)
            .map(|(_, sign)| sign)
            .collect();
        if relation.is_empty() {
            return Cow::Borrowed(&self.name);
        }
        Cow::Owned(format!("{} {relation} {}", self.name, self.version))
    }
}

/// Sources and patches as rpm 4.18 has them in its headers: from the last one of the spec to the first.
fn last_first(files: &[SourceFile]) -> Vec<&SourceFile> {
    let mut files: Vec<_> = files.iter().collect();
    files.sort_by(|left, right| right.place.cmp(&left.place).then(right.number.cmp(&left.number)));
    files
}

fn bits(qualifiers: &[Qualifier]) -> i64 {
    qualifiers.iter().fold(0, |bits, qualifier| bits | i64::from(qualifier.bit()))
}

fn text(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| Value(vec![Item::Text(text.to_owned())]))
}

fn number(number: i64) -> Option<Value> {
    Some(Value(vec![Item::Number(number)]))
}

fn texts<'t>(texts: impl Iterator<Item = &'t str>) -> Option<Value> {
    let items: Vec<_> = texts.map(|text| Item::Text(text.to_owned())).collect();
    (!items.is_empty()).then_some(Value(items))
}

fn numbers(numbers: impl Iterator<Item = i64>) -> Option<Value> {
    let items: Vec<_> = numbers.map(Item::Number).collect();
    (!items.is_empty()).then_some(Value(items))
}
