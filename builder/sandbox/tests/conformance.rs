//! What every kind of sandbox promises, checked against each that works here: namespaces as whoever runs this and, as
//! root, as an ordinary user; the Docker Engine, and Podman. A kind that does not work here is skipped loudly, and fails
//! the run where `CI` is set.

mod conformance_checks;

use std::io::Write;
use std::process::ExitCode;

use conformance_checks::{CHECKS, HOLD, Place, hold, others};
use sandbox::Sandbox;
use sandbox::docker::DockerSandbox;
use sandbox::linux::LinuxSandbox;

/// The variable that restricts a run to one kind: its name, and after `=` what it is called.
pub(crate) const ONLY: &str = "CONFORMANCE_ONLY";

fn main() -> ExitCode {
    sandbox::linux::init_if_called();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be made");
    let mut failed = runtime.block_on(run_all());
    let filter = filter();
    if std::env::var_os(ONLY).is_none() && std::env::args().nth(1).is_none_or(|word| word != HOLD) {
        for other in others::ALL {
            failed += others::run(other, &filter);
        }
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Restricts to checks whose `kind::name` contains it.
fn filter() -> String {
    std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default()
}

/// Runs every check against every kind.
async fn run_all() -> usize {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [HOLD, kind, line, layer, scratch] = &*arguments.iter().map(String::as_str).collect::<Vec<_>>() {
        let kinds: [Box<dyn Sandbox>; 2] = [Box::new(LinuxSandbox::new()), Box::new(DockerSandbox::new())];
        let Some(sandbox) = kinds.iter().find(|sandbox| sandbox.name() == *kind) else { return 1 };
        return usize::from(hold(&**sandbox, line, layer.into(), scratch.into()).await.is_err());
    }
    let (filter, only) = (filter(), std::env::var(ONLY).unwrap_or_default());
    let mut failed = 0;
    let Some(place) = Place::prepare() else {
        return skip("no static busybox on this host (apt-get install busybox-static)");
    };
    let kinds: [Box<dyn Sandbox>; 2] = [Box::new(LinuxSandbox::new()), Box::new(DockerSandbox::new())];
    for sandbox in kinds.iter().filter(|sandbox| only.is_empty() || only.starts_with(sandbox.name())) {
        if let Err(error) = sandbox.check().await {
            failed += skip(&format!("{}: {error}: {error:?}", sandbox.name()));
            continue;
        }
        // Whoever runs only one kind says what it is called.
        let kind = only.split_once('=').map_or(sandbox.name(), |(_, called)| called);
        for (name, check) in CHECKS {
            let name = format!("{kind}::{name}");
            if !name.contains(&filter) {
                continue;
            }
            let began = std::time::Instant::now();
            let result = check(&**sandbox, &place).await;
            let time = began.elapsed().as_millis();
            match result {
                Ok(()) => say(&format!("ok     {name} ({time} ms)")),
                Err(reason) => {
                    failed += 1;
                    say(&format!("FAILED {name} ({time} ms): {reason}"));
                }
            }
        }
    }
    // Where there is no engine there is no image either.
    DockerSandbox::new().forget(&place.layer()).await.ok();
    say(&format!("conformance: {failed} failed"));
    failed
}

/// Says loudly what is not checked; in CI that counts as a failure.
pub(crate) fn skip(what: &str) -> usize {
    say(&format!("SKIPPED: {what}"));
    usize::from(std::env::var_os("CI").is_some())
}

/// Writes a line for the reader of the test run.
pub(crate) fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").ok();
}
