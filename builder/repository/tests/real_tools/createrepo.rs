//! Our repodata says the same as that of createrepo_c, package by package.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use quick_xml::events::Event;
use repository::{Repomd, RepositoryIndex, read_rpm, write_repodata};

use crate::fixtures::{fixtures, has, run};

/// What one of the files of repodata says: what surrounds the packages, and each package.
type Said = (Vec<String>, BTreeMap<String, Vec<String>>);

/// A file of repodata as elements, attributes and texts. White space around texts, the order of attributes and the
/// order of packages do not count (versions of createrepo_c differ in it), nor does a dependency said twice in one
/// list, which createrepo_c leaves where another came between; all else does, the order of elements included.
fn said(root: &Path, kind: &str) -> Said {
    let name = root.join("repodata/repomd.xml");
    let repomd = Repomd::parse(&name, &std::fs::read(&name).unwrap()).unwrap();
    let record = repomd.record(&name, kind).unwrap();
    let path = root.join(&record.location);
    let bytes = std::fs::read(&path).unwrap();
    record.check(&path, &bytes).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(&bytes[..]), &mut text).unwrap();
    assert_eq!(record.open_size, Some(text.len() as u64));

    let mut around = Vec::new();
    let mut packages = BTreeMap::new();
    let mut package: Option<Vec<String>> = None;
    for line in lines(&text) {
        if line.starts_with("<package ") {
            assert!(package.replace(vec![line]).is_none());
        } else if line == "/package" {
            let lines = without_repetitions(package.take().unwrap());
            // In primary the location is unique, in the others there is nothing else than the checksum.
            let key = lines.iter().find(|line| line.starts_with("<location ")).unwrap_or(&lines[0]).clone();
            assert_eq!(packages.insert(key.clone(), lines), None, "{key} is there twice");
        } else {
            package.as_mut().unwrap_or(&mut around).push(line);
        }
    }
    (around, packages)
}

/// Leaves out each dependency that is in the same list already.
fn without_repetitions(lines: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut is_repeated = false;
    let kept = lines.into_iter().filter(|line| {
        if line.starts_with("<rpm:entry ") {
            is_repeated = !seen.insert(line.clone());
        } else if line != "/rpm:entry" {
            (seen, is_repeated) = (BTreeSet::new(), false);
        }
        !is_repeated
    });
    kept.collect()
}

/// Every tag and every text, in order.
fn lines(text: &str) -> Vec<String> {
    let mut reader = quick_xml::Reader::from_str(text);
    let mut lines = vec![String::new()];
    loop {
        match reader.read_event().unwrap() {
            Event::Start(element) => lines.extend([attributes(&element), String::new()]),
            Event::Empty(element) => {
                lines.extend([attributes(&element), format!("/{}", name_of(&element)), String::new()]);
            }
            Event::End(element) => {
                let name = String::from_utf8_lossy(element.name().as_ref().as_bytes()).into_owned();
                lines.extend([format!("/{name}"), String::new()]);
            }
            Event::Text(text) => lines.last_mut().unwrap().push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let escaped = format!("&{};", reference.xml10_content());
                lines.last_mut().unwrap().push_str(&quick_xml::escape::unescape(&escaped).unwrap());
            }
            Event::Eof => break,
            _ => {}
        }
    }
    lines.iter().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// Fails at the first thing one says and the other does not; gives the number of packages.
pub(crate) fn assert_same(ours: &Path, theirs: &Path) -> usize {
    let mut count = 0;
    for kind in ["primary", "filelists", "other"] {
        let ((around, ours), (their_around, theirs)) = (said(ours, kind), said(theirs, kind));
        assert_eq!(around, their_around, "{kind}");
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{kind}");
        for (key, lines) in &ours {
            for (line, their_line) in lines.iter().zip(&theirs[key]) {
                assert_eq!(line, their_line, "{kind} of {key}");
            }
            assert_eq!(lines.len(), theirs[key].len(), "{kind} of {key}");
        }
        count = ours.len();
    }
    count
}

fn name_of(element: &quick_xml::events::BytesStart<'_>) -> String {
    element.name().as_ref().to_owned()
}

fn attributes(element: &quick_xml::events::BytesStart<'_>) -> String {
    let attributes = element.attributes().map(|attribute| {
        let attribute = attribute.unwrap();
        let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).unwrap();
        format!("{}={value:?}", attribute.key.as_ref())
    });
    let mut attributes: Vec<_> = attributes.collect();
    attributes.sort();
    format!("<{} {}>", name_of(element), attributes.join(" "))
}

#[test]
fn says_the_same() {
    if !has("rpmbuild") || !has("createrepo_c") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (ours, theirs) = (directory.path().join("ours"), directory.path().join("theirs"));
    for rpm in fixtures() {
        for root in [&ours, &theirs] {
            let to = root.join(if rpm.to_string_lossy().contains(".src.") { "SRPMS" } else { "RPMS/some" });
            std::fs::create_dir_all(&to).unwrap();
            std::fs::hard_link(rpm, to.join(rpm.file_name().unwrap())).unwrap();
        }
    }
    assert_eq!(write_repodata(&ours).unwrap(), fixtures().len());
    createrepo(&theirs);
    assert_eq!(assert_same(&ours, &theirs), fixtures().len());

    // Ours is swapped in again over what is there, and both are read as the same.
    write_repodata(&ours).unwrap();
    let sorted = |root: &Path| {
        let mut index = RepositoryIndex::load_directory(root).unwrap();
        index.packages.sort_by(|one, other| one.location.cmp(&other.location));
        index.packages.iter_mut().for_each(|package| package.metadata.requires.dedup());
        index
    };
    assert_eq!(sorted(&ours), sorted(&theirs));
    let rest: Vec<_> = std::fs::read_dir(&ours).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(rest.len(), 3, "{rest:?}");
}

/// Lets the real tool write repodata.
pub(crate) fn createrepo(root: &Path) {
    run(Command::new("createrepo_c").args(["--no-database", "--quiet"]).arg(root));
}

#[test]
fn the_index_says_what_the_files_say() {
    if !has("rpmbuild") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    for rpm in fixtures() {
        std::fs::hard_link(rpm, directory.path().join(rpm.file_name().unwrap())).unwrap();
    }
    write_repodata(directory.path()).unwrap();
    let index = RepositoryIndex::load_directory(directory.path()).unwrap();
    assert_eq!(index.packages.len(), fixtures().len());
    for package in &index.packages {
        let file = read_rpm(directory.path().join(&package.location)).unwrap();
        assert_eq!((&file.sha256, file.size), (&package.sha256, package.size));
        let (header, repodata) = (&*file.metadata, &package.metadata);
        assert_eq!(header.nevra, repodata.nevra);
        assert_eq!(header.source_rpm, repodata.source_rpm);
        assert_eq!(header.provides, repodata.provides);
        assert_eq!(header.conflicts, repodata.conflicts);
        assert_eq!(header.obsoletes, repodata.obsoletes);
        assert_eq!(header.recommends, repodata.recommends);
        // Repodata leaves out what the package itself offers, and says everything once.
        assert!(repodata.requires.iter().all(|requires| header.requires.contains(requires)), "{}", header.nevra);
        if !file.is_source {
            assert_eq!(header.files, repodata.files);
        }
    }
    let tools = index.packages.iter().find(|package| package.metadata.nevra.name == "alpha-tools").unwrap();
    let requires: Vec<_> = tools.metadata.requires.iter().map(ToString::to_string).collect();
    assert!(requires.contains(&"(delta >= 1:2.0 if epsilon else zeta)".to_owned()), "{requires:?}");
    assert!(requires.contains(&"beta >= 1:2.0-1".to_owned()) && !requires.iter().any(|text| text.contains("rpmlib")));
    assert_eq!(tools.metadata.nevra.to_string(), "alpha-tools-2:1.0~rc1-3.".to_owned() + std::env::consts::ARCH);

    let short = RepositoryIndex::load_directory_without_filelists(directory.path()).unwrap();
    let short = short.packages.iter().find(|package| package.metadata.nevra.name == "alpha-tools").unwrap();
    assert!(short.metadata.files.contains(&"/usr/bin/alpha-tool".to_owned()));
    assert!(!short.metadata.files.contains(&"/usr/libexec/alpha".to_owned()));
}
