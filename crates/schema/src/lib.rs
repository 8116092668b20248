//! Shapes and what can be done with them: decode, prune, default, validate, protobuf, patches.
//!
//! One table per kind (a [`Shape`]) drives every use (design.md section 4). Built-ins bring it as
//! generated data, CRDs have it compiled from their structural schema; both take one path here.
//!
//! Invariant: pure. No I/O, no async, no globals, no clock; no input makes it panic.
//! Invariant: no kind is known by name, except the types of `meta/v1` that every object carries.
//!
//! Start reading at [`shape`], then [`kind`].

pub mod columns;
pub mod decode;
pub mod default;
pub mod fuzz;
pub mod kind;
pub mod openapi;
pub mod patch;
pub mod proto;
pub mod shape;
pub mod structural;
pub mod validate;

pub use decode::{DecodeError, Unknown, decode, strict_errors};
pub use default::default;
pub use kind::{
    Behavior, Cell, Column, Conversion, Fold, Generation, Kind, KindVersion, Names, Occasion,
    Plain, ScalePaths, Scope, Selectable, Subresource, Traits, View,
};
pub use shape::{
    Field, Form, ListKind, Node, Omit, Others, Patch, Rules, Scalar, Shape, ShapeId, Shapes, Struct,
};
