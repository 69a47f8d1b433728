//! Where a file may come from, as written in a `sources` file.

use std::fmt;
use std::str::FromStr;

/// One origin of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `https://…`, `http://…` or `file:///…`.
    Url(String),
    /// `debian:SOURCE=VERSION[@SUITE][#FILE]`: a file of a Debian source package, the upstream tarball unless `FILE`
    /// names another.
    Debian {
        /// The source package.
        source: String,
        /// Its whole version, epoch included.
        version: String,
        /// A suite to ask besides the host's own.
        suite: Option<String>,
        /// Which of the source package's files.
        file: Option<String>,
    },
    /// `crate:NAME=VERSION[#PATH]`: a published crate as it is, or one file from inside it.
    Crate {
        /// The crate.
        name: String,
        /// Its exact version.
        version: String,
        /// The path inside, without the leading `NAME-VERSION/`.
        path: Option<String>,
    },
}

/// Why a text is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Not one of the known kinds.
    #[error("`{0}` is no origin; write `https://…`, `debian:SOURCE=VERSION`, or `crate:NAME=VERSION`")]
    Kind(String),
    /// A part is missing or has characters it cannot have.
    #[error("`{text}` has no valid {part}; write `{form}`")]
    Part {
        /// The whole text.
        text: String,
        /// What is wrong.
        part: &'static str,
        /// How it should look.
        form: &'static str,
    },
}

const DEBIAN_FORM: &str = "debian:SOURCE=VERSION[@SUITE][#FILE]";
const CRATE_FORM: &str = "crate:NAME=VERSION[#PATH]";

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Origin, OriginError> {
        if let Some(rest) = text.strip_prefix("debian:") {
            return debian(text, rest);
        }
        if let Some(rest) = text.strip_prefix("crate:") {
            return crate_origin(text, rest);
        }
        let is_url = ["https://", "http://", "file:///"].iter().any(|scheme| text.starts_with(scheme));
        if is_url && !text.contains(char::is_whitespace) {
            return Ok(Origin::Url(text.to_owned()));
        }
        Err(OriginError::Kind(text.to_owned()))
    }
}

/// Every part becomes a word of a command line or a file name, so the characters are limited here, once.
fn debian(text: &str, rest: &str) -> Result<Origin, OriginError> {
    let wrong = |part| OriginError::Part { text: text.to_owned(), part, form: DEBIAN_FORM };
    let (rest, file) = split_off(rest, '#');
    let (rest, suite) = split_off(rest, '@');
    let (source, version) = rest.split_once('=').ok_or_else(|| wrong("version"))?;
    if !is_word(source, "+-.") {
        return Err(wrong("source package"));
    }
    if !is_word(version, ".+-~:") {
        return Err(wrong("version"));
    }
    if suite.is_some_and(|suite| !is_word(suite, "+-._/")) {
        return Err(wrong("suite"));
    }
    if file.is_some_and(|file| !is_word(file, "+-._~")) {
        return Err(wrong("file"));
    }
    let owned = |part: Option<&str>| part.map(str::to_owned);
    Ok(Origin::Debian { source: source.into(), version: version.into(), suite: owned(suite), file: owned(file) })
}

fn crate_origin(text: &str, rest: &str) -> Result<Origin, OriginError> {
    let wrong = |part| OriginError::Part { text: text.to_owned(), part, form: CRATE_FORM };
    let (rest, path) = split_off(rest, '#');
    let (name, version) = rest.split_once('=').ok_or_else(|| wrong("version"))?;
    if !is_word(name, "-_") {
        return Err(wrong("name"));
    }
    if !is_word(version, ".+-") {
        return Err(wrong("version"));
    }
    if path.is_some_and(str::is_empty) {
        return Err(wrong("path"));
    }
    Ok(Origin::Crate { name: name.into(), version: version.into(), path: path.map(str::to_owned) })
}

fn split_off(text: &str, separator: char) -> (&str, Option<&str>) {
    text.split_once(separator).map_or((text, None), |(head, tail)| (head, Some(tail)))
}

fn is_word(text: &str, others: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(|character| character.is_ascii_alphanumeric() || others.contains(character))
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let optional = |mark: char, part: &Option<String>| part.as_ref().map(|part| format!("{mark}{part}"));
        match self {
            Origin::Url(url) => formatter.write_str(url),
            Origin::Debian { source, version, suite, file } => {
                let suite = optional('@', suite).unwrap_or_default();
                write!(formatter, "debian:{source}={version}{suite}{}", optional('#', file).unwrap_or_default())
            }
            Origin::Crate { name, version, path } => {
                write!(formatter, "crate:{name}={version}{}", optional('#', path).unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        for text in [
            "https://example.org/a-1.0.tar.gz",
            "debian:zlib=1:1.2.13.dfsg-1",
            "debian:sed=4.9-2~deb13u1@trixie-updates#sed_4.9.orig.tar.xz",
            "crate:zstd-sys=2.0.15+zstd.1.5.7",
            "crate:jq-src=0.4.1#modules/jq.tar.gz",
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), text);
        }
        let Origin::Debian { version, suite, .. } = "debian:zlib=1:1.2-1@sid".parse().unwrap() else {
            panic!("not debian")
        };
        assert_eq!((version.as_str(), suite.as_deref()), ("1:1.2-1", Some("sid")));
    }

    #[test]
    fn what_could_become_an_option_or_a_path_is_refused() {
        for text in [
            "ftp://example.org/a",
            "debian:--help=1",
            "debian:zlib",
            "debian:zlib=-1",
            "debian:zlib=1#../../etc/passwd",
            "crate:../x=1",
            "crate:x=1#",
            "https://a b",
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }
}
