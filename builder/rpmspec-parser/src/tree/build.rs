//! The second reading: puts lines into sections and conditionals.
//!
//! Conditionals nest; sections do not, and end where the next one or the branch they stand in ends. A conditional in
//! which a section begins is no part of the section before it, and what follows it belongs to one or another: such
//! lines stand outside of sections.

use super::Fault;
use super::lines::{Line, What, is_space};
use super::node::{Data, Kind, NONE};
use crate::macros::RpmVersion;
use crate::spec::conditional::LineKind;
use crate::spec::sections::Part;
use crate::spec::tags::find_tag;

/// What kind of text a section holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Tags,
    /// Text in which a line may be a comment: descriptions, lists of files.
    Lines,
    Script,
    Changelog,
}

impl Content {
    const fn of(part: Part) -> Self {
        match part {
            Part::Preamble => Self::Tags,
            Part::Changelog => Self::Changelog,
            Part::Build(_) | Part::Script(_) => Self::Script,
            _ => Self::Lines,
        }
    }
}

struct Builder<'a> {
    text: &'a str,
    nodes: Vec<Data>,
    /// The containers that are open, outermost first.
    open: Vec<usize>,
    /// How many of them are conditionals.
    conditionals: usize,
    /// The content of the innermost section, while it is open.
    content: Content,
    /// Whether the last branch that began was an `%else`, for each open conditional.
    elses: Vec<bool>,
    faults: &'a mut Vec<Fault>,
}

/// Builds the nodes.
pub(super) fn build(text: &str, lines: &[Line], faults: &mut Vec<Fault>) -> Vec<Data> {
    let mut builder = Builder {
        text,
        nodes: Vec::with_capacity(lines.len().min(1 << 16) + 1),
        open: Vec::new(),
        conditionals: 0,
        content: Content::Tags,
        elses: Vec::new(),
        faults,
    };
    builder.begin(Kind::Section, 0, 1);
    for line in lines {
        builder.add(line);
    }
    while !builder.open.is_empty() {
        let index = builder.end(text.len());
        if builder.nodes[index].kind == Kind::Conditional {
            let at = builder.nodes[index].start;
            builder.faults.push(Fault { at, message: "Unclosed %if" });
        }
    }
    builder.nodes
}

impl Builder<'_> {
    fn add(&mut self, line: &Line) {
        match line.what {
            What::Opening { has_sections } => {
                if has_sections {
                    self.end_section(line.start);
                }
                self.begin(Kind::Conditional, line.start, line.line);
                self.conditionals += 1;
                self.elses.push(false);
                self.begin(Kind::Branch, line.start, line.line);
                self.leaf(Kind::Directive, line);
            }
            What::Turning(kind) => {
                if self.conditionals == 0 {
                    let message = if kind == LineKind::Else { "%else with no %if" } else { "%elif with no %if" };
                    self.faults.push(Fault { at: line.start, message });
                } else {
                    self.end_branch(line.start);
                    self.begin(Kind::Branch, line.start, line.line);
                    if let Some(is_else) = self.elses.last_mut()
                        && std::mem::replace(is_else, kind == LineKind::Else)
                    {
                        let message = if *is_else { "%else after %else" } else { "%elif after %else" };
                        self.faults.push(Fault { at: line.start, message });
                    }
                }
                self.leaf(Kind::Directive, line);
            }
            What::Closing if self.conditionals == 0 => {
                self.faults.push(Fault { at: line.start, message: "%endif with no %if" });
                self.leaf(Kind::Directive, line);
            }
            What::Closing => {
                self.end_branch(line.start);
                self.leaf(Kind::Directive, line);
                self.end(line.end);
                self.conditionals -= 1;
                self.elses.pop();
            }
            What::Include => self.leaf(Kind::Include, line),
            What::Definition => self.leaf(Kind::Definition, line),
            What::Header(part) => {
                self.end_section(line.start);
                self.begin(Kind::Section, line.start, line.line);
                self.content = Content::of(part);
                self.leaf(Kind::Header, line);
            }
            What::Other => self.other(line),
        }
    }

    fn other(&mut self, line: &Line) {
        let in_section = self.section() != NONE;
        let content = if in_section { self.content } else { Content::Lines };
        let text = &self.text[line.start..line.end];
        let trimmed = text.trim_start_matches(is_space);
        let kind = match content {
            Content::Script => Kind::Text,
            Content::Changelog if text.starts_with('*') => Kind::Entry,
            // What stands below an entry is its text, whatever it is.
            Content::Changelog if self.follows(Kind::Entry) => return self.extend(line),
            _ if trimmed.is_empty() => Kind::Blank,
            _ if trimmed.starts_with('#') => Kind::Comment,
            Content::Tags if text.contains(':') && find_tag(text, RpmVersion::any()).is_some() => Kind::Tag,
            _ => Kind::Text,
        };
        if matches!(kind, Kind::Text | Kind::Blank) && self.follows(kind) {
            return self.extend(line);
        }
        self.leaf(kind, line);
    }

    /// Whether the last node is a leaf of that kind in the container that is open.
    fn follows(&self, kind: Kind) -> bool {
        let parent = self.open.last().copied().unwrap_or(NONE);
        self.nodes.last().is_some_and(|node| node.kind == kind && node.parent == parent)
    }

    fn extend(&mut self, line: &Line) {
        if let Some(node) = self.nodes.last_mut() {
            node.end = line.end;
        }
    }

    fn section(&self) -> usize {
        match self.open.last() {
            Some(index) if self.nodes[*index].kind == Kind::Section => *index,
            Some(index) => self.nodes[*index].section,
            None => NONE,
        }
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize, line: usize) {
        let parent = self.open.last().copied().unwrap_or(NONE);
        let (section, next) = (self.section(), self.nodes.len() + 1);
        self.nodes.push(Data { kind, start, end, line, parent, section, next, conditional: self.conditionals > 0 });
    }

    fn leaf(&mut self, kind: Kind, line: &Line) {
        self.push(kind, line.start, line.end, line.line);
    }

    fn begin(&mut self, kind: Kind, start: usize, line: usize) {
        self.push(kind, start, start, line);
        self.open.push(self.nodes.len() - 1);
    }

    /// Ends the innermost container and says which it was.
    fn end(&mut self, at: usize) -> usize {
        let index = self.open.pop().unwrap_or(0);
        let next = self.nodes.len();
        let node = &mut self.nodes[index];
        (node.end, node.next) = (at, next);
        index
    }

    /// Ends the section that is open in the innermost branch, if one is.
    fn end_section(&mut self, at: usize) {
        if self.open.last().is_some_and(|index| self.nodes[*index].kind == Kind::Section) {
            self.end(at);
        }
    }

    fn end_branch(&mut self, at: usize) {
        self.end_section(at);
        self.end(at);
    }
}
