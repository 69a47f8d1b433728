//! The end of a build: what it gave is published, or its verdict says why there is nothing; the queue is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use planner::{JobId, Outcome};
use report::{Attempt, EventKind, PhaseTime, TimeLimit, Verdict};
use repository::{RepositoryError, read_rpm};
use sandbox::{ExecStatus, Usage};

use super::Next;
use super::builds::{Builds, section};
use super::retry::may_do_later;
use crate::error::CommandError;
use crate::runner::cause::cause_of;
use crate::runner::job::{JobEnd, JobError, JobReport};
use crate::runner::last_lines::last_lines;
use crate::runner::state::BuiltPackage;

/// The verdict on what was published, and the file names of what is new.
type Published = (Verdict, Vec<String>);

/// What a job took. Nothing, if it never became a build.
#[derive(Clone, Debug, Default)]
pub(super) struct Taken {
    /// Whole time.
    pub(super) seconds: f64,
    /// The part of it outside rpmbuild, in seconds.
    pub(super) own_seconds: f64,
    /// The build.
    pub(super) attempt: Option<Attempt>,
}

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
    ) -> Result<Next, CommandError> {
        let work = self.work_of(id);
        let next = match end {
            Ok(report) => self.take_report(id, seconds, report)?,
            Err(error) => self.take_error(id, error),
        };
        self.running.remove(id);
        if let Err(error) = std::fs::remove_dir_all(&work)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            self.warn(format!("cannot remove `{}`: {error}", work.display()));
        }
        Ok(next)
    }

    /// Takes over that a job has no report: it is tried again, or given up.
    pub(super) fn take_error(&mut self, id: &JobId, error: JobError) -> Next {
        let nevr = self.nevr(id);
        if may_do_later(&error, self.planning.settings.offline)
            && let Some(pause) = self.retries.failed(id)
        {
            self.events.emit(EventKind::JobRetried {
                package: id.0.clone(),
                nevr,
                attempt: self.retries.attempt(id),
                reason: error.to_string(),
                seconds: pause.as_secs_f64(),
            });
            return Next::Again(pause);
        }
        let verdict = match error {
            JobError::Sources(lacking) => {
                self.end.infrastructure |= lacking.is_infrastructure;
                self.end.lacking_sources += 1;
                Verdict::NoSource { reason: lacking.reason }
            }
            error => {
                self.end.infrastructure = true;
                Verdict::Infrastructure { reason: error.to_string() }
            }
        };
        self.give_up(id, &nevr, verdict);
        Next::Queue
    }

    fn take_report(&mut self, id: &JobId, seconds: f64, report: JobReport) -> Result<Next, CommandError> {
        let nevr = self.nevr(id);
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
            self.warn(format!("the log of `{}` is not whole: {error}", id.0));
        }
        let key = self.running.get(id).map(|running| running.prepared.known.key.clone());
        let log = report.log.display().to_string();
        let (rpmbuild, attempt) = (report.rpmbuild.as_secs_f64(), attempt(key, &report));
        let taken = |seconds| Taken { seconds, own_seconds: seconds - rpmbuild, attempt: Some(attempt) };
        match report.end {
            JobEnd::Failed { phase, status: ExecStatus::OutOfMemory, .. } if self.gets_more_memory(id) => {
                let most = self.options.memory.unwrap_or_default() >> 20;
                let phase = section(&phase);
                self.events.emit(EventKind::JobRetried {
                    package: id.0.clone(),
                    nevr,
                    attempt: self.retries.again(id),
                    reason: format!("it ran out of memory in {phase}; now alone, with up to {most} MiB"),
                    seconds: 0.0,
                });
                self.lone.insert(id.clone());
                return Ok(Next::Again(Duration::ZERO));
            }
            JobEnd::Failed { phase, status, disk_is_full, tail } => {
                let verdict = verdict_of(&phase, status, disk_is_full);
                self.events.emit(EventKind::LastLines { package: id.0.clone(), lines: last_lines(&tail) });
                self.report(id, &nevr, verdict, cause_of(&tail), taken(seconds), Some(log), Vec::new());
                self.release(id, Outcome::Failed);
            }
            JobEnd::Stopped(stopped) => self.stopped(id, stopped, taken(seconds), log)?,
            JobEnd::Built(files) => {
                let began = Instant::now();
                let published = self.publish(id, &files, rpmbuild)?;
                let taken = taken(seconds + began.elapsed().as_secs_f64());
                let (verdict, cause, rpms) = match published {
                    Ok((verdict, rpms)) => (verdict, None, rpms),
                    Err((verdict, cause)) => (verdict, cause, Vec::new()),
                };
                let is_good = verdict.is_good();
                let regressions = if is_good { self.regressions(id, &taken) } else { Vec::new() };
                self.report(id, &nevr, verdict, cause, taken, Some(log), rpms);
                regressions.into_iter().for_each(|found| self.events.emit(EventKind::Regression(found)));
                self.release(id, if is_good { Outcome::Done } else { Outcome::Failed });
            }
        }
        Ok(Next::Queue)
    }

    /// Publishes what a build gave, unless it is what is published already, and records its key. What cannot be
    /// published because of what it is, is the package's failure, with its cause.
    fn publish(
        &mut self,
        id: &JobId,
        paths: &[PathBuf],
        seconds: f64,
    ) -> Result<Result<Published, (Verdict, Option<String>)>, CommandError> {
        let failed = |phase: &str, error: &RepositoryError| {
            Ok(Err((Verdict::Failed { phase: phase.to_owned() }, Some(error.to_string()))))
        };
        let files = match paths.iter().map(read_rpm).collect::<Result<Vec<_>, _>>() {
            Ok(files) => files,
            Err(error @ RepositoryError::BadRpm { .. }) => return failed("collect", &error),
            Err(error) => return Err(trouble(&error)),
        };
        if let Some(unlike) = self.unlike_lock(id, paths)? {
            return Ok(Err((unlike, None)));
        }
        let Some(known) = self.running.get(id).map(|running| running.prepared.known.clone()) else {
            return Err(CommandError::infrastructure(format!("`{}` was built and never started", id.0)));
        };
        let built = files.iter().filter(|rpm| rpm.is_built());
        let rpms: BTreeMap<_, _> = built.map(|rpm| (rpm.metadata.nevra.to_string(), rpm.identity.clone())).collect();
        let before = self.planning.state.packages().get(&id.0);
        let unchanged = before.is_some_and(|built| built.rpms == rpms && self.is_published(built));
        let mut added = Vec::new();
        if !unchanged {
            let (change, seeds) = self.planning.change(&id.0, &files);
            let bringing = tokio::task::block_in_place(|| self.planning.bring(&seeds, self.events));
            bringing.map_err(|error| CommandError::infrastructure(error.to_string()))?;
            let generation = match self.planning.generations.publish(&change) {
                Ok(generation) => generation,
                Err(error @ RepositoryError::Conflict { .. }) => return failed("publish", &error),
                Err(error) => return Err(trouble(&error)),
            };
            added = files.iter().map(|rpm| rpm.metadata.nevra.file_name()).collect();
            self.events.emit(EventKind::Published { generation: generation.number(), added: added.clone() });
            self.planning.set_published(generation);
        }
        let built = BuiltPackage { known, rpms, seconds, unchecked: !self.options.check };
        self.planning.state.set_built(&id.0, built);
        self.planning.state.save(&self.layout.state())?;
        Ok(Ok((if unchanged { Verdict::Unchanged } else { Verdict::Success }, added)))
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

    /// Whether a job that was short of memory may have more when it runs alone.
    fn gets_more_memory(&self, id: &JobId) -> bool {
        let had = self.running.get(id).and_then(|running| running.memory);
        had.is_some_and(|had| self.options.memory.is_some_and(|all| had < all))
    }

    /// Ends a job that was not built.
    pub(super) fn give_up(&mut self, id: &JobId, nevr: &str, verdict: Verdict) {
        self.report(id, nevr, verdict, None, Taken::default(), None, Vec::new());
        self.release(id, Outcome::Failed);
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one event, given once each")]
    pub(super) fn report(
        &mut self,
        id: &JobId,
        nevr: &str,
        verdict: Verdict,
        cause: Option<String>,
        taken: Taken,
        log: Option<String>,
        rpms: Vec<String>,
    ) {
        let (package, nevr, Taken { seconds, own_seconds, attempt }) = (id.0.clone(), nevr.to_owned(), taken);
        self.events.emit(EventKind::JobFinished {
            package,
            nevr,
            verdict,
            cause,
            seconds,
            own_seconds,
            log,
            rpms,
            attempt,
        });
        // Failures that are expected are not among these.
        self.stopping |= self.options.fail_fast && self.events.counts().failed > 0;
    }

    /// Tells the queue, and reports what can never start now.
    pub(super) fn release(&mut self, id: &JobId, outcome: Outcome) {
        if outcome == Outcome::Failed {
            self.end.failed.insert(id.0.clone());
        }
        for blocked in self.queue.finish(id, outcome).blocked {
            self.report_blocked(&blocked, &id.0);
        }
        self.tell_forecast();
    }

    /// Reports a job that can never start, by the package that failed: where that is blocked itself, by what it is
    /// blocked by.
    pub(super) fn report_blocked(&mut self, id: &JobId, by: &str) {
        self.end.failed.insert(id.0.clone());
        let root = self.end.blocked.get(by).map_or_else(|| by.to_owned(), String::clone);
        self.end.blocked.insert(id.0.clone(), root.clone());
        let (nevr, verdict) = (self.nevr(id), Verdict::BlockedBy { package: root });
        self.report(id, &nevr, verdict, None, Taken::default(), None, Vec::new());
    }

    /// Where the attempt at a job that is under way works. Each attempt has a folder of its own: what one leaves behind
    /// must not be another's.
    pub(super) fn work_of(&self, id: &JobId) -> PathBuf {
        self.work.join(format!("{}.{}", id.0, self.retries.attempt(id)))
    }

    /// Says what went wrong and stops nothing.
    pub(super) fn warn(&self, text: impl std::fmt::Display) {
        self.events.emit(EventKind::Diagnostic { text: format!("warning: {text}") });
    }

    /// The name-version-release of a source package.
    pub(super) fn nevr(&self, id: &JobId) -> String {
        self.planning.specs.get(&id.0).map(|spec| format!("{}-{}", id.0, spec.package.evr())).unwrap_or_default()
    }
}

fn trouble(error: &RepositoryError) -> CommandError {
    CommandError::infrastructure(error.to_string())
}

/// The verdict on a command of a build that ended badly.
fn verdict_of(phase: &str, status: ExecStatus, disk_is_full: bool) -> Verdict {
    let phase = section(phase);
    match status {
        ExecStatus::TimedOut => Verdict::TimedOut { limit: TimeLimit::Total, phase },
        ExecStatus::Idle => Verdict::TimedOut { limit: TimeLimit::Idle, phase },
        ExecStatus::OutOfMemory => Verdict::OutOfMemory { phase },
        ExecStatus::Exited(_) | ExecStatus::Signaled(_) if disk_is_full => Verdict::OutOfDisk { phase },
        ExecStatus::Exited(_) | ExecStatus::Signaled(_) => Verdict::Failed { phase },
    }
}

/// What a build that was tried was and took.
fn attempt(key: Option<String>, report: &JobReport) -> Attempt {
    let time = |(phase, time): &(String, Duration)| PhaseTime { phase: section(phase), seconds: time.as_secs_f64() };
    let Usage { cpu_seconds, peak_memory, disk } = report.usage;
    Attempt { key, phases: report.phases.iter().map(time).collect(), cpu_seconds, peak_memory, disk }
}
