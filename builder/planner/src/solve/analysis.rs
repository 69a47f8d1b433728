//! What a failed choice teaches: a clause that would have prevented it, or, where no choice is left, why.

use std::collections::BTreeSet;

use super::search::REQUEST;
use super::search::{Learned, Reason, Search, Stated, to_u32};

impl Search<'_> {
    /// Turns a clause without a way out into a learned one, undoes the choices it forbids and follows it.
    ///
    /// # Errors
    /// No choice is to blame: the clauses that exclude each other, sorted.
    pub(super) fn learn(&mut self, clash: Reason) -> Result<(), Vec<Stated>> {
        let mut learned = Learned::default();
        let mut seen = BTreeSet::new();
        let mut lower = Vec::new();
        let first = self.packages_of(clash, None);
        let level = first.iter().map(|number| self.states[*number as usize].level).max().unwrap_or(0);
        self.note(clash, &mut learned);
        if level == 0 {
            learned.known = first;
            return Err(self.roots(learned));
        }
        // The clash may be older than the last choice.
        self.undo(level);
        let mut at_level = 0usize;
        let mut next = first;
        let mut position = self.trail.len();
        let decisive = loop {
            for number in next {
                let state = self.states[number as usize];
                if state.level == 0 {
                    learned.known.push(number);
                } else if seen.insert(number) {
                    if state.level == level {
                        at_level += 1;
                    } else {
                        lower.push(number);
                    }
                }
            }
            // The latest of the packages at fault; of those of this level there is at least one.
            let number = loop {
                position -= 1;
                if seen.contains(&self.trail[position]) {
                    break self.trail[position];
                }
            };
            at_level -= 1;
            if at_level == 0 {
                break number;
            }
            let reason = self.states[number as usize].reason;
            self.note(reason, &mut learned);
            next = self.packages_of(reason, Some(number));
        };
        let value = self.is_there(decisive);
        let back = lower.iter().map(|number| self.states[*number as usize].level).max().unwrap_or(0);
        let literal = |number: &u32| (*number, !self.is_there(*number));
        learned.literals = std::iter::once(&decisive).chain(&lower).map(literal).collect();
        let place = to_u32(self.learned.len());
        for (number, _) in &learned.literals {
            self.mentions.entry(*number).or_default().push(place);
        }
        self.learned.push(learned);
        self.undo(back);
        self.assign(decisive, !value, Reason::Learned(place));
        Ok(())
    }

    fn note(&self, reason: Reason, learned: &mut Learned) {
        match reason {
            Reason::Stated(stated) => learned.from.push(stated),
            Reason::Learned(place) => {
                let other = &self.learned[place as usize];
                learned.from.extend(&other.from);
                learned.known.extend(&other.known);
            }
            Reason::Chosen | Reason::Name(_) => {}
        }
    }

    /// The packages by which a reason leaves nothing else than one package's being there or absent; for a clash, all
    /// of its packages. Packages that cannot be used are left out.
    fn packages_of(&self, reason: Reason, about: Option<u32>) -> Vec<u32> {
        let stated = match reason {
            Reason::Chosen => return Vec::new(),
            Reason::Name(other) => return vec![other],
            Reason::Learned(place) => {
                let literals = &self.learned[place as usize].literals;
                return literals.iter().map(|(number, _)| *number).filter(|number| Some(*number) != about).collect();
            }
            Reason::Stated(stated) => stated,
        };
        let statement = self.statement(stated);
        let known = statement.present.iter().copied();
        let known = known.filter(|number| Some(*number) != about && self.states[*number as usize].value.is_some());
        let mut packages: Vec<u32> = known.collect();
        packages.extend(Some(stated.owner).filter(|owner| *owner != REQUEST));
        for list in &statement.absent {
            // Of several packages that make a condition true, the first did.
            let there = list.iter().copied().filter(|number| self.is_there(*number));
            let first = there.min_by_key(|number| self.states[*number as usize].position);
            if !about.is_some_and(|about| list.contains(&about)) {
                packages.extend(first);
            }
        }
        packages
    }

    /// The clauses that a contradiction follows from.
    fn roots(&self, clash: Learned) -> Vec<Stated> {
        let mut found: BTreeSet<Stated> = clash.from.into_iter().collect();
        let (mut seen, mut open) = (BTreeSet::new(), clash.known);
        while let Some(number) = open.pop() {
            if seen.insert(number) {
                let mut more = Learned::default();
                let reason = self.states[number as usize].reason;
                self.note(reason, &mut more);
                found.extend(more.from);
                open.extend(more.known);
                open.extend(self.packages_of(reason, Some(number)));
            }
        }
        found.into_iter().collect()
    }
}
