//! A publisher killed at any moment leaves a whole state, and the next one clears up.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use repository::{Change, Generations};

use crate::fixtures::{fixtures, has, named};

const INTO: &str = "REPOSITORY_TEST_PUBLISH_INTO";

/// Not a test of its own: the process that is killed. It publishes until then.
#[test]
fn child_that_is_killed() {
    let Some(output) = std::env::var_os(INTO) else { return };
    let output = Path::new(&output);
    let generations = Generations::open(output.join("out")).unwrap();
    let remove = Change { remove: ["beta", "gamma"].map(str::to_owned).into(), ..Change::default() };
    let files = ["beta.rpm", "gamma.rpm"].map(|name| output.join(name)).to_vec();
    let add = Change { add: files, ..Change::default() };
    loop {
        generations.publish(&remove).unwrap();
        generations.publish(&add).unwrap();
        generations.gc(2).unwrap();
    }
}

#[test]
fn a_killed_publish_leaves_a_whole_state() {
    if !has("rpmbuild") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("out");
    for name in ["beta", "gamma"] {
        let rpm = named(fixtures(), &format!("{name}-1.0-1.noarch"));
        std::fs::hard_link(rpm, directory.path().join(format!("{name}.rpm"))).unwrap();
    }
    let first = Change { add: fixtures().to_vec(), ..Change::default() };
    let mut last = Generations::open(&output).unwrap().publish(&first).unwrap().number();
    let mut leftovers = 0;
    for round in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["kill::child_that_is_killed", "--exact"])
            .env(INTO, directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Not before it has published anything: starting takes longer than publishing.
        while std::fs::read_link(output.join("repo")).unwrap() == Path::new("generations").join(last.to_string()) {
            assert!(child.try_wait().unwrap().is_none(), "the publisher ended by itself");
            std::thread::sleep(Duration::from_millis(1));
        }
        // Another moment of the work each time.
        std::thread::sleep(Duration::from_micros(3_100 * round));
        child.kill().unwrap();
        child.wait().unwrap();

        leftovers += hidden(&output);
        let generations = Generations::open(&output).unwrap();
        assert_eq!(hidden(&output), 0, "something is left over");
        let current = generations.current().unwrap();
        current.verify().unwrap();
        assert!(current.number() > last);
        let has = |name: &str| current.packages().iter().any(|file| file.metadata.nevra.name == name);
        assert_eq!(has("beta"), has("gamma"));
        last = current.number();
    }
    assert!(leftovers > 0, "no kill came while something was written, so nothing was tested");
}

/// How much is there that has no place in a state of rest.
fn hidden(output: &Path) -> usize {
    let names = |path: &Path| {
        let entries = std::fs::read_dir(path).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let inside = names(&output.join("generations")).into_iter().filter(|name| name != ".lock");
    inside.chain(names(output)).filter(|name| name.starts_with('.')).count()
}
