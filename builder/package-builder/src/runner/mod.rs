//! Runs a plan: one dispatcher owns the state, executors run jobs and send messages.
//!
//! [`Planning`] is everything known before a run; [`Passes`] take it to its end.

mod announce;
mod asking;
mod cause;
pub mod conventions;
mod disk;
mod dispatcher;
mod events;
mod generated;
mod ground;
mod inputs;
mod job;
mod jobserver;
mod last_lines;
mod leftovers;
mod lock;
mod locked;
mod logs;
mod machine;
mod passes;
mod planning;
mod prepare;
mod root;
mod state;
mod stop;
mod variants;
mod window;

pub use announce::emit_plan;
pub use asking::{Grant, MoreNeeds, Stopped};
pub use dispatcher::{Begun, Dispatcher, Executor, Next, RunEnd, RunOptions, Work, num_cpus};
pub use events::{Events, new_run_id};
pub use generated::GeneratedNeeds;
pub use ground::{Ground, emit_base_progress};
pub use inputs::{FetchedSources, Inputs, LackingSource, fetch_of, fetch_settings, fetch_sources};
pub use job::{JobEnd, JobError, JobLimits, JobOrder, JobReport, RootReport, run_job};
pub use leftovers::remove_leftovers;
pub use lock::{
    Lock, LockedBase, LockedCycle, LockedNeeds, LockedPackage, LockedRpm, LockedStart, LockedVariant, Origin,
};
pub use locked::Locked;
pub use machine::{Machine, ThisMachine, memory_for_builds};
pub use passes::Passes;
pub use planning::{Planning, blocked_targets};
pub use prepare::RootRpm;
pub use state::{BuiltPackage, State};
pub(crate) use stop::StopSignals;
pub use variants::Variants;
pub use window::Window;
