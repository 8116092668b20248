//! Structural schemas: a CRD's `openAPIV3Schema` becomes a shape.
//!
//! [`check`] says what is wrong with a schema, as upstream says it when a CRD is written.
//! [`compile`] makes the shape of a sound one. Both read the tree of the CRD in its normal form.
//! Rules in CEL are checked and compiled by [`crate::cel::rules`].

mod check;
mod compile;
mod defaults;
pub mod shown;

pub(crate) use check::Expressions;
pub use check::{Before, CheckOptions, StatusDoor, check};
pub use compile::{CompileError, compile, compile_any};
