//! What is wrong with autoscalers; those of version 1 are checked as what they become.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/autoscaling/validation/validation.go and the rules
//! of its types.

use api::{field::Error, names::validate as names};

use super::{Check, Findings, Place, Subject, numbers, quantities, tags::Change, texts};

const WINDOW_SECONDS_MAX: i64 = 3600;
const PERIOD_SECONDS_MAX: i64 = 1800;

/// Sources of metrics: type and field, in the order in which the fields are looked at.
const SOURCES: [(&str, &str); 5] = [
    ("Object", "object"),
    ("External", "external"),
    ("Pods", "pods"),
    ("Resource", "resource"),
    ("ContainerResource", "containerResource"),
];

const SOURCE_TYPES: [&str; 5] = [
    "ContainerResource",
    "External",
    "Object",
    "Pods",
    "Resource",
];

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    match (kind, door) {
        ("HorizontalPodAutoscaler", "") => Some(scaler),
        ("HorizontalPodAutoscaler", "status") => Some(status),
        _ => None,
    }
}

/// How the version of a reference is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Versions {
    /// It names a group.
    Grouped,
    /// It may be one of the core group.
    Any,
    /// It was there before, and may be anything.
    Unchecked,
}

fn scaler(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, old_spec) = (root.child("spec"), old.child("spec"));
    let (least, most) = (spec.child("minReplicas"), spec.child("maxReplicas"));
    let limit = most.int().unwrap_or(0);
    if least.int().is_some_and(|least| limit < least) {
        let detail = "must be greater than or equal to `minReplicas`";
        found.push(Error::invalid(most.path(), limit, detail));
    }
    let target = spec.child("scaleTargetRef");
    let old_target = old_spec.child("scaleTargetRef");
    let is_kept = |field| target.child(field).text() == old_target.child(field).text();
    let versions = match target.child("kind").text() {
        _ if subject.old.is_some() && is_kept("apiVersion") && is_kept("kind") => {
            Versions::Unchecked
        }
        "ReplicationController" => Versions::Any,
        _ => Versions::Grouped,
    };
    reference(&target, versions, found);

    let was_bad = old_spec.child("metrics").items().any(|metric| {
        let source = metric.child("object");
        let described = source.child("describedObject");
        let is_object = metric.child("type").text() == "Object" && source.is_set();
        is_object && wrong_version(described.child("apiVersion").text(), Versions::Any).is_some()
    });
    let versions = if was_bad {
        Versions::Unchecked
    } else {
        Versions::Any
    };
    let metrics = spec.child("metrics");
    for metric in metrics.items() {
        self::metric(&metric, versions, found);
    }
    let mut kinds = metrics.list().iter();
    let wakes = kinds.any(|one| {
        matches!(
            one.str_at(&["type"]).unwrap_or_default(),
            "Object" | "External"
        )
    });
    if least.int() == Some(0) && !wakes {
        let detail = "must specify at least one Object or External metric to support scaling to zero replicas";
        found.forbidden(&metrics, detail);
    }
    let behavior = spec.child("behavior");
    for name in ["scaleUp", "scaleDown"] {
        let rules = behavior.child(name);
        if rules.is_set() {
            scaling_rules(&rules, found);
        }
    }
    counts(subject, found);
}

/// What is said of the two counts, which the rules of the types know; what an update leaves alone
/// was said of by hand, with other words.
fn counts(subject: &Subject<'_>, found: &mut Findings) {
    let whole = Change::of(subject);
    let spec = whole.child("spec");
    let (least, most) = (spec.child("minReplicas"), spec.child("maxReplicas"));
    least.minimum(0, found);
    if most.is_kept() && most.now.int().unwrap_or(0) == 0 {
        found.required(&most.now, "must be set and greater than 0");
    }
    if most.now.int().unwrap_or(0) == 0 {
        most.required(found);
    } else {
        most.minimum(1, found);
    }
}

fn reference(target: &Place<'_>, versions: Versions, found: &mut Findings) {
    for field in ["kind", "name"] {
        let place = target.child(field);
        if texts::require(&place, "", found) {
            texts::fits(&place, names::path_segment_name, found);
        }
    }
    let version = target.child("apiVersion");
    if let Some(detail) = wrong_version(version.text(), versions) {
        found.invalid_text(&version, detail);
    }
}

fn wrong_version(text: &str, versions: Versions) -> Option<String> {
    let slashes = text.matches('/').count();
    let group = text.split_once('/').map_or("", |(group, _)| group);
    if versions == Versions::Unchecked {
        None
    } else if slashes > 1 {
        Some(format!("unexpected GroupVersion string: {text}"))
    } else if versions == Versions::Grouped && group.is_empty() {
        Some(String::from("apiVersion must specify API group"))
    } else {
        None
    }
}

fn scaling_rules(rules: &Place<'_>, found: &mut Findings) {
    let window = rules.child("stabilizationWindowSeconds");
    let seconds = window.int().unwrap_or(0);
    if seconds < 0 {
        found.invalid(&window, "must be greater than or equal to zero");
    }
    if seconds > WINDOW_SECONDS_MAX {
        let detail = format!("must be less than or equal to {WINDOW_SECONDS_MAX}");
        found.invalid(&window, detail);
    }
    let select = rules.child("selectPolicy");
    texts::optional_choice(&select, &["Disabled", "Max", "Min"], found);
    let policies = rules.child("policies");
    if policies.len() == 0 {
        found.required(&policies, "must specify at least one Policy");
    }
    for policy in policies.items() {
        texts::choice(&policy.child("type"), &["Percent", "Pods"], found);
        let period = policy.child("periodSeconds");
        for place in [&policy.child("value"), &period] {
            let given = place.int().unwrap_or(0);
            if given <= 0 {
                let detail = numbers::NOT_POSITIVE;
                found.push(Error::invalid(place.path(), given, detail));
            }
        }
        if period.int().unwrap_or(0) > PERIOD_SECONDS_MAX {
            let detail = format!("must be less than or equal to {PERIOD_SECONDS_MAX}");
            found.invalid(&period, detail);
        }
    }
    quantities::non_negative(&rules.child("tolerance"), found);
}

fn metric(metric: &Place<'_>, versions: Versions, found: &mut Findings) {
    let kind = metric.child("type");
    texts::require(&kind, "must specify a metric source type", found);
    texts::choice(&kind, &SOURCE_TYPES, found);
    let mut given = SOURCES
        .iter()
        .filter(|(_, field)| metric.child(field).is_set());
    // Only the first one is looked at.
    if let Some((_, field)) = given.next() {
        source(field, &metric.child(field), versions, found);
    }
    let count = given.count();
    let wanted = SOURCES.iter().find(|(known, _)| *known == kind.text());
    let wanted = wanted.map(|(_, field)| *field);
    if let Some(field) = wanted
        && !metric.child(field).is_set()
    {
        let detail = "must populate information for the given metric source";
        found.required(&metric.child(field), detail);
    }
    if count == 0 {
        return;
    }
    for (_, field) in SOURCES {
        if wanted != Some(field) && metric.child(field).is_set() {
            let detail = "must populate the given metric source only";
            found.forbidden(&metric.child(field), detail);
        }
    }
}

fn source(field: &str, source: &Place<'_>, versions: Versions, found: &mut Findings) {
    let goal = source.child("target");
    match field {
        "resource" | "containerResource" => {
            let name = source.child("name");
            let is_named = texts::require(&name, "must specify a resource name", found);
            if field == "containerResource" {
                if is_named {
                    quantities::name_for_containers(name.path(), name.text(), found);
                }
                let container = source.child("container");
                if texts::require(&container, "must specify a container", found) {
                    texts::label(&container, found);
                }
            }
        }
        _ => {
            if field == "object" {
                reference(&source.child("describedObject"), versions, found);
            }
            let metric = source.child("metric");
            let name = metric.child("name");
            if texts::require(&name, "must specify a metric name", found) {
                texts::fits(&name, names::path_segment_name, found);
            }
        }
    }
    self::goal(&goal, found);
    let (value, average) = (goal.child("value"), goal.child("averageValue"));
    let percent = goal.child("averageUtilization");
    match field {
        "object" if !value.is_set() && !average.is_set() => {
            let detail = "must set either a target value or averageValue";
            found.required(&average, detail);
        }
        "external" if !value.is_set() && !average.is_set() => {
            let detail = "must set either a target value for metric or a per-pod target";
            found.required(&average, detail);
        }
        "external" if value.is_set() && average.is_set() => {
            let detail = "may not set both a target value for metric and a per-pod target";
            found.forbidden(&value, detail);
        }
        "pods" if !average.is_set() => {
            found.required(&average, "must specify a positive target averageValue");
        }
        "resource" | "containerResource" if !percent.is_set() && !average.is_set() => {
            let detail = "must set either a target raw value or a target utilization";
            found.required(&percent, detail);
        }
        "resource" | "containerResource" if percent.is_set() && average.is_set() => {
            let detail = "may not set both a target raw value and a target utilization";
            found.forbidden(&average, detail);
        }
        _ => {}
    }
}

fn goal(goal: &Place<'_>, found: &mut Findings) {
    let kind = goal.child("type");
    texts::require(&kind, "must specify a metric target type", found);
    if !matches!(kind.text(), "Utilization" | "Value" | "AverageValue") {
        let detail = "must be either Utilization, Value, or AverageValue";
        found.invalid_text(&kind, detail);
    }
    for field in ["value", "averageValue"] {
        let place = goal.child(field);
        if quantities::of(&place).is_some_and(|amount| amount.sign() != 1) {
            found.invalid(&place, "must be positive");
        }
    }
    let percent = goal.child("averageUtilization");
    if percent.int().is_some_and(|percent| percent < 1) {
        found.invalid(&percent, "must be greater than 0");
    }
}

fn status(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let status = root.child("status");
    for condition in status.child("conditions").items() {
        numbers::non_negative(&condition.child("observedGeneration"), found);
    }
    numbers::non_negative(&status.child("currentReplicas"), found);
    numbers::non_negative(&status.child("desiredReplicas"), found);
}

#[cfg(test)]
mod tests {
    use crate::validate::check_table;

    #[track_caller]
    fn check(spec: &str, old: Option<&str>, expected: &[&str]) {
        let of = ("autoscaling", "HorizontalPodAutoscaler", "");
        let object = |spec| format!(r#"{{"spec":{spec}}}"#);
        check_table(of, &object(spec), old.map(object).as_deref(), expected);
    }

    #[test]
    fn counts_have_an_order() {
        let target = r#""scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"d"}"#;
        check(
            &format!(r#"{{"minReplicas":3,"maxReplicas":2,{target}}}"#),
            None,
            &["spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`"],
        );
        check(
            &format!(r#"{{"minReplicas":0,"maxReplicas":0,{target}}}"#),
            None,
            &[
                "spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to zero replicas",
                "spec.maxReplicas: Required value",
            ],
        );
    }

    #[test]
    fn targets_name_a_group_unless_they_were_there() {
        let spec = r#"{"minReplicas":1,"maxReplicas":2,"scaleTargetRef":{"apiVersion":"v1","kind":"K","name":"d"}}"#;
        check(
            spec,
            None,
            &[
                r#"spec.scaleTargetRef.apiVersion: Invalid value: "v1": apiVersion must specify API group"#,
            ],
        );
        check(spec, Some(spec), &[]);
    }

    #[test]
    fn a_metric_has_one_source() {
        let spec = |metric: &str| {
            format!(
                r#"{{"minReplicas":1,"maxReplicas":2,"scaleTargetRef":{{"apiVersion":"a/v1","kind":"K","name":"d"}},"metrics":[{metric}]}}"#
            )
        };
        check(
            &spec(
                r#"{"type":"Pods","pods":{"metric":{"name":"m"},"target":{"type":"AverageValue"}},"resource":{}}"#,
            ),
            None,
            &[
                "spec.metrics[0].pods.target.averageValue: Required value: must specify a positive target averageValue",
                "spec.metrics[0].resource: Forbidden: must populate the given metric source only",
            ],
        );
        check(
            &spec(r#"{"type":"Resource"}"#),
            None,
            &[
                "spec.metrics[0].resource: Required value: must populate information for the given metric source",
            ],
        );
    }
}
