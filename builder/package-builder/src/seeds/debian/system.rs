//! The two RPMs every converted seed adds of its own: `filesystem` and the distribution's macros.

use std::collections::{BTreeMap, BTreeSet};

use rpmspec_parser::rpm::Capability;

use super::deb::EntryKind;
use super::package::Content;
use super::paths::MERGED;
use crate::seeds::DebianSeed;

/// The RPM with the directories, the links of the merged `/usr` and the files no package owns.
pub(super) const FILESYSTEM: &str = "filesystem";
/// The RPM with the macros of the seed's settings.
pub(super) const MACROS: &str = "seed-rpm-macros";

const DIRECTORIES: [(&str, u16); 52] = [
    ("/boot", 0o755),
    ("/builddir", 0o1777),
    ("/dev", 0o755),
    ("/etc", 0o755),
    ("/etc/ld.so.conf.d", 0o755),
    ("/etc/opt", 0o755),
    ("/etc/profile.d", 0o755),
    ("/etc/rpm", 0o755),
    ("/etc/skel", 0o755),
    ("/home", 0o755),
    ("/mnt", 0o755),
    ("/opt", 0o755),
    ("/proc", 0o555),
    ("/root", 0o700),
    ("/run", 0o755),
    ("/run/lock", 0o755),
    ("/srv", 0o755),
    ("/sys", 0o555),
    ("/tmp", 0o1777),
    ("/usr", 0o755),
    ("/usr/bin", 0o755),
    ("/usr/games", 0o755),
    ("/usr/include", 0o755),
    ("/usr/lib", 0o755),
    ("/usr/lib/rpm", 0o755),
    ("/usr/lib/rpm/macros.d", 0o755),
    ("/usr/libexec", 0o755),
    ("/usr/local", 0o755),
    ("/usr/local/bin", 0o755),
    ("/usr/local/include", 0o755),
    ("/usr/local/lib", 0o755),
    ("/usr/local/sbin", 0o755),
    ("/usr/local/share", 0o755),
    ("/usr/sbin", 0o755),
    ("/usr/share", 0o755),
    ("/usr/share/doc", 0o755),
    ("/usr/share/info", 0o755),
    ("/usr/share/licenses", 0o755),
    ("/usr/share/locale", 0o755),
    ("/usr/share/man", 0o755),
    ("/usr/share/misc", 0o755),
    ("/usr/share/pkgconfig", 0o755),
    ("/usr/src", 0o755),
    ("/var", 0o755),
    ("/var/cache", 0o755),
    ("/var/lib", 0o755),
    ("/var/lib/rpm", 0o755),
    ("/var/local", 0o755),
    ("/var/log", 0o755),
    ("/var/opt", 0o755),
    ("/var/spool", 0o755),
    ("/var/tmp", 0o1777),
];

const FILES: [(&str, &str); 7] = [
    (
        "/etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\nbin:x:1:1:bin:/bin:/sbin/nologin\ndaemon:x:2:2:daemon:/sbin:/sbin/nologin\n\
         builder:x:1000:1000:build user:/builddir:/bin/bash\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
    ),
    (
        "/etc/group",
        "root:x:0:\nbin:x:1:\ndaemon:x:2:\nsys:x:3:\nadm:x:4:\ntty:x:5:\ndisk:x:6:\nlp:x:7:\nmem:x:8:\nkmem:x:9:\n\
         wheel:x:10:\nmail:x:12:\nman:x:15:\nutmp:x:22:\naudio:x:63:\nusers:x:100:\nbuilder:x:1000:\nnobody:x:65534:\n",
    ),
    ("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    ("/etc/host.conf", "multi on\n"),
    (
        "/etc/nsswitch.conf",
        "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n",
    ),
    ("/etc/shells", "/bin/sh\n/bin/bash\n"),
    ("/etc/profile", "PATH=/usr/bin:/usr/sbin\nexport PATH\numask 022\n"),
];

/// The file system of a root whose libraries are in `/usr/lib/TRIPLET`.
pub(super) fn filesystem(triplet: &str, arch: &str, time: u32) -> Content {
    let mut entries: BTreeMap<String, EntryKind> = BTreeMap::new();
    for (path, mode) in DIRECTORIES {
        entries.insert(path.to_owned(), EntryKind::Directory { mode });
    }
    entries.insert(format!("/usr/lib/{triplet}"), EntryKind::Directory { mode: 0o755 });
    entries.insert(format!("/usr/lib/{triplet}/pkgconfig"), EntryKind::Directory { mode: 0o755 });
    let mut link = |path: String, target: &str| entries.insert(path, EntryKind::Link { target: target.to_owned() });
    for name in MERGED {
        link(format!("/{name}"), &format!("usr/{name}"));
    }
    // `%{_libdir}` and Debian's library directory are one directory with two names.
    link("/usr/lib64".to_owned(), &format!("lib/{triplet}"));
    link("/var/run".to_owned(), "../run");
    link("/var/lock".to_owned(), "../run/lock");
    link("/etc/mtab".to_owned(), "../proc/self/mounts");
    for (path, text) in FILES {
        entries.insert(path.to_owned(), EntryKind::File { mode: 0o644, content: text.as_bytes().to_vec() });
    }
    Content {
        name: FILESYSTEM.to_owned(),
        version: "0".to_owned(),
        arch: arch.to_owned(),
        summary: "Directories and accounts of build roots made of a converted seed".to_owned(),
        source: "nothing: it is generated".to_owned(),
        time,
        provides: BTreeSet::from(["user(root)", "group(root)"].map(Capability::any)),
        entries,
        ..Content::default()
    }
}

/// The macros and `rpmrc` of a seed's settings. They are loaded after rpm's and the platform's, so they win.
pub(super) fn macros(seed: &str, settings: &DebianSeed, time: u32) -> Content {
    let mut text = format!("# From the settings of seed `{seed}`.\n");
    for (name, body) in &settings.macros {
        text.push_str(&format!("%{name} {}\n", body.trim_end().replace('\n', "\\\n")));
    }
    let file = |text: String| EntryKind::File { mode: 0o644, content: text.into_bytes() };
    let mut entries = BTreeMap::from([(format!("/etc/rpm/macros.{seed}"), file(text))]);
    if !settings.rpmrc.is_empty() {
        entries.insert("/etc/rpmrc".to_owned(), file(format!("{}\n", settings.rpmrc.join("\n"))));
    }
    Content {
        name: MACROS.to_owned(),
        version: "0".to_owned(),
        arch: "noarch".to_owned(),
        summary: "RPM macros of build roots made of a converted seed".to_owned(),
        source: "the seed's settings".to_owned(),
        time,
        provides: BTreeSet::from([Capability::any("system-rpm-config")]),
        entries,
        ..Content::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_directory_has_two_names() {
        let content = filesystem("x86_64-linux-gnu", "x86_64", 0);
        let link = EntryKind::Link { target: "lib/x86_64-linux-gnu".to_owned() };
        assert_eq!(content.entries.get("/usr/lib64"), Some(&link));
        assert_eq!(content.entries.get("/lib64"), Some(&EntryKind::Link { target: "usr/lib64".to_owned() }));
    }

    #[test]
    fn macros_may_span_lines() {
        let settings =
            "suite = 's'\npackages = []\nrpmrc = ['optflags: x86_64 -O2']\nmacros = { 'a(b)' = \"one\\ntwo\\n\" }\n";
        let content = macros("debian", &toml::from_str(settings).expect("valid settings"), 0);
        let rpmrc = EntryKind::File { mode: 0o644, content: b"optflags: x86_64 -O2\n".to_vec() };
        assert_eq!(content.entries.get("/etc/rpmrc"), Some(&rpmrc));
        let Some(EntryKind::File { content, .. }) = content.entries.get("/etc/rpm/macros.debian") else {
            panic!("no macros")
        };
        assert!(String::from_utf8_lossy(content).ends_with("%a(b) one\\\ntwo\n"));
    }
}
