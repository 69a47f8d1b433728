//! The lossless tree: it prints back what it read, finds what rpm finds, and edits nothing but what is asked.

#![expect(clippy::disallowed_methods, reason = "the corpus is read from files, and time is measured")]
#![expect(clippy::unwrap_used, reason = "what is not there is the test's failure")]

#[path = "../examples/score/corpus.rs"]
mod corpus;
mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

use corpus::Corpus;
use rpmspec_parser::tree::{Edit, Entry, Kind, Node, PackageName, Refusal, Tree};
use rpmspec_parser::{PreparedContext, SourcePackage};

/// Whether a refusal is the one that is expected.
type IsRight = fn(&Refusal) -> bool;

type MakeEdit<'a> = dyn Fn(&Tree) -> Result<Edit, Refusal> + 'a;

fn holds_its_text(text: &str) -> Tree {
    let tree = Tree::parse(text);
    assert_eq!(tree.to_string(), text);
    let mut at = 0;
    for leaf in tree.leaves() {
        assert_eq!(leaf.span().start, at, "{leaf:?} of {text:?}");
        at = leaf.span().end;
    }
    assert_eq!(at, text.len(), "{text:?}");
    tree
}

/// Writes nodes as `Kind(children)`, leaves with their first line's number.
fn shape(tree: &Tree) -> String {
    fn write<'a>(out: &mut String, nodes: impl Iterator<Item = Node<'a>>) {
        for node in nodes {
            write!(out, " {:?}", node.kind()).unwrap();
            if node.kind().is_container() {
                out.push('(');
                write(out, node.children());
                out.push_str(" )");
            } else {
                write!(out, ":{}", node.line()).unwrap();
            }
        }
    }
    let mut out = String::new();
    write(&mut out, tree.roots());
    out.trim_start().to_owned()
}

#[test]
fn conditionals_and_sections_have_their_places() {
    for (text, expected) in [
        ("", "Section( )"),
        ("Name: a\n# b\n\n\nFoo: c\n", "Section( Tag:1 Comment:2 Blank:3 Text:5 )"),
        (
            "%if 1\nA: b\n%else\n%if 2\n%endif\n%endif\nName: a\n",
            "Section( Conditional( Branch( Directive:1 Text:2 ) Branch( Directive:3 \
             Conditional( Branch( Directive:4 ) Directive:5 ) ) Directive:6 ) Tag:7 )",
        ),
        (
            "Name: a\n%if 1\n%package b\nSummary: c\n%endif\nName: d\n%files\n# e\n/f\n",
            "Section( Tag:1 ) Conditional( Branch( Directive:2 Section( Header:3 Tag:4 ) ) Directive:5 ) Text:6 \
             Section( Header:7 Comment:8 Text:9 )",
        ),
        (
            "%global a \\\n b\\\n c\n%define d %{e:\n}\n%{?f:\nName: g\n}\n%include h\n",
            "Section( Definition:1 Definition:4 Text:6 Include:9 )",
        ),
        (
            "%build\nmake \\\n%if 1\n a \\\n%endif\n# b\n\n",
            "Section( ) Section( Header:1 Text:2 Conditional( Branch( Directive:3 Text:4 ) Directive:5 ) Text:6 )",
        ),
        (
            "%changelog\n* a\n- b\n\n# c\n* d\n- e\n%post -p /bin/sh\n:",
            "Section( ) Section( Header:1 Entry:2 Entry:6 ) Section( Header:8 Text:9 )",
        ),
        ("%if 1 && \\\n 2\nName: a\n", "Section( Conditional( Branch( Directive:1 Tag:3 ) ) )"),
        ("%endif\n%else\n", "Section( Directive:1 Directive:2 )"),
    ] {
        assert_eq!(shape(&holds_its_text(text)), expected, "{text}");
    }
}

#[test]
fn parts_are_told_apart() {
    let text = "%global a(x:) {b c}\nRequires( post ) :  d >= 1, (e or f),g \nSource02 : h\n\
        %package -n i\n%files -f j -f k -n i\n%triggerin l -- m < 1\n%include  n \n";
    let tree = Tree::parse(text);
    let definition = tree.nodes().find_map(Node::definition).unwrap();
    assert_eq!((definition.word, definition.name, definition.options), ("%global", "a", Some("x:")));
    assert_eq!((definition.body, &text[definition.body_span.clone()]), ("b c", "b c"));
    let tags: Vec<_> = tree.nodes().filter_map(Node::tag).collect();
    assert_eq!((&*tags[0].name, tags[0].qualifier, tags[0].value), ("Requires", "post", "d >= 1, (e or f),g"));
    let items: Vec<_> = tags[0].items().iter().map(|item| (item.name.to_owned(), &text[item.span.clone()])).collect();
    assert_eq!(items, [("d".into(), "d >= 1"), ("(e or f)".into(), "(e or f)"), ("g".into(), "g")]);
    assert_eq!((&*tags[1].name, tags[1].number, tags[1].value), ("Source", "02", "h"));
    let headers: Vec<_> = tree.nodes().filter(|node| node.kind() == Kind::Header).filter_map(Node::header).collect();
    assert_eq!((headers[0].word, headers[0].package), ("%package", PackageName::Full("i")));
    assert_eq!(headers[1].options, [('f', Some("j")), ('f', Some("k")), ('n', Some("i"))]);
    assert_eq!(headers[2].package, PackageName::Suffix("l"));
    assert_eq!(tree.nodes().find_map(Node::included), Some("n"));
}

#[test]
fn what_does_not_end_is_said_with_its_place() {
    for (text, expected) in [
        ("Name: a\n%if 1\n%if 2\n", &["s:2:1: error: Unclosed %if", "s:3:1: error: Unclosed %if"][..]),
        ("a\n%endif\n", &["s:2:1: error: %endif with no %if"]),
        ("%else\n", &["s:1:1: error: %else with no %if"]),
        ("%if 1\n%else\n%elif 1\n%endif\n", &["s:3:1: error: %elif after %else"]),
        ("Name: a\nURL: b%{c\nd\n", &["s:2:7: error: unclosed macro or bad line continuation"]),
        ("Name: a\n%if 1\n%endif\n", &[]),
    ] {
        let said: Vec<_> = holds_its_text(text).diagnostics("s").iter().map(ToString::to_string).collect();
        assert_eq!(said, expected, "{text}");
    }
}

#[test]
fn large_and_deep_texts_take_no_more_than_their_length() {
    let deep = "%if 1\n%package a\nName: b\n".repeat(100_000);
    let closed = format!("{}{}", "%if 1\n".repeat(100_000), "%endif\n".repeat(100_000));
    let long = "Requires: a, b\n# c\n\n".repeat(200_000);
    let open = format!("%{{{}", "a{\n".repeat(500_000));
    let joined = "%define a \\\n".repeat(200_000);
    for text in [deep, closed, long, open, joined, "%endif\n".repeat(200_000), "*".repeat(2_000_000)] {
        let began = Instant::now();
        holds_its_text(&text);
        // A quadratic reading would take many minutes.
        assert!(began.elapsed().as_secs() < 60, "{:?} for {:.20}", began.elapsed(), text);
    }
}

/// The text of an edit, made; the refusal otherwise.
fn edited(text: &str, edit: impl FnOnce(&Tree) -> Result<Edit, Refusal>) -> Result<String, Refusal> {
    let tree = holds_its_text(text);
    edit(&tree).map(|edit| tree.apply(&edit).to_string())
}

#[test]
fn values_are_set_where_they_are_written() {
    for (text, expected) in [
        ("Version:\t1.0 \n", "Version:\t2.0 \n"),
        ("version : 1.0", "version : 2.0"),
        ("%global v 1.0\r\nVersion: %{v}\r\n", "%global v 2.0\r\nVersion: %{v}\r\n"),
        ("%define v {1.0}\n%global w %v\nVersion: %{?w}\n", "%define v {2.0}\n%global w %v\nVersion: %{?w}\n"),
        ("Version: 1.0\n%package a\nVersion: 3\n", "Version: 2.0\n%package a\nVersion: 3\n"),
    ] {
        assert_eq!(edited(text, |tree| tree.set_value(None, "Version", "2.0")).unwrap(), expected);
    }
    let refusals: &[(&str, IsRight)] = &[
        ("Name: a\n", |refusal| matches!(refusal, Refusal::Missing(_))),
        ("%if 1\nVersion: 1\n%endif\n", |refusal| matches!(refusal, Refusal::Conditional { line: 2, .. })),
        ("Version: 1\nVersion: 1\n", |refusal| matches!(refusal, Refusal::Several(_))),
        ("Version: %{a}.%{b}\n", |refusal| matches!(refusal, Refusal::Composite { line: 1, .. })),
        ("Version: %{a}\n%global a 1\n", |refusal| matches!(refusal, Refusal::DefinedElsewhere(_))),
        ("%global a %b.1\nVersion: %{a}\n", |refusal| matches!(refusal, Refusal::Composite { line: 1, .. })),
        ("%if 1\n%global a 1\n%endif\nVersion: %a\n", |refusal| matches!(refusal, Refusal::Conditional { .. })),
        ("%global a 1\n%{?b:%global a 2}\nVersion: %a\n", |refusal| matches!(refusal, Refusal::Several(_))),
        ("%global a %a\nVersion: %a\n", |refusal| matches!(refusal, Refusal::DefinedElsewhere(_))),
    ];
    for (text, is_right) in refusals {
        let refusal = edited(text, |tree| tree.set_value(None, "Version", "2.0")).unwrap_err();
        assert!(is_right(&refusal), "{text}: {refusal}");
    }
    for value in ["", " a", "a\nb", "%{a", "a\\"] {
        let refusal = edited("Version: 1\n", |tree| tree.set_value(None, "Version", value)).unwrap_err();
        assert!(matches!(refusal, Refusal::BadText(_)), "{value}");
    }
}

#[test]
fn releases_keep_their_tail() {
    for (text, value, expected) in [
        ("Release: 3%{?dist}\n", "4", "Release: 4%{?dist}\n"),
        ("Release: 3%{?dist}\n", "4%{?rc}", "Release: 4%{?rc}\n"),
        ("%define r 3\nRelease: %{r}%{?dist}\n", "4", "%define r 4\nRelease: %{r}%{?dist}\n"),
        ("Release: 3\n", "4", "Release: 4\n"),
    ] {
        assert_eq!(edited(text, |tree| tree.set_release(value)).unwrap(), expected);
    }
}

#[test]
fn tags_are_added_beside_their_like() {
    let text = "Name:           a\nPatch0:         a.patch\n%if 1\nBuildRequires:  c\n%endif\n\n%package b\r\nRequires: d\r\n\
        %description b\n";
    for (package, tag, value, from, to) in [
        (None, "BuildRequires", "x", "a.patch\n", "a.patch\nBuildRequires:  x\n"),
        (None, "Patch", "b.patch", "a.patch\n", "a.patch\nPatch1:         b.patch\n"),
        (None, "Source", "s", "a.patch\n", "a.patch\nSource0:        s\n"),
        (Some("b"), "Requires", "x >= 1", "Requires: d\r\n", "Requires: d\r\nRequires: x >= 1\r\n"),
        (Some("b"), "Requires(post)", "x", "Requires: d\r\n", "Requires: d\r\nRequires(post): x\r\n"),
    ] {
        let expected = text.replacen(from, to, 1);
        assert_eq!(edited(text, |tree| tree.add(package, tag, value)).unwrap(), expected, "{tag}");
    }
    assert_eq!(edited("Patch09: a", |tree| tree.add(None, "Patch", "b")).unwrap(), "Patch09: a\nPatch10: b");
    assert_eq!(
        edited("%include b\nPatch1: a\n", |tree| tree.add(None, "Patch7", "b")).unwrap(),
        "%include b\nPatch1: a\nPatch7: b\n"
    );
    assert_eq!(edited("Patch01: a\n", |tree| tree.add(None, "Patch1", "b")), Err(Refusal::AlreadyThere(1)));
    assert_eq!(edited("Patch: a\n", |tree| tree.add(None, "Patch", "b")).unwrap(), "Patch: a\nPatch: b\n");
    assert_eq!(edited("%package b", |tree| tree.add(Some("b"), "URL", "c")).unwrap(), "%package b\nURL: c");
    let already = edited("Requires: a, b\n", |tree| tree.add(None, "Requires", "b"));
    assert_eq!(already, Err(Refusal::AlreadyThere(1)));
    for (text, refusal) in [
        ("Requires: a \\\n", Refusal::Joined(1)),
        ("%include b\n", Refusal::Included(1)),
        ("URL: %{a", Refusal::Unfinished),
    ] {
        assert_eq!(edited(text, |tree| tree.add(None, "Source", "x")), Err(refusal), "{text}");
    }
    assert!(matches!(edited(text, |tree| tree.add(Some("c"), "URL", "d")), Err(Refusal::Missing(_))));
    assert_eq!(edited("URL: a\n", |tree| tree.add(None, "URL", "b")), Err(Refusal::AlreadyThere(1)));
    assert!(matches!(edited(text, |tree| tree.add(None, "URL: a", "d")), Err(Refusal::BadText(_))));
    assert!(matches!(edited(text, |tree| tree.add(None, "Foo", "d")), Err(Refusal::BadText(_))));
}

#[test]
fn what_is_removed_takes_its_separators_along() {
    for (value, expected) in [
        ("a", "Requires: b >= 1 c\nRequires(post): d\n%if 1\n%endif\n"),
        ("b >= 1", "Requires: a, c\nRequires(post): d\n%if 1\nRequires: a\n%endif\n"),
        ("c", "Requires: a, b >= 1\nRequires(post): d\n%if 1\nRequires: a\n%endif\n"),
        ("d", "Requires: a, b >= 1 c\n%if 1\nRequires: a\n%endif\n"),
    ] {
        let text = "Requires: a, b >= 1 c\nRequires(post): d\n%if 1\nRequires: a\n%endif\n";
        assert_eq!(edited(text, |tree| tree.remove(None, "Requires", value)).unwrap(), expected, "{value}");
    }
    assert_eq!(edited("Patch1: a\nPatch2: b\n", |tree| tree.remove(None, "Patch", "b")).unwrap(), "Patch1: a\n");
    assert!(matches!(edited("Name: a\n", |tree| tree.remove(None, "Patch", "b")), Err(Refusal::Missing(_))));
}

const ENTRY: Entry<'_> =
    Entry { date: (2024, 4, 16), author: "A B <a@b.example>", evr: Some("1.1-1"), lines: &["one 100%", "- two"] };

#[test]
fn entries_go_to_the_top() {
    let new = "* Tue Apr 16 2024 A B <a@b.example>";
    let (dash, plain) = (format!("{new} - 1.1-1\n- one 100%%\n- two\n"), format!("{new} 1.1-1\n- one 100%%\n- two\n"));
    let (old, older) =
        ("* Mon Apr 15 2024 C <c@d.example> 1.0-1\n- x\n", "* Sun Apr 14 2024 C <c@d.example> 1.0-1\n- x\n");
    for (text, expected) in [
        (format!("%changelog\n{old}{older}"), format!("%changelog\n{plain}{old}{older}")),
        (format!("%changelog\n{old}\n{older}"), format!("%changelog\n{plain}\n{old}\n{older}")),
        ("%changelog".to_owned(), format!("%changelog\n{}", dash.trim_end())),
        ("Name: a".to_owned(), format!("Name: a\n\n%changelog\n{dash}")),
        ("Name: a\r\n".to_owned(), format!("Name: a\n\n%changelog\n{dash}").replace('\n', "\r\n")),
    ] {
        assert_eq!(edited(&text, |tree| tree.add_entry(&ENTRY)).unwrap(), expected);
    }
    let newer = "%changelog\n* Wed Apr 17 2024 C <c@d.example> 1.0-1\n- x\n";
    assert_eq!(edited(newer, |tree| tree.add_entry(&ENTRY)), Err(Refusal::OutOfOrder(2)));
    let automatic = edited("%changelog\n%autochangelog\n", |tree| tree.add_entry(&ENTRY));
    assert!(matches!(automatic, Err(Refusal::Composite { line: 2, .. })));
    let no_day = Entry { date: (2023, 2, 29), ..ENTRY };
    assert!(matches!(edited("", |tree| tree.add_entry(&no_day)), Err(Refusal::BadText(_))));
}

/// What the tree says of the main package, where that is certain, is what evaluation says.
/// Also says how many tags were compared.
fn disagreements(tree: &Tree, package: &SourcePackage) -> (Vec<String>, usize) {
    let (mut wrong, mut compared) = (Vec::new(), 0);
    let mut stated: BTreeMap<String, usize> = BTreeMap::new();
    for node in tree.nodes().filter(|node| node.preamble() == Some(PackageName::Main)) {
        let Some(tag) = node.tag() else { continue };
        if tag.is("BuildRequires") {
            for item in tag.items() {
                let first = *stated.entry(item.text.split_ascii_whitespace().collect()).or_insert(node.line());
                let line = u32::try_from(first).unwrap();
                let found = package.build_requires.iter().any(|dependency| {
                    let (name, place) = (dependency.value.to_string(), dependency.place.as_ref());
                    name.split_ascii_whitespace().next() == Some(item.name)
                        && place.is_some_and(|place| place.line == line)
                });
                let simple = !item.name.contains(['%', '(']) && tag.is_literal() && !node.is_conditional();
                compared += usize::from(simple);
                if simple && first == node.line() && !found {
                    wrong.push(format!("{}: BuildRequires {}", node.line(), item.text));
                }
            }
        }
        let evaluated = match &*tag.name {
            "Name" => &package.packages[0].name,
            "Version" => &package.packages[0].version,
            "Release" => &package.packages[0].release,
            _ => continue,
        };
        let simple = tag.is_literal() && !node.is_conditional();
        compared += usize::from(simple);
        if simple && tag.value != evaluated {
            wrong.push(format!("{}: {} is {evaluated}", node.line(), tag.name));
        }
    }
    (wrong, compared)
}

#[test]
fn a_distribution_prints_back_agrees_and_is_edited() {
    let Some(folder) = support::corpus("the trees of Photon's specs") else { return };
    let corpus = Corpus::read(&folder, "shell-answers-photon.json").unwrap();
    let context = PreparedContext::new(&corpus.context("x86_64", &[]));
    let (mut wrong, mut compared) = (Vec::new(), 0);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = |what: &str, outcome: Result<(), &Refusal>| {
        let outcome = outcome.map_or_else(|refusal| format!("{refusal:?}"), |()| "made".to_owned());
        let outcome = outcome.split([' ', '(']).next().unwrap_or_default();
        *counts.entry(format!("{what} {outcome}")).or_default() += 1;
    };
    for path in corpus.specs() {
        let (text, place) = corpus.spec(&path);
        let tree = holds_its_text(&text);
        let Some(package) = corpus.evaluate(&path, &context).package else { continue };
        if !tree.diagnostics(&path).is_empty() {
            wrong.push(format!("{path}: {:?}", tree.diagnostics(&path)));
        }
        let (found, tags) = disagreements(&tree, &package);
        wrong.extend(found.into_iter().map(|what| format!("{path}:{what}")));
        compared += tags;
        let entry = Entry { date: (2030, 1, 2), ..ENTRY };
        let edits: [(&str, &MakeEdit<'_>); 5] = [
            ("Version", &|tree| tree.set_value(None, "Version", "9.87.65")),
            ("Release", &|tree| tree.set_release("4321")),
            ("BuildRequires", &|tree| tree.add(None, "BuildRequires", "added-here >= 7")),
            ("Patch", &|tree| tree.add(None, "Patch", "added-here.patch")),
            ("entry", &|tree| tree.add_entry(&entry)),
        ];
        for (what, edit) in edits {
            let edit = edit(&tree);
            count(what, edit.as_ref().map(|_| ()));
            let Ok(edit) = edit else { continue };
            let after = corpus.evaluate_text(tree.apply(&edit).text(), place.clone(), &context);
            let seen = after.package.as_ref().is_some_and(|after| match what {
                "Version" => after.packages[0].version == "9.87.65",
                "Release" => after.packages[0].release.starts_with("4321"),
                "BuildRequires" => after.build_requires.iter().any(|it| it.value.to_string() == "added-here >= 7"),
                "Patch" => after.patches.len() == package.patches.len() + 1,
                _ => after.changelog.len() == package.changelog.len() + 1 && after.changelog[0].text.contains("100%"),
            });
            if !seen {
                wrong.push(format!("{path}: {what}: {:?}", after.diagnostics.first()));
            }
        }
    }
    support::report(&format!("a distribution: {compared} tags agree; edits: {counts:?}"));
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert!(compared > 5000, "only {compared} tags were compared");
    assert!(counts["Version made"] > 1000 && counts["entry made"] > 1000, "{counts:?}");
}
