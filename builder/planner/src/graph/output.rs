//! The build graph for other programs: Graphviz and JSON.

use std::sync::Arc;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Asker, Blocker, BuildGraph, BuildNode, Edge};
use crate::Deferred;
use crate::plan::order_of;

/// The graph in Graphviz's language: an arrow from what needs to what is needed, labelled with the need; dashed
/// for needs at run time only. What cannot be built is red, filled in a cycle, whose needs are red as well; what needs
/// that is orange. The needs of a cycle that is opened are blue, dotted where they are deferred. Tooltips tell why.
#[must_use]
pub fn to_dot(graph: &BuildGraph) -> String {
    let mut text = String::from("digraph packages {\n  rankdir=LR;\n  node [shape=box];\n");
    let (_, blocked) = order_of(graph, &graph.nodes.keys().cloned().collect());
    let blocked: BTreeMap<String, Blocker> = blocked.into_iter().collect();
    for name in graph.nodes.keys() {
        let style = blocked.get(name).map(style).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {}{style};", quoted(name));
    }
    for node in graph.nodes.values() {
        let group = graph.cycles.iter().find(|cycle| cycle.members.contains(&node.name));
        for edge in &node.needs {
            let (from, to) = (quoted(&node.name), quoted(&edge.to));
            let in_cycle = group.is_some_and(|cycle| cycle.members.contains(&edge.to));
            let style = match (in_cycle, node.blocker.is_some()) {
                (true, true) => "color=red, penwidth=2, ",
                (true, false) => "color=blue, ",
                (false, _) => "",
            };
            let _ = writeln!(text, "  {from} -> {to} [{style}label={}];", quoted(&label(edge)));
        }
        for Deferred { edge, way_out } in &node.deferred {
            let (from, to, how) = (quoted(&node.name), quoted(&edge.to), format!("first {way_out}"));
            let label = quoted(&label(edge));
            let _ =
                writeln!(text, "  {from} -> {to} [color=blue, style=dotted, label={label}, tooltip={}];", quoted(&how));
        }
        let is_needed = |to: &str| node.needs.iter().any(|edge| edge.to == to);
        for edge in node.runtime_needs.iter().filter(|edge| !is_needed(&edge.to)) {
            let (from, to) = (quoted(&node.name), quoted(&edge.to));
            let _ = writeln!(text, "  {from} -> {to} [style=dashed, label={}];", quoted(&label(edge)));
        }
    }
    text.push_str("}\n");
    text
}

fn style(blocker: &Blocker) -> String {
    let (colour, why) = match blocker {
        Blocker::Cycle { cycle } => {
            ("red, style=filled, fillcolor=mistyrose", format!("in a cycle: {}", cycle.members.join(", ")))
        }
        Blocker::BlockedBy { names } => ("orange", format!("needs what cannot be built: {}", names.join(", "))),
        other => ("red", other.to_string().lines().next().unwrap_or_default().to_owned()),
    };
    format!(" [color={colour}, tooltip={}]", quoted(&why))
}

/// The graph as JSON: `{arch, packages: {NAME: {spec, packages, needs, deferred, runtime_needs, build_root, exact,
/// blocked}}, cycles, openings, opened}`; `openings` has for each of the cycles the needs to leave out, `opened` whether
/// that is done. A need is `{to, package, because: [text, …]}`, with `until_then` if it is deferred; a member of the
/// build root `{package, from}`.
#[must_use]
pub fn to_json(graph: &BuildGraph) -> Value {
    let edge = |edge: &Edge| {
        let texts: Vec<_> = edge.reasons.iter().map(ToString::to_string).collect();
        json!({"to": edge.to, "package": edge.package.to_string(), "because": texts})
    };
    let edges = |edges: &[Arc<Edge>]| -> Vec<Value> { edges.iter().map(|one| edge(one)).collect() };
    let deferred = |node: &BuildNode| -> Vec<Value> {
        let value = |deferred: &Deferred| {
            let mut value = edge(&deferred.edge);
            value["until_then"] = json!(deferred.way_out.to_string());
            value
        };
        node.deferred.iter().map(value).collect()
    };
    let mut packages = serde_json::Map::new();
    for node in graph.nodes.values() {
        let root = node.build_root.iter().map(|member| {
            let from = match (&member.source, &member.seed) {
                (Some(source), _) => source.clone(),
                (None, seed) => format!("seed {}", seed.as_deref().unwrap_or_default()),
            };
            json!({"package": member.nevra.to_string(), "from": from})
        });
        let value = json!({
            "spec": node.spec,
            "packages": node.packages.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "needs": edges(&node.needs),
            "deferred": deferred(node),
            "runtime_needs": edges(&node.runtime_needs),
            "unmet_at_run_time": node.unmet_at_run_time.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "build_root": root.collect::<Vec<_>>(),
            "exact": node.exact,
            "blocked": node.blocker.as_ref().map(ToString::to_string),
        });
        packages.insert(node.name.clone(), value);
    }
    let cycles: Vec<Vec<&str>> =
        graph.cycles.iter().map(|cycle| cycle.steps.iter().map(|step| &*step.from).collect()).collect();
    let openings: Vec<Vec<Value>> = graph
        .cycles
        .iter()
        .map(|cycle| cycle.opening.iter().map(|step| json!({"from": step.from, "to": step.edge.to})).collect())
        .collect();
    let opened: Vec<bool> = graph.cycles.iter().map(|cycle| cycle.is_opened).collect();
    json!({"arch": graph.arch, "packages": packages, "cycles": cycles, "openings": openings, "opened": opened})
}

fn label(edge: &Edge) -> String {
    let Some(reason) = edge.reasons.first() else { return String::new() };
    let origin = if reason.asker == Asker::Generated { " (generated)" } else { "" };
    format!("{}{origin}", reason.dependency)
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
