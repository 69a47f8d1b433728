//! The crate against the real tools: rpmbuild makes the packages; createrepo_c, dnf and rpm judge.
//!
//! Where a tool is missing the test says so and passes; with `CI` in the environment it fails.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod agreement;
mod createrepo;
mod damage;
mod dnf;
mod fixtures;
mod generations;
mod identity;
mod kill;
mod leftovers;
mod properties;
mod readers;
mod unpack;
