//! What names objects of the built-in kinds may have.
//!
//! Source: k8s.io/kubernetes v1.37.1, the functions given to `ValidateObjectMeta` in
//! pkg/apis/*/validation.

use api::names::validate::NameRule;

/// Returns the rule of a kind.
pub(crate) fn rule(group: &str, kind: &str) -> NameRule {
    match (group, kind) {
        ("", "Namespace" | "Service") | ("apps", "StatefulSet") => NameRule::Label,
        // These have no rule of their own, or one that speaks of more than letters.
        ("", "Event")
        | ("apiextensions.k8s.io", "CustomResourceDefinition")
        | ("apiregistration.k8s.io", "APIService")
        | ("certificates.k8s.io", "CertificateSigningRequest" | "ClusterTrustBundle")
        | ("networking.k8s.io", "IPAddress")
        | ("policy", "PodDisruptionBudget")
        | ("rbac.authorization.k8s.io", _) => NameRule::PathSegment,
        _ => NameRule::Subdomain,
    }
}

#[cfg(test)]
mod tests {
    use super::rule;

    fn check(group: &str, kind: &str, name: &str, expected: &[&str]) {
        assert_eq!(rule(group, kind).check(name), expected, "{kind} {name}");
    }

    const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

    #[test]
    fn names_follow_their_kind() {
        check("", "ConfigMap", "a.b", &[]);
        check("", "ConfigMap", "A", &[SUBDOMAIN]);
        check("", "Service", "1-door", &[]);
        check("", "Namespace", "a", &[]);
        check("rbac.authorization.k8s.io", "Role", "system:A", &[]);
        check("", "Event", "Any.1", &[]);
        check("certificates.k8s.io", "ClusterTrustBundle", "a.b:c:d", &[]);
    }

    #[test]
    fn labels_have_no_dots() {
        for (group, kind) in [("", "Namespace"), ("", "Service"), ("apps", "StatefulSet")] {
            assert_eq!(rule(group, kind).check("a.b").len(), 1, "{kind}");
        }
    }
}
