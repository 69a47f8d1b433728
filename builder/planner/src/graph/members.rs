//! Why each package of an install set is there, going out from the spec's needs and the base.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use rpmspec_parser::rpm::{Dependency, Nevra};
use rpmspec_parser::spec::Located;

use super::{Asker, Edge, Member, Reason, reason_of};
use crate::Index;
use crate::index::Statement;
use crate::solve::search::{REQUEST, Stated};
use crate::solve::{Whose, required_place};

/// No place.
const NONE: u32 = u32::MAX;

/// What build roots have in common: all that the base and packages bring in.
#[derive(Default)]
pub(crate) struct Shared {
    /// Members by their numbers and what brought them in.
    members: HashMap<(u32, Stated), Arc<Member>>,
    /// Names of packages by their numbers.
    nevras: HashMap<u32, Arc<Nevra>>,
    /// Reasons likewise.
    reasons: HashMap<(u32, Stated), Arc<Reason>>,
}

/// An install set with its reasons.
pub(crate) struct Members<'a> {
    index: &'a Index<'a>,
    whose: Whose,
    numbers: &'a [u32],
    /// The place of every package of the index in `numbers`.
    places: Vec<u32>,
    /// For each of `numbers`, the clause that brought it in first, and how many were brought in before.
    brought: Vec<Option<(Stated, usize)>>,
    count: usize,
}

impl<'a> Members<'a> {
    /// Finds the reasons. The first provider in the order of preference is the one that was chosen; only then others
    /// that a need also meets are looked at: they were chosen for a condition or by the search, and still get a reason.
    pub(crate) fn find(index: &'a Index<'a>, whose: Whose, numbers: &'a [u32]) -> Self {
        let mut places = vec![NONE; index.packages.len()];
        for (place, number) in (0u32..).zip(numbers) {
            places[*number as usize] = place;
        }
        let mut members = Self { index, whose, numbers, places, brought: vec![None; numbers.len()], count: 0 };
        members.visit_all(true);
        if members.count < numbers.len() {
            members.visit_all(false);
        }
        members
    }

    fn visit_all(&mut self, only_first: bool) {
        let index = self.index;
        let spec = self.whose.clauses(index).unwrap_or_default();
        let base = index.base.as_deref().unwrap_or_default();
        let mut open = VecDeque::new();
        for (clause, statement) in (0u32..).zip(spec.iter().chain(base)) {
            self.visit(Stated { owner: REQUEST, clause }, statement, only_first, &mut open);
        }
        if !only_first {
            open.extend(self.numbers);
        }
        while let Some(owner) = open.pop_front() {
            for (clause, statement) in (0u32..).zip(&index.packages[owner as usize].statements) {
                self.visit(Stated { owner, clause }, statement, only_first, &mut open);
            }
        }
    }

    fn visit(&mut self, stated: Stated, statement: &Statement, only_first: bool, open: &mut VecDeque<u32>) {
        if !statement.absent.iter().all(|list| list.iter().any(|number| self.is_there(*number))) {
            return;
        }
        for number in &statement.present {
            let place = self.places[*number as usize];
            let Some(brought) = self.brought.get_mut(place as usize) else { continue };
            if brought.is_none() {
                *brought = Some((stated, self.count));
                self.count += 1;
                open.push_back(*number);
            }
            if only_first {
                return;
            }
        }
    }

    fn is_there(&self, number: u32) -> bool {
        self.places[number as usize] != NONE
    }

    /// What brought a package in, in words.
    fn reason(&self, stated: Stated, number: u32) -> Reason {
        let (index, clause) = (self.index, stated.clause as usize);
        // `Conflicts: (a unless b)` brings in `b` without asking for it.
        let itself = || Dependency::any(&*index.packages[number as usize].metadata.nevra.name);
        if stated.owner != REQUEST {
            let package = &index.packages[stated.owner as usize];
            return match required_place(&package.statements[clause]) {
                Some(place) => reason_of(index, package, place),
                None => {
                    let asker = Asker::Package(package.metadata.nevra.clone());
                    Reason { asker, dependency: itself(), place: None }
                }
            };
        }
        let spec = self.whose.clauses(index).unwrap_or_default();
        match spec.get(clause) {
            Some(statement) => {
                let (asker, need) = required_place(statement).map_or((Asker::Spec, None), |place| self.need(place));
                let place = need.and_then(|need| need.place.clone());
                Reason { asker, dependency: need.map_or_else(itself, |need| need.value.clone()), place }
            }
            None => {
                let base = index.base.as_deref().unwrap_or_default();
                let need = base.get(clause - spec.len()).and_then(required_place);
                let need = need.and_then(|place| index.universe.base.get(place)).cloned();
                Reason { asker: Asker::Base, dependency: need.unwrap_or_else(itself), place: None }
            }
        }
    }

    /// A need of the source package by its place among those that the spec states and, behind them, generates.
    fn need(&self, place: usize) -> (Asker, Option<&Located<Dependency>>) {
        let (source, generated) = self.whose.asks(self.index.universe);
        match place.checked_sub(source.build_requires.len()) {
            None => (Asker::Spec, source.build_requires.get(place)),
            Some(place) => (Asker::Generated, generated.get(place)),
        }
    }

    /// A clause as all build roots count it: the base's clauses without the spec's before them; `None` for those, which
    /// are of this build root alone.
    fn shared(&self, stated: Stated) -> Option<Stated> {
        if stated.owner != REQUEST {
            return Some(stated);
        }
        let of_spec = u32::try_from(self.whose.clauses(self.index).map_or(0, <[_]>::len)).ok()?;
        Some(Stated { owner: REQUEST, clause: stated.clause.checked_sub(of_spec)? })
    }

    /// The build root, in the order of the install set.
    pub(crate) fn build_root(&self, shared: &mut Shared) -> Vec<Arc<Member>> {
        let member = |(number, brought): (&u32, &Option<(Stated, usize)>)| {
            let (stated, _) = (*brought)?;
            let new = || {
                let package = &self.index.packages[*number as usize];
                Arc::new(Member {
                    id: package.id,
                    nevra: package.metadata.nevra.clone(),
                    source: self.index.source_name(package).map(ToOwned::to_owned),
                    seed: package.seed.map(ToOwned::to_owned),
                    reason: self.reason(stated, *number),
                })
            };
            Some(match self.shared(stated) {
                Some(stated) => shared.members.entry((*number, stated)).or_insert_with(new).clone(),
                None => new(),
            })
        };
        self.numbers.iter().zip(&self.brought).filter_map(member).collect()
    }

    /// Whether a package of the set is only promised.
    pub(super) fn has_promises(&self) -> bool {
        let is_promised =
            |number: &u32| matches!(self.index.packages[*number as usize].id, crate::PackageId::Predicted { .. });
        self.numbers.iter().any(is_promised)
    }

    /// One edge a source package, by the member found first.
    pub(crate) fn edges(&self, shared: &mut Shared) -> Vec<Arc<Edge>> {
        let mut by_source: BTreeMap<&str, (usize, u32)> = BTreeMap::new();
        for (number, brought) in self.numbers.iter().zip(&self.brought) {
            let source = self.index.source_name(&self.index.packages[*number as usize]);
            if let (Some(source), Some((_, order))) = (source, brought) {
                let first = by_source.entry(source).or_insert((*order, *number));
                *first = (*first).min((*order, *number));
            }
        }
        // What the spec asks for is the beginning of many edges of this build root.
        let mut own: HashMap<(u32, Stated), Arc<Reason>> = HashMap::new();
        let Shared { nevras, reasons, .. } = shared;
        let mut reason = |(number, stated): &(u32, Stated)| {
            let new = || Arc::new(self.reason(*stated, *number));
            match self.shared(*stated) {
                Some(stated) => reasons.entry((*number, stated)).or_insert_with(new).clone(),
                None => own.entry((*number, *stated)).or_insert_with(new).clone(),
            }
        };
        let edge = |(source, (_, number)): (&str, (usize, u32))| {
            let reasons = self.chain(number).iter().rev().map(&mut reason).collect();
            let nevra = || Arc::new(self.index.packages[number as usize].metadata.nevra.clone());
            let package = nevras.entry(number).or_insert_with(nevra).clone();
            Arc::new(Edge { to: source.to_owned(), package, reasons })
        };
        by_source.into_iter().map(edge).collect()
    }

    /// What brought a member in, from it to the request.
    fn chain(&self, mut number: u32) -> Vec<(u32, Stated)> {
        let mut chain = Vec::new();
        while let Some((stated, _)) = self.brought.get(self.places[number as usize] as usize).copied().flatten() {
            chain.push((number, stated));
            if stated.owner == REQUEST || chain.len() > self.numbers.len() {
                break;
            }
            number = stated.owner;
        }
        chain
    }
}
