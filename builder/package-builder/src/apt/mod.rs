//! The host's `apt`, used without touching the host's own package state.
//!
//! Debian packages reach us in two ways, as seeds and as upstream tarballs, and both go through
//! [`PrivateApt`]: apt's own client with its own lists and cache, reading the archives the host is configured for.
//! No archive's address is ever written in this code: whatever the host's administrator trusts is what is used.

mod entries;
mod private;

pub use entries::{ArchiveEntry, parse_deb822, parse_one_line};
pub use private::{AptError, Indexes, PrivateApt};
