//! What a job makes of a sandbox that hangs, dies or tells nonsense.

use std::sync::Mutex;

use async_trait::async_trait;
use sandbox::fake::{FakeSandbox, Reply};

use super::super::asking::Grant;
use super::*;

/// Nobody is asked for more here.
struct Nothing;

#[async_trait]
impl MoreNeeds for Nothing {
    async fn decide(&self, _: Vec<rpmspec_parser::rpm::Dependency>) -> Result<Grant, JobError> {
        Ok(Grant::Install(Vec::new()))
    }
}

/// A sandbox that never answers, from some point on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stuck {
    Start,
    Exec,
    CopyIn,
    End,
}

struct StuckSandbox(Stuck);

struct StuckSession(Stuck);

#[async_trait]
impl Sandbox for StuckSandbox {
    fn name(&self) -> &'static str {
        "stuck"
    }

    async fn check(&self) -> Result<(), SandboxError> {
        Ok(())
    }

    async fn start(&self, _: SessionSpec) -> Result<Box<dyn Session>, SandboxError> {
        if self.0 == Stuck::Start {
            std::future::pending::<()>().await;
        }
        Ok(Box::new(StuckSession(self.0)))
    }

    async fn has_layer(&self, _: &Path) -> Result<bool, SandboxError> {
        Ok(false)
    }

    async fn remove_layer(&self, _: &Path) -> Result<(), SandboxError> {
        Ok(())
    }
}

#[async_trait]
impl Session for StuckSession {
    async fn exec(&self, command: ExecSpec, _: &mut dyn OutputSink) -> Result<ExecStatus, SandboxError> {
        if self.0 == Stuck::Exec && command.argv[0] == "rpmbuild" {
            std::future::pending::<()>().await;
        }
        Ok(ExecStatus::Exited(i32::from(self.0 == Stuck::End)))
    }

    async fn copy_out(&self, _: &Path, _: &Path) -> Result<(), SandboxError> {
        Ok(())
    }

    async fn copy_in(&self, _: &[PathBuf], _: &Path) -> Result<(), SandboxError> {
        if self.0 == Stuck::CopyIn {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    fn usage(&self) -> Usage {
        Usage::default()
    }

    async fn into_layer(self: Box<Self>, _: &Path) -> Result<(), SandboxError> {
        std::future::pending().await
    }

    async fn end(self: Box<Self>) -> Result<(), SandboxError> {
        std::future::pending().await
    }
}

/// Runs a job whose sandbox gets no time beside that of its commands.
async fn job(sandbox: Arc<dyn Sandbox>) -> Result<JobReport, JobError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let limits = JobLimits {
        timeout: Duration::from_millis(20),
        idle_timeout: Duration::from_secs(60),
        log: u64::MAX,
        patience: Duration::from_millis(20),
    };
    let order = JobOrder::to_try(folder.path(), false, limits);
    run_job(&order, &sandbox, &Nothing, &|_| {}).await
}

#[tokio::test]
async fn a_sandbox_that_never_answers_is_given_up() {
    for (stuck, doing) in [
        (Stuck::Start, "starting a session"),
        (Stuck::Exec, "running a command"),
        (Stuck::CopyIn, "copying sources in"),
        (Stuck::End, "ending the session"),
    ] {
        let error = job(Arc::new(StuckSandbox(stuck))).await.expect_err("it hangs");
        assert!(matches!(error, JobError::Silent { action, .. } if action == doing), "{error}");
    }
}

#[tokio::test]
async fn a_sandbox_that_dies_is_no_failure_of_the_build() {
    let died = SandboxError::Failed { action: "running a command".into(), reason: "its sandbox was killed".into() };
    let died = Mutex::new(Some(died));
    let sandbox = FakeSandbox::new(move |command| {
        let died = died.lock().ok().and_then(|mut died| died.take_if(|_| command.argv[0] == "rpmbuild"));
        died.map_or_else(|| Ok(Reply::exited(0, "")), Err)
    });
    let error = job(Arc::new(sandbox.clone())).await.expect_err("it died");
    assert!(matches!(error, JobError::Sandbox(_)), "{error}");
    assert!(matches!(sandbox.calls().last(), Some(sandbox::fake::Call::End)), "its session is ended all the same");
}

#[tokio::test]
async fn success_without_packages_is_none() {
    let sandbox = FakeSandbox::new(|_| Ok(Reply::exited(0, [0xff, 0, b'\n', b'E', b'x'])));
    let report = job(Arc::new(sandbox)).await.expect("nothing of ours breaks");
    assert!(matches!(&report.end, JobEnd::Failed { phase, .. } if phase == "collect"), "{:?}", report.end);
}
