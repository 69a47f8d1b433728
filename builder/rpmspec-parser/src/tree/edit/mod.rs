//! Edits: what must change in a text, and nothing else.
//!
//! The operations of [`Tree`] here do not change it: each gives an [`Edit`], or a [`Refusal`] where the text alone does
//! not say what to change. [`Tree::apply`] makes an edit; every byte that it does not name stays.

mod changelog;
mod lists;
mod values;

pub use changelog::Entry;

use super::{Kind, Node, PackageName, Span, Tag, Tree};
use crate::spec::balance::Balance;

/// Replacements of bytes of one tree's text: in its order, and not overlapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// The bytes that are replaced, and by what.
    pub changes: Vec<(Span, String)>,
}

/// Why an edit is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing to change.
    #[error("there is no {0}")]
    Missing(String),
    /// It counts only if a condition holds, so that another one may count elsewhere.
    #[error("{what} in line {line} stands in an %if")]
    Conditional {
        /// What was asked for.
        what: String,
        /// Where it is.
        line: usize,
    },
    /// There are several of it.
    #[error("there is more than one {0}")]
    Several(String),
    /// A macro of this file is not all of the value, or has more than the value in it.
    #[error("{what} in line {line} is put together from macros: {text}")]
    Composite {
        /// What was asked for.
        what: String,
        /// Where it is.
        line: usize,
        /// What is written.
        text: String,
    },
    /// The value is a macro that this file does not define before its use.
    #[error("the macro %{0} is not defined in this file")]
    DefinedElsewhere(String),
    /// It is there already.
    #[error("line {0} says so already")]
    AlreadyThere(usize),
    /// The new text would not be one line, one value, or one day.
    #[error("`{0}` cannot be written here")]
    BadText(String),
    /// The changelog has a newer entry.
    #[error("the changelog's entry in line {0} is newer")]
    OutOfOrder(usize),
    /// A backslash joins the line to another.
    #[error("line {0} is joined to another by a backslash")]
    Joined(usize),
    /// A file that is included may have sources and patches with any number.
    #[error("the file included in line {0} may have the next number already")]
    Included(usize),
    /// The text begins what it does not end.
    #[error("the text does not end what it begins")]
    Unfinished,
}

impl Edit {
    fn one(span: Span, text: impl Into<String>) -> Self {
        Self { changes: vec![(span, text.into())] }
    }
}

impl Tree {
    /// The text with an edit of this tree made.
    ///
    /// ```
    /// use rpmspec_parser::tree::Tree;
    ///
    /// let tree = Tree::parse("BuildRequires:  gcc, make\n%description\n");
    /// let tree = tree.apply(&tree.add(None, "BuildRequires", "cmake >= 3").unwrap());
    /// let tree = tree.apply(&tree.remove(None, "BuildRequires", "make").unwrap());
    /// assert_eq!(tree.text(), "BuildRequires:  gcc\nBuildRequires:  cmake >= 3\n%description\n");
    /// ```
    #[must_use]
    pub fn apply(&self, edit: &Edit) -> Self {
        let mut text = String::with_capacity(self.text.len());
        let mut at = 0;
        for (span, new) in &edit.changes {
            text.push_str(self.text.get(at..span.start).unwrap_or_default());
            text.push_str(new);
            at = span.end;
        }
        text.push_str(self.text.get(at..).unwrap_or_default());
        Self::parse(&text)
    }

    /// The tags of a package's preamble: the main one's, or that of a subpackage by its suffix or its full name.
    fn tags<'tree>(&'tree self, package: Option<&str>) -> impl Iterator<Item = (Node<'tree>, Tag<'tree>)> {
        self.nodes()
            .filter(move |node| node.preamble().is_some_and(|name| is_package(name, package)))
            .filter_map(|node| Some((node, node.tag()?)))
    }

    /// The section that is a package's preamble.
    fn preamble(&self, package: Option<&str>) -> Result<Node<'_>, Refusal> {
        let header = |node: &Node<'_>| match node.header() {
            None => package.is_none(),
            Some(header) => header.word == "%package" && is_package(header.package, package),
        };
        let mut found = self.nodes().filter(|node| node.kind() == Kind::Section).filter(header);
        let what = || format!("package {}", package.unwrap_or("but the main one"));
        let section = found.next().ok_or_else(|| Refusal::Missing(what()))?;
        if found.next().is_some() {
            return Err(Refusal::Several(what()));
        }
        if section.is_conditional() {
            return Err(Refusal::Conditional { what: what(), line: section.line() });
        }
        Ok(section)
    }
}

fn is_package(name: PackageName<'_>, package: Option<&str>) -> bool {
    match (name, package) {
        (PackageName::Main, package) => package.is_none(),
        (PackageName::Suffix(name) | PackageName::Full(name), package) => package == Some(name),
    }
}

/// Says whether a text can be written on a line of its own.
fn check(text: &str) -> Result<(), Refusal> {
    let mut balance = Balance::default();
    balance.add(text, 0);
    let fits = !text.is_empty() && text.trim() == text && !text.contains(['\n', '\r', '\0', '\\']);
    if fits && balance.is_complete() { Ok(()) } else { Err(Refusal::BadText(text.to_owned())) }
}

/// The line end that a text ends with, or the usual one.
fn line_end(text: &str) -> &'static str {
    if text.ends_with("\r\n") { "\r\n" } else { "\n" }
}

/// The change that puts lines behind a node: `text` has a line end behind each but the last.
fn behind(node: Node<'_>, text: &str) -> Result<Edit, Refusal> {
    stands_alone(node)?;
    let end = line_end(node.text());
    let at = node.span().end;
    if at == node.tree.text.len() && !node.tree.faults.is_empty() {
        return Err(Refusal::Unfinished);
    }
    Ok(if node.text().is_empty() || node.text().ends_with('\n') {
        Edit::one(at..at, format!("{text}{end}"))
    } else {
        Edit::one(at..at, format!("{end}{text}"))
    })
}

/// Says whether lines around a node can come and go without being joined to others.
fn stands_alone(node: Node<'_>) -> Result<(), Refusal> {
    let joined = node.tree.text[..node.span().start].ends_with("\\\n") || node.text().ends_with("\\\n");
    if joined { Err(Refusal::Joined(node.line())) } else { Ok(()) }
}
