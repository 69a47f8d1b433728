//! Repository metadata: `repomd.xml`, primary, filelists and other, read and written.

pub(crate) mod chunks;
mod directory;
mod read;
mod repomd;
pub(crate) mod write;
mod xml;

pub use directory::write_repodata;
pub use read::{IndexedPackage, RepositoryIndex};
pub use repomd::{Repomd, RepomdRecord};
