//! The layers of a build root: those of the library, and one more where what is installed is wanted again.

use std::path::PathBuf;

use sandbox::{ExecSpec, ExecStatus, Sandbox, SessionSpec, User};

use super::conventions::environment;
use super::disk::{ask, disk_is_full};
use super::job::{JobEnd, JobOrder, ROOT_TIMEOUT, Step, exec, in_time, install_command};
use super::logs::PhaseLogs;
use crate::buildroot::library::{Library, Packages, Stack};

/// A build root before anything is built in it.
pub(super) struct Root<'a> {
    pub(super) sandbox: &'a dyn Sandbox,
    pub(super) order: &'a JobOrder,
    /// The session that will be started, without layers over the base.
    pub(super) spec: SessionSpec,
    /// The folder of the host that sessions see with the RPMs.
    pub(super) rpms: PathBuf,
    pub(super) logs: PhaseLogs<'a>,
}

/// The layers of a build root.
pub(super) struct Stacked {
    pub(super) stack: Stack,
    /// What is left to install.
    pub(super) install: Vec<PathBuf>,
    /// How many packages were installed to make one of the layers.
    pub(super) installed: usize,
}

impl Root<'_> {
    /// Chooses layers, and makes one of what they lack if that is worth it.
    pub(super) async fn stack(&mut self) -> Step<Stacked> {
        let all = || self.order.install.iter().map(|rpm| rpm.path.clone()).collect();
        let Some(library) = self.order.library.as_ref().filter(|_| !self.order.install.is_empty()) else {
            return Ok(Ok(Stacked { stack: Stack::default(), install: all(), installed: 0 }));
        };
        let wanted: Packages = self.order.install.iter().map(|rpm| rpm.is.clone()).collect();
        let stack = library.stack(&wanted).await?;
        let lacking = self.order.install.iter().filter(|rpm| !stack.packages.contains(&rpm.is));
        let lacking: Vec<PathBuf> = lacking.map(|rpm| rpm.path.clone()).collect();
        if lacking.is_empty() || !library.keeps(&wanted, self.order.alike)? {
            return Ok(Ok(Stacked { stack, install: lacking, installed: 0 }));
        }
        let made = self.make(library, wanted, stack, &lacking).await?;
        Ok(made.map(|stack| Stacked { stack, install: Vec::new(), installed: lacking.len() }))
    }

    /// Installs what a stack lacks in a session of its own, which becomes a layer.
    async fn make(&mut self, library: &Library, wanted: Packages, stack: Stack, lacking: &[PathBuf]) -> Step<Stack> {
        let new = library.begin(wanted)?;
        let spec = SessionSpec { above: stack.above.clone(), scratch: new.scratch(), ..self.spec.clone() };
        let session = in_time("starting a session", self.order.limits.patience, self.sandbox.start(spec)).await?;
        let command = self.command(install_command(lacking, &self.rpms)?);
        let status = exec(&*session, self.order, command, &mut self.logs).await?;
        if !status.success() {
            let by_itself = matches!(status, ExecStatus::Exited(_) | ExecStatus::Signaled(_));
            let disk_is_full = by_itself && disk_is_full(&*session, self.order, self.command(ask(&["/"]))).await;
            session.end().await?;
            self.logs.flush();
            let (phase, tail) = (self.logs.phase().to_owned(), self.logs.tail());
            return Ok(Err(JobEnd::Failed { phase, status, disk_is_full, tail }));
        }
        Ok(Ok(library.finish(new, session, stack).await?))
    }

    fn command(&self, argv: Vec<String>) -> ExecSpec {
        ExecSpec {
            argv,
            environment: environment(self.order.cpus),
            directory: PathBuf::from("/"),
            user: User::Root,
            timeout: Some(ROOT_TIMEOUT),
            idle_timeout: None,
        }
    }
}
