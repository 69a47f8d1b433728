//! Builds from a lock alone: build roots and the base layer are what the lock has, and nothing is solved anew.
//!
//! What is there must be what the lock says, or it is an error that names both: seeds' RPMs by the checksum of their
//! files, the tree's by their identities, specs and sources by their digests. Packages of the tree that are not
//! published are built in the lock's order, and what they give must mean what the lock says before it is published; a
//! cycle begins with the roots that the lock has for that, and must mean what it says when it has settled.
//! Keys are made from the same things as without a lock, so a locked build of what is published builds nothing.

mod check;
mod roots;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use planner::{InputDigest, Plan};
use repository::{Generation, RepositoryError, RpmFile, read_rpm};
use rpmspec_parser::rpm::Dependency;

use super::generated::GeneratedNeeds;
use super::lock::{Lock, LockedRpm, Origin};
use super::planning::Planning;
use super::state::State;
use crate::buildroot;
use crate::error::CommandError;
use crate::seeds::SeedRpm;

/// A lock that decides.
#[derive(Clone, Debug)]
pub struct Locked {
    /// What it says.
    pub lock: Lock,
    /// Where it was read.
    path: PathBuf,
}

impl Locked {
    /// Reads a lock to build from.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(path: &Path) -> Result<Self, CommandError> {
        Ok(Self { lock: Lock::read(path)?, path: path.to_owned() })
    }

    /// Where the base layer's packages are among those of the seeds.
    ///
    /// # Errors
    /// One of them is not there, or another version of the tool would make another layer of them.
    pub(super) fn base(&self, seeds: &[SeedRpm]) -> Result<Vec<usize>, CommandError> {
        let places = places(seeds);
        let rpms = &self.lock.base.rpms;
        let lacking: Vec<String> = rpms
            .iter()
            .filter(|rpm| !places.contains_key(&*rpm.sha256))
            .map(|rpm| format!("the base layer: {}", unlike_seed(rpm, seeds)))
            .collect();
        if !lacking.is_empty() {
            return Err(self.refusal(&lacking));
        }
        let mut base: Vec<usize> = rpms.iter().filter_map(|rpm| places.get(&*rpm.sha256).copied()).collect();
        base.sort_unstable();
        let digest = buildroot::base_digest(&base.iter().map(|place| &seeds[*place]).collect::<Vec<_>>());
        if digest != self.lock.base.digest {
            let (lock, now) = (short(&self.lock.base.digest), short(&digest));
            return Err(self.refusal(&[format!("the base layer: the lock has {lock}, its packages make {now}")]));
        }
        Ok(base)
    }

    /// Takes over what the lock knows of generated needs, if it is of this spec and these sources.
    pub(super) fn remember(&self, state: &mut State, name: &str, inputs: &InputDigest) {
        let Some(package) = self.lock.packages.get(name) else { return };
        let same = package.spec_sha256 == inputs.spec_sha256 && package.sources == inputs.sources;
        let Some(generated) = package.generated.as_ref().filter(|_| same) else { return };
        let needs: Result<Vec<_>, _> = generated.needs.iter().map(|need| Dependency::parse(need)).collect();
        // A need that does not parse was no need of a root; the key tells that the lock was changed.
        let Ok(needs) = needs else { return };
        let answer = GeneratedNeeds { inputs: inputs.clone(), asked_at: generated.asked_at.clone(), needs };
        state.set_generated(name, answer);
    }

    /// The error of a lock that does not fit.
    fn refusal(&self, differences: &[String]) -> CommandError {
        let path = self.path.display();
        let lines: String = differences.iter().map(|difference| format!("\n  {difference}")).collect();
        CommandError::input(format!("`{path}` does not fit, and nothing is resolved anew:{lines}"))
            .hint("put back what the lock says, or build without `--locked`: that run's `lock.json` is the new lock")
    }

    /// How the RPMs of a package, by NEVRA with their identities, differ from what the lock has.
    fn unlike(&self, package: &str, rpms: &BTreeMap<String, String>) -> Option<String> {
        let nothing = BTreeMap::new();
        let wanted = self.lock.packages.get(package).map_or(&nothing, |package| &package.rpms);
        let nevra = wanted.keys().chain(rpms.keys()).find(|nevra| wanted.get(*nevra) != rpms.get(*nevra))?;
        let [has, gave] = [wanted, rpms].map(|rpms| rpms.get(nevra).map_or("nothing", |identity| short(identity)));
        Some(self.reason(&format!("{nevra}: the lock has {has}, the build gave {gave}")))
    }

    /// What a failing job says that the lock keeps from being built.
    fn reason(&self, difference: &str) -> String {
        format!(
            "{difference}; to resolve anew, and get another lock than `{}`, build without `--locked`",
            self.path.display()
        )
    }
}

impl Planning {
    /// How what a build gave differs from what the lock has, if there is one and it does.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(super) fn unlike_lock(&self, package: &str, files: &[PathBuf]) -> Result<Option<String>, RepositoryError> {
        let Some(locked) = &self.locked else { return Ok(None) };
        // What a cycle gives at first is not what it ends with, which `never_as_locked` looks at.
        if locked.lock.packages.get(package).is_some_and(|package| package.cycle.is_some()) {
            return Ok(None);
        }
        let files = files.iter().map(read_rpm).collect::<Result<Vec<_>, _>>()?;
        let built = files.iter().filter(|rpm| rpm.is_built());
        let built: BTreeMap<_, _> = built.map(|rpm| (rpm.metadata.nevra.to_string(), rpm.identity.clone())).collect();
        Ok(locked.unlike(package, &built))
    }

    /// The packages of settled cycles that do not mean what the lock, if there is one, says, each with how.
    pub(super) fn never_as_locked(&self, plan: &Plan) -> Vec<(String, String)> {
        let Some(locked) = &self.locked else { return Vec::new() };
        let in_cycle = |name: &&String| locked.lock.packages.get(*name).is_some_and(|package| package.cycle.is_some());
        let unlike = |name: &String| Some((name.clone(), locked.unlike(name, &self.state.packages().get(name)?.rpms)?));
        plan.order.iter().filter(in_cycle).filter_map(unlike).collect()
    }

    /// Why a build root that asks for more than the lock has is refused, if there is a lock.
    pub(super) fn asks_beyond_lock(&self, package: &str, asked: &[Dependency]) -> Option<String> {
        let locked = self.locked.as_ref()?;
        let stated = self.specs.get(package).map_or(&[][..], |spec| &spec.package.build_requires);
        let known = self.generated(package).map_or(&[][..], |answer| &answer.needs);
        let is_known = |need: &&Dependency| stated.iter().any(|stated| stated.value == **need) || known.contains(need);
        let new: Vec<String> = asked.iter().filter(|need| !is_known(need)).map(|need| format!("`{need}`")).collect();
        let new = if new.is_empty() { "more than is in it".to_owned() } else { new.join(", ") };
        Some(locked.reason(&format!("the build root it has for `{package}` asks for {new}")))
    }

    /// What is published of the tree, by NEVRA, with its place in the universe.
    fn published_places(&self) -> HashMap<String, (usize, &RpmFile)> {
        let published = self.published.iter().flat_map(Generation::built).enumerate();
        published.map(|(place, rpm)| (rpm.metadata.nevra.to_string(), (place, rpm))).collect()
    }
}

/// Places of seeds' RPMs by the checksums of their files.
fn places(seeds: &[SeedRpm]) -> HashMap<&str, usize> {
    seeds.iter().enumerate().map(|(place, rpm)| (&*rpm.sha256, place)).collect()
}

/// An RPM of a seed that is not there, and what of its name is.
fn unlike_seed(rpm: &LockedRpm, seeds: &[SeedRpm]) -> String {
    let named = seeds.iter().filter(|seed| seed.metadata.nevra.name == name_of(&rpm.nevra));
    let there: Vec<_> = named.map(|seed| format!("{} (sha256 {})", seed.metadata.nevra, short(&seed.sha256))).collect();
    let there = if there.is_empty() { "nothing of that name".to_owned() } else { there.join(", ") };
    let seed = match &rpm.origin {
        Origin::Seed(seed) => format!("of seed `{seed}` "),
        Origin::Tree(_) => String::new(),
    };
    format!("the lock has {} {seed}(sha256 {}), there is {there}", rpm.nevra, short(&rpm.sha256))
}

/// The name in a NEVRA.
fn name_of(nevra: &str) -> &str {
    nevra.rsplitn(3, '-').nth(2).unwrap_or(nevra)
}

/// The beginning of a digest, which is enough for people; other texts as they are, and `nothing` for none.
fn short(text: &str) -> &str {
    let is_digest = text.len() >= 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match text {
        "" => "nothing",
        digest if is_digest => &digest[..12],
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use rpmspec_parser::rpm::{Evr, Nevra, PackageMetadata};

    use super::*;

    #[test]
    fn an_rpm_that_is_not_there_is_named_with_those_of_its_name() {
        let seed = |version: &str| {
            let nevra = Nevra { name: "lib-a".to_owned(), evr: Evr::parse(version), arch: "noarch".to_owned() };
            let metadata = PackageMetadata::new(nevra);
            SeedRpm { metadata, path: PathBuf::new(), sha256: version[..1].repeat(64) }
        };
        let rpm = LockedRpm {
            nevra: "lib-a-1:1-1.noarch".to_owned(),
            sha256: "1".repeat(64),
            origin: Origin::Seed("debian".to_owned()),
            identity: None,
            because: String::new(),
        };
        let text = "the lock has lib-a-1:1-1.noarch of seed `debian` (sha256 111111111111), there is ";
        let there = "lib-a-2-1.noarch (sha256 222222222222), lib-a-3-1.noarch (sha256 333333333333)";
        assert_eq!(unlike_seed(&rpm, &[seed("2-1"), seed("3-1")]), format!("{text}{there}"));
        assert_eq!(unlike_seed(&rpm, &[]), format!("{text}nothing of that name"));
    }
}
