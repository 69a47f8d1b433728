//! What must be built, and why: the graph compared with what is known of earlier builds.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::explain::nearest::nearest_names;
use crate::{Blocker, BuildGraph, BuildNode, Deferred, KeyInputs, key};

/// What a run is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Targets {
    /// The whole tree.
    All,
    /// Source packages, or binary packages (their source package is meant).
    Named(Vec<String>),
}

/// What goes into a build from the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputDigest {
    /// The sha256 of the evaluated spec, in hex ([`spec_digest`](crate::key::spec_digest)).
    pub spec_sha256: String,
    /// The sha512 of every source and patch by its name below `%{_sourcedir}`, in hex.
    pub sources: BTreeMap<String, String>,
    /// The options with which the spec is its bootstrap variant, if it is evaluated and built as that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl InputDigest {
    /// The extra inputs of a build from these: those of all builds, and the options of the variant. So the key of a
    /// variant is never that of the full build, even where both evaluate to the same text.
    #[must_use]
    pub fn extra(&self, common: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let variant = self.variant.iter().map(|options| ("bootstrap variant".to_owned(), options.clone()));
        common.clone().into_iter().chain(variant).collect()
    }
}

/// The last successful build of a source package.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownBuild {
    /// Its key.
    pub key: String,
    /// What it was built from.
    pub inputs: InputDigest,
    /// The identity of every RPM its build root held, by NEVRA.
    pub build_root: BTreeMap<String, String>,
    /// The digest of the base layer.
    pub base_layer: String,
}

/// What else decides whether a build is known.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// The identity of every seed's and every published RPM, by NEVRA.
    pub identities: BTreeMap<String, String>,
    /// The digest of the base layer a build would get now.
    pub base_layer: String,
    /// The version of rpm that would build.
    pub rpm_version: String,
    /// The version of the tool's own conventions.
    pub tool_key_version: u32,
    /// Extra declared inputs of all builds.
    pub extra: BTreeMap<String, String>,
    /// Source packages to build whatever is known of them.
    pub forced: BTreeSet<String>,
}

/// Why a source package must be built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum StaleReason {
    /// The user asks for it.
    #[error("asked for")]
    Forced,
    /// No build of it is known.
    #[error("never built")]
    NeverBuilt,
    /// A build is known, but not all of its RPMs are published.
    #[error("{package} is not published")]
    NotPublished {
        /// The first RPM that is missing, as NEVRA.
        package: String,
    },
    /// It was built as its bootstrap variant, and what that did without is there now.
    #[error("built as its bootstrap variant so far")]
    BuiltAsVariant,
    /// Its build root lacked what is built after it, since they need each other.
    #[error("built {} while its cycle with {name} was opened", .with.as_ref().map_or_else(|| format!("without {name}"), |with| format!("with {with}")))]
    CycleOpened {
        /// The source package that is built after it.
        name: String,
        /// What its build root held instead, as NEVRA.
        with: Option<String>,
    },
    /// The evaluated spec differs.
    #[error("the spec changed")]
    SpecChanged,
    /// A source or patch differs, is new or is gone.
    #[error("{file} changed")]
    SourceChanged {
        /// Its name below `%{_sourcedir}`.
        file: String,
    },
    /// The base layer of build roots differs.
    #[error("the base layer changed")]
    BaseChanged,
    /// Something in its build root is to be built; if that comes out unchanged, this is not built after all.
    #[error("{name} is to be built")]
    DependencyStale {
        /// The source package.
        name: String,
    },
    /// Its build root would hold another package than it did.
    #[error("{package} changed from {} to {}", .was.as_deref().unwrap_or("nothing"), .now.as_deref().unwrap_or("nothing"))]
    DependencyChanged {
        /// The package, as NEVRA.
        package: String,
        /// Its identity then; `None` where it was not there.
        was: Option<String>,
        /// Its identity now; `None` where it is not there.
        now: Option<String>,
    },
    /// rpm, the tool's conventions or the extra inputs differ.
    #[error("rpm or the conventions of the build changed")]
    ToolChanged,
}

/// What a run will do. Serializable: it is what `plan` prints and the only input of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The source packages asked for, sorted.
    pub targets: Vec<String>,
    /// Everything in the plan that is not blocked, whatever is needed before what needs it, then by name.
    pub order: Vec<String>,
    /// What is known at its key, in `order`.
    pub fresh: Vec<String>,
    /// What must be built and why, in `order`.
    pub stale: Vec<(String, StaleReason)>,
    /// What cannot be built and why, by name.
    pub blocked: Vec<(String, Blocker)>,
    /// What of `stale` may turn out to need more when it is built (`%generate_buildrequires` that nobody asked yet);
    /// filled in by whoever remembers answers. The run then builds that as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unasked: Vec<String>,
    /// Members of opened cycles in `order` that are looked at again when what they need is built, each with those of
    /// its needs that are stale and built after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub again: Vec<(String, Vec<Deferred>)>,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A target is neither a source package nor a binary package of the tree.
    #[error("no package `{name}` in the tree{}; `plan --all` lists what there is", alike(.nearest))]
    UnknownTarget {
        /// The name asked for.
        name: String,
        /// The names spelled most like it.
        nearest: Vec<String>,
    },
}

fn alike(nearest: &[String]) -> String {
    if nearest.is_empty() { String::new() } else { format!(", spelled alike: {}", nearest.join(", ")) }
}

/// Decides what must be built for the targets: they, what their build roots lack, and what their RPMs need to be
/// installed. Nothing else is in the plan.
///
/// # Errors
/// A target is unknown.
pub fn plan(
    graph: &BuildGraph,
    targets: &Targets,
    known: &BTreeMap<String, KnownBuild>,
    inputs: &BTreeMap<String, InputDigest>,
    circumstances: &Circumstances,
) -> Result<Plan, PlanError> {
    let targets = targets_of(graph, targets)?;
    let scope = scope_of(graph, &targets);
    let (order, blocked) = order_of(graph, &scope);
    let mut plan = Plan { targets: targets.into_iter().collect(), blocked, ..Plan::default() };
    let mut stale = BTreeSet::new();
    for name in order {
        let Some(node) = graph.nodes.get(&name) else { continue };
        match stale_reason(node, &stale, known.get(&name), inputs.get(&name), graph, circumstances) {
            Some(reason) => {
                stale.insert(name.clone());
                plan.stale.push((name.clone(), reason));
            }
            None => plan.fresh.push(name.clone()),
        }
        plan.order.push(name);
    }
    for name in &plan.order {
        let deferred = graph.nodes.get(name).into_iter().flat_map(|node| &node.deferred);
        let open: Vec<_> = deferred.filter(|deferred| stale.contains(&deferred.edge.to)).cloned().collect();
        if !open.is_empty() {
            plan.again.push((name.clone(), open));
        }
    }
    Ok(plan)
}

/// The source packages the targets mean.
fn targets_of(graph: &BuildGraph, targets: &Targets) -> Result<BTreeSet<String>, PlanError> {
    let Targets::Named(names) = targets else { return Ok(graph.nodes.keys().cloned().collect()) };
    let mut by_package = BTreeMap::new();
    for node in graph.nodes.values() {
        for package in &node.packages {
            by_package.entry(&*package.name).or_insert(&node.name);
        }
    }
    let find = |name: &String| match graph.nodes.get_key_value(name) {
        Some((name, _)) => Ok(name.clone()),
        None => by_package.get(&**name).map(|name| (*name).clone()).ok_or_else(|| PlanError::UnknownTarget {
            name: name.clone(),
            nearest: nearest_names(name, graph.nodes.keys().map(|name| &**name).chain(by_package.keys().copied())),
        }),
    };
    names.iter().map(find).collect()
}

/// The targets and all that they need, to be built or to be installed.
fn scope_of(graph: &BuildGraph, targets: &BTreeSet<String>) -> BTreeSet<String> {
    let mut scope = BTreeSet::new();
    let mut open: Vec<&String> = targets.iter().collect();
    while let Some(name) = open.pop() {
        if let Some(node) = graph.nodes.get(name).filter(|_| scope.insert(name.clone())) {
            let deferred = node.deferred.iter().map(|deferred| &deferred.edge);
            open.extend(node.needs.iter().chain(&node.runtime_needs).chain(deferred).map(|edge| &edge.to));
        }
    }
    scope
}

/// What of the scope can be built, needs first and then by name; and what cannot.
pub(crate) fn order_of(graph: &BuildGraph, scope: &BTreeSet<String>) -> (Vec<String>, Vec<(String, Blocker)>) {
    let needs =
        |name: &String| graph.nodes.get(name).into_iter().flat_map(|node| node.needs.iter().map(|edge| &edge.to));
    let mut blocked: BTreeMap<String, Blocker> =
        scope.iter().filter_map(|name| Some((name.clone(), graph.nodes.get(name)?.blocker.clone()?))).collect();
    let mut dependents: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
    let mut missing: BTreeMap<&String, usize> = BTreeMap::new();
    for name in scope {
        let needed: BTreeSet<_> = needs(name).filter(|needed| scope.contains(*needed)).collect();
        missing.insert(name, needed.len());
        needed.into_iter().for_each(|needed| dependents.entry(needed).or_default().push(name));
    }
    // What needs something blocked is blocked by it, directly or not.
    let mut open: Vec<String> = blocked.keys().cloned().collect();
    let mut reached: BTreeSet<&String> = BTreeSet::new();
    while let Some(name) = open.pop() {
        for dependent in dependents.get(&name).into_iter().flatten() {
            if !blocked.contains_key(*dependent) && reached.insert(dependent) {
                open.push((*dependent).clone());
            }
        }
    }
    for name in &reached {
        let names: BTreeSet<_> =
            needs(name).filter(|n| blocked.contains_key(*n) || reached.contains(n)).cloned().collect();
        let names = names.into_iter().collect();
        // Filled only after all are known, so that `names` does not depend on the order of the walk.
        missing.remove(name);
        blocked.insert((*name).clone(), Blocker::BlockedBy { names });
    }
    let mut ready: BTreeSet<&String> = missing
        .iter()
        .filter(|(name, left)| **left == 0 && !blocked.contains_key(**name))
        .map(|(name, _)| *name)
        .collect();
    let mut order = Vec::new();
    while let Some(name) = ready.pop_first() {
        order.push(name.clone());
        for dependent in dependents.get(name).into_iter().flatten() {
            if let Some(left) = missing.get_mut(dependent) {
                *left -= 1;
                if *left == 0 && !blocked.contains_key(*dependent) {
                    ready.insert(dependent);
                }
            }
        }
    }
    (order, blocked.into_iter().collect())
}

/// Why a package that can be built must be; `None` if its key is known.
fn stale_reason(
    node: &BuildNode,
    stale: &BTreeSet<String>,
    known: Option<&KnownBuild>,
    inputs: Option<&InputDigest>,
    graph: &BuildGraph,
    circumstances: &Circumstances,
) -> Option<StaleReason> {
    if circumstances.forced.contains(&node.name) {
        return Some(StaleReason::Forced);
    }
    let Some(known) = known else { return Some(StaleReason::NeverBuilt) };
    if let Some(package) = &node.unpublished {
        return Some(StaleReason::NotPublished { package: package.to_string() });
    }
    let variant = inputs.and_then(|inputs| inputs.variant.as_ref());
    if known.inputs.variant.is_some() && variant.is_none() {
        return Some(StaleReason::BuiltAsVariant);
    }
    let is_same = |inputs: &&InputDigest| {
        (&inputs.spec_sha256, variant) == (&known.inputs.spec_sha256, known.inputs.variant.as_ref())
    };
    let Some(inputs) = inputs.filter(is_same) else {
        return Some(StaleReason::SpecChanged);
    };
    if let Some(file) = first_difference(&known.inputs.sources, &inputs.sources) {
        return Some(StaleReason::SourceChanged { file: file.clone() });
    }
    if known.base_layer != circumstances.base_layer {
        return Some(StaleReason::BaseChanged);
    }
    if let Some(edge) = node.needs.iter().find(|edge| stale.contains(&edge.to)) {
        return Some(StaleReason::DependencyStale { name: edge.to.clone() });
    }
    let build_root: BTreeMap<String, String> = node
        .build_root
        .iter()
        .map(|member| member.nevra.to_string())
        .map(|nevra| (circumstances.identities.get(&nevra).cloned().unwrap_or_default(), nevra))
        .map(|(identity, nevra)| (nevra, identity))
        .collect();
    if let Some(reason) = cycle_opened(node, known, &build_root) {
        return Some(reason);
    }
    if let Some(package) = first_difference(&known.build_root, &build_root) {
        return Some(StaleReason::DependencyChanged {
            package: package.clone(),
            was: known.build_root.get(package).cloned(),
            now: build_root.get(package).cloned(),
        });
    }
    let sources: Vec<_> = inputs.sources.iter().map(|(name, sha512)| (name.clone(), sha512.clone())).collect();
    let key = key(&KeyInputs {
        spec_sha256: &inputs.spec_sha256,
        sources: &sources,
        build_root: &build_root,
        base_layer: &circumstances.base_layer,
        arch: &graph.arch,
        rpm_version: &circumstances.rpm_version,
        tool_key_version: circumstances.tool_key_version,
        extra: &inputs.extra(&circumstances.extra),
    });
    (key != known.key).then_some(StaleReason::ToolChanged)
}

/// Whether its build root held something else where it now holds what is built after it.
fn cycle_opened(node: &BuildNode, known: &KnownBuild, build_root: &BTreeMap<String, String>) -> Option<StaleReason> {
    let deferred = node.deferred_sources();
    let of_cycle = |member: &&std::sync::Arc<crate::Member>| {
        member.source.as_ref().is_some_and(|source| deferred.contains(source))
    };
    let differs = |nevra: &String| known.build_root.get(nevra) != build_root.get(nevra);
    let changed = node.build_root.iter().filter(of_cycle).find(|member| differs(&member.nevra.to_string()))?;
    // `NAME-EVR.ARCH`: what was there of the same name.
    let name_of = |nevra: &str| nevra.rsplitn(3, '-').nth(2).map(ToOwned::to_owned);
    let with = known.build_root.keys().find(|nevra| name_of(nevra).as_ref() == Some(&changed.nevra.name)).cloned();
    Some(StaleReason::CycleOpened { name: changed.source.clone()?, with })
}

/// The first name whose values differ, or that only one side has.
fn first_difference<'a>(left: &'a BTreeMap<String, String>, right: &'a BTreeMap<String, String>) -> Option<&'a String> {
    let differs = |name: &&String| left.get(*name) != right.get(*name);
    left.keys().filter(differs).chain(right.keys().filter(differs)).min()
}
