//! The tags of a preamble: their names, how they are spelled, what else an unknown one could have meant.

use crate::macros::RpmVersion;

/// What a tag's parentheses may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parentheses {
    /// Nothing: there are none.
    None,
    /// A language: `Summary(de)`.
    Language,
    /// For what a dependency is needed: `Requires(post)`.
    Qualifiers,
}

/// The dependency a tag states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Relation {
    Provides,
    Requires,
    Prereq,
    Recommends,
    Suggests,
    Supplements,
    Enhances,
    Conflicts,
    Obsoletes,
    OrderWithRequires,
    BuildRequires,
    BuildConflicts,
    Triggers,
    FileTriggers,
    TransactionFileTriggers,
}

/// What a tag does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Name,
    Version,
    Release,
    Epoch,
    /// A text of any length in the package's header.
    Text,
    /// A text that is one word.
    Word,
    Source,
    Patch,
    NoSource,
    NoPatch,
    /// A list of words in the spec's restrictions.
    Restriction,
    Icon,
    Dependency(Relation),
    Prefixes,
    BuildRoot,
    BuildArch,
    /// `AutoReq` and its like, which matter when the package is built.
    Automatic,
    DocDir,
    RemovePathPostfixes,
    BuildSystem,
    BuildOption,
    /// rpm knows its name and always refuses it.
    Bogus,
}

/// One tag rpm knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tag {
    /// Its name in lower case, which is also the macro it defines.
    pub name: &'static str,
    /// rpm's name of it in messages.
    pub shown: &'static str,
    pub kind: Kind,
    pub parentheses: Parentheses,
    pub deprecated: bool,
    /// The version of rpm that brought it.
    since: &'static [u32],
}

const fn tag(name: &'static str, shown: &'static str, kind: Kind) -> Tag {
    Tag { name, shown, kind, parentheses: Parentheses::None, deprecated: false, since: &[] }
}

const fn qualified(name: &'static str, shown: &'static str, relation: Relation) -> Tag {
    Tag { parentheses: Parentheses::Qualifiers, ..tag(name, shown, Kind::Dependency(relation)) }
}

const fn translated(name: &'static str, shown: &'static str) -> Tag {
    Tag { parentheses: Parentheses::Language, ..tag(name, shown, Kind::Text) }
}

const fn deprecated(tag: Tag) -> Tag {
    Tag { deprecated: true, ..tag }
}

const fn since_4_20(tag: Tag) -> Tag {
    Tag { since: &[4, 20], ..tag }
}

/// The tags in rpm's order: the first whose name a line begins with is meant.
pub(crate) const TAGS: &[Tag] = &[
    tag("name", "Name", Kind::Name),
    tag("version", "Version", Kind::Version),
    tag("release", "Release", Kind::Release),
    tag("epoch", "Epoch", Kind::Epoch),
    translated("summary", "Summary"),
    tag("license", "License", Kind::Text),
    tag("distribution", "Distribution", Kind::Text),
    tag("disturl", "Disturl", Kind::Bogus),
    tag("disttag", "Disttag", Kind::Word),
    tag("vendor", "Vendor", Kind::Text),
    translated("group", "Group"),
    tag("packager", "Packager", Kind::Text),
    tag("url", "Url", Kind::Word),
    tag("vcs", "Vcs", Kind::Word),
    tag("sourcelicense", "Sourcelicense", Kind::Text),
    tag("source", "Source", Kind::Source),
    tag("patch", "Patch", Kind::Patch),
    tag("nosource", "Nosource", Kind::NoSource),
    tag("nopatch", "Nopatch", Kind::NoPatch),
    tag("excludearch", "Excludearch", Kind::Restriction),
    tag("exclusivearch", "Exclusivearch", Kind::Restriction),
    tag("excludeos", "Excludeos", Kind::Restriction),
    tag("exclusiveos", "Exclusiveos", Kind::Restriction),
    tag("icon", "Icon", Kind::Icon),
    tag("provides", "Providename", Kind::Dependency(Relation::Provides)),
    qualified("requires", "Requirename", Relation::Requires),
    since_4_20(qualified("recommends", "Recommendname", Relation::Recommends)),
    tag("recommends", "Recommendname", Kind::Dependency(Relation::Recommends)),
    since_4_20(qualified("suggests", "Suggestname", Relation::Suggests)),
    tag("suggests", "Suggestname", Kind::Dependency(Relation::Suggests)),
    since_4_20(qualified("supplements", "Supplementname", Relation::Supplements)),
    tag("supplements", "Supplementname", Kind::Dependency(Relation::Supplements)),
    since_4_20(qualified("enhances", "Enhancename", Relation::Enhances)),
    tag("enhances", "Enhancename", Kind::Dependency(Relation::Enhances)),
    deprecated(qualified("prereq", "Requirename", Relation::Prereq)),
    tag("conflicts", "Conflictname", Kind::Dependency(Relation::Conflicts)),
    tag("obsoletes", "Obsoletename", Kind::Dependency(Relation::Obsoletes)),
    tag("prefixes", "Prefixes", Kind::Prefixes),
    tag("prefix", "Prefixes", Kind::Prefixes),
    tag("buildroot", "Buildroot", Kind::BuildRoot),
    tag("buildarchitectures", "Buildarchs", Kind::BuildArch),
    tag("buildarch", "Buildarchs", Kind::BuildArch),
    tag("buildconflicts", "Buildconflicts", Kind::Dependency(Relation::BuildConflicts)),
    since_4_20(Tag { parentheses: Parentheses::Qualifiers, ..tag("buildoption", "Buildoption", Kind::BuildOption) }),
    since_4_20(tag("buildsystem", "Buildsystem", Kind::BuildSystem)),
    deprecated(tag("buildprereq", "Buildprereq", Kind::Dependency(Relation::BuildRequires))),
    tag("buildrequires", "Buildrequires", Kind::Dependency(Relation::BuildRequires)),
    tag("autoreqprov", "Autoreqprov", Kind::Automatic),
    tag("autoreq", "Autoreq", Kind::Automatic),
    tag("autoprov", "Autoprov", Kind::Automatic),
    tag("docdir", "Docdir", Kind::DocDir),
    tag("bugurl", "Bugurl", Kind::Word),
    tag("translationurl", "Translationurl", Kind::Text),
    tag("upstreamreleases", "Upstreamreleases", Kind::Text),
    qualified("orderwithrequires", "Ordername", Relation::OrderWithRequires),
    tag("removepathpostfixes", "Removepathpostfixes", Kind::RemovePathPostfixes),
    tag("modularitylabel", "Modularitylabel", Kind::Word),
];

impl Tag {
    fn is_known(&self, rpm: &RpmVersion) -> bool {
        rpm.is_at_least(self.since)
    }
}

/// A tag as a line begins with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FoundTag<'line> {
    pub tag: &'static Tag,
    /// What stands in parentheses; empty without them.
    pub qualifier: &'line str,
    /// What stands between `Source` or `Patch` and the colon.
    pub number: &'line str,
}

/// Finds the tag a line begins with, of those a version of rpm knows.
pub(crate) fn find_tag<'line>(line: &'line str, rpm: &RpmVersion) -> Option<FoundTag<'line>> {
    let first = line.as_bytes().first()?.to_ascii_lowercase();
    let begins = |name: &str| line.get(..name.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(name));
    let meant = |tag: &&Tag| tag.name.as_bytes().first() == Some(&first) && begins(tag.name) && tag.is_known(rpm);
    let tag = TAGS.iter().find(meant)?;
    let behind = &line[tag.name.len()..];
    let rest = behind.trim_ascii_start();
    let plain = FoundTag { tag, qualifier: "", number: "" };
    if matches!(tag.kind, Kind::Source | Kind::Patch) {
        return Some(FoundTag { number: behind.split(':').next().unwrap_or_default(), ..plain });
    }
    if rest.starts_with(':') {
        return Some(plain);
    }
    if tag.parentheses == Parentheses::None {
        return None;
    }
    let inner = rest.strip_prefix('(')?.trim_ascii_start();
    let length = inner.find(|letter: char| letter.is_ascii_whitespace() || letter == ')')?;
    let (qualifier, rest) = inner.split_at(length);
    let rest = rest.trim_ascii_start().strip_prefix(')')?.trim_ascii_start();
    rest.starts_with(':').then_some(FoundTag { qualifier, ..plain })
}

/// The tag that is spelled most like the beginning of a line, if any is near enough to be meant.
pub(crate) fn nearest_tag(line: &str, rpm: &RpmVersion) -> Option<String> {
    let word = line.trim_ascii_start();
    let length = word.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(word.len());
    let word = word[..length.min(40)].to_ascii_lowercase();
    TAGS.iter()
        .filter(|tag| tag.is_known(rpm))
        .map(|tag| (strsim::damerau_levenshtein(&word, tag.name), tag.name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 5)
        .min()
        .map(|(_, name)| spelled(name))
}

/// How people write the tags whose name is more than one word.
const SPELLED: &[&str] = &[
    "SourceLicense",
    "DistTag",
    "NoSource",
    "NoPatch",
    "ExcludeArch",
    "ExclusiveArch",
    "ExcludeOS",
    "ExclusiveOS",
    "BuildRoot",
    "BuildArch",
    "BuildConflicts",
    "BuildOption",
    "BuildRequires",
    "BuildSystem",
    "AutoReqProv",
    "AutoReq",
    "AutoProv",
    "DocDir",
    "BugURL",
    "OrderWithRequires",
    "RemovePathPostfixes",
    "ModularityLabel",
    "URL",
    "VCS",
];

/// A tag as people write it.
pub(crate) fn spelled(name: &str) -> String {
    match SPELLED.iter().find(|spelled| spelled.eq_ignore_ascii_case(name)) {
        Some(spelled) => (*spelled).to_owned(),
        None => name[..1].to_ascii_uppercase() + &name[1..],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_as_rpm_finds_them() {
        let find_tag = |line| find_tag(line, &RpmVersion::default());
        for (line, name, qualifier) in [
            ("Name: a", "name", ""),
            ("NAME : a", "name", ""),
            ("Requires(post) : b", "requires", "post"),
            ("Requires( post ): b", "requires", "post"),
            ("Requires(post,pre): b", "requires", "post,pre"),
            ("Summary (de): x", "summary", "de"),
            ("BuildArchitectures: noarch", "buildarchitectures", ""),
        ] {
            let found = find_tag(line).unwrap_or_else(|| panic!("{line} is a tag"));
            assert_eq!((found.tag.name, found.qualifier), (name, qualifier), "{line}");
        }
        for line in
            ["Foo: a", " Name: a", "Requires(post, pre): b", "BuildRequires(x): b", "Name", "Nam", "BuildSystem: a"]
        {
            assert!(find_tag(line).is_none(), "{line}");
        }
        assert_eq!(find_tag("Source12 : x").map(|found| found.number), Some("12 "));
    }

    #[test]
    fn newer_versions_know_more_tags() {
        let newer = RpmVersion::parse("4.20.0").expect("it is a version");
        let find = |line| find_tag(line, &newer).map(|found| (found.tag.name, found.qualifier));
        assert_eq!(find("BuildSystem: a"), Some(("buildsystem", "")));
        assert_eq!(find("BuildOption(conf): a"), Some(("buildoption", "conf")));
        assert_eq!(find("Recommends(meta): a"), Some(("recommends", "meta")));
        assert_eq!(find("Recommends: a"), Some(("recommends", "")));
    }

    #[test]
    fn near_misses_are_recognised() {
        let nearest_tag = |line| nearest_tag(line, &RpmVersion::default());
        assert_eq!(nearest_tag("BuildRequire: a").as_deref(), Some("BuildRequires"));
        assert_eq!(nearest_tag("Licence: MIT").as_deref(), Some("License"));
        assert_eq!(nearest_tag("xyzzy: a"), None);
    }
}
