//! `doctor`: what this machine lacks, and the exact line that mends it.

use std::fmt::Write;
use std::process::Command;

use sandbox::SandboxError;

use crate::cli::DoctorArgs;
use crate::config::Settings;
use crate::error::CommandError;

/// One thing builds need.
struct Check {
    what: &'static str,
    outcome: Result<String, Lack>,
}

/// What is missing.
struct Lack {
    reason: String,
    fix: String,
    /// A Debian package whose installation mends it.
    package: Option<&'static str>,
}

pub(super) fn run(settings: &Settings, arguments: &DoctorArgs) -> Result<(), CommandError> {
    let mut checks = all_checks(settings)?;
    if arguments.fix {
        let packages: Vec<_> = checks.iter().filter_map(|check| check.outcome.as_ref().err()?.package).collect();
        if !packages.is_empty() {
            install(&packages)?;
            checks = all_checks(settings)?;
        }
    }
    super::print_data(table(&checks).as_bytes())?;
    let sandboxes = ["linux sandbox", "docker sandbox"];
    let no_sandbox = checks.iter().filter(|check| sandboxes.contains(&check.what)).all(|check| check.outcome.is_err());
    let lacking = checks.iter().any(|check| check.outcome.is_err() && !sandboxes.contains(&check.what));
    if no_sandbox {
        return Err(CommandError::infrastructure("neither sandbox works here, so nothing can be built"));
    }
    if lacking {
        return Err(CommandError::infrastructure("something is missing")
            .hint("`package-builder doctor --fix` installs what it can"));
    }
    Ok(())
}

fn all_checks(settings: &Settings) -> Result<Vec<Check>, CommandError> {
    let runtime = super::build::runtime()?;
    let mut checks = vec![
        program("apt-get", "apt", "seeds and sources from Debian"),
        program("apt-cache", "apt", "seeds and sources from Debian"),
        program("bash", "bash", "shell macros of specs"),
        Check { what: "disk", outcome: disk(settings) },
    ];
    for (what, choice) in
        [("linux sandbox", crate::cli::SandboxChoice::Linux), ("docker sandbox", crate::cli::SandboxChoice::Docker)]
    {
        let outcome = match runtime.block_on(super::build::sandbox_of(choice).check()) {
            Ok(()) => Ok("works".to_owned()),
            Err(SandboxError::Unavailable { reason, hint }) => Err(Lack { reason, fix: hint, package: None }),
            Err(error) => Err(Lack { reason: error.to_string(), fix: String::new(), package: None }),
        };
        checks.push(Check { what, outcome });
    }
    Ok(checks)
}

fn program(name: &'static str, package: &'static str, purpose: &str) -> Check {
    let found = std::env::var_os("PATH")
        .and_then(|path| std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file()));
    let outcome = match found {
        Some(path) => Ok(path.display().to_string()),
        None => Err(Lack {
            reason: format!("not installed; it is needed for {purpose}"),
            fix: format!("apt-get install {package}"),
            package: Some(package),
        }),
    };
    Check { what: name, outcome }
}

/// Builds, seeds and layers of a small tree take about 5 GiB.
const WANTED_DISK: u64 = 5 << 30;

fn disk(settings: &Settings) -> Result<String, Lack> {
    let mut folder = settings.output.as_path();
    while !folder.exists() {
        folder = folder.parent().unwrap_or(std::path::Path::new("/"));
    }
    let lack = |reason| Lack {
        reason,
        fix: "free some space, or choose another place with `--output` and `--cache`".to_owned(),
        package: None,
    };
    let disk =
        rustix::fs::statvfs(folder).map_err(|error| lack(format!("cannot ask `{}`: {error}", folder.display())))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let text = format!("{:.1} GiB free below `{}`", free as f64 / f64::from(1 << 30), folder.display());
    if free >= WANTED_DISK { Ok(text) } else { Err(lack(text)) }
}

fn install(packages: &[&str]) -> Result<(), CommandError> {
    let status = Command::new("apt-get").args(["install", "--yes"]).args(packages).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => {
            Err(CommandError::infrastructure(format!("`apt-get install {}` failed: {status}", packages.join(" ")))
                .hint("run it as root"))
        }
        Err(error) => Err(CommandError::infrastructure(format!("`apt-get` cannot be run: {error}"))),
    }
}

fn table(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.what.len()).max().unwrap_or(0);
    let mut text = String::new();
    for check in checks {
        // Writing to a string cannot fail.
        let _ = match &check.outcome {
            Ok(found) => writeln!(text, "ok       {:width$}  {found}", check.what),
            Err(lack) if lack.fix.is_empty() => writeln!(text, "missing  {:width$}  {}", check.what, lack.reason),
            Err(lack) => writeln!(
                text,
                "missing  {:width$}  {}\n         {:width$}  mend it: {}",
                check.what, lack.reason, "", lack.fix
            ),
        };
    }
    text
}
