//! What holds for any text: evaluation ends without a panic, twice the same way, and says where it failed.

#![expect(clippy::unwrap_used, reason = "what is not there is the test's failure")]

use proptest::prelude::*;
use rpmspec_parser::spec::decode;
use rpmspec_parser::tree::{Edit, Entry, Kind, Refusal, Tree};
use rpmspec_parser::world::NoWorld;
use rpmspec_parser::{MacroContext, Options, PreparedContext, Severity, evaluate_prepared};

const MACROS: &str = "%nil %{!?nil}\n\
    %_topdir /build\n\
    %_sourcedir %{_topdir}/SOURCES\n\
    %_builddir %{_topdir}/BUILD\n\
    %buildroot %{_topdir}/BUILDROOT/%{NAME}\n\
    %defined() %{expand:%%{?%{1}:1}%%{!?%{1}:0}}\n\
    %twice(a:b) %{-a*}%{-a*}%{-b:yes}%#%*%1\n\
    %in_lua() %{lua:print(#arg, rpm.expand('%{?1}'))}\n\
    %__rpmuncompress /usr/lib/rpm/rpmuncompress\n";

/// Pieces that specs are made of, broken ones too.
const PIECES: &[&str] = &[
    "%if ",
    "%if 1\n",
    "%if 0\n",
    "%else\n",
    "%elif ",
    "%endif\n",
    "%ifarch x86_64\n",
    "%include x\n",
    "%define ",
    "%global ",
    "%undefine ",
    "a ",
    "foo",
    "bar() ",
    "(a:b) ",
    "%{",
    "}",
    "%(",
    ")",
    "%[",
    "]",
    "%{?foo:",
    "%{!?foo:",
    "%foo",
    "%{twice -a x -b y}",
    "%twice -a ",
    "%in_lua a b\n",
    "%{lua:",
    "print(1)",
    "rpm.define('foo 1')",
    "string.upper = nil",
    "%{expand:",
    "%{shrink:",
    "%{quote:",
    "%{S:0}",
    "%%",
    "%",
    "\\",
    "\\\n",
    "\n",
    "\t",
    "\"",
    "'",
    "#",
    "# %foo\n",
    "%dnl ",
    "1 + 1",
    " == ",
    "v\"1.0\"",
    " && ",
    " ? ",
    " : ",
    "Name: a\n",
    "Version: 1\n",
    "Release: 1%{?dist}\n",
    "Summary: s\n",
    "License: l\n",
    "Requires: ",
    "(a or ",
    "b)",
    "(a if b else c)",
    " >= 1:2-3",
    "BuildArch: noarch\n",
    "Source0: ",
    "Patch1: p\n",
    "Epoch: 1\n",
    "%description\n",
    "%package b\n",
    "%files\n",
    "%files -f x b\n",
    "%prep\n",
    "%setup -q -a 0 -n x\n",
    "%patch -P 1 -p1\n",
    "%patch0\n",
    "%build\n",
    "%install\n",
    "%changelog\n",
    "* Tue Apr 16 2024 me\n",
    "- x\n",
    "%post -p <lua>\n",
    "%triggerin -- b < 1\n",
    "%filetriggerin -- /usr\n",
    "%sourcelist\n",
    "%end\n",
    "é",
    "\u{1f}",
    "\0",
    "99999999999999999999",
    "%{error:x}",
];

fn context() -> PreparedContext {
    PreparedContext::new(&MacroContext {
        files: vec![("macros".into(), MACROS.into())],
        target_cpu: "x86_64".into(),
        target_os: "linux".into(),
        ..MacroContext::default()
    })
}

fn laws_hold(text: &str, context: &PreparedContext) {
    let options = Options { path: "x.spec".into() };
    let first = evaluate_prepared(text, context, &NoWorld, &options);
    let second = evaluate_prepared(text, context, &NoWorld, &options);
    assert_eq!(first.diagnostics, second.diagnostics, "{text:?}");
    assert_eq!(first.package, second.package, "{text:?}");
    if first.package.is_none() {
        let error = first.diagnostics.iter().find(|said| said.severity == Severity::Error).unwrap();
        let place = error.place.as_ref().unwrap();
        assert!(place.line >= 1 && place.column >= 1, "{error}");
    }
}

/// The tree of any text gives the text back; its leaves follow each other, and are where it says they are.
fn tree_holds(text: &str) -> Tree {
    let tree = Tree::parse(text);
    assert_eq!(tree.to_string(), text);
    let (mut at, mut line) = (0, 1);
    for leaf in tree.leaves() {
        assert_eq!((leaf.span().start, leaf.line()), (at, line), "{text:?}");
        assert_eq!(tree.line_and_column(at), (line, 1), "{text:?}");
        at = leaf.span().end;
        line += leaf.text().matches('\n').count();
    }
    assert_eq!(at, text.len(), "{text:?}");
    for node in tree.nodes() {
        let within = |child: rpmspec_parser::tree::Node<'_>| {
            node.span().start <= child.span().start && child.span().end <= node.span().end
        };
        assert!(node.children().all(within), "{node:?} of {text:?}");
    }
    tree
}

/// Makes an edit: what it does not name stays.
fn edited(tree: &Tree, edit: &Edit) -> Tree {
    let after = tree.apply(edit);
    let (mut old, mut new) = (0, 0);
    for (span, text) in &edit.changes {
        let kept = &tree.text()[old..span.start];
        assert_eq!(&after.text()[new..new + kept.len()], kept);
        assert_eq!(&after.text()[new + kept.len()..new + kept.len() + text.len()], text);
        (old, new) = (span.end, new + kept.len() + text.len());
    }
    assert_eq!(&after.text()[new..], &tree.text()[old..]);
    tree_holds(after.text())
}

/// Whatever edit a text allows, its tree sees it.
fn edits_are_seen(text: &str) {
    let tree = tree_holds(text);
    for tag in ["Version", "Release", "Name", "Epoch", "BuildArch"] {
        let Ok(edit) = tree.set_value(None, tag, "7.8") else { continue };
        let again = edited(&tree, &edit);
        let edit = again.set_value(None, tag, "7.8").unwrap();
        assert!(edit.changes.iter().all(|(span, _)| &again.text()[span.clone()] == "7.8"), "{tag} of {text:?}");
    }
    for package in [None, Some("b")] {
        for (tag, value) in [("Requires", "foo"), ("BuildRequires", "x"), ("Requires(post)", "foo >= 1"), ("URL", "x")]
        {
            if let Ok(edit) = tree.add(package, tag, value) {
                let again = edited(&tree, &edit);
                assert!(again.add(package, tag, value).is_err(), "{tag} of {text:?}");
                let removed = match again.remove(package, tag, value) {
                    Ok(edit) => edited(&again, &edit),
                    // The text has it a second time, on a line that cannot go.
                    Err(refusal) => {
                        assert!(matches!(refusal, Refusal::Joined(_)), "{refusal} in {text:?}");
                        continue;
                    }
                };
                assert!(removed.remove(package, tag, value).is_err(), "{tag} of {text:?}");
            }
        }
        for tag in ["Patch", "Source"] {
            if let Ok(edit) = tree.add(package, tag, "new") {
                let again = edited(&tree, &edit);
                assert_eq!(again.nodes().filter_map(|node| node.tag()).filter(|tag| tag.value == "new").count(), 1);
            }
        }
    }
    let entry = Entry { date: (2030, 1, 2), author: "A 100%", evr: Some("1-1"), lines: &["%if", "* x"] };
    if let Ok(edit) = tree.add_entry(&entry) {
        let again = edited(&tree, &edit);
        let first = again.nodes().find(|node| node.kind() == Kind::Entry).unwrap();
        assert!(first.text().starts_with("* Wed Jan 02 2030 A 100%% - 1-1"), "{text:?}");
    }
}

proptest! {
    #[test]
    fn trees_of_pieces(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        edits_are_seen(&pieces.concat());
    }

    #[test]
    fn trees_of_lines(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        edits_are_seen(&pieces.join("\n"));
    }

    #[test]
    fn trees_of_any_text(text: String, bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        edits_are_seen(&text);
        edits_are_seen(&decode(&bytes));
    }

    #[test]
    fn pieces_of_specs(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        laws_hold(&pieces.concat(), &context());
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        laws_hold(&decode(&bytes), &context());
    }

    #[test]
    fn cut_and_glued(at in any::<prop::sample::Index>(), piece in prop::sample::select(PIECES)) {
        let text = "Name: a\nVersion: 1\nRelease: 1\nSummary: s\nLicense: l\n%define foo() %{expand:%1 %*}\n\
            Requires: (a if b)\n%description\n%{foo x y}\n%prep\n%setup -q\n%post\n:\n%files\n/x\n";
        let at = at.index(text.len());
        let (before, behind) = text.split_at(at);
        laws_hold(&format!("{before}{piece}{behind}"), &context());
        laws_hold(before, &context());
    }
}

#[test]
fn one_spec_leaves_nothing_to_the_next() {
    let head = "Name: a\nVersion: 1\nRelease: 1\nSummary: s\nLicense: l\n%description\n";
    let context = context();
    let options = Options { path: "x.spec".into() };
    let parsed = |body: &str| {
        let evaluation = evaluate_prepared(&format!("{head}{body}"), &context, &NoWorld, &options);
        evaluation.package.map(|package| package.packages[0].description.clone())
    };
    let asks = "%{lua:print(x, string.y, rpm.z, string.upper('u'), #hooks, tostring(getmetatable('').w), type(io.open))}\
        %{lua:hooks = {} print(math.random(1000))}";
    let asks = asks.replace("#hooks", "tostring(hooks)");
    let before = parsed(&asks);
    assert!(before.is_some());
    for harm in [
        "%{lua:x = 1 string.y = 2 rpm.z = 3 string.upper = nil}",
        "%{lua:getmetatable('').w = 1 io.open = 1 io.stdin:close()}",
        "%{lua:setmetatable(_G, { __index = function() return 1 end })}",
        "%{lua:setmetatable(_G, { __metatable = 1, __index = function() return 1 end })}",
        "%{lua:rpm = setmetatable({}, { __eq = function() return true end })}",
        "%{lua:for name in pairs(_G) do _G[name] = nil end}",
        "%{lua:math.random(9)}",
    ] {
        parsed(harm);
        assert_eq!(parsed(&asks), before, "after {harm}");
    }
}

#[test]
fn temporary_files_are_in_memory() {
    let body = "%{lua:local name = os.tmpname() local f = io.open(name, 'w') f:write('a\\nb\\n', 1) f:close()\
        for line in io.lines(name) do print(line .. ';') end print(os.remove(name), os.remove ~= nil)}";
    let head = "Name: a\nVersion: 1\nRelease: 1\nSummary: s\nLicense: l\n%description\n";
    let options = Options { path: "x.spec".into() };
    let evaluation = evaluate_prepared(&format!("{head}{body}"), &context(), &NoWorld, &options);
    assert_eq!(evaluation.package.unwrap().packages[0].description, "a;b;1;true\ttrue");
}
