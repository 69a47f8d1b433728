//! What every kind of sandbox promises, checked against each that works here. A kind that does not work
//! here is skipped loudly, and fails the run where `CI` is set.

mod conformance_checks;

use std::io::Write;
use std::process::ExitCode;

use conformance_checks::{CHECKS, HOLD, Place, hold};
use sandbox::Sandbox;
use sandbox::docker::DockerSandbox;
use sandbox::linux::LinuxSandbox;

fn main() -> ExitCode {
    sandbox::linux::init_if_called();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be made");
    let failed = runtime.block_on(run_all());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs every check against every kind; an argument restricts to checks whose `kind::name` contains it.
async fn run_all() -> usize {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [HOLD, kind, line, layer, scratch] = &*arguments.iter().map(String::as_str).collect::<Vec<_>>() {
        let kinds: [Box<dyn Sandbox>; 2] = [Box::new(LinuxSandbox::new()), Box::new(DockerSandbox::new())];
        let Some(sandbox) = kinds.iter().find(|sandbox| sandbox.name() == *kind) else { return 1 };
        return usize::from(hold(&**sandbox, line, layer.into(), scratch.into()).await.is_err());
    }
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let mut failed = 0;
    let Some(place) = Place::prepare() else {
        say("SKIPPED: no static busybox on this host (apt-get install busybox-static)");
        return usize::from(std::env::var_os("CI").is_some());
    };
    let kinds: [Box<dyn Sandbox>; 2] = [Box::new(LinuxSandbox::new()), Box::new(DockerSandbox::new())];
    for sandbox in kinds {
        if let Err(error) = sandbox.check().await {
            say(&format!("SKIPPED: {}: {error}: {error:?}", sandbox.name()));
            failed += usize::from(std::env::var_os("CI").is_some());
            continue;
        }
        for (name, check) in CHECKS {
            let name = format!("{}::{name}", sandbox.name());
            if !name.contains(&filter) {
                continue;
            }
            let began = std::time::Instant::now();
            let result = check(&*sandbox, &place).await;
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

/// Writes a line for the reader of the test run.
fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").ok();
}
