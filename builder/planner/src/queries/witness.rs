//! A set of packages that can be installed together, grown package by package without search.

use std::collections::BTreeSet;

use crate::Index;
use crate::index::Statement;

/// Packages that can be installed together: whatever one of them needs is among them, and none refuses another. So
/// each of them can be installed.
pub(super) struct Witness<'a> {
    index: &'a Index<'a>,
    hopeless: &'a [bool],
    there: Vec<bool>,
    /// The names taken; rpm keeps packages of one name apart.
    names: BTreeSet<u32>,
    /// Clauses of its packages that depend on what else is there: rich ones, Conflicts and Obsoletes.
    conditional: Vec<&'a Statement>,
}

impl<'a> Witness<'a> {
    /// The empty set, which never gets one of the hopeless packages.
    pub(super) fn new(index: &'a Index<'a>, hopeless: &'a [bool]) -> Self {
        let there = vec![false; index.packages.len()];
        Self { index, hopeless, there, names: BTreeSet::new(), conditional: Vec::new() }
    }

    /// Whether a package is among them.
    pub(super) fn has(&self, number: u32) -> bool {
        self.there[number as usize]
    }

    /// Adds a package with the first provider of each of its needs, and so on. Where that is refused, nothing is added,
    /// though another choice of providers may do.
    pub(super) fn add(&mut self, number: u32) -> bool {
        let (mut added, conditions) = (Vec::new(), self.conditional.len());
        let is_added = self.grow(number, &mut added);
        if !is_added {
            self.conditional.truncate(conditions);
            for number in added {
                self.there[number as usize] = false;
                self.names.remove(&self.index.packages[number as usize].name);
            }
        }
        is_added
    }

    fn grow(&mut self, number: u32, added: &mut Vec<u32>) -> bool {
        if !self.enter(number, added) {
            return false;
        }
        let (index, mut next) = (self.index, 0);
        loop {
            while let Some(number) = added.get(next).copied() {
                next += 1;
                for statement in &index.packages[number as usize].statements {
                    if !statement.absent.is_empty() {
                        self.conditional.push(statement);
                    } else if !self.meet(statement, added) {
                        return false;
                    }
                }
            }
            // What was just added may turn a condition.
            for place in 0..self.conditional.len() {
                let statement = self.conditional[place];
                let is_active = statement.absent.iter().all(|some| some.iter().any(|other| self.has(*other)));
                if is_active && !self.meet(statement, added) {
                    return false;
                }
            }
            if next == added.len() {
                return true;
            }
        }
    }

    /// Sees to it that one of a clause's packages is there.
    fn meet(&mut self, statement: &Statement, added: &mut Vec<u32>) -> bool {
        statement.present.iter().any(|number| self.has(*number))
            || statement.present.iter().any(|number| self.enter(*number, added))
    }

    fn enter(&mut self, number: u32, added: &mut Vec<u32>) -> bool {
        let is_possible =
            !self.hopeless[number as usize] && self.names.insert(self.index.packages[number as usize].name);
        if is_possible {
            self.there[number as usize] = true;
            added.push(number);
        }
        is_possible
    }
}
