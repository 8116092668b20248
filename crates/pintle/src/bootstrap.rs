//! What every cluster begins with: namespaces, roles, flow control, priority classes.
//!
//! The objects come as values from the rooms that own them. [`plan`] says which are missing and is
//! pure, [`act`] asks the server for them like any client would, before the first client is told
//! that the server is ready. Started on an old directory it costs one list per resource.

mod act;
mod plan;

pub use act::{BootstrapError, ready_range, run};
pub use plan::{Kept, Seen, Stage, Wanted, plan, wanted};
