//! What an observer sees of a spec's macros: steps of an expansion with places, and texts expanded afterwards.

#![expect(clippy::unwrap_used, reason = "a missing step is the test's failure")]

use rpmspec_parser::world::NoWorld;
use rpmspec_parser::{MacroContext, Macros, Observer, Options, Place, PreparedContext, TraceStep, evaluate_observed};

const SPEC: &str = "\
%global inner %{?dist}x
%define outer(n:) %{-n*}%{inner}
Name: a
Version: 1
Release: %{outer -n 3}
Summary: A %inner
License: MIT
BuildArch: noarch
%description
";

#[derive(Default)]
struct Follow {
    steps: Vec<TraceStep>,
    text: String,
}

impl Observer for Follow {
    fn before(&mut self, macros: &mut Macros<'_>) {
        macros.follow("outer");
    }

    fn after(&mut self, macros: &mut Macros<'_>) {
        self.steps = macros.take_trace();
        let place = Place { file: "<eval>".into(), line: 1, column: 1 };
        self.text = macros.expand("%{name}-%{release} %{inner}", &place).unwrap();
    }
}

fn context() -> MacroContext {
    MacroContext {
        target_cpu: "x86_64".into(),
        target_os: "linux".into(),
        rpmrc: vec!["buildarch_compat: x86_64: noarch\n".into()],
        defines: vec![("dist".into(), ".t1".into())],
        ..MacroContext::default()
    }
}

#[test]
fn every_step_of_a_macro_is_seen_once_with_its_places() {
    let mut follow = Follow::default();
    let options = Options { path: "a.spec".into() };
    evaluate_observed(SPEC, &PreparedContext::new(&context()), &NoWorld, &options, &mut follow);
    let shown: Vec<_> =
        follow.steps.iter().map(|step| (step.depth, step.name.as_str(), step.result.as_str())).collect();
    assert_eq!(shown, [(0, "outer", "3.t1x"), (1, "-n*", "3"), (1, "inner", ".t1x")]);
    let outer = &follow.steps[0];
    assert_eq!(outer.arguments, ["-n", "3"]);
    assert_eq!(outer.used_at.as_ref().unwrap().to_string(), "a.spec:5:10");
    assert_eq!(outer.defined_at.as_ref().unwrap().line, 2);
    assert_eq!(outer.body.as_deref(), Some("%{-n*}%{inner}"));
}

#[test]
fn texts_are_expanded_in_what_the_spec_left() {
    let mut follow = Follow::default();
    let options = Options { path: "a.spec".into() };
    evaluate_observed(SPEC, &PreparedContext::new(&context()), &NoWorld, &options, &mut follow);
    assert_eq!(follow.text, "a-3.t1x .t1x");
}

#[test]
fn a_definition_can_be_taken_away_from_a_context() {
    let context = PreparedContext::new(&context()).without_definition("dist");
    let mut macros = Macros::prepared(&context, &NoWorld);
    let place = Place { file: "<eval>".into(), line: 1, column: 1 };
    assert_eq!(macros.expand("%{?dist}|%{dist}", &place).unwrap(), "|%{dist}");
}
