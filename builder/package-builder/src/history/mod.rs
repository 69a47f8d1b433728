//! What builds took: every attempt is recorded, and tells what the next one is expected to take.
//!
//! ```text
//! events ─► Recorder ─► attempts (out/state.sqlite) ─┬─► Estimates ─► order, admission, time left, regressions
//!                                                    └─► `history`
//! ```
//! The recorder reads the same events as every other view of a run. A history that cannot be written fails no build; the
//! state in the same file is another matter ([`State`](crate::runner::State)).

mod attempts;
pub(crate) mod database;
mod estimates;
mod forecast;
mod machine;
mod recorder;

pub use attempts::{Record, newest};
pub use estimates::Estimates;
pub use forecast::{Forecast, forecast};
pub use machine::machine_id;
pub use recorder::Recorder;
