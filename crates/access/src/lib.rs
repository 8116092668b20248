//! Who are you, may you, and on what terms.
//!
//! Three questions, asked of every request in this order:
//! - [`identify`]: credentials to a [`User`]. *Who are you?*
//! - [`allow`]: attributes to a decision, by RBAC. *May you?*
//! - [`admit`]: the rules that change or refuse what is written. *On what terms?*
//!
//! What they must know of the cluster comes through [`World`], which is handed in; it is compiled
//! into indexes when it changes, and nothing is decoded while a request waits.
//!
//! The audit policy will live here too (`audit`, issue 4).
//!
//! Invariant: the store is unknown here; what is read comes through [`World`].
//! Invariant: no file and no environment is read; keys, tokens and bundles come as text.
//! Invariant: no clock and no chance but those that come as arguments (a signature's own chance,
//! which only its key sees, excepted).
//!
//! Start reading at [`world`], then [`identify`], [`allow`] and [`admit`].

pub mod admit;
pub mod allow;
pub mod bootstrap;
pub mod identify;
pub mod reviews;
pub mod user;
pub mod world;

pub use admit::Admit;
pub use allow::{Allow, Attributes, Decision, Mode};
pub use identify::{Credentials, Identified, Identify};
pub use user::User;
pub use world::{Resource, World};
