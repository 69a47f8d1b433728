//! Nodes: what they are, where they stand, how to get from one to others.

use std::fmt;

use super::{Span, Tree};

/// No node.
pub(super) const NONE: usize = usize::MAX;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `%if` to `%endif`: its branches, then the `%endif`, which may be missing.
    Conditional,
    /// One branch: its `%if`, `%elif` or `%else`, then what stands in it.
    Branch,
    /// A section: its header, then what stands in it. The first section of a spec, its preamble, has no header.
    Section,
    /// The line of an `%if`, `%elif`, `%else` or `%endif`.
    Directive,
    /// The line that begins a section: `%package -n x`, `%files -f list`.
    Header,
    /// A tag of a preamble.
    Tag,
    /// A `%define` or `%global` with all lines of its body.
    Definition,
    /// An `%include`.
    Include,
    /// An entry of the changelog: the line with `*`, and its text.
    Entry,
    /// A line that begins with `#`, where rpm takes such lines for comments.
    Comment,
    /// Lines of white space.
    Blank,
    /// Any other lines: scripts, descriptions, files, macros that write spec text.
    Text,
}

impl Kind {
    /// Whether it is made of other nodes.
    #[must_use]
    pub const fn is_container(self) -> bool {
        matches!(self, Self::Conditional | Self::Branch | Self::Section)
    }
}

/// A node as it is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Data {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
    pub line: usize,
    pub parent: usize,
    /// The section around it.
    pub section: usize,
    /// The first node behind it that it does not contain.
    pub next: usize,
    pub conditional: bool,
}

/// A node of a tree.
#[derive(Clone, Copy)]
pub struct Node<'tree> {
    pub(super) tree: &'tree Tree,
    pub(super) index: usize,
}

impl<'tree> Node<'tree> {
    pub(super) fn data(self) -> &'tree Data {
        &self.tree.nodes[self.index]
    }

    fn other(self, index: usize) -> Option<Self> {
        (index != NONE).then_some(Self { index, ..self })
    }

    /// What it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.data().kind
    }

    /// Its bytes.
    #[must_use]
    pub fn span(self) -> Span {
        self.data().start..self.data().end
    }

    /// Its first line, from 1. Nodes begin at the beginning of a line.
    #[must_use]
    pub fn line(self) -> usize {
        self.data().line
    }

    /// Its text, line ends included.
    #[must_use]
    pub fn text(self) -> &'tree str {
        &self.tree.text[self.span()]
    }

    /// The container it stands in.
    #[must_use]
    pub fn parent(self) -> Option<Self> {
        self.other(self.data().parent)
    }

    /// The nodes it is made of.
    pub fn children(self) -> impl Iterator<Item = Self> {
        siblings(self.tree, self.index + 1, self.data().next)
    }

    /// The section it stands in; `None` where that depends on a condition.
    #[must_use]
    pub fn section(self) -> Option<Self> {
        self.other(self.data().section)
    }

    /// Whether it counts only if a condition holds.
    #[must_use]
    pub fn is_conditional(self) -> bool {
        self.data().conditional
    }
}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Data { kind, start, end, line, .. } = self.data();
        write!(formatter, "{kind:?} in line {line}, {start}..{end}")
    }
}

/// Nodes side by side, from one index to another.
pub(super) fn siblings(tree: &Tree, from: usize, to: usize) -> impl Iterator<Item = Node<'_>> {
    let first = (from < to).then_some(from);
    std::iter::successors(first, move |index| Some(tree.nodes[*index].next).filter(|next| *next < to))
        .map(move |index| Node { tree, index })
}
