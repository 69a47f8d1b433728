//! The version of rpm whose language is spoken.

use std::fmt;
use std::sync::{Arc, LazyLock};

/// A version of rpm, such as `4.20.1`. What a spec and macros may say differs from one to the next, and so may what
/// they come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpmVersion {
    text: Arc<str>,
    numbers: [u32; 3],
}

impl RpmVersion {
    /// Reads a version as rpm or a distribution's package has it: what follows the numbers is left out
    /// (`4.20.1+dfsg` is `4.20.1`). `None` for a text that begins with no number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let length = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
        let text = text[..length].trim_end_matches('.');
        let mut numbers = [0; 3];
        for (number, word) in numbers.iter_mut().zip(text.split('.')) {
            *number = word.parse().ok()?;
        }
        Some(Self { text: text.into(), numbers })
    }

    /// A version that knows all that any does: what a spec may mean to one of them.
    pub(crate) fn any() -> &'static Self {
        static ANY: LazyLock<RpmVersion> = LazyLock::new(|| RpmVersion { text: "any".into(), numbers: [u32::MAX; 3] });
        &ANY
    }

    /// The version as `%{rpmversion}` gives it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether what came with a version, given by its first numbers, is known to this one.
    pub(crate) fn is_at_least(&self, version: &[u32]) -> bool {
        self.numbers.as_slice() >= version
    }

    /// Its numbers as one that can be compared: 42001 is 4.20.1.
    pub(super) fn number(&self) -> u32 {
        self.numbers.iter().fold(0, |sum, number| sum * 100 + number.min(&99))
    }
}

impl Default for RpmVersion {
    /// 4.18.0
    fn default() -> Self {
        Self { text: "4.18.0".into(), numbers: [4, 18, 0] }
    }
}

impl fmt::Display for RpmVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_packages_have_them() {
        for (text, version, number) in [
            ("4.18.0", "4.18.0", 41800),
            ("4.20.1+dfsg", "4.20.1", 42001),
            ("6.0", "6.0", 60000),
            ("4.19.1.1", "4.19.1.1", 41901),
        ] {
            let read = RpmVersion::parse(text).expect("it begins with numbers");
            assert_eq!((read.as_str(), read.number()), (version, number));
        }
        assert_eq!((RpmVersion::parse("x"), RpmVersion::parse("")), (None, None));
    }

    #[test]
    fn newer_versions_know_what_older_ones_know() {
        let version = RpmVersion::parse("4.19.1").expect("it is one");
        assert!(version.is_at_least(&[4, 18]) && version.is_at_least(&[4, 19]) && version.is_at_least(&[4, 19, 1]));
        assert!(!version.is_at_least(&[4, 19, 2]) && !version.is_at_least(&[4, 20]) && !version.is_at_least(&[6]));
        assert_eq!(RpmVersion::parse("4.18.0"), Some(RpmVersion::default()));
    }
}
