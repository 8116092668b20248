//! Autoscalers. That version 1 wants 80 % of the CPU is part of its conversion.
//!
//! Source: pkg/apis/autoscaling/{v1,v2}/defaults.go.

use api::{Value, value};
use schema::Occasion;

use super::{Fields, Given, Rule, Table};

pub(super) const TABLE: Table = &[
    (
        "autoscaling.v1.HorizontalPodAutoscalerSpec",
        &[Rule::Set("minReplicas", Given::Int(1))],
    ),
    (
        "autoscaling.v2.HorizontalPodAutoscalerSpec",
        &[Rule::Set("minReplicas", Given::Int(1)), Rule::Call(metrics)],
    ),
    (
        "autoscaling.v2.HorizontalPodAutoscalerBehavior",
        &[
            Rule::Set("scaleUp", Given::Empty),
            Rule::Set("scaleDown", Given::Empty),
            Rule::Call(policies),
        ],
    ),
];

fn metrics(scaler: &mut Fields<'_>, _: Occasion<'_>) {
    if scaler.has_items("metrics") {
        return;
    }
    scaler.set(
        "metrics",
        value!([{
            "type": "Resource",
            "resource": {
                "name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": 80}
            }
        }]),
    );
}

fn policies(behavior: &mut Fields<'_>, _: Occasion<'_>) {
    let percent = || value!({"type": "Percent", "value": 100, "periodSeconds": 15});
    let pods = || value!({"type": "Pods", "value": 4, "periodSeconds": 15});
    if let Some(up) = behavior.get_mut("scaleUp") {
        fill(up, "stabilizationWindowSeconds", || Value::Int(0));
        fill(up, "selectPolicy", || "Max".into());
        fill(up, "policies", || vec![pods(), percent()].into());
    }
    if let Some(down) = behavior.get_mut("scaleDown") {
        fill(down, "selectPolicy", || "Max".into());
        fill(down, "policies", || vec![percent()].into());
    }
}

fn fill(rules: &mut Value, name: &str, value: impl FnOnce() -> Value) {
    let rules = rules.make_object();
    if !rules.contains(name) {
        rules.insert(name, value());
    }
}
