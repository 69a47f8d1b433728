//! The events of a run: facts in the past tense, without any presentation.
//!
//! One event is one line of JSON with the format's version in it; see [`Event::to_json_line`].

use crate::attempt::{Attempt, Regression};
use crate::blocked::BlockedPackage;
use crate::expected::ExpectedFailure;
use crate::tally::Counts;
use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};

/// The version of the journal's lines. It grows when a reader of the old lines could misread the new ones; a new
/// kind or a new optional field does not change it.
pub const FORMAT_VERSION: u32 = 1;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Event {
    /// The run it belongs to.
    pub run: String,
    /// When: milliseconds since 1970-01-01 UTC.
    pub at: i64,
    /// Seconds since the run started, by a clock that never jumps.
    pub elapsed: f64,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened. Sizes are bytes, times are seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventKind {
    /// The first event of a run.
    RunStarted {
        /// The command as typed.
        command: String,
        /// The tree's directory.
        tree: String,
        /// How many builds may run at once.
        jobs: usize,
        /// The sandbox in use (`docker`, `linux`).
        sandbox: String,
    },
    /// Every spec was read.
    SpecsEvaluated {
        /// How many there are.
        count: usize,
        /// How many of them are broken.
        errors: usize,
        /// How long it took.
        seconds: f64,
    },
    /// A spec that the run was to build does not evaluate, so that its packages are left out.
    SpecBroken {
        /// The source package, guessed from the spec's name.
        package: String,
        /// The spec's path, relative to the tree.
        spec: String,
        /// The first thing that is wrong with it.
        reason: String,
    },
    /// The tree expects some packages to fail; told before the plan is acted on, if there are any.
    FailuresExpected {
        /// What is expected, in the order of the tree's file.
        entries: Vec<ExpectedFailure>,
    },
    /// Something the user should read, rendered with its place.
    Diagnostic {
        /// One or more lines, without a newline at the end.
        text: String,
    },
    /// A seed is being prepared (progress; not recorded).
    SeedProgress {
        /// The seed.
        name: String,
        /// What is being done (`downloading`, `converting`).
        doing: String,
        /// Packages done.
        done: u64,
        /// Packages in all, when known.
        total: Option<u64>,
    },
    /// A seed is a repository now.
    SeedPrepared {
        /// The seed.
        name: String,
        /// How many packages it has.
        packages: usize,
        /// How long it took.
        seconds: f64,
    },
    /// The layer all build roots start from is there.
    BaseReady {
        /// Its content's digest.
        digest: String,
        /// How long it took.
        seconds: f64,
    },
    /// It was decided what to do.
    Planned {
        /// What must be built and why.
        stale: Vec<PackageReason>,
        /// How many need no build.
        fresh: usize,
        /// What cannot be built and why.
        blocked: Vec<BlockedPackage>,
    },
    /// The download of a source began.
    SourceStarted {
        /// The first package that asks for it.
        package: String,
        /// The file's name.
        file: String,
        /// Where it is sought.
        origin: String,
    },
    /// More of a source arrived (progress; not recorded).
    SourceProgress {
        /// The file's name.
        file: String,
        /// Bytes so far.
        bytes: u64,
        /// Bytes in all, when known.
        total: Option<u64>,
    },
    /// A source is there and verified.
    SourceFetched {
        /// The first package that asks for it.
        package: String,
        /// The file's name.
        file: String,
        /// Its size.
        bytes: u64,
        /// Where it came from.
        origin: String,
    },
    /// A source cannot be had.
    SourceFailed {
        /// The first package that asks for it.
        package: String,
        /// The file's name.
        file: String,
        /// Why, and what to type; may have several lines.
        reason: String,
    },
    /// A build began.
    JobStarted {
        /// The source package.
        package: String,
        /// Its name-version-release (with epoch if any).
        nevr: String,
    },
    /// A build entered a phase.
    JobPhase {
        /// The source package.
        package: String,
        /// rpm's section (`%build`), or `root` and `collect` for what surrounds rpmbuild.
        phase: String,
    },
    /// A build root was made; written when the build ends.
    RootStacked {
        /// The source package.
        package: String,
        /// How many layers it had over the base.
        layers: usize,
        /// How many packages were in them, the base's not counted.
        packages: usize,
        /// How many packages were installed for this build.
        installed: usize,
        /// Whether what was installed became one of the layers.
        kept: bool,
        /// How long it took, in seconds.
        seconds: f64,
    },
    /// A build root was asked what the build needs besides what its spec states (`%generate_buildrequires`), and
    /// lacked some of it.
    NeedsGenerated {
        /// The source package.
        package: String,
        /// Its name-version-release.
        nevr: String,
        /// What is needed, as in `BuildRequires`; all that was asked for so far.
        needs: Vec<String>,
    },
    /// More must be built than was planned, since a running build turned out to need it.
    PlanGrew {
        /// The source package whose build it is.
        package: String,
        /// Its name-version-release.
        nevr: String,
        /// What must be built as well and why.
        stale: Vec<PackageReason>,
    },
    /// The next pass over packages that need each other to be built begins.
    CyclePass {
        /// The source packages of the cycle.
        members: Vec<String>,
        /// The pass, counted from 1.
        number: usize,
        /// Those that are built before something they need, and with what instead.
        opened: Vec<PackageReason>,
        /// What is built more than was planned, and why.
        stale: Vec<PackageReason>,
    },
    /// The members of a cycle come out differently however often they are built: they are not as they should be.
    CycleUnsettled {
        /// Which cycle, and which members differ.
        reason: String,
    },
    /// A build gave its place back until others are built; it starts again then.
    JobWaits {
        /// The source package.
        package: String,
        /// Its name-version-release.
        nevr: String,
        /// The source packages it waits for.
        needs: Vec<String>,
    },
    /// A build that is ready waits though there is a place for it; said once.
    JobHeld {
        /// The source package.
        package: String,
        /// Its name-version-release.
        nevr: String,
        /// Why.
        reason: String,
    },
    /// An attempt at a build came to nothing for no fault of the package; there is another one.
    JobRetried {
        /// The source package.
        package: String,
        /// Its name-version-release.
        nevr: String,
        /// The number of the attempt to come, from 2.
        attempt: u32,
        /// Why the last one came to nothing.
        reason: String,
        /// Until the next one, at the least.
        seconds: f64,
    },
    /// The time window of the run is over: what is running is finished, and nothing more is started.
    WindowEnded,
    /// The last lines that a build wrote before it failed; told just before its end.
    LastLines {
        /// The source package.
        package: String,
        /// The lines, oldest first, without newlines.
        lines: Vec<String>,
    },
    /// A build, or a job that could not become one, ended.
    JobFinished {
        /// The source package.
        package: String,
        /// Its name-version-release.
        nevr: String,
        /// How.
        verdict: Verdict,
        /// The line that explains a failure best, when one was found.
        cause: Option<String>,
        /// Whole time.
        seconds: f64,
        /// The part of it outside rpmbuild.
        own_seconds: f64,
        /// The log to read, if there is one.
        log: Option<String>,
        /// File names of what it made.
        rpms: Vec<String>,
        /// What a build that was tried was and took; there is none where nothing was tried.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attempt: Option<Attempt>,
    },
    /// A build that succeeded took clearly more than its earlier ones.
    Regression(Regression),
    /// The time that is expected to be left, from what earlier builds took (progress; not recorded).
    Forecast {
        /// Until the last job has ended.
        seconds: f64,
        /// The source packages that have to be built one after the other and take longest, in order.
        critical_path: Vec<String>,
    },
    /// The next generation of the repository is what readers see.
    Published {
        /// Its number.
        generation: u64,
        /// File names of the RPMs it has more than the one before.
        added: Vec<String>,
    },
    /// The last event of a run that could not be taken to its end.
    RunBroke {
        /// Why, and what to type; may have several lines.
        reason: String,
    },
    /// The last event of a run that came to its end, or was stopped.
    RunFinished {
        /// How the jobs ended.
        counts: Counts,
        /// The user stopped it.
        interrupted: bool,
        /// The repository's directory, when there is one.
        repository: Option<String>,
        /// A command that installs what was asked for, when all of it was built.
        install: Option<String>,
        /// Whole time.
        seconds: f64,
    },
    /// A kind of event that this version does not know; never written.
    #[serde(other, skip_serializing)]
    #[cfg_attr(test, schemars(skip))]
    Other,
}

/// A package and why something was decided about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PackageReason {
    /// The source package.
    pub package: String,
    /// A lowercase fragment.
    pub reason: String,
}

/// Why a line of a journal is not an event.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not JSON, or not of this shape; the last line of a killed run can be cut.
    #[error("this line is no event: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Written by a later version of the tool.
    #[error(
        "events of format {found}, this version reads {FORMAT_VERSION}; read them with the version that wrote them"
    )]
    Version {
        /// The line's version.
        found: u32,
    },
}

/// A line of the journal.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct WrittenLine<'a> {
    /// The version of the format.
    #[cfg_attr(test, schemars(extend("const" = FORMAT_VERSION)))]
    version: u32,
    #[serde(flatten)]
    event: &'a Event,
}

#[derive(Deserialize)]
struct LineVersion {
    version: u32,
}

impl Event {
    /// The event as one line of the journal, without the newline.
    pub fn to_json_line(&self) -> String {
        // Only maps with keys that are not strings and failing writers make this fail; there are none here.
        serde_json::to_string(&WrittenLine { version: FORMAT_VERSION, event: self }).expect("events are plain data")
    }

    /// Reads such a line.
    pub fn from_json_line(line: &str) -> Result<Event, ReadError> {
        let LineVersion { version } = serde_json::from_str(line)?;
        if version != FORMAT_VERSION {
            return Err(ReadError::Version { found: version });
        }
        Ok(serde_json::from_str(line)?)
    }

    /// Only of use while it is live; journals leave it out.
    pub fn is_progress(&self) -> bool {
        matches!(
            self.kind,
            EventKind::SeedProgress { .. } | EventKind::SourceProgress { .. } | EventKind::Forecast { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;
    use crate::attempt::PhaseTime;

    fn finished() -> Event {
        let kind = EventKind::JobFinished {
            package: "jq".into(),
            nevr: "jq-1.8.2-1".into(),
            verdict: Verdict::Failed { phase: "%build".into() },
            cause: None,
            seconds: 41.5,
            own_seconds: 0.125,
            log: Some("logs/jq/build.log".into()),
            rpms: vec![],
            attempt: None,
        };
        Event { run: "7c1e".into(), at: 1_700_000_000_000, elapsed: 2.5, kind }
    }

    #[test]
    fn a_line_is_flat_and_carries_its_version() {
        assert_eq!(
            finished().to_json_line(),
            r#"{"version":1,"run":"7c1e","at":1700000000000,"elapsed":2.5,"event":"job-finished","package":"jq","nevr":"jq-1.8.2-1","verdict":{"is":"failed","phase":"%build"},"cause":null,"seconds":41.5,"own_seconds":0.125,"log":"logs/jq/build.log","rpms":[]}"#
        );
        assert_eq!(Event::from_json_line(&finished().to_json_line()).unwrap(), finished());
    }

    #[test]
    fn what_an_attempt_took_is_in_its_event_as_far_as_it_is_known() {
        let mut event = finished();
        let EventKind::JobFinished { attempt, .. } = &mut event.kind else { unreachable!("it is one") };
        let phases = vec![PhaseTime { phase: "%build".into(), seconds: 40.0 }];
        *attempt = Some(Attempt { phases, cpu_seconds: Some(75.5), ..Attempt::default() });
        let line = event.to_json_line();
        let written = r#""attempt":{"phases":[{"phase":"%build","seconds":40.0}],"cpu_seconds":75.5}}"#;
        assert!(line.ends_with(written), "{line}");
        assert_eq!(Event::from_json_line(&line).unwrap(), event);
    }

    #[test]
    fn an_unknown_kind_is_read_as_other_and_new_fields_are_passed_over() {
        let line = r#"{"version":1,"run":"r","at":5,"elapsed":0.5,"event":"of-tomorrow","what":[1]}"#;
        assert_eq!(Event::from_json_line(line).unwrap().kind, EventKind::Other);
        let line = finished().to_json_line().replace("\"cause\"", "\"of_tomorrow\":1,\"cause\"");
        assert_eq!(Event::from_json_line(&line).unwrap(), finished());
    }

    #[test]
    fn later_versions_and_cut_lines_are_told_apart() {
        let later = finished().to_json_line().replace("\"version\":1", "\"version\":2");
        assert!(matches!(Event::from_json_line(&later), Err(ReadError::Version { found: 2 })));
        let line = finished().to_json_line();
        assert!(matches!(Event::from_json_line(&line[..line.len() - 9]), Err(ReadError::Malformed(_))));
    }
}
