//! The binary: arguments, the data directory, wiring and shutdown.
//!
//! `main.rs` reads the command line and this library does the rest, so that tests can start the
//! same whole in their own process.
//!
//! Invariant: it wires and decides nothing; a loop or a retry belongs in a room.
//! Invariant: this is the only place that reads the environment and the data directory's files.
//!
//! Start reading at [`compose`], the one function that puts the rooms together.

pub mod arguments;
pub mod assets;
pub mod bootstrap;
pub mod compose;
pub mod console;
pub mod failure;
pub mod network;
pub mod run;
pub mod standin;
pub mod state;
pub mod telemetry;
