//! Server-side apply: who owns which field, and what becomes of an object when somebody applies.
//!
//! Words: a [`Set`] is a set of paths in an object; an [`Owners`] says for each [`Identity`] which set
//! it owns and in which version, and is `metadata.managedFields` written out. A write that is no
//! apply gives what it changes to its writer ([`Writer::track_update`]). An apply names fields: those
//! it names are its own, those it named before and nobody else owns are removed, and what others own
//! is a [`Conflict`] ([`Writer::apply`]).
//!
//! The same [`Shape`] that decodes an object says how it is merged: built-ins and custom resources
//! take one path. Walks go over two trees at once and keep only what differs, so that tracking a
//! write costs what the write changes.
//!
//! Behaviour is that of structured-merge-diff v6.4.2 and k8s.io/apimachinery v0.37.1; its cases are in
//! `tests/apply/`. Start reading at [`Writer`] in `track.rs`.

mod atom;
mod check;
mod compare;
mod conflict;
mod element;
mod fields;
mod managers;
mod merge;
mod reconcile;
mod scale;
mod set;
mod track;
mod update;

pub use check::{Duplicates, Refusal, check};
pub use compare::{Difference, compare};
pub use conflict::Conflict;
pub use element::{Element, ElementError};
pub use fields::fields;
pub use managers::{Identity, Operation, Owned, Owners, OwnersError, UPDATERS_MAX, is_reset};
pub use merge::{merge, remove};
pub use reconcile::reconcile;
pub use scale::{ReplicasPaths, to_parent, to_scale};
pub use set::{FieldsError, Set};
pub use track::{ApplyError, Writer, keep_times};
pub use update::{Force, OwnershipError, Task, Versions};

#[cfg(doc)]
use crate::Shape;
