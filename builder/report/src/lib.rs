//! What happened in a run, and every view of it.
//!
//! A run is a stream of [`Event`]s. The engine says only facts; what is shown, where and in which colour is decided
//! here, so the terminal, the journal and later readers of the journal never disagree.
//!
//! ```text
//! engine ─► Event ─┬─► Recorder   runs/<id>/events.jsonl, first
//!                  ├─► Terminal   stderr: lines, and one live line on a terminal
//!                  └─► Json       stdout, for machines
//! events.jsonl ─► Summary ─► JUnit, mail, summary.json
//! ```

mod attempt;
mod blocked;
mod event;
mod expected;
mod json;
mod junit;
mod live;
mod mail;
mod paint;
mod reporter;
#[cfg(test)]
mod schema;
mod summary;
mod tally;
mod terminal;
pub mod text;
mod verdict;

pub use attempt::{Attempt, Measure, PhaseTime, Regression};
pub use blocked::{BlockedPackage, Hindrance};
pub use event::{Event, EventKind, FORMAT_VERSION, PackageReason, ReadError};
pub use expected::ExpectedFailure;
pub use json::{Json, Recorder};
pub use junit::junit;
pub use mail::{mail, mail_without_run};
pub use reporter::{Everyone, Reporter};
pub use summary::{Changes, PackageSummary, RunEnd, SUMMARY_VERSION, Standing, Standings, Summary};
pub use tally::{Counts, Failure, Tally};
pub use terminal::{Terminal, TerminalSettings};
pub use verdict::{TimeLimit, Verdict};
