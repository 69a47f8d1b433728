//! The time in which a run may start builds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use report::EventKind;

use super::events::Events;

/// A time window: while it is open, builds are started.
#[derive(Debug, Default)]
pub struct Window {
    is_over: AtomicBool,
}

impl Window {
    /// Closes the window at this moment, and says so.
    ///
    /// It is over only once that has been recorded, so that no run stops for a reason that its journal does not have.
    pub async fn watch(self: Arc<Self>, until: Instant, events: Arc<Events>) {
        tokio::time::sleep_until(until.into()).await;
        events.emit(EventKind::WindowEnded);
        self.is_over.store(true, Ordering::Release);
    }

    /// Whether nothing more may be started.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }
}
