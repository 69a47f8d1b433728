//! The search for an install set: choices in a fixed order, and what is learned where they fail.
//!
//! Each package is there, absent or open. A package that is there puts its clauses into play ([`Statement`]). What has
//! only one way out is done at once; then the first clause that nothing meets yet gets its first provider: clauses
//! whose providers differ in version only go before true alternatives, conditional ones come last, so that nothing is
//! chosen that a later need brings in anyway. Where a clause is left without a way out, the choice at fault is undone
//! and its reason kept as a new clause ([`analysis`](super::analysis)): the search never fails twice for one reason,
//! and ends. What is still open at the end is left out.

use std::collections::{BTreeSet, HashMap};

use crate::Index;
use crate::index::Statement;

/// Whose clauses: those of the request, not of a package.
pub(crate) const REQUEST: u32 = u32::MAX;

/// No entry.
const NONE: u32 = u32::MAX;

/// A clause, by who states it and its number among the clauses of that package or of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Stated {
    /// The number of a package, or [`REQUEST`].
    pub(crate) owner: u32,
    /// Its number.
    pub(crate) clause: u32,
}

/// Why a package is there or absent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reason {
    /// It was chosen.
    Chosen,
    /// A clause leaves nothing else.
    Stated(Stated),
    /// Another package of its name is there.
    Name(u32),
    /// A learned clause leaves nothing else.
    Learned(u32),
}

/// What is known of a package.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) value: Option<bool>,
    pub(super) reason: Reason,
    /// How many choices were made before, the one that led to this among them.
    pub(super) level: u32,
    /// Its place in the order in which packages became known.
    pub(super) position: u32,
}

/// How much was in play when a choice was made.
#[derive(Clone, Copy, Debug)]
struct Mark {
    trail: usize,
    open: [usize; 2],
    next: [usize; 2],
    conditional: usize,
}

/// A clause with several providers, two of which are watched: only when one of them becomes absent does it matter.
#[derive(Clone, Copy, Debug)]
struct Watched {
    stated: Stated,
    providers: [u32; 2],
    /// The next entry in the list of each provider.
    next: [u32; 2],
}

/// A clause that follows from the others: one of these packages is as told.
#[derive(Clone, Debug, Default)]
pub(super) struct Learned {
    pub(super) literals: Vec<(u32, bool)>,
    /// The clauses it follows from.
    pub(super) from: Vec<Stated>,
    /// Packages known without choice that were used.
    pub(super) known: Vec<u32>,
}

/// What a search fills, kept for the next one over the same index.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// The packages whose clauses were looked at, by all searches since it was last emptied.
    pub(crate) looked_at: Vec<u32>,
    states: Vec<State>,
    first: Vec<u32>,
    trail: Vec<u32>,
    watched: Vec<Watched>,
    open: [Vec<Stated>; 2],
    conditional: Vec<Stated>,
}

/// A search over one index.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    pub(super) index: &'a Index<'a>,
    request: &'a [&'a Statement],
    usable: &'a [bool],
    preferred: &'a [bool],
    within: Option<&'a BTreeSet<Stated>>,
    pub(super) states: Vec<State>,
    pub(super) trail: Vec<u32>,
    head: usize,
    marks: Vec<Mark>,
    watched: Vec<Watched>,
    /// The first entry in each package's list of watched clauses: twice the clause, and one more for its second provider.
    first: Vec<u32>,
    open: [Vec<Stated>; 2],
    next: [usize; 2],
    conditional: Vec<Stated>,
    pub(super) learned: Vec<Learned>,
    /// The learned clauses of every package that has some.
    pub(super) mentions: HashMap<u32, Vec<u32>>,
    looked_at: Vec<u32>,
}

impl<'a> Search<'a> {
    /// Finds the packages that meet the clauses of a request, in the order in which they were found.
    ///
    /// # Errors
    /// There are none: the clauses that exclude each other.
    pub(crate) fn run(
        index: &'a Index<'a>,
        request: &'a [&'a Statement],
        usable: &'a [bool],
        preferred: &'a [bool],
        room: &mut Room,
    ) -> Result<Vec<u32>, Vec<Stated>> {
        let mut search = Self::new(index, request, usable, preferred, None, std::mem::take(room));
        let found = search.search();
        *room = search.leave();
        found
    }

    /// Like [`Search::run`], as if there were no clauses but some.
    ///
    /// # Errors
    /// Those exclude each other.
    pub(crate) fn run_within(
        index: &'a Index<'a>,
        request: &'a [&'a Statement],
        usable: &'a [bool],
        preferred: &'a [bool],
        within: Option<&'a BTreeSet<Stated>>,
    ) -> Result<Vec<u32>, Vec<Stated>> {
        Self::new(index, request, usable, preferred, within, Room::default()).search()
    }

    fn new(
        index: &'a Index<'a>,
        request: &'a [&'a Statement],
        usable: &'a [bool],
        preferred: &'a [bool],
        within: Option<&'a BTreeSet<Stated>>,
        mut room: Room,
    ) -> Self {
        if room.states.len() != index.packages.len() {
            room.states =
                vec![State { value: None, reason: Reason::Chosen, level: 0, position: 0 }; index.packages.len()];
            room.first = vec![NONE; index.packages.len()];
        }
        let Room { looked_at, states, first, trail, watched, open, conditional } = room;
        Self {
            index,
            request,
            usable,
            preferred,
            within,
            states,
            trail,
            head: 0,
            marks: Vec::new(),
            watched,
            first,
            open,
            next: [0; 2],
            conditional,
            learned: Vec::new(),
            mentions: HashMap::new(),
            looked_at,
        }
    }

    /// Clears up what it used, package by package: most packages were never looked at.
    fn leave(mut self) -> Room {
        for number in self.trail.drain(..) {
            self.states[number as usize].value = None;
        }
        for number in self.watched.drain(..).flat_map(|watched| watched.providers) {
            self.first[number as usize] = NONE;
        }
        self.open.iter_mut().for_each(Vec::clear);
        self.conditional.clear();
        let Self { looked_at, states, first, trail, watched, open, conditional, .. } = self;
        Room { looked_at, states, first, trail, watched, open, conditional }
    }

    fn search(&mut self) -> Result<Vec<u32>, Vec<Stated>> {
        let mut clash = self.load(REQUEST);
        loop {
            match clash.or_else(|| self.propagate()) {
                Some(clash) => self.learn(clash)?,
                None => match self.choice() {
                    Some(number) => self.choose(number),
                    None => break,
                },
            }
            clash = None;
        }
        Ok(self.trail.iter().copied().filter(|number| self.is_there(*number)).collect())
    }

    pub(super) fn statement(&self, stated: Stated) -> &'a Statement {
        match stated.owner {
            REQUEST => self.request[stated.clause as usize],
            owner => &self.index.packages[owner as usize].statements[stated.clause as usize],
        }
    }

    fn value(&self, number: u32) -> Option<bool> {
        if self.usable[number as usize] { self.states[number as usize].value } else { Some(false) }
    }

    pub(super) fn is_there(&self, number: u32) -> bool {
        self.states[number as usize].value == Some(true)
    }

    fn is_absent(&self, number: u32) -> bool {
        self.value(number) == Some(false)
    }

    /// Notes what is known of a package that was open; of its name, no other can be there then.
    pub(super) fn assign(&mut self, number: u32, value: bool, reason: Reason) {
        let (level, position) = (to_u32(self.marks.len()), to_u32(self.trail.len()));
        self.states[number as usize] = State { value: Some(value), reason, level, position };
        self.trail.push(number);
        if value {
            let index = self.index;
            for other in &index.names[index.packages[number as usize].name as usize] {
                if *other != number && self.value(*other).is_none() {
                    self.assign(*other, false, Reason::Name(number));
                }
            }
        }
    }

    fn choose(&mut self, number: u32) {
        self.marks.push(Mark {
            trail: self.trail.len(),
            open: [self.open[0].len(), self.open[1].len()],
            next: self.next,
            conditional: self.conditional.len(),
        });
        self.assign(number, true, Reason::Chosen);
    }

    /// Undoes all choices but the first ones.
    pub(super) fn undo(&mut self, level: u32) {
        let Some(mark) = self.marks.get(level as usize).copied() else { return };
        for number in self.trail.drain(mark.trail..) {
            self.states[number as usize].value = None;
        }
        self.marks.truncate(level as usize);
        self.head = mark.trail;
        for (open, length) in self.open.iter_mut().zip(mark.open) {
            open.truncate(length);
        }
        self.next = mark.next;
        self.conditional.truncate(mark.conditional);
    }

    /// Follows what is known until nothing new follows; gives the clause that is left without a way out.
    fn propagate(&mut self) -> Option<Reason> {
        loop {
            while let Some(number) = self.trail.get(self.head).copied() {
                self.head += 1;
                let clash = if self.is_there(number) { self.load(number) } else { self.look_at_watched(number) };
                let clash = clash.or_else(|| self.look_at_learned(number));
                if clash.is_some() {
                    return clash;
                }
            }
            for place in 0..self.conditional.len() {
                let clash = self.look_at_conditional(self.conditional[place]);
                if clash.is_some() {
                    return clash;
                }
            }
            if self.head == self.trail.len() {
                return None;
            }
        }
    }

    /// Puts the clauses of a package that is there, or those of the request, into play.
    fn load(&mut self, owner: u32) -> Option<Reason> {
        let index = self.index;
        let count = match owner {
            REQUEST => self.request.len(),
            owner => {
                self.looked_at.push(owner);
                index.packages[owner as usize].statements.len()
            }
        };
        for clause in 0..count {
            let stated = Stated { owner, clause: to_u32(clause) };
            if self.within.is_some_and(|within| !within.contains(&stated)) {
                continue;
            }
            let statement = self.statement(stated);
            let clash = match (&*statement.present, &*statement.absent) {
                (present, []) => self.load_need(stated, present),
                ([], [refused]) => self.refuse(stated, refused),
                _ => {
                    self.conditional.push(stated);
                    None
                }
            };
            if clash.is_some() {
                return clash;
            }
        }
        None
    }

    fn load_need(&mut self, stated: Stated, present: &'a [u32]) -> Option<Reason> {
        let mut open = [NONE; 2];
        let mut count = 0;
        for number in present {
            match self.value(*number) {
                Some(true) => return None,
                Some(false) => {}
                None => {
                    if let Some(place) = open.get_mut(count) {
                        *place = *number;
                    }
                    count += 1;
                }
            }
        }
        match count {
            0 => return Some(Reason::Stated(stated)),
            1 => self.assign(open[0], true, Reason::Stated(stated)),
            _ => {
                let clause = to_u32(self.watched.len());
                let next = open.map(|number| self.first[number as usize]);
                self.watched.push(Watched { stated, providers: open, next });
                self.first[open[0] as usize] = clause * 2;
                self.first[open[1] as usize] = clause * 2 + 1;
                let name = |number: u32| self.index.packages[number as usize].name;
                let mut left = present.iter().filter(|number| !self.is_absent(**number));
                let is_choice = left.any(|number| name(*number) != name(open[0]));
                self.open[usize::from(is_choice)].push(stated);
            }
        }
        None
    }

    /// Keeps packages out.
    fn refuse(&mut self, stated: Stated, refused: &'a [u32]) -> Option<Reason> {
        for number in refused {
            match self.value(*number) {
                Some(true) => return Some(Reason::Stated(stated)),
                Some(false) => {}
                None => self.assign(*number, false, Reason::Stated(stated)),
            }
        }
        None
    }

    /// A package became absent: the clauses that watch it look for another provider.
    fn look_at_watched(&mut self, number: u32) -> Option<Reason> {
        let mut clash = None;
        let mut entry = std::mem::replace(&mut self.first[number as usize], NONE);
        while entry != NONE {
            let (place, side) = ((entry / 2) as usize, (entry % 2) as usize);
            let Watched { stated, providers, next } = self.watched[place];
            let other = providers[1 - side];
            let is_in_play = stated.owner == REQUEST || self.is_there(stated.owner);
            if is_in_play {
                let statement = self.statement(stated);
                let mut rest = statement.present.iter().copied().filter(|one| *one != other && !self.is_absent(*one));
                let to = match rest.next() {
                    Some(another) if clash.is_none() && !self.is_there(other) => another,
                    _ => {
                        match self.value(other) {
                            _ if clash.is_some() => {}
                            Some(true) => {}
                            Some(false) => clash = Some(Reason::Stated(stated)),
                            None => self.assign(other, true, Reason::Stated(stated)),
                        }
                        number
                    }
                };
                self.watched[place].providers[side] = to;
                self.watched[place].next[side] = std::mem::replace(&mut self.first[to as usize], entry);
            }
            entry = next[side];
        }
        clash
    }

    fn look_at_learned(&mut self, number: u32) -> Option<Reason> {
        if self.learned.is_empty() {
            return None;
        }
        for place in self.mentions.get(&number).cloned().unwrap_or_default() {
            let literals = &self.learned[place as usize].literals;
            if literals.iter().any(|(number, value)| self.value(*number) == Some(*value)) {
                continue;
            }
            let mut open = literals.iter().copied().filter(|(number, _)| self.value(*number).is_none());
            match (open.next(), open.next()) {
                (None, _) => return Some(Reason::Learned(place)),
                (Some((number, value)), None) => self.assign(number, value, Reason::Learned(place)),
                _ => {}
            }
        }
        None
    }

    /// A clause with conditions: if all are true it is a need; if only one is open and nothing else is left, it stays
    /// untrue.
    fn look_at_conditional(&mut self, stated: Stated) -> Option<Reason> {
        let statement = self.statement(stated);
        let mut left = statement.present.iter().copied().filter(|number| !self.is_absent(*number));
        let first = left.next();
        if first.is_some_and(|first| self.is_there(first)) || left.clone().any(|number| self.is_there(number)) {
            return None;
        }
        let second = left.next();
        let mut untrue = statement.absent.iter().filter(|list| !list.iter().any(|number| self.is_there(*number)));
        match (untrue.next(), untrue.next(), first, second) {
            (None, _, None, _) => return Some(Reason::Stated(stated)),
            (None, _, Some(only), None) => self.assign(only, true, Reason::Stated(stated)),
            (Some(condition), None, None, _) => return self.refuse(stated, condition),
            _ => {}
        }
        None
    }

    /// The next package to try: the first provider of the first clause that is not met.
    fn choice(&mut self) -> Option<u32> {
        for kind in 0..2 {
            while let Some(stated) = self.open[kind].get(self.next[kind]).copied() {
                let present = &self.statement(stated).present;
                if !present.iter().any(|number| self.is_there(*number)) {
                    return self.first_of(present);
                }
                self.next[kind] += 1;
            }
        }
        let is_due = |stated: &&Stated| {
            let statement = self.statement(**stated);
            let is_there = |number: &u32| self.is_there(*number);
            statement.absent.iter().all(|list| list.iter().any(is_there)) && !statement.present.iter().any(is_there)
        };
        let due = self.conditional.iter().find(is_due).copied()?;
        self.first_of(&self.statement(due).present)
    }

    fn first_of(&mut self, present: &[u32]) -> Option<u32> {
        let mut preferred = present.iter().copied().filter(|number| self.preferred[*number as usize]);
        let preferred = preferred.find(|number| !self.is_absent(*number));
        let mut looked_at = std::mem::take(&mut self.looked_at);
        let is_open = |number: u32| !self.is_absent(number);
        let first = preferred.or_else(|| first_provider(self.index, present, is_open, &mut looked_at));
        self.looked_at = looked_at;
        first
    }
}

/// The provider that is tried first: in the order of the index, but a package that the one before needs anyway goes
/// before it (of `(gdb or gdb-minimal)` the latter, where `gdb` needs it), unless `prefer` names that one.
pub(crate) fn first_provider(
    index: &Index<'_>,
    present: &[u32],
    is_open: impl Fn(u32) -> bool,
    looked_at: &mut Vec<u32>,
) -> Option<u32> {
    let mut first = present.iter().copied().find(|number| is_open(*number))?;
    let name = |number: u32| index.packages[number as usize].name;
    if present.iter().all(|number| name(*number) == name(first)) {
        return Some(first);
    }
    // Packages may need each other in a ring.
    for _ in present {
        let package = &index.packages[first as usize];
        looked_at.push(first);
        let needs = |other: u32| {
            package.statements.iter().any(|statement| {
                let mut providers = statement.present.iter().copied().filter(|number| is_open(*number)).peekable();
                statement.absent.is_empty()
                    && providers.peek().is_some()
                    && providers.all(|provider| name(provider) == name(other))
            })
        };
        let is_other = |other: u32| name(other) != package.name;
        let mut open = present.iter().copied().filter(|other| is_open(*other) && is_other(*other));
        match open.find(|other| !index.is_preferred(package) && needs(*other)) {
            Some(needed) => first = needed,
            None => break,
        }
    }
    Some(first)
}

/// Packages and clauses are numbered in 32 bits; more of them do not fit into memory.
pub(super) fn to_u32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
