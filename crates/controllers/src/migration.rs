//! Rewrites every object of a resource in the version that is stored now, as a
//! `StorageVersionMigration` asks, and then takes the older versions off its definition.
//!
//! Of one resource one migration runs at a time, the oldest first. [`plan`] decides what comes next
//! and words the conditions, [`act`] does it. Where upstream has three controllers that hand a
//! migration on by its status, this is one; the status goes through the same states.
//!
//! Source: k8s.io/kubernetes, pkg/controller/storageversionmigrator.

pub mod act;
pub mod plan;

use kit::{Head, Resource, Scope, Time};
use serde::{Deserialize, Serialize};

use crate::claim::headed;

/// What is remembered of a migration.
#[derive(Debug, Deserialize)]
pub struct Migration {
    /// Metadata.
    pub metadata: Head,
    /// Wish.
    #[serde(default)]
    pub spec: Spec,
    /// State.
    #[serde(default)]
    pub status: Status,
}

/// The wish of a migration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spec {
    /// What is migrated.
    pub resource: Target,
}

/// A resource in whatever version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Target {
    /// Group; empty for the core group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Plural.
    pub resource: String,
}

/// The state of a migration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// How it goes.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "kit::object::null_as_default"
    )]
    pub conditions: Vec<Condition>,
    /// What is newer than this was written in the version that is stored now.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resource_version: String,
}

/// One condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Which state of the wish it was made for.
    #[serde(skip_serializing_if = "is_zero")]
    pub observed_generation: i64,
    /// When the status last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// One word.
    pub reason: String,
    /// A sentence.
    pub message: String,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde wants it by reference"
)]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl Migration {
    /// Returns the resource.
    #[must_use]
    pub fn resource() -> Resource {
        Resource::new(
            "storagemigration.k8s.io",
            "v1",
            "storageversionmigrations",
            "StorageVersionMigration",
            Scope::Cluster,
        )
    }
}

impl Target {
    /// Returns `PLURAL.GROUP`, which is also the name of a definition of it.
    #[must_use]
    pub fn qualified(&self) -> String {
        format!("{}.{}", self.resource, self.group)
    }
}

headed!(Migration);
