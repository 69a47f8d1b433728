//! Publishing: the next generation is written beside the others, synced, and switched to by one rename.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rayon::prelude::*;

use crate::error::{At, RepositoryError};
use crate::files::{Directory, link_or_copy, names_in, sync, sync_all};
use crate::generation::{Entries, Entry, Generation, Loaded, read_entry};
use crate::header::{Checksum, RpmFile};
use crate::repodata::chunks::Chunk;
use crate::repodata::{Repomd, write};

/// What is to differ in the next generation.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// RPM and SRPM files to add. They are linked (copied across file systems), never moved, and must
    /// not be written to afterwards.
    pub add: Vec<PathBuf>,
    /// Names of source packages whose RPMs and SRPM are taken out before: a rebuilt package names
    /// itself here, so that subpackages it no longer makes do not stay.
    pub remove: BTreeSet<String>,
    /// The RPMs of seeds that packages of the tree need once installed, in place of those that are
    /// published; `None` leaves these as they are. What the tree has built takes the place of what a seed
    /// lends under the same NEVRA, here or before.
    pub seeds: Option<Vec<SeedFile>>,
}

/// An RPM of a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedFile {
    /// Where it lies; it is linked as the files to add are.
    pub path: PathBuf,
    /// The SHA-256 of the whole file, in lower-case hexadecimal.
    pub sha256: String,
}

/// The generations below an output directory. One process writes at a time; any number may read `repo`.
pub struct Generations {
    output: PathBuf,
    generations: PathBuf,
    current: Mutex<Option<Arc<Loaded>>>,
}

impl Generations {
    /// Opens `OUTPUT/generations`, making it where there is none, and clears away what a killed publish
    /// left, unless another process is writing just now.
    ///
    /// # Errors
    /// The directory cannot be made or read, or the current generation is damaged.
    pub fn open(output: impl AsRef<Path>) -> Result<Self, RepositoryError> {
        let output = output.as_ref().to_owned();
        let generations = output.join("generations");
        fs::create_dir_all(&generations).at("make", &generations)?;
        let this = Self { output, generations, current: Mutex::new(None) };
        if let Some(_lock) = this.try_lock()? {
            this.clear_leftovers()?;
        }
        this.reload()?;
        Ok(this)
    }

    /// The generation `repo` points at, as of the last open or publish; none before the first publish.
    #[must_use]
    pub fn current(&self) -> Option<Generation> {
        self.state().as_ref().map(|loaded| loaded.generation.clone())
    }

    /// Writes the next generation and makes it the current one; gives the current one where nothing
    /// would differ. Readers see the old or the new state, whole; nothing changes when it fails.
    ///
    /// Of the same NEVRA with other content, the new replaces the old if both are of the same source
    /// package.
    ///
    /// # Errors
    /// A file to add is no RPM, two RPMs conflict, or the file system refuses.
    pub fn publish(&self, change: &Change) -> Result<Generation, RepositoryError> {
        let lock = self.lock_file()?;
        lock.lock().at("lock", &self.generations.join(".lock"))?;
        let previous = self.reload()?;
        self.clear_leftovers()?;

        let number = 1 + self.numbers()?.last().copied().unwrap_or(0);
        let next = Directory(self.generations.join(format!(".next-{number}")));
        fs::create_dir(&next.0).at("make", &next.0)?;
        let old = previous.as_deref().map(|loaded| &loaded.entries);
        let added = collect(&next.0, change, old)?;
        let entries = merge(old, change, &added)?;
        if let Some(previous) = &previous
            && previous.entries.len() == entries.len()
            && previous
                .entries
                .iter()
                .zip(&entries)
                .all(|(old, new)| (old.0, &old.1.file.sha256) == (new.0, &new.1.file.sha256))
        {
            return Ok(previous.generation.clone());
        }
        place(&next.0, previous.as_deref(), &entries, &added)?;
        let (repomd, chunks) = write_repodata(&next.0, number, previous.as_deref(), &entries)?;
        let new = added.iter().map(|addition| next.0.join(addition.entry.file.location()));
        let new = new.filter(|path| path.exists()).chain(write::files(&next.0, &repomd));
        sync_all(&next.0, new.collect())?;

        let directory = self.generations.join(number.to_string());
        let marker = self.generations.join(format!(".publishing-{number}"));
        File::create_new(&marker).at("make", &marker)?;
        fs::rename(&next.0, &directory).at("rename", &next.0)?;
        sync(&self.generations)?;
        self.switch(number)?;
        // It is published: a marker that stays is cleared away by the next publish, and means nothing until then.
        let _ = fs::remove_file(&marker);

        let generation = Generation::new(number, directory, &entries);
        *self.state() = Some(Arc::new(Loaded { generation: generation.clone(), entries, repomd, chunks }));
        Ok(generation)
    }

    /// Removes all generations but the current one and the newest `keep` before it; gives their numbers.
    ///
    /// # Errors
    /// A directory cannot be removed.
    pub fn gc(&self, keep: usize) -> Result<Vec<u64>, RepositoryError> {
        let lock = self.lock_file()?;
        lock.lock().at("lock", &self.generations.join(".lock"))?;
        let Some(current) = self.reload()? else { return Ok(Vec::new()) };
        let current = current.generation.number();
        let mut older: Vec<_> = self.numbers()?.into_iter().filter(|number| *number < current).collect();
        older.truncate(older.len().saturating_sub(keep));
        for number in &older {
            self.remove(*number)?;
        }
        Ok(older)
    }

    fn state(&self) -> MutexGuard<'_, Option<Arc<Loaded>>> {
        // The value is replaced whole or not at all, so a panic elsewhere cannot have broken it.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_file(&self) -> Result<File, RepositoryError> {
        let path = self.generations.join(".lock");
        File::options().create(true).truncate(false).write(true).open(&path).at("open", &path)
    }

    fn try_lock(&self) -> Result<Option<File>, RepositoryError> {
        let lock = self.lock_file()?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).at("lock", &self.generations.join(".lock")),
        }
    }

    /// The number of the generation that `repo` points at.
    fn pointed_at(&self) -> Result<Option<u64>, RepositoryError> {
        let link = self.output.join("repo");
        match fs::read_link(&link) {
            Ok(target) => {
                let number = target.strip_prefix("generations").ok().and_then(Path::to_str).map(str::parse);
                match number {
                    Some(Ok(number)) => Ok(Some(number)),
                    _ => Err(RepositoryError::Unsupported {
                        path: link,
                        reason: format!(
                            "it points at `{}`, not at a generation; remove it or choose another output directory",
                            target.display()
                        ),
                    }),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Err(RepositoryError::Unsupported {
                path: link,
                reason: "it is no symbolic link; move it away or choose another output directory".to_owned(),
            }),
            Err(error) => Err(error).at("read", &link),
        }
    }

    /// Takes up what `repo` points at, if that is not what is in memory.
    fn reload(&self) -> Result<Option<Arc<Loaded>>, RepositoryError> {
        let mut pointed_at = self.pointed_at()?;
        let mut state = self.state();
        while state.as_ref().map(|loaded| loaded.generation.number()) != pointed_at {
            let Some(number) = pointed_at else {
                *state = None;
                break;
            };
            let read = Loaded::read(number, self.generations.join(number.to_string()));
            // Without the lock, another process may publish and collect what is being read here.
            pointed_at = self.pointed_at()?;
            match read {
                Ok(loaded) => *state = Some(Arc::new(loaded)),
                Err(error) if pointed_at == Some(number) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(state.clone())
    }

    /// The numbers of all generations on disk, in order.
    fn numbers(&self) -> Result<Vec<u64>, RepositoryError> {
        let names = names_in(&self.generations)?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| name.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Removes what a killed publish or collection left. The lock is held.
    fn clear_leftovers(&self) -> Result<(), RepositoryError> {
        let pointed_at = self.pointed_at()?;
        for name in names_in(&self.generations)? {
            let path = self.generations.join(&name);
            if name.starts_with(".next-") || name.starts_with(".old-") {
                fs::remove_dir_all(&path).at("remove", &path)?;
            } else if let Some(number) = name.strip_prefix(".publishing-") {
                if let Ok(number) = number.parse()
                    && pointed_at != Some(number)
                    && self.generations.join(number.to_string()).exists()
                {
                    self.remove(number)?;
                }
                fs::remove_file(&path).at("remove", &path)?;
            }
        }
        let link = self.output.join(".repo-next");
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).at("remove", &link),
            _ => Ok(()),
        }
    }

    /// Removes a generation, which disappears at once and is deleted then.
    fn remove(&self, number: u64) -> Result<(), RepositoryError> {
        let path = self.generations.join(number.to_string());
        let old = self.generations.join(format!(".old-{number}"));
        fs::rename(&path, &old).at("rename", &path)?;
        fs::remove_dir_all(&old).at("remove", &old)
    }

    /// Lets `repo` point at a generation, in one step that is on the disk when this returns.
    fn switch(&self, number: u64) -> Result<(), RepositoryError> {
        let next = self.output.join(".repo-next");
        std::os::unix::fs::symlink(format!("generations/{number}"), &next).at("make", &next)?;
        let link = self.output.join("repo");
        fs::rename(&next, &link).at("switch", &link)?;
        sync(&self.output)
    }
}

/// Writes the repodata of the next generation, and keeps the previous files beside it: a client
/// that has read the old `repomd.xml` just before the switch still finds what that names.
fn write_repodata(
    next: &Path,
    number: u64,
    previous: Option<&Loaded>,
    entries: &Entries,
) -> Result<(Repomd, Vec<Arc<Chunk>>), RepositoryError> {
    let fragments: Vec<_> = entries.values().map(|entry| entry.fragments.clone()).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let known = previous.map_or(&[][..], |previous| &previous.chunks);
    let (repomd, chunks) = write::write(next, &fragments, known, number, now)?;
    let Some(previous) = previous else { return Ok((repomd, chunks)) };
    for record in previous.repomd.records.values() {
        let to = next.join(&record.location);
        if !to.exists() {
            link_or_copy(&previous.generation.directory().join(&record.location), &to)?;
        }
    }
    Ok((repomd, chunks))
}

/// An RPM to add: where it came from, and where it was linked to.
struct Added {
    given: PathBuf,
    linked: PathBuf,
    entry: Arc<Entry>,
}

/// Links the files to add below the new directory and reads them there, so that what is read is what
/// is published. RPMs of seeds that are published already are not read again.
fn collect(next: &Path, change: &Change, old: Option<&Entries>) -> Result<Vec<Added>, RepositoryError> {
    let incoming = next.join("incoming");
    fs::create_dir(&incoming).at("make", &incoming)?;
    let published = published_seeds(old);
    let seeds = change.seeds.iter().flatten().filter(|seed| !published.contains(seed.sha256.as_str()));
    let files = change.add.iter().map(|path| (path, None));
    let files: Vec<_> = files.chain(seeds.map(|seed| (&seed.path, Some(&seed.sha256)))).collect();
    let added = files.into_par_iter().enumerate().map(|(index, (given, seed))| {
        let linked = incoming.join(index.to_string());
        // Opening anything else might never return.
        if !fs::metadata(given).at("examine", given)?.is_file() {
            return Err(RepositoryError::bad_rpm(given, "it is no regular file"));
        }
        link_or_copy(given, &linked)?;
        // Errors should name the file as it was given.
        let entry = read_entry(&linked, Checksum::Compute, seed.is_some()).map_err(|error| match error {
            RepositoryError::BadRpm { reason, .. } => RepositoryError::bad_rpm(given, &reason),
            other => other,
        })?;
        if let Some(expected) = seed.filter(|expected| **expected != entry.file.sha256) {
            let reason = format!("its sha256 is {}, not {expected} as when the seed was made", entry.file.sha256);
            return Err(RepositoryError::Damaged { path: given.clone(), reason });
        }
        Ok(Added { given: given.clone(), linked, entry: Arc::new(entry) })
    });
    added.collect()
}

/// The checksums of the RPMs of seeds in a generation.
fn published_seeds(entries: Option<&Entries>) -> BTreeSet<&str> {
    let files = entries.into_iter().flat_map(BTreeMap::values).map(|entry| &entry.file);
    files.filter(|file| file.is_seed).map(|file| file.sha256.as_str()).collect()
}

/// The packages of the next generation.
fn merge(previous: Option<&Entries>, change: &Change, added: &[Added]) -> Result<Entries, RepositoryError> {
    let seeds: Option<BTreeSet<_>> =
        change.seeds.as_ref().map(|seeds| seeds.iter().map(|seed| seed.sha256.as_str()).collect());
    let stays = |file: &RpmFile| match &seeds {
        _ if !file.is_seed => !change.remove.contains(file.source_package()),
        Some(seeds) => seeds.contains(file.sha256.as_str()),
        None => true,
    };
    let kept = previous.into_iter().flatten().filter(|(_, entry)| stays(&entry.file));
    let mut entries: Entries = kept.map(|(location, entry)| (location.clone(), entry.clone())).collect();
    let mut given: BTreeMap<String, &Added> = BTreeMap::new();
    for addition in added {
        let file = &addition.entry.file;
        let location = file.location();
        let conflict = |first: &Path, other: &Entry| RepositoryError::Conflict {
            package: file.metadata.nevra.to_string(),
            first: first.to_owned(),
            first_source: other.file.source_package().to_owned(),
            second: addition.given.clone(),
            second_source: file.source_package().to_owned(),
        };
        if let Some(twin) = given.get(&location) {
            if twin.entry.file.sha256 != file.sha256 {
                return Err(conflict(&twin.given, &twin.entry));
            }
            continue;
        }
        if let Some(old) = entries.get(&location) {
            if old.file.sha256 == file.sha256 {
                continue;
            }
            if old.file.source_package() != file.source_package() {
                return Err(conflict(Path::new(&location), old));
            }
        }
        entries.insert(location.clone(), addition.entry.clone());
        given.insert(location, addition);
    }
    let built: BTreeSet<_> = entries.values().filter(|entry| entry.file.is_built()).map(nevra).collect();
    entries.retain(|_, entry| !entry.file.is_seed || !built.contains(&nevra(entry)));
    Ok(entries)
}

fn nevra(entry: &Arc<Entry>) -> String {
    entry.file.metadata.nevra.to_string()
}

/// Puts every RPM of the next generation into its place.
fn place(next: &Path, previous: Option<&Loaded>, entries: &Entries, added: &[Added]) -> Result<(), RepositoryError> {
    let mut sources: BTreeMap<&str, &Path> = BTreeMap::new();
    for addition in added {
        sources.entry(&addition.entry.file.sha256).or_insert(&addition.linked);
    }
    let mut directories: BTreeSet<PathBuf> = ["RPMS", "SRPMS"].iter().map(|name| next.join(name)).collect();
    directories.extend(entries.keys().filter_map(|location| next.join(location).parent().map(Path::to_owned)));
    for directory in directories {
        fs::create_dir_all(&directory).at("make", &directory)?;
    }
    entries.par_iter().try_for_each(|(location, entry)| {
        let to = next.join(location);
        let kept = previous
            .filter(|previous| previous.entries.get(location).is_some_and(|old| old.file.sha256 == entry.file.sha256));
        match (kept, sources.get(entry.file.sha256.as_str())) {
            (Some(previous), _) => link_or_copy(&previous.generation.directory().join(location), &to),
            (None, Some(linked)) => link_or_copy(linked, &to),
            // `entries` is made of these two only.
            (None, None) => Err(io::Error::from(io::ErrorKind::NotFound)).at("link", &to),
        }
    })?;
    let incoming = next.join("incoming");
    fs::remove_dir_all(&incoming).at("remove", &incoming)
}
