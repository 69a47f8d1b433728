//! What ELF files offer and need, written as rpm's `elfdeps` writes it.

use std::collections::BTreeSet;

use object::elf;
use object::read::elf::{Dyn as _, FileHeader};
use object::{Endianness, FileKind};

/// The dependencies of one ELF file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ElfDependencies {
    /// `libz.so.1()(64bit)` and, for each symbol version, `libz.so.1(ZLIB_1.2.9)(64bit)`.
    pub(super) provides: BTreeSet<String>,
    /// Sonames it is linked with: `libc.so.6()(64bit)`. Symbol versions are left out: a library of the
    /// tree may replace a seed's without carrying the versions a distribution's patch added.
    pub(super) needs: BTreeSet<String>,
}

/// Reads an ELF file named `file_name`; anything else has no dependencies.
pub(super) fn dependencies(file_name: &str, content: &[u8]) -> ElfDependencies {
    let read = match FileKind::parse(content) {
        Ok(FileKind::Elf64) => read::<elf::FileHeader64<Endianness>>(file_name, content, "(64bit)"),
        Ok(FileKind::Elf32) => read::<elf::FileHeader32<Endianness>>(file_name, content, ""),
        _ => return ElfDependencies::default(),
    };
    // A damaged file cannot be linked with either, so it offers nothing.
    read.unwrap_or_default()
}

fn read<Elf: FileHeader<Endian = Endianness>>(
    file_name: &str,
    content: &[u8],
    marker: &str,
) -> object::Result<ElfDependencies> {
    let header = Elf::parse(content)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, content)?;
    let mut found = ElfDependencies::default();
    let Some((dynamic, strings)) = sections.dynamic(endian, content)? else { return Ok(found) };
    let strings = sections.strings(endian, content, strings)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut soname = None;
    let mut is_program = header.e_type(endian) != elf::ET_DYN;
    for entry in dynamic {
        let string = || entry.val32(endian).and_then(|offset| strings.get(offset).ok()).map(text);
        match entry.tag(endian) {
            elf::DT_NULL => break,
            elf::DT_SONAME => soname = string(),
            elf::DT_NEEDED => found.needs.extend(string().filter(|name| is_sane(name)).map(|n| bare(&n, marker))),
            // Position-independent programs have it, libraries do not.
            elf::DT_DEBUG => is_program = true,
            _ => {}
        }
    }
    let soname = soname.unwrap_or_else(|| file_name.to_owned());
    if is_program || !is_sane(&soname) {
        return Ok(found);
    }
    found.provides.insert(bare(&soname, marker));
    if let Some((mut definitions, strings)) = sections.gnu_verdef(endian, content)? {
        let strings = sections.strings(endian, content, strings)?;
        while let Some((definition, mut names)) = definitions.next()? {
            // The first name is the version's own, further ones are its parents.
            if definition.vd_flags.get(endian).0 & elf::VER_FLG_BASE.0 == 0
                && let Some(name) = names.next()?
            {
                let version = text(name.name(endian, strings)?);
                found.provides.insert(format!("{soname}({version}){marker}"));
            }
        }
    }
    Ok(found)
}

fn bare(soname: &str, marker: &str) -> String {
    // Without a marker (32 bit) rpm writes no empty version either.
    if marker.is_empty() { soname.to_owned() } else { format!("{soname}(){marker}") }
}

/// The names `elfdeps` lets through: libraries and the dynamic linker.
fn is_sane(soname: &str) -> bool {
    soname.contains(".so") && ["lib", "ld.", "ld-", "ld64."].iter().any(|prefix| soname.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;

    #[test]
    fn what_is_no_library_offers_nothing() {
        assert_eq!(dependencies("libx.so", b"#!/bin/sh\n"), ElfDependencies::default());
        assert_eq!(dependencies("libx.so", b"\x7fELF\x02\x01\x01"), ElfDependencies::default());
        // A program (this very test) needs libraries and offers none.
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let found = dependencies("test", &program);
        assert!(found.provides.is_empty(), "{:?}", found.provides);
        assert!(found.needs.contains("libc.so.6()(64bit)"), "{:?}", found.needs);
    }

    #[test]
    fn names_are_filtered_as_elfdeps_does() {
        for (name, sane) in [("libz.so.1", true), ("ld-linux-x86-64.so.2", true), ("plugin.so", false), ("libz", false)]
        {
            assert_eq!(is_sane(name), sane, "{name}");
        }
    }
}
