//! The sources of packages: what a tree says about them, and getting them, verified, from wherever they are.
//!
//! ```text
//! SPECS/<name>/sources        sha512, size and origins per file            manifest
//! <cache>/lookaside/
//!   sha512/ab/<sha512>        verified files, named by content             lookaside
//!   incoming/                 what is being downloaded; resumed later      fetch, http
//!   rejected/                 files whose checksum was wrong, to look at
//!   apt/<suite>/              the state of our apt client                  debian
//! ```
//! **Invariant:** nothing is handed out that was not hashed in this run, except by [`lock`], which is how a checksum
//! comes to be. Order of origins: beside the spec, the tree's `SOURCES/`, the cache, mirrors, the spec's URL, and the
//! manifest's own origins as they are listed.

mod checksum;
mod crates;
mod debian;
mod error;
mod fetch;
pub(crate) mod http;
mod lock;
mod lookaside;
mod manifest;
mod origin;
#[cfg(test)]
pub(crate) mod test_server;

pub use checksum::{FileChecksum, checksum_of_file};
pub use error::{Attempt, SourceError};
pub use fetch::{FetchOutcome, FetchSettings, FetchedSource, SourceRequest, fetch};
pub use lock::{LockOutcome, lock};
pub use manifest::{Manifest, ManifestEntry, ManifestError};
pub use origin::{Origin, OriginError};
