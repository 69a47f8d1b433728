//! The table of definitions: a stack for each name, of which only the newest counts.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::Level;
use super::builtin::Builtin;
use crate::Place;

/// One definition of a macro.
#[derive(Debug)]
pub(super) struct Definition {
    /// The name, without `%`.
    pub(super) name: Arc<str>,
    /// What the parentheses behind the name hold; `None` for a macro without parameters.
    pub(super) options: Option<Box<str>>,
    /// The body, unexpanded.
    pub(super) body: Arc<str>,
    /// The level it was made at.
    pub(super) level: Level,
    /// What expanding it does.
    pub(super) kind: Kind,
    /// Where it stands, where known.
    pub(super) place: Option<Place>,
}

/// What expanding a definition does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Its body is expanded.
    Text,
    /// Its body is the result as it is.
    Literal,
    /// A literal made by a parametric call (`%1`, `%*`, `%{-f}`), seen only at its own level and deeper ones.
    Argument,
    /// The engine computes the result.
    Builtin(&'static Builtin),
}

impl Definition {
    /// Whether it takes arguments.
    pub(super) fn is_parametric(&self) -> bool {
        self.options.is_some()
    }
}

/// A definition, and whether it was ever looked up.
#[derive(Clone, Debug)]
struct Entry {
    definition: Arc<Definition>,
    used: bool,
}

/// All definitions in force and those they hide.
#[derive(Clone, Debug, Default)]
pub(super) struct MacroTable {
    stacks: HashMap<Arc<str>, Vec<Entry>>,
    /// Names with a definition inside a parametric call: the only ones the end of a call has to look at.
    scoped: BTreeSet<Arc<str>>,
    /// Bytes of all bodies, to bound memory.
    size: usize,
}

impl MacroTable {
    /// Bytes of all names and bodies.
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// Returns the definition in force.
    pub(super) fn get(&self, name: &str) -> Option<&Arc<Definition>> {
        self.stacks.get(name)?.last().map(|entry| &entry.definition)
    }

    /// Returns the definition in force for a call at a level, and notes that it is used. The arguments of an
    /// outer call are not seen by an inner one.
    pub(super) fn find(&mut self, name: &str, level: i32) -> Option<Arc<Definition>> {
        let entry = self.stacks.get_mut(name)?.last_mut()?;
        if level > entry.definition.level.0 && matches!(entry.definition.kind, Kind::Argument) {
            return None;
        }
        entry.used = true;
        Some(Arc::clone(&entry.definition))
    }

    /// Defines a name on top of what it meant until now.
    pub(super) fn push(&mut self, definition: Definition) {
        self.size = self.size.saturating_add(definition.name.len() + definition.body.len());
        let name = Arc::clone(&definition.name);
        if definition.level.0 > 0 {
            self.scoped.insert(Arc::clone(&name));
        }
        self.stacks.entry(name).or_default().push(Entry { definition: Arc::new(definition), used: false });
    }

    /// Takes the newest definition of a name away.
    pub(super) fn pop(&mut self, name: &str) {
        let Some(stack) = self.stacks.get_mut(name) else { return };
        if let Some(entry) = stack.pop() {
            self.size = self.size.saturating_sub(entry.definition.name.len() + entry.definition.body.len());
        }
        if stack.is_empty() {
            self.stacks.remove(name);
        }
    }

    /// Ends a parametric call: takes away, of each name, the newest definition if it was made inside.
    /// Returns the names of those nobody looked up, sorted.
    pub(super) fn end_scope(&mut self, level: i32) -> Vec<Arc<str>> {
        let mut unused = Vec::new();
        let mut over = Vec::new();
        for name in &self.scoped {
            let Some(stack) = self.stacks.get_mut(name) else {
                over.push(Arc::clone(name));
                continue;
            };
            let Some(entry) = stack.last() else { continue };
            if entry.definition.level.0 >= level {
                if !entry.used && matches!(entry.definition.kind, Kind::Text | Kind::Literal) {
                    unused.push(Arc::clone(name));
                }
                if let Some(entry) = stack.pop() {
                    self.size = self.size.saturating_sub(entry.definition.name.len() + entry.definition.body.len());
                }
            }
            if !stack.iter().any(|entry| entry.definition.level.0 > 0) {
                over.push(Arc::clone(name));
            }
            if stack.is_empty() {
                self.stacks.remove(name);
            }
        }
        for name in over {
            self.scoped.remove(&name);
        }
        unused
    }

    /// Takes away every definition of exactly a level that is the newest of its name.
    pub(super) fn forget(&mut self, level: Level) {
        let mut size = self.size;
        self.stacks.retain(|_, stack| {
            stack.retain(|entry| {
                let keep = entry.definition.level != level;
                if !keep {
                    size = size.saturating_sub(entry.definition.name.len() + entry.definition.body.len());
                }
                keep
            });
            !stack.is_empty()
        });
        self.size = size;
    }

    /// Returns the definitions in force, by name, and whether each was ever looked up.
    pub(super) fn all(&self) -> Vec<(&Definition, bool)> {
        let mut all: Vec<_> = self
            .stacks
            .values()
            .filter_map(|stack| stack.last())
            .map(|entry| (&*entry.definition, entry.used))
            .collect();
        all.sort_by(|left, right| left.0.name.cmp(&right.0.name));
        all
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a missing definition is the test's failure")]

    use super::*;

    fn text(name: &str, body: &str, level: i32) -> Definition {
        Definition {
            name: name.into(),
            options: None,
            body: body.into(),
            level: Level(level),
            kind: Kind::Text,
            place: None,
        }
    }

    #[test]
    fn definitions_are_stacked() {
        let mut table = MacroTable::default();
        table.push(text("a", "1", 0));
        table.push(text("a", "2", 0));
        assert_eq!(&*table.get("a").unwrap().body, "2");
        table.pop("a");
        assert_eq!(&*table.get("a").unwrap().body, "1");
        table.pop("a");
        table.pop("a");
        assert!(table.get("a").is_none());
        assert_eq!(table.size(), 0);
    }

    #[test]
    fn the_end_of_a_scope_takes_away_what_was_made_inside() {
        let mut table = MacroTable::default();
        table.push(text("a", "1", 0));
        table.push(text("b", "2", 1));
        table.push(text("a", "3", 1));
        table.find("a", 1);
        assert_eq!(table.end_scope(1), ["b".into()] as [Arc<str>; 1]);
        assert_eq!(&*table.get("a").unwrap().body, "1");
        assert!(table.get("b").is_none());
    }

    #[test]
    fn arguments_are_not_seen_by_inner_calls() {
        let mut table = MacroTable::default();
        table.push(Definition { kind: Kind::Argument, ..text("1", "x", 1) });
        assert!(table.find("1", 2).is_none());
        assert!(table.find("1", 1).is_some());
    }
}
