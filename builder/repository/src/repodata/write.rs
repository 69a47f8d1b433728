//! Writes repodata: what `createrepo_c` would say of the same packages, under names made of checksums.
//!
//! Every package's part of the three files is made once and kept; a repository's files are these parts
//! one after the other.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use rayon::prelude::*;
use rpmrepo_metadata::{
    Checksum, FilelistsXml, MetadataError, OtherXml, Package, PackageOptions, PackageSource, PrimaryXml, utils,
};
use sha2::{Digest, Sha256};

use super::repomd::{Repomd, RepomdRecord};
use crate::error::{At, RepositoryError};
use crate::header::{ReadRpm, hex};

/// One package's parts of primary, filelists and other.
pub(crate) struct Fragments {
    parts: [Vec<u8>; 3],
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
            let mut primary = PrimaryXml::new_writer(utils::create_xml_writer(Vec::new()));
            primary.write_package(&package)?;
            let mut filelists = FilelistsXml::new_writer(utils::create_xml_writer(Vec::new()));
            filelists.write_package(&package)?;
            let mut other = OtherXml::new_writer(utils::create_xml_writer(Vec::new()));
            other.write_package(&package)?;
            Ok([primary.into_inner(), filelists.into_inner(), other.into_inner()])
        };
        let parts = parts().map_err(|error| RepositoryError::bad_rpm(&rpm.file.path, &error))?;
        Ok(Self { parts })
    }
}

/// Writes the three files and `repomd.xml` into the new directory `root/repodata`, and syncs them.
pub(crate) fn write(
    root: &Path,
    packages: &[Arc<Fragments>],
    revision: u64,
    timestamp: u64,
) -> Result<Repomd, RepositoryError> {
    let directory = root.join("repodata");
    std::fs::create_dir(&directory).at("make", &directory)?;
    let records = (0..FILES.len()).into_par_iter().map(|index| {
        let (compressed, mut record) = compose(index, packages).at("compress", &directory)?;
        record.timestamp = timestamp;
        write_synced(&root.join(&record.location), &compressed)?;
        Ok((FILES[index].0.to_owned(), record))
    });
    let records = records.collect::<Result<_, RepositoryError>>()?;
    let repomd = Repomd { revision: revision.to_string(), records };
    write_synced(&directory.join("repomd.xml"), repomd.to_xml().as_bytes())?;
    Ok(repomd)
}

/// One of the three files, compressed, and its record.
fn compose(index: usize, packages: &[Arc<Fragments>]) -> io::Result<(Vec<u8>, RepomdRecord)> {
    let (kind, element, attributes) = FILES[index];
    let mut output = Hashing {
        hash: Sha256::new(),
        size: 0,
        // createrepo_c writes the same level; `GzBuilder` would put a time into the file.
        inner: GzEncoder::new(Vec::new(), Compression::default()),
    };
    write!(
        output,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{element} {attributes} packages=\"{}\">",
        packages.len()
    )?;
    for package in packages {
        output.write_all(b"\n")?;
        output.write_all(&package.parts[index])?;
    }
    write!(output, "\n</{element}>\n")?;
    let compressed = output.inner.finish()?;
    let checksum = hex(&Sha256::digest(&compressed));
    let record = RepomdRecord {
        location: format!("repodata/{checksum}-{kind}.xml.gz"),
        checksum_type: "sha256".to_owned(),
        checksum,
        open_checksum: Some(hex(&output.hash.finalize())),
        size: Some(compressed.len() as u64),
        open_size: Some(output.size),
        timestamp: 0,
    };
    Ok((compressed, record))
}

/// A writer that hashes and counts what goes through it.
struct Hashing<W> {
    hash: Sha256,
    size: u64,
    inner: W,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes a new file whose bytes are on the disk when this returns.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), RepositoryError> {
    let mut file = std::fs::File::create_new(path).at("make", path)?;
    file.write_all(bytes).at("write", path)?;
    file.sync_all().at("sync", path)
}
