//! Readers see whole states only while the writer publishes.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use repository::{Change, Generations, RepositoryIndex};

use crate::fixtures::{fixtures, has, named};

/// What a client that does not pin a generation does: it reads `repomd.xml`, then what that names, both
/// through the link. False if more than one switch came between, which is more than is promised.
fn read_through_link(repo: &Path) -> bool {
    let before = number(repo);
    let result = RepositoryIndex::load_directory(repo);
    match result {
        Ok(index) => {
            check(&index);
            true
        }
        Err(error) => {
            let after = number(repo);
            assert!(after > before + 1, "between generations {before} and {after}: {error}");
            false
        }
    }
}

/// What a client that pins a generation does.
fn read_pinned(repo: &Path) {
    let pinned = repo.canonicalize().unwrap();
    let index = RepositoryIndex::load_directory(&pinned).unwrap();
    check(&index);
    for package in &index.packages {
        assert_eq!(fs::metadata(pinned.join(&package.location)).unwrap().len(), package.size);
    }
}

/// Beta and gamma come and go together, and alpha is always there.
fn check(index: &RepositoryIndex) {
    let has = |name: &str| index.packages.iter().any(|package| package.metadata.nevra.name == name);
    assert!(has("alpha-tools"));
    assert_eq!(has("beta"), has("gamma"));
}

fn number(repo: &Path) -> u64 {
    let target = fs::read_link(repo).unwrap();
    target.file_name().unwrap().to_string_lossy().parse().unwrap()
}

#[test]
fn states_are_whole() {
    if !has("rpmbuild") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let repo = directory.path().join("repo");
    let generations = Generations::open(directory.path()).unwrap();
    let pair = ["beta-1.0-1.noarch", "gamma-1.0-1.noarch"].map(|name| named(fixtures(), name).to_owned());
    let add = Change { add: pair.to_vec(), ..Change::default() };
    let remove = Change { remove: ["beta", "gamma"].map(str::to_owned).into(), ..Change::default() };
    generations.publish(&Change { add: fixtures().to_vec(), ..Change::default() }).unwrap();

    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|reader| {
                let (done, repo) = (&done, &repo);
                scope.spawn(move || {
                    let mut reads = 0;
                    while !done.load(Ordering::Relaxed) {
                        if reader == 0 {
                            read_pinned(repo);
                            reads += 1;
                        } else if read_through_link(repo) {
                            reads += 1;
                        }
                    }
                    reads
                })
            })
            .collect();
        for round in 0..25 {
            generations.publish(&remove).unwrap();
            let number = generations.publish(&add).unwrap().number();
            assert_eq!(number, 2 * round + 3);
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            let reads: u32 = reader.join().unwrap();
            assert!(reads > 10, "a reader came to read {reads} times only");
        }
    });
}
