//! What the author of a controller, an operator or any other guest holds.
//!
//! kit builds on kube-rs, the client that Rust users of Kubernetes know, and adds what it lacks: a
//! [`Client`] that may call a server of the same process, a shared [`Cache`] with indexes, a
//! [`Queue`] of keys with priorities, the [`Controller`] loop of plan and act, [`leader`] election
//! and an [`events`] recorder. What is written with it runs unchanged against any Kubernetes.
//!
//! Invariant: kit knows no server and no store; whoever starts it hands a way in ([`Client`]).
//! Invariant: nothing here polls. Work starts when an event comes or a moment arrives, and waiting
//! on purpose happens only after an error.
//! Invariant: time and chance come as arguments.
//!
//! Start reading at [`reconcile`], then [`cache`], [`watch`] and [`transport`].
//!
//! An operator in one page is `examples/site-operator`.

pub mod cache;
pub mod discovery;
pub mod error;
pub mod events;
pub mod leader;
pub mod object;
pub mod queue;
pub mod reconcile;
pub mod resource;
pub mod selector;
pub mod transport;
pub mod watch;

#[cfg(test)]
mod scripted;

pub use cache::{Cache, Change, Index};
pub use error::{BoxError, Error};
pub use object::{Head, Key, Labels, Object, Owner, Partial, Time, Uid};
pub use queue::{Priority, Queue};
pub use reconcile::{After, Controller};
pub use resource::{Resource, Scope};
pub use selector::Selector;
pub use transport::{Client, Patch};
pub use watch::Extent;
