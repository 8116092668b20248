//! Shapes and what can be done with them: decode, prune, default, validate, protobuf, patches.
//!
//! One table per kind (a [`Shape`]) drives every use (design.md section 4). Built-ins bring it as
//! generated data, CRDs have it compiled from their structural schema; both take one path here.
//!
//! Invariant: pure. No I/O, no async, no globals, no clock; no input makes it panic.
//! Invariant: no kind is known by name, except the types of `meta/v1` that every object carries.
//!
//! Main types: [`Shape`] (a node of a finished [`Shapes`] arena), [`Kind`] and [`Behavior`].
//! Life of a body: [`decode`](decode()) or [`proto::read_object`] → [`default`](default()) →
//! [`validate`] → bytes; a patch ([`patch`]) changes the tree before, and it is decoded again.
//! A CRD's schema becomes a shape by [`structural::compile`] after [`structural::check`].
//!
//! Start reading at [`shape`], then [`kind`], then [`decode`](mod@decode).
//!
//! ```
//! use api::value;
//! use schema::{Shape, Unknown, decode, default, structural, validate::validate};
//!
//! let schema = value!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
//!     "size": {"type": "integer", "minimum": 1}, "mode": {"type": "string", "default": "fast"}
//! }}}});
//! // The server hands in the shape of `ObjectMeta`; here anything may stand there.
//! let shape = structural::compile(&schema, &Shape::any())?;
//! let mut object = value!({"spec": {"size": 0, "colour": "red"}});
//! let mut unknown = Unknown::collect();
//! decode(&shape, &mut object, &mut unknown)?;
//! default(&shape, &mut object);
//! assert_eq!(format!("{object:?}"), r#"{"spec": {"mode": "fast", "size": 0}}"#);
//! assert_eq!(unknown.paths(), ["spec.colour"]);
//! let errors = validate(&shape, &object, None);
//! assert_eq!(
//!     errors[0].to_string(),
//!     "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod action;
pub mod allot;
pub mod apply;
mod callers;
pub mod cel;
pub mod columns;
pub mod decode;
pub mod default;
pub mod fuzz;
pub mod kind;
pub mod offer;
pub mod openapi;
pub mod patch;
pub mod proto;
pub mod shape;
pub mod structural;
pub mod validate;
pub mod way;

pub use action::Action;
pub use allot::{Allot, Claim, Ledger, ResourceName};
pub use callers::webhook_client;
pub use decode::{
    DecodeError, Unknown, decode, decode_body, strict_errors, strict_errors_in_order,
};
pub use default::default;
pub use kind::{
    Asker, Behavior, Cell, Column, Conversion, Fold, Generation, Kind, KindVersion, Lifetime,
    Names, Occasion, Plain, ScalePaths, Scope, Selectable, Subresource, Traits, View,
};
pub use offer::{Credential, Leave, Offer};
pub use shape::{
    Field, Form, ListKind, Node, Omit, Others, Patch, Rules, Scalar, Shape, ShapeId, Shapes, Struct,
};
pub use way::Security;
