//! Sets a spec to a new version, as a maintainer would: version, release, changelog; every other byte stays.
//!
//! `cargo run --example edit -- SPEC VERSION YEAR-MONTH-DAY 'A Name <a@name.example>' [BUILD REQUIREMENT…]` writes the new
//! text to standard output.
#![expect(clippy::disallowed_methods, reason = "the example reads files; the crate does not")]

use std::error::Error;
use std::io::{self, Write as _};

use rpmspec_parser::tree::{Entry, Refusal, Tree};

const USAGE: &str = "SPEC VERSION YEAR-MONTH-DAY AUTHOR [BUILD REQUIREMENT…]";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, version, date, author, needs @ ..] = arguments.as_slice() else { return Err(USAGE.into()) };
    let date: Vec<i64> = date.split('-').map(str::parse).collect::<Result<_, _>>()?;
    let [year, month, day] = date.as_slice() else { return Err(USAGE.into()) };
    // A spec that is not UTF-8 cannot be written back as it was.
    let mut tree = Tree::parse(&std::fs::read_to_string(path)?);
    for said in tree.diagnostics(path) {
        writeln!(io::stderr(), "{said}")?;
    }
    tree = tree.apply(&tree.set_value(None, "Version", version)?);
    tree = tree.apply(&tree.set_release("1")?);
    for need in needs {
        match tree.add(None, "BuildRequires", need) {
            Ok(edit) => tree = tree.apply(&edit),
            Err(Refusal::AlreadyThere(_)) => {}
            Err(refusal) => return Err(refusal.into()),
        }
    }
    let (evr, line) = (format!("{version}-1"), format!("Update to {version}"));
    let entry = Entry { date: (*year, *month, *day), author, evr: Some(&evr), lines: &[&line] };
    tree = tree.apply(&tree.add_entry(&entry)?);
    write!(io::stdout().lock(), "{tree}")?;
    Ok(())
}
