//! What a job does when its root lacks something, with a sandbox that answers as it is told to.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sandbox::fake::{Call, FakeSandbox, Reply};
use sandbox::{ExecStatus, Sandbox};

use super::super::job::{JobLimits, JobOrder, JobReport, run_job};
use super::*;

/// Gives grants in order, and writes down what was asked.
struct Granting {
    grants: Mutex<VecDeque<Grant>>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl MoreNeeds for Granting {
    async fn decide(&self, asked: Vec<Dependency>) -> Result<Grant, JobError> {
        let asked: Vec<_> = asked.iter().map(ToString::to_string).collect();
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked.join(", "));
        let grant = self.grants.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        grant.ok_or_else(|| JobError::Broken("nothing is granted".to_owned()))
    }
}

struct Outcome {
    report: JobReport,
    asked: Vec<String>,
    /// The commands, shortened to what tells them apart.
    commands: Vec<String>,
    has_ended: bool,
}

/// Runs a job in which rpmbuild exits with these codes, one a run, and `rpmspec` tells of two needs.
async fn job(ask: bool, codes: &[i32], grants: Vec<Grant>) -> Outcome {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut codes: VecDeque<i32> = codes.iter().copied().collect();
    let sandbox = FakeSandbox::new(move |command| {
        Ok(match &*command.argv[0] {
            "rpmbuild" => Reply::exited(codes.pop_front().unwrap_or(99), "error: Failed build dependencies:\n"),
            "rpmspec" => Reply::exited(0, "warning: a remark\nb >= 2\n(c or d)\n"),
            _ => Reply::exited(0, ""),
        })
    });
    let sandbox = sandbox.with_file(format!("{TOPDIR}/RPMS/noarch/a-1-1.noarch.rpm"), "what it built");
    let (time, log) = (Duration::from_secs(60), u64::MAX);
    let limits = JobLimits { timeout: time, idle_timeout: time, log, patience: time };
    let order = JobOrder::to_try(folder.path(), ask, limits);
    let more = Granting { grants: Mutex::new(grants.into()), asked: Mutex::default() };
    let shared: Arc<dyn Sandbox> = Arc::new(sandbox.clone());
    let report = run_job(&order, &shared, &more, &|_| {}).await.expect("nothing of ours breaks");
    let calls = sandbox.calls();
    let commands = calls.iter().filter_map(|call| match call {
        Call::Exec(command) => Some(command.argv.iter().take(2).cloned().collect::<Vec<_>>().join(" ")),
        _ => None,
    });
    let installs = |command: &String| !["install -d", "rm -rf", "stat --file-system"].contains(&&**command);
    Outcome {
        report,
        asked: more.asked.into_inner().unwrap_or_else(PoisonError::into_inner),
        commands: commands.filter(installs).collect(),
        has_ended: matches!(calls.last(), Some(Call::End)),
    }
}

/// A grant of one RPM, which is made.
fn rpm(folder: &Path, name: &str) -> Grant {
    let path = folder.join(name);
    std::fs::write(&path, "").expect("the folder is writable");
    Grant::Install(vec![path])
}

fn nothing() -> Grant {
    Grant::Install(Vec::new())
}

#[tokio::test]
async fn a_root_is_asked_until_it_has_all_and_is_built_in_then() {
    let rpms = tempfile::tempdir().expect("a temporary folder");
    let grants = vec![rpm(rpms.path(), "b.rpm"), rpm(rpms.path(), "c.rpm"), nothing()];
    let outcome = job(true, &[11, 0, 0, 0], grants).await;
    assert!(matches!(outcome.report.end, JobEnd::Built(_)), "{:?}", outcome.report);
    assert_eq!(outcome.asked, ["b >= 2, (c or d)"; 3]);
    let round = ["rpmbuild -br", "rpmspec -q"];
    let install = ["rpm --define"];
    assert_eq!(outcome.commands, [&round[..], &install, &round, &install, &round, &["rpmbuild -ba"]].concat());
    assert!(outcome.has_ended);
}

#[tokio::test]
async fn a_root_that_should_have_all_is_only_asked_when_rpmbuild_lacks_something() {
    let outcome = job(false, &[0], Vec::new()).await;
    assert!(matches!(outcome.report.end, JobEnd::Built(_)) && outcome.asked.is_empty());
    assert_eq!(outcome.commands, ["rpmbuild -ba"]);
    let outcome = job(false, &[11, 0, 0], vec![nothing()]).await;
    assert!(matches!(outcome.report.end, JobEnd::Built(_)) && outcome.asked.len() == 1);
    assert_eq!(outcome.commands, ["rpmbuild -ba", "rpmbuild -br", "rpmspec -q", "rpmbuild -ba"]);
    // It is asked once, not for ever.
    let outcome = job(false, &[11, 0, 11], vec![nothing()]).await;
    assert!(matches!(outcome.report.end, JobEnd::Failed { status: ExecStatus::Exited(11), .. }));
}

#[tokio::test]
async fn where_rpm_and_we_disagree_its_own_words_are_the_failure() {
    let outcome = job(true, &[11], vec![nothing()]).await;
    let JobEnd::Failed { status: ExecStatus::Exited(11), tail, .. } = outcome.report.end else { panic!("not failed") };
    assert_eq!(tail, ["error: Failed build dependencies:"]);
    let outcome = job(true, &[1], Vec::new()).await;
    assert!(matches!(outcome.report.end, JobEnd::Failed { status: ExecStatus::Exited(1), .. }));
    assert!(outcome.asked.is_empty() && outcome.has_ended);
}

#[tokio::test]
async fn a_job_that_must_wait_gives_its_root_up() {
    let outcome = job(true, &[11], vec![Grant::Stop(Stopped::Waits)]).await;
    assert!(matches!(outcome.report.end, JobEnd::Stopped(Stopped::Waits)));
    assert_eq!(outcome.commands, ["rpmbuild -br", "rpmspec -q"]);
    assert!(outcome.has_ended);
}
