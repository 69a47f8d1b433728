//! How many instructions evaluation takes, which is the same on a busy machine, against the table beside this file.
//!
//! `tests/run bench instructions`; needs valgrind. With `INSTRUCTIONS=write` the table is written anew. It holds when no
//! spec takes a twentieth more than its entry.
#![expect(clippy::disallowed_methods, reason = "a bench runs a program; the crate does not")]
#![expect(clippy::expect_used, reason = "what is not there is the bench's failure")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;

use rpmspec_parser::world::NoWorld;
use rpmspec_parser::{MacroContext, Options, PreparedContext, evaluate_prepared};

const TABLE: &str = include_str!("instructions.txt");
const LIMIT: f64 = 1.05;

const MACROS: &str = "%_topdir /build\n%_sourcedir %{_topdir}/SOURCES\n%_builddir %{_topdir}/BUILD\n%nil %{!?nil}\n\
    %_prefix /usr\n%_bindir %{_prefix}/bin\n%_libdir %{_prefix}/lib64\n%_smp_mflags -j8\n%dist .x1\n\
    %buildroot %{_topdir}/BUILDROOT/%{NAME}-%{VERSION}-%{RELEASE}.%{_target_cpu}\n\
    %make_build %{__make} %{?_smp_mflags}\n%__make /usr/bin/make\n\
    %twice(a:b) %{-a*}%{-a*}%{-b:yes}%#%*%1\n%sum() %{lua:print(#arg + tonumber(arg[1]))}\n";

const HEAD: &str =
    "Name: a\nVersion: 1.2\nRelease: 3%{?dist}\nSummary: One\nLicense: MIT\nURL: https://a.example/%{name}\n";

/// Ten specs, each mostly of one thing.
fn specs() -> Vec<(&'static str, String)> {
    let lines = |count: usize, line: fn(usize) -> String| (0..count).map(line).collect::<String>();
    let body = "%description\nA text.\n%build\n%make_build\n%files\n%{_bindir}/a\n";
    vec![
        ("least", format!("{HEAD}{body}")),
        (
            "dependencies",
            format!("{HEAD}{}{body}", lines(300, |i| format!("Requires: b{i} >= {i}.%{{version}}, (c{i} if d)\n"))),
        ),
        (
            "sources",
            format!(
                "{HEAD}{}{body}",
                lines(200, |i| format!("Source{i}: https://a.example/%{{name}}-{i}.tar\nPatch{i}: {i}.patch\n"))
            ),
        ),
        (
            "subpackages",
            format!(
                "{HEAD}{body}{}",
                lines(60, |i| {
                    format!(
                        "%package p{i}\nSummary: P\nRequires: %{{name}} = %{{version}}-%{{release}}\n%description p{i}\nP.\n%files p{i}\n%{{_libdir}}/{i}\n"
                    )
                })
            ),
        ),
        (
            "definitions",
            format!(
                "{HEAD}{}{body}",
                lines(400, |i| format!(
                    "%define m{i} %{{?m{}}}x\n%global g{i} %{{m{i}}}\n",
                    if i % 8 == 0 { 1000 } else { i - 1 }
                ))
            ),
        ),
        (
            "conditions",
            format!(
                "{HEAD}{}{body}",
                lines(300, |i| format!(
                    "%if 0%{{?dist:1}} && {i} > 5\n%ifarch x86_64\n%global c {i}\n%endif\n%else\n%global d {i}\n%endif\n"
                ))
            ),
        ),
        (
            "calls",
            format!(
                "{HEAD}{body}%install\n{}",
                lines(300, |i| format!("echo %{{twice -a {i} -b x y}} %[{i} * 2 + 1]\n"))
            ),
        ),
        ("lua", format!("{HEAD}{body}%install\n{}", lines(100, |i| format!("echo %{{sum {i}}}\n")))),
        (
            "scripts",
            format!(
                "{HEAD}{body}%install\n{}",
                lines(2000, |i| format!("install -m 755 a/{i} %{{buildroot}}%{{_bindir}}/{i} # ${{x}}\n"))
            ),
        ),
        (
            "history",
            format!(
                "{HEAD}{body}{}%changelog\n{}",
                lines(500, |i| format!("%{{_bindir}}/{i}\n")),
                lines(200, |i| { format!("* Mon Jan 01 2024 A <a@a.example> 1.2-{i}\n- Changed {i}\n") })
            ),
        ),
    ]
}

fn main() -> io::Result<()> {
    if let Some(name) = std::env::args().skip_while(|argument| argument != "--only").nth(1) {
        evaluate(&name);
        return Ok(());
    }
    let mut out = io::stdout();
    if Command::new("valgrind").arg("--version").output().is_err() {
        return writeln!(out, "SKIPPED: there is no valgrind");
    }
    let known: BTreeMap<&str, u64> = TABLE
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(name, count)| Some((name, count.trim().parse().ok()?)))
        .collect();
    let (mut table, mut worst) = (String::new(), 0.0_f64);
    for (name, spec) in specs() {
        let count = instructions(name)?;
        let ratio = known.get(name).map(|known| count as f64 / *known as f64);
        worst = worst.max(ratio.unwrap_or(f64::INFINITY));
        let shown = ratio.map_or("new".to_owned(), |ratio| format!("{ratio:.3}"));
        writeln!(out, "{name:14} {:7} bytes {count:12} instructions {shown:>8}", spec.len())?;
        writeln!(table, "{name:14} {count}").expect("a text takes any text");
    }
    if std::env::var_os("INSTRUCTIONS").is_some_and(|what| what == "write") {
        return std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.txt"), table);
    }
    let holds = worst <= LIMIT;
    let verdict = if holds { "holds" } else { "falls short" };
    writeln!(out, "instructions: worst={worst:.3} limit={LIMIT} {verdict}")?;
    std::process::exit(i32::from(!holds));
}

/// Evaluates a spec; only this is counted.
fn evaluate(name: &str) {
    let specs = specs();
    let (_, spec) = specs.iter().find(|(known, _)| *known == name).expect("the spec is known");
    let context = PreparedContext::new(&MacroContext {
        files: vec![("macros".into(), MACROS.into())],
        target_cpu: "x86_64".into(),
        target_os: "linux".into(),
        ..MacroContext::default()
    });
    let evaluation = evaluate_prepared(spec, &context, &NoWorld, &Options { path: "/specs/a.spec".into() });
    let first = evaluation.diagnostics.first().map(ToString::to_string);
    assert!(evaluation.package.is_some(), "{name}: {first:?}");
}

/// Has valgrind count the instructions of one evaluation.
fn instructions(name: &str) -> io::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*evaluate_prepared*"])
        .arg(std::env::current_exe()?)
        .args(["--only", name])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let count = said.lines().find_map(|line| line.split_once("Collected :"));
    let count = count.and_then(|(_, count)| count.trim().replace(',', "").parse().ok());
    count.filter(|_| output.status.success()).ok_or_else(|| io::Error::other(format!("{name}: {said}")))
}
