//! Seeds made of Debian packages: fetched by the host's apt with private state, converted one by one.
//!
//! ```text
//! CACHE/apt/SUITE/            apt's own state and downloads
//! CACHE/seeds/KEY.lock.json   what the settings resolved to; KEY of settings, architecture, converter
//! CACHE/seeds/KEY/            the repository; KEY of the above and all packages' hashes
//! ```

mod control;
mod deb;
mod elf;
mod fetch;
mod package;
mod paths;
mod selection;
mod system;
mod trouble;
mod version;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use rpmspec_parser::rpm::Capability;

use self::control::Paragraph;
use self::deb::Placement;
use self::fetch::{Fetcher, ResolvedPackage};
use self::package::Content;
use self::selection::Group;
use super::store::{self, Store};
use super::{DebianSeed, PrepareOptions, Seed, SeedError, SeedProgress};

/// Part of every key: raised whenever the same packages would become other RPMs.
const CONVERTER_VERSION: &str = "1";

/// What an architecture is called.
struct Architecture {
    rpm: &'static str,
    /// The name of Debian's library directory.
    triplet: &'static str,
}

const ARCHITECTURE: Option<Architecture> = if cfg!(target_arch = "x86_64") {
    Some(Architecture { rpm: "x86_64", triplet: "x86_64-linux-gnu" })
} else if cfg!(target_arch = "aarch64") {
    Some(Architecture { rpm: "aarch64", triplet: "aarch64-linux-gnu" })
} else {
    None
};

/// Prepares a seed of kind `debian`.
pub(super) fn prepare(
    name: &str,
    settings: &DebianSeed,
    options: PrepareOptions<'_>,
    progress: &(dyn Fn(SeedProgress) + Sync),
) -> Result<Seed, SeedError> {
    let architecture = ARCHITECTURE.ok_or_else(|| SeedError::Unusable {
        seed: name.to_owned(),
        reason: "Debian packages are converted for x86_64 and aarch64 only; use a seed of kind `repository`".to_owned(),
    })?;
    let settings_text = store::json(name, settings)?;
    let settings_key = store::key(&["debian", CONVERTER_VERSION, architecture.rpm, name, &settings_text]);
    let store = Store::open(name, options.cache, &settings_key)?;
    let recorded: Option<Vec<ResolvedPackage>> = if options.refresh { None } else { store.resolution()? };
    if let Some(packages) = &recorded
        && let Some(seed) = store.find(&key_of(&settings_key, packages)).filter(store::is_complete)
    {
        progress(SeedProgress::Ready { packages: seed.packages.len(), cached: true });
        return Ok(seed);
    }
    let resolution_path = store.resolution_path();
    let fetcher = Fetcher::new(name, settings, options.cache, &resolution_path)?;
    let packages = match recorded {
        Some(packages) => packages,
        None if options.offline => {
            let missing = "its packages were never resolved".to_owned();
            return Err(SeedError::Offline { seed: name.to_owned(), missing });
        }
        None => {
            progress(SeedProgress::Resolving);
            let packages = fetcher.resolve(options.refresh)?;
            // Before the long part, so that a run that goes on after this one was killed makes the same.
            store.record(&packages)?;
            packages
        }
    };
    let announce = |packages, bytes| progress(SeedProgress::Downloading { packages, bytes });
    let debs = fetcher.download(&packages, options.offline, &announce)?;
    let key = key_of(&settings_key, &packages);
    let seed = match store.find(&key).filter(store::is_complete) {
        Some(seed) => seed,
        None => store.publish(&key, store::is_complete, |directory| {
            let converter =
                Converter { seed: name, settings, architecture, packages: &packages, debs: &debs, progress };
            converter.convert(directory)?;
            let written = ::repository::write_repodata(directory);
            written.map_err(|error| SeedError::Unusable { seed: name.to_owned(), reason: error.to_string() })?;
            store::read_packages(name, directory)
        })?,
    };
    progress(SeedProgress::Ready { packages: seed.packages.len(), cached: false });
    Ok(seed)
}

fn key_of(settings_key: &str, packages: &[ResolvedPackage]) -> String {
    let mut parts = vec![settings_key];
    parts.extend(packages.iter().flat_map(|package| [package.file.as_str(), package.sha256.as_str()]));
    store::key(&parts)
}

/// One conversion.
struct Converter<'a> {
    seed: &'a str,
    settings: &'a DebianSeed,
    architecture: Architecture,
    packages: &'a [ResolvedPackage],
    debs: &'a [PathBuf],
    progress: &'a (dyn Fn(SeedProgress) + Sync),
}

impl Converter<'_> {
    /// Writes all RPMs into a directory.
    fn convert(&self, directory: &Path) -> Result<(), SeedError> {
        let files: BTreeMap<&str, &Path> = self
            .packages
            .iter()
            .map(|package| package.name.as_str())
            .zip(self.debs.iter().map(PathBuf::as_path))
            .collect();
        let controls = files.par_iter().map(|(name, deb)| {
            let control = deb::read_control(deb).map_err(|error| SeedError::package(self.seed, *name, &error))?;
            Ok(((*name).to_owned(), control))
        });
        let controls: BTreeMap<String, Paragraph> = controls.collect::<Result<_, SeedError>>()?;
        let groups = selection::select(&controls, self.settings)
            .map_err(|reason| SeedError::Unusable { seed: self.seed.to_owned(), reason })?;
        let contents = groups.into_par_iter().map(|group| self.content(group, &controls, &files));
        let mut contents: Vec<Content> = contents.collect::<Result<_, SeedError>>()?;
        let time = contents.iter().map(|content| content.time).max().unwrap_or(0);
        contents.push(system::filesystem(self.architecture.triplet, self.architecture.rpm, time));
        contents.push(system::macros(self.seed, self.settings, time));
        let offered: BTreeSet<String> = contents
            .iter()
            .flat_map(|content| &content.provides)
            .filter(|provided| provided.name.contains(".so"))
            .map(|provided| provided.name.clone())
            .collect();
        let (total, done) = (contents.len(), AtomicUsize::new(0));
        contents.into_par_iter().try_for_each(|mut content| {
            content.require_sonames(&offered);
            let package = content.name.clone();
            content.write(directory).map_err(|error| SeedError::package(self.seed, &package, &error))?;
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            (self.progress)(SeedProgress::Converted { package, done, total });
            Ok(())
        })
    }

    fn content(
        &self,
        group: Group,
        controls: &BTreeMap<String, Paragraph>,
        files: &BTreeMap<&str, &Path>,
    ) -> Result<Content, SeedError> {
        let first = group.members.first().and_then(|member| controls.get(member));
        let field = |name: &str| first.and_then(|control| control.get(name)).map_or("", String::as_str);
        let (summary, description) = field("Description").split_once('\n').unwrap_or((field("Description"), ""));
        let noarch = group.members.iter().all(|member| {
            controls.get(member).and_then(|control| control.get("Architecture")).is_some_and(|arch| arch == "all")
        });
        let mut content = Content {
            name: group.name,
            version: group.version,
            arch: if noarch { "noarch" } else { self.architecture.rpm }.to_owned(),
            summary: summary.to_owned(),
            description: description.to_owned(),
            source: group.members.join(", "),
            provides: group.provides,
            requires: group.requires,
            ..Content::default()
        };
        content.requires.insert(Capability::any(system::FILESYSTEM));
        let placement = Placement { triplet: self.architecture.triplet, documentation: self.settings.documentation };
        let system = system::filesystem(self.architecture.triplet, self.architecture.rpm, 0);
        for member in &group.members {
            let Some(deb) = files.get(member.as_str()) else { continue };
            let (mut entries, time) =
                deb::read_files(deb, placement).map_err(|error| SeedError::package(self.seed, member, &error))?;
            // What `filesystem` owns is not owned twice, so that modes and kinds cannot disagree.
            entries.retain(|entry| !system.entries.contains_key(&entry.path));
            content.time = content.time.max(time);
            content.add_entries(entries);
            for (path, target) in self.settings.links.get(member).into_iter().flatten() {
                content.add_alias(path);
                content.entries.insert(path.clone(), deb::EntryKind::Link { target: target.clone() });
            }
        }
        if content.entries.contains_key("/usr/lib/rpm/macros") {
            content.requires.insert(Capability::any(system::MACROS));
        }
        content.generate_dependencies();
        Ok(content)
    }
}
