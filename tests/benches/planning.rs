//! How long planning this tree takes, as a process from start to end, against `rpmspec` asked once for each spec.
//!
//! `cargo bench -p tests --bench planning`. Both sides run alternately; medians and their ratio are printed. It holds
//! when planning takes under 100 ms.

use std::process::Command;
use std::time::Duration;

use tests::tree::cache;
use tests::{has, median, package_builder, root, run, succeed, time};

const ROUNDS: usize = 11;
const LIMIT: Duration = Duration::from_millis(100);

fn main() {
    let output = tempfile::tempdir().expect("a temporary folder");
    let plan = || {
        let mut command = Command::new(package_builder());
        command.arg("--tree").arg(root()).arg("--cache").arg(cache()).arg("--output").arg(output.path());
        command.args(["plan", "--all"]);
        command
    };
    // The first run fetches the seeds and reads the macro files; those are other costs.
    let _ = succeed(&mut plan());
    let specs = specs();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(time(|| drop(succeed(&mut plan()))));
        if has("rpmspec") {
            // Answers differ with the host's macros; only the time counts here.
            theirs.push(time(|| specs.iter().for_each(|spec| drop(run(Command::new("rpmspec").args(["-q", spec]))))));
        }
    }
    let ours = median(ours);
    tests::say(&format!("planning {} specs: {} ms", specs.len(), ours.as_millis()));
    let ratio = match theirs.is_empty() {
        true => "none".to_owned(),
        false => {
            let theirs = median(theirs);
            tests::say(&format!("rpmspec -q, one by one: {} ms", theirs.as_millis()));
            format!("{:.1}", theirs.as_secs_f64() / ours.as_secs_f64())
        }
    };
    let verdict = if ours < LIMIT { "holds" } else { "falls short" };
    tests::say(&format!(
        "planning: ours_ms={} limit_ms={} ratio={ratio} {verdict}",
        ours.as_millis(),
        LIMIT.as_millis()
    ));
    std::process::exit(i32::from(ours >= LIMIT));
}

fn specs() -> Vec<String> {
    let files = walkdir::WalkDir::new(root().join("SPECS")).into_iter().filter_map(Result::ok);
    let specs = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "spec"));
    specs.map(|file| file.path().display().to_string()).collect()
}
