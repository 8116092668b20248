//! What controllers remember of a pod: a few words instead of a few kilobytes.

use kit::{Head, Labels, Resource, Scope, Time};
use serde::Deserialize;

use crate::claim::headed;

/// What a pod says of its place and health.
#[derive(Debug, Deserialize)]
#[serde(from = "Raw")]
pub struct Pod {
    /// Metadata without annotations.
    pub metadata: Head,
    /// Node it is bound to; empty before.
    pub node: Box<str>,
    /// Phase.
    pub phase: Phase,
    /// Since when it is ready, if it is.
    pub ready: Option<Ready>,
    /// Most restarts of one ordinary container, and of one sidecar.
    pub restarts: (i32, i32),
    /// How dear it is, by the annotation `controller.kubernetes.io/pod-deletion-cost`.
    pub deletion_cost: i32,
}

/// That a pod is ready, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Time of the transition; a status without it is odd but possible.
    pub since: Option<Time>,
}

/// Phase of a pod, in the order in which pods are given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(from = "Box<str>")]
pub enum Phase {
    /// Not all containers have started.
    #[default]
    Pending,
    /// Not known.
    Unknown,
    /// Containers run.
    Running,
    /// All containers have ended well.
    Succeeded,
    /// A container has failed for good.
    Failed,
}

impl From<Box<str>> for Phase {
    fn from(text: Box<str>) -> Self {
        match &*text {
            "" | "Pending" => Self::Pending,
            "Running" => Self::Running,
            "Succeeded" => Self::Succeeded,
            "Failed" => Self::Failed,
            _ => Self::Unknown,
        }
    }
}

impl Pod {
    /// Returns the resource.
    #[must_use]
    pub fn resource() -> Resource {
        Resource::new("", "v1", "pods", "Pod", Scope::Namespaced)
    }

    /// Returns whether it has ended by itself.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Succeeded | Phase::Failed)
    }

    /// Returns whether it counts as a replica.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !self.is_over() && !self.metadata.is_leaving()
    }

    /// Returns when it will have been ready for so long; `None` if it is not ready or has no time.
    #[must_use]
    pub fn available_at(&self, min_ready_secs: i32) -> Option<Time> {
        let ready = self.ready?;
        if min_ready_secs == 0 {
            return Some(ready.since.unwrap_or_default());
        }
        Some(Time {
            secs: ready.since?.secs + i64::from(min_ready_secs),
        })
    }
}

headed!(Pod);

#[derive(Deserialize)]
struct Raw {
    metadata: Head,
    #[serde(default)]
    spec: RawSpec,
    #[serde(default)]
    status: RawStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawSpec {
    node_name: Box<str>,
    #[serde(deserialize_with = "kit::object::null_as_default")]
    init_containers: Vec<RawContainer>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawContainer {
    name: Box<str>,
    restart_policy: Option<Box<str>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawStatus {
    phase: Option<Phase>,
    #[serde(deserialize_with = "kit::object::null_as_default")]
    conditions: Vec<RawCondition>,
    #[serde(deserialize_with = "kit::object::null_as_default")]
    container_statuses: Vec<RawContainerStatus>,
    #[serde(deserialize_with = "kit::object::null_as_default")]
    init_container_statuses: Vec<RawContainerStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawCondition {
    #[serde(rename = "type")]
    kind: Box<str>,
    status: Box<str>,
    #[serde(default)]
    last_transition_time: Option<Time>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawContainerStatus {
    name: Box<str>,
    restart_count: i32,
}

impl From<Raw> for Pod {
    fn from(raw: Raw) -> Self {
        let Raw {
            mut metadata,
            spec,
            status,
        } = raw;
        let cost = metadata
            .annotations
            .get("controller.kubernetes.io/pod-deletion-cost");
        // Upstream accepts what Go prints for an int32: no plus sign, no leading zeros.
        let deletion_cost = cost
            .and_then(|text| text.parse::<i32>().ok().filter(|n| n.to_string() == text))
            .unwrap_or(0);
        metadata.annotations = Labels::default();
        let ready = status
            .conditions
            .iter()
            .find(|condition| &*condition.kind == "Ready" && &*condition.status == "True");
        let sidecars = status.init_container_statuses.iter().filter(|status| {
            spec.init_containers.iter().any(|container| {
                container.name == status.name
                    && container.restart_policy.as_deref() == Some("Always")
            })
        });
        let restarts = status.container_statuses.iter();
        Self {
            ready: ready.map(|condition| Ready {
                since: condition.last_transition_time,
            }),
            restarts: (
                restarts
                    .map(|status| status.restart_count)
                    .max()
                    .unwrap_or(0),
                sidecars
                    .map(|status| status.restart_count)
                    .max()
                    .unwrap_or(0),
            ),
            node: spec.node_name,
            phase: status.phase.unwrap_or_default(),
            metadata,
            deletion_cost,
        }
    }
}

#[cfg(test)]
mod tests {
    use kit::Time;

    use super::{Phase, Pod};

    #[test]
    fn keeps_what_ranks_and_counts() {
        let pod: Pod = serde_json::from_str(
            r#"{"metadata":{"name":"a","annotations":{"controller.kubernetes.io/pod-deletion-cost":"-7","x":"y"}},
                "spec":{"nodeName":"n1","containers":[{"name":"c"}],
                    "initContainers":[{"name":"i"},{"name":"s","restartPolicy":"Always"}]},
                "status":{"phase":"Running","conditions":[
                    {"type":"Ready","status":"True","lastTransitionTime":"1970-01-01T00:01:00Z"}],
                    "containerStatuses":[{"name":"c","restartCount":2},{"name":"d","restartCount":5}],
                    "initContainerStatuses":[{"name":"i","restartCount":9},{"name":"s","restartCount":3}]}}"#,
        )
        .unwrap();
        assert_eq!(
            (&*pod.node, pod.phase, pod.deletion_cost),
            ("n1", Phase::Running, -7)
        );
        assert_eq!(pod.restarts, (5, 3));
        assert_eq!(pod.available_at(30), Some(Time { secs: 90 }));
        assert!(pod.is_active() && pod.metadata.annotations.is_empty());
    }

    #[test]
    fn a_bare_pod_is_pending() {
        let pod: Pod = serde_json::from_str(
            r#"{"metadata":{"annotations":{"controller.kubernetes.io/pod-deletion-cost":"+7"}},
                "status":{"phase":"Odd"}}"#,
        )
        .unwrap();
        assert_eq!((pod.phase, pod.deletion_cost), (Phase::Unknown, 0));
        let pod: Pod = serde_json::from_str(r#"{"metadata":{}}"#).unwrap();
        assert_eq!((pod.phase, pod.available_at(0)), (Phase::Pending, None));
    }
}
