//! Workloads that keep pods running.
//!
//! Source: pkg/apis/apps/v1/defaults.go and conversion.go.

use api::Value;
use schema::Occasion;

use super::{Fields, Given, Rule, Table, items};

const ROLLING: &str = "RollingUpdate";

pub(super) const TABLE: Table = &[
    (
        "apps.v1.DeploymentSpec",
        &[
            Rule::Set("replicas", Given::Int(1)),
            Rule::Set("revisionHistoryLimit", Given::Int(10)),
            Rule::Set("progressDeadlineSeconds", Given::Int(600)),
        ],
    ),
    (
        "apps.v1.DeploymentStrategy",
        &[
            Rule::Set("type", Given::Text(ROLLING)),
            Rule::Call(deployment_strategy),
        ],
    ),
    (
        "apps.v1.DaemonSetSpec",
        &[Rule::Set("revisionHistoryLimit", Given::Int(10))],
    ),
    (
        "apps.v1.DaemonSetUpdateStrategy",
        &[
            Rule::Set("type", Given::Text(ROLLING)),
            Rule::Call(daemon_set_strategy),
        ],
    ),
    (
        "apps.v1.StatefulSetSpec",
        &[
            Rule::Set("podManagementPolicy", Given::Text("OrderedReady")),
            Rule::Set("persistentVolumeClaimRetentionPolicy", Given::Empty),
            Rule::Set("replicas", Given::Int(1)),
            Rule::Set("revisionHistoryLimit", Given::Int(10)),
            Rule::Call(name_claims),
        ],
    ),
    (
        "apps.v1.StatefulSetUpdateStrategy",
        &[Rule::Call(stateful_set_strategy)],
    ),
    (
        "apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy",
        &[
            Rule::Set("whenDeleted", Given::Text("Retain")),
            Rule::Set("whenScaled", Given::Text("Retain")),
        ],
    ),
    (
        "apps.v1.ReplicaSetSpec",
        &[Rule::Set("replicas", Given::Int(1))],
    ),
];

fn deployment_strategy(strategy: &mut Fields<'_>, _: Occasion<'_>) {
    rolling(
        strategy,
        &[
            ("maxUnavailable", Given::Text("25%")),
            ("maxSurge", Given::Text("25%")),
        ],
    );
}

fn daemon_set_strategy(strategy: &mut Fields<'_>, _: Occasion<'_>) {
    rolling(
        strategy,
        &[
            ("maxUnavailable", Given::Int(1)),
            ("maxSurge", Given::Int(0)),
        ],
    );
}

/// A stateful set whose strategy is named, but not how it rolls, keeps it unsaid.
fn stateful_set_strategy(strategy: &mut Fields<'_>, _: Occasion<'_>) {
    let is_unnamed = strategy.text("type").is_empty();
    strategy.fill("type", Given::Text(ROLLING));
    if is_unnamed || strategy.get("rollingUpdate").is_some() {
        rolling(
            strategy,
            &[
                ("partition", Given::Int(0)),
                ("maxUnavailable", Given::Int(1)),
            ],
        );
    }
}

/// Says how a strategy of rolling updates rolls. All of these are pointers in Go, so that what is
/// there was given.
fn rolling(strategy: &mut Fields<'_>, given: &[(&str, Given)]) {
    if strategy.text("type") != ROLLING {
        return;
    }
    if strategy.get("rollingUpdate").is_none() {
        strategy.set("rollingUpdate", Value::object());
    }
    let Some(rolling) = strategy.get_mut("rollingUpdate") else {
        return;
    };
    let rolling = rolling.make_object();
    for (name, given) in given {
        if !rolling.contains(name) {
            rolling.insert(name, given.value());
        }
    }
}

/// Claims in a stateful set say what they are, as upstream's conversion makes them.
fn name_claims(set: &mut Fields<'_>, _: Occasion<'_>) {
    for claim in items(set.get_mut("volumeClaimTemplates")) {
        claim.set_at(&["kind"], "PersistentVolumeClaim".into());
        claim.set_at(&["apiVersion"], "v1".into());
    }
}
