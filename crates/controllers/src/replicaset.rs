//! Keeps as many pods as a replica set asks for.
//!
//! [`plan`] decides, [`act`] carries out. No expectations are kept: a round that created or deleted
//! pods ends only when the pod cache has seen it, so the next round reads its own writes.

pub mod act;
pub mod plan;

use kit::{Head, Resource, Scope, Selector};
use serde::{Deserialize, Serialize, de};
use serde_json::value::RawValue;

use crate::{claim::headed, condition::Condition, template::Template};

/// What controllers remember of a replica set.
#[derive(Debug)]
pub struct ReplicaSet {
    /// Metadata.
    pub metadata: Head,
    /// Wanted number of pods.
    pub replicas: i32,
    /// How long a pod must be ready before it counts as available.
    pub min_ready_secs: i32,
    /// Which pods are meant.
    pub selector: Selector,
    /// What the pods are made from.
    pub template: Template,
    /// What was last written about it.
    pub status: Status,
}

/// The status of a replica set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// Number of pods.
    pub replicas: i32,
    /// Number of pods with all labels of the template.
    #[serde(skip_serializing_if = "is_zero")]
    pub fully_labeled_replicas: i32,
    /// Number of ready pods.
    #[serde(skip_serializing_if = "is_zero")]
    pub ready_replicas: i32,
    /// Number of available pods.
    #[serde(skip_serializing_if = "is_zero")]
    pub available_replicas: i32,
    /// Number of pods that leave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminating_replicas: Option<i32>,
    /// Generation this status speaks of.
    #[serde(skip_serializing_if = "is_zero_long")]
    pub observed_generation: i64,
    /// Conditions.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "kit::object::null_as_default"
    )]
    pub conditions: Vec<Condition>,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
pub(crate) fn is_zero(number: &i32) -> bool {
    *number == 0
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
pub(crate) fn is_zero_long(number: &i64) -> bool {
    *number == 0
}

impl ReplicaSet {
    /// Returns the resource.
    #[must_use]
    pub fn resource() -> Resource {
        Resource::new("apps", "v1", "replicasets", "ReplicaSet", Scope::Namespaced)
    }
}

headed!(ReplicaSet);

impl<'de> Deserialize<'de> for ReplicaSet {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Raw {
            metadata: Head,
            #[serde(default)]
            spec: RawSpec,
            #[serde(default)]
            status: Status,
        }
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct RawSpec {
            replicas: Option<i32>,
            min_ready_seconds: i32,
            selector: Selector,
            template: Option<Box<RawValue>>,
        }
        let raw = Raw::deserialize(deserializer)?;
        let template = raw.spec.template.unwrap_or_else(empty);
        let mut template = Template::read(template).map_err(de::Error::custom)?;
        let replicas = raw.spec.replicas.unwrap_or(1);
        // The many old replica sets of a deployment make no pods, so their templates' texts are
        // not kept; the change that gives one replicas again brings its text along.
        if replicas == 0 {
            template.raw = None;
        }
        Ok(Self {
            metadata: raw.metadata,
            replicas,
            min_ready_secs: raw.spec.min_ready_seconds,
            selector: raw.spec.selector,
            template,
            status: raw.status,
        })
    }
}

pub(crate) fn empty() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("an empty object is JSON")
}
