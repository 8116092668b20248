//! Custom resource definitions and extension servers.
//!
//! Source: k8s.io/apiextensions-apiserver and k8s.io/kube-aggregator v0.37.1, pkg/apis/*/v1/defaults.go.

use api::{Value, value};
use schema::Occasion;

use super::{Fields, Given, Rule, Table};

const HTTPS: [Rule; 1] = [Rule::Set("port", Given::Int(443))];

pub(super) const TABLE: Table = &[
    (
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
        &[Rule::Call(stored_version)],
    ),
    (
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionSpec",
        &[Rule::Call(conversion)],
    ),
    (
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionNames",
        &[Rule::Call(names)],
    ),
    (
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ServiceReference",
        &HTTPS,
    ),
    (
        "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.ServiceReference",
        &HTTPS,
    ),
];

fn conversion(spec: &mut Fields<'_>, _: Occasion<'_>) {
    if spec.get("conversion").is_none() {
        spec.set("conversion", value!({"strategy": "None"}));
    }
}

fn names(names: &mut Fields<'_>, _: Occasion<'_>) {
    let kind = names.text("kind");
    if kind.is_empty() {
        return;
    }
    let (singular, list) = (kind.to_lowercase(), format!("{kind}List"));
    if names.text("singular").is_empty() {
        names.set("singular", Value::string(singular));
    }
    if names.text("listKind").is_empty() {
        names.set("listKind", Value::string(list));
    }
}

/// The version that is stored is one that was stored.
fn stored_version(definition: &mut Fields<'_>, _: Occasion<'_>) {
    let versions = definition.get("spec").and_then(|spec| spec.get("versions"));
    let versions = versions.and_then(Value::as_array).unwrap_or_default();
    let stored = versions
        .iter()
        .find(|version| version.get("storage") == Some(&Value::Bool(true)));
    let Some(name) = stored.and_then(|version| version.get("name")).cloned() else {
        return;
    };
    let Some(status) = definition.get_mut("status") else {
        return;
    };
    let known = status.get("storedVersions").and_then(Value::as_array);
    if known.is_none_or(<[Value]>::is_empty) {
        status.set_at(&["storedVersions"], vec![name].into());
    }
}
