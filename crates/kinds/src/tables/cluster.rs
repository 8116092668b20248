//! The groups with a few kinds each: access, leases, priorities, budgets, devices, migrations.

use api::Value;
use schema::Cell;

use super::{Cells, NONE, Row, plain, text, text_or};

pub(super) fn of(kind: &str) -> Option<Cells> {
    Some(match kind {
        "ClusterRole" => plain,
        "ClusterRoleBinding" => role_binding,
        "DeviceClass" => name_and_age,
        "DeviceTaintRule" => taint,
        "FlowSchema" => flow_schema,
        "Lease" => lease,
        "PodDisruptionBudget" => budget,
        "PriorityClass" => priority_class,
        "PriorityLevelConfiguration" => priority_level,
        "ResourceClaim" => claim,
        "ResourceClaimTemplate" => name_and_age,
        "ResourceSlice" => slice,
        "Role" => plain,
        "RoleBinding" => role_binding,
        "RuntimeClass" => runtime_class,
        "StorageVersionMigration" => migration,
        _ => return None,
    })
}

fn name_and_age(row: Row<'_>) -> Vec<Cell> {
    vec![row.name(), row.age()]
}

fn role_binding(row: Row<'_>) -> Vec<Cell> {
    let (kind, name) = (
        row.text(&["roleRef", "kind"]),
        row.text(&["roleRef", "name"]),
    );
    let subjects = |kind: &str| {
        let found = row
            .items(&["subjects"])
            .filter(|subject| subject.text(&["kind"]) == kind);
        let found: Vec<String> = found
            .map(|subject| match kind {
                "ServiceAccount" => {
                    format!(
                        "{}/{}",
                        subject.text(&["namespace"]),
                        subject.text(&["name"])
                    )
                }
                _ => subject.text(&["name"]).to_owned(),
            })
            .collect();
        text(found.join(", "))
    };
    vec![
        row.name(),
        text(format!("{kind}/{name}")),
        row.age(),
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}

fn taint(row: Row<'_>) -> Vec<Cell> {
    let taint = |field: &str| row.text(&["spec", "taint", field]);
    let added = row.at(&["spec", "taint", "timeAdded"]);
    let added = added.map_or_else(String::new, |added| added.since(&[]));
    vec![
        row.name(),
        taint("key").into(),
        taint("value").into(),
        taint("effect").into(),
        text(added),
        row.age(),
    ]
}

fn flow_schema(row: Row<'_>) -> Vec<Cell> {
    let method = row.at(&["spec", "distinguisherMethod"]);
    let dangling = row.condition(&["status", "conditions"], "Dangling");
    vec![
        row.name(),
        row.text(&["spec", "priorityLevelConfiguration", "name"])
            .into(),
        row.int(&["spec", "matchingPrecedence"]).into(),
        Value::from(method.map_or(NONE, |method| method.text(&["type"]))),
        row.age(),
        Value::from(dangling.map_or("?", |condition| condition.text(&["status"]))),
    ]
}

fn lease(row: Row<'_>) -> Vec<Cell> {
    let holder = row.text(&["spec", "holderIdentity"]);
    vec![row.name(), holder.into(), row.age()]
}

fn budget(row: Row<'_>) -> Vec<Cell> {
    let number = |field: &str| match row.object.at(&["spec", field]) {
        Some(Value::Int(number)) => text(number.to_string()),
        Some(Value::String(share)) => share.clone().into(),
        _ => "N/A".into(),
    };
    vec![
        row.name(),
        number("minAvailable"),
        number("maxUnavailable"),
        row.int(&["status", "disruptionsAllowed"]).into(),
        row.age(),
    ]
}

fn priority_class(row: Row<'_>) -> Vec<Cell> {
    let is_default = row.flag(&["globalDefault"]).unwrap_or(false);
    vec![
        row.name(),
        row.int(&["value"]).into(),
        is_default.into(),
        row.age(),
        row.text(&["preemptionPolicy"]).into(),
    ]
}

fn priority_level(row: Row<'_>) -> Vec<Cell> {
    let limited = row.at(&["spec", "limited"]);
    let queuing = limited.and_then(|limited| limited.at(&["limitResponse", "queuing"]));
    let number = |part: Option<Row<'_>>, field: &str| match part {
        Some(part) => Value::Int(part.int(&[field])),
        None => NONE.into(),
    };
    // The shares are a pointer in Go, and shown as null where they are not set.
    let shares = match limited {
        Some(limited) => limited
            .at(&["nominalConcurrencyShares"])
            .map_or(Value::Null, |shares| shares.int(&[]).into()),
        None => NONE.into(),
    };
    vec![
        row.name(),
        row.text(&["spec", "type"]).into(),
        shares,
        number(queuing, "queues"),
        number(queuing, "handSize"),
        number(queuing, "queueLengthLimit"),
        row.age(),
    ]
}

fn claim(row: Row<'_>) -> Vec<Cell> {
    let mut states = Vec::new();
    if row.is_leaving() {
        states.push("deleted");
    }
    if row.at(&["status", "allocation"]).is_some() {
        states.push("allocated");
        if row.count(&["status", "reservedFor"]) > 0 {
            states.push("reserved");
        }
    } else if !row.is_leaving() {
        states.push("pending");
    }
    vec![row.name(), text(states.join(",")), row.age()]
}

fn slice(row: Row<'_>) -> Vec<Cell> {
    vec![
        row.name(),
        row.text(&["spec", "nodeName"]).into(),
        row.text(&["spec", "driver"]).into(),
        row.text(&["spec", "pool", "name"]).into(),
        row.age(),
    ]
}

fn runtime_class(row: Row<'_>) -> Vec<Cell> {
    vec![row.name(), row.text(&["handler"]).into(), row.age()]
}

fn migration(row: Row<'_>) -> Vec<Cell> {
    let resource = row.text(&["spec", "resource", "resource"]);
    let resource = match row.text(&["spec", "resource", "group"]) {
        "" => resource.to_owned(),
        group => format!("{resource}.{group}"),
    };
    // Of several states that hold the last one stands.
    let state = row
        .items(&["status", "conditions"])
        .filter(|condition| condition.text(&["status"]) == "True")
        .map(|condition| condition.text(&["type"]))
        .rfind(|kind| matches!(*kind, "Running" | "Succeeded" | "Failed"));
    vec![
        row.name(),
        text(resource),
        text_or(state.unwrap_or_default(), "Unknown"),
    ]
}
