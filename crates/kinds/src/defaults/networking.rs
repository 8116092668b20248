//! Network policies and ingress classes.
//!
//! Source: pkg/apis/networking/v1/defaults.go.

use api::Value;
use schema::Occasion;

use super::{Fields, Given, Rule, Table};

pub(super) const TABLE: Table = &[
    (
        "networking.v1.NetworkPolicyPort",
        &[Rule::Set("protocol", Given::Text("TCP"))],
    ),
    ("networking.v1.NetworkPolicySpec", &[Rule::Call(policy)]),
    (
        "networking.v1.IngressClassParametersReference",
        &[Rule::Set("scope", Given::Text("Cluster"))],
    ),
];

/// A policy that does not say what it is about is about what comes in, and about what goes out if
/// it has rules for that.
fn policy(spec: &mut Fields<'_>, _: Occasion<'_>) {
    if spec.has_items("policyTypes") {
        return;
    }
    let mut types: Vec<Value> = vec!["Ingress".into()];
    if spec.has_items("egress") {
        types.push("Egress".into());
    }
    spec.set("policyTypes", types.into());
}
