//! Reads Debian packages: an `ar` of two compressed tars.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use super::control::{Paragraph, parse_paragraph};
use super::paths;

/// One file of a package, at its place in a merged `/usr`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Absolute.
    pub(super) path: String,
    /// Whether it was packaged directly below `/bin` or `/sbin`.
    pub(super) from_root: bool,
    pub(super) kind: EntryKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    File { mode: u16, content: Vec<u8> },
    Directory { mode: u16 },
    Link { target: String },
}

/// Where things belong, and what is left out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placement<'a> {
    pub(super) triplet: &'a str,
    pub(super) documentation: bool,
}

/// Reads only the control file.
pub(super) fn read_control(deb: &Path) -> io::Result<Paragraph> {
    let mut control = None;
    with_member(deb, "control.tar", |reader, _| {
        let mut archive = tar::Archive::new(reader);
        for entry in archive.entries()? {
            let mut entry = entry?;
            if entry.path()?.file_name().is_some_and(|name| name == "control") {
                let mut text = String::new();
                entry.read_to_string(&mut text)?;
                control = Some(parse_paragraph(&text));
                break;
            }
        }
        Ok(())
    })?;
    control.ok_or_else(|| invalid("there is no control file in it"))
}

/// Reads all files and the time of the build, in seconds since 1970.
pub(super) fn read_files(deb: &Path, placement: Placement<'_>) -> io::Result<(Vec<Entry>, u32)> {
    let mut entries = Vec::new();
    let mut time = 0;
    with_member(deb, "data.tar", |reader, member_time| {
        time = u32::try_from(member_time).unwrap_or(u32::MAX);
        let mut archive = tar::Archive::new(reader);
        for entry in archive.entries()? {
            entries.extend(read_entry(&mut entry?, placement)?);
        }
        Ok(())
    })?;
    Ok((entries, time))
}

fn read_entry(entry: &mut tar::Entry<'_, &mut dyn Read>, placement: Placement<'_>) -> io::Result<Option<Entry>> {
    let packaged = entry.path()?.into_owned();
    let Some(path) = paths::merged(&packaged, placement.triplet) else { return Ok(None) };
    if !placement.documentation && paths::is_documentation(&path) {
        return Ok(None);
    }
    let text = |target: PathBuf| target.into_os_string().into_string().map_err(|_| invalid("a link is not UTF-8"));
    // Nothing in a build root needs to gain powers, so set-user-ID and set-group-ID bits go.
    let mode = (entry.header().mode()? & 0o1777) as u16;
    let kind = match entry.header().entry_type() {
        tar::EntryType::Directory => EntryKind::Directory { mode },
        tar::EntryType::Symlink => {
            let target = entry.link_name()?.ok_or_else(|| invalid("a link without a target"))?.into_owned();
            match paths::link_target(&packaged, &text(target)?, placement.triplet) {
                Some(target) => EntryKind::Link { target },
                None => return Ok(None),
            }
        }
        tar::EntryType::Link => {
            // Two names of one file become a file and a link: nothing in a build root tells them apart.
            let target = entry.link_name()?.ok_or_else(|| invalid("a link without a target"))?.into_owned();
            match paths::merged(&target, placement.triplet) {
                Some(target) => EntryKind::Link { target },
                None => return Ok(None),
            }
        }
        tar::EntryType::Regular => {
            let mut content = Vec::with_capacity(usize::try_from(entry.size()).unwrap_or(0));
            entry.read_to_end(&mut content)?;
            EntryKind::File { mode, content }
        }
        other => return Err(invalid(format!("{path} is of an unexpected kind ({other:?})"))),
    };
    let from_root = packaged.starts_with("bin") || packaged.starts_with("sbin");
    let from_root = from_root || packaged.starts_with("./bin") || packaged.starts_with("./sbin");
    Ok(Some(Entry { path, from_root, kind }))
}

/// Gives the decompressed member that is called `stem` plus the ending of its compression, and its time.
fn with_member(deb: &Path, stem: &str, take: impl FnOnce(&mut dyn Read, u64) -> io::Result<()>) -> io::Result<()> {
    let mut archive = ar::Archive::new(BufReader::with_capacity(1 << 18, File::open(deb)?));
    while let Some(member) = archive.next_entry() {
        let mut member = member?;
        let name = String::from_utf8_lossy(member.header().identifier()).trim_end_matches('/').to_owned();
        let Some(ending) = name.strip_prefix(stem) else { continue };
        let time = member.header().mtime();
        return match ending {
            "" => take(&mut member, time),
            ".gz" => take(&mut flate2::read::MultiGzDecoder::new(member), time),
            ".xz" | ".lzma" => {
                // Reading it whole first lets the decoder work on one large buffer.
                let mut compressed = Vec::new();
                member.read_to_end(&mut compressed)?;
                take(&mut liblzma::read::XzDecoder::new(Cursor::new(compressed)), time)
            }
            ".zst" => take(&mut zstd::Decoder::new(member)?, time),
            ".bz2" => take(&mut bzip2::read::MultiBzDecoder::new(member), time),
            other => Err(invalid(format!("the compression `{other}` is not supported"))),
        };
    }
    Err(invalid(format!("it has no `{stem}`; it is no Debian package")))
}

fn invalid(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;

    /// A package with one file, one hard link and one manual.
    fn example(directory: &Path) -> PathBuf {
        let mut data = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for (path, content, mode) in
            [("./bin/tool", "#!/bin/sh\n", 0o4755), ("./usr/share/man/man1/tool.1", "x", 0o644)]
        {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(mode);
            data.append_data(&mut header, path, content.as_bytes()).unwrap();
        }
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Link);
        header.set_size(0);
        header.set_mode(0o755);
        data.append_link(&mut header, "./bin/other", "./bin/tool").unwrap();
        let data = data.into_inner().unwrap().finish().unwrap();
        let mut control = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(11);
        control.append_data(&mut header, "./control", &b"Package: a\n"[..]).unwrap();
        let control = control.into_inner().unwrap();
        let path = directory.join("a.deb");
        let mut builder = ar::Builder::new(File::create(&path).unwrap());
        for (name, content) in [("debian-binary", &b"2.0\n"[..]), ("control.tar", &control), ("data.tar.gz", &data)] {
            let mut header = ar::Header::new(name.as_bytes().to_vec(), content.len() as u64);
            header.set_mtime(1_700_000_000);
            builder.append(&header, content).unwrap();
        }
        path
    }

    #[test]
    fn files_come_out_merged_and_without_documentation() {
        let directory = tempfile::tempdir().unwrap();
        let deb = example(directory.path());
        assert_eq!(read_control(&deb).unwrap().get("Package").map(String::as_str), Some("a"));
        let placement = Placement { triplet: "x86_64-linux-gnu", documentation: false };
        let (entries, time) = read_files(&deb, placement).unwrap();
        assert_eq!(time, 1_700_000_000);
        let file = EntryKind::File { mode: 0o755, content: b"#!/bin/sh\n".to_vec() };
        let link = EntryKind::Link { target: "/usr/bin/tool".to_owned() };
        assert_eq!(
            entries,
            [
                Entry { path: "/usr/bin/tool".to_owned(), from_root: true, kind: file },
                Entry { path: "/usr/bin/other".to_owned(), from_root: true, kind: link },
            ]
        );
        assert_eq!(read_files(&deb, Placement { documentation: true, ..placement }).unwrap().0.len(), 3);
    }

    #[test]
    fn what_is_no_package_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.deb");
        std::fs::write(&path, "not an archive").unwrap();
        assert!(read_control(&path).is_err());
    }
}
