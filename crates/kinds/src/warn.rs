//! What a client should know of an object that is right, but odd or old-fashioned.
//!
//! Warnings are texts that clients show to people; they go along with the answer.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/api/*/warnings.go and
//! `WarningsOnCreate` and `WarningsOnUpdate` in pkg/registry/*/*/strategy.go.

mod addresses;
mod admission;
mod core_group;
mod networking;
mod node;
mod paths;
mod pods;
mod resource;
mod storage;
mod workloads;

use std::fmt;

use crate::validate::{Place, Subject};

/// Looks over one object.
pub(crate) type Warn = fn(&Subject<'_>, &mut Warnings);

/// Warnings in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    texts: Vec<String>,
}

impl Warnings {
    /// Adds a warning about a field.
    pub(crate) fn at(&mut self, place: &Place<'_>, why: impl fmt::Display) {
        self.push(format!("{}: {why}", place.path()));
    }

    /// Adds a warning.
    pub(crate) fn push(&mut self, text: String) {
        self.texts.push(text);
    }

    /// Returns the texts.
    pub(crate) fn into_texts(self) -> Vec<String> {
        self.texts
    }
}

/// Returns what looks over a kind behind a door.
pub(crate) fn of(group: &str, kind: &str, door: &str) -> Option<Warn> {
    Some(match (group, kind, door) {
        ("", "Pod", "") => pods::pod,
        ("", "Pod", "status") => pods::addresses,
        ("", "PodTemplate", "") => workloads::pod_template,
        ("", "ReplicationController", "") => workloads::controller,
        ("apps", "Deployment" | "ReplicaSet", "") => workloads::named,
        ("apps", "DaemonSet", "") => workloads::templated,
        ("apps", "StatefulSet", "") => workloads::stateful_set,
        ("batch", "Job", "") => workloads::job,
        ("batch", "CronJob", "") => workloads::cron_job,
        ("", "Service", "") => core_group::service,
        ("", "Service", "status") | ("networking.k8s.io", "Ingress", "status") => {
            core_group::balancer
        }
        ("", "Endpoints", "") => core_group::endpoints,
        ("", "Node", "") => core_group::node,
        ("", "PersistentVolume", "") => core_group::volume,
        ("", "PersistentVolumeClaim", "") => core_group::claim,
        ("", "ResourceQuota", "") => core_group::quota,
        ("", "Secret", "") => core_group::secret,
        ("", "ServiceAccount", "") => core_group::account,
        ("networking.k8s.io", "Ingress", "") => networking::ingress,
        ("networking.k8s.io", "NetworkPolicy", "") => networking::policy,
        ("discovery.k8s.io", "EndpointSlice", "") => networking::slice,
        ("node.k8s.io", "RuntimeClass", "") => node::runtime_class,
        ("storage.k8s.io", "StorageClass", "") => storage::class,
        ("storage.k8s.io", "CSIDriver", "") => storage::driver,
        ("storage.k8s.io", "CSIStorageCapacity", "") => storage::capacity,
        ("resource.k8s.io", "ResourceSlice", "") => resource::slice,
        (
            "admissionregistration.k8s.io",
            "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration",
            "",
        ) => admission::webhooks,
        ("admissionregistration.k8s.io", _, "") => admission::name,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
