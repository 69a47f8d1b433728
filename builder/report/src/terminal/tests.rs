//! Whole runs as fixed events, and the exact text a person sees.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use super::*;
use crate::blocked::Hindrance;
use crate::tally::Counts;
use std::sync::{Arc, Mutex};

/// A writer whose content can be looked at afterwards.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn shown(kinds: Vec<EventKind>, settings: TerminalSettings) -> String {
    let page = Page::default();
    let mut terminal = Terminal::new(Box::new(page.clone()), settings);
    for kind in kinds {
        terminal.event(&Event { run: "7c1e".into(), at: 1_700_000_000_000, elapsed: 1.0, kind });
    }
    terminal.finish();
    let bytes = page.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn reasons(items: &[(&str, &str)]) -> Vec<PackageReason> {
    let item =
        |(package, reason): &(&str, &str)| PackageReason { package: (*package).into(), reason: (*reason).into() };
    items.iter().map(item).collect()
}

fn finished(package: &str, verdict: Verdict, cause: Option<&str>, own_seconds: f64) -> EventKind {
    let rpms = if verdict.is_good() { vec![format!("{package}-1-1.x86_64.rpm")] } else { vec![] };
    EventKind::JobFinished {
        package: package.into(),
        nevr: format!("{package}-1-1"),
        log: (!verdict.is_good()).then(|| format!("out/runs/7c1e/logs/{package}/build.log")),
        verdict,
        cause: cause.map(str::to_owned),
        seconds: 12.3,
        own_seconds,
        rpms,
        attempt: None,
    }
}

#[test]
fn passes_over_a_cycle_say_what_stands_in_and_what_is_built_again() {
    let counts = Counts { planned: 4, built: 3, unchanged: 1, ..Counts::default() };
    let members: Vec<String> = ["a", "b"].map(str::to_owned).into();
    let pass = |number, members: &[String], opened: &[(&str, &str)], stale: &[(&str, &str)]| EventKind::CyclePass {
        members: members.to_vec(),
        number,
        opened: reasons(opened),
        stale: reasons(stale),
    };
    let many: Vec<String> = (0..7).map(|number| format!("p{number}")).collect();
    let again = [("a", "built with b-0-1 while its cycle with b was opened"), ("b", "a is to be built")];
    let text = shown(
        vec![
            EventKind::Planned { stale: reasons(&[("a", "x"), ("b", "y")]), fresh: 0, blocked: vec![] },
            pass(1, &members, &[("a", "with b-0-1 of seed old")], &[]),
            pass(2, &members, &[("a", "with b-1-1 as published")], &again),
            pass(1, &many, &[], &[]),
            EventKind::RunFinished { counts, interrupted: false, repository: None, install: None, seconds: 1.0 },
        ],
        TerminalSettings::plain(),
    );
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("Cycle")).collect();
    assert_eq!(
        lines,
        [
            "       Cycle pass 1 of a ↔ b: a with b-0-1 of seed old",
            "       Cycle pass 2 of a ↔ b: a with b-1-1 as published; a again (built with b-0-1 while its cycle with b was \
             opened); b again (a is to be built)",
            "       Cycle pass 1 of p0 ↔ p1 ↔ p2 ↔ p3 ↔ p4 and 2 more",
        ]
    );
}

#[test]
fn what_a_build_turned_out_to_need_is_a_line_each_and_counts() {
    let (package, nevr) = ("app".to_owned(), "app-1-1".to_owned());
    let needs = vec!["python3dist(lib) >= 2".to_owned(), "bash".to_owned()];
    let counts = Counts { planned: 2, built: 2, ..Counts::default() };
    let text = shown(
        vec![
            EventKind::Planned { stale: reasons(&[("app", "never built")]), fresh: 0, blocked: vec![] },
            EventKind::JobStarted { package: package.clone(), nevr: nevr.clone() },
            EventKind::NeedsGenerated { package: package.clone(), nevr: nevr.clone(), needs },
            EventKind::PlanGrew {
                package: package.clone(),
                nevr: nevr.clone(),
                stale: reasons(&[("lib", "never built")]),
            },
            EventKind::JobWaits { package, nevr, needs: vec!["lib".into()] },
            EventKind::RunFinished { counts, interrupted: false, repository: None, install: None, seconds: 1.0 },
        ],
        TerminalSettings::plain(),
    );
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.contains("Building")).collect();
    assert_eq!(
        lines[1..4],
        [
            "   Generated 2 needs of app-1-1: python3dist(lib) >= 2, bash",
            "     Planned 1 more to build for app-1-1: lib (never built)",
            "     Waiting app-1-1 waits for lib",
        ]
    );
    assert!(text.contains("2/2 jobs run"), "{text}");
}

#[test]
fn a_good_run_is_brief_and_ends_with_what_to_type() {
    let text = shown(
        vec![
            EventKind::RunStarted {
                command: "package-builder -i jq".into(),
                tree: ".".into(),
                jobs: 2,
                sandbox: "linux".into(),
            },
            EventKind::SpecsEvaluated { count: 36, errors: 0, seconds: 0.084 },
            EventKind::SeedProgress { name: "debian".into(), doing: "converting".into(), done: 3, total: Some(134) },
            EventKind::SeedPrepared { name: "debian".into(), packages: 134, seconds: 17.8 },
            EventKind::BaseReady { digest: "0123456789abcdef0123".into(), seconds: 1.9 },
            EventKind::Planned { stale: reasons(&[("jq", "never built")]), fresh: 1, blocked: vec![] },
            EventKind::SourceStarted { package: "jq".into(), file: "jq.tar.gz".into(), origin: "o".into() },
            EventKind::SourceFetched {
                package: "jq".into(),
                file: "jq.tar.gz".into(),
                bytes: 1_258_291,
                origin: "crate:jq-src=0.4.1".into(),
            },
            EventKind::JobStarted { package: "jq".into(), nevr: "jq-1-1".into() },
            EventKind::JobPhase { package: "jq".into(), phase: "%build".into() },
            finished("jq", Verdict::Success, None, 0.08),
            EventKind::Published { generation: 3, added: vec!["jq-1-1.x86_64.rpm".into()] },
            EventKind::RunFinished {
                counts: Counts { planned: 1, built: 1, fresh: 1, ..Counts::default() },
                interrupted: false,
                repository: Some("out/repo".into()),
                install: Some("dnf --repofrompath tree,out/repo install jq".into()),
                seconds: 33.0,
            },
        ],
        TerminalSettings::plain(),
    );
    let expected = "\u{20}    Started run 7c1e at 2023-11-14 22:13:20: `package-builder -i jq` (., 2 jobs, linux)
   Evaluated 36 specs in 0.08s
    Prepared seed debian: 134 packages in 18s
       Ready base layer 0123456789ab in 1.9s
     Planned 1 to build, 1 fresh
       Stale jq: never built
     Fetched jq.tar.gz (1.2 MiB) from crate:jq-src=0.4.1
    Building jq-1-1
       Built jq-1-1 in 12s (own time 0.08s): 1 RPM
   Published generation 3 with 1 RPM more
     Summary [    33s] 1/1 job run: 1 built, 1 fresh
             12s of builds; median own time per build 0.08s
  Repository out/repo
     Install dnf --repofrompath tree,out/repo install jq
";
    assert_eq!(text, expected);
}

#[test]
fn failures_are_said_when_they_happen_and_again_at_the_end() {
    let text = shown(
        vec![
            EventKind::SpecsEvaluated { count: 1, errors: 1, seconds: 2.0 },
            EventKind::Diagnostic { text: "error: unknown tag\n  ┌─ SPECS/a.spec:3".into() },
            EventKind::Planned {
                stale: reasons(&[("curl", "never built"), ("git", "never built")]),
                fresh: 0,
                blocked: vec![BlockedPackage {
                    package: "vim".into(),
                    reason: "nothing provides `gtk`".into(),
                    hindrance: Hindrance::Unresolvable,
                }],
            },
            EventKind::SourceFailed {
                package: "wget".into(),
                file: "wget.tgz".into(),
                reason: "no origin has it\nx: refused".into(),
            },
            finished("curl", Verdict::Failed { phase: "%build".into() }, Some("a.c:1: error: \u{1b}[2Jno"), 0.1),
            finished("git", Verdict::BlockedBy { package: "curl".into() }, None, 0.0),
            EventKind::RunFinished {
                counts: Counts { planned: 2, failed: 1, blocked: 2, ..Counts::default() },
                interrupted: false,
                repository: None,
                install: None,
                seconds: 1273.0,
            },
        ],
        TerminalSettings::plain(),
    );
    let expected = "\u{20}  Evaluated 1 spec (1 broken) in 2.0s
error: unknown tag
  ┌─ SPECS/a.spec:3
     Planned 2 to build, 0 fresh, 1 blocked
       Stale curl: never built
       Stale git: never built
     Blocked vim: nothing provides `gtk`
      FAILED source wget.tgz of wget: no origin has it
             x: refused
      FAILED curl-1-1 in %build after 12s (log: out/runs/7c1e/logs/curl/build.log)
             a.c:1: error: \u{fffd}[2Jno
     Blocked git-1-1: it needs curl
     Summary [ 21m13s] 1/2 jobs run: 0 built, 1 failed, 2 blocked, 1 source missing
      FAILED curl-1-1 in %build (log: out/runs/7c1e/logs/curl/build.log)
             a.c:1: error: \u{fffd}[2Jno
hint: `package-builder log curl` shows the whole log of curl
";
    assert_eq!(text, expected);
}

#[test]
fn colour_paints_the_verb_and_changes_no_text() {
    let kinds = || vec![finished("curl", Verdict::OutOfMemory { phase: "%check".into() }, None, 0.1)];
    let painted = shown(kinds(), TerminalSettings { colour: true, ..TerminalSettings::plain() });
    assert!(
        painted.starts_with("\u{1b}[1;31m      FAILED\u{1b}[0m curl-1-1 ran out of memory in %check"),
        "{painted:?}"
    );
    let stripped = painted.replace("\u{1b}[1;31m", "").replace("\u{1b}[0m", "");
    assert_eq!(stripped, shown(kinds(), TerminalSettings::plain()));
}

#[test]
fn a_long_plan_shows_some_reasons_and_names_the_rest() {
    let names: Vec<String> = (0..30).map(|number| format!("p{number:02}")).collect();
    let stale = names.iter().map(|name| PackageReason { package: name.clone(), reason: "never built".into() });
    let kind = EventKind::Planned { stale: stale.collect(), fresh: 0, blocked: vec![] };
    let text = shown(vec![kind], TerminalSettings::plain());
    assert_eq!(text.lines().count(), 1 + REASONS_SHOWN + 1);
    assert!(
        text.ends_with("       Stale p12, p13, p14, p15, p16, p17, p18, p19, p20, p21, p22, p23, and 6 more\n"),
        "{text}"
    );
}

#[test]
fn what_took_more_than_ever_is_said_at_once_and_in_the_summary() {
    let regression =
        |measure, took, median| EventKind::Regression(Regression { package: "glibc".into(), measure, took, median });
    let forecast = |seconds| EventKind::Forecast { seconds, critical_path: vec!["glibc".into(), "gcc".into()] };
    let counts = Counts { planned: 2, built: 1, ..Counts::default() };
    let text = shown(
        vec![
            EventKind::Planned { stale: reasons(&[("glibc", "x"), ("gcc", "y")]), fresh: 0, blocked: vec![] },
            forecast(1800.0),
            regression(Measure::Time, 2460.0, 1170.0),
            regression(Measure::Memory, 3_221_225_472.0, 1_610_612_736.0),
            forecast(620.0),
            EventKind::RunFinished { counts, interrupted: true, repository: None, install: None, seconds: 2500.0 },
        ],
        TerminalSettings::plain(),
    );
    let lines: Vec<&str> = text.lines().skip(3).collect();
    let slower = "      Slower glibc took 2.1× its median (41m00s, else 19m30s)";
    let larger = "      Larger glibc took 2.0× its median memory (3.0 GiB, else 1.5 GiB)";
    assert_eq!(
        lines,
        [
            "    Expected about 30m; longest chain: glibc → gcc",
            slower,
            larger,
            "     Summary [ 41m40s] 1/2 jobs run, interrupted: 1 built",
            slower,
            larger,
            "hint: the same command goes on from here, about 11m left",
        ]
    );
}
