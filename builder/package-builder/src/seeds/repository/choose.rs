//! Which packages of a repository a seed has: all, or those wanted with everything they may need.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use ::repository::IndexedPackage;
use rpmspec_parser::rpm::{Capability, Dependency};

use crate::seeds::store::Listed;
use crate::seeds::{RepositorySeed, SeedRpm};

/// Names this alike are offered in place of an unknown one.
const ALIKE: f64 = 0.85;

/// Chooses, ordered by file name. Source packages are never part of a seed.
///
/// # Errors
/// A name of the settings is not in the repository, one NEVRA stands for two contents, or nothing is left.
pub(super) fn choose(packages: Vec<IndexedPackage>, settings: &RepositorySeed) -> Result<Vec<Listed>, String> {
    let mut packages: Vec<IndexedPackage> =
        packages.into_iter().filter(|package| !matches!(&*package.metadata.nevra.arch, "src" | "nosrc")).collect();
    for name in &settings.exclude {
        if !packages.iter().any(|package| package.metadata.nevra.name == *name) {
            return Err(format!(
                "`exclude` names `{name}`, which is not in it{}; take it out",
                nearest(name, &packages)
            ));
        }
    }
    packages.retain(|package| !settings.exclude.contains(&package.metadata.nevra.name));
    packages.sort_by(|a, b| {
        let key = |package: &IndexedPackage| (package.metadata.nevra.file_name(), package.location.clone());
        key(a).cmp(&key(b))
    });
    let mut packages = without_duplicates(packages)?;
    if !settings.packages.is_empty() {
        let kept = closure(&packages, &settings.packages)?;
        let mut place = 0;
        packages.retain(|_| {
            place += 1;
            kept.contains(&(place - 1))
        });
    }
    if packages.is_empty() {
        return Err("there is no binary package in it".to_owned());
    }
    packages.into_iter().map(listed).collect()
}

fn listed(package: IndexedPackage) -> Result<Listed, String> {
    // The cache keeps its own files beside the packages.
    if !package.location.ends_with(".rpm") || package.location.starts_with(['.']) {
        return Err(format!("`{}` has the location `{}`, which is no RPM's", package.metadata.nevra, package.location));
    }
    let IndexedPackage { metadata, location, sha256, size } = package;
    Ok(Listed { rpm: SeedRpm { metadata, path: PathBuf::from(location), sha256 }, size })
}

/// A package may be listed twice, but not with two contents.
fn without_duplicates(packages: Vec<IndexedPackage>) -> Result<Vec<IndexedPackage>, String> {
    let mut seen: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut kept = Vec::with_capacity(packages.len());
    for package in packages {
        let nevra = package.metadata.nevra.to_string();
        match seen.get(&nevra) {
            None => {
                seen.insert(nevra, (package.sha256.clone(), package.location.clone()));
                kept.push(package);
            }
            Some((sha256, _)) if *sha256 == package.sha256 => {}
            Some((_, location)) => {
                return Err(format!(
                    "`{nevra}` is in it twice with different content, as `{location}` and `{}`; add `{}` to `exclude`",
                    package.location, package.metadata.nevra.name
                ));
            }
        }
    }
    Ok(kept)
}

/// The wanted packages and every package that anything among them may need: all providers of all requirements,
/// so that whatever can be installed from the repository with them can be installed from this part of it.
fn closure(packages: &[IndexedPackage], wanted: &[String]) -> Result<BTreeSet<usize>, String> {
    let providers = Providers::new(packages);
    let mut kept = BTreeSet::new();
    let mut queue = Vec::new();
    for text in wanted {
        let dependency = Dependency::parse(text).map_err(|error| format!("`packages`: {error}"))?;
        let found: Vec<usize> =
            dependency.capabilities().into_iter().flat_map(|capability| providers.of(capability)).collect();
        if found.is_empty() {
            return Err(format!("`packages` names `{text}`, which is not in it{}", nearest(text, packages)));
        }
        queue.extend(found);
    }
    while let Some(place) = queue.pop() {
        if kept.insert(place) {
            let requires = &packages[place].metadata.requires;
            queue.extend(requires.iter().flat_map(Dependency::capabilities).flat_map(|need| providers.of(need)));
        }
    }
    Ok(kept)
}

/// Who offers what.
struct Providers<'a> {
    packages: &'a [IndexedPackage],
    by_name: HashMap<&'a str, Vec<(usize, &'a Capability)>>,
    by_file: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Providers<'a> {
    fn new(packages: &'a [IndexedPackage]) -> Self {
        let mut by_name: HashMap<&str, Vec<(usize, &Capability)>> = HashMap::new();
        let mut by_file: HashMap<&str, Vec<usize>> = HashMap::new();
        for (place, package) in packages.iter().enumerate() {
            for provided in &package.metadata.provides {
                by_name.entry(&provided.name).or_default().push((place, provided));
            }
            for file in &package.metadata.files {
                by_file.entry(file).or_default().push(place);
            }
        }
        Self { packages, by_name, by_file }
    }

    fn of(&self, wanted: &Capability) -> Vec<usize> {
        let named = self.by_name.get(&*wanted.name).into_iter().flatten();
        let mut places: Vec<usize> =
            named.filter(|(_, provided)| wanted.overlaps(provided)).map(|(place, _)| *place).collect();
        places.extend(self.by_file.get(&*wanted.name).into_iter().flatten());
        debug_assert!(places.iter().all(|place| *place < self.packages.len()));
        places
    }
}

/// `; near: …`, or nothing.
fn nearest(name: &str, packages: &[IndexedPackage]) -> String {
    let names: BTreeSet<&str> = packages.iter().map(|package| &*package.metadata.nevra.name).collect();
    crate::seeds::nearest(name, names, ALIKE)
}

#[cfg(test)]
mod tests {
    use rpmspec_parser::rpm::{Evr, Nevra, PackageMetadata};

    use super::*;

    fn package(name: &str, version: &str, requires: &[&str]) -> IndexedPackage {
        let nevra = Nevra { name: name.to_owned(), evr: Evr::new(None, version, "1"), arch: "noarch".to_owned() };
        let location = nevra.file_name();
        let mut metadata = PackageMetadata::new(nevra);
        metadata.requires = requires.iter().map(|text| Dependency::parse(text).expect("valid")).collect();
        metadata.files = vec![format!("/usr/bin/{name}")];
        IndexedPackage { metadata, location, sha256: format!("{name}{version}"), size: 1 }
    }

    fn chosen(packages: Vec<IndexedPackage>, settings: &str) -> Result<Vec<String>, String> {
        let settings: RepositorySeed = toml::from_str(&format!("url = \"/x\"\n{settings}")).expect("valid settings");
        let listed = choose(packages, &settings)?;
        Ok(listed.into_iter().map(|listed| listed.rpm.path.display().to_string()).collect())
    }

    #[test]
    fn the_closure_has_every_provider_of_every_need() {
        let repository = vec![
            package("a", "1", &["b >= 2", "(c if d)"]),
            package("b", "1", &[]),
            package("b", "2", &["/usr/bin/e"]),
            package("b", "3", &[]),
            package("c", "1", &[]),
            package("d", "1", &["nobody"]),
            package("e", "1", &["a"]),
            package("f", "1", &[]),
        ];
        let names = chosen(repository.clone(), "packages = [\"a\"]").expect("`a` is there");
        assert_eq!(
            names.join(" "),
            "a-1-1.noarch.rpm b-2-1.noarch.rpm b-3-1.noarch.rpm c-1-1.noarch.rpm d-1-1.noarch.rpm e-1-1.noarch.rpm"
        );
        let names = chosen(repository.clone(), "packages = [\"/usr/bin/f\"]").expect("a file is a capability");
        assert_eq!(names, ["f-1-1.noarch.rpm"]);
        assert_eq!(chosen(repository.clone(), "").expect("all of it").len(), 8);
        let names = chosen(repository, "packages = [\"a\"]\nexclude = [\"d\", \"b\"]").expect("`a` is there");
        assert_eq!(names, ["a-1-1.noarch.rpm", "c-1-1.noarch.rpm"]);
    }

    #[test]
    fn names_that_are_not_there_are_errors() {
        let repository = vec![package("zlib", "1", &[]), package("zlib-devel", "1", &[])];
        let error = chosen(repository.clone(), "packages = [\"zlb-devel\"]").expect_err("a slip of the pen");
        assert!(error.contains("`zlb-devel`") && error.contains("`zlib-devel`"), "{error}");
        let error = chosen(repository.clone(), "exclude = [\"bash\"]").expect_err("it is not there");
        assert!(error.contains("`exclude` names `bash`"), "{error}");
        let error = chosen(repository, "exclude = [\"zlib\", \"zlib-devel\"]").expect_err("nothing is left");
        assert!(error.contains("no binary package"), "{error}");
    }

    #[test]
    fn one_package_has_one_content() {
        let mut twice = vec![package("a", "1", &[]), package("a", "1", &[])];
        assert_eq!(chosen(twice.clone(), "").expect("listed twice").len(), 1);
        twice[1].sha256 = "other".to_owned();
        twice[1].location = "other/a.rpm".to_owned();
        let error = chosen(twice, "").expect_err("two contents");
        assert!(error.contains("twice") && error.contains("other/a.rpm"), "{error}");
        let mut odd = package("a", "1", &[]);
        odd.location = "packages.json".to_owned();
        assert!(chosen(vec![odd], "").expect_err("no RPM").contains("packages.json"));
    }
}
