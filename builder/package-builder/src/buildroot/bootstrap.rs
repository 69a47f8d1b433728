//! The smallest root rpm runs in: unpacked payloads of what it is linked with, no database.
//!
//! The base layer is installed by the rpm of its own packages, so the host needs none; this root is what
//! that rpm runs in the first time.

use std::collections::{BTreeMap, BTreeSet};

use rpmspec_parser::rpm::Dependency;

use super::BuildrootError;
use crate::seeds::SeedRpm;

/// Files rpm cannot do without: itself, its macros, and the shell that macros and scriptlets call.
const NEEDED: [&str; 4] = ["/usr/bin/rpm", "/usr/lib/rpm/macros", "/usr/lib/rpm/rpmrc", "/usr/bin/bash"];
/// Files that are taken along where the set has them: account data, base commands, the linker's cache.
const WANTED: [&str; 5] = ["/etc/passwd", "/usr/bin/mkdir", "/usr/bin/chmod", "/usr/bin/grep", "/usr/sbin/ldconfig"];

/// The packages of a set that its own rpm needs to run: owners of [`NEEDED`] and [`WANTED`], and whatever
/// their files are linked with. Ordered as in `rpms`.
pub(super) fn packages<'a>(rpms: &[&'a SeedRpm]) -> Result<Vec<&'a SeedRpm>, BuildrootError> {
    let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
    let mut libraries: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, rpm) in rpms.iter().enumerate() {
        for file in &rpm.metadata.files {
            owners.entry(file).or_insert(index);
        }
        for capability in rpm.metadata.provides.iter().filter(|capability| is_library(&capability.name)) {
            libraries.entry(&capability.name).or_insert(index);
        }
    }
    let mut queue = Vec::new();
    for path in NEEDED {
        queue.push(*owners.get(path).ok_or_else(|| BuildrootError::Incomplete { path: path.to_owned() })?);
    }
    queue.extend(WANTED.iter().filter_map(|path| owners.get(path)));
    let mut taken: BTreeSet<usize> = BTreeSet::new();
    while let Some(index) = queue.pop() {
        if !taken.insert(index) {
            continue;
        }
        for requirement in &rpms[index].metadata.requires {
            if let Dependency::Capability(capability) = requirement {
                queue.extend(libraries.get(capability.name.as_str()));
            }
        }
    }
    Ok(taken.into_iter().map(|index| rpms[index]).collect())
}

/// Whether a capability is a soname, with or without a symbol version.
fn is_library(name: &str) -> bool {
    name.contains(".so") && !name.starts_with('/') && !name.contains(' ')
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rpmspec_parser::rpm::{Capability, Evr, Nevra, PackageMetadata};

    use super::*;

    fn rpm(name: &str, files: &[&str], provides: &[&str], requires: &[&str]) -> SeedRpm {
        let evr = Evr::new(None, "1", "1");
        let mut metadata = PackageMetadata::new(Nevra { name: name.to_owned(), evr, arch: "noarch".to_owned() });
        metadata.files = files.iter().map(|file| (*file).to_owned()).collect();
        metadata.provides.extend(provides.iter().map(|name| Capability::any(*name)));
        metadata.requires = requires.iter().map(|name| Dependency::any(*name)).collect();
        SeedRpm { metadata, path: PathBuf::from(name), sha256: String::new() }
    }

    #[test]
    fn only_what_rpm_is_linked_with_is_taken() {
        let set = [
            rpm("bash", &["/usr/bin/bash"], &[], &["libc.so.6()(64bit)"]),
            rpm("gcc", &["/usr/bin/gcc"], &[], &["libc.so.6()(64bit)"]),
            rpm("glibc", &[], &["libc.so.6()(64bit)"], &[]),
            rpm("libs", &[], &["librpm.so.9()(64bit)"], &["libz.so.1()(64bit)", "perl"]),
            rpm("perl", &["/usr/bin/perl"], &[], &[]),
            rpm("rpm", &["/usr/bin/rpm", "/usr/lib/rpm/macros", "/usr/lib/rpm/rpmrc"], &[], &["librpm.so.9()(64bit)"]),
            rpm("zlib", &[], &["libz.so.1()(64bit)"], &[]),
        ];
        let all: Vec<&SeedRpm> = set.iter().collect();
        let taken = packages(&all).expect("rpm is in the set");
        let names: Vec<&str> = taken.iter().map(|rpm| rpm.metadata.nevra.name.as_str()).collect();
        assert_eq!(names, ["bash", "glibc", "libs", "rpm", "zlib"]);
        let error = packages(&all[..2]).expect_err("no rpm");
        assert!(error.to_string().contains("/usr/bin/rpm"), "{error}");
    }
}
