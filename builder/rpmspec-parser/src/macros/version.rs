//! Versions as values: of expressions (`v"1.0-1"`) and of Lua (`rpm.ver`).

use std::cmp::Ordering;
use std::fmt;

use crate::rpm::compare_versions;

/// `[epoch:]version[-release]`, with its parts as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    /// The epoch; a missing one compares as `0`.
    pub(super) epoch: Option<String>,
    /// The version.
    pub(super) version: String,
    /// The release; a missing one comes before any.
    pub(super) release: Option<String>,
}

impl Version {
    /// Reads a version; `None` for an empty text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (epoch, rest) = match text[digits..].strip_prefix(':') {
            Some(rest) if digits == 0 => (Some("0"), rest),
            Some(rest) => (Some(&text[..digits]), rest),
            None => (None, text),
        };
        let (version, release) = match rest.rsplit_once('-') {
            Some((version, release)) => (version, Some(release)),
            None => (rest, None),
        };
        Some(Self { epoch: epoch.map(str::to_owned), version: version.to_owned(), release: release.map(str::to_owned) })
    }

    /// Compares as rpm does.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let epoch = |version: &Self| version.epoch.clone().unwrap_or_else(|| "0".into());
        compare_versions(&epoch(self), &epoch(other))
            .then_with(|| compare_versions(&self.version, &other.version))
            .then_with(|| match (&self.release, &other.release) {
                (Some(left), Some(right)) => compare_versions(left, right),
                (left, right) => left.is_some().cmp(&right.is_some()),
            })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(epoch) = &self.epoch {
            write!(formatter, "{epoch}:")?;
        }
        formatter.write_str(&self.version)?;
        if let Some(release) = &self.release {
            write!(formatter, "-{release}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "what does not parse is the test's failure")]

    use super::*;

    #[test]
    fn versions_are_compared() {
        for (left, right, order) in [
            ("1.0", "1.0-1", Ordering::Less),
            ("0:1.0", "1.0", Ordering::Equal),
            (":1.0", "0:1.0", Ordering::Equal),
            ("1:1", "2", Ordering::Greater),
            ("1.0~rc1", "1.0", Ordering::Less),
        ] {
            assert_eq!(Version::parse(left).unwrap().compare(&Version::parse(right).unwrap()), order, "{left} {right}");
        }
        assert_eq!(Version::parse("1:2-3").unwrap().to_string(), "1:2-3");
        assert!(Version::parse("").is_none());
    }
}
