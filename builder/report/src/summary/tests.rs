//! A night in which everything happens, as events, and what is made of it.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use super::*;
use crate::attempt::{Measure, Regression};
use crate::blocked::{BlockedPackage, Hindrance};
use crate::event::{Event, EventKind, PackageReason};
use crate::tally::Counts;

pub(crate) fn entry(package: &str, is_expired: bool, is_fresh: bool) -> ExpectedFailure {
    ExpectedFailure {
        package: package.into(),
        phase: None,
        reason: "needs a newer gcc".into(),
        owner: "ann".into(),
        expires: "2026-12-31".into(),
        is_expired,
        is_fresh,
    }
}

pub(crate) fn finished(package: &str, verdict: Verdict, cause: Option<&str>, seconds: f64) -> EventKind {
    let log = verdict.phase().map(|phase| format!("/trees/cairn/out/runs/r2/logs/{package}/{}.log", &phase[1..]));
    EventKind::JobFinished {
        package: package.into(),
        nevr: format!("{package}-1-1"),
        verdict,
        cause: cause.map(str::to_owned),
        seconds,
        own_seconds: 0.5,
        log,
        rpms: vec![],
        attempt: None,
    }
}

pub(crate) fn failed(phase: &str) -> Verdict {
    Verdict::Failed { phase: phase.into() }
}

pub(crate) fn events(run: &str, kinds: Vec<EventKind>) -> Vec<Event> {
    let event = |(place, kind)| Event { run: run.into(), at: 1_700_000_000_000, elapsed: place as f64, kind };
    kinds.into_iter().enumerate().map(event).collect()
}

pub(crate) fn started() -> EventKind {
    EventKind::RunStarted {
        command: "package-builder nightly --for 8h".into(),
        tree: "/trees/cairn".into(),
        jobs: 2,
        sandbox: "linux".into(),
    }
}

pub(crate) fn planned(stale: &[&str]) -> EventKind {
    let never = |name: &&str| PackageReason { package: (*name).into(), reason: "never built".into() };
    let blocked = |name: &str, hindrance| BlockedPackage {
        package: name.into(),
        reason: "nothing provides `gtk`".into(),
        hindrance,
    };
    let blocked = vec![
        blocked("arm-only", Hindrance::Excluded),
        blocked("gui", Hindrance::Unresolvable),
        blocked("gui-app", Hindrance::Needs { root: "gui".into() }),
    ];
    EventKind::Planned { stale: stale.iter().map(never).collect(), fresh: 7, blocked }
}

/// `base` fails and blocks three through several levels; `flaky` fails as expected, `late` no longer; `fixed` passes
/// unexpectedly; the machine fails `unlucky`; two are not reached.
pub(crate) fn a_bad_night() -> Vec<Event> {
    let blocked_by = |package: &str| Verdict::BlockedBy { package: package.into() };
    let stale = ["base", "lib", "app", "top", "flaky", "late", "fixed", "unlucky", "good", "never", "neither"];
    let kinds = vec![
        started(),
        EventKind::SpecBroken { package: "odd".into(), spec: "SPECS/odd/odd.spec".into(), reason: "no Name".into() },
        EventKind::FailuresExpected {
            entries: vec![
                entry("flaky", false, false),
                entry("late", true, false),
                entry("fixed", false, false),
                entry("old", false, true),
            ],
        },
        planned(&stale),
        EventKind::LastLines {
            package: "base".into(),
            lines: vec!["cc a.c".into(), "a.c:1: error: \u{1b}[31m<no> ]]> & \"x\"\u{0}".into()],
        },
        finished("base", failed("%build"), Some("a.c:1: error: \u{1b}[31m<no> & \"x\""), 90.0),
        finished("lib", blocked_by("base"), None, 0.0),
        finished("app", blocked_by("lib"), None, 0.0),
        finished("top", blocked_by("app"), None, 0.0),
        finished("flaky", failed("%check"), Some("1 failed"), 5.0),
        finished("late", failed("%check"), None, 5.0),
        finished("fixed", Verdict::Success, None, 65.0),
        finished("unlucky", Verdict::Infrastructure { reason: "the engine went away".into() }, None, 1.0),
        finished("good", Verdict::Success, None, 200.0),
        finished("good", Verdict::Unchanged, None, 100.0),
        EventKind::Regression(Regression {
            package: "good".into(),
            measure: Measure::Time,
            took: 300.0,
            median: 120.0,
        }),
        EventKind::Published { generation: 42, added: vec![] },
        EventKind::WindowEnded,
        EventKind::CycleUnsettled { reason: "the cycle x ↔ y does not settle".into() },
        EventKind::RunFinished {
            counts: Counts::default(),
            interrupted: false,
            repository: Some("/trees/cairn/out/repo".into()),
            install: None,
            seconds: 28_801.0,
        },
    ];
    events("r2", kinds)
}

#[test]
fn every_package_has_one_end_and_what_is_blocked_has_its_root() {
    let summary = Summary::of(&a_bad_night());
    assert_eq!(summary.end, RunEnd::WindowOver);
    assert_eq!(summary.generation, Some(42));
    assert_eq!(summary.left, ["neither", "never"]);
    let roots: Vec<_> = summary.packages.iter().filter_map(|one| Some((&*one.package, one.root.as_deref()?))).collect();
    assert_eq!(roots, [("app", "base"), ("gui-app", "gui"), ("lib", "base"), ("top", "base")]);
    let failures: Vec<_> = summary.failures().iter().map(|one| (&*one.package, one.blocks)).collect();
    assert_eq!(failures, [("base", 3), ("gui", 1), ("late", 0), ("odd", 0), ("unlucky", 0)]);
    assert!(summary.package("flaky").unwrap().is_expected());
    let passes: Vec<_> = summary.unexpected_passes.iter().map(|entry| &*entry.package).collect();
    assert_eq!(passes, ["fixed", "old"]);
    let good = summary.package("good").unwrap();
    assert_eq!((&good.verdict, good.seconds), (&Verdict::Success, 300.0), "a pass that changes nothing takes nothing");
    let counts =
        Counts { planned: 11, built: 2, unchanged: 1, failed: 3, expected: 1, blocked: 5, excluded: 1, fresh: 7 };
    assert_eq!(summary.counts, counts);
    let text = serde_json::to_string(&summary).unwrap();
    assert_eq!(serde_json::from_str::<Summary>(&text).unwrap(), summary);
}

#[test]
fn a_cut_journal_is_an_unfinished_run_and_a_cycle_of_blockers_ends() {
    let night = a_bad_night();
    let summary = Summary::of(&night[..night.len() - 3]);
    assert_eq!((summary.end, summary.seconds), (RunEnd::Unfinished, 16.0));
    let blocked_by = |package: &str| Verdict::BlockedBy { package: package.into() };
    let kinds = vec![finished("a", blocked_by("b"), None, 0.0), finished("b", blocked_by("a"), None, 0.0)];
    assert_eq!(Summary::of(&events("r", kinds)).packages.len(), 2);
    assert_eq!(Summary::of(&[]).end, RunEnd::Unfinished);
    let broke = vec![started(), EventKind::RunBroke { reason: "no disk".into() }];
    assert_eq!(Summary::of(&events("r", broke)).end, RunEnd::Broke { reason: "no disk".into() });
}

#[test]
fn the_last_word_of_earlier_runs_decides_what_is_new() {
    let run = |kinds: Vec<EventKind>| Summary::of(&events("r", kinds));
    let blocked = || Verdict::BlockedBy { package: "x".into() };
    let nothing = Standings::default();
    let now = run(["a", "b", "c", "d", "e"].map(|name| finished(name, failed("%build"), None, 1.0)).into());
    assert!(!nothing.changes(&now).has_before);
    let mut before = Standings::default();
    before.take(&run(vec![
        finished("a", Verdict::Success, None, 1.0),
        finished("b", failed("%prep"), None, 1.0),
        finished("c", Verdict::Success, None, 1.0),
        finished("d", failed("%prep"), None, 1.0),
    ]));
    // A later run that did not come to a package, or only to what blocks it, does not change what is known.
    before.take(&run(vec![
        finished("c", blocked(), None, 0.0),
        finished("d", blocked(), None, 0.0),
        finished("b", Verdict::Infrastructure { reason: "x".into() }, None, 0.0),
    ]));
    let changes = before.changes(&now);
    assert_eq!(changes.newly_failing, ["a", "c", "e"]);
    assert_eq!(changes.newly_good, Vec::<String>::new());
    let now = run(["a", "b", "c", "d", "e"].map(|name| finished(name, Verdict::Success, None, 1.0)).into());
    assert_eq!(before.changes(&now).newly_good, ["b", "c", "d"]);
}
