//! Repository metadata: `repomd.xml`, primary, filelists and other, read and written.

mod read;

pub use read::{IndexedPackage, RepositoryIndex};
