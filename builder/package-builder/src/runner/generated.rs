//! What builds need besides what their specs state: `%generate_buildrequires`, and `BuildRequires` that only the
//! macros of other needs define. rpm tells it in a build root that has the stated needs; here it is remembered.
//!
//! An answer is known by what it was given for: the spec, its sources, and the key of the root that was asked. Where
//! all three are the same it is certain. Where only spec and sources are, it is a prediction: it makes edges, orders
//! builds and predicts the root, but the build starts from its stated needs and asks again, so that the root a build
//! gets never depends on what was asked at another time.

use std::collections::BTreeSet;

use planner::{Blocker, Index, InputDigest, Targets};
use rpmspec_parser::rpm::Dependency;
use rpmspec_parser::spec::{Located, SourcePackage};
use serde::{Deserialize, Serialize};

use super::inputs::Inputs;
use super::planning::Planning;
use super::prepare::prepare_stated;
use super::state::State;
use crate::host::Evaluated;

/// The answer of one source package.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratedNeeds {
    /// The spec and the sources that gave it.
    pub inputs: InputDigest,
    /// The key of the build root that was asked: that of a build with the stated needs only.
    pub asked_at: String,
    /// What is needed and not stated by the spec, sorted; all that was asked for on the way to a root that asks for
    /// nothing more.
    pub needs: Vec<Dependency>,
}

/// What a spec is known to need besides what it states, at the place of the section that generates it.
pub(super) fn remembered(state: &State, spec: &Evaluated, inputs: &Inputs) -> Vec<Located<Dependency>> {
    let answer = state.generated().get(&spec.package.name).filter(|answer| answer.inputs == inputs.digest(spec));
    answer.map(|answer| located(&spec.package, &answer.needs)).unwrap_or_default()
}

fn located(source: &SourcePackage, needs: &[Dependency]) -> Vec<Located<Dependency>> {
    let place = &source.sections.generate_buildrequires_place;
    needs.iter().map(|need| Located::new(need.clone(), place.clone())).collect()
}

impl Planning {
    /// Leaves predictions out that cannot be met, unless the root that gave them is still what would be asked: they
    /// would keep their package from ever being asked again.
    pub(super) fn doubt_generated(&mut self) {
        let is_blocked = |name: &String| {
            let blocker = self.graph.nodes.get(name).and_then(|node| node.blocker.as_ref());
            matches!(blocker, Some(Blocker::Unresolvable { .. } | Blocker::Cycle { .. }))
        };
        let doubtful = self.universe.tree.iter().filter(|tree| !tree.generated.is_empty());
        let doubtful: Vec<String> = doubtful.map(|tree| tree.source.name.clone()).filter(is_blocked).collect();
        for name in doubtful {
            let Some(answer) = self.generated(&name).cloned() else { continue };
            self.set_generated(&name, &[]);
            if self.would_ask_at(&name).is_none_or(|key| key == answer.asked_at) {
                self.set_generated(&name, &answer.needs);
            }
        }
    }

    /// The key of the root that a source package would be asked in, known without its prediction; empty while
    /// something in it is to be built. `None` where there is no such root.
    fn would_ask_at(&self, package: &str) -> Option<String> {
        let stated = prepare_stated(self, package);
        let targets = Targets::Named(vec![package.to_owned()]);
        let circumstances = self.circumstances(BTreeSet::new());
        let plan = planner::plan(&self.graph, &targets, &self.state.known(), &self.input_digests(), &circumstances);
        let needed = self.graph.needed_sources(package);
        if plan.is_ok_and(|plan| plan.stale.iter().any(|(name, _)| needed.contains(name))) {
            return Some(String::new());
        }
        Some(stated.ok()?.known.key)
    }

    /// The answer of a source package, if its spec and sources are still those that gave it.
    #[must_use]
    pub fn generated(&self, package: &str) -> Option<&GeneratedNeeds> {
        let answer = self.state.generated().get(package)?;
        (self.input_digest(package).as_ref() == Some(&answer.inputs)).then_some(answer)
    }

    /// Whether a source package has more needs than its spec states, as far as is known: its build root must be asked.
    #[must_use]
    pub fn must_ask(&self, package: &str) -> bool {
        let has_section = |package: &str| {
            self.specs.get(package).is_some_and(|spec| spec.package.sections.generate_buildrequires.is_some())
        };
        has_section(package) || self.generated(package).is_some()
    }

    /// Takes over what a build root asks for: remembers it, and resolves the source package with it. Answers of the
    /// same root add up, since a need that is met may no longer be asked for. Returns the needs that are not stated.
    pub(super) fn take_answer(&mut self, package: &str, asked_at: &str, asked: Vec<Dependency>) -> Vec<Dependency> {
        let stated = self.specs.get(package).map_or(&[][..], |spec| &spec.package.build_requires);
        let mut needs: BTreeSet<Dependency> = asked.into_iter().collect();
        needs.retain(|need| !stated.iter().any(|stated| stated.value == *need));
        let before = self.generated(package).filter(|answer| answer.asked_at == asked_at);
        needs.extend(before.into_iter().flat_map(|answer| answer.needs.iter().cloned()));
        let needs: Vec<Dependency> = needs.into_iter().collect();
        let inputs = self.input_digest(package).unwrap_or_default();
        let answer = GeneratedNeeds { inputs, asked_at: asked_at.to_owned(), needs: needs.clone() };
        self.state.set_generated(package, answer);
        self.set_generated(package, &needs);
        needs
    }

    /// Enters needs into the universe, and resolves the source package with them.
    fn set_generated(&mut self, package: &str, needs: &[Dependency]) {
        let Some(tree) = self.universe.tree.iter_mut().find(|tree| tree.source.name == package) else { return };
        tree.generated = located(&tree.source, needs);
        planner::resolve_again(&Index::new(&self.universe), &mut self.graph, package);
    }
}
