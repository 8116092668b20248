//! Deletes what lost its owners, and orders the deletion of owners and dependents.
//!
//! [`graph`] is the pure core: it is told what the watches say and answers who is to be looked at
//! and what is to be done. [`act`] asks the server where the graph cannot know and carries out.
//! [`monitor`] keeps a metadata watch on every resource that can be deleted, as discovery says.

pub mod act;
pub mod graph;
pub mod monitor;
