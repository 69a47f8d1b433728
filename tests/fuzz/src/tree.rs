//! Any bytes are a tree that prints back, and means what they mean; edits of it are seen and touch nothing else.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use rpmspec_parser::spec::decode;
use rpmspec_parser::tree::{Edit, Entry, Refusal, Tree};
use rpmspec_parser::world::NoWorld;
use rpmspec_parser::{MacroContext, Options, PreparedContext, evaluate_prepared};

static CONTEXT: LazyLock<PreparedContext> = LazyLock::new(|| {
    let macros = "%nil %{!?nil}\n%_topdir /build\n%_sourcedir %{_topdir}/SOURCES\n%_builddir %{_topdir}/BUILD\n";
    PreparedContext::new(&MacroContext {
        files: vec![("macros".into(), macros.into())],
        target_cpu: "x86_64".into(),
        target_os: "linux".into(),
        ..MacroContext::default()
    })
});

fn tree_of(text: &str) -> Tree {
    let tree = Tree::parse(text);
    assert_eq!(tree.to_string(), text);
    let mut at = 0;
    for leaf in tree.leaves() {
        assert_eq!(leaf.span().start, at);
        assert_eq!(tree.line_and_column(at), (leaf.line(), 1));
        at = leaf.span().end;
    }
    assert_eq!(at, text.len());
    for node in tree.nodes() {
        let spans = [node.tag().map(|tag| tag.value_span), node.definition().map(|definition| definition.body_span)];
        for span in spans.into_iter().flatten() {
            assert!(node.span().start <= span.start && span.end <= node.span().end && text.get(span).is_some());
        }
    }
    tree
}

fn edited(tree: &Tree, edit: &Edit) -> Tree {
    let after = tree.apply(edit);
    let grown: usize = edit.changes.iter().map(|(_, text)| text.len()).sum();
    let shrunk: usize = edit.changes.iter().map(|(span, _)| span.len()).sum();
    assert_eq!(after.text().len() + shrunk, tree.text().len() + grown);
    tree_of(after.text())
}

fuzz_target!(|bytes: &[u8]| {
    let text = decode(bytes);
    let tree = tree_of(&text);
    let printed = tree.to_string();
    let options = Options { path: "/specs/a.spec".into() };
    let [read, again] = [&*text, &*printed].map(|text| evaluate_prepared(text, &CONTEXT, &NoWorld, &options));
    assert_eq!(read.diagnostics, again.diagnostics);
    assert_eq!(read.package, again.package);
    if let Ok(edit) = tree.set_value(None, "Version", "7.8") {
        let again = edited(&tree, &edit);
        let edit = again.set_value(None, "Version", "7.8").expect("it could be set before");
        assert!(edit.changes.iter().all(|(span, _)| &again.text()[span.clone()] == "7.8"));
    }
    for (tag, value) in [("Requires", "foo"), ("BuildRequires", "x >= 1"), ("Patch", "y")] {
        if let Ok(edit) = tree.add(None, tag, value) {
            let again = edited(&tree, &edit);
            match again.remove(None, tag, value) {
                Ok(edit) => assert!(edited(&again, &edit).remove(None, tag, value).is_err()),
                Err(refusal) => assert!(matches!(refusal, Refusal::Joined(_)), "{refusal}"),
            }
        }
        if let Ok(edit) = tree.remove(None, tag, value) {
            edited(&tree, &edit);
        }
    }
    let entry = Entry { date: (2030, 1, 2), author: "A", evr: None, lines: &["x"] };
    if let Ok(edit) = tree.add_entry(&entry) {
        assert!(edited(&tree, &edit).text().contains("* Wed Jan 02 2030 A"));
    }
});
