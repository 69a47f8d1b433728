//! A whole mail, and that none is too wide or too long.

use super::*;
use crate::event::EventKind;
use crate::summary::tests::{a_bad_night, events, failed, finished, planned, started};

#[test]
fn a_bad_night_is_told_worst_first() {
    let summary = Summary::of(&a_bad_night());
    let changes = Changes {
        has_before: true,
        newly_failing: vec!["base".into(), "late".into()],
        newly_good: vec!["fixed".into()],
    };
    let expected = "\
cairn: incomplete: 5 failed, 1 unsettled, 5 blocked, 2 passed unexpectedly

run:        r2
started:    2023-11-14 22:13:20 UTC, took 8h00m
command:    package-builder nightly --for 8h
repository: generation 42 is new
fresh:      7 packages, not built again

FAILED (5), what blocks most first
  base-1-1 failed in %build after 1m30s
      a.c:1: error: \u{fffd}[31m<no> & \"x\"
    blocks 3 packages:
      app lib top
    log: out/runs/r2/logs/base/build.log
  gui is unresolvable: nothing provides `gtk`
    blocks 1 package:
      gui-app
  late-1-1 failed in %check after 5.0s
    no longer expected: needs a newer gcc (ann, until 2026-12-31)
    log: out/runs/r2/logs/late/check.log
  odd has a broken spec: no Name
  unlucky-1-1 could not be run: the engine went away

CYCLES THAT DO NOT SETTLE (1)
  the cycle x ↔ y does not settle

NEWLY FAILING (2)
  base late

NEWLY GOOD (1)
  fixed

FAILED AS EXPECTED (1)
  flaky-1-1 failed in %check: needs a newer gcc (ann, until 2026-12-31)

PASSED UNEXPECTEDLY (2)
  fixed: needs a newer gcc (ann, until 2026-12-31)
  old: needs a newer gcc (ann, until 2026-12-31)
  take them out of expected-failures.toml

NOT REACHED (2)
  neither never

TOOK MORE THAN BEFORE (1)
  good took 2.5× its median (5m00s, else 2m00s)

SLOWEST (3)
     5m00s good-1-1
     1m30s base-1-1
     1m05s fixed-1-1

NEXT
  the same command goes on where this run stopped
  package-builder log NAME --run r2
  what is blocked is built by itself once its root cause is mended
  package-builder report r2 --format json
";
    assert_eq!(mail(&summary, &changes), expected);
}

#[test]
fn a_catastrophe_still_fits_in_a_mail() {
    let names: Vec<String> = (0..3000).map(|number| format!("a-package-with-a-long-name-{number:04}")).collect();
    let line = "x".repeat(5000);
    let cause = format!("{line}\n").repeat(50);
    let mut kinds = vec![started(), planned(&names.iter().map(|name| &**name).collect::<Vec<_>>())];
    kinds.extend(names[..1000].iter().map(|name| finished(name, failed("%build"), Some(&cause), 100.0)));
    let blocked = |name: &String| finished(name, Verdict::BlockedBy { package: names[3].clone() }, None, 0.0);
    kinds.extend(names[1000..2000].iter().map(blocked));
    kinds.push(EventKind::RunBroke { reason: cause.clone() });
    let summary = Summary::of(&events("r", kinds));
    let changes = Changes { has_before: true, newly_failing: names.clone(), newly_good: names };
    let text = mail(&summary, &changes);
    assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
    assert!(text.lines().count() < 200, "{} lines", text.lines().count());
    assert!(text.contains("and 981 more:"), "{text}");
}
