//! Automation of this repository: what `cargo xtask` can do, one module a sub-command.
//!
//! This room starts programs (cargo, go, the control planes under test), feeds them and compares
//! what they print. It is dev only: nothing that ships depends on it.
//!
//! Invariant: it knows Pintle only from outside, by its command line and its API.
//!
//! Start reading at [`conformance`]; [`control_plane`] is what the benchmark shares with it.

// The clock, the environment and sleeping are banned so that rooms can be simulated. This room
// drives real processes in real time and is never simulated.
#![allow(clippy::disallowed_methods)]

pub mod bench;
pub mod conformance;
pub mod control_plane;
pub mod failure;
pub mod fuzz;
