//! Every state a publish can be cut off in, made by hand: the next one goes on from it; and what else can go wrong.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use repository::{Change, Generation, Generations, SeedFile, read_rpm};

use crate::fixtures::{fixtures, has, named};

fn add(name: &str) -> Change {
    Change { add: vec![named(fixtures(), name).to_owned()], ..Change::default() }
}

/// The names in `generations`, and beside it.
fn names(output: &Path) -> Vec<String> {
    let list = |path: &Path| {
        let entries = fs::read_dir(path).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let mut names = [list(&output.join("generations")), list(output)].concat();
    names.retain(|name| name != ".lock" && name != "generations" && name != "repo");
    names.sort();
    names
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

fn is_published(generation: &Generation, name: &str) -> bool {
    generation.packages().iter().any(|file| file.metadata.nevra.name == name && !file.is_source)
}

/// What was done last, the generation that is current then, and how to come there from two whole generations.
type Step = (&'static str, u64, fn(&Path));

#[test]
fn a_publish_cut_off_at_any_step_is_cleared_away() {
    if !has("rpmbuild") {
        return;
    }
    // What is on the disk after each step of publishing generation 2.
    let cut_off: [Step; 8] = [
        ("made the directory", 1, |at| fs::create_dir(at.join("generations/.next-2")).unwrap()),
        ("linked what comes", 1, |at| {
            fs::create_dir_all(at.join("generations/.next-2/incoming")).unwrap();
            fs::write(at.join("generations/.next-2/incoming/0"), "half").unwrap();
        }),
        ("wrote it", 1, |at| fs::rename(at.join("generations/2"), at.join("generations/.next-2")).unwrap()),
        ("wrote the marker", 1, |at| {
            fs::rename(at.join("generations/2"), at.join("generations/.next-2")).unwrap();
            fs::write(at.join("generations/.publishing-2"), "").unwrap();
        }),
        ("gave it its name", 1, |at| fs::write(at.join("generations/.publishing-2"), "").unwrap()),
        ("made the link", 1, |at| {
            fs::write(at.join("generations/.publishing-2"), "").unwrap();
            symlink("generations/2", at.join(".repo-next")).unwrap();
        }),
        ("switched", 2, |at| {
            fs::write(at.join("generations/.publishing-2"), "").unwrap();
            fs::remove_file(at.join("repo")).unwrap();
            symlink("generations/2", at.join("repo")).unwrap();
        }),
        ("was clearing away what had its name", 1, |at| {
            fs::write(at.join("generations/.publishing-2"), "").unwrap();
            fs::rename(at.join("generations/2"), at.join("generations/.old-2")).unwrap();
            fs::remove_dir_all(at.join("generations/.old-2/repodata")).unwrap();
        }),
    ];
    let directory = tempfile::tempdir().unwrap();
    let whole = directory.path().join("whole");
    let generations = Generations::open(&whole).unwrap();
    generations.publish(&add("beta-1.0-1.noarch")).unwrap();
    generations.publish(&add("gamma-1.0-1.noarch")).unwrap();
    // Back to before the second: what the steps start from.
    fs::remove_file(whole.join("repo")).unwrap();
    symlink("generations/1", whole.join("repo")).unwrap();

    for (index, (step, number, cut)) in cut_off.into_iter().enumerate() {
        let output = directory.path().join(index.to_string());
        copy(&whole, &output);
        let needs_second =
            ["gave", "made the link", "switched", "wrote", "was"].iter().any(|start| step.starts_with(start));
        if !needs_second {
            fs::remove_dir_all(output.join("generations/2")).unwrap();
        }
        cut(&output);
        let opened = Generations::open(&output).unwrap();
        let current = opened.current().unwrap();
        assert_eq!(current.number(), number, "{step}");
        current.verify().unwrap();
        let left: Vec<_> = (1..=number).map(|number| number.to_string()).collect();
        assert_eq!(names(&output), left, "{step}");
        // The same is published again, or is there.
        let again = opened.publish(&add("gamma-1.0-1.noarch")).unwrap();
        assert_eq!(again.number(), 2, "{step}");
        again.verify().unwrap();
        assert!(is_published(&again, "beta") && is_published(&again, "gamma"), "{step}");
        assert_eq!(names(&output), ["1", "2"], "{step}");
    }
}

#[test]
fn two_writers_lose_nothing() {
    if !has("rpmbuild") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("out");
    // Locks count per opened file: two values in one process are two writers as two processes are.
    let (first, second) = (Generations::open(&output).unwrap(), Generations::open(&output).unwrap());
    std::thread::scope(|scope| {
        for (generations, source) in [(&first, "beta"), (&second, "gamma")] {
            scope.spawn(move || {
                for _ in 0..15 {
                    let there = generations.publish(&add(&format!("{source}-1.0-1.noarch"))).unwrap();
                    assert!(is_published(&there, source));
                    there.verify().unwrap();
                    let remove = Change { remove: [source.to_owned()].into(), ..Change::default() };
                    assert!(!is_published(&generations.publish(&remove).unwrap(), source));
                }
                generations.publish(&add(&format!("{source}-1.0-1.noarch"))).unwrap();
            });
        }
    });
    let current = Generations::open(&output).unwrap().current().unwrap();
    assert_eq!((current.number(), current.packages().len()), (62, 2));
    current.verify().unwrap();
    assert_eq!(first.gc(0).unwrap().len(), 61);
    assert_eq!(names(&output), ["62"]);
    current.verify().unwrap();
}

#[test]
fn files_from_another_file_system_are_copied() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir_in("/dev/shm");
    let Ok(elsewhere) = elsewhere else { return };
    let device = |path: &Path| fs::metadata(path).unwrap().dev();
    if !has("rpmbuild") || device(directory.path()) == device(elsewhere.path()) {
        return;
    }
    let from = elsewhere.path().join("beta.rpm");
    copy(named(fixtures(), "beta-1.0-1.noarch"), &from);
    let generations = Generations::open(directory.path()).unwrap();
    let generation = generations.publish(&Change { add: vec![from.clone()], ..Change::default() }).unwrap();
    generation.verify().unwrap();
    // The same time as where it came from, or the repodata would depend on the way.
    let time = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    assert_eq!(time(&generation.packages()[0].path), time(&from));
    fs::write(&from, "overwritten").unwrap();
    generation.verify().unwrap();
}

#[test]
fn a_link_is_followed_and_what_is_no_file_is_refused() {
    if !has("rpmbuild") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let beta = directory.path().join("beta.rpm");
    fs::hard_link(named(fixtures(), "beta-1.0-1.noarch"), &beta).unwrap();
    let link = directory.path().join("link.rpm");
    symlink("beta.rpm", &link).unwrap();
    let generations = Generations::open(directory.path().join("out")).unwrap();
    let change = |path: &Path| Change { add: vec![path.to_owned()], ..Change::default() };
    let generation = generations.publish(&change(&link)).unwrap();
    fs::remove_file(&beta).unwrap();
    generation.verify().unwrap();
    assert!(!generation.packages()[0].path.is_symlink());

    let pipe = directory.path().join("pipe.rpm");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for bad in [&pipe, &directory.path().join("out")] {
        let error = generations.publish(&change(bad)).unwrap_err().to_string();
        assert!(error.contains(&*bad.to_string_lossy()), "{error}");
    }
    assert_eq!(names(&directory.path().join("out")), ["1"]);
}

#[test]
fn what_the_tree_builds_takes_the_place_of_what_seeds_lend() {
    if !has("rpmbuild") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let generations = Generations::open(directory.path()).unwrap();
    let path = named(fixtures(), "gamma-1.0-1.noarch").to_owned();
    let lent = || Some(vec![SeedFile { sha256: read_rpm(&path).unwrap().sha256, path: path.clone() }]);
    let first = generations.publish(&Change { seeds: lent(), ..Change::default() }).unwrap();
    assert_eq!(first.packages()[0].location(), "SEEDS/noarch/gamma-1.0-1.noarch.rpm");
    // The very same file is another state once it counts as built, and the seed's goes: no NEVRA is there twice.
    for seeds in [None, lent()] {
        let second = generations.publish(&Change { seeds, ..add("gamma-1.0-1.noarch") }).unwrap();
        second.verify().unwrap();
        assert_eq!(second.number(), 2);
        let locations: Vec<_> = second.packages().iter().map(repository::RpmFile::location).collect();
        assert_eq!(locations, ["RPMS/noarch/gamma-1.0-1.noarch.rpm"]);
    }
}

const INTO: &str = "REPOSITORY_TEST_PUBLISH_LIMITED";

/// Not a test of its own: publishes where no file may become as large as the repodata will be.
#[test]
fn child_without_room() {
    let Some(output) = std::env::var_os(INTO) else { return };
    let generations = Generations::open(Path::new(&output).join("out")).unwrap();
    let rpm = Path::new(&output).join("alpha.rpm");
    let error = generations.publish(&Change { add: vec![rpm], ..Change::default() }).unwrap_err();
    assert!(error.to_string().contains("repodata"), "{error}");
    assert_eq!(generations.current().unwrap().number(), 1);
    assert_eq!(names(&Path::new(&output).join("out")), ["1"]);
}

#[test]
fn no_room_changes_nothing() {
    if !has("rpmbuild") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("out");
    let generations = Generations::open(&output).unwrap();
    generations.publish(&add("beta-1.0-1.noarch")).unwrap();
    let alpha = directory.path().join("alpha.rpm");
    fs::hard_link(named(fixtures(), "alpha-tools"), &alpha).unwrap();
    // A limit on the size of files fails a write half done, as a full disk does.
    let script = "trap '' XFSZ && ulimit -f 1 && exec \"$0\" leftovers::child_without_room --exact";
    let mut child = Command::new("sh");
    child.arg("-c").arg(script).arg(std::env::current_exe().unwrap()).env(INTO, directory.path());
    assert!(child.stdout(Stdio::null()).status().unwrap().success());
    generations.current().unwrap().verify().unwrap();
    let alpha = generations.publish(&Change { add: vec![alpha], ..Change::default() }).unwrap();
    assert_eq!(alpha.number(), 2);
    alpha.verify().unwrap();
}
