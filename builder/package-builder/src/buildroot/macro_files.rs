//! The macro files and `rpmrc` of an install set, in the order its rpm would load them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rpmspec_parser::{MacroContext, RpmVersion};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Bring, BuildrootError};
use crate::seeds::SeedRpm;

/// Part of every key: raised whenever other files would be taken or in another order.
const FORMAT_VERSION: &str = "1";

const CONFIG: &str = "/usr/lib/rpm/";

/// rpm's own macros: the package with this file says which version of rpm it is.
const OWN: &str = "/usr/lib/rpm/macros";

/// What is kept of a set.
#[derive(Serialize, Deserialize)]
struct Kept {
    files: Vec<(PathBuf, String)>,
    rpmrc: Vec<String>,
}

/// The macro world rpm has in a root made of these packages: macro files in rpm's load order and `rpmrc`,
/// read from the packages themselves and kept in the cache (`macros/` below `cache`).
///
/// # Errors
/// [`BuildrootError`].
pub fn macro_context(
    rpms: &[&SeedRpm],
    cache: &Path,
    bring: Bring<'_>,
    target_cpu: &str,
) -> Result<MacroContext, BuildrootError> {
    let owners: Vec<&SeedRpm> = rpms.iter().copied().filter(|rpm| has_macros(rpm, target_cpu)).collect();
    let directory = cache.join("macros");
    fs::create_dir_all(&directory).map_err(BuildrootError::io(&directory))?;
    let kept_path = directory.join(format!("{}.json", key(&owners, target_cpu)));
    let known: Option<Kept> = fs::read(&kept_path).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let kept = match known {
        Some(kept) => kept,
        None => {
            bring(&owners)?;
            let kept = read(&owners, &directory, target_cpu)?;
            let text = serde_json::to_vec(&kept).map_err(|error| BuildrootError::io(&kept_path)(error.into()))?;
            let beside = kept_path.with_extension(format!("new{}", std::process::id()));
            fs::write(&beside, text).map_err(BuildrootError::io(&beside))?;
            fs::rename(&beside, &kept_path).map_err(BuildrootError::io(&kept_path))?;
            kept
        }
    };
    Ok(MacroContext {
        files: kept.files,
        rpmrc: kept.rpmrc,
        target_cpu: target_cpu.to_owned(),
        target_os: "linux".to_owned(),
        rpm: rpm_version(&owners),
        ..MacroContext::default()
    })
}

/// The version of the rpm among some packages.
fn rpm_version(owners: &[&SeedRpm]) -> RpmVersion {
    let own = owners.iter().find(|rpm| rpm.metadata.files.iter().any(|file| file == OWN));
    own.and_then(|rpm| RpmVersion::parse(&rpm.metadata.nevra.evr.version)).unwrap_or_default()
}

fn key(owners: &[&SeedRpm], target_cpu: &str) -> String {
    let mut parts: Vec<&str> = owners.iter().map(|rpm| rpm.sha256.as_str()).collect();
    parts.sort_unstable();
    let mut hash = Sha256::new();
    hash.update(format!("{FORMAT_VERSION} {target_cpu} {}", parts.join(" ")));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn has_macros(rpm: &SeedRpm, target_cpu: &str) -> bool {
    rpm.metadata.files.iter().any(|file| macro_rank(file, target_cpu).is_some() || rpmrc_rank(file).is_some())
}

/// Unpacks the owners and reads their files.
fn read(owners: &[&SeedRpm], directory: &Path, target_cpu: &str) -> Result<Kept, BuildrootError> {
    let working = tempfile::Builder::new().prefix(".new-").tempdir_in(directory);
    let working = working.map_err(BuildrootError::io(directory))?;
    let paths: Vec<PathBuf> = owners.iter().map(|rpm| rpm.path.clone()).collect();
    ::repository::unpack_all(&paths, working.path())?;
    let (mut files, mut rpmrc) = (BTreeMap::new(), BTreeMap::new());
    for file in owners.iter().flat_map(|rpm| &rpm.metadata.files) {
        let ranks = (macro_rank(file, target_cpu), rpmrc_rank(file));
        if ranks == (None, None) {
            continue;
        }
        let path = working.path().join(file.trim_start_matches('/'));
        if !path.is_file() {
            continue;
        }
        let bytes = fs::read(&path).map_err(BuildrootError::io(&path))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(rank) = ranks.0 {
            files.insert((rank, file.as_str()), text);
        } else if let Some(rank) = ranks.1 {
            rpmrc.insert((rank, file.as_str()), text);
        }
    }
    Ok(Kept {
        files: files.into_iter().map(|((_, name), text)| (PathBuf::from(name), text)).collect(),
        rpmrc: rpmrc.into_values().collect(),
    })
}

/// A macro file's place in the load order of rpm 4.18 ("Macro path" of `rpm --showrc`), files of one place
/// by name; `None` for anything else. The user's own `~/.rpmmacros` does not exist in build roots.
fn macro_rank(file: &str, target_cpu: &str) -> Option<u8> {
    // What rpm skips among the files of a pattern: editors' and rpm's own leftovers.
    if ["~", ".rpmnew", ".rpmsave", ".rpmorig"].iter().any(|ending| file.ends_with(ending)) {
        return None;
    }
    let target = format!("{target_cpu}-linux");
    if let Some(rest) = file.strip_prefix(CONFIG) {
        let parts: Vec<&str> = rest.split('/').collect();
        return match parts[..] {
            ["macros"] => Some(0),
            ["macros.d", name] if name.starts_with("macros.") => Some(1),
            ["platform", platform, "macros"] => (platform == target).then_some(2),
            ["fileattrs", name] => name.ends_with(".attr").then_some(3),
            [_vendor, "macros"] => Some(4),
            _ => None,
        };
    }
    let parts: Vec<&str> = file.strip_prefix("/etc/rpm/")?.split('/').collect();
    match parts[..] {
        ["macros"] => Some(6),
        [name] if name.starts_with("macros.") => Some(5),
        [platform, "macros"] => (platform == target).then_some(7),
        _ => None,
    }
}

/// The place of an `rpmrc`: rpm's own, the vendor's, the system's.
fn rpmrc_rank(file: &str) -> Option<u8> {
    if file == "/etc/rpmrc" {
        return Some(2);
    }
    let parts: Vec<&str> = file.strip_prefix(CONFIG)?.split('/').collect();
    match parts[..] {
        ["rpmrc"] => Some(0),
        [_vendor, "rpmrc"] => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rpmspec_parser::rpm::{Evr, Nevra, PackageMetadata};

    use super::*;

    #[test]
    fn the_package_with_rpms_macros_tells_its_version() {
        let package = |version: &str, file: &str| SeedRpm {
            metadata: PackageMetadata {
                files: vec![file.to_owned()],
                ..PackageMetadata::new(Nevra {
                    name: "rpm-common".into(),
                    evr: Evr::new(None, version, "3"),
                    arch: "x86_64".into(),
                })
            },
            path: PathBuf::new(),
            sha256: String::new(),
        };
        let (other, rpm) = (package("9", "/usr/lib/rpm/macros.d/macros.x"), package("4.20.1+dfsg", OWN));
        assert_eq!(rpm_version(&[&other, &rpm]).as_str(), "4.20.1");
        assert_eq!(rpm_version(&[&other]), RpmVersion::default());
    }

    #[test]
    fn files_are_ordered_as_rpm_loads_them() {
        let order = [
            "/usr/lib/rpm/macros",
            "/usr/lib/rpm/macros.d/macros.python",
            "/usr/lib/rpm/platform/x86_64-linux/macros",
            "/usr/lib/rpm/fileattrs/elf.attr",
            "/usr/lib/rpm/vendor/macros",
            "/etc/rpm/macros.dist",
            "/etc/rpm/macros",
            "/etc/rpm/x86_64-linux/macros",
        ];
        let ranks: Vec<Option<u8>> = order.iter().map(|file| macro_rank(file, "x86_64")).collect();
        assert!(ranks.iter().all(Option::is_some) && ranks.is_sorted(), "{ranks:?}");
        for other in [
            "/usr/lib/rpm/platform/aarch64-linux/macros",
            "/usr/lib/rpm/macros.d/macros.x.rpmnew",
            "/usr/lib/rpm/brp-strip",
            "/usr/lib/rpm/rpmrc",
            "/usr/share/macros",
        ] {
            assert_eq!(macro_rank(other, "x86_64"), None, "{other}");
        }
        assert!(rpmrc_rank("/usr/lib/rpm/rpmrc") < rpmrc_rank("/usr/lib/rpm/vendor/rpmrc"));
        assert!(rpmrc_rank("/usr/lib/rpm/vendor/rpmrc") < rpmrc_rank("/etc/rpmrc"));
    }
}
