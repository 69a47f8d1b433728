//! What a generation holds after each kind of change.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use repository::{Change, Generation, Generations, RepositoryError, SeedFile, read_rpm};

use crate::fixtures::{Build, build, fixtures, has, named, plain_spec};

fn add(files: &[&Path]) -> Change {
    Change { add: files.iter().map(|path| path.to_path_buf()).collect(), ..Change::default() }
}

fn replace(source: &str, files: &[PathBuf]) -> Change {
    Change { add: files.to_vec(), remove: BTreeSet::from([source.to_owned()]), seeds: None }
}

fn locations(generation: &Generation) -> Vec<String> {
    generation.packages().iter().map(repository::RpmFile::location).collect()
}

#[test]
fn changes_add_up() {
    if !has("rpmbuild") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("out");
    let generations = Generations::open(&output).unwrap();
    assert!(generations.current().is_none() && !output.join("repo").exists());

    let all = generations.publish(&Change { add: fixtures().to_vec(), ..Change::default() }).unwrap();
    all.verify().unwrap();
    assert_eq!((all.number(), all.packages().len()), (1, fixtures().len()));
    assert_eq!(fs::read_link(output.join("repo")).unwrap(), Path::new("generations/1"));
    assert!(locations(&all).contains(&"SRPMS/alpha-1.0~rc1-3.src.rpm".to_owned()));

    // The same again is no new generation.
    let same = generations.publish(&add(&[named(fixtures(), "beta-1.0-1.noarch")])).unwrap();
    assert_eq!(same.number(), 1);

    // A rebuild with a new release takes the place of the old, its SRPM included.
    let rebuilt =
        build(&directory.path().join("beta"), &Build { spec: &plain_spec("beta", 2, "new"), ..Build::default() });
    let second = generations.publish(&replace("beta", &rebuilt)).unwrap();
    second.verify().unwrap();
    let betas: Vec<_> = locations(&second).into_iter().filter(|location| location.contains("beta")).collect();
    assert_eq!(betas, ["RPMS/noarch/beta-1.0-2.noarch.rpm", "SRPMS/beta-1.0-2.src.rpm"]);
    assert_eq!(second.packages().len(), all.packages().len());

    // The old generation is untouched and still whole; the new one shares its files.
    all.verify().unwrap();
    use std::os::unix::fs::MetadataExt;
    let inode = |generation: &Generation| {
        fs::metadata(generation.directory().join("RPMS/noarch/gamma-1.0-1.noarch.rpm")).unwrap().ino()
    };
    assert_eq!(inode(&all), inode(&second));

    // A client that has just read the first repomd.xml still finds its files in the second.
    let name = all.directory().join("repodata/repomd.xml");
    let old = repository::Repomd::parse(&name, &fs::read(&name).unwrap()).unwrap();
    for record in old.records.values() {
        record.check(&name, &fs::read(output.join("repo").join(&record.location)).unwrap()).unwrap();
    }

    // Taken out without anything new.
    let third = generations.publish(&replace("alpha", &[])).unwrap();
    third.verify().unwrap();
    assert!(!locations(&third).iter().any(|location| location.contains("alpha")));

    // Another process sees the same; and then only the newest are kept.
    let reopened = Generations::open(&output).unwrap();
    let current = reopened.current().unwrap();
    assert_eq!((current.number(), locations(&current)), (3, locations(&third)));
    assert_eq!(reopened.gc(1).unwrap(), [1]);
    assert!(!all.directory().exists() && second.directory().exists());
    let fourth = reopened.publish(&add(&[named(fixtures(), "alpha-tools")])).unwrap();
    assert_eq!(fourth.number(), 4);
    // The first process takes up what the second did.
    let fifth = generations.publish(&add(&[named(fixtures(), "alpha-empty")])).unwrap();
    fifth.verify().unwrap();
    assert!(locations(&fifth).iter().any(|location| location.contains("alpha-tools")));
    let entries = fs::read_dir(output.join("generations")).unwrap().map(|entry| entry.unwrap().file_name());
    let hidden: Vec<_> = entries.filter(|name| name.to_string_lossy().starts_with('.')).collect();
    assert_eq!(hidden, [".lock"]);
}

#[test]
fn the_same_name_with_other_content() {
    if !has("rpmbuild") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let top = |name: &str| directory.path().join(name);
    let first = build(&top("1"), &Build { spec: &plain_spec("same", 1, "first"), ..Build::default() });
    let second = build(&top("2"), &Build { spec: &plain_spec("same", 1, "second"), ..Build::default() });
    // A third one comes from another source package: `Name` differs, a subpackage has the name.
    let spec = plain_spec("other", 1, "third")
        .replace("%files", "%files -n same")
        .replace("%install", "%package -n same\nSummary: Same\n%description -n same\nSame\n%install");
    let third = build(&top("3"), &Build { spec: &spec, ..Build::default() });

    let generations = Generations::open(top("out")).unwrap();
    let (first, second) = (named(&first, "same-1.0-1.noarch"), named(&second, "same-1.0-1.noarch"));
    let third = named(&third, "same-1.0-1.noarch");
    let before = generations.publish(&add(&[first])).unwrap();
    let after = generations.publish(&add(&[second])).unwrap();
    assert_eq!(before.packages().len(), after.packages().len());
    assert_ne!(before.packages()[0].sha256, after.packages()[0].sha256);

    for change in [add(&[third]), add(&[first, second])] {
        let error = generations.publish(&change).unwrap_err();
        assert!(
            matches!(&error, RepositoryError::Conflict { package, .. } if package == "same-1.0-1.noarch"),
            "{error}"
        );
    }
    // Nothing has changed, and nothing is left over.
    let current = generations.current().unwrap();
    assert_eq!(current.number(), after.number());
    current.verify().unwrap();
    assert_eq!(fs::read_dir(top("out/generations")).unwrap().count(), 3);
    // Taken out first, it may come from elsewhere.
    generations.publish(&replace("same", &[third.to_owned()])).unwrap().verify().unwrap();
}

#[test]
fn bad_input_changes_nothing() {
    if !has("rpmbuild") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("out");
    let generations = Generations::open(&output).unwrap();
    let beta = named(fixtures(), "beta-1.0-1.noarch");
    generations.publish(&add(&[beta])).unwrap();
    let cut = directory.path().join("cut.rpm");
    fs::write(&cut, &fs::read(beta).unwrap()[..700]).unwrap();
    let missing = directory.path().join("missing.rpm");
    for bad in [&cut, &missing] {
        let error = generations.publish(&add(&[named(fixtures(), "gamma-1.0-1.noarch"), bad])).unwrap_err();
        assert!(error.to_string().contains(&*bad.to_string_lossy()), "{error}");
        assert_eq!(generations.current().unwrap().number(), 1);
        assert_eq!(fs::read_dir(output.join("generations")).unwrap().count(), 2);
    }

    // A directory in the place of the link is left alone.
    let other = directory.path().join("other");
    fs::create_dir_all(other.join("repo/precious")).unwrap();
    assert!(matches!(Generations::open(&other), Err(RepositoryError::Unsupported { .. })));
    assert!(other.join("repo/precious").exists());
}

#[test]
fn damage_is_found() {
    if !has("rpmbuild") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let generations = Generations::open(directory.path()).unwrap();
    let generation = generations.publish(&Change { add: fixtures().to_vec(), ..Change::default() }).unwrap();
    let beta = generation.directory().join("RPMS/noarch/beta-1.0-1.noarch.rpm");
    let content = fs::read(&beta).unwrap();
    // Not in place: the file is shared with the fixtures.
    let damage = |content: &[u8]| {
        fs::remove_file(&beta).unwrap();
        fs::write(&beta, content).unwrap();
    };
    let mut flipped = content.clone();
    *flipped.last_mut().unwrap() ^= 1;
    damage(&flipped);
    let error = generation.verify().unwrap_err();
    assert!(matches!(&error, RepositoryError::Damaged { path, .. } if *path == beta), "{error}");
    damage(&content[..content.len() - 1]);
    assert!(matches!(Generations::open(directory.path()), Err(RepositoryError::Damaged { .. })));
    fs::remove_file(&beta).unwrap();
    assert!(generation.verify().unwrap_err().to_string().contains("beta-1.0-1"));
    fs::write(&beta, &content).unwrap();
    generation.verify().unwrap();
    let extra = generation.directory().join("RPMS/noarch/extra.rpm");
    fs::write(&extra, "").unwrap();
    assert!(matches!(generation.verify(), Err(RepositoryError::Damaged { path, .. }) if path == extra));
}

#[test]
fn what_seeds_lend_is_published_apart_and_replaced_as_a_whole() {
    if !has("rpmbuild") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let generations = Generations::open(directory.path()).unwrap();
    let seed = |name: &str| {
        let path = named(fixtures(), name).to_owned();
        SeedFile { sha256: read_rpm(&path).unwrap().sha256, path }
    };
    let (alpha, gamma) = (named(fixtures(), "alpha-1.0~rc1-3.x86_64"), "gamma-1.0-1.noarch");
    let lend = |seeds: Vec<SeedFile>| Change { seeds: Some(seeds), ..Change::default() };
    let first = generations.publish(&Change { add: vec![alpha.to_owned()], ..lend(vec![seed(gamma)]) }).unwrap();
    first.verify().unwrap();
    assert_eq!(locations(&first), ["RPMS/x86_64/alpha-1.0~rc1-3.x86_64.rpm", "SEEDS/noarch/gamma-1.0-1.noarch.rpm"]);
    assert_eq!(first.built().count(), 1);

    // A reader of the directory sees the same, and a change that says nothing of seeds leaves them; so does one that
    // takes a source package of that name out.
    let again = Generations::open(directory.path()).unwrap();
    assert_eq!(locations(&again.current().unwrap()), locations(&first));
    assert_eq!(again.publish(&replace("gamma", &[])).unwrap().number(), first.number());

    let second = again.publish(&lend(vec![seed("beta-1.0-1.noarch")])).unwrap();
    second.verify().unwrap();
    assert_eq!(locations(&second), ["RPMS/x86_64/alpha-1.0~rc1-3.x86_64.rpm", "SEEDS/noarch/beta-1.0-1.noarch.rpm"]);

    // A seed's file that has changed since is refused, and nothing is published.
    let wrong = SeedFile { sha256: "0".repeat(64), ..seed(gamma) };
    let error = again.publish(&lend(vec![wrong])).unwrap_err();
    assert!(matches!(error, RepositoryError::Damaged { .. }), "{error}");
    assert_eq!(again.current().unwrap().number(), second.number());
}
