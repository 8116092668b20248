//! Webhooks and admission policies.
//!
//! Source: pkg/apis/admissionregistration/v1/defaults.go.

use super::{Given, Rule, Table};

const WEBHOOK: [Rule; 5] = [
    Rule::Set("failurePolicy", Given::Text("Fail")),
    Rule::Set("matchPolicy", Given::Text("Equivalent")),
    Rule::Set("namespaceSelector", Given::Empty),
    Rule::Set("objectSelector", Given::Empty),
    Rule::Set("timeoutSeconds", Given::Int(10)),
];

/// What stands in a `Rule`, which Go inlines into these types.
const SCOPE: [Rule; 1] = [Rule::Set("scope", Given::Text("*"))];

const FAIL: [Rule; 1] = [Rule::Set("failurePolicy", Given::Text("Fail"))];

pub(super) const TABLE: Table = &[
    ("admissionregistration.v1.ValidatingWebhook", &WEBHOOK),
    (
        "admissionregistration.v1.MutatingWebhook",
        &[
            WEBHOOK[0],
            WEBHOOK[1],
            WEBHOOK[2],
            WEBHOOK[3],
            WEBHOOK[4],
            Rule::Set("reinvocationPolicy", Given::Text("Never")),
        ],
    ),
    ("admissionregistration.v1.RuleWithOperations", &SCOPE),
    ("admissionregistration.v1.NamedRuleWithOperations", &SCOPE),
    (
        "admissionregistration.v1.ServiceReference",
        &[Rule::Set("port", Given::Int(443))],
    ),
    (
        "admissionregistration.v1.ValidatingAdmissionPolicySpec",
        &FAIL,
    ),
    (
        "admissionregistration.v1.MutatingAdmissionPolicySpec",
        &FAIL,
    ),
    (
        "admissionregistration.v1.MatchResources",
        &[WEBHOOK[1], WEBHOOK[2], WEBHOOK[3]],
    ),
];
