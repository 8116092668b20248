//! Empties a namespace that is being deleted, pods first, and then lets it go.
//!
//! [`plan`] decides and words the conditions, [`act`] deletes.

pub mod act;
pub mod plan;

use kit::{Head, Resource, Scope};
use serde::{Deserialize, Serialize};

use crate::{claim::headed, condition::Condition};

/// What controllers remember of a namespace.
#[derive(Debug, Deserialize)]
pub struct Namespace {
    /// Metadata.
    pub metadata: Head,
    /// Wish.
    #[serde(default)]
    pub spec: Spec,
    /// State.
    #[serde(default)]
    pub status: Status,
}

/// The wish of a namespace.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Spec {
    /// Who must be done before it goes.
    #[serde(deserialize_with = "kit::object::null_as_default")]
    pub finalizers: Vec<String>,
}

/// The state of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// `Active` or `Terminating`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub phase: String,
    /// How its deletion goes.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "kit::object::null_as_default"
    )]
    pub conditions: Vec<Condition>,
}

impl Namespace {
    /// Returns the resource.
    #[must_use]
    pub fn resource() -> Resource {
        Resource::new("", "v1", "namespaces", "Namespace", Scope::Cluster)
    }
}

headed!(Namespace);
