//! What happened in a run, and every view of it.
//!
//! A run is a stream of [`Event`]s. The engine says only facts; what is shown, where and in which colour is decided
//! here, so the terminal, the journal and later readers of the journal never disagree.
//!
//! ```text
//! engine ─► Event ─┬─► Recorder   runs/<id>/events.jsonl, first
//!                  ├─► Terminal   stderr: lines, and one live line on a terminal
//!                  └─► Json       stdout, for machines
//! ```

mod attempt;
mod event;
mod json;
mod live;
mod paint;
mod reporter;
mod tally;
mod terminal;
pub mod text;
mod verdict;

pub use attempt::{Attempt, Measure, PhaseTime, Regression};
pub use event::{Event, EventKind, FORMAT_VERSION, PackageReason, ReadError};
pub use json::{Json, Recorder};
pub use reporter::{Everyone, Reporter};
pub use tally::{Counts, Failure, Tally};
pub use terminal::{Terminal, TerminalSettings};
pub use verdict::{TimeLimit, Verdict};
