//! Whether a plan can be built from the lock alone: every difference between what the lock says and what there is.

use std::collections::{BTreeMap, BTreeSet};

use planner::{InputDigest, KeyInputs, Plan};

use super::super::conventions::KEY_VERSION;
use super::super::lock::{Lock, LockedPackage, LockedRpm, Origin};
use super::super::planning::Planning;
use super::{places, short, unlike_seed};
use crate::error::CommandError;

impl Planning {
    /// Makes sure that a plan can be built from the lock alone, if there is one.
    ///
    /// # Errors
    /// It cannot: every difference, with the package, what the lock says and what there is.
    pub(in crate::runner) fn check_lock(&self, plan: &Plan) -> Result<(), CommandError> {
        let Some(locked) = &self.locked else { return Ok(()) };
        let mut differences = Vec::new();
        let (arch, now) = (&locked.lock.arch, &self.universe.arch);
        if arch != now {
            differences.push(format!("the lock is for {arch}, this tree is built for {now}"));
        }
        if locked.lock.key_version != KEY_VERSION {
            let version = locked.lock.key_version;
            differences.push(format!("the lock is of conventions {version}, this version builds by {KEY_VERSION}"));
        }
        let built = plan.order.iter().chain(plan.blocked.iter().map(|(name, _)| name));
        for name in built.filter(|name| self.specs.contains_key(*name)) {
            match locked.lock.packages.get(name) {
                Some(package) => {
                    let all = self.differences(&locked.lock, name, package, plan);
                    differences.extend(all.into_iter().map(|difference| format!("`{name}`: {difference}")));
                }
                None => differences.push(format!("`{name}`: the lock does not know it")),
            }
        }
        if differences.is_empty() { Ok(()) } else { Err(locked.refusal(&differences)) }
    }

    /// How one package differs from what the lock has.
    fn differences(&self, lock: &Lock, name: &str, package: &LockedPackage, plan: &Plan) -> Vec<String> {
        let mut found = Vec::new();
        let evr = self.specs.get(name).map(|spec| spec.package.evr().to_string()).unwrap_or_default();
        found.extend(difference("its version", &package.evr, &evr));
        let (stated, variant) = self.forms(name);
        let form = |kind: &str, spec_sha256: &str, sources: &BTreeMap<String, String>, now: &InputDigest| {
            let spec = difference(&format!("what {kind}spec evaluates to"), spec_sha256, &now.spec_sha256);
            let files: BTreeSet<&String> = sources.keys().chain(now.sources.keys()).collect();
            let checksum = |of: &BTreeMap<String, String>, file: &String| of.get(file).cloned().unwrap_or_default();
            let of_file = |file: &String| {
                difference(&format!("{kind}source `{file}`"), &checksum(sources, file), &checksum(&now.sources, file))
            };
            spec.into_iter().chain(files.into_iter().filter_map(of_file)).collect::<Vec<_>>()
        };
        found.extend(form("its ", &package.spec_sha256, &package.sources, &stated.unwrap_or_default()));
        if let Some(locked) = package.begin().and_then(|begin| begin.variant.as_ref()) {
            let now = variant.unwrap_or_default();
            found.extend(form("its bootstrap variant's ", &locked.spec_sha256, &locked.sources, &now));
        }
        // What a cycle gave so far is not what it ends with.
        let is_stale = |name: &String| plan.stale.iter().any(|(stale, _)| stale == name);
        let goes_on = package.cycle.as_ref().is_some_and(|cycle| cycle.members.iter().any(is_stale));
        if !goes_on && !is_stale(&name.to_owned()) {
            let published = self.published_places();
            for (nevra, identity) in &package.rpms {
                let now = published.get(nevra).map(|(_, rpm)| &*rpm.identity).unwrap_or_default();
                found.extend(difference(&format!("what is published as {nevra}"), identity, now));
            }
        }
        let seeds = places(&self.seeds);
        for rpm in package.root.iter().chain(package.begin().into_iter().flat_map(|begin| &begin.root)) {
            match &rpm.origin {
                Origin::Seed(_) if !seeds.contains_key(&*rpm.sha256) => {
                    found.push(format!("its build root: {}", unlike_seed(rpm, &self.seeds)));
                }
                Origin::Seed(_) => {}
                Origin::Tree(source) => found.extend(unlike_tree(rpm, source, lock, plan)),
            }
        }
        let sources: Vec<_> = package.sources.iter().map(|(file, sha512)| (file.clone(), sha512.clone())).collect();
        let key = planner::key(&KeyInputs {
            spec_sha256: &package.spec_sha256,
            sources: &sources,
            build_root: &package.build_root(&lock.base),
            base_layer: &lock.base.digest,
            arch: &lock.arch,
            rpm_version: &lock.rpm,
            tool_key_version: lock.key_version,
            extra: &BTreeMap::new(),
        });
        if key != package.key {
            let (has, makes) = (short(&package.key), short(&key));
            found.push(format!("the lock was changed: it has the key {has}, its content makes {makes}"));
        }
        found
    }
}

/// How what there is differs from what the lock has, if it does.
fn difference(what: &str, lock: &str, now: &str) -> Option<String> {
    (lock != now).then(|| format!("{what}: the lock has {}, there is {}", short(lock), short(now)))
}

/// Why an RPM of the tree is not what the lock itself says that its source package gives, or will never be there.
fn unlike_tree(rpm: &LockedRpm, source: &str, lock: &Lock, plan: &Plan) -> Option<String> {
    let nevra = &rpm.nevra;
    let given = lock.packages.get(source).and_then(|package| package.rpms.get(nevra));
    if given.is_none_or(|identity| identity != rpm.meaning()) {
        let given = given.map_or("nothing", |identity| short(identity));
        return Some(format!(
            "its build root: the lock has {nevra} as {}, and as what `{source}` gives {given}",
            short(rpm.meaning())
        ));
    }
    let is_there = plan.order.iter().chain(plan.blocked.iter().map(|(name, _)| name)).any(|name| name == source);
    (!is_there).then(|| format!("its build root: the lock has {nevra} of `{source}`, there is no such source package"))
}
