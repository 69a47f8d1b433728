//! Passes a command's output on while watching its times.

use std::time::Duration;

use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, sleep_until};

use crate::{ExecSpec, OutputSink};

/// Why [`Watch::pump`] stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The output ended.
    Ended,
    /// The command's time is over.
    TimedOut,
    /// The command was silent for too long.
    Idle,
}

/// The times of one command, counted from its creation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    /// When the command's time is over.
    deadline: Option<Instant>,
    /// How long it may be silent.
    idle: Option<Duration>,
}

impl Watch {
    /// Starts the command's clock.
    pub(crate) fn new(spec: &ExecSpec) -> Self {
        Self::with_times(spec.timeout, spec.idle_timeout)
    }

    /// As [`Watch::new`], from the two times.
    pub(crate) fn with_times(timeout: Option<Duration>, idle: Option<Duration>) -> Self {
        Self { deadline: timeout.and_then(|time| Instant::now().checked_add(time)), idle }
    }

    /// Passes chunks to the sink until the stream ends or a time is over. An endless flood
    /// of output does not hide a time that is over.
    ///
    /// # Errors
    /// The stream's.
    pub(crate) async fn pump<B: AsRef<[u8]>, E>(
        &self,
        chunks: &mut (impl Stream<Item = Result<B, E>> + Unpin),
        sink: &mut dyn OutputSink,
    ) -> Result<Stop, E> {
        let mut last_output = Instant::now();
        loop {
            let quiet_until = self.idle.and_then(|idle| last_output.checked_add(idle));
            tokio::select! {
                biased;
                () = until(self.deadline) => return Ok(Stop::TimedOut),
                chunk = chunks.next() => match chunk {
                    Some(chunk) => {
                        let chunk = chunk?;
                        if !chunk.as_ref().is_empty() {
                            sink.write(chunk.as_ref());
                            last_output = Instant::now();
                        }
                    }
                    None => return Ok(Stop::Ended),
                },
                () = until(quiet_until) => return Ok(Stop::Idle),
            }
        }
    }
}

/// Waits for a moment that may never come.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;

    use super::*;

    fn chunks(count: u64, gap: Duration) -> impl Stream<Item = Result<&'static [u8], Infallible>> + Unpin {
        Box::pin(stream::iter(0..count).then(move |_| async move {
            tokio::time::sleep(gap).await;
            Ok(&b"x"[..])
        }))
    }

    #[tokio::test]
    async fn output_is_passed_on_to_its_end() {
        let mut sink = Vec::new();
        let watch = Watch::with_times(Some(Duration::from_secs(60)), Some(Duration::from_secs(60)));
        let stop = watch.pump(&mut chunks(5, Duration::ZERO), &mut sink).await.unwrap();
        assert_eq!((stop, sink.as_slice()), (Stop::Ended, &b"xxxxx"[..]));
    }

    #[tokio::test]
    async fn a_flood_times_out_and_silence_is_idle() {
        let mut sink = Vec::new();
        let watch = Watch::with_times(Some(Duration::from_millis(60)), Some(Duration::from_millis(40)));
        let stop = watch.pump(&mut chunks(u64::MAX, Duration::from_millis(1)), &mut sink).await;
        assert_eq!(stop.unwrap(), Stop::TimedOut);
        assert!(!sink.is_empty());
        let watch = Watch::with_times(Some(Duration::from_secs(60)), Some(Duration::from_millis(20)));
        let stop = watch.pump(&mut chunks(1, Duration::from_secs(60)), &mut sink).await;
        assert_eq!(stop.unwrap(), Stop::Idle);
    }
}
