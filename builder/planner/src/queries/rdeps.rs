//! Who needs a package, and what a change of it rebuilds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rpmspec_parser::rpm::Nevra;
use serde::Serialize;

use super::json;
use super::names::{Subject, UnknownName};
use super::why::last_step;
use crate::graph::reason_of;
use crate::index::Package;
use crate::plan::order_of;
use crate::solve::{Stock, required_place, usable};
use crate::{BuildGraph, Edge, Index, Reason};

/// What `rdeps` is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RdepsOptions {
    /// Also who needs it at run time.
    pub run_time: bool,
    /// Also who needs those, and so on.
    pub recursive: bool,
}

/// For what a package is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NeedKind {
    /// To be built: it is in the build root.
    Build,
    /// To be used: one of its packages requires it.
    RunTime,
}

/// A source package that needs another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dependant {
    /// The source package.
    pub source: String,
    /// Its spec's path, relative to the tree.
    pub spec: String,
    /// For what.
    pub kind: NeedKind,
    /// The package it needs: of what was asked for, or of a source package listed as well.
    #[serde(serialize_with = "json::text")]
    pub package: Nevra,
    /// How the need comes about, its own dependency first.
    #[serde(serialize_with = "json::reasons")]
    pub reasons: Vec<Reason>,
    /// Why it cannot be built, if so.
    #[serde(serialize_with = "json::maybe_text")]
    pub blocked: Option<crate::Blocker>,
}

/// The answer to `rdeps`: by name, or in the order of builds where it is recursive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dependants {
    /// What was asked for.
    pub wanted: String,
    /// Who needs it.
    pub dependants: Vec<Dependant>,
}

/// Who needs a source package, or a package of the tree or of a seed. A change of it gives all those that have it
/// in their build roots another key; recursively, all that may have to be built again, unless what is rebuilt first
/// comes out as it was. Source packages without a build root are not known to need anything.
///
/// # Errors
/// There is no such package.
pub fn rdeps(
    index: &Index<'_>,
    graph: &BuildGraph,
    name: &str,
    options: RdepsOptions,
) -> Result<Dependants, UnknownName> {
    let subject = Subject::find(index, graph, name)?;
    let mut found: BTreeMap<String, Dependant> = BTreeMap::new();
    for node in graph.nodes.values() {
        if let Some(step) = last_step(node, &subject) {
            enter(graph, &mut found, &node.name, NeedKind::Build, &step.package, &step.reasons);
        }
    }
    if options.run_time {
        at_run_time(index, graph, &subject, &mut found);
    }
    if options.recursive {
        close(graph, options, &mut found);
    }
    let names: BTreeSet<String> = found.keys().cloned().collect();
    let mut dependants = Vec::new();
    if options.recursive {
        let (order, blocked) = order_of(graph, &names);
        dependants.extend(order.iter().filter_map(|name| found.remove(name)));
        for (name, blocker) in blocked {
            dependants.extend(found.remove(&name).map(|found| Dependant { blocked: Some(blocker), ..found }));
        }
    }
    dependants.extend(found.into_values());
    Ok(Dependants { wanted: name.to_owned(), dependants })
}

fn enter(
    graph: &BuildGraph,
    found: &mut BTreeMap<String, Dependant>,
    source: &str,
    kind: NeedKind,
    package: &Nevra,
    reasons: &[Reason],
) {
    let Some(node) = graph.nodes.get(source) else { return };
    found.entry(source.to_owned()).or_insert_with(|| Dependant {
        source: source.to_owned(),
        spec: node.spec.clone(),
        kind,
        package: package.clone(),
        reasons: reasons.to_vec(),
        blocked: node.blocker.clone(),
    });
}

/// Adds the source packages of which a package requires the subject; published headers tell of needs that no spec
/// states.
fn at_run_time(index: &Index<'_>, graph: &BuildGraph, subject: &Subject, found: &mut BTreeMap<String, Dependant>) {
    let usable = usable(index, None, Stock::Mixed);
    let is_meant = |package: &Package<'_>| match subject {
        Subject::Source(source) => index.source_name(package) == Some(source),
        Subject::Package { name, .. } | Subject::Seed(name) => package.metadata.nevra.name == *name,
    };
    for (package, _) in index.packages.iter().zip(&usable).filter(|(_, usable)| **usable) {
        let Some(source) = index.source_name(package).filter(|source| subject.source() != Some(source)) else {
            continue;
        };
        for statement in package.statements.iter().filter(|statement| statement.absent.is_empty()) {
            let providers = statement.present.iter().filter(|other| usable[**other as usize]);
            let mut providers = providers.map(|other| &index.packages[*other as usize]);
            if providers.clone().any(|other| other.tree == package.tree) {
                continue;
            }
            let provider = providers.next().filter(|other| is_meant(other));
            if let (Some(provider), Some(place)) = (provider, required_place(statement)) {
                let reasons = [reason_of(index, package, place)];
                enter(graph, found, source, NeedKind::RunTime, &provider.metadata.nevra, &reasons);
            }
        }
    }
}

/// Adds who needs those found, until nobody is added.
fn close(graph: &BuildGraph, options: RdepsOptions, found: &mut BTreeMap<String, Dependant>) {
    let mut needed_by: BTreeMap<&str, Vec<(&str, NeedKind, &Edge)>> = BTreeMap::new();
    for node in graph.nodes.values() {
        let run_time = node.runtime_needs.iter().filter(|_| options.run_time).map(|edge| (NeedKind::RunTime, edge));
        for (kind, edge) in node.needs.iter().map(|edge| (NeedKind::Build, edge)).chain(run_time) {
            needed_by.entry(&edge.to).or_default().push((&node.name, kind, edge));
        }
    }
    let mut open: std::collections::VecDeque<String> = found.keys().cloned().collect();
    while let Some(name) = open.pop_front() {
        for (source, kind, edge) in needed_by.get(&*name).into_iter().flatten() {
            if !found.contains_key(*source) {
                enter(graph, found, source, *kind, &edge.package, &edge.all_reasons());
                open.push_back((*source).to_owned());
            }
        }
    }
}

impl fmt::Display for Dependants {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for dependant in &self.dependants {
            let kind = if dependant.kind == NeedKind::RunTime { " at run time" } else { "" };
            let blocked = if dependant.blocked.is_some() { ", cannot be built" } else { "" };
            writeln!(formatter, "{} needs {}{kind}{blocked}", dependant.source, dependant.package)?;
            for reason in &dependant.reasons {
                writeln!(formatter, "  {reason}")?;
            }
        }
        let count = self.dependants.len();
        let (source_packages, verb) = if count == 1 { ("package", "needs") } else { ("packages", "need") };
        writeln!(formatter, "{count} source {source_packages} {verb} {}", self.wanted)
    }
}
