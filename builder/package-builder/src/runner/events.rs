//! The clock and the numbering of a run's events, and the way to its reporters.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use report::{Counts, Event, EventKind, Everyone, Reporter, Tally};

/// Stamps events and hands them to the reporters, one at a time and in order.
pub struct Events {
    run: String,
    started: Instant,
    told: Mutex<Told>,
}

struct Told {
    tally: Tally,
    reporters: Everyone,
    /// The last event was told.
    is_over: bool,
}

impl Events {
    /// Starts the clock of the run `run`.
    #[must_use]
    pub fn new(run: impl Into<String>, reporters: Everyone) -> Self {
        let told = Told { tally: Tally::default(), reporters, is_over: false };
        Self { run: run.into(), started: Instant::now(), told: Mutex::new(told) }
    }

    /// The run's id.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Seconds since the run started.
    #[must_use]
    pub fn elapsed(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Says that something happened, now.
    pub fn emit(&self, kind: EventKind) {
        self.tell(kind, false);
    }

    /// The same of the last thing that happens; whatever still happens after it is not told.
    pub fn emit_last(&self, kind: EventKind) {
        self.tell(kind, true);
    }

    fn tell(&self, kind: EventKind, is_last: bool) {
        let event = Event { run: self.run.clone(), at: now_milliseconds(), elapsed: self.elapsed(), kind };
        let mut told = self.lock();
        if !told.is_over {
            told.tally.event(&event);
            told.reporters.event(&event);
        }
        told.is_over |= is_last;
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many jobs ended how so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.lock().tally.counts()
    }

    /// Ends the stream.
    pub fn finish(&self) {
        self.lock().reporters.finish();
    }
}

/// Milliseconds since 1970-01-01 UTC.
#[must_use]
pub(super) fn now_milliseconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A run's id: the time it started, readable and in order, and the process, so that two never share one.
#[must_use]
pub fn new_run_id() -> String {
    let now = jiff::Timestamp::from_millisecond(now_milliseconds()).unwrap_or_default();
    format!("{}-{}", now.strftime("%Y%m%dT%H%M%SZ"), std::process::id())
}
