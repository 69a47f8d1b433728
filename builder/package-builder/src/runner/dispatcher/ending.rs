//! The end of a build: what it gave is published, or its verdict says why there is nothing; the queue is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use planner::{JobId, Outcome};
use report::{EventKind, TimeLimit, Verdict};
use repository::read_rpm;
use sandbox::ExecStatus;

use super::builds::{Builds, Running, section};
use crate::error::CommandError;
use crate::runner::cause::cause_of;
use crate::runner::job::{JobEnd, JobError, JobReport};
use crate::runner::prepare::Prepared;
use crate::runner::state::BuiltPackage;

impl Builds<'_> {
    /// Takes over how an executor ended.
    ///
    /// # Errors
    /// Publishing or recording failed.
    pub(super) fn take_end(
        &mut self,
        id: &JobId,
        seconds: f64,
        end: Result<JobReport, JobError>,
    ) -> Result<(), CommandError> {
        let nevr = self.nevr(id);
        let running = self.running.remove(id);
        let report = match end {
            Ok(report) => report,
            Err(JobError::Sources(lacking)) => {
                self.end.infrastructure |= lacking.is_infrastructure;
                self.end.lacking_sources += 1;
                self.give_up(id, &nevr, Verdict::NoSource { reason: lacking.reason });
                return Ok(());
            }
            Err(error) => {
                self.end.infrastructure = true;
                self.give_up(id, &nevr, Verdict::Infrastructure { reason: error.to_string() });
                return Ok(());
            }
        };
        if let Some(root) = &report.root {
            self.events.emit(EventKind::RootStacked {
                package: id.0.clone(),
                layers: root.layers,
                packages: root.packages,
                installed: root.installed,
                kept: root.kept,
                seconds: root.time.as_secs_f64(),
            });
        }
        if let Some(error) = &report.log_error {
            self.events
                .emit(EventKind::Diagnostic { text: format!("warning: the log of `{}` is not whole: {error}", id.0) });
        }
        let log = report.log.display().to_string();
        match report.end {
            JobEnd::Failed { phase, status, tail } => {
                let own = seconds - report.rpmbuild.as_secs_f64();
                let verdict = self.verdict_of(&phase, status);
                self.report(id, &nevr, verdict, cause_of(&tail), (seconds, own), Some(log), Vec::new());
                self.release(id, Outcome::Failed);
            }
            JobEnd::Stopped(stopped) => self.stopped(id, stopped, seconds, report.rpmbuild.as_secs_f64(), log)?,
            JobEnd::Built(files) => {
                let published = Instant::now();
                let Some(Running { prepared, .. }) = running else { return Ok(()) };
                if let Some(unlike) = self.unlike_lock(id, &files)? {
                    let own = seconds - report.rpmbuild.as_secs_f64();
                    self.report(id, &nevr, unlike, None, (seconds, own), Some(log), Vec::new());
                    self.release(id, Outcome::Failed);
                    return Ok(());
                }
                let (verdict, rpms) = self.publish(id, prepared, &files, report.rpmbuild.as_secs_f64())?;
                let seconds = seconds + published.elapsed().as_secs_f64();
                let own = seconds - report.rpmbuild.as_secs_f64();
                self.report(id, &nevr, verdict, None, (seconds, own), Some(log), rpms);
                self.release(id, Outcome::Done);
            }
        }
        let work = self.work.join(&id.0);
        if let Err(error) = std::fs::remove_dir_all(&work) {
            self.events
                .emit(EventKind::Diagnostic { text: format!("warning: cannot remove `{}`: {error}", work.display()) });
        }
        Ok(())
    }

    /// Publishes what a build gave, unless it is what is published already, and records its key.
    fn publish(
        &mut self,
        id: &JobId,
        prepared: Prepared,
        files: &[PathBuf],
        seconds: f64,
    ) -> Result<(Verdict, Vec<String>), CommandError> {
        let trouble = |error: repository::RepositoryError| CommandError::infrastructure(error.to_string());
        let files = files.iter().map(read_rpm).collect::<Result<Vec<_>, _>>().map_err(trouble)?;
        let built = files.iter().filter(|rpm| rpm.is_built());
        let rpms: BTreeMap<_, _> = built.map(|rpm| (rpm.metadata.nevra.to_string(), rpm.identity.clone())).collect();
        let before = self.planning.state.packages.get(&id.0);
        let unchanged = before.is_some_and(|built| built.rpms == rpms && self.is_published(built));
        let mut added = Vec::new();
        if !unchanged {
            let (change, seeds) = self.planning.change(&id.0, &files);
            let bringing = tokio::task::block_in_place(|| self.planning.bring(&seeds, self.events));
            bringing.map_err(|error| CommandError::infrastructure(error.to_string()))?;
            let generation = self.planning.generations.publish(&change).map_err(trouble)?;
            added = files.iter().map(|rpm| rpm.metadata.nevra.file_name()).collect();
            self.events.emit(EventKind::Published { generation: generation.number(), added: added.clone() });
            self.planning.set_published(generation);
        }
        let built = BuiltPackage { known: prepared.known, rpms, seconds, unchecked: !self.options.check };
        self.planning.state.packages.insert(id.0.clone(), built);
        self.planning.state.save(&self.layout.state())?;
        Ok((if unchanged { Verdict::Unchanged } else { Verdict::Success }, added))
    }

    /// Why the lock, if there is one, does not let what a build gave be published.
    fn unlike_lock(&mut self, id: &JobId, files: &[PathBuf]) -> Result<Option<Verdict>, CommandError> {
        let unlike = self.planning.unlike_lock(&id.0, files);
        let unlike = unlike.map_err(|error| CommandError::infrastructure(error.to_string()))?;
        self.end.unlike_lock += usize::from(unlike.is_some());
        Ok(unlike.map(|reason| Verdict::UnlikeLock { reason }))
    }

    /// Whether all that a build gave is in the repository.
    pub(super) fn is_published(&self, built: &BuiltPackage) -> bool {
        let published: BTreeSet<_> = self.planning.universe.published.iter().map(|rpm| rpm.nevra.to_string()).collect();
        built.rpms.keys().all(|nevra| published.contains(nevra))
    }

    fn verdict_of(&self, phase: &str, status: ExecStatus) -> Verdict {
        let phase = section(phase);
        match status {
            ExecStatus::TimedOut => Verdict::TimedOut { limit: TimeLimit::Total, phase },
            ExecStatus::Idle => Verdict::TimedOut { limit: TimeLimit::Idle, phase },
            ExecStatus::OutOfMemory => Verdict::OutOfMemory { phase },
            ExecStatus::Exited(_) | ExecStatus::Signaled(_) if disk_is_full(self.layout.root()) => {
                Verdict::OutOfDisk { phase }
            }
            ExecStatus::Exited(_) | ExecStatus::Signaled(_) => Verdict::Failed { phase },
        }
    }

    /// Ends a job that was not built.
    pub(super) fn give_up(&mut self, id: &JobId, nevr: &str, verdict: Verdict) {
        self.report(id, nevr, verdict, None, (0.0, 0.0), None, Vec::new());
        self.release(id, Outcome::Failed);
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one event, given once each")]
    pub(super) fn report(
        &mut self,
        id: &JobId,
        nevr: &str,
        verdict: Verdict,
        cause: Option<String>,
        (seconds, own_seconds): (f64, f64),
        log: Option<String>,
        rpms: Vec<String>,
    ) {
        if verdict.is_failure() && self.options.fail_fast {
            self.stopping = true;
        }
        self.events.emit(EventKind::JobFinished {
            package: id.0.clone(),
            nevr: nevr.to_owned(),
            verdict,
            cause,
            seconds,
            own_seconds,
            log,
            rpms,
        });
    }

    /// Tells the queue, and reports what can never start now.
    pub(super) fn release(&mut self, id: &JobId, outcome: Outcome) {
        if outcome == Outcome::Failed {
            self.end.failed.insert(id.0.clone());
        }
        for blocked in self.queue.finish(id, outcome).blocked {
            self.report_blocked(&blocked, &id.0);
        }
    }

    pub(super) fn report_blocked(&mut self, id: &JobId, by: &str) {
        self.end.failed.insert(id.0.clone());
        let (nevr, verdict) = (self.nevr(id), Verdict::BlockedBy { package: by.to_owned() });
        self.report(id, &nevr, verdict, None, (0.0, 0.0), None, Vec::new());
    }

    /// The name-version-release of a source package.
    pub(super) fn nevr(&self, id: &JobId) -> String {
        self.planning.specs.get(&id.0).map(|spec| format!("{}-{}", id.0, spec.package.evr())).unwrap_or_default()
    }
}

/// Whether less than 16 MiB are left where builds write.
fn disk_is_full(path: &Path) -> bool {
    rustix::fs::statvfs(path).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < 16 << 20)
}
