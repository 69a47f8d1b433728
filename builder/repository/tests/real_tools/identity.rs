//! The identity of a package: the same for a rebuild, another for any change.

use std::collections::BTreeMap;
use std::path::Path;

use repository::read_rpm;

use crate::fixtures::{Build, build, has};

const SPEC: &str = "
Name: same
Version: 1
Release: 1
Summary: Same
License: MIT
BuildArch: noarch
Requires: first
%description
Same.
%install
mkdir -p %{buildroot}/usr/share/same
echo content > %{buildroot}/usr/share/same/file
echo content > %{buildroot}/usr/share/same/linked
chmod 644 %{buildroot}/usr/share/same/file
ln -s file %{buildroot}/usr/share/same/link
touch -d @%{?file_time}%{!?file_time:1000000000} %{buildroot}/usr/share/same/*
%post
echo one
%files
%attr(-,root,root) /usr/share/same
%changelog
* Mon Jan 01 2024 A <a@example.org> - 1-1
- First
";

/// The identities of the SRPM and the RPM.
fn identities(top: &Path, how: &Build<'_>) -> Vec<String> {
    let rpms = build(top, how);
    assert_eq!(rpms.len(), 2, "{rpms:?}");
    rpms.iter().map(|rpm| read_rpm(rpm).unwrap().identity).collect()
}

#[test]
fn a_rebuild_keeps_it() {
    if !has("rpmbuild") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let first = Build { spec: SPEC, define: &[("_buildhost", "one")], time: Some(1_600_000_000) };
    let second =
        Build { define: &[("_buildhost", "two"), ("file_time", "1100000000")], time: Some(1_700_000_000), ..first };
    let (first_top, second_top) = (directory.path().join("1"), directory.path().join("2/deeper"));
    let (first, second) = (identities(&first_top, &first), identities(&second_top, &second));
    assert_eq!(first, second);
    assert_ne!(first[0], first[1]);
    // The files do differ.
    for name in ["RPMS/noarch/same-1-1.noarch.rpm", "SRPMS/same-1-1.src.rpm"] {
        let sha256 = |top: &Path| read_rpm(top.join(name)).unwrap().sha256;
        assert_ne!(sha256(&first_top), sha256(&second_top), "{name}");
    }
    // The SRPM is another as soon as the spec is, even where the RPM is the same.
    let spec = format!("# A remark.\n{SPEC}");
    let third = Build { spec: &spec, time: Some(1_600_000_000), ..Build::default() };
    let third = identities(&directory.path().join("3"), &third);
    assert_eq!(third[0], first[0]);
    assert_ne!(third[1], first[1]);
}

#[test]
fn any_change_gives_another() {
    if !has("rpmbuild") {
        return;
    }
    let changes = [
        ("content", "echo content >", "echo other >"),
        ("mode", "chmod 644", "chmod 600"),
        ("name", "same/linked", "same/other"),
        ("owner", "%attr(-,root,root)", "%attr(-,games,root)"),
        ("group", "%attr(-,root,root)", "%attr(-,root,games)"),
        ("dependency", "Requires: first", "Requires: second"),
        ("version of a dependency", "Requires: first", "Requires: first > 1"),
        ("weak dependency", "Requires: first", "Requires: first\nRecommends: weak"),
        ("scriptlet", "echo one", "echo two"),
        ("interpreter", "%post\n", "%post -p /bin/bash\n"),
        ("another scriptlet", "%post\n", "%preun\necho zero\n%post\n"),
        ("trigger", "%post\n", "%triggerin -- first\necho zero\n%post\n"),
        ("link", "ln -s file", "ln -s linked"),
        (
            "hard link",
            "echo content > %{buildroot}/usr/share/same/linked",
            "ln %{buildroot}/usr/share/same/file %{buildroot}/usr/share/same/linked",
        ),
        ("configuration", "%files\n", "%files\n%config /usr/share/same/file\n"),
        ("release", "Release: 1", "Release: 2"),
        ("summary", "Summary: Same", "Summary: Other"),
        ("changelog", "- First", "- Other"),
        ("compression", "Name: same", "%define _binary_payload w1.gzdio\nName: same"),
    ];
    let directory = tempfile::tempdir().unwrap();
    let rpm = |number: usize, spec: &str| {
        let top = directory.path().join(number.to_string());
        identities(&top, &Build { spec, time: Some(1_600_000_000), ..Build::default() }).remove(0)
    };
    let mut seen = BTreeMap::from([(rpm(0, SPEC), "nothing")]);
    for (number, (what, from, to)) in changes.into_iter().enumerate() {
        let spec = SPEC.replacen(from, to, 1);
        assert_ne!(spec, SPEC, "{what}");
        if let Some(same) = seen.insert(rpm(number + 1, &spec), what) {
            panic!("a change of {what} gives the same identity as a change of {same}");
        }
    }
}
