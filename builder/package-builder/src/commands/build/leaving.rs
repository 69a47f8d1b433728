//! Leaving a run before builds are running: while seeds, specs and sources are looked at, nothing else listens to
//! signals, and nothing that is done then must be finished.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::error::CommandError;
use crate::runner::StopSignals;

/// Main threads have as much.
const STACK: usize = 8 << 20;

/// Does the work of a run on a thread of its own. `None` if the user wants the run to end while the work does not listen
/// to signals itself; its thread then ends with the process.
///
/// # Errors
/// No thread can be started, signals cannot be taken over, or the work broke off.
pub(super) fn unless_interrupted<T: Send + 'static>(
    runtime: &Runtime,
    listens: &Arc<AtomicBool>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<Option<T>, CommandError> {
    runtime.block_on(async {
        let mut signals = StopSignals::new()
            .map_err(|error| CommandError::infrastructure(format!("signals cannot be taken over: {error}")))?;
        let (sender, mut ended) = oneshot::channel();
        // Nobody waits for what an interrupted run gives.
        let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || drop(sender.send(work())));
        thread.map_err(|error| CommandError::infrastructure(format!("no threads can be started: {error}")))?;
        loop {
            tokio::select! {
                ended = &mut ended => {
                    return ended.map(Some).map_err(|_| CommandError::infrastructure("the run broke off in a panic"));
                }
                _ = signals.next() => {
                    if !listens.load(Ordering::Acquire) {
                        return Ok(None);
                    }
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_gives_its_end_and_a_panic_is_an_error() {
        let (runtime, listens) = (Runtime::new().expect("threads"), Arc::default());
        assert_eq!(unless_interrupted(&runtime, &listens, || 7).expect("it ends"), Some(7));
        let error = unless_interrupted(&runtime, &listens, || std::panic::panic_any("as planned"));
        assert!(error.expect_err("it panics").message.contains("broke off"));
    }
}
