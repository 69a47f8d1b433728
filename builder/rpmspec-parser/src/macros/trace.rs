//! Following one macro: every expansion of it and of what it consists of, step by step.

use std::cell::{Cell, RefCell};

use serde::Serialize;

use super::engine::{Engine, Frame};
use super::table::{Definition, Kind};
use crate::Place;

/// Steps beyond this number are not kept.
const MOST_STEPS: usize = 10_000;

/// Bytes of a result beyond this number are not kept.
const LONGEST_RESULT: usize = 64 * 1024;

/// One expansion of a macro while one is followed; the steps inside it follow it, one deeper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TraceStep {
    /// How deep it is inside the macro that is followed; 0 is that one itself.
    pub depth: usize,
    /// The macro's name, without `%`.
    pub name: String,
    /// The arguments of a call, expanded; what reads its text itself has it as it is written.
    pub arguments: Vec<String>,
    /// Where the outermost call of the text stands that is being expanded.
    pub used_at: Option<Place>,
    /// Where the definition in force stands; `None` for what is built in or comes from a tag or an argument.
    pub defined_at: Option<Place>,
    /// The body, unexpanded; `None` for what the engine computes itself.
    pub body: Option<String>,
    /// What it expanded to.
    pub result: String,
}

/// What is followed, and what was seen of it.
#[derive(Debug, Default)]
pub(super) struct Trace {
    name: RefCell<Option<Box<str>>>,
    active: Cell<bool>,
    depth: Cell<usize>,
    pub(super) steps: RefCell<Vec<TraceStep>>,
}

/// A step that has begun.
#[derive(Clone, Copy)]
pub(super) struct Begun {
    index: Option<usize>,
    start: usize,
}

impl Trace {
    pub(super) fn follow(&self, name: &str) {
        *self.name.borrow_mut() = Some(name.into());
        self.active.set(true);
    }

    pub(super) fn take(&self) -> Vec<TraceStep> {
        self.steps.take()
    }
}

impl Engine<'_> {
    /// Notes that a definition begins to be expanded, if it or what surrounds it is followed.
    pub(super) fn begin_step(
        &self,
        frame: &Frame,
        definition: &Definition,
        arguments: Option<&[String]>,
    ) -> Option<Begun> {
        let trace = &self.trace;
        if !trace.active.get() {
            return None;
        }
        let depth = trace.depth.get();
        if depth == 0 && trace.name.borrow().as_deref() != Some(&*definition.name) {
            return None;
        }
        trace.depth.set(depth + 1);
        let mut steps = trace.steps.borrow_mut();
        let index = (steps.len() < MOST_STEPS).then_some(steps.len());
        if index.is_some() {
            steps.push(TraceStep {
                depth,
                name: definition.name.to_string(),
                arguments: arguments.and_then(|words| words.get(1..)).unwrap_or_default().to_vec(),
                used_at: self.place_of_use(),
                defined_at: definition.place.clone(),
                body: (!matches!(definition.kind, Kind::Builtin(_))).then(|| definition.body.to_string()),
                result: String::new(),
            });
        }
        Some(Begun { index, start: frame.out.len() })
    }

    /// Notes what a step expanded to.
    pub(super) fn end_step(&self, frame: &Frame, begun: Option<Begun>) {
        let Some(Begun { index, start }) = begun else { return };
        self.trace.depth.set(self.trace.depth.get().saturating_sub(1));
        let result = frame.out.get(start..).unwrap_or_default();
        let kept = (0..=result.len().min(LONGEST_RESULT)).rev().find(|end| result.is_char_boundary(*end)).unwrap_or(0);
        let mut steps = self.trace.steps.borrow_mut();
        if let Some(step) = index.and_then(|index| steps.get_mut(index)) {
            step.result.push_str(&result[..kept]);
        }
    }
}
