//! The table of definitions: a stack for each name, of which only the newest counts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Level;
use super::builtin::Builtin;
use super::hash::Seed;
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
    /// Its body has marks of quotes.
    pub(super) quoted: bool,
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

/// The definitions of each name, the newest last.
type Stacks = HashMap<Arc<str>, Vec<Entry>, Seed>;

/// All definitions in force and those they hide.
///
/// What many specs have in common is shared and never changes; of a name that is touched, the whole stack is
/// copied first. So a copy of a table costs nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct MacroTable {
    shared: Arc<Stacks>,
    /// The stacks of names that were touched; empty where nothing is left of a shared one.
    own: Stacks,
    /// Names by the levels of their definitions inside parametric calls: the only ones the end of a call has to look
    /// at are those of its own level.
    scoped: BTreeMap<i32, Vec<Arc<str>>>,
    /// Bytes of all bodies, to bound memory.
    size: usize,
}

impl Entry {
    fn size(&self) -> usize {
        self.definition.name.len() + self.definition.body.len()
    }
}

impl MacroTable {
    /// Bytes of all names and bodies.
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// Makes everything shared among the copies to be made from now on.
    pub(super) fn share(self) -> Self {
        let mut stacks = Arc::unwrap_or_clone(self.shared);
        stacks.extend(self.own);
        stacks.retain(|_, stack| !stack.is_empty());
        Self { shared: Arc::new(stacks), own: Stacks::default(), scoped: self.scoped, size: self.size }
    }

    fn stack(&self, name: &str) -> Option<&Vec<Entry>> {
        self.own.get(name).or_else(|| self.shared.get(name))
    }

    /// A stack that may be changed, if there is one.
    fn stack_mut(&mut self, name: &str) -> Option<&mut Vec<Entry>> {
        if !self.own.contains_key(name) {
            let (name, stack) = self.shared.get_key_value(name)?;
            self.own.insert(Arc::clone(name), stack.clone());
        }
        self.own.get_mut(name)
    }

    /// Returns the definition in force.
    pub(super) fn get(&self, name: &str) -> Option<&Arc<Definition>> {
        self.stack(name)?.last().map(|entry| &entry.definition)
    }

    /// Returns the definition in force for a call at a level, and notes that it is used. The arguments of an
    /// outer call are not seen by an inner one.
    pub(super) fn find(&mut self, name: &str, level: i32) -> Option<Arc<Definition>> {
        let Some(stack) = self.own.get_mut(name) else {
            return self.shared.get(name)?.last().map(|entry| Arc::clone(&entry.definition));
        };
        let entry = stack.last_mut()?;
        if level > entry.definition.level.0 && matches!(entry.definition.kind, Kind::Argument) {
            return None;
        }
        entry.used = true;
        Some(Arc::clone(&entry.definition))
    }

    /// Defines a name on top of what it meant until now.
    pub(super) fn push(&mut self, definition: Definition) {
        let entry = Entry { definition: Arc::new(definition), used: false };
        self.size = self.size.saturating_add(entry.size());
        let name = &entry.definition.name;
        let level = entry.definition.level.0;
        if level > 0 {
            self.scoped.entry(level).or_default().push(Arc::clone(name));
        }
        match self.stack_mut(&Arc::clone(name)) {
            Some(stack) => stack.push(entry),
            None => {
                self.own.insert(Arc::clone(name), vec![entry]);
            }
        }
    }

    /// Takes the newest definition of a name away.
    pub(super) fn pop(&mut self, name: &str) {
        let Some(stack) = self.stack_mut(name) else { return };
        let gone = stack.pop().map_or(0, |entry| entry.size());
        self.size = self.size.saturating_sub(gone);
        self.forget_if_empty(name);
    }

    /// Takes an empty stack away, unless it hides a shared one.
    fn forget_if_empty(&mut self, name: &str) {
        if self.own.get(name).is_some_and(Vec::is_empty) && !self.shared.contains_key(name) {
            self.own.remove(name);
        }
    }

    /// Ends a parametric call: takes away, of each name, the newest definition if it was made inside, or `all` that
    /// were. Returns the names of those nobody looked up, sorted.
    pub(super) fn end_scope(&mut self, level: i32, all: bool) -> Vec<Arc<str>> {
        let mut unused = Vec::new();
        let mut ended: Vec<_> = self.scoped.split_off(&level).into_values().flatten().collect();
        ended.sort_unstable();
        ended.dedup();
        for name in ended {
            // What is made inside a call is a table's own.
            let Some(stack) = self.own.get_mut(&name) else { continue };
            if let Some(entry) = stack.pop_if(|entry| entry.definition.level.0 >= level) {
                if !entry.used && matches!(entry.definition.kind, Kind::Text | Kind::Literal) {
                    unused.push(Arc::clone(&name));
                }
                self.size = self.size.saturating_sub(entry.size());
            }
            while all && let Some(entry) = stack.pop_if(|entry| entry.definition.level.0 >= level) {
                self.size = self.size.saturating_sub(entry.size());
            }
            for left in stack.iter().map(|entry| entry.definition.level.0).filter(|left| *left >= level) {
                self.scoped.entry(left).or_default().push(Arc::clone(&name));
            }
            self.forget_if_empty(&name);
        }
        unused
    }

    /// Takes away every definition of exactly a level that is the newest of its name.
    pub(super) fn forget(&mut self, level: Level) {
        let at_level = |entry: &Entry| entry.definition.level == level;
        let names: Vec<Arc<str>> = self
            .shared
            .iter()
            .chain(&self.own)
            .filter(|(_, stack)| stack.iter().any(at_level))
            .map(|(name, _)| Arc::clone(name))
            .collect();
        for name in names {
            let mut gone = 0;
            if let Some(stack) = self.stack_mut(&name) {
                stack.retain(|entry| {
                    gone += if at_level(entry) { entry.size() } else { 0 };
                    !at_level(entry)
                });
            }
            self.size = self.size.saturating_sub(gone);
            self.forget_if_empty(&name);
        }
    }

    /// Returns the name that is spelled most like another one.
    pub(super) fn nearest(&self, name: &str) -> Option<String> {
        let names = self.shared.keys().chain(self.own.keys()).filter(|known| known.len().abs_diff(name.len()) <= 3);
        let near = names.map(|known| (strsim::damerau_levenshtein(known, name), known));
        let near = near.filter(|(distance, known)| *distance <= 1 + known.len() / 6 && self.get(known).is_some());
        near.min().map(|(_, known)| known.to_string())
    }

    /// Returns the definitions in force, by name, and whether each was ever looked up, where that is known.
    pub(super) fn all(&self) -> Vec<(&Definition, bool)> {
        let shared = self.shared.iter().filter(|(name, _)| !self.own.contains_key(*name));
        let newest = shared.chain(&self.own).filter_map(|(_, stack)| stack.last());
        let mut all: Vec<_> = newest.map(|entry| (&*entry.definition, entry.used)).collect();
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
            quoted: false,
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
        assert_eq!(table.end_scope(1, false), ["b".into()] as [Arc<str>; 1]);
        assert_eq!(&*table.get("a").unwrap().body, "1");
        assert!(table.get("b").is_none());
    }

    #[test]
    fn what_is_shared_stays_as_it_is() {
        let mut table = MacroTable::default();
        table.push(text("a", "1", 0));
        let shared = table.share();
        let mut copy = shared.clone();
        copy.push(text("a", "2", 0));
        copy.push(text("b", "3", -3));
        assert_eq!(&*copy.get("a").unwrap().body, "2");
        copy.pop("a");
        copy.pop("a");
        copy.pop("a");
        assert!(copy.get("a").is_none());
        copy.push(text("a", "4", 0));
        copy.forget(Level(-3));
        assert_eq!(copy.all().iter().map(|(found, _)| &*found.body).collect::<Vec<_>>(), ["4"]);
        assert_eq!((&*shared.get("a").unwrap().body, shared.size()), ("1", 2));
    }

    #[test]
    fn arguments_are_not_seen_by_inner_calls() {
        let mut table = MacroTable::default();
        table.push(Definition { kind: Kind::Argument, ..text("1", "x", 1) });
        assert!(table.find("1", 2).is_none());
        assert!(table.find("1", 1).is_some());
    }
}
