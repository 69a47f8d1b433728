//! The command `package-builder`: everything that touches the machine, around the pure core.
//!
//! - [`cli`]: what the user may type. [`config`]: the settings in force. [`error`]: how a command ends.
//! - [`host`]: finding and evaluating specs, the output folders and their lock.
//! - [`seeds`], [`buildroot`], [`apt`]: where the first RPMs and the base layer come from.
//! - [`sources`]: fetching and verifying what specs are built from.
//! - [`history`]: what builds took, and what the next ones are expected to take.
//! - [`runner`]: running a plan. [`commands`]: one file a verb.

pub mod apt;
pub mod buildroot;
pub mod cli;
pub mod commands;
pub mod config;
pub mod error;
pub mod history;
pub mod host;
pub mod runner;
pub mod seeds;
pub mod sources;
