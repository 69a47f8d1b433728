//! Why a package is in a build root, or why it is built before another one.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use rpmspec_parser::rpm::Nevra;
use serde::Serialize;

use super::json;
use super::names::{Subject, UnknownName, node};
use crate::{Asker, Blocker, BuildGraph, BuildNode, Deferred, Edge, Index, Member, Reason, WayOut};

/// How one package needs another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It is in the build root.
    BuildRoot,
    /// It must be built before something in the build root can be.
    Before,
    /// It is built with it, because something must be installed for use.
    RunTime,
    /// It does not.
    No,
}

/// One step of the way from a package to what it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The source package that needs something.
    pub from: String,
    /// The source package that is needed; `None` for a seed's package.
    pub to: Option<String>,
    /// The package that is needed.
    #[serde(serialize_with = "json::text")]
    pub package: Nevra,
    /// Whether it is needed at run time only.
    pub at_run_time: bool,
    /// What is done until what is needed is built, where that is after what needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_then: Option<WayOut>,
    /// How the need comes about, from the spec's own dependency to the one that the package meets.
    #[serde(serialize_with = "json::reasons")]
    pub reasons: Vec<Reason>,
}

/// The answer to `why A B`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Why {
    /// The source package asked about.
    pub source: String,
    /// What it needs, or not.
    pub wanted: String,
    /// How.
    pub how: How,
    /// The way from one to the other.
    pub steps: Vec<Step>,
}

/// One package of a build root, with its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RootMember {
    /// The package.
    #[serde(serialize_with = "json::text")]
    pub package: Nevra,
    /// Its source package or seed.
    pub from: String,
    /// How it comes in, from the spec's or the base's own dependency on.
    #[serde(serialize_with = "json::reasons")]
    pub reasons: Vec<Reason>,
}

/// The answer to `why A`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RootOf {
    /// The source package.
    pub source: String,
    /// Whether a build would get exactly this, or more of the tree must be built to know.
    pub exact: bool,
    /// What the tree gives.
    pub tree: Vec<RootMember>,
    /// What seeds give.
    pub seeds: Vec<RootMember>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WhyError {
    /// A name means nothing.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// The source package cannot be built, so it has no build root.
    #[error("`{source_package}` has no build root: {blocker}")]
    NoRoot {
        /// The source package.
        source_package: String,
        /// What keeps it from being built.
        blocker: Blocker,
    },
}

/// What the build root of a source package holds, and why. `name` may be that of one of its packages.
///
/// # Errors
/// There is no such package, or it has no build root.
pub fn build_root_of(graph: &BuildGraph, name: &str) -> Result<RootOf, WhyError> {
    let node = with_root(graph, name)?;
    let member = |member: &Arc<Member>| RootMember {
        package: member.nevra.clone(),
        from: member.source.clone().or_else(|| member.seed.clone()).unwrap_or_default(),
        reasons: chain(node, member),
    };
    let (tree, seeds): (Vec<_>, Vec<_>) = node.build_root.iter().partition(|member| member.source.is_some());
    Ok(RootOf {
        source: node.name.clone(),
        exact: node.exact,
        tree: tree.into_iter().map(member).collect(),
        seeds: seeds.into_iter().map(member).collect(),
    })
}

/// Why one package is in the build root of another, or must be built before it. Either may be the name of a source
/// package or of one of its packages; `wanted` may also be a seed's. Of several ways the shortest is told.
///
/// # Errors
/// There are no such packages, or the first has no build root.
pub fn why(index: &Index<'_>, graph: &BuildGraph, name: &str, wanted: &str) -> Result<Why, WhyError> {
    let node = with_root(graph, name)?;
    let subject = Subject::find(index, graph, wanted)?;
    let mut subjects = vec![subject.clone()];
    // Where the package itself is not used, its source package may still have to be built.
    subjects.extend(match subject {
        Subject::Package { source, .. } => Some(Subject::Source(source)),
        _ => None,
    });
    let answer = |how, steps| Why { source: node.name.clone(), wanted: wanted.to_owned(), how, steps };
    for run_time in [false, true] {
        for subject in &subjects {
            if let Some(steps) = way(graph, node, subject, run_time) {
                let how = match &*steps {
                    _ if steps.iter().any(|step| step.at_run_time) => How::RunTime,
                    [_] => How::BuildRoot,
                    _ => How::Before,
                };
                return Ok(answer(how, steps));
            }
        }
    }
    Ok(answer(How::No, Vec::new()))
}

fn with_root<'g>(graph: &'g BuildGraph, name: &str) -> Result<&'g BuildNode, WhyError> {
    let node = node(graph, name)?;
    match &node.blocker {
        Some(blocker) if node.build_root.is_empty() => {
            Err(WhyError::NoRoot { source_package: node.name.clone(), blocker: blocker.clone() })
        }
        _ => Ok(node),
    }
}

/// How a member comes in, from the spec's or the base's own dependency on.
pub(super) fn chain(node: &BuildNode, member: &Member) -> Vec<Reason> {
    let mut reasons = vec![member.reason.clone()];
    while let Some(Reason { asker: Asker::Package(nevra), .. }) = reasons.last() {
        let Some(asker) = node.build_root.iter().find(|other| other.nevra == *nevra) else { break };
        if reasons.len() > node.build_root.len() {
            break;
        }
        reasons.push(asker.reason.clone());
    }
    reasons.reverse();
    reasons
}

/// The step that leads from a source package straight to the wanted one.
pub(super) fn last_step(node: &BuildNode, wanted: &Subject) -> Option<Step> {
    let of_member = |member: &Arc<Member>| Step {
        from: node.name.clone(),
        to: member.source.clone(),
        package: member.nevra.clone(),
        at_run_time: false,
        until_then: None,
        reasons: chain(node, member),
    };
    let edge = |source: &str| node.needs.iter().find(|edge| edge.to == source).map(|edge| of_edge(node, edge, false));
    let mut members = node.build_root.iter();
    let is_wanted = |deferred: &&Deferred| match wanted {
        Subject::Source(source) => deferred.edge.to == *source,
        Subject::Package { name, source } => deferred.edge.to == *source && deferred.edge.package.name == *name,
        Subject::Seed(_) => false,
    };
    if let Some(deferred) = node.deferred.iter().find(is_wanted) {
        return Some(Step { until_then: Some(deferred.way_out.clone()), ..of_edge(node, &deferred.edge, false) });
    }
    match wanted {
        Subject::Source(source) => {
            edge(source).or_else(|| members.find(|member| member.source.as_deref() == Some(source)).map(of_member))
        }
        Subject::Package { name, .. } | Subject::Seed(name) => {
            members.find(|member| member.nevra.name == *name).map(of_member)
        }
    }
}

fn of_edge(node: &BuildNode, edge: &Edge, at_run_time: bool) -> Step {
    let (to, package, reasons) = (Some(edge.to.clone()), Nevra::clone(&edge.package), edge.all_reasons());
    Step { from: node.name.clone(), to, package, at_run_time, until_then: None, reasons }
}

/// The shortest way from a source package to what is wanted.
fn way(graph: &BuildGraph, start: &BuildNode, wanted: &Subject, run_time: bool) -> Option<Vec<Step>> {
    let mut came_by: BTreeMap<&str, Option<(&BuildNode, &Edge, bool)>> = BTreeMap::from([(&*start.name, None)]);
    let mut open = VecDeque::from([start]);
    while let Some(node) = open.pop_front() {
        let runtime = node.runtime_needs.iter().filter(|_| run_time);
        let last = last_step(node, wanted).or_else(|| {
            let mut edges = runtime.clone();
            let edge = match wanted {
                Subject::Source(source) => edges.find(|edge| edge.to == *source),
                Subject::Package { name, .. } | Subject::Seed(name) => edges.find(|edge| edge.package.name == *name),
            };
            edge.map(|edge| of_edge(node, edge, true))
        });
        if let Some(last) = last {
            let mut steps = vec![last];
            let mut at = node;
            while let Some(Some((from, edge, at_run_time))) = came_by.get(&*at.name) {
                steps.push(of_edge(from, edge, *at_run_time));
                at = from;
            }
            steps.reverse();
            return Some(steps);
        }
        for (edge, at_run_time) in node.needs.iter().map(|edge| (edge, false)).chain(runtime.map(|edge| (edge, true))) {
            if let (Some(next), false) = (graph.nodes.get(&edge.to), came_by.contains_key(&*edge.to)) {
                came_by.insert(&next.name, Some((node, edge, at_run_time)));
                open.push_back(next);
            }
        }
    }
    None
}

impl fmt::Display for Why {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, wanted) = (&self.source, &self.wanted);
        match self.how {
            How::BuildRoot => writeln!(formatter, "{wanted} is in the build root of {source}")?,
            How::Before => writeln!(formatter, "{wanted} must be there before {source} can be built")?,
            How::RunTime => writeln!(formatter, "{wanted} is not needed to build {source}, but to use it")?,
            How::No => return writeln!(formatter, "{source} needs no {wanted}, neither to be built nor to be used"),
        }
        for step in &self.steps {
            let to = step.to.as_deref().map_or_else(|| "seed".to_owned(), ToOwned::to_owned);
            let when = if step.at_run_time { " at run time" } else { "" };
            writeln!(formatter, "  {} needs {} ({to}){when}", step.from, step.package)?;
            if let Some(way_out) = &step.until_then {
                writeln!(formatter, "    they need each other: {} is built first {way_out}", step.from)?;
            }
            for reason in &step.reasons {
                writeln!(formatter, "    {reason}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for RootOf {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.tree.len() + self.seeds.len();
        let exact = if self.exact { "" } else { ", as far as can be told before all of them are built" };
        writeln!(formatter, "the build root of {} holds {count} packages{exact}", self.source)?;
        for (title, members) in [("from the tree", &self.tree), ("from seeds", &self.seeds)] {
            writeln!(formatter, "{title}: {}", members.len())?;
            for member in members {
                let reason = member.reasons.last().map(ToString::to_string).unwrap_or_default();
                writeln!(formatter, "  {} ({}): {reason}", member.package, member.from)?;
            }
        }
        Ok(())
    }
}
