//! Seeds that are RPM repositories already: a directory or a URL.

use super::{PrepareOptions, RepositorySeed, Seed, SeedError, SeedProgress};

/// Prepares a seed of kind `repository`.
pub(super) fn prepare(
    name: &str,
    settings: &RepositorySeed,
    _options: PrepareOptions<'_>,
    _progress: &(dyn Fn(SeedProgress) + Sync),
) -> Result<Seed, SeedError> {
    Err(SeedError::Unusable {
        seed: name.to_owned(),
        reason: format!("seeds of kind `repository` ({}) are not supported yet; use kind `debian`", settings.url),
    })
}
