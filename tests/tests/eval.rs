//! `eval`: answers as `rpmspec` and `rpm --eval` give them, in the tree's macro world and not in this machine's.

use std::process::Command;

use tests::tree::{Answer, Tree, cache};
use tests::{has, package_builder, root, run, skip, succeed};

const SPEC: &str = "\
%bcond_with extra
%global words one two
Name: t
Epoch: 2
Version: 1
Release: 3
Summary: A test
License: MIT
URL: http://example.org/t
Source0: a.tar
Source2: http://example.org/x/two.txt
Source1: one.txt
Patch1: b.patch
BuildRequires: gcc >= 3, (a or b)
BuildConflicts: zork < 1
Requires: foo > 1:2-3
Requires(post): bar
Provides: virt = 1
Conflicts: con
Obsoletes: obs <= 3
Recommends: rec
ExclusiveArch: x86_64 aarch64
NoSource: 0
BugURL: http://example.org/bugs
%if %{with extra}
BuildRequires: extra
%endif

%description
Text
more

%package sub
Summary: Sub
BuildArch: noarch

%description sub
It's s.

%package nof
Summary: nof

%description nof
n

%post
echo hi

%files

%files sub

%changelog
* Mon Jan 02 2023 Me <m@example.org> 1-3
- one
* Sun Jan 01 2023 Me <m@example.org> 1-2
- two
";

fn tree() -> Tree {
    let tree = Tree::new();
    tree.write("SPECS/t/t.spec", SPEC);
    tree
}

/// Standard output of a command that must succeed.
fn eval(tree: &Tree, arguments: &[&str]) -> String {
    succeed(&mut tree.command(&[&["eval"], arguments].concat()))
}

#[test]
fn packages_are_listed_by_name_file_and_kind() {
    let tree = tree();
    assert_eq!(eval(&tree, &["t"]), "t-1-3.x86_64\nt-sub-1-3.noarch\nt-nof-1-3.x86_64\n");
    // A binary package, too, names its spec.
    assert_eq!(eval(&tree, &["-q", "--builtrpms", "t-sub"]), "t-1-3.x86_64\nt-sub-1-3.noarch\n");
    assert_eq!(eval(&tree, &["--srpm", "SPECS/t/t.spec"]), "t-1-3.nosrc\n");
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let file = elsewhere.path().join("other.spec");
    std::fs::write(&file, SPEC.replace("Name: t", "Name: other")).expect("it can be written");
    assert!(eval(&tree, &[&file.to_string_lossy()]).starts_with("other-1-3.x86_64\n"));
    tree.run(&["eval", "tt"]).expect(2, &["no spec of this tree makes `tt`", "spelled alike: t", "eval --all"]);
    tree.run(&["eval", "none.spec"]).expect(2, &["there is no spec file `none.spec`"]);
    tree.run(&["eval"]).expect(2, &["no spec is named", "--all"]);
}

#[test]
fn lists_and_switches_are_as_rpmspec_has_them() {
    let tree = tree();
    assert_eq!(eval(&tree, &["t", "--buildrequires"]), "(a or b)\ngcc >= 3\n");
    assert_eq!(eval(&tree, &["t", "--buildrequires", "--with", "extra"]), "(a or b)\nextra\ngcc >= 3\n");
    assert_eq!(
        eval(&tree, &["t", "--buildrequires", "--with", "extra", "--undefine", "_with_extra"]),
        "(a or b)\ngcc >= 3\n"
    );
    assert_eq!(eval(&tree, &["t", "--requires"]), "/bin/sh\nbar\nfoo > 1:2-3\n");
    assert!(eval(&tree, &["t", "--provides"]).starts_with("t = 2:1-3\nt(x86-64) = 2:1-3\nvirt = 1\n"));
    assert_eq!(eval(&tree, &["t", "--target", "aarch64", "--qf", "%{ARCH} "]), "aarch64 noarch aarch64 ");
    tree.run(&["eval", "t", "--target", "x86-64"]).expect(2, &["`x86-64` is no architecture", "x86_64"]);
    assert_eq!(eval(&tree, &["t", "-D", "words x", "-E", "%words"]), "one two\n");
}

/// Formats that rpm answers, too; what is a quirk of one of its versions is not among them.
const FORMATS: [&str; 22] = [
    "%{name}|%{epoch}|%{nevr}|%{nevra}|%{nvr}|%{evr}|%{epochnum}\\n",
    "%{n}-%{V}-%{RPMTAG_RELEASE} %{e} %{r}\\n",
    "[%{requirename}|%{requireflags}|%{requireflags:depflags}|%{requireflags:deptype}|%{requireversion}|%{requirenevrs}\\n]",
    "[%{provides} %{provideflags} %{provideversion};%{providenevrs}\\n]",
    "[%{changelogtime:day} %{changelogname} %{changelogtext}\\n]",
    "%{changelogtime:date} %{changelogtime}\\n",
    "[%{=name} %{changelogtime}\\n]",
    "%-10{name}|%10{version}|%3{summary}|\\n",
    "%|epoch?{E%{epoch}}:{none}| %|packager?{v}| %|summary?{%|url?{both}:{one}|}|\\n",
    "[%{source} ][%{patch} ]%{#source} %{source:arraysize} %{nosource} %{nopatch} %{exclusivearch} %{buildarchs} %{conflicts}\\n",
    "%{postin}|%{postinprog}|%{postinflags}|%{description:shescape}|%{headeri18ntable}\\n",
    "%{bugurl} %{url} %{os} %{license}\\n",
    "[%{obsoletes} %{obsoletenevrs}] [%{recommends}] [%{suggestnevrs}]\\n",
    "%% \\t| \\x \\\\ é \\n",
    "%{epoch:hex} %{epoch:octal} %{name:date} %{epoch:string} %{epoch:humansi}\\n",
    "[%{requireflags:hex},]%{requires} %{requires:deptype}\\n",
    "%{size} %{filenames} %{rpmversion} %{sourcepkgid}\\n",
    // What is wrong is wrong for both.
    "[%{name} %{changelogname}\\n]",
    "] \\n",
    "%{name",
    "%{nonesuch}",
    "x %z y",
];

#[test]
fn formats_are_filled_in_as_rpmspec_does() {
    if !has("rpmspec") {
        return skip("formats_are_filled_in_as_rpmspec_does", "rpmspec is not installed");
    }
    let tree = tree();
    let spec = tree.path("SPECS/t/t.spec");
    for format in FORMATS {
        for kind in ["--rpms", "--srpm", "--builtrpms"] {
            let mut rpm = Command::new("rpmspec");
            let theirs = run(rpm.args(["-q", kind, "--qf", format]).arg(&spec).env("TZ", "UTC").env("LC_ALL", "C"));
            let ours = run(&mut tree.command(&["eval", "t", kind, "--qf", format]));
            let errors = String::from_utf8_lossy(&theirs.stderr);
            if errors.contains("incorrect format") {
                Answer::new(&ours).expect(2, &["incorrect format"]);
                continue;
            }
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            assert_eq!(text(&ours.stdout), text(&theirs.stdout), "{kind} {format}: {}", text(&ours.stderr));
        }
    }
}

#[test]
fn wrong_formats_say_what_would_be_right() {
    let tree = tree();
    let format = |format: &'static str| tree.run(&["eval", "t", "--qf", format]);
    format("%{REQUIRE}").expect(2, &["unknown tag: \"REQUIRE\"", "spelled alike: REQUIRES", "--querytags"]);
    format("%{NAME:perms}").expect(2, &["`:perms` is not supported", "depflags"]);
    format("%{NAME:dat}").expect(2, &["unknown format `:dat`", "date"]);
    format("[%{NAME} %{REQUIRES}]").expect(2, &["different sized arrays", "%{=NAME}"]);
    assert!(eval(&tree, &["--querytags"]).lines().any(|tag| tag == "REQUIRENEVRS"));
}

#[test]
fn texts_are_expanded_in_the_trees_world_and_behind_specs() {
    let tree = tree();
    tree.write("package-builder.toml", "[distribution]\nname = \"Test\"\ndist = \".t9\"\n[macros]\nvendor = \"Us\"\n");
    assert_eq!(eval(&tree, &["--eval", "%{?dist} %vendor"]), ".t9 Us\n");
    assert_eq!(eval(&tree, &["-E", "1 %[1+1]", "-E", "%{nil}"]), "1 2\n\n");
    assert_eq!(eval(&tree, &["t", "-E", "%{words} %{version} %{with extra}"]), "one two 1 0\n");
    assert_eq!(eval(&tree, &["-E", "%_target_cpu", "--target", "aarch64-cairn-linux"]), "aarch64\n");
    tree.run(&["eval", "-E", "%{echo:shown}after"]).expect(0, &["after\nshown\n"]);
    tree.run(&["eval", "-E", "a %{open"]).expect(3, &["<eval>:1:3", "Unterminated {", "^"]);
    tree.run(&["eval", "-E", "%{error:no good}"]).expect(3, &["no good", "cannot be expanded"]);
}

#[test]
fn nothing_of_this_machine_leaks_in() {
    let tree = tree();
    let text =
        "%{getenv:HOME}|%{getenv:SECRET}|%(echo $HOME $SECRET $PWD)|%{exists:/usr/lib/rpm/rpmdb_loadcvt}|%_topdir";
    let mut command = tree.command(&["eval", "-E", text]);
    let home = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(home.path().join(".rpmmacros"), "%_topdir /wrong\n").expect("it can be written");
    let answer = succeed(command.env("SECRET", "told").env("HOME", home.path()));
    assert_eq!(answer, "/build||/build /build|0|/build\n");
    // A spec finds what lies beside it, wherever the tree is.
    tree.write("SPECS/t/version.txt", "7\n");
    tree.write("SPECS/t/t.spec", &SPEC.replace("Version: 1", "Version: %(cat %{_sourcedir}/version.txt)"));
    assert!(eval(&tree, &["t"]).starts_with("t-7-3.x86_64\n"));
    tree.write("SPECS/t/more.inc", "BuildRequires: included\n");
    tree.write("SPECS/t/t.spec", &SPEC.replace("NoSource: 0", "%include more.inc"));
    assert!(eval(&tree, &["t", "--buildrequires"]).contains("included\n"));
}

#[test]
fn shells_can_be_refused_by_the_tree_and_by_the_command() {
    let tree = tree();
    tree.write("SPECS/t/t.spec", &SPEC.replace("Version: 1", "Version: %(seq 4 4)"));
    tree.run(&["eval", "t", "--shell", "refuse"])
        .expect(3, &["SPECS/t/t.spec:5:10", "seq 4 4", "refused", "^^^^^^^^^^"]);
    tree.write("package-builder.toml", "[distribution]\nname = \"Test\"\n[evaluate]\nshell = \"refuse\"\n");
    tree.run(&["plan", "t"]).expect(3, &["SPECS/t/t.spec:5:10", "refused"]);
    // What needs no shell is answered anyway.
    tree.run(&["eval", "-E", "%(test a == b || echo c)", "--shell", "refuse"]).expect(0, &["c\n"]);
    tree.run(&["eval", "t", "--shell", "host"]).expect(0, &["t-4-3.x86_64"]);
    tree.write("package-builder.toml", "[distribution]\nname = \"Test\"\n[evaluate]\nshell = \"host\"\n");
    tree.run(&["plan", "t"]).expect(3, &["a tree cannot give its own specs this machine", "--shell host"]);
    tree.write("package-builder.toml", "[distribution]\nname = \"Test\"\n[evaluate]\nshell = \"refuse\"\n");
    tree.run(&["eval", "-E", "%{lua:print(io.open('/etc/passwd') and 1 or 0)}"]).expect(0, &["0\n"]);
    tree.write("SPECS/t/t.spec", &SPEC.replace("NoSource: 0", "%include /etc/passwd"));
    tree.run(&["eval", "t"]).expect(3, &["/etc/passwd", "refused"]);
}

#[test]
fn a_macro_is_followed_with_places() {
    let tree = tree();
    tree.write("SPECS/t/t.spec", &SPEC.replace("Summary: A test", "%define say() %1 %words\nSummary: %say Some"));
    let shown = eval(&tree, &["t", "--trace", "%{say}"]);
    for line in ["SPECS/t/t.spec:8:10: %{say Some}  (defined at SPECS/t/t.spec:7:1)", "| %1 %words", "= Some one two"] {
        assert!(shown.lines().any(|shown| shown == line), "`{line}` is not in\n{shown}");
    }
    let shown = eval(&tree, &["-E", "%configure --x", "--trace", "configure"]);
    assert!(shown.starts_with("<eval>:1:1: %{configure}  (defined at /usr/lib/rpm/macros:"), "{shown}");
    assert!(eval(&tree, &["t", "--trace", "say", "--json"]).contains("\"depth\": 0"));
    tree.run(&["eval", "t", "--trace", "wordz"]).expect(2, &["`%wordz` is not expanded", "spelled alike: words"]);
}

#[test]
fn broken_specs_are_shown_underlined_with_the_way_there_and_others_are_answered() {
    let tree = tree();
    tree.write(
        "SPECS/b/b.spec",
        "%define inner() %{error:bad %1}\n%define outer() %inner %1\nName: b\nVersion: %outer 3\n",
    );
    let answer = tree.run(&["eval", "b", "t"]);
    answer.expect(
        3,
        &[
            "error: bad 3",
            "SPECS/b/b.spec:4:10",
            "4 | Version: %outer 3",
            "^^^^^^",
            "in the expansion of `%outer`, defined at SPECS/b/b.spec:2",
            "`%inner` is defined here",
            "`SPECS/b/b.spec` cannot be evaluated",
            "t-1-3.x86_64",
        ],
    );
    let everything: Vec<serde_json::Value> = {
        let output = run(&mut tree.command(&["eval", "--all", "--json"]));
        serde_json::Deserializer::from_slice(&output.stdout).into_iter().map(|value| value.expect("JSON")).collect()
    };
    assert_eq!(everything.len(), 2);
    assert_eq!(
        (&everything[0]["spec"], &everything[0]["package"]),
        (&"SPECS/b/b.spec".into(), &serde_json::Value::Null)
    );
    assert_eq!(everything[0]["diagnostics"][0]["message"], "bad 3");
    assert_eq!(everything[1]["package"]["name"], "t");
    tree.run(&["plan", "t"]).expect(3, &["4 | Version: %outer 3", "in the expansion of `%inner`"]);
}

#[test]
fn every_spec_of_this_repository_reads_as_rpmspec_reads_it() {
    if !has("rpmspec") {
        return skip("every_spec_of_this_repository_reads_as_rpmspec_reads_it", "rpmspec is not installed");
    }
    let mut command = Command::new(package_builder());
    command.arg("--tree").arg(root()).arg("--cache").arg(cache());
    let answer = succeed(command.args(["eval", "--all", "--compare-rpm"]));
    assert!(answer.lines().count() > 10 && answer.lines().all(|line| line.ends_with(": the same")), "{answer}");
}

#[test]
fn a_difference_to_rpmspec_is_shown_with_its_line() {
    if !has("rpmspec") {
        return skip("a_difference_to_rpmspec_is_shown_with_its_line", "rpmspec is not installed");
    }
    let tree = tree();
    eval(&tree, &["t", "--compare-rpm"]);
    // What a shell says of its parent differs, whoever asks.
    tree.write("SPECS/t/t.spec", &SPEC.replace("Summary: A test", "Summary: %(echo $PPID)"));
    tree.run(&["eval", "t", "--compare-rpm"])
        .expect(1, &["SPECS/t/t.spec: line 7 of", "package-builder: Summary:", "rpmspec: Summary:"]);
}

#[test]
fn shells_in_the_sandbox_see_the_spec_and_nothing_of_this_machine() {
    let tree = tree();
    let outside = tempfile::NamedTempFile::new().expect("a temporary file");
    tree.write("SPECS/t/version.txt", "7\n");
    let version = format!(
        "Version: %(cat %{{_sourcedir}}/version.txt; test -e {} && echo seen; echo written > SOURCES/new && cat SOURCES/new; \
         exec 3<>/dev/tcp/192.0.2.1/80 && echo sent; echo lost >&2)",
        outside.path().display()
    );
    let release = "Release: %(pwd | tr / _)%(id -u)";
    tree.write("SPECS/t/t.spec", &SPEC.replace("Version: 1", &version).replace("Release: 3", release));
    let answer = tree.run(&["eval", "t"]);
    if answer.text.contains("cannot be sandboxed here") {
        return skip("shells_in_the_sandbox_see_the_spec_and_nothing_of_this_machine", "there is no sandbox");
    }
    answer.expect(0, &["t-7-_build1000.x86_64"]);
    assert!(!tree.path("SPECS/t/new").exists());
    // The answer is kept with what it came from.
    tree.run(&["eval", "t"]).expect(0, &["t-7-_build1000.x86_64"]);
    tree.write("SPECS/t/version.txt", "8\n");
    tree.run(&["eval", "t"]).expect(0, &["t-8-_build1000.x86_64"]);
    // A command that names no folder of the spec sees none.
    tree.write("SPECS/t/t.spec", &SPEC.replace("Version: 1", "Version: %(find . -name version.txt | wc -l)"));
    tree.run(&["eval", "t"]).expect(0, &["t-0-3.x86_64"]);
    let left = std::fs::read_dir(cache()).expect("it is there").filter_map(Result::ok);
    let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with(".eval-"));
    assert_eq!(left.count(), 0, "what the commands wrote is left in the cache");
    // rpmspec knows no such policy.
    tree.run(&["eval", "t", "--compare-rpm", "--shell", "sandboxed"]).expect(2, &["on this machine", "--shell host"]);
}
