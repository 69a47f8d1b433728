//! The RPM files of seeds: in the cache and verified before they are used, and brought there when they are
//! not. A seed of a big repository costs its repodata and the packages that build roots are made of, no more.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::repository::Origin;
use super::{Seed, SeedError, SeedProgress, SeedRpm, sha256_of_file, store};

/// Downloads at the same time.
const WORKERS: usize = 4;

/// What is known of a seed's files besides their checksums.
#[derive(Debug)]
pub(super) struct Supply {
    /// Sizes in bytes.
    sizes: BTreeMap<PathBuf, u64>,
    /// Where files that are not in the cache come from; `None` where preparing the seed makes them all.
    source: Option<Source>,
}

/// Where files come from.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) origin: Origin,
    pub(super) offline: bool,
    /// What to do when the files are not what the repodata says.
    pub(super) hint: String,
}

impl Supply {
    pub(super) fn new(sizes: BTreeMap<PathBuf, u64>) -> Self {
        Self { sizes, source: None }
    }

    pub(super) fn from(self, source: Source) -> Self {
        Self { source: Some(source), ..self }
    }

    pub(super) fn sizes(&self) -> &BTreeMap<PathBuf, u64> {
        &self.sizes
    }
}

/// Makes sure that these packages' files are in the cache and are what their checksums say; call it before
/// files are used. Packages that belong to none of the seeds are not looked at.
///
/// # Errors
/// As [`Seed::ensure`].
pub fn ensure(seeds: &[Seed], rpms: &[&SeedRpm], progress: &(dyn Fn(SeedProgress) + Sync)) -> Result<(), SeedError> {
    seeds.iter().try_for_each(|seed| seed.ensure(rpms, progress))
}

impl Seed {
    /// Makes sure that the files of those packages that are this seed's are in the cache and are what their
    /// checksums say. What is missing or damaged is copied or downloaded anew. Safe to call from many threads
    /// and processes at once.
    ///
    /// # Errors
    /// A file cannot be had, is not what the repodata says, or would need the network when that is off.
    pub fn ensure(&self, rpms: &[&SeedRpm], progress: &(dyn Fn(SeedProgress) + Sync)) -> Result<(), SeedError> {
        let ours = rpms.iter().copied().filter(|rpm| rpm.path.starts_with(&self.directory));
        let lacking = lacking(ours)?;
        if lacking.is_empty() {
            return Ok(());
        }
        let Some(source) = &self.supply.source else { return Err(self.damaged(&lacking)) };
        let _lock = store::lock(&self.directory.with_extension("files.lock"))?;
        // Another run may have brought them meanwhile.
        let lacking = self::lacking(lacking.into_iter())?;
        if source.offline && !source.origin.is_local() {
            let names: Vec<String> = lacking.iter().take(3).map(|rpm| rpm.metadata.nevra.to_string()).collect();
            let more = if lacking.len() > names.len() { " …" } else { "" };
            let missing = format!("{} packages are missing: {}{more}", lacking.len(), names.join(", "));
            return Err(SeedError::Offline { seed: self.name.clone(), missing });
        }
        self.bring_all(source, &lacking, progress)
    }

    /// Brings files, several at a time: that waits for network and disk, so it has threads of its own.
    fn bring_all(
        &self,
        source: &Source,
        lacking: &[&SeedRpm],
        progress: &(dyn Fn(SeedProgress) + Sync),
    ) -> Result<(), SeedError> {
        let left = Mutex::new((lacking.len(), lacking.iter().map(|rpm| self.size_of(rpm)).sum::<u64>()));
        let announce = |done: Option<&SeedRpm>| {
            let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(rpm) = done {
                *left = (left.0 - 1, left.1 - self.size_of(rpm));
            }
            progress(SeedProgress::Downloading { packages: left.0, bytes: left.1 });
        };
        announce(None);
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let work = || {
            while !stop.load(Ordering::Relaxed) {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(rpm) = lacking.get(place) else { break };
                if let Err(error) = self.bring(source, rpm) {
                    stop.store(true, Ordering::Relaxed);
                    return Some((place, error));
                }
                announce(Some(rpm));
            }
            None
        };
        let errors = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..WORKERS.min(lacking.len())).map(|_| scope.spawn(work)).collect();
            let joined = workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            joined.flatten().collect::<Vec<_>>()
        });
        // Of several errors always the same one is told.
        errors.into_iter().min_by_key(|(place, _)| *place).map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Brings one file; it gets its name when it is whole and verified.
    fn bring(&self, source: &Source, rpm: &SeedRpm) -> Result<(), SeedError> {
        let location = rpm.path.strip_prefix(&self.directory).unwrap_or(&rpm.path).to_string_lossy().into_owned();
        let part = self.directory.join(".incoming").join(&rpm.sha256);
        for path in [&part, &rpm.path] {
            let parent = path.parent().unwrap_or(path);
            fs::create_dir_all(parent).map_err(SeedError::io(parent))?;
        }
        let name = source.origin.name_of(&location);
        loop {
            let resumed =
                source.origin.copy(&location, &part, self.size_of(rpm)).map_err(|reason| SeedError::Fetch {
                    seed: self.name.clone(),
                    action: format!("fetching {name}"),
                    output: reason,
                    hint: source.hint.clone(),
                })?;
            let got = sha256_of_file(&part).map_err(SeedError::io(&part))?;
            if got == rpm.sha256 {
                return adopt(&part, &rpm.path).map_err(SeedError::io(&rpm.path));
            }
            fs::remove_file(&part).map_err(SeedError::io(&part))?;
            if !resumed {
                let reason = format!("its sha256 is {got}, the repodata says {}; {}", rpm.sha256, source.hint);
                return Err(SeedError::package(&self.name, name, &reason));
            }
        }
    }

    fn size_of(&self, rpm: &SeedRpm) -> u64 {
        self.supply.sizes.get(&rpm.path).copied().unwrap_or(0)
    }

    /// Takes damaged files of a seed away that is made as a whole, so that the next run makes it again.
    fn damaged(&self, lacking: &[&SeedRpm]) -> SeedError {
        for rpm in lacking {
            // If it cannot be removed, the next run finds the same and says the same.
            let _ = fs::remove_file(&rpm.path);
        }
        let first = lacking.first().map_or_else(|| self.directory.clone(), |rpm| rpm.path.clone());
        let others = if lacking.len() > 1 { format!(" and {} more", lacking.len() - 1) } else { String::new() };
        let reason =
            format!("it{others} was missing or damaged in the cache; run the same command again to make it anew");
        SeedError::package(&self.name, first.display().to_string(), &reason)
    }
}

/// The packages whose files are not there or not what they should be.
fn lacking<'a>(rpms: impl Iterator<Item = &'a SeedRpm>) -> Result<Vec<&'a SeedRpm>, SeedError> {
    let mut rpms: Vec<&SeedRpm> = rpms.collect();
    rpms.sort_by(|a, b| a.path.cmp(&b.path));
    rpms.dedup_by(|a, b| a.path == b.path);
    let checked = rpms.into_par_iter().map(|rpm| match sha256_of_file(&rpm.path) {
        Ok(sha256) => Ok((sha256 != rpm.sha256).then_some(rpm)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Some(rpm)),
        Err(error) => Err(SeedError::io(&rpm.path)(error)),
    });
    Ok(checked.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// Content first, then the name: a power cut must not leave half a file under a good name.
fn adopt(part: &Path, path: &Path) -> std::io::Result<()> {
    File::open(part)?.sync_all()?;
    fs::set_permissions(part, Permissions::from_mode(0o444))?;
    fs::rename(part, path)
}
