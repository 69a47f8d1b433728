//! The lossless tree of a spec: what stands in the file, byte for byte, for editing it without disturbing it.
//!
//! [`Tree::parse`] takes any text and never fails; printing the tree gives the text back exactly. The leaves of the
//! tree cover the text without gap or overlap, and [`edit`] changes only the bytes that must change.
//!
//! The tree is *syntactic*: it says what is written, with macros as they are spelled and both branches of every `%if`.
//! What a spec *means* on a target, with macros expanded and conditions decided, is what [`crate::evaluate`] says.
//! The two use the same rules for where lines, macros, tags and sections begin and end, so a tag that is literal and
//! unconditional has the value here that evaluation gives it. They differ where a macro writes spec text: a line
//! `%{?scl:Requires: %scl}` or `%debug_package` is [`Kind::Text`] here, and what it expands to is unknown.
//!
//! ```
//! use rpmspec_parser::tree::{Kind, Tree};
//!
//! let text = "%global ver 1.0\r\nName: hello\r\nVersion: %{ver}\r\n%if 0\r\nRequires: a\r\n%endif\r\n";
//! let tree = Tree::parse(text);
//! assert_eq!(tree.to_string(), text);
//! let tag = tree.nodes().find_map(|node| node.tag().filter(|tag| tag.is("Version"))).expect("it is there");
//! assert_eq!((tag.value, tree.line_and_column(tag.value_span.start)), ("%{ver}", (3, 10)));
//! let edited = tree.apply(&tree.set_value(None, "Version", "1.1").expect("it is a macro of this file"));
//! assert_eq!(edited.to_string(), text.replace("1.0", "1.1"));
//! ```

mod build;
pub mod edit;
mod lines;
mod node;
mod parts;

pub use edit::{Edit, Entry, Refusal};
pub use node::{Kind, Node};
pub use parts::{Definition, Header, Item, PackageName, Tag};

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::{Diagnostic, Place};

/// A range of bytes in the text of a tree.
pub type Span = Range<usize>;

/// Something the text begins and never ends, or ends without having begun it.
#[derive(Clone, Copy, Debug)]
struct Fault {
    at: usize,
    message: &'static str,
}

/// A spec as it is written.
#[derive(Clone, Debug)]
pub struct Tree {
    text: Arc<str>,
    /// All nodes in the order of the text, each before what it contains. No node owns another, so that no depth of
    /// nesting is a problem.
    nodes: Vec<node::Data>,
    faults: Vec<Fault>,
}

impl Tree {
    /// Reads a text. Any text is a tree; what is wrong with it is in [`Self::diagnostics`]. Takes time and memory in
    /// proportion to the text's length.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (lines, mut faults) = lines::read(text);
        let nodes = build::build(text, &lines, &mut faults);
        faults.sort_by_key(|fault| fault.at);
        Self { text: Arc::from(text), nodes, faults }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All nodes in the order of the text, each before its children.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = Node<'_>> {
        (0..self.nodes.len()).map(|index| Node { tree: self, index })
    }

    /// The nodes without children, whose spans follow each other from the text's beginning to its end.
    pub fn leaves(&self) -> impl DoubleEndedIterator<Item = Node<'_>> {
        self.nodes().filter(|node| !node.kind().is_container())
    }

    /// The outermost nodes.
    pub fn roots(&self) -> impl Iterator<Item = Node<'_>> {
        node::siblings(self, 0, self.nodes.len())
    }

    /// Line and column of an offset, both from 1, the column in bytes.
    #[must_use]
    pub fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let offset = offset.min(self.text.len());
        let index = self.nodes.partition_point(|node| node.start <= offset);
        let (start, line) =
            index.checked_sub(1).map_or((0, 1), |index| (self.nodes[index].start, self.nodes[index].line));
        let between = &self.text.as_bytes()[start..offset];
        let column = memchr::memrchr(b'\n', between).map_or(between.len(), |end| between.len() - end - 1) + 1;
        (line + memchr::memchr_iter(b'\n', between).count(), column)
    }

    /// What the text begins and never ends, or ends without having begun it, in the order of the text. `file` is
    /// the name for places.
    #[must_use]
    pub fn diagnostics(&self, file: &str) -> Vec<Diagnostic> {
        let file: Arc<str> = Arc::from(file);
        let place = |fault: &Fault| {
            let (line, column) = self.line_and_column(fault.at);
            let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            Place { file: Arc::clone(&file), line: number(line), column: number(column) }
        };
        self.faults.iter().map(|fault| Diagnostic::error(fault.message).at(&place(fault))).collect()
    }
}

/// Writes the text, exactly as it was read.
impl fmt::Display for Tree {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.leaves().try_for_each(|leaf| formatter.write_str(leaf.text()))
    }
}
