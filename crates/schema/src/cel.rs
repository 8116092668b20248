//! The Common Expression Language, as Kubernetes speaks it.
//!
//! Life of an expression: [`parse`](mod@parse) reads it and expands its macros, `check` finds the
//! type of every node against declarations made of a shape ([`declared`]), `estimate` says what it
//! costs at most, `plan` makes a [`Program`] of it, which borrows from the object while it runs and
//! counts what it costs. [`rules`] are the expressions of a schema, compiled together.
//!
//! Invariant: pure. Whatever an expression asks of the world (an authorizer) is handed in.
//! Invariant: nothing an expression or an object says makes it panic or run on: nesting, size and
//! cost are bounded, patterns take linear time.
//!
//! Words and numbers are upstream's (cel-go 0.29, k8s.io/apiserver pkg/cel), because what is
//! accepted and what is refused as too expensive depends on them.

pub mod ast;
mod charge;
mod check;
mod declare;
pub mod declared;
mod escape;
mod estimate;
mod expression;
pub mod extension;
pub mod issue;
mod kind;
mod lex;
mod library;
mod literals;
mod macros;
pub mod parse;
mod plan;
mod program;
pub mod rules;
mod run;
mod time;
pub mod value;

pub use check::Env;
pub use declare::Version;
pub use escape::{escape, unescape};
pub use estimate::Range;
pub use expression::Expression;
pub(crate) use expression::written;
pub use issue::Issues;
pub use kind::Type;
pub use parse::{Dialect, parse};
pub use program::{CompileError, Program, Run};
pub use time::Time;
pub use value::Val;
