//! Writes repodata: what `createrepo_c` would say of the same packages, under names made of checksums.
//!
//! Every package's part of the three files is made once and kept; a repository's files are these parts
//! one after the other.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use rpmrepo_metadata::{
    Checksum, FilelistsXml, MetadataError, OtherXml, Package, PackageOptions, PackageSource, PrimaryXml, utils,
};
use sha2::{Digest, Sha256};

use super::chunks::{self, Chunk};
use super::repomd::{Repomd, RepomdRecord};
use crate::error::{At, RepositoryError};
use crate::header::{ReadRpm, hex};

/// One package's parts of primary, filelists and other.
pub(crate) struct Fragments {
    /// Each begins with a new line.
    parts: [Vec<u8>; 3],
    ends_chunk: bool,
}

/// The three files: type, root element, the attributes of the root element.
const FILES: [(&str, &str, &str); 3] = [
    (
        "primary",
        "metadata",
        r#"xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm""#,
    ),
    ("filelists", "filelists", r#"xmlns="http://linux.duke.edu/metadata/filelists""#),
    ("other", "otherdata", r#"xmlns="http://linux.duke.edu/metadata/other""#),
];

impl Fragments {
    /// Makes the parts of an RPM that lies at `location` in its repository.
    pub(crate) fn new(rpm: &ReadRpm, location: &str) -> Result<Self, RepositoryError> {
        let source = PackageSource {
            checksum: Some(Checksum::Sha256(rpm.file.sha256.clone())),
            size_package: Some(rpm.file.size),
            time_file: rpm.modified,
            location_href: location.to_owned(),
            location_base: None,
        };
        let parts = || -> Result<[Vec<u8>; 3], MetadataError> {
            let package = Package::from_package_metadata(&rpm.header, source, PackageOptions::default())?;
            let mut primary = PrimaryXml::new_writer(utils::create_xml_writer(b"\n".to_vec()));
            primary.write_package(&package)?;
            let mut filelists = FilelistsXml::new_writer(utils::create_xml_writer(b"\n".to_vec()));
            filelists.write_package(&package)?;
            let mut other = OtherXml::new_writer(utils::create_xml_writer(b"\n".to_vec()));
            other.write_package(&package)?;
            Ok([primary.into_inner(), filelists.into_inner(), other.into_inner()])
        };
        let parts = parts().map_err(|error| RepositoryError::bad_rpm(&rpm.file.path, &error))?;
        // One in 32 ends a chunk.
        let ends_chunk = matches!(rpm.file.sha256.as_bytes(), [b'0', b'0'..=b'7', ..]);
        Ok(Self { parts, ends_chunk })
    }

    #[cfg(test)]
    pub(crate) fn from_parts(parts: [Vec<u8>; 3], ends_chunk: bool) -> Self {
        Self { parts, ends_chunk }
    }

    /// The part of primary (0), filelists (1) or other (2).
    pub(crate) fn part(&self, index: usize) -> &[u8] {
        &self.parts[index]
    }

    /// Whether the package after this one begins a new [`Chunk`].
    pub(crate) fn ends_chunk(&self) -> bool {
        self.ends_chunk
    }
}

/// Writes the three files and `repomd.xml` into the new directory `root/repodata`; the caller syncs them. Gives what is
/// needed to write the next with less effort, as `previous` was.
pub(crate) fn write(
    root: &Path,
    packages: &[Arc<Fragments>],
    previous: &[Arc<Chunk>],
    revision: u64,
    timestamp: u64,
) -> Result<(Repomd, Vec<Arc<Chunk>>), RepositoryError> {
    let directory = root.join("repodata");
    std::fs::create_dir(&directory).at("make", &directory)?;
    let chunks = chunks::chunks(packages, previous).at("compress", &directory)?;
    let records = (0..FILES.len()).into_par_iter().map(|index| {
        let (compressed, mut record) = compose(index, packages, &chunks).at("compress", &directory)?;
        record.timestamp = timestamp;
        write_new(&root.join(&record.location), &compressed)?;
        Ok((FILES[index].0.to_owned(), record))
    });
    let records = records.collect::<Result<_, RepositoryError>>()?;
    let repomd = Repomd { revision: revision.to_string(), records };
    write_new(&directory.join("repomd.xml"), repomd.to_xml().as_bytes())?;
    Ok((repomd, chunks))
}

/// One of the three files, compressed, and its record.
fn compose(index: usize, packages: &[Arc<Fragments>], chunks: &[Arc<Chunk>]) -> io::Result<(Vec<u8>, RepomdRecord)> {
    let (kind, element, attributes) = FILES[index];
    let count = packages.len();
    let before = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{element} {attributes} packages=\"{count}\">");
    let after = format!("\n</{element}>\n");
    let compressed = chunks::gzip(index, before.as_bytes(), chunks, after.as_bytes())?;
    let mut hash = Sha256::new();
    let mut size = 0;
    let parts = packages.iter().map(|package| package.part(index));
    for text in [before.as_bytes()].into_iter().chain(parts).chain([after.as_bytes()]) {
        hash.update(text);
        size += text.len() as u64;
    }
    let checksum = hex(&Sha256::digest(&compressed));
    let record = RepomdRecord {
        location: format!("repodata/{checksum}-{kind}.xml.gz"),
        checksum_type: "sha256".to_owned(),
        checksum,
        open_checksum: Some(hex(&hash.finalize())),
        size: Some(compressed.len() as u64),
        open_size: Some(size),
        timestamp: 0,
    };
    Ok((compressed, record))
}

/// What [`write`] wrote.
pub(crate) fn files(root: &Path, repomd: &Repomd) -> Vec<PathBuf> {
    let locations = repomd.records.values().map(|record| record.location.as_str());
    locations.chain(["repodata/repomd.xml"]).map(|location| root.join(location)).collect()
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), RepositoryError> {
    let mut file = std::fs::File::create_new(path).at("make", path)?;
    file.write_all(bytes).at("write", path)
}
