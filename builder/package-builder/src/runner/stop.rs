//! The wish of whoever started a run that it end.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// How soon a run is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Ctrl-C: finish what is running, start no more.
    WhenFinished,
    /// SIGTERM, or the terminal is gone: end what is running.
    Now,
}

/// The signals that ask for it. While this exists, none of them ends the process by itself.
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl StopSignals {
    /// Takes the signals over.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.interrupt.recv() => Stop::WhenFinished,
            _ = self.terminate.recv() => Stop::Now,
            _ = self.hang_up.recv() => Stop::Now,
        }
    }
}
