//! What is left of the core group, and priority classes.
//!
//! Source: pkg/apis/core/v1/defaults.go, pkg/apis/scheduling/v1/defaults.go.

use api::{Object, Value};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use schema::Occasion;

use super::{Fields, Given, Rule, Table, copy_missing, has_items};

/// The label by which a namespace is selected.
pub(crate) const NAME_LABEL: &str = "kubernetes.io/metadata.name";

pub(super) const TABLE: Table = &[
    (
        "core.v1.Secret",
        &[
            Rule::Call(take_in_strings),
            Rule::Set("type", Given::Text("Opaque")),
        ],
    ),
    ("core.v1.Namespace", &[Rule::Call(label_namespace)]),
    (
        "core.v1.NamespaceStatus",
        &[Rule::Set("phase", Given::Text("Active"))],
    ),
    ("core.v1.NodeSpec", &[Rule::Call(ranges)]),
    (
        "core.v1.NodeStatus",
        &[
            Rule::Call(allocatable),
            Rule::Round("capacity"),
            Rule::Round("allocatable"),
        ],
    ),
    (
        "core.v1.LimitRangeItem",
        &[
            Rule::Call(limits),
            Rule::Round("max"),
            Rule::Round("min"),
            Rule::Round("default"),
            Rule::Round("defaultRequest"),
            Rule::Round("maxLimitRequestRatio"),
        ],
    ),
    ("core.v1.ResourceQuotaSpec", &[Rule::Round("hard")]),
    (
        "core.v1.ResourceQuotaStatus",
        &[Rule::Round("hard"), Rule::Round("used")],
    ),
    (
        "core.v1.ReplicationController",
        &[Rule::Call(replication_controller)],
    ),
    (
        "scheduling.v1.PriorityClass",
        &[Rule::Set(
            "preemptionPolicy",
            Given::Text("PreemptLowerPriority"),
        )],
    ),
];

/// Moves a secret's texts, which are only ever written, to where its bytes lie.
fn take_in_strings(secret: &mut Fields<'_>, _: Occasion<'_>) {
    let Some(Value::Object(strings)) = secret.object.remove("stringData") else {
        return;
    };
    if strings.is_empty() {
        return;
    }
    let mut data = match secret.object.remove("data") {
        Some(Value::Object(data)) => data,
        _ => Object::default(),
    };
    for (name, text) in strings {
        let bytes = STANDARD.encode(text.as_str().unwrap_or_default());
        data.insert(name, Value::string(bytes));
    }
    data.sort();
    secret.set("data", data.into());
}

/// Gives a namespace that has its name already the label of it.
fn label_namespace(namespace: &mut Fields<'_>, _: Occasion<'_>) {
    let Some(metadata) = namespace.get_mut("metadata") else {
        return;
    };
    set_name_label(metadata);
}

/// Gives a namespace's metadata the label of its name, if it has one.
pub(crate) fn set_name_label(metadata: &mut Value) {
    let name = metadata.str_at(&["name"]).unwrap_or_default();
    if name.is_empty() || metadata.str_at(&["labels", NAME_LABEL]) == Some(name) {
        return;
    }
    let name = Value::from(name);
    metadata.set_at(&["labels", NAME_LABEL], name);
    if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
        labels.sort();
    }
}

/// What a node has, pods may have, unless it says otherwise.
fn allocatable(status: &mut Fields<'_>, _: Occasion<'_>) {
    if !status.has_items("allocatable")
        && let Some(capacity) = status.get("capacity").cloned()
    {
        status.set("allocatable", capacity);
    }
}

/// Limits of containers: the greatest is the default, which is also asked for, and so is the least.
fn limits(item: &mut Fields<'_>, _: Occasion<'_>) {
    if item.text("type") != "Container" {
        return;
    }
    let list = |item: &Fields<'_>, name: &str| match item.get(name) {
        Some(Value::Object(list)) => list.clone(),
        _ => Object::default(),
    };
    let (max, min) = (list(item, "max"), list(item, "min"));
    let mut default = Value::Object(list(item, "default"));
    let mut request = Value::Object(list(item, "defaultRequest"));
    copy_missing(&mut default, Some(&max));
    copy_missing(&mut request, default.as_object());
    copy_missing(&mut request, Some(&min));
    for (name, list) in [("default", default), ("defaultRequest", request)] {
        if has_items(&list) {
            item.set(name, list);
        }
    }
}

/// Without a selector the labels of the pods are it, and those of the controller too.
fn replication_controller(controller: &mut Fields<'_>, _: Occasion<'_>) {
    if let Some(spec) = controller.get_mut("spec")
        && !spec.get("selector").is_some_and(has_items)
        && let Some(labels) = spec.at(&["template", "metadata", "labels"]).cloned()
    {
        spec.set_at(&["selector"], labels);
    }
    let template = controller.get("spec").and_then(|spec| spec.get("template"));
    let labels = template.and_then(|template| template.at(&["metadata", "labels"]));
    let Some(labels) = labels.filter(|labels| has_items(labels)).cloned() else {
        return;
    };
    if let Some(metadata) = controller.get_mut("metadata")
        && !metadata.get("labels").is_some_and(has_items)
    {
        metadata.set_at(&["labels"], labels);
    }
}

/// Keeps the one range of a node's pods and the list of ranges alike; the one range wins.
fn ranges(spec: &mut Fields<'_>, _: Occasion<'_>) {
    let first = spec.get("podCIDRs").and_then(Value::as_array);
    let first = first.and_then(|list| list.first()).cloned();
    let own = spec.get("podCIDR").cloned();
    match (own, first) {
        (Some(own), first) if first.as_ref() != Some(&own) => {
            spec.set("podCIDRs", vec![own].into());
        }
        (None, Some(first)) => spec.set("podCIDR", first),
        _ => {}
    }
}
