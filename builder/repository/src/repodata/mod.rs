//! Repository metadata: `repomd.xml`, primary, filelists and other, read and written.

mod read;
mod repomd;
pub(crate) mod write;
mod xml;

pub use read::{IndexedPackage, RepositoryIndex};
pub use repomd::{Repomd, RepomdRecord};
