//! placeholder

pub mod apt;
pub mod buildroot;
pub mod seeds;
