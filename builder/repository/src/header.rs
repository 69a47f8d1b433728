//! Reads an RPM file: its header, its checksum, and what it means to others.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::rpm::{DependencyFlags, PackageMetadata as Header};
use rpmspec_parser::rpm::{Capability, Dependency, Evr, Nevra, PackageMetadata, Relation};
use sha2::{Digest, Sha256};

use crate::error::{At, RepositoryError};
use crate::identity;
use crate::raw_header::RawHeader;

/// An RPM file and what its header says.
#[derive(Clone, Debug)]
pub struct RpmFile {
    /// Where it lies.
    pub path: PathBuf,
    /// The SHA-256 of the whole file, in lower-case hexadecimal.
    pub sha256: String,
    /// The size of the file in bytes.
    pub size: u64,
    /// Its NEVRA, dependencies and files. Shared, because generations have most packages in common.
    pub metadata: Arc<PackageMetadata>,
    /// Whether it is an SRPM; its architecture then is `src`.
    pub is_source: bool,
    /// Whether it comes from a seed and is published only because packages of the tree need it once installed.
    pub is_seed: bool,
    /// What it means, without what always differs: see [`identity`](mod@crate::identity).
    pub identity: String,
}

impl RpmFile {
    /// The name of the source package it belongs to: its own for an SRPM, else from the SRPM's file
    /// name. A binary RPM without one stands for itself.
    #[must_use]
    pub fn source_package(&self) -> &str {
        match self.metadata.source_rpm.as_deref().and_then(source_name) {
            Some(name) if !self.is_source => name,
            _ => &self.metadata.nevra.name,
        }
    }

    /// Whether it is an RPM, not an SRPM, that was built from the tree.
    #[must_use]
    pub fn is_built(&self) -> bool {
        !self.is_source && !self.is_seed
    }

    /// Where it lies within a generation: `SRPMS/NAME.src.rpm`, `RPMS/ARCH/NAME.ARCH.rpm` or, if it comes from a
    /// seed, `SEEDS/ARCH/NAME.ARCH.rpm`.
    #[must_use]
    pub fn location(&self) -> String {
        let nevra = &self.metadata.nevra;
        if self.is_seed {
            format!("{SEEDS}/{}/{}", nevra.arch, nevra.file_name())
        } else if self.is_source {
            format!("SRPMS/{}", nevra.file_name())
        } else {
            format!("RPMS/{}/{}", nevra.arch, nevra.file_name())
        }
    }
}

/// The folder of a generation for what comes from seeds.
pub(crate) const SEEDS: &str = "SEEDS";

/// The name in an SRPM's file name: `zlib` in `zlib-1.3.1-1.src.rpm`.
#[must_use]
pub fn source_name(source_rpm: &str) -> Option<&str> {
    let stem = source_rpm.strip_suffix(".rpm").unwrap_or(source_rpm);
    let stem = stem.strip_suffix(".src").or_else(|| stem.strip_suffix(".nosrc"))?;
    let (rest, _release) = stem.rsplit_once('-')?;
    let (name, _version) = rest.rsplit_once('-')?;
    (!name.is_empty()).then_some(name)
}

/// Reads an RPM: its header, and the whole file for its checksum.
///
/// # Errors
/// The file cannot be read, or is no RPM (version 3 or 4 of the format) with a sound header.
pub fn read_rpm(path: impl AsRef<Path>) -> Result<RpmFile, RepositoryError> {
    let path = path.as_ref();
    Ok(read(path, Checksum::Compute)?.file)
}

/// What is needed of one RPM to publish it: kept in memory from generation to generation.
pub(crate) struct ReadRpm {
    pub(crate) file: RpmFile,
    pub(crate) header: Header,
    /// Seconds since 1970 of the file's modification.
    pub(crate) modified: u64,
}

/// Whether a checksum has to be made, or is known from the repodata.
pub(crate) enum Checksum {
    Compute,
    Known(String),
}

/// Reads an RPM's header and, where it is not known, its checksum.
pub(crate) fn read(path: &Path, checksum: Checksum) -> Result<ReadRpm, RepositoryError> {
    let file = File::open(path).at("open", path)?;
    let status = file.metadata().at("examine", path)?;
    let modified = status.modified().at("examine", path)?;
    let mut input = Kept { input: BufReader::with_capacity(1 << 16, file), kept: Vec::new() };
    let bad = |reason: &dyn ToString| RepositoryError::bad_rpm(path, reason);

    let raw = read_sections(&mut input).map_err(|error| bad(&error))?;
    let Kept { input: mut rest, kept } = input;
    let (sha256, size) = match checksum {
        Checksum::Known(sha256) => (sha256, status.len()),
        Checksum::Compute => {
            let mut hash = Sha256::new();
            hash.update(&kept);
            let size = kept.len() as u64 + hash_rest(&mut rest, &mut hash).at("read", path)?;
            (hex(&hash.finalize()), size)
        }
    };
    let header = Header::parse(&mut &kept[..]).map_err(|error| bad(&error))?;
    let metadata = metadata(&header).map_err(|error| bad(&error))?;
    let file = RpmFile {
        path: path.to_owned(),
        sha256,
        size,
        metadata: Arc::new(metadata),
        is_source: header.is_source_package(),
        is_seed: false,
        identity: identity::of_header(&raw),
    };
    let modified = modified.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Ok(ReadRpm { file, header, modified })
}

/// Reads the lead and both headers, checking them; gives the main header.
fn read_sections(input: &mut impl Read) -> io::Result<RawHeader> {
    let mut lead = [0; 96];
    input.read_exact(&mut lead)?;
    if lead[..4] != [0xed, 0xab, 0xee, 0xdb] {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it does not start with RPM's magic"));
    }
    let signature = RawHeader::read(input)?;
    let padding = signature.size().wrapping_neg() % 8;
    let mut discarded = [0; 8];
    input.read_exact(&mut discarded[..padding as usize])?;
    RawHeader::read(input)
}

/// Opens an RPM with its input standing at the payload.
pub(crate) fn open_payload(path: &Path) -> Result<(RawHeader, BufReader<File>), RepositoryError> {
    let mut input = BufReader::with_capacity(1 << 18, File::open(path).at("open", path)?);
    let header = read_sections(&mut input).map_err(|error| RepositoryError::bad_rpm(path, &error))?;
    Ok((header, input))
}

/// A reader that keeps what went through it.
struct Kept<R> {
    input: R,
    kept: Vec<u8>,
}

impl<R: Read> Read for Kept<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.kept.extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}

fn hash_rest(input: &mut impl BufRead, hash: &mut Sha256) -> io::Result<u64> {
    let mut size = 0;
    loop {
        let bytes = input.fill_buf()?;
        if bytes.is_empty() {
            return Ok(size);
        }
        hash.update(bytes);
        let count = bytes.len();
        size += count as u64;
        input.consume(count);
    }
}

/// The SHA-256 of a file, in lower-case hexadecimal, and its size.
pub(crate) fn hash_file(path: &Path) -> Result<(String, u64), RepositoryError> {
    let mut hash = Sha256::new();
    let mut input = BufReader::with_capacity(1 << 16, File::open(path).at("open", path)?);
    let size = hash_rest(&mut input, &mut hash).at("read", path)?;
    Ok((hex(&hash.finalize()), size))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

fn metadata(header: &Header) -> Result<PackageMetadata, String> {
    let text = |value: Result<&str, ::rpm::Error>| value.map(str::to_owned).map_err(|error| error.to_string());
    let is_source = header.is_source_package();
    let nevra = Nevra {
        name: text(header.get_name())?,
        evr: Evr::new(header.get_epoch().ok(), text(header.get_version())?, text(header.get_release())?),
        arch: if is_source { "src".to_owned() } else { text(header.get_arch())? },
    };
    check_name_part(&nevra.name)?;
    check_name_part(&nevra.evr.version)?;
    check_name_part(&nevra.evr.release)?;
    check_name_part(&nevra.arch)?;
    let capabilities = |list: Result<Vec<::rpm::Dependency>, ::rpm::Error>| -> Result<Vec<Capability>, String> {
        Ok(list.map_err(|error| error.to_string())?.into_iter().map(capability).collect())
    };
    let dependencies = |list: Result<Vec<::rpm::Dependency>, ::rpm::Error>| -> Result<Vec<Dependency>, String> {
        let list = list.map_err(|error| error.to_string())?;
        list.into_iter().filter(|entry| !entry.name.starts_with("rpmlib(")).map(dependency).collect()
    };
    let paths = header.get_file_paths().map_err(|error| error.to_string())?;
    let files = paths.into_iter().filter(|path| path.is_absolute());
    Ok(PackageMetadata {
        nevra,
        source_rpm: header.get_source_rpm().ok().filter(|name| !name.is_empty()).map(str::to_owned),
        provides: capabilities(header.get_provides())?,
        requires: dependencies(header.get_requires())?,
        conflicts: dependencies(header.get_conflicts())?,
        obsoletes: capabilities(header.get_obsoletes())?,
        recommends: dependencies(header.get_recommends())?,
        files: files.map(|path| path.to_string_lossy().into_owned()).collect(),
    })
}

/// Names become file names: nothing in them may lead elsewhere.
fn check_name_part(text: &str) -> Result<(), String> {
    if text.is_empty() || text.contains(['/', '\0', '\n']) || text.starts_with('.') {
        return Err(format!("`{text}` cannot be part of a package's name"));
    }
    Ok(())
}

fn relation(flags: DependencyFlags) -> Option<Relation> {
    let has = |flag| flags.contains(flag);
    match (has(DependencyFlags::LESS), has(DependencyFlags::EQUAL), has(DependencyFlags::GREATER)) {
        (true, false, _) => Some(Relation::Less),
        (true, true, _) => Some(Relation::LessOrEqual),
        (false, true, false) => Some(Relation::Equal),
        (false, true, true) => Some(Relation::GreaterOrEqual),
        (false, false, true) => Some(Relation::Greater),
        (false, false, false) => None,
    }
}

fn capability(entry: ::rpm::Dependency) -> Capability {
    let relation = relation(entry.flags).filter(|_| !entry.version.is_empty());
    Capability { version: relation.map(|relation| (relation, Evr::parse(&entry.version))), name: entry.name }
}

fn dependency(entry: ::rpm::Dependency) -> Result<Dependency, String> {
    if entry.name.starts_with('(') {
        return Dependency::parse(&entry.name).map_err(|error| error.to_string());
    }
    Ok(Dependency::Capability(capability(entry)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_names_are_found() {
        assert_eq!(source_name("zlib-1.3.1-1.src.rpm"), Some("zlib"));
        assert_eq!(source_name("python3-foo-1~rc1-2.ph5.nosrc.rpm"), Some("python3-foo"));
        assert_eq!(source_name("zlib-1.3.1-1.x86_64.rpm"), None);
        assert_eq!(source_name("zlib.src.rpm"), None);
    }

    #[test]
    fn hexadecimal_is_lower_case() {
        assert_eq!(hex(&[0, 0xab, 0xff]), "00abff");
    }
}
