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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use report::{Event, Everyone, Reporter};

    use super::*;

    /// Whether the window was over when its end was told.
    struct Told(Arc<Window>, Arc<AtomicBool>);

    impl Reporter for Told {
        fn event(&mut self, event: &Event) {
            assert!(event.kind == EventKind::WindowEnded && !self.0.is_over(), "{event:?}");
            self.1.store(true, Ordering::Release);
        }
    }

    #[tokio::test]
    async fn the_end_is_told_before_the_window_is_over() {
        let (window, told) = (Arc::new(Window::default()), Arc::new(AtomicBool::new(false)));
        let reporters = Everyone::default().and(Told(Arc::clone(&window), Arc::clone(&told)));
        let events = Arc::new(Events::new("r", reporters));
        let far = Instant::now() + Duration::from_secs(3600);
        let open = tokio::spawn(Arc::clone(&window).watch(far, Arc::clone(&events)));
        tokio::task::yield_now().await;
        open.abort();
        assert!(!window.is_over() && !told.load(Ordering::Acquire));
        Arc::clone(&window).watch(Instant::now(), events).await;
        assert!(window.is_over() && told.load(Ordering::Acquire));
    }
}
