//! What readers of JUnit rely on: well-formed, known elements and attributes in their order, counts that add up.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use super::*;
use crate::event::EventKind;
use crate::summary::tests::{a_bad_night, events, started};
use quick_xml::events::Event as Xml;
use quick_xml::reader::Reader;
use std::collections::BTreeMap;

/// Elements, what may be in them, and their attributes, as the schemas of Jenkins' xUnit plugin and of Ant have them.
const SCHEMA: &[(&str, &[&str], &[&str])] = &[
    ("testsuites", &["testsuite"], &["name", "time", "tests", "failures", "errors", "disabled"]),
    (
        "testsuite",
        &["properties", "testcase", "system-out", "system-err"],
        &[
            "name",
            "tests",
            "failures",
            "errors",
            "time",
            "disabled",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
        ],
    ),
    ("properties", &["property"], &[]),
    ("property", &[], &["name", "value"]),
    (
        "testcase",
        &["skipped", "error", "failure", "system-out", "system-err"],
        &["name", "assertions", "time", "classname", "status"],
    ),
    ("skipped", &[], &["type", "message"]),
    ("error", &[], &["type", "message"]),
    ("failure", &[], &["type", "message"]),
    ("system-out", &[], &[]),
];

/// An element with what it has.
#[derive(Default)]
struct Node {
    name: String,
    attributes: BTreeMap<String, String>,
    children: Vec<Node>,
    text: String,
}

/// Reads a document, and checks every element against [`SCHEMA`].
fn read(text: &str) -> Node {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut open = vec![Node::default()];
    loop {
        match reader.read_event().unwrap() {
            Xml::Start(start) => {
                let name = start.local_name().into_inner().to_owned();
                let attributes = start.attributes().map(|attribute| {
                    let attribute = attribute.unwrap();
                    let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).unwrap().into_owned();
                    (attribute.key.into_inner().to_owned(), value)
                });
                open.push(Node { attributes: attributes.collect(), name, ..Node::default() });
            }
            Xml::End(_) => {
                let node = open.pop().unwrap();
                check(&node);
                open.last_mut().unwrap().children.push(node);
            }
            Xml::Text(piece) => {
                open.last_mut().unwrap().text.push_str(&piece.xml_content(quick_xml::XmlVersion::Implicit1_0));
            }
            Xml::GeneralRef(reference) => {
                let escaped = format!("&{};", &*reference);
                open.last_mut().unwrap().text.push_str(&quick_xml::escape::unescape(&escaped).unwrap());
            }
            Xml::Eof => return open.pop().unwrap().children.pop().unwrap(),
            _ => {}
        }
    }
}

fn check(node: &Node) {
    let (_, children, attributes) =
        SCHEMA.iter().find(|(name, ..)| *name == node.name).unwrap_or_else(|| panic!("`{}` is no element", node.name));
    for attribute in node.attributes.keys() {
        assert!(attributes.contains(&&**attribute), "`{}` has no `{attribute}`", node.name);
    }
    let places: Vec<_> =
        node.children.iter().map(|child| children.iter().position(|name| *name == child.name)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "`{}` has {places:?} of {children:?}", node.name);
}

fn suite(text: &str) -> Node {
    let mut root = read(text);
    assert_eq!((&*root.name, root.children.len()), ("testsuites", 1));
    let suite = root.children.pop().unwrap();
    let count = |element: &str| {
        let is = |case: &&Node| case.children.iter().any(|child| child.name == element);
        suite.children.iter().filter(|case| case.name == "testcase").filter(is).count().to_string()
    };
    let all = suite.children.iter().filter(|case| case.name == "testcase").count().to_string();
    for (attribute, expected) in
        [("tests", all), ("failures", count("failure")), ("errors", count("error")), ("skipped", count("skipped"))]
    {
        assert_eq!(suite.attributes[attribute], expected, "{attribute}");
    }
    suite
}

#[test]
fn every_package_is_a_test_case_that_ended_the_way_it_did() {
    let text = junit(&Summary::of(&a_bad_night()));
    let suite = suite(&text);
    assert_eq!((&*suite.attributes["name"], &*suite.attributes["timestamp"]), ("cairn", "2023-11-14T22:13:20"));
    let cases = suite.children.iter().filter(|child| child.name == "testcase").map(|case| {
        assert_eq!(case.attributes["classname"], "cairn");
        let outcome = case.children.first();
        let outcome = outcome.map(|outcome| {
            let attribute = |name: &str| outcome.attributes.get(name).cloned().unwrap_or_default();
            format!("{} {}: {}", outcome.name, attribute("type"), attribute("message"))
        });
        (case.attributes["name"].clone(), outcome.unwrap_or_else(|| "pass".to_owned()))
    });
    let cases: Vec<String> = cases.map(|(name, outcome)| format!("{name} {outcome}")).collect();
    let blocked = "skipped blocked-by: blocked by base, which failed in %build";
    let expected = [
        "(cycle) failure unsettled: the cycle x ↔ y does not settle",
        &format!("app {blocked}"),
        "arm-only skipped excluded: arm-only excluded: nothing provides `gtk`",
        "base failure failed: base-1-1 failed in %build: a.c:1: error: \u{fffd}[31m<no> & \"x\"",
        "fixed system-out : ",
        "flaky skipped expected: expected to fail: needs a newer gcc (ann, until 2026-12-31)",
        "good pass",
        "gui failure unresolvable: gui is unresolvable: nothing provides `gtk`",
        "gui-app skipped blocked-by: blocked by gui, which is unresolvable: nothing provides `gtk`",
        "late failure failed: late-1-1 failed in %check",
        &format!("lib {blocked}"),
        "odd failure broken-spec: odd has a broken spec: no Name",
        &format!("top {blocked}"),
        "unlucky error infrastructure: unlucky-1-1 could not be run: the engine went away",
        "neither skipped left: not reached: the time window was over",
        "never skipped left: not reached: the time window was over",
    ];
    assert_eq!(cases, expected);
}

#[test]
fn what_xml_cannot_say_is_replaced_and_the_rest_comes_back() {
    let text = junit(&Summary::of(&a_bad_night()));
    let suite = suite(&text);
    let base = suite.children.iter().find(|case| case.attributes.get("name").is_some_and(|name| name == "base"));
    let expected = "base-1-1 failed in %build\na.c:1: error: \u{fffd}[31m<no> & \"x\"\nlast lines:\ncc a.c\n\
                    a.c:1: error: \u{fffd}[31m<no> ]]> & \"x\"\u{fffd}\n\
                    log: /trees/cairn/out/runs/r2/logs/base/build.log";
    assert_eq!(base.unwrap().children[0].text.trim(), expected);
    let can_be_said = |letter: char| matches!(letter, '\n' | '\t' | ' '..='\u{fffd}' | '\u{10000}'..);
    assert!(text.chars().all(can_be_said), "{text:?}");
}

#[test]
fn a_run_without_an_end_is_no_success() {
    for (kind, end) in
        [("broke", Some(EventKind::RunBroke { reason: "no disk\nhint: x".into() })), ("unfinished", None)]
    {
        let kinds = [started()].into_iter().chain(end).collect();
        let suite = suite(&junit(&Summary::of(&events("r", kinds))));
        let case = suite.children.last().unwrap();
        assert_eq!((&*case.attributes["name"], &*case.children[0].name), (RUN, "error"));
        assert_eq!(case.children[0].attributes["type"], kind);
    }
}
