//! The live line: what is running right now, on a terminal only.
//!
//! [`LiveState`] turns events into one line for a given moment and is pure; [`LiveLine`] draws it a few times a
//! second with indicatif and steps aside while a lasting line is printed.

use crate::event::{Event, EventKind};
use crate::paint::{Tone, verb_line};
use crate::tally::Tally;
use crate::text::{chain, duration, harmless, plural, roughly, size, stopwatch};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Often enough for a second hand, seldom enough to cost nothing.
const REDRAW_EVERY: Duration = Duration::from_millis(200);

/// What is under way, in the run's own clock.
#[derive(Debug, Default)]
pub(crate) struct LiveState {
    jobs: usize,
    tally: Tally,
    running: Vec<RunningJob>,
    downloads: Vec<Download>,
    seed: Option<String>,
    forecast: Option<Forecast>,
}

/// What the engine expected last.
#[derive(Debug)]
struct Forecast {
    /// When the last job is expected to end, in the run's clock.
    end: f64,
    critical_path: Vec<String>,
}

#[derive(Debug)]
struct RunningJob {
    package: String,
    nevr: String,
    phase: String,
    phase_since: f64,
}

#[derive(Debug)]
struct Download {
    file: String,
    bytes: u64,
    total: Option<u64>,
}

impl LiveState {
    /// Takes the next event.
    pub(crate) fn event(&mut self, event: &Event) {
        self.tally.event(event);
        match &event.kind {
            EventKind::RunStarted { jobs, .. } => self.jobs = *jobs,
            EventKind::SeedProgress { name, doing, done, total } => {
                let of = total.map(|total| format!("/{total}")).unwrap_or_default();
                self.seed = Some(format!("seed {name}: {doing} {done}{of}"));
            }
            EventKind::SeedPrepared { .. } => self.seed = None,
            EventKind::SourceStarted { file, .. } => {
                self.downloads.retain(|download| download.file != *file);
                self.downloads.push(Download { file: file.clone(), bytes: 0, total: None });
            }
            EventKind::SourceProgress { file, bytes, total } => {
                if let Some(download) = self.downloads.iter_mut().find(|download| download.file == *file) {
                    (download.bytes, download.total) = (*bytes, *total);
                }
            }
            EventKind::SourceFetched { file, .. } | EventKind::SourceFailed { file, .. } => {
                self.downloads.retain(|download| download.file != *file);
            }
            EventKind::JobStarted { package, nevr } => {
                let (package, nevr, phase) = (package.clone(), nevr.clone(), "root".to_owned());
                self.running.push(RunningJob { package, nevr, phase, phase_since: event.elapsed });
            }
            EventKind::JobPhase { package, phase } => {
                if let Some(job) = self.running.iter_mut().find(|job| job.package == *package) {
                    (job.phase, job.phase_since) = (phase.clone(), event.elapsed);
                }
            }
            EventKind::Forecast { seconds, critical_path } => {
                let (end, critical_path) = (event.elapsed + seconds, critical_path.clone());
                self.forecast = Some(Forecast { end, critical_path });
            }
            EventKind::JobWaits { package, .. }
            | EventKind::JobRetried { package, .. }
            | EventKind::JobFinished { package, .. } => {
                self.running.retain(|job| job.package != *package);
            }
            _ => {}
        }
    }

    /// The line `now` seconds into the run; `None` when nothing is under way.
    pub(crate) fn line(&self, now: f64, colour: bool) -> Option<String> {
        let since = stopwatch(now);
        if !self.running.is_empty() {
            let counts = self.tally.counts();
            let running = self.running.iter().map(|job| {
                format!(" · {} {} {}", harmless(&job.nevr), harmless(&job.phase), duration(now - job.phase_since))
            });
            // Without history, the jobs so far tell how long the others take.
            let expected = self.forecast.as_ref().map(|forecast| forecast.end - now);
            let left = expected.or_else(|| self.tally.estimate(self.jobs));
            let left = left.map(|seconds| format!(", about {} left", roughly(seconds))).unwrap_or_default();
            let path = self.forecast.as_ref().and_then(|forecast| chain(&forecast.critical_path));
            let path = path.map(|path| format!(" · longest: {path}")).unwrap_or_default();
            let rest = format!(
                "[{since}] {}/{}: {} running, {} failed{left}{}{path}",
                counts.run(),
                counts.planned,
                self.running.len(),
                counts.failed,
                running.collect::<String>()
            );
            return Some(verb_line(Tone::Note, "Building", rest, colour));
        }
        if !self.downloads.is_empty() {
            let files = self.downloads.iter().map(|download| {
                let of = download.total.map(|total| format!(" of {}", size(total))).unwrap_or_default();
                format!(" · {} {}{of}", harmless(&download.file), size(download.bytes))
            });
            let count = plural(self.downloads.len(), "source");
            let rest = format!("[{since}] {count}{}", files.collect::<String>());
            return Some(verb_line(Tone::Note, "Fetching", rest, colour));
        }
        let seed = self.seed.as_ref()?;
        Some(verb_line(Tone::Note, "Preparing", format_args!("[{since}] {}", harmless(seed)), colour))
    }
}

/// The line on the terminal. Dropping it clears it.
pub(crate) struct LiveLine {
    bar: ProgressBar,
    shared: Arc<Mutex<Shared>>,
    stop: Option<Sender<()>>,
    drawer: Option<JoinHandle<()>>,
}

struct Shared {
    state: LiveState,
    /// The moment an event said `elapsed`, from which the run's clock goes on between events.
    anchor: (Instant, f64),
    colour: bool,
}

impl Shared {
    fn draw(&self, bar: &ProgressBar) {
        let now = self.anchor.1 + self.anchor.0.elapsed().as_secs_f64();
        match self.state.line(now, self.colour) {
            // indicatif cuts the message at the terminal's width, painted or not.
            Some(line) => bar.set_message(line),
            None => bar.set_message(""),
        }
    }
}

impl LiveLine {
    /// Draws on stderr from now on.
    pub(crate) fn on_stderr(colour: bool) -> LiveLine {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(ProgressStyle::with_template("{wide_msg}").expect("a constant template"));
        let anchor = (Instant::now(), 0.0);
        let shared = Arc::new(Mutex::new(Shared { state: LiveState::default(), anchor, colour }));
        let (stop, stopped) = channel();
        let drawer = std::thread::spawn({
            let (bar, shared) = (bar.clone(), Arc::clone(&shared));
            move || {
                while stopped.recv_timeout(REDRAW_EVERY) == Err(RecvTimeoutError::Timeout) {
                    lock(&shared).draw(&bar);
                }
            }
        });
        LiveLine { bar, shared, stop: Some(stop), drawer: Some(drawer) }
    }

    /// Takes the next event.
    pub(crate) fn event(&self, event: &Event) {
        let mut shared = lock(&self.shared);
        shared.anchor = (Instant::now(), event.elapsed);
        shared.state.event(event);
        shared.draw(&self.bar);
    }

    /// Runs `print` while the line is off the screen.
    pub(crate) fn aside(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(drawer) = self.drawer.take() {
            // A drawer that panicked has nothing more to say.
            let _ = drawer.join();
        }
        self.bar.finish_and_clear();
    }
}

/// A drawer that panicked must not take the run with it.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::PackageReason;
    use crate::verdict::Verdict;

    fn state_after(kinds: Vec<(f64, EventKind)>) -> LiveState {
        let mut state = LiveState::default();
        for (elapsed, kind) in kinds {
            state.event(&Event { run: "r".into(), at: 0, elapsed, kind });
        }
        state
    }

    fn started(package: &str) -> EventKind {
        EventKind::JobStarted { package: package.into(), nevr: format!("{package}-1-1") }
    }

    #[test]
    fn running_jobs_show_their_phase_and_what_is_left() {
        let stale = ["zlib", "jq", "which", "sed"]
            .map(|package| PackageReason { package: package.into(), reason: "never built".into() });
        let finished = EventKind::JobFinished {
            package: "zlib".into(),
            nevr: "zlib-1-1".into(),
            verdict: Verdict::Success,
            cause: None,
            seconds: 20.0,
            own_seconds: 0.1,
            log: None,
            rpms: vec![],
            attempt: None,
        };
        let phase = EventKind::JobPhase { package: "jq".into(), phase: "%build".into() };
        let run = EventKind::RunStarted { command: "x".into(), tree: ".".into(), jobs: 2, sandbox: "linux".into() };
        let mut state = state_after(vec![
            (0.0, run),
            (1.0, EventKind::Planned { stale: stale.into(), fresh: 0, blocked: vec![] }),
            (2.0, started("zlib")),
            (3.0, started("jq")),
            (5.0, phase),
            (22.0, finished),
            (23.0, started("which")),
        ]);
        assert_eq!(
            state.line(65.0, false).as_deref(),
            Some(
                "    Building [00:01:05] 1/4: 2 running, 0 failed, about 30s left · jq-1-1 %build 1m00s · which-1-1 root 42s"
            )
        );
        // What earlier builds took is known better, and goes on with the clock.
        let critical_path = ["jq", "sed"].map(str::to_owned).into();
        let kind = EventKind::Forecast { seconds: 300.0, critical_path };
        state.event(&Event { run: "r".into(), at: 0, elapsed: 60.0, kind });
        let line = state.line(125.0, false).unwrap_or_default();
        assert!(line.contains(", about 4m left ·") && line.ends_with(" · longest: jq → sed"), "{line}");
    }

    #[test]
    fn before_the_builds_seeds_and_downloads_show() {
        let seed =
            EventKind::SeedProgress { name: "debian".into(), doing: "converting".into(), done: 30, total: Some(134) };
        let mut state = state_after(vec![(0.0, seed)]);
        assert_eq!(state.line(4.0, false).as_deref(), Some("   Preparing [00:00:04] seed debian: converting 30/134"));
        let source = EventKind::SourceStarted { package: "jq".into(), file: "jq.tar".into(), origin: "o".into() };
        let progress = EventKind::SourceProgress { file: "jq.tar".into(), bytes: 1024, total: Some(2048) };
        for kind in [source, progress] {
            state.event(&Event { run: "r".into(), at: 0, elapsed: 0.0, kind });
        }
        assert_eq!(
            state.line(4.0, false).as_deref(),
            Some("    Fetching [00:00:04] 1 source · jq.tar 1.0 KiB of 2.0 KiB")
        );
        assert_eq!(LiveState::default().line(1.0, false), None);
    }
}
