//! The levels macro definitions are made at: what a scope's end takes away, and what it leaves.

/// Where a definition comes from; rpm's numbers. A parametric call's own definitions have levels from 1 up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(pub i32);

impl Level {
    /// Built-ins such as `%{lua:…}`, which nothing can redefine.
    pub const BUILTIN: Self = Self(-20);
    /// rpm's compiled-in defaults.
    pub const DEFAULT: Self = Self(-15);
    /// Macro files.
    pub const MACRO_FILES: Self = Self(-13);
    /// Values set because of rpmrc: `optflags`, `_target_cpu`.
    pub const RPMRC: Self = Self(-11);
    /// `--define`.
    pub const COMMAND_LINE: Self = Self(-7);
    /// What a spec's tags define: `%{name}`, `%{SOURCE0}`.
    pub const SPEC: Self = Self(-3);
    /// `%global`, and a `%define` outside any parametric macro.
    pub const GLOBAL: Self = Self(0);
}
