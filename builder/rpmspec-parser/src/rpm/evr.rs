//! Epoch, version and release, ordered by rpm's rules (rpm-version(7)).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

/// Epoch, version and release of a package, or of one end of a dependency.
///
/// Ordering and equality are rpm's: a missing epoch is 0, `~` sorts before the end of a version and
/// `^` after it, leading zeros do not count. The spelling is kept as written. Whether a *missing*
/// release matches any release is a question of dependencies, not of order: see
/// [`Capability::overlaps`](super::Capability::overlaps).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Evr {
    /// The epoch; `None` where none is written, which compares as 0.
    pub epoch: Option<u32>,
    /// The version, never empty in a valid package.
    pub version: String,
    /// The release; empty where none is written.
    pub release: String,
}

impl Evr {
    /// Creates an EVR from its parts.
    #[must_use]
    pub fn new(epoch: Option<u32>, version: impl Into<String>, release: impl Into<String>) -> Self {
        Self { epoch, version: version.into(), release: release.into() }
    }

    /// Splits `[epoch:]version[-release]` as rpm does: the epoch is the digits before the first `:`,
    /// the release what follows the last `-`. Never fails; what is no epoch stays in the version.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (epoch, rest) = match text.split_once(':') {
            Some((digits, rest)) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                (Some(digits.parse().unwrap_or(0)), rest)
            }
            _ => (None, text),
        };
        let (version, release) = rest.rsplit_once('-').unwrap_or((rest, ""));
        Self::new(epoch, version, release)
    }
}

impl fmt::Display for Evr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(epoch) = self.epoch {
            write!(formatter, "{epoch}:")?;
        }
        formatter.write_str(&self.version)?;
        // A version with a `-` in it, which rpm refuses, would be read as a version and a release.
        if !self.release.is_empty() || self.version.contains('-') {
            write!(formatter, "-{}", self.release)?;
        }
        Ok(())
    }
}

impl Ord for Evr {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.epoch.unwrap_or(0).cmp(&other.epoch.unwrap_or(0)))
            .then_with(|| compare_versions(&self.version, &other.version))
            .then_with(|| compare_versions(&self.release, &other.release))
    }
}

impl PartialOrd for Evr {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Evr {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Evr {}

impl Hash for Evr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.epoch.unwrap_or(0).hash(state);
        for text in [&self.version, &self.release] {
            Segments(text.as_bytes()).for_each(|segment| segment.hash(state));
            0xffu8.hash(state);
        }
    }
}

/// Compares two versions or releases segment by segment, as rpm's `rpmvercmp` does.
#[must_use]
pub fn compare_versions(left: &str, right: &str) -> Ordering {
    if left == right {
        return Ordering::Equal;
    }
    let (mut left, mut right) = (Segments(left.as_bytes()), Segments(right.as_bytes()));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (left, right) => match rank(left).cmp(&rank(right)) {
                Ordering::Equal => {}
                unequal => return unequal,
            },
        }
    }
}

/// One comparable piece of a version. Separators are not pieces.
#[derive(Clone, Copy, Hash, PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'a> {
    Tilde,
    Caret,
    Letters(&'a [u8]),
    /// Without leading zeros: the longer is the larger, then byte by byte.
    Digits(usize, &'a [u8]),
}

/// A total order of segments and of the end, which lies between `~` and everything else.
fn rank(segment: Option<Segment<'_>>) -> (u8, Option<Segment<'_>>) {
    match segment {
        Some(Segment::Tilde) => (0, None),
        None => (1, None),
        Some(Segment::Caret) => (2, None),
        Some(Segment::Letters(_)) => (3, segment),
        Some(Segment::Digits(..)) => (4, segment),
    }
}

struct Segments<'a>(&'a [u8]);

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        let skipped = self.0.iter().take_while(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'~' | b'^')).count();
        self.0 = &self.0[skipped..];
        let first = *self.0.first()?;
        let length = match first {
            b'~' | b'^' => 1,
            b'0'..=b'9' => self.0.iter().take_while(|b| b.is_ascii_digit()).count(),
            _ => self.0.iter().take_while(|b| b.is_ascii_alphabetic()).count(),
        };
        let (piece, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(match first {
            b'~' => Segment::Tilde,
            b'^' => Segment::Caret,
            b'0'..=b'9' => {
                let zeros = piece.iter().take_while(|b| **b == b'0').count();
                Segment::Digits(piece.len() - zeros, &piece[zeros..])
            }
            _ => Segment::Letters(piece),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["1", "1-2", "3:1~a-2^b", "1-2-3", "1-2-", "13:->2#-"] {
            assert_eq!(Evr::parse(text).to_string(), text);
        }
    }

    #[test]
    fn order_is_rpms() {
        // From the rules of rpm-version(7): each pair is (smaller, larger).
        for (smaller, larger) in [
            ("1.0", "2.0"),
            ("2.0", "2.0.1"),
            ("1.0~rc1", "1.0"),
            ("1.0~rc1", "1.0~rc2"),
            ("1.0", "1.0^"),
            ("1.0^git1", "1.0.1"),
            ("1.0^git1", "1.01"),
            ("1.0~rc1", "1.0~rc1^git1"),
            ("1.0^git1~pre", "1.0^git1"),
            ("10abc", "10.1abc"),
            ("xyz.4", "8"),
            ("2a", "2.0"),
            ("1.0", "1.0a"),
            ("1b", "1.0"),
        ] {
            assert_eq!(compare_versions(smaller, larger), Ordering::Less, "{smaller} < {larger}");
            assert_eq!(compare_versions(larger, smaller), Ordering::Greater, "{larger} > {smaller}");
        }
        for (left, right) in [("1.05", "1.5"), ("1_0", "1.0"), ("2..0", "2.0"), ("fc.4", "fc4"), ("1.0.", "1.0")] {
            assert_eq!(compare_versions(left, right), Ordering::Equal, "{left} = {right}");
        }
    }

    #[test]
    fn parse_keeps_the_spelling() {
        for text in ["1.0", "1:1.0-1", "0:2", "1.0-rc-3"] {
            assert_eq!(Evr::parse(text).to_string(), text);
        }
        assert_eq!(Evr::parse("a:1").epoch, None);
        assert_eq!(Evr::parse("0:1-1"), Evr::parse("1-1"));
    }
}
