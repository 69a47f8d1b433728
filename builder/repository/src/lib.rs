//! RPM files and repositories: headers, repodata, and immutable generations that are switched atomically.
//!
//! - [`read_rpm`]: what a file says of itself, with its [`identity`].
//! - [`Generations`]: the published repository; a reader sees whole states only.
//! - [`RepositoryIndex`]: what any repository's repodata offers.
//! - [`write_repodata`]: repodata for a plain directory of RPMs.
//! - [`unpack()`]: payloads into a directory, for bootstrap roots.

mod error;
mod files;
mod generation;
mod header;
pub mod identity;
mod publish;
mod raw_header;
mod repodata;
mod unpack;

pub use error::RepositoryError;
pub use generation::Generation;
pub use header::{RpmFile, read_rpm, source_name};
pub use publish::{Change, Generations, SeedFile};
pub use repodata::{IndexedPackage, Repomd, RepomdRecord, RepositoryIndex, write_repodata};
pub use unpack::{Unpacked, unpack, unpack_all};
