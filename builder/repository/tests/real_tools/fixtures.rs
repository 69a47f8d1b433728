//! Small packages, built by the real rpmbuild.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use tempfile::TempDir;

/// Whether a program can be started. If not, says so, or fails where `CI` is set.
#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
pub(crate) fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        assert!(std::env::var_os("CI").is_none(), "`{program}` is missing, and CI must not skip tests");
        eprintln!("SKIPPED: `{program}` is missing; `apt-get install rpm createrepo-c dnf` brings it");
    }
    found
}

/// Runs a command; its output, or a panic with all it said.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}\n{}", text(&output.stdout), text(&output.stderr));
    output
}

/// How a package is built.
#[derive(Clone, Default)]
pub(crate) struct Build<'a> {
    pub(crate) spec: &'a str,
    /// Macros to define.
    pub(crate) define: &'a [(&'a str, &'a str)],
    /// The build time in seconds since 1970.
    pub(crate) time: Option<u64>,
}

/// Builds a spec below `top`; gives the RPMs and the SRPM, sorted.
pub(crate) fn build(top: &Path, build: &Build<'_>) -> Vec<PathBuf> {
    std::fs::create_dir_all(top).unwrap();
    let spec = top.join("package.spec");
    std::fs::write(&spec, build.spec).unwrap();
    let mut command = Command::new("rpmbuild");
    command.arg("-ba").arg("--nodeps").arg("--define").arg(format!("_topdir {}", top.display()));
    for (name, value) in build.define {
        command.arg("--define").arg(format!("{name} {value}"));
    }
    match build.time {
        Some(time) => {
            command.arg("--define").arg("use_source_date_epoch_as_buildtime 1");
            command.env("SOURCE_DATE_EPOCH", time.to_string());
        }
        None => {
            command.env_remove("SOURCE_DATE_EPOCH");
        }
    }
    run(command.arg(&spec));
    let mut rpms = Vec::new();
    find_rpms(&top.join("RPMS"), &mut rpms);
    find_rpms(&top.join("SRPMS"), &mut rpms);
    rpms.sort();
    rpms
}

/// Every RPM below a directory.
pub(crate) fn find_rpms(directory: &Path, rpms: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find_rpms(&path, rpms);
        } else if path.extension().is_some_and(|extension| extension == "rpm") {
            rpms.push(path);
        }
    }
}

/// A package with one file and nothing else of note.
pub(crate) fn plain_spec(name: &str, release: u32, content: &str) -> String {
    format!(
        "Name: {name}\nVersion: 1.0\nRelease: {release}\nSummary: {name}\nLicense: MIT\nBuildArch: noarch\n\
         AutoReqProv: no\n%description\n{name}\n%install\nmkdir -p %{{buildroot}}/usr/share/{name}\n\
         echo '{content}' > %{{buildroot}}/usr/share/{name}/content\n%files\n/usr/share/{name}\n"
    )
}

/// A package with one of everything that repodata has to tell.
pub(crate) const RICH_SPEC: &str = r#"
Name: alpha
Epoch: 2
Version: 1.0~rc1
Release: 3
Summary: A & <B> "quoted" and 'single', ümlaut
License: MIT
Group: Development/Tools
URL: https://example.org/?a=1&b=2
Vendor: Example
Packager: Somebody <somebody@example.org>
BuildRequires: (gcc or clang), make >= 4
%description
First paragraph, with  two blanks & <tags>.

Second.

%package tools
Summary: Tools
Requires: alpha%{?_isa} = %{epoch}:%{version}-%{release}
Requires: (beta or gamma)
Requires: (delta >= 1:2.0 if epsilon else zeta)
Requires: /bin/sh
Requires: /usr/bin/alpha-tool
Requires: /usr/share/other/file
Requires: beta >= 1:2.0-1
Requires: beta
Requires: beta
Requires: alpha-tools
Requires(post): eta
Requires(preun): theta >= 0:1
Recommends: (iota if kappa)
Recommends: weak
Suggests: suggested
Supplements: supplemented
Enhances: enhanced
Conflicts: old < 1
Obsoletes: older <= 2:1-1
Provides: virtual(alpha) = 5
Provides: virtual(beta)
Provides: older = 3
AutoReqProv: no
%description tools
Tools.

%package empty
Summary: Nothing
%description empty
Has no file.

%package nothing-built
Summary: Is not built
%description nothing-built
Has no files section.

%install
mkdir -p %{buildroot}/etc/alpha.d %{buildroot}/usr/bin %{buildroot}/usr/share/alpha %{buildroot}/var/lib/alpha %{buildroot}/usr/libexec/alpha/bin
echo '#!/bin/sh' > %{buildroot}/usr/bin/alpha-tool
chmod 755 %{buildroot}/usr/bin/alpha-tool
cp %{buildroot}/usr/bin/alpha-tool %{buildroot}/usr/bin/set-user-id
echo conf > %{buildroot}/etc/alpha.d/alpha.conf
echo odd > "%{buildroot}/usr/share/alpha/odd & <name> é.txt"
echo percent > "%{buildroot}/usr/share/alpha/100%%"
echo linked > %{buildroot}/usr/share/alpha/hard1
ln %{buildroot}/usr/share/alpha/hard1 %{buildroot}/usr/share/alpha/hard2
ln %{buildroot}/usr/share/alpha/hard1 %{buildroot}/usr/share/alpha/hard3
ln -s ../alpha/hard1 %{buildroot}/usr/share/alpha/soft
ln -s /usr/share/alpha %{buildroot}/usr/share/alpha-link
echo inner > %{buildroot}/usr/libexec/alpha/bin/inner
: > %{buildroot}/usr/share/alpha/empty
touch -d 2001-02-03 %{buildroot}/usr/share/alpha/hard1 %{buildroot}/usr/share/alpha

%post tools
echo installed

%preun tools -p /bin/sh
echo removed

%files
%dir %attr(0750,root,games) /usr/share/alpha
"/usr/share/alpha/odd & <name> é.txt"
/usr/share/alpha/100%%
/usr/share/alpha/hard1
/usr/share/alpha/hard2
/usr/share/alpha/hard3
/usr/share/alpha/soft
/usr/share/alpha/empty
/usr/share/alpha-link
%dir %ghost /var/lib/alpha
%ghost /var/log/alpha.log

%files tools
/usr/bin/alpha-tool
%attr(4755,root,games) /usr/bin/set-user-id
/usr/libexec/alpha
%config(noreplace) /etc/alpha.d/alpha.conf
%dir /etc/alpha.d

%files empty

%changelog
* Fri Mar 01 2024 A <a@example.org> - 1.0~rc1-3
- Third & <last>
* Thu Feb 01 2024 A <a@example.org> - 1.0~rc1-2
- Second
  with a second line
* Mon Jan 01 2024 A <a@example.org> - 1.0~rc1-1
- First
"#;

/// The packages most tests use, built once: the rich one and three plain ones.
pub(crate) fn fixtures() -> &'static [PathBuf] {
    static BUILT: OnceLock<(TempDir, Vec<PathBuf>)> = OnceLock::new();
    let (_, rpms) = BUILT.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let top = directory.path();
        let changelog: String =
            (1..=12).map(|day| format!("* Tue Dec {:02} 2020 B <b@x.org>\n- {day}\n", 13 - day)).collect();
        let specs = [
            RICH_SPEC.to_owned(),
            plain_spec("beta", 1, "beta") + "%changelog\n" + &changelog.replace("Tue ", weekday()),
            plain_spec("gamma", 1, "gamma"),
        ];
        let mut rpms = Vec::new();
        for (index, spec) in specs.iter().enumerate() {
            rpms.extend(build(&top.join(index.to_string()), &Build { spec, ..Build::default() }));
        }
        (directory, rpms)
    });
    rpms
}

/// rpmbuild warns of a wrong day of the week, no more; any day will do.
fn weekday() -> &'static str {
    "Tue "
}

/// The RPM of that name.
pub(crate) fn named<'a>(rpms: &'a [PathBuf], start: &str) -> &'a Path {
    let found = rpms.iter().find(|path| path.file_name().unwrap().to_string_lossy().starts_with(start));
    found.unwrap_or_else(|| panic!("no {start} in {rpms:?}"))
}
