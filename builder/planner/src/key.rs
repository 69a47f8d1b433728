//! The key of a build: the hash of all that goes into it. Same key, same result, no build.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// Everything a key is made of. No file time, absolute path or host name is among it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInputs<'a> {
    /// The sha256 of the evaluated spec ([`spec_digest`]), in hex.
    pub spec_sha256: &'a str,
    /// The sha512 of every source and patch by its name below `%{_sourcedir}`, in hex.
    pub sources: &'a [(String, String)],
    /// The identity of every RPM in the build root by NEVRA.
    pub build_root: &'a BTreeMap<String, String>,
    /// The digest of the base layer the build root stands on.
    pub base_layer: &'a str,
    /// The architecture built for.
    pub arch: &'a str,
    /// The version of rpm that builds.
    pub rpm_version: &'a str,
    /// The version of the tool's own conventions; raised when they change results.
    pub tool_key_version: u32,
    /// Whatever else was declared to matter, by name.
    pub extra: &'a BTreeMap<String, String>,
}

/// Computes the key: sha256, in lowercase hex, over labelled, length-prefixed fields. The order of `sources`
/// does not count.
#[must_use]
pub fn key(inputs: &KeyInputs<'_>) -> String {
    let mut fields = Fields(Sha256::new());
    fields.add("format", "1");
    fields.add("spec", inputs.spec_sha256);
    let sources: BTreeMap<_, _> = inputs.sources.iter().map(|(name, sha512)| (name, sha512)).collect();
    fields.add_all("source", sources);
    fields.add_all("build-root", inputs.build_root);
    fields.add("base-layer", inputs.base_layer);
    fields.add("arch", inputs.arch);
    fields.add("rpm", inputs.rpm_version);
    fields.add("tool", &inputs.tool_key_version.to_string());
    fields.add_all("extra", inputs.extra);
    hex(&fields.0.finalize())
}

/// The sha256, in hex, of an evaluated spec's text ([`SourcePackage::parsed`](rpmspec_parser::SourcePackage)).
#[must_use]
pub fn spec_digest(parsed: &str) -> String {
    hex(&Sha256::digest(parsed.as_bytes()))
}

/// Feeds a hash so that no two lists of fields give the same bytes.
struct Fields(Sha256);

impl Fields {
    fn add(&mut self, label: &str, value: &str) {
        for text in [label, value] {
            self.0.update((text.len() as u64).to_le_bytes());
            self.0.update(text.as_bytes());
        }
    }

    fn add_all<'a>(&mut self, label: &str, entries: impl IntoIterator<Item = (&'a String, &'a String)>) {
        let entries: Vec<_> = entries.into_iter().collect();
        self.add(label, &entries.len().to_string());
        for (name, value) in entries {
            self.add(name, value);
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base<'a>(
        sources: &'a [(String, String)],
        build_root: &'a BTreeMap<String, String>,
        extra: &'a BTreeMap<String, String>,
    ) -> KeyInputs<'a> {
        KeyInputs {
            spec_sha256: "aa",
            sources,
            build_root,
            base_layer: "bb",
            arch: "x86_64",
            rpm_version: "4.18",
            tool_key_version: 1,
            extra,
        }
    }

    #[test]
    fn every_field_counts_and_order_of_sources_does_not() {
        let sources = [("a.tar".to_owned(), "1".to_owned()), ("b.patch".to_owned(), "2".to_owned())];
        let turned = [sources[1].clone(), sources[0].clone()];
        let other = [("a.tar".to_owned(), "2".to_owned()), ("b.patch".to_owned(), "1".to_owned())];
        let none = BTreeMap::new();
        let one = BTreeMap::from([("zlib-1-1.x86_64".to_owned(), "id".to_owned())]);
        let start = base(&sources, &one, &none);
        let wanted = key(&start);
        assert_eq!(wanted.len(), 64);
        assert_eq!(key(&base(&turned, &one, &none)), wanted);
        let changed = [
            KeyInputs { spec_sha256: "ab", ..start.clone() },
            KeyInputs { sources: &other, ..start.clone() },
            KeyInputs { sources: &sources[..1], ..start.clone() },
            KeyInputs { build_root: &none, ..start.clone() },
            KeyInputs { base_layer: "bc", ..start.clone() },
            KeyInputs { arch: "aarch64", ..start.clone() },
            KeyInputs { rpm_version: "4.19", ..start.clone() },
            KeyInputs { tool_key_version: 2, ..start.clone() },
            KeyInputs { extra: &one, ..start.clone() },
        ];
        let mut keys: Vec<_> = changed.iter().map(key).collect();
        keys.push(wanted);
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), changed.len() + 1);
    }

    #[test]
    fn neighbouring_fields_cannot_trade_bytes() {
        let none = BTreeMap::new();
        let left = KeyInputs { arch: "ab", rpm_version: "c", ..base(&[], &none, &none) };
        let right = KeyInputs { arch: "a", rpm_version: "bc", ..base(&[], &none, &none) };
        assert_ne!(key(&left), key(&right));
    }
}
