//! Structural schemas: a CRD's `openAPIV3Schema` becomes a shape.
//!
//! [`check`] says what is wrong with a schema, as upstream says it when a CRD is written.
//! [`compile`] makes the shape of a sound one. Both read the tree of the CRD in its normal form.
//! Rules in CEL are kept as they are; checking them belongs to the issue on custom resources.

mod check;
mod compile;
mod defaults;

pub use check::{CheckOptions, check};
pub use compile::{CompileError, compile, compile_any};
