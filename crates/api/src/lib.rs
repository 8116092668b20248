//! The words: what every room that speaks Kubernetes says the same way.
//!
//! Here are the value tree and its codecs, the names of kinds and resources, `Status` and its
//! reasons, selectors, quantities and times, and the small views that read an object's metadata.
//!
//! Invariant: no I/O, no async, no clock, no HTTP type.
//! Invariant: nothing here knows a kind by its fields, metadata excepted.
//!
//! Start reading at [`value`], then [`names`] and [`status`].

pub mod continue_token;
pub mod field;
pub mod fuzz;
pub mod json;
pub mod media;
pub mod meta;
pub mod names;
pub mod quantity;
pub mod quote;
pub mod revision;
pub mod selector;
pub mod status;
pub mod time;
pub mod value;
pub mod yaml;

pub use meta::{Head, Meta};
pub use names::{GroupVersion, Gvk, Gvr, ObjectName};
pub use quantity::Quantity;
pub use revision::ResourceVersion;
pub use status::{Cause, Reason, Status};
pub use value::{Object, Text, Value};
