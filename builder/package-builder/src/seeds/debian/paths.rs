//! Where files of Debian packages go: one `/usr`, and one library directory.

use std::path::{Component, Path};

/// Directories that are links into `/usr` in every root made of seeds.
pub(super) const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// Documentation, translations and checks of Debian's own, left out where documentation is.
const DOCUMENTATION: [&str; 9] = [
    "/usr/share/doc/",
    "/usr/share/man/",
    "/usr/share/info/",
    "/usr/share/locale/",
    "/usr/share/lintian/",
    "/usr/share/bug/",
    "/usr/share/doc-base/",
    "/usr/share/menu/",
    "/usr/share/gnome/help/",
];

/// The absolute, normal path a packaged path (`./bin/sh`) has in a root: `/bin` and its kind are in `/usr`,
/// and `/usr/lib64` is the same directory as `/usr/lib/TRIPLET`. `None` for the root itself.
pub(super) fn merged(packaged: &Path, triplet: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for component in packaged.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::ParentDir => {
                parts.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    if parts.first().is_some_and(|first| MERGED.contains(first)) {
        parts.insert(0, "usr");
    }
    if parts.starts_with(&["usr", "lib64"]) {
        parts.splice(1..2, ["lib", triplet]);
    }
    (!parts.is_empty()).then(|| format!("/{}", parts.join("/")))
}

/// The target of a symbolic link that was packaged at `packaged`. A relative target that climbs is made
/// absolute, since the link may have moved; `None` when it would point at itself after the merge.
pub(super) fn link_target(packaged: &Path, target: &str, triplet: &str) -> Option<String> {
    let climbs = target.split('/').any(|part| part == "..");
    let directory = packaged.parent().unwrap_or(Path::new(""));
    let resolved = merged(&directory.join(target.trim_start_matches('/')), triplet);
    let absolute = if target.starts_with('/') { merged(Path::new(target), triplet) } else { resolved };
    if absolute == merged(packaged, triplet) {
        return None;
    }
    match absolute {
        Some(absolute) if climbs || target.starts_with('/') => Some(absolute),
        _ => Some(target.to_owned()),
    }
}

/// Whether a path is documentation, a translation or the like.
pub(super) fn is_documentation(path: &str) -> bool {
    DOCUMENTATION.iter().any(|directory| path.starts_with(directory) || path == directory.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIPLET: &str = "x86_64-linux-gnu";

    #[test]
    fn everything_moves_into_usr() {
        for (packaged, path) in [
            ("./bin/sh", "/usr/bin/sh"),
            ("./lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libc.so.6"),
            ("./lib64/ld-linux-x86-64.so.2", "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
            ("./usr/lib64/x", "/usr/lib/x86_64-linux-gnu/x"),
            ("./etc/bin/x", "/etc/bin/x"),
            ("./library/x", "/library/x"),
        ] {
            assert_eq!(merged(Path::new(packaged), TRIPLET).as_deref(), Some(path), "{packaged}");
        }
        assert_eq!(merged(Path::new("./"), TRIPLET), None);
    }

    #[test]
    fn links_still_reach_their_targets() {
        for (packaged, target, moved) in [
            (
                "./usr/lib/x86_64-linux-gnu/libz.so",
                "/lib/x86_64-linux-gnu/libz.so.1",
                "/usr/lib/x86_64-linux-gnu/libz.so.1",
            ),
            ("./bin/bzcmp", "bzdiff", "bzdiff"),
            ("./bin/x", "../usr/share/x", "/usr/share/x"),
            ("./usr/bin/y", "../../bin/z", "/usr/bin/z"),
        ] {
            assert_eq!(link_target(Path::new(packaged), target, TRIPLET).as_deref(), Some(moved), "{packaged}");
        }
        for (packaged, target) in [
            ("./lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
            ("./usr/bin/touch", "/bin/touch"),
        ] {
            assert_eq!(link_target(Path::new(packaged), target, TRIPLET), None, "{packaged}");
        }
    }

    #[test]
    fn documentation_is_known_by_its_directories() {
        assert!(is_documentation("/usr/share/doc/a/copyright") && is_documentation("/usr/share/man"));
        assert!(!is_documentation("/usr/share/documents/a"));
    }
}
