//! What a build root says that the build needs: asked with rpm's own tools, in the live root.
//!
//! `rpmbuild -br` reads the spec with the root's macros, runs `%prep` and `%generate_buildrequires` and writes all
//! needs, stated ones included, to the header of a source package: `NAME.buildreqs.nosrc.rpm` and exit code 11 where
//! some are not met, `NAME.src.rpm` where all are. Where a stated need is not met, because only the root's macros
//! define it, it stops before and writes nothing; `rpmspec` tells these needs then.

use std::path::PathBuf;

use async_trait::async_trait;
use report::Verdict;
use repository::read_rpm;
use rpmspec_parser::rpm::Dependency;
use sandbox::User;

use super::job::{Build, JobEnd, JobError, NEEDS_NOT_MET, ROOT_TIMEOUT, Step, exec, go_on};
use crate::host::TOPDIR;

/// Whoever decides what a build root gets that turned out to lack something.
#[async_trait]
pub trait MoreNeeds: Send + Sync {
    /// Decides by all that the root says the build needs.
    ///
    /// # Errors
    /// What is to be installed cannot be had.
    async fn decide(&self, asked: Vec<Dependency>) -> Result<Grant, JobError>;
}

/// What a build root gets.
#[derive(Debug)]
pub enum Grant {
    /// These RPMs of the host as well; none if it has all it needs.
    Install(Vec<PathBuf>),
    /// Nothing: the job ends here.
    Stop(Stopped),
}

/// Why a job was ended before it was over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// What it needs is not built yet; it starts again when it is.
    Waits,
    /// It needs another root than it was given; it starts again at once.
    OtherRoot,
    /// It cannot be built.
    Refused {
        /// How it ended.
        verdict: Verdict,
        /// What explains it.
        cause: Option<String>,
    },
}

impl Build<'_, '_> {
    /// Asks the root until it needs nothing more than it has, and leaves rpmbuild's folders as they were before.
    ///
    /// Each round starts from `%prep`, and so does the build: what is built must not depend on how often was asked.
    pub(super) async fn ask(&mut self, more: &dyn MoreNeeds) -> Step<()> {
        loop {
            go_on!(self.clear_folders().await);
            let status = self.rpmbuild(&["-br"]).await?;
            if !status.success() && status != NEEDS_NOT_MET {
                return Ok(Err(self.failed(status).await));
            }
            let Some(asked) = self.needs().await? else { return Ok(Err(self.failed(status).await)) };
            let rpms = match more.decide(asked).await? {
                Grant::Install(rpms) => rpms,
                Grant::Stop(stopped) => return Ok(Err(JobEnd::Stopped(stopped))),
            };
            if rpms.is_empty() {
                // All that was asked for is there. If rpm does not think so, it says why.
                return if status.success() { self.clear_folders().await } else { Ok(Err(self.failed(status).await)) };
            }
            go_on!(self.install(&rpms).await);
        }
    }

    /// What the source package that was just written needs, or what the spec states where there is none; `None` if
    /// that cannot be told.
    async fn needs(&mut self) -> Result<Option<Vec<Dependency>>, JobError> {
        let folder = self.artifacts.join("asked");
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(|source| JobError::Io {
                action: "remove",
                path: folder.clone(),
                source,
            })?;
        }
        if let Some(written) = self.copy_rpms("SRPMS", "asked").await?.first() {
            return Ok(Some(read_rpm(written)?.metadata.requires.clone()));
        }
        let mut output = Vec::new();
        let argv = self.on_spec("rpmspec", &["-q", "--buildrequires"]);
        let command = self.command(argv, TOPDIR, User::Builder, ROOT_TIMEOUT);
        let status = exec(self.session, self.order, command, &mut output).await?;
        let text = String::from_utf8_lossy(&output).into_owned();
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with("warning:"));
        let needs: Result<Vec<_>, _> = lines.map(Dependency::parse).collect();
        Ok(needs.ok().filter(|_| status.success()))
    }
}

#[cfg(test)]
mod tests;
