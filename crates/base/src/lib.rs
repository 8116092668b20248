//! The ground every room stands on: time, chance, tasks and their end.
//!
//! It gives out the things that must come as arguments everywhere else (design.md section 8): a
//! [`Clock`] that a test can move, an [`Rng`] that a seed repeats, [`Tasks`] that have a name and
//! end when the process drains, [`Backoff`], the printed chain of an
//! error, and a stack deep enough for what strangers send ([`stack`]).
//!
//! Invariant: no word of Kubernetes is said here.
//! Invariant: this is the only room that reads the operating system's clock and entropy.
//!
//! Start reading at [`clock`], then [`tasks`].

pub mod backoff;
pub mod chain;
pub mod clock;
pub mod rng;
pub mod stack;
pub mod tasks;

pub use backoff::Backoff;
pub use chain::Chain;
pub use clock::{Clock, FakeClock, Moment, WallTime};
pub use rng::Rng;
pub use tasks::{Drain, Task, TaskEnd, Tasks};
