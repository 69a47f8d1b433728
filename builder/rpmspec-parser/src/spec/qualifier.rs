//! For what a dependency is needed: the qualifiers of `Requires(post):` and what rpm adds by itself.

use serde::{Deserialize, Serialize};

/// One qualifier of a dependency. The order is the order in which rpm shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Qualifier {
    /// Needed by `%posttrans`.
    Posttrans,
    /// An old `PreReq`.
    Prereq,
    /// Needed by `%pretrans`.
    Pretrans,
    /// The interpreter of a scriptlet.
    Interp,
    /// Needed by `%pre`.
    Pre,
    /// Needed by `%post`.
    Post,
    /// Needed by `%preun`.
    Preun,
    /// Needed by `%postun`.
    Postun,
    /// Needed by `%verifyscript`.
    Verify,
    /// Condition of a `%triggerin`.
    Triggerin,
    /// Condition of a `%triggerun`.
    Triggerun,
    /// Condition of a `%triggerpostun`.
    Triggerpostun,
    /// Needed by `%preuntrans`.
    Preuntrans,
    /// Needed by `%postuntrans`.
    Postuntrans,
    /// A feature of rpm itself.
    Rpmlib,
    /// Condition of a `%triggerprein`.
    Triggerprein,
    /// Orders nothing.
    Meta,
}

impl Qualifier {
    /// Every qualifier, in rpm's order.
    pub const ALL: [Self; 17] = [
        Self::Posttrans,
        Self::Prereq,
        Self::Pretrans,
        Self::Interp,
        Self::Pre,
        Self::Post,
        Self::Preun,
        Self::Postun,
        Self::Verify,
        Self::Triggerin,
        Self::Triggerun,
        Self::Triggerpostun,
        Self::Preuntrans,
        Self::Postuntrans,
        Self::Rpmlib,
        Self::Triggerprein,
        Self::Meta,
    ];

    /// The bit rpm's headers mark it with (rpmds.h, `rpmsenseFlags`).
    #[must_use]
    pub const fn bit(self) -> u32 {
        1 << match self {
            Self::Posttrans => 5,
            Self::Prereq => 6,
            Self::Pretrans => 7,
            Self::Interp => 8,
            Self::Pre => 9,
            Self::Post => 10,
            Self::Preun => 11,
            Self::Postun => 12,
            Self::Verify => 13,
            Self::Triggerin => 16,
            Self::Triggerun => 17,
            Self::Triggerpostun => 18,
            Self::Preuntrans => 20,
            Self::Postuntrans => 21,
            Self::Rpmlib => 24,
            Self::Triggerprein => 25,
            Self::Meta => 29,
        }
    }

    /// The word it is shown with, as rpm's `:deptype` shows it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Posttrans => "posttrans",
            Self::Prereq => "prereq",
            Self::Pretrans => "pretrans",
            Self::Interp => "interp",
            Self::Pre => "pre",
            Self::Post => "post",
            Self::Preun => "preun",
            Self::Postun => "postun",
            Self::Verify => "verify",
            Self::Triggerin => "triggerin",
            Self::Triggerun => "triggerun",
            Self::Triggerpostun => "triggerpostun",
            Self::Preuntrans => "preuntrans",
            Self::Postuntrans => "postuntrans",
            Self::Rpmlib => "rpmlib",
            Self::Triggerprein => "triggerprein",
            Self::Meta => "meta",
        }
    }

    /// Reads a word as `Requires(word):` may hold it.
    #[must_use]
    pub fn of_requires(word: &str) -> Option<Self> {
        const ALLOWED: [Qualifier; 12] = [
            Qualifier::Interp,
            Qualifier::Preun,
            Qualifier::Pre,
            Qualifier::Postun,
            Qualifier::Post,
            Qualifier::Verify,
            Qualifier::Pretrans,
            Qualifier::Posttrans,
            Qualifier::Preuntrans,
            Qualifier::Postuntrans,
            Qualifier::Prereq,
            Qualifier::Meta,
        ];
        ALLOWED.into_iter().find(|qualifier| qualifier.word() == word)
    }

    /// Reads the qualifiers out of a header's flags.
    #[must_use]
    pub fn of_flags(flags: u32) -> Vec<Self> {
        Self::ALL.into_iter().filter(|qualifier| flags & qualifier.bit() != 0).collect()
    }
}
