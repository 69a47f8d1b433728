//! Seeds made of Debian packages: fetched by the host's apt with private state, converted one by one.

use super::{DebianSeed, PrepareOptions, Seed, SeedError, SeedProgress};

/// Prepares a seed of kind `debian`.
pub(super) fn prepare(
    name: &str,
    _settings: &DebianSeed,
    _options: PrepareOptions<'_>,
    _progress: &(dyn Fn(SeedProgress) + Sync),
) -> Result<Seed, SeedError> {
    Err(SeedError::Unusable { seed: name.to_owned(), reason: "conversion is not there yet".to_owned() })
}
