//! `repomd.xml`: the list of a repository's metadata files with their checksums.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Component, Path};

use sha2::{Digest, Sha256, Sha384, Sha512};

use super::xml::{self, Document, Step};
use crate::error::RepositoryError;
use crate::header::hex;

/// What a `repomd.xml` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repomd {
    /// The repository's revision, as its maker counts.
    pub revision: String,
    /// The metadata files by type: `primary`, `filelists`, `other`, `updateinfo`…
    pub records: BTreeMap<String, RepomdRecord>,
}

/// One metadata file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepomdRecord {
    /// Where it lies, relative to the repository's root: `repodata/…-primary.xml.gz`.
    pub location: String,
    /// The kind of the checksum: `sha256`, `sha384` or `sha512`.
    pub checksum_type: String,
    /// The checksum of the file as it lies there, in hexadecimal.
    pub checksum: String,
    /// The checksum of the file without its compression, of the same kind.
    pub open_checksum: Option<String>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// Its size in bytes without its compression.
    pub open_size: Option<u64>,
    /// When it was written, in seconds since 1970.
    pub timestamp: u64,
}

impl Repomd {
    /// Reads a `repomd.xml`; `name` is for errors.
    ///
    /// # Errors
    /// It is no `repomd.xml`, or a location in it leads out of the repository.
    pub fn parse(name: &Path, bytes: &[u8]) -> Result<Self, RepositoryError> {
        let text = xml::decompress(name, bytes)?;
        let mut document = Document::new(name, &text);
        let mut repomd = Self::default();
        let mut record: Option<(String, RepomdRecord)> = None;
        let mut is_repomd = false;
        while let Some(step) = document.step()? {
            let element = match step {
                Step::Open(element) => element,
                Step::Close(closed) => {
                    if closed == "data"
                        && let Some((kind, record)) = record.take()
                    {
                        if record.location.is_empty() || record.checksum.is_empty() {
                            return Err(document.error(&format!("`{kind}` has no location or no checksum")));
                        }
                        repomd.records.insert(kind, record);
                    }
                    continue;
                }
            };
            match (element.name(), &mut record) {
                ("repomd", _) => is_repomd = true,
                ("revision", None) => repomd.revision = document.text(&element)?,
                ("data", _) => record = Some((document.required(&element, "type")?, RepomdRecord::default())),
                ("location", Some((_, record))) => {
                    record.location = inside(&document, document.required(&element, "href")?)?;
                }
                ("checksum", Some((_, record))) => {
                    record.checksum_type = document.required(&element, "type")?;
                    record.checksum = document.text(&element)?.trim().to_owned();
                }
                ("open-checksum", Some((_, record))) => {
                    record.open_checksum = Some(document.text(&element)?.trim().to_owned());
                }
                ("size", Some((_, record))) => {
                    let text = document.text(&element)?;
                    record.size = Some(document.number(&text, "size")?);
                }
                ("open-size", Some((_, record))) => {
                    let text = document.text(&element)?;
                    record.open_size = Some(document.number(&text, "size")?);
                }
                // Some makers write fractions of seconds.
                ("timestamp", Some((_, record))) => {
                    let text = document.text(&element)?;
                    record.timestamp = document.number(text.split('.').next().unwrap_or(""), "time")?;
                }
                _ => {}
            }
        }
        if !is_repomd {
            return Err(document.error("there is no `repomd` in it"));
        }
        Ok(repomd)
    }

    /// The record of a type.
    ///
    /// # Errors
    /// There is none.
    pub fn record(&self, name: &Path, kind: &str) -> Result<&RepomdRecord, RepositoryError> {
        self.records.get(kind).ok_or_else(|| RepositoryError::bad_repodata(name, &format!("it lists no `{kind}`")))
    }

    /// The file's text.
    pub(crate) fn to_xml(&self) -> String {
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        text +=
            "<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">\n";
        let mut line = |indent: usize, content: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{:indent$}{content}", "");
        };
        line(2, &format!("<revision>{}</revision>", self.revision));
        for kind in ["primary", "filelists", "other"] {
            let Some(record) = self.records.get(kind) else { continue };
            let sum = &record.checksum_type;
            line(2, &format!("<data type=\"{kind}\">"));
            line(4, &format!("<checksum type=\"{sum}\">{}</checksum>", record.checksum));
            if let Some(open) = &record.open_checksum {
                line(4, &format!("<open-checksum type=\"{sum}\">{open}</open-checksum>"));
            }
            line(4, &format!("<location href=\"{}\"/>", record.location));
            line(4, &format!("<timestamp>{}</timestamp>", record.timestamp));
            for (element, size) in [("size", record.size), ("open-size", record.open_size)] {
                if let Some(size) = size {
                    line(4, &format!("<{element}>{size}</{element}>"));
                }
            }
            line(2, "</data>");
        }
        line(0, "</repomd>");
        text
    }
}

impl RepomdRecord {
    /// Checks a file's bytes against size and checksum; `name` is for errors.
    ///
    /// # Errors
    /// They differ, or the checksum is of a kind that is no longer safe or not known.
    pub fn check(&self, name: &Path, bytes: &[u8]) -> Result<(), RepositoryError> {
        let error = |reason: String| RepositoryError::bad_repodata(name, &reason);
        if let Some(size) = self.size.filter(|size| *size != bytes.len() as u64) {
            return Err(error(format!("it has {} bytes, repomd.xml says {size}", bytes.len())));
        }
        let actual = match self.checksum_type.as_str() {
            "sha256" => hex(&Sha256::digest(bytes)),
            "sha384" => hex(&Sha384::digest(bytes)),
            "sha512" => hex(&Sha512::digest(bytes)),
            other => {
                return Err(error(format!("its checksum is a `{other}`; sha256, sha384 and sha512 are supported")));
            }
        };
        if !actual.eq_ignore_ascii_case(&self.checksum) {
            return Err(error(format!("its {} is {actual}, repomd.xml says {}", self.checksum_type, self.checksum)));
        }
        Ok(())
    }
}

/// A location that stays below the repository's root.
pub(crate) fn inside(document: &Document<'_>, location: String) -> Result<String, RepositoryError> {
    let mut components = Path::new(&location).components();
    if location.is_empty() || !components.all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(document.error(&format!("the location `{location}` leads out of the repository")));
    }
    Ok(location)
}
