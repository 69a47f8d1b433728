//! A published generation, seeds included, says what createrepo_c says of a copy of its packages.

use std::process::Command;

use repository::{Change, Generation, Generations, SeedFile, read_rpm};

use crate::createrepo::{assert_same, createrepo};
use crate::fixtures::{Build, build, fixtures, has, named, run};

/// What is rare in packages, and an SRPM without all its sources.
const ODD_SPEC: &str = r#"
Name: odd+name_1.x
Version: 1^git2~3
Release: @RELEASE@
Summary: Odd
License: MIT and (GPLv2+ or BSD)
Source0: kept.txt
Source1: left.txt
NoSource: 1
AutoReqProv: no
Requires(pre): before
Requires(postun): after
Requires: both
Requires(post): both
Requires: (one and two and (three if four else five))
Requires: (six >= 1 with six < 2)
Requires: (seven without eight)
Conflicts: (nine unless ten)
Supplements: (eleven and twelve)
Enhances: thirteen > 0:1-1
Suggests: fourteen = 2:1
Requires: itself = 1
Requires: itself
Provides: itself = 1
Provides: /usr/bin/provided
Requires: /usr/bin/provided
Requires: /usr/share/odd/sub/a
Requires: /usr/share/odd/sub
Requires: libc.so.6(GLIBC_2.4)(64bit)
Requires: libc.so.6(GLIBC_2.34)(64bit)
Requires: libc.so.6()(64bit)
%description

  Blanks  and	tabs, “quotes” ]]> &amp;

%pretrans -p <lua>
-- nothing
%triggerin -- trigger > 1
true
%filetriggerin -- /usr/lib
true

%install
cd %{buildroot}
mkdir -p usr/share/odd/sub usr/lib etc usr/sbin usr/lib/some/bin
touch usr/share/odd/sub/{a,b} usr/lib/sendmail etc/odd usr/sbin/odd usr/lib/some/bin/inner
ln -s /nowhere usr/share/odd/dangling
touch "usr/share/odd/ two  blanks " "usr/share/odd/it's" "usr/share/odd/back\slash"

%files
%doc /usr/share/odd/sub
/usr/lib/sendmail
/usr/lib/some
%config(missingok) /etc/odd
/usr/sbin/odd
/usr/share/odd/dangling
/usr/share/odd/*blanks*
/usr/share/odd/it's
/usr/share/odd/back*
%ghost %config /etc/odd.ghost
%ghost /usr/bin/odd-ghost
"#;

#[test]
fn a_generation_says_the_same() {
    if !has("rpmbuild") || !has("createrepo_c") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let odd = |release: u32| {
        let top = directory.path().join(release.to_string());
        std::fs::create_dir_all(top.join("SOURCES")).unwrap();
        std::fs::write(top.join("SOURCES/kept.txt"), "kept").unwrap();
        std::fs::write(top.join("SOURCES/left.txt"), "left").unwrap();
        build(&top, &Build { spec: &ODD_SPEC.replace("@RELEASE@", &release.to_string()), ..Build::default() })
    };
    let seed = |name: &str| {
        let path = named(fixtures(), name).to_owned();
        SeedFile { sha256: read_rpm(&path).unwrap().sha256, path }
    };
    let output = directory.path().join("out");
    let compare = |generation: &Generation, round: &str| {
        // A copy without repodata and whatever else is there: only the packages speak.
        let copy = directory.path().join(round);
        for file in generation.packages() {
            let to = copy.join(file.location());
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            run(Command::new("cp").arg("--preserve=timestamps").arg(&file.path).arg(&to));
        }
        createrepo(&copy);
        assert_eq!(assert_same(generation.directory(), &copy), generation.packages().len());
    };
    let generations = Generations::open(&output).unwrap();
    let alpha: Vec<_> = fixtures().iter().filter(|path| path.to_string_lossy().contains("alpha")).cloned().collect();
    let seeds = Some(vec![seed("beta-1.0-1.noarch"), seed("gamma-1.0-1.noarch")]);
    let change = Change { add: [alpha, odd(1)].concat(), seeds, ..Change::default() };
    let generation = generations.publish(&change).unwrap();
    assert!(generation.packages().iter().filter(|file| file.is_seed).count() == 2);
    compare(&generation, "first");

    // What is kept from one generation to the next, in memory or read again, says the same too.
    let rebuilt = |release| {
        let remove = ["odd+name_1.x".to_owned()].into();
        Change { add: odd(release), remove, seeds: Some(vec![seed("gamma-1.0-1.noarch")]) }
    };
    compare(&generations.publish(&rebuilt(2)).unwrap(), "second");
    compare(&Generations::open(&output).unwrap().publish(&rebuilt(3)).unwrap(), "third");
}
