//! `SPECS/<name>/sources`: a TOML table per file, read with the place of every mistake.

use super::checksum::parse_sha512;
use super::fetch::SourceRequest;
use super::origin::Origin;
use std::collections::BTreeMap;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What one tree says about one package's files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    entries: BTreeMap<String, ManifestEntry>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestEntry {
    /// Lowercase hexadecimal. Absent only until `package-builder fetch --lock` was run.
    pub sha512: Option<String>,
    /// Bytes.
    pub size: Option<u64>,
    /// In the order they are tried, after the spec's URL.
    pub origins: Vec<Origin>,
    /// Line of the table's name, from 1.
    pub line: usize,
}

/// A mistake in a `sources` file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}:{line}: {reason}")]
pub struct ManifestError {
    /// The file.
    pub path: String,
    /// From 1.
    pub line: usize,
    /// A lowercase fragment.
    pub reason: String,
}

impl Manifest {
    /// Reads the text of a `sources` file; `path` is for errors only.
    pub fn parse(text: &str, path: &Path) -> Result<Manifest, ManifestError> {
        let wrong = |at: usize, reason: String| {
            let line = line_of(text, at);
            ManifestError { path: path.display().to_string(), line, reason }
        };
        let root = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            wrong(at, error.message().to_owned())
        })?;
        let mut entries = BTreeMap::new();
        for (name, value) in root.get_ref() {
            let at = name.span().start;
            let file_name: &str = name.get_ref();
            if file_name.is_empty() || file_name.starts_with('.') || file_name.contains('/') {
                return Err(wrong(at, format!("`{file_name}` is no plain file name")));
            }
            let DeValue::Table(table) = value.get_ref() else {
                return Err(wrong(at, format!("`{file_name}` is no table; write `[\"{file_name}\"]` on its own line")));
            };
            let entry = entry_of(table, line_of(text, at)).map_err(|(at, reason)| wrong(at, reason))?;
            entries.insert(file_name.to_owned(), entry);
        }
        Ok(Manifest { entries })
    }

    /// What is said about a file.
    pub fn get(&self, file_name: &str) -> Option<&ManifestEntry> {
        self.entries.get(file_name)
    }

    /// All files by name.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &ManifestEntry)> {
        self.entries.iter().map(|(name, entry)| (name.as_str(), entry))
    }

    /// The request for one file a spec names. `value` is the `Source` or `Patch` tag's value: a file name or a URL,
    /// whose last part is the file name (`…#/name` included, as rpm has it).
    pub fn request(&self, package: &str, value: &str, spec_directory: &Path) -> SourceRequest {
        let file_name = value.rsplit('/').next().unwrap_or(value).to_owned();
        let is_url = value.contains("://");
        let entry = self.get(&file_name);
        SourceRequest {
            package: package.to_owned(),
            url: is_url.then(|| value.split("#/").next().unwrap_or(value).to_owned()),
            sha512: entry.and_then(|entry| entry.sha512.clone()),
            size: entry.and_then(|entry| entry.size),
            origins: entry.map(|entry| entry.origins.clone()).unwrap_or_default(),
            beside_spec: spec_directory.join(&file_name),
            file_name,
        }
    }
}

fn entry_of(table: &DeTable<'_>, line: usize) -> Result<ManifestEntry, (usize, String)> {
    let mut entry = ManifestEntry { sha512: None, size: None, origins: Vec::new(), line };
    for (key, value) in table {
        let at = value.span().start;
        let key_name: &str = key.get_ref();
        match key_name {
            "sha512" => {
                let text = value.get_ref().as_str().ok_or((at, "`sha512` is no string".to_owned()))?;
                let sha512 = parse_sha512(text);
                entry.sha512 = Some(sha512.ok_or((at, "`sha512` is not 128 hexadecimal digits".to_owned()))?);
            }
            "size" => {
                let digits = value.get_ref().as_integer().filter(|integer| integer.radix() == 10);
                let size = digits.and_then(|integer| integer.as_str().parse().ok());
                entry.size = Some(size.ok_or((at, "`size` is no number of bytes".to_owned()))?);
            }
            "origins" => {
                let items = value.get_ref().as_array().ok_or((at, "`origins` is no list".to_owned()))?;
                entry.origins = items.iter().map(origin_of).collect::<Result<_, _>>()?;
            }
            other => {
                let near = nearest(other, &["sha512", "size", "origins"]);
                return Err((key.span().start, format!("unknown key `{other}`; did you mean `{near}`?")));
            }
        }
    }
    Ok(entry)
}

fn origin_of(item: &Spanned<DeValue<'_>>) -> Result<Origin, (usize, String)> {
    let at = item.span().start;
    let text = item.get_ref().as_str().ok_or((at, "an origin is no string".to_owned()))?;
    text.parse().map_err(|error: super::origin::OriginError| (at, error.to_string()))
}

fn nearest<'a>(word: &str, known: &[&'a str]) -> &'a str {
    let distance = |known: &&&str| strsim::damerau_levenshtein(word, known);
    known.iter().min_by_key(distance).copied().unwrap_or_default()
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;

    fn parse(text: &str) -> Result<Manifest, String> {
        Manifest::parse(text, Path::new("SPECS/a/sources")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_table_per_file_is_read() {
        let sha512 = "A0".repeat(64);
        let text = format!(
            "# why\n[\"a-1.0.tar.gz\"]\nsha512 = \"{sha512}\"\nsize = 12\norigins = [\n  \"debian:a=1.0-1\",\n]\n\n[\"b.zip\"]\n"
        );
        let manifest = parse(&text).unwrap();
        let entry = manifest.get("a-1.0.tar.gz").unwrap();
        assert_eq!(entry.sha512, Some("a0".repeat(64)));
        assert_eq!((entry.size, entry.line), (Some(12), 2));
        assert_eq!(entry.origins[0].to_string(), "debian:a=1.0-1");
        assert_eq!(manifest.get("b.zip").unwrap().sha512, None);
        assert_eq!(manifest.entries().map(|(name, _)| name).collect::<Vec<_>>(), ["a-1.0.tar.gz", "b.zip"]);
    }

    #[test]
    fn every_mistake_names_its_line() {
        let cases = [
            ("\n[\"a\"]\nsha512 = \"ab\"", "SPECS/a/sources:3: `sha512` is not 128 hexadecimal digits"),
            ("[\"a\"]\nsize = -1", "SPECS/a/sources:2: `size` is no number of bytes"),
            ("[\"a\"]\nsha521 = \"\"", "SPECS/a/sources:2: unknown key `sha521`; did you mean `sha512`?"),
            (
                "[\"a\"]\norigins = [\n\"debian:x=1\",\n\"ftp://x\"]",
                "SPECS/a/sources:4: `ftp://x` is no origin; write `https://…`, `debian:SOURCE=VERSION`, or `crate:NAME=VERSION`",
            ),
            ("[\"../a\"]", "SPECS/a/sources:1: `../a` is no plain file name"),
            ("a = 1", "SPECS/a/sources:1: `a` is no table; write `[\"a\"]` on its own line"),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap_err(), expected);
        }
        assert!(parse("[\"a\"]\n[\"a\"]\n").unwrap_err().starts_with("SPECS/a/sources:2: duplicate key"));
    }

    #[test]
    fn a_request_knows_the_file_name_of_a_url_with_a_fragment() {
        let manifest = Manifest::default();
        let request = manifest.request("a", "https://h.test/get?v=1#/a-1.tar.gz", Path::new("SPECS/a"));
        assert_eq!(request.file_name, "a-1.tar.gz");
        assert_eq!(request.url.as_deref(), Some("https://h.test/get?v=1"));
        assert_eq!(request.beside_spec, Path::new("SPECS/a/a-1.tar.gz"));
        let patch = manifest.request("a", "fix.patch", Path::new("SPECS/a"));
        assert_eq!((patch.file_name.as_str(), patch.url), ("fix.patch", None));
    }
}
