//! What a name given by the user means.

use serde::Serialize;

use crate::explain::nearest::nearest_names;
use crate::{BuildGraph, BuildNode, Index};

/// A name that means nothing here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("no package `{name}` in {place}{}", alike(.nearest))]
pub struct UnknownName {
    /// The name asked for.
    pub name: String,
    /// Where it was looked for.
    pub place: &'static str,
    /// The names spelled most like it.
    pub nearest: Vec<String>,
}

impl UnknownName {
    /// A name that is none of those known.
    #[must_use]
    pub fn new<'a>(name: &str, place: &'static str, known: impl IntoIterator<Item = &'a str>) -> Self {
        Self { name: name.to_owned(), place, nearest: nearest_names(name, known) }
    }
}

fn alike(nearest: &[String]) -> String {
    if nearest.is_empty() { String::new() } else { format!(", spelled alike: {}", nearest.join(", ")) }
}

/// What a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// A source package of the tree, and so each of its packages.
    Source(String),
    /// A package of the tree that is not called like its source package.
    Package {
        /// Its name.
        name: String,
        /// Its source package.
        source: String,
    },
    /// A package that only seeds have.
    Seed(String),
}

impl Subject {
    /// The source package of the tree.
    pub(super) fn source(&self) -> Option<&str> {
        match self {
            Self::Source(source) | Self::Package { source, .. } => Some(source),
            Self::Seed(_) => None,
        }
    }

    /// Finds out what a name means: a source package first, then a package of the tree, then a seed's.
    pub(super) fn find(index: &Index<'_>, graph: &BuildGraph, name: &str) -> Result<Self, UnknownName> {
        if graph.nodes.contains_key(name) {
            return Ok(Self::Source(name.to_owned()));
        }
        if let Some(node) = maker(graph, name) {
            return Ok(Self::Package { name: name.to_owned(), source: node.name.clone() });
        }
        // Subpackages that the published RPMs have and the spec does not promise are packages of the tree as well.
        let named = |package: &&crate::index::Package<'_>| package.metadata.nevra.name == name;
        let mut found = index.packages.iter().filter(named).peekable();
        if found.peek().is_none() {
            let packages = index.packages.iter().map(|package| &*package.metadata.nevra.name);
            let known = graph.nodes.keys().map(|name| &**name).chain(packages);
            return Err(UnknownName::new(name, "the tree and its seeds", known));
        }
        Ok(match found.find_map(|package| index.source_name(package)) {
            Some(source) => Self::Package { name: name.to_owned(), source: source.to_owned() },
            None => Self::Seed(name.to_owned()),
        })
    }
}

/// The source package of the tree that a name means.
pub(super) fn node<'g>(graph: &'g BuildGraph, name: &str) -> Result<&'g BuildNode, UnknownName> {
    graph.nodes.get(name).or_else(|| maker(graph, name)).ok_or_else(|| {
        let packages = graph.nodes.values().flat_map(|node| &node.packages).map(|package| &*package.name);
        UnknownName::new(name, "the tree", graph.nodes.keys().map(|name| &**name).chain(packages))
    })
}

fn maker<'g>(graph: &'g BuildGraph, package: &str) -> Option<&'g BuildNode> {
    graph.nodes.values().find(|node| node.packages.iter().any(|own| own.name == package))
}
