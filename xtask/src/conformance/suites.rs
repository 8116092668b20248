//! The suites of transcripts, each a folder under `conformance`.

use super::transcripts::Suite;
use super::upstream::Program;

/// What kubectl prints for each of its verbs.
pub const KUBECTL: Suite = Suite {
    name: "kubectl",
    programs: &[],
    modules: &[],
};

/// The unmodified sample-controller: Foos become Deployments, with status, Events and cascades.
pub const SAMPLE_CONTROLLER: Suite = Suite {
    name: "sample-controller",
    programs: &[Program::SampleController],
    modules: &[("SAMPLE_CONTROLLER", "k8s.io/sample-controller@v0.37.1")],
};

/// Real CRD bundles: all become Established and serve an object of each kind.
pub const CRDS: Suite = Suite {
    name: "crds",
    programs: &[],
    modules: &[
        ("GATEWAY_API", "sigs.k8s.io/gateway-api@v1.6.1"),
        (
            "PROMETHEUS_OPERATOR",
            "github.com/prometheus-operator/prometheus-operator@v0.93.0",
        ),
        ("CLUSTER_API", "sigs.k8s.io/cluster-api@v1.14.0"),
        (
            "CERT_MANAGER",
            "github.com/cert-manager/cert-manager@v1.21.1",
        ),
        ("ISTIO_API", "istio.io/api@v1.31.1"),
    ],
};
