//! The host's side of planning: finding specs, evaluating them, and the folders that results live in.

mod answers;
mod context;
mod diagnostics;
mod evaluate;
mod kept;
mod layout;
mod lock;
mod remembered;
mod runs;
mod sandboxed;
mod shell;
mod world;

pub use context::Context;
pub use diagnostics::Snippets;
pub use evaluate::{BrokenSpec, Evaluated, evaluate_files, evaluate_spec, evaluate_tree, find_specs, with_macros};
pub use layout::Layout;
pub use lock::OutputLock;
pub use remembered::Remembered;
pub use runs::{Runs, write_whole};
pub use sandboxed::SandboxedShell;
pub use world::{HostWorld, Shell, TOPDIR};
