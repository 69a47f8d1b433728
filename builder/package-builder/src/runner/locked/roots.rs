//! The build roots of a lock.
//!
//! What a cycle's packages are to each other is told by the run, not by the lock: whatever of the cycle is published
//! counts, and while something is not, the package that begins the cycle has the root that the lock has for that.

use planner::{LockedBegin, LockedMember, LockedRoot, PackageId, WayOut, lock_roots};

use super::super::lock::{LockedPackage, LockedRpm, Origin};
use super::super::planning::Planning;
use super::{Locked, places, short, unlike_seed};

impl Planning {
    /// Replaces build roots by those of the lock, if there is one.
    pub(in crate::runner) fn use_lock(&mut self) {
        let Some(locked) = &self.locked else { return };
        let base = &locked.lock.base;
        let seeds = places(&self.seeds);
        let published = self.published_places();
        let member = |package: &LockedPackage, rpm: &LockedRpm| match &rpm.origin {
            Origin::Seed(_) => LockedMember { id: seeds.get(&*rpm.sha256).copied().map(PackageId::Seed), source: None },
            Origin::Tree(source) => {
                // What means something else is to be built again.
                let counts = |identity: &str| identity == rpm.meaning() || package.is_in_cycle_with(source);
                let found = published.get(&rpm.nevra).filter(|(_, file)| counts(&file.identity));
                LockedMember { id: found.map(|(place, _)| PackageId::Published(*place)), source: Some(source.clone()) }
            }
        };
        let root = |package: &LockedPackage| LockedRoot {
            members: base.with(&package.replaced, &package.root).map(|rpm| member(package, rpm)).collect(),
            begin: package.begin().map(|begin| LockedBegin {
                members: base.with(&begin.replaced, &begin.root).map(|rpm| member(package, rpm)).collect(),
                deferred: begin.deferred.clone(),
            }),
        };
        let roots = locked.lock.packages.iter().map(|(name, package)| (name.clone(), root(package))).collect();
        lock_roots(&self.universe, &mut self.graph, &roots);
    }

    /// The members of a build root as the lock has them, once all of them are there.
    ///
    /// # Errors
    /// One is not there, or means something else.
    pub(in crate::runner) fn locked_root(&self, locked: &Locked, package: &str) -> Result<Vec<PackageId>, String> {
        let lock = &locked.lock;
        let entry =
            lock.packages.get(package).ok_or_else(|| locked.reason(&format!("it does not know `{package}`")))?;
        let (seeds, published) = (places(&self.seeds), self.published_places());
        let id = |rpm: &LockedRpm| match &rpm.origin {
            Origin::Seed(_) => {
                let place = seeds.get(&*rpm.sha256).copied().map(PackageId::Seed);
                place.ok_or_else(|| locked.reason(&unlike_seed(rpm, &self.seeds)))
            }
            Origin::Tree(source) => match published.get(&rpm.nevra) {
                Some((place, file)) if file.identity == rpm.meaning() || entry.is_in_cycle_with(source) => {
                    Ok(PackageId::Published(*place))
                }
                other => {
                    let now = other.map_or("nothing", |(_, file)| short(&file.identity));
                    let (nevra, has) = (&rpm.nevra, short(rpm.meaning()));
                    Err(locked.reason(&format!("{nevra} of the build root: the lock has {has}, there is {now}")))
                }
            },
        };
        match entry.begin().filter(|_| self.begins(package)) {
            Some(begin) => lock.base.with(&begin.replaced, &begin.root).map(id).collect(),
            None => lock.base.with(&entry.replaced, &entry.root).map(id).collect(),
        }
    }

    /// Whether something that a package needs of its own cycle is not there yet, so that it begins the cycle.
    fn begins(&self, package: &str) -> bool {
        let deferred = self.graph.nodes.get(package).into_iter().flat_map(|node| &node.deferred);
        deferred.into_iter().any(|deferred| !matches!(deferred.way_out, WayOut::Published { .. }))
    }
}
