//! Which Debian packages become which RPMs, and what those require of each other.
//!
//! Packages renamed to one name become one RPM. Dependencies always name the RPM that met them, so that a
//! package of the tree with that name can replace the seed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rpmspec_parser::rpm::{Capability, Evr, Relation};

use super::control::{Paragraph, Relationship, parse_relationships};
use super::version::{RELEASE, rpm_relation, rpm_version};
use crate::seeds::DebianSeed;

/// One RPM to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) version: String,
    /// Debian names of its members; the first gives version and description.
    pub(super) members: Vec<String>,
    pub(super) provides: BTreeSet<Capability>,
    pub(super) requires: BTreeSet<Capability>,
}

/// Groups packages and settles their dependencies; what nothing wanted needs any more is left out.
///
/// # Errors
/// A wanted package is not among `packages`, or a dependency cannot be met.
pub(super) fn select(packages: &BTreeMap<String, Paragraph>, settings: &DebianSeed) -> Result<Vec<Group>, String> {
    let set = Set::new(packages, settings);
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
    let mut queue: VecDeque<&str> = VecDeque::new();
    for wanted in &settings.packages {
        queue.push_back(set.group_of(wanted).ok_or_else(|| format!("apt did not give `{wanted}`"))?);
    }
    while let Some(name) = queue.pop_front() {
        if groups.contains_key(name) {
            continue;
        }
        let (group, needs) = set.group(name)?;
        groups.insert(name, group);
        queue.extend(needs);
    }
    Ok(groups.into_values().collect())
}

struct Set<'a> {
    packages: BTreeMap<&'a str, &'a Paragraph>,
    settings: &'a DebianSeed,
    /// Members by RPM name.
    groups: BTreeMap<&'a str, Vec<&'a str>>,
    /// Real packages by the virtual names they provide.
    virtuals: BTreeMap<String, BTreeSet<&'a str>>,
    excluded: BTreeSet<&'a str>,
}

impl<'a> Set<'a> {
    fn new(packages: &'a BTreeMap<String, Paragraph>, settings: &'a DebianSeed) -> Self {
        let excluded: BTreeSet<&str> = settings.exclude.iter().map(String::as_str).collect();
        let packages: BTreeMap<&str, &Paragraph> = packages
            .iter()
            .map(|(name, paragraph)| (name.as_str(), paragraph))
            .filter(|(name, _)| !excluded.contains(name))
            .collect();
        let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut virtuals: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for (name, paragraph) in &packages {
            groups.entry(rpm_name(settings, name)).or_default().push(name);
            for provided in provided(paragraph) {
                virtuals.entry(provided.name).or_default().insert(name);
            }
        }
        for (group, members) in &mut groups {
            members.sort_by_key(|member| (member != group, *member));
        }
        Self { packages, settings, groups, virtuals, excluded }
    }

    fn group_of(&self, debian: &str) -> Option<&'a str> {
        let (name, _) = self.packages.get_key_value(debian)?;
        Some(rpm_name(self.settings, name))
    }

    fn version_of(&self, debian: &str) -> String {
        let version = self.packages.get(debian).and_then(|paragraph| paragraph.get("Version"));
        version.map_or_else(|| "0".to_owned(), |version| rpm_version(version))
    }

    fn evr_of_group(&self, group: &str) -> Evr {
        let first = self.groups.get(group).and_then(|members| members.first());
        Evr::new(None, first.map_or_else(|| "0".to_owned(), |member| self.version_of(member)), RELEASE)
    }

    /// An RPM and the names of those it needs.
    fn group(&self, name: &'a str) -> Result<(Group, BTreeSet<&'a str>), String> {
        let members = self.groups.get(name).cloned().unwrap_or_default();
        let (mut provides, mut requires, mut needs) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for member in &members {
            let Some(paragraph) = self.packages.get(member) else { continue };
            // An old name that another package has now (`pkgconf`) is that one's alone.
            if *member != name && !self.groups.contains_key(member) {
                provides.insert(Capability::exact(*member, Evr::new(None, self.version_of(member), RELEASE)));
            }
            for provided in provided(paragraph) {
                let version = provided.version.and_then(|(operator, version)| rpm_relation(&operator, &version));
                let version = version.map(|(relation, version)| (relation, Evr::parse(&version)));
                provides.insert(Capability { name: provided.name, version });
            }
            for text in self.settings.provides.get(*member).into_iter().flatten() {
                provides.insert(declared(text));
            }
            for field in ["Pre-Depends", "Depends"] {
                for alternatives in parse_relationships(paragraph.get(field).map_or("", String::as_str)) {
                    let Some((group, version)) = self.choose(member, &alternatives)? else { continue };
                    if group != name {
                        needs.insert(group);
                        requires.insert(Capability { name: group.to_owned(), version });
                    }
                }
            }
        }
        let version = self.evr_of_group(name).version;
        let members = members.into_iter().map(str::to_owned).collect();
        Ok((Group { name: name.to_owned(), version, members, provides, requires }, needs))
    }

    /// The RPM that meets a dependency; `None` where all alternatives are excluded.
    #[expect(clippy::type_complexity, reason = "a name and the version it is bound to")]
    fn choose(
        &self,
        asker: &str,
        alternatives: &[Relationship],
    ) -> Result<Option<(&'a str, Option<(Relation, Evr)>)>, String> {
        for alternative in alternatives {
            if let Some(group) = self.group_of(&alternative.name) {
                let wanted =
                    alternative.version.as_ref().and_then(|(operator, version)| rpm_relation(operator, version));
                let version = wanted.map(|(relation, version)| (relation, Evr::parse(&version)));
                // apt saw to the real version; a bound that no longer compares without its epoch is dropped.
                let bound = Capability { name: group.to_owned(), version };
                let holds = bound.overlaps(&Capability::exact(group, self.evr_of_group(group)));
                return Ok(Some((group, bound.version.filter(|_| holds))));
            }
        }
        for alternative in alternatives {
            let provider = self.virtuals.get(&alternative.name).and_then(|providers| providers.first());
            if let Some(group) = provider.and_then(|provider| self.group_of(provider)) {
                return Ok(Some((group, None)));
            }
        }
        if alternatives.iter().any(|alternative| self.excluded.contains(alternative.name.as_str())) {
            return Ok(None);
        }
        let names: Vec<&str> = alternatives.iter().map(|alternative| alternative.name.as_str()).collect();
        // Virtual names whose only provider is excluded go the same way as real ones.
        if names.iter().any(|name| self.settings.exclude.iter().any(|excluded| excluded == name)) {
            return Ok(None);
        }
        Err(format!(
            "`{asker}` needs `{}`, which is not in the set; add it to `packages` or `exclude`",
            names.join(" | ")
        ))
    }
}

fn rpm_name<'a>(settings: &'a DebianSeed, debian: &'a str) -> &'a str {
    settings.rename.get(debian).map_or(debian, String::as_str)
}

fn provided(paragraph: &Paragraph) -> impl Iterator<Item = Relationship> {
    parse_relationships(paragraph.get("Provides").map_or("", String::as_str)).into_iter().flatten()
}

/// `name` or `name = version` of the settings.
fn declared(text: &str) -> Capability {
    match text.split_once(" = ") {
        Some((name, version)) => Capability::exact(name.trim(), Evr::parse(version.trim())),
        None => Capability::any(text.trim()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::control::parse_paragraph;
    use super::*;

    fn packages(texts: &[&str]) -> BTreeMap<String, Paragraph> {
        let paragraphs = texts.iter().map(|text| parse_paragraph(text));
        paragraphs.map(|paragraph| (paragraph.get("Package").cloned().unwrap_or_default(), paragraph)).collect()
    }

    fn settings(text: &str) -> DebianSeed {
        toml::from_str(&format!("suite = \"s\"\n{text}")).expect("valid settings")
    }

    fn texts(capabilities: &BTreeSet<Capability>) -> Vec<String> {
        capabilities.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn groups_are_renamed_merged_and_pruned() {
        let packages = packages(&[
            "Package: gcc\nVersion: 4:12.2.0-3\nDepends: cpp (= 4:12.2.0-3), gcc-12 (>= 12.2.0-1~), libc6 (>= 2.34)\nProvides: c-compiler\n",
            "Package: gcc-12\nVersion: 12.2.0-14\nDepends: libc6 (>= 2:9), base (= 1)\n",
            "Package: cpp\nVersion: 4:12.2.0-3\n",
            "Package: libc6\nVersion: 2.36-9\nDepends: debconf | debconf-2.0, awk\n",
            "Package: gawk\nVersion: 1:5.2.1-2\nProvides: awk\n",
            "Package: base\nVersion: 1\nDepends: orphan\n",
            "Package: orphan\nVersion: 1\n",
        ]);
        let settings = settings(
            "packages = [\"gcc\"]\nexclude = [\"base\", \"debconf\"]\nrename = { \"gcc-12\" = \"gcc\", libc6 = \"glibc\" }\n\
             provides = { libc6 = [\"rtld(GNU_HASH)\", \"x = 2\"] }\n",
        );
        let groups = select(&packages, &settings).expect("a complete set");
        let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, ["cpp", "gawk", "gcc", "glibc"], "`orphan` is needed by an excluded package only");
        let gcc = &groups[2];
        assert_eq!((gcc.version.as_str(), gcc.members.join(" ").as_str()), ("12.2.0", "gcc gcc-12"));
        assert_eq!(texts(&gcc.provides), ["c-compiler", "gcc-12 = 12.2.0-0.seed"]);
        assert_eq!(texts(&gcc.requires), ["cpp = 12.2.0", "glibc", "glibc >= 2.34"], "an epoch's bound is dropped");
        assert_eq!(texts(&groups[3].provides), ["libc6 = 2.36-0.seed", "rtld(GNU_HASH)", "x = 2"]);
        assert_eq!(texts(&groups[3].requires), ["gawk"]);
    }

    #[test]
    fn an_unmet_dependency_is_an_error_that_names_both() {
        let packages = packages(&["Package: a\nVersion: 1\nDepends: b | c\n"]);
        let error = select(&packages, &settings("packages = [\"a\"]\n")).expect_err("b and c are missing");
        assert!(error.contains("`a` needs `b | c`"), "{error}");
        let error = select(&packages, &settings("packages = [\"x\"]\n")).expect_err("x is missing");
        assert!(error.contains("`x`"), "{error}");
    }
}
