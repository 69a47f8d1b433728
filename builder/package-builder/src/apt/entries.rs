//! The host's archive entries: both formats of sources.list(5) read into one shape, written back as deb822.
//!
//! Options are kept as they are, under their deb822 names, so that signatures are checked exactly as the host asks.

use std::collections::BTreeMap;

/// One stanza of archives: every URI × suite × component of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveEntry {
    /// `deb`, `deb-src` or both, as configured.
    pub types: Vec<String>,
    /// Base addresses.
    pub uris: Vec<String>,
    /// Suite or code names (`bookworm`, `bookworm-updates`), or exact paths ending in `/`.
    pub suites: Vec<String>,
    /// `main`, `contrib`, …; empty with an exact path.
    pub components: Vec<String>,
    /// Everything else (`Signed-By`, `Architectures`, …) by its deb822 field name; values may span lines.
    pub options: BTreeMap<String, String>,
}

impl ArchiveEntry {
    /// The entry as a deb822 stanza of the given types (`deb`, `deb-src`), ending in an empty line.
    pub fn to_deb822(&self, types: &str) -> String {
        let mut stanza = format!("Types: {types}\nURIs: {}\nSuites: {}\n", self.uris.join(" "), self.suites.join(" "));
        if !self.components.is_empty() {
            stanza.push_str(&format!("Components: {}\n", self.components.join(" ")));
        }
        for (name, value) in &self.options {
            stanza.push_str(&format!("{name}: {value}\n"));
        }
        stanza.push('\n');
        stanza
    }

    /// The same archive with only the suites `keep` accepts; `None` when none is left.
    pub fn with_suites(&self, keep: impl Fn(&str) -> bool) -> Option<ArchiveEntry> {
        let suites: Vec<String> = self.suites.iter().filter(|suite| keep(suite)).cloned().collect();
        (!suites.is_empty()).then(|| ArchiveEntry { suites, ..self.clone() })
    }
}

/// Reads a `.sources` file (deb822). Disabled stanzas and stanzas without an address are left out.
pub fn parse_deb822(text: &str) -> Vec<ArchiveEntry> {
    let mut entries = Vec::new();
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines().chain([""]) {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            entries.extend(entry_of_fields(std::mem::take(&mut fields)));
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    entries
}

fn entry_of_fields(fields: Vec<(String, String)>) -> Option<ArchiveEntry> {
    let mut entry = ArchiveEntry {
        types: Vec::new(),
        uris: Vec::new(),
        suites: Vec::new(),
        components: Vec::new(),
        options: BTreeMap::new(),
    };
    for (name, value) in fields {
        let words = || value.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        match name.to_ascii_lowercase().as_str() {
            "types" => entry.types = words(),
            "uris" => entry.uris = words(),
            "suites" => entry.suites = words(),
            "components" => entry.components = words(),
            "enabled" if matches!(value.to_ascii_lowercase().as_str(), "no" | "false" | "0" | "off") => return None,
            "enabled" => {}
            _ => {
                entry.options.insert(name, value);
            }
        }
    }
    (!entry.types.is_empty() && !entry.uris.is_empty() && !entry.suites.is_empty()).then_some(entry)
}

/// Reads a `.list` file (one archive a line). Lines apt itself would refuse are left out.
pub fn parse_one_line(text: &str) -> Vec<ArchiveEntry> {
    text.lines().filter_map(entry_of_line).collect()
}

fn entry_of_line(line: &str) -> Option<ArchiveEntry> {
    let line = line.split('#').next().unwrap_or_default().trim();
    let (kind, rest) = line.split_once(char::is_whitespace)?;
    if kind != "deb" && kind != "deb-src" {
        return None;
    }
    let rest = rest.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(inside) => inside.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(ArchiveEntry {
        types: vec![kind.to_owned()],
        uris: vec![words.next()?],
        suites: vec![words.next()?],
        components: words.collect(),
        options: options.split_whitespace().filter_map(deb822_option).collect(),
    })
}

/// `arch+=i386` of the one-line format is `Architectures-Add: i386` in deb822 (sources.list(5), "Options").
fn deb822_option(option: &str) -> Option<(String, String)> {
    let (name, value) = option.split_once('=')?;
    let (name, suffix) = match name.strip_suffix('+') {
        Some(name) => (name, "-Add"),
        None => name.strip_suffix('-').map_or((name, ""), |name| (name, "-Remove")),
    };
    let name = match name.to_ascii_lowercase().as_str() {
        "arch" => "Architectures".to_owned(),
        "lang" => "Languages".to_owned(),
        "target" => "Targets".to_owned(),
        other => other.to_owned(),
    };
    Some((format!("{name}{suffix}"), value.replace(',', " ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_give_the_same_stanza() {
        let one_line = parse_one_line(
            "# a comment\n\ndeb [arch=amd64,arm64 signed-by=/k.gpg] http://archive.test/debian bookworm main contrib # end\nnonsense\n",
        );
        let deb822 = parse_deb822(
            "Types: deb\nURIs: http://archive.test/debian\nSuites: bookworm\n# inside\nComponents: main contrib\nArchitectures: amd64 arm64\nsigned-by: /k.gpg\n",
        );
        assert_eq!(one_line.len(), 1);
        assert_eq!(one_line, deb822);
        assert_eq!(
            one_line[0].to_deb822("deb-src"),
            "Types: deb-src\nURIs: http://archive.test/debian\nSuites: bookworm\nComponents: main contrib\n\
             Architectures: amd64 arm64\nsigned-by: /k.gpg\n\n"
        );
    }

    #[test]
    fn disabled_stanzas_are_left_out_and_embedded_keys_survive() {
        let text = "Types: deb\nURIs: http://a.test\nSuites: ./\nSigned-By:\n -----BEGIN\n .\n abc\n\n\n\
                    Enabled: no\nTypes: deb\nURIs: http://b.test\nSuites: x\nComponents: y\n";
        let entries = parse_deb822(text);
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].options["Signed-By"], "\n -----BEGIN\n .\n abc");
        assert_eq!(parse_deb822(&entries[0].to_deb822("deb")), entries, "writing and reading again changes nothing");
    }

    #[test]
    fn operators_of_options_become_field_suffixes() {
        assert_eq!(deb822_option("arch+=i386"), Some(("Architectures-Add".into(), "i386".into())));
        assert_eq!(deb822_option("lang-=de"), Some(("Languages-Remove".into(), "de".into())));
        assert_eq!(deb822_option("trusted"), None);
    }
}
