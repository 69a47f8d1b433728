//! The host's side of planning: finding specs, evaluating them, and the folders that results live in.

mod evaluate;
mod layout;
mod lock;
mod world;

pub use evaluate::{BrokenSpec, Evaluated, evaluate_tree};
pub use layout::Layout;
pub use lock::OutputLock;
pub use world::{HostWorld, TOPDIR};
