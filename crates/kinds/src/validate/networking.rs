//! What is wrong with the objects of networking.k8s.io.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/networking/validation/validation.go and the `+k8s:`
//! rules of networking/v1, which come last; pkg/registry/networking/*/strategy.go.

mod ingresses;
mod policies;
mod ranges;

use super::Check;

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    match (kind, door) {
        ("Ingress", "") => Some(ingresses::ingress),
        ("Ingress", "status") => Some(ingresses::status),
        ("IngressClass", "") => Some(ingresses::class),
        ("NetworkPolicy", "") => Some(policies::policy),
        ("IPAddress", "") => Some(ranges::address),
        ("ServiceCIDR", "") => Some(ranges::range),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::validate::check_table;

    #[track_caller]
    fn check(kind: &str, object: &str, old: Option<&str>, expected: &[&str]) {
        check_table(("networking.k8s.io", kind, ""), object, old, expected);
    }

    #[test]
    fn ingresses_lead_somewhere() {
        check(
            "Ingress",
            r#"{"spec":{"defaultBackend":{"service":{"name":"s","port":{"number":1}}}}}"#,
            None,
            &[],
        );
        check(
            "Ingress",
            r#"{"spec":{"rules":[{"host":"1.2.3.4","http":{"paths":[{"pathType":"Exact","path":"a//b","backend":{}},{}]}}]}}"#,
            None,
            &[
                r#"spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address"#,
                r#"spec.rules[0].http.paths[0].path: Invalid value: "a//b": must be an absolute path"#,
                r#"spec.rules[0].http.paths[0].path: Invalid value: "a//b": must not contain '//'"#,
                r#"spec.rules[0].http.paths[0].backend: Invalid value: "": resource or service backend is required"#,
                "spec.rules[0].http.paths[1].pathType: Required value: pathType must be specified",
            ],
        );
    }

    #[test]
    fn policies_name_peers() {
        check(
            "NetworkPolicy",
            r#"{"spec":{"ingress":[{"from":[{},{"ipBlock":{"cidr":""}},{"ipBlock":{"cidr":"10.0.0.0/8","except":["11.0.0.0/16"]}}]}]}}"#,
            None,
            &[
                "spec.ingress[0].from[0]: Required value: must specify a peer",
                r#"spec.ingress[0].from[2].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`"#,
                "spec.ingress[0].from[1].ipBlock.cidr: Required value",
            ],
        );
    }

    #[test]
    fn classes_keep_their_controller() {
        check(
            "IngressClass",
            r#"{"spec":{"controller":"a.b/c","parameters":{"kind":"","name":"n","scope":"Cluster"}}}"#,
            Some(r#"{"spec":{"controller":"a.b/d"}}"#),
            &[
                r#"spec.controller: Invalid value: "a.b/c": field is immutable"#,
                "spec.parameters.kind: Required value",
            ],
        );
    }

    #[test]
    fn ranges_may_get_a_second_family() {
        let range = |cidrs: &str| format!(r#"{{"spec":{{"cidrs":{cidrs}}}}}"#);
        let one = range(r#"["10.0.0.0/24"]"#);
        check(
            "ServiceCIDR",
            &range(r#"["10.0.0.0/24","fd00::/64"]"#),
            Some(&one),
            &[],
        );
        check(
            "ServiceCIDR",
            &range(r#"["10.0.1.0/24"]"#),
            Some(&one),
            &[r#"spec.cidrs[0]: Invalid value: "10.0.1.0/24": field is immutable"#],
        );
        check(
            "IPAddress",
            r#"{"metadata":{"name":"10.0.0.1"},"spec":{}}"#,
            None,
            &["spec.parentRef: Required value"],
        );
    }
}
