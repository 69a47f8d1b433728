//! Makes a lock of what is built, with the reason of every RPM.

mod begin;

use std::collections::{BTreeMap, BTreeSet};

use planner::{BuildNode, Member, PackageId, Targets, TreePackage, Universe};
use repository::{Generation, RpmFile};
use rpmspec_parser::SourcePackage;

use super::super::conventions::KEY_VERSION;
use super::super::planning::Planning;
use super::{Lock, LockedBase, LockedCycle, LockedNeeds, LockedPackage, LockedRpm, Origin, VERSION};
use crate::cli::TargetArgs;

/// What is published of the tree, by NEVRA.
type Published<'a> = BTreeMap<String, &'a RpmFile>;

impl Lock {
    /// Locks builds that are fresh by what there is now.
    #[must_use]
    pub fn of(planning: &Planning, fresh: &[String]) -> Self {
        let published: Published<'_> = planning
            .published
            .iter()
            .flat_map(Generation::built)
            .map(|rpm| (rpm.metadata.nevra.to_string(), rpm))
            .collect();
        let base = LockedBase { digest: planning.base_digest(), rpms: base_rpms(planning) };
        let mut cycles = begin::cycles(planning, &published, &base);
        let lock = |name: &String| {
            let cycle = cycles.remove(name);
            Some((name.clone(), package(planning, &published, &base, name, cycle)?))
        };
        Self {
            version: VERSION,
            arch: planning.universe.arch.clone(),
            rpm: planning.rpm_version(),
            key_version: KEY_VERSION,
            packages: fresh.iter().filter_map(lock).collect(),
            base,
        }
    }
}

impl Planning {
    /// Locks what is done of the targets after a run, for which every build root is looked at again.
    #[must_use]
    pub fn lock_of_run(&mut self, targets: &TargetArgs, has_built: bool) -> Lock {
        if has_built {
            self.settle();
        }
        let wanted = if targets.all { Targets::All } else { Targets::Named(targets.names.clone()) };
        let (known, inputs, circumstances) =
            (self.state.known(), self.input_digests(), self.circumstances(BTreeSet::new()));
        let plan = planner::plan(&self.graph, &wanted, &known, &inputs, &circumstances);
        Lock::of(self, &plan.map(|plan| plan.fresh).unwrap_or_default())
    }
}

/// One build as it is known; `None` if something of its root is no longer published, which a fresh build's is.
fn package(
    planning: &Planning,
    published: &Published<'_>,
    base: &LockedBase,
    name: &str,
    cycle: Option<LockedCycle>,
) -> Option<LockedPackage> {
    let (node, built) = (planning.graph.nodes.get(name)?, planning.state.packages().get(name)?);
    let before = planning.locked.as_ref().and_then(|locked| locked.lock.packages.get(name));
    let because = before.into_iter().flat_map(|package| &package.root);
    let because = because.map(|rpm| (rpm.nevra.as_str(), rpm.because.as_str())).collect();
    let generated = planning.generated(name).map(|answer| LockedNeeds {
        asked_at: answer.asked_at.clone(),
        needs: answer.needs.iter().map(ToString::to_string).collect(),
    });
    Some(LockedPackage {
        evr: planning.specs.get(name)?.package.evr().to_string(),
        key: built.known.key.clone(),
        spec_sha256: built.known.inputs.spec_sha256.clone(),
        sources: built.known.inputs.sources.clone(),
        rpms: built.rpms.clone(),
        generated,
        replaced: replaced(base, node),
        root: root(planning, published, node, &because)?,
        cycle,
    })
}

/// What of the base a build root does not have.
fn replaced(base: &LockedBase, node: &BuildNode) -> BTreeSet<String> {
    let there: BTreeSet<String> = node.build_root.iter().map(|member| member.nevra.to_string()).collect();
    base.rpms.iter().map(|rpm| &rpm.nevra).filter(|nevra| !there.contains(*nevra)).cloned().collect()
}

/// What a build root has above the base, each for the reason known before, if there is one; `None` if something of it
/// is not published.
fn root(
    planning: &Planning,
    published: &Published<'_>,
    node: &BuildNode,
    because: &BTreeMap<&str, &str>,
) -> Option<Vec<LockedRpm>> {
    let is_base = |member: &Member| matches!(member.id, PackageId::Seed(place) if planning.base.contains(&place));
    let locked = |member: &Member| {
        let nevra = member.nevra.to_string();
        let because = because.get(&*nevra).map_or_else(|| member.reason.to_string(), |because| (*because).to_owned());
        if let PackageId::Seed(place) = member.id {
            return Some(seed_rpm(planning, place, because));
        }
        let rpm = published.get(&nevra)?;
        let origin = Origin::Tree(rpm.source_package().to_owned());
        Some(LockedRpm { nevra, sha256: rpm.sha256.clone(), origin, identity: Some(rpm.identity.clone()), because })
    };
    node.build_root.iter().filter(|member| !is_base(member)).map(|member| locked(member)).collect()
}

/// What the base layer is made of. Its reasons are those of a build that needs nothing else.
fn base_rpms(planning: &Planning) -> Vec<LockedRpm> {
    let universe = &planning.universe;
    let nothing = SourcePackage { name: "base".to_owned(), ..SourcePackage::default() };
    let universe = Universe {
        tree: vec![TreePackage { source: nothing, ..TreePackage::default() }],
        seeds: universe.seeds.clone(),
        published: Vec::new(),
        base: universe.base.clone(),
        arch: universe.arch.clone(),
        prefer: universe.prefer.clone(),
    };
    let members = planner::resolve(&universe).nodes.remove("base").map(|node| node.build_root).unwrap_or_default();
    let reasons: BTreeMap<PackageId, String> =
        members.into_iter().map(|member| (member.id, member.reason.to_string())).collect();
    let before: BTreeMap<&str, &LockedRpm> =
        planning.locked.iter().flat_map(|locked| &locked.lock.base.rpms).map(|rpm| (&*rpm.sha256, rpm)).collect();
    let because = |place: usize| {
        let before = before.get(&*planning.seeds[place].sha256).map(|rpm| rpm.because.clone());
        before.or_else(|| reasons.get(&PackageId::Seed(place)).cloned()).unwrap_or_default()
    };
    let mut rpms: Vec<_> = planning.base.iter().map(|place| seed_rpm(planning, *place, because(*place))).collect();
    rpms.sort_by(|left, right| left.nevra.cmp(&right.nevra));
    rpms
}

fn seed_rpm(planning: &Planning, place: usize, because: String) -> LockedRpm {
    let rpm = &planning.seeds[place];
    LockedRpm {
        nevra: rpm.metadata.nevra.to_string(),
        sha256: rpm.sha256.clone(),
        origin: Origin::Seed(planning.universe.seeds[place].seed.clone()),
        identity: None,
        because,
    }
}
