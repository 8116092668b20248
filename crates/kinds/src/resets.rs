//! Fields that nobody comes to own by a write through a door that does not reach them.
//!
//! Source of the facts: k8s.io/kubernetes v1.37.1, pkg/registry (`GetResetFields` of each strategy).

type Paths = &'static [&'static [&'static str]];

const METADATA_AND_SPEC: Paths = &[&["metadata"], &["spec"]];

/// Returns what is reset for a kind at a door, where that is not what holds of most kinds.
pub(crate) fn of(kind: &str, subresource: &str) -> Option<Paths> {
    match (kind, subresource) {
        ("CertificateSigningRequest", "") => Some(&[&["spec"], &["status"]]),
        ("CertificateSigningRequest", "status") => Some(&[&["spec"], &["status", "conditions"]]),
        ("CertificateSigningRequest", "approval") => Some(&[&["spec"], &["status", "certificate"]]),
        ("Namespace", "finalize") => Some(&[&["status"]]),
        ("Deployment", "status") => Some(&[&["spec"], &["metadata", "labels"]]),
        ("Pod", "status") => Some(&[
            &["spec"],
            &["metadata", "deletionTimestamp"],
            &["metadata", "ownerReferences"],
        ]),
        (
            "DeviceTaintRule"
            | "FlowSchema"
            | "PodCertificateRequest"
            | "PriorityLevelConfiguration"
            | "ResourceClaim"
            | "ServiceCIDR"
            | "StorageVersionMigration"
            | "ValidatingAdmissionPolicy"
            | "VolumeAttachment",
            "status",
        ) => Some(METADATA_AND_SPEC),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn only_exceptions_are_listed() {
        assert_eq!(of("ConfigMap", ""), None);
        assert_eq!(of("ReplicaSet", "status"), None);
        assert_eq!(of("FlowSchema", "status").map(<[_]>::len), Some(2));
        assert_eq!(of("Pod", "status").map(<[_]>::len), Some(3));
    }
}
