//! What is wrong with objects of the core group, except pods and what makes them.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation and pkg/registry/core/*/strategy.go.

mod claims;
mod contents;
mod endpoints;
mod namespaces;
mod nodes;
mod quotas;
mod services;
mod sources;
mod volumes;

pub(super) use claims::{Rules as ClaimRules, spec as claim_spec};
pub(crate) use contents::decoded;
pub(super) use services::{PROTOCOLS, entry as balancer_entry, hostname as balancer_hostname};

use super::Check;

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    match (kind, door) {
        ("Service", "") => Some(services::service),
        ("Service", "status") => Some(services::status),
        ("Endpoints", "") => Some(endpoints::endpoints),
        ("Namespace", "") => Some(namespaces::namespace),
        ("Namespace", "status") => Some(namespaces::status),
        ("Namespace", "finalize") => Some(namespaces::finalize),
        ("Node", "") => Some(nodes::node),
        ("Node", "status") => Some(nodes::changed),
        ("PersistentVolume", "") => Some(volumes::volume),
        ("PersistentVolumeClaim", "") => Some(claims::claim),
        ("PersistentVolumeClaim", "status") => Some(claims::status),
        ("ConfigMap", "") => Some(contents::config_map),
        ("Secret", "") => Some(contents::secret),
        ("LimitRange", "") => Some(quotas::limits),
        ("ResourceQuota", "") => Some(quotas::quota),
        ("ResourceQuota", "status") => Some(quotas::status),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
