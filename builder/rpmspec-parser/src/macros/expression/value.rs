//! The values of expressions.

use std::cmp::Ordering;
use std::fmt;

use crate::macros::version::Version;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::macros) enum Value {
    /// A number; arithmetic wraps around, as it does in rpm.
    Integer(i32),
    /// A string.
    Text(String),
    /// A version.
    Version(Version),
}

impl Value {
    /// Whether it counts as true: a number other than 0, a string that is not empty. A version never does.
    pub(in crate::macros) fn is_true(&self) -> bool {
        match self {
            Self::Integer(number) => *number != 0,
            Self::Text(text) => !text.is_empty(),
            Self::Version(_) => false,
        }
    }

    /// Whether two values can be compared.
    pub(super) fn same_type(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Compares two values of one type.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            // rpm looks at the sign of the difference, which wraps around.
            (Self::Integer(left), Self::Integer(right)) => left.wrapping_sub(*right).cmp(&0),
            (Self::Text(left), Self::Text(right)) => left.as_bytes().cmp(right.as_bytes()),
            (Self::Version(left), Self::Version(right)) => left.compare(right),
            _ => Ordering::Equal,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => write!(formatter, "{number}"),
            Self::Text(text) => formatter.write_str(text),
            Self::Version(version) => write!(formatter, "{version}"),
        }
    }
}
