//! Evaluates a spec and writes what it is, with everything there is to say about it.
//!
//! `cargo run --example evaluate -- SPEC [MACRO FILE…]`; the macro files are loaded in that order. Nothing the spec
//! asks of the machine is answered: no shell, no file.
#![expect(clippy::disallowed_methods, reason = "the example reads files; the crate does not")]

use std::io::{self, Write};
use std::path::PathBuf;

use rpmspec_parser::spec::decode;
use rpmspec_parser::world::NoWorld;
use rpmspec_parser::{MacroContext, Options, evaluate};

/// What rpm's own macro files say, as far as no spec can do without.
const MACROS: &str = "%_topdir /build\n%_sourcedir %{_topdir}/SOURCES\n%_builddir %{_topdir}/BUILD\n\
    %buildroot %{_topdir}/BUILDROOT/%{NAME}-%{VERSION}-%{RELEASE}\n%nil %{!?nil}\n";

fn main() -> io::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let path = arguments.next().ok_or_else(|| io::Error::other("name a spec"))?;
    let mut files = vec![("built in".into(), MACROS.to_owned())];
    for file in arguments {
        let text = decode(&std::fs::read(&file)?);
        files.push((file, text));
    }
    let (cpu, os) = (std::env::consts::ARCH.to_owned(), std::env::consts::OS.to_owned());
    let context = MacroContext { files, target_cpu: cpu, target_os: os, ..MacroContext::default() };
    let text = decode(&std::fs::read(&path)?);
    let evaluation = evaluate(&text, &context, &NoWorld, &Options { path });
    let mut out = io::BufWriter::new(io::stdout().lock());
    for said in &evaluation.diagnostics {
        writeln!(out, "{said}")?;
    }
    let Some(source) = evaluation.package else { return Err(io::Error::other("the spec cannot be evaluated")) };
    for dependency in &source.build_requires {
        writeln!(out, "needs {}", dependency.value)?;
    }
    for package in &source.packages {
        writeln!(out, "makes {}-{}-{}.{}", package.name, package.version, package.release, package.arch)?;
    }
    Ok(())
}
