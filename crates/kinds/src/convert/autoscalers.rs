//! Autoscalers: version 1 has one field for the CPU, and keeps everything else in annotations.
//!
//! What stands in those annotations is JSON of upstream's version 1 types, byte for byte.

use api::{GroupVersion, Object, Text, Value, json};

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
/// Annotations that stand for fields, and are never shown beside them.
const ANNOTATIONS: [&str; 6] = [
    METRICS,
    CURRENT_METRICS,
    CONDITIONS,
    BEHAVIOR,
    "autoscaling.alpha.kubernetes.io/scale-down-tolerance",
    "autoscaling.alpha.kubernetes.io/scale-up-tolerance",
];
/// The CPU use, in percent, that is wanted if nothing else is.
const CPU_PERCENT: i64 = 80;

pub(crate) fn convert(scaler: &mut Value, to: &GroupVersion) {
    let from_first = scaler.str_at(&["apiVersion"]) == Some("autoscaling/v1");
    match (&*to.version, from_first) {
        ("v1", false) => to_first(scaler),
        ("v2", true) => to_second(scaler),
        _ => {}
    }
    scaler.set_at(&["apiVersion"], Value::string(to.to_string()));
}

fn items(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

fn compact(value: &Value) -> String {
    let mut out = Vec::new();
    json::write(value, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

// Version 2 to version 1.

fn to_first(scaler: &mut Value) {
    let wanted = items(scaler.remove_at(&["spec", "metrics"]));
    let seen = items(scaler.remove_at(&["status", "currentMetrics"]));
    let conditions = items(scaler.remove_at(&["status", "conditions"]));
    let behavior = scaler.remove_at(&["spec", "behavior"]);

    let percent = wanted.iter().find_map(cpu_target);
    if let Some(percent) = percent {
        scaler.set_at(&["spec", "targetCPUUtilizationPercentage"], percent);
    }
    let used = seen.iter().rev().find_map(cpu_used);
    if let Some(used) = used {
        scaler.set_at(&["status", "currentCPUUtilizationPercentage"], used);
    }
    let others: Vec<Value> = wanted
        .iter()
        .filter(|metric| cpu_target(metric).is_none())
        .map(|metric| first_metric(metric, "target"))
        .collect();
    let current: Vec<Value> = seen
        .iter()
        .map(|metric| first_metric(metric, "current"))
        .collect();

    let mut annotations = take_annotations(scaler).0;
    let mut note = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            annotations.push((name.into(), Value::string(compact(&value))));
        }
    };
    let list = |items: Vec<Value>| (!items.is_empty()).then_some(Value::Array(items));
    note(METRICS, list(others));
    note(CURRENT_METRICS, list(current));
    note(BEHAVIOR, behavior.as_ref().map(internal_behavior));
    note(CONDITIONS, list(conditions));
    put_annotations(scaler, annotations);
}

/// Returns the wanted CPU use in percent, if that is what the metric is about.
fn cpu_target(metric: &Value) -> Option<Value> {
    cpu(metric)?.at(&["target", "averageUtilization"]).cloned()
}

fn cpu_used(metric: &Value) -> Option<Value> {
    cpu(metric)?.at(&["current", "averageUtilization"]).cloned()
}

fn cpu(metric: &Value) -> Option<&Value> {
    let is_resource = metric.str_at(&["type"]) == Some("Resource");
    let resource = metric.get("resource").filter(|_| is_resource)?;
    (resource.str_at(&["name"]) == Some("cpu")).then_some(resource)
}

/// Where a field of version 1 lies in version 2, and what it is when absent.
enum Zero {
    /// It is left out.
    Omitted,
    /// It is written as quantity zero.
    Quantity,
}

/// Returns a metric as version 1 has it; `side` is `target` or `current`.
fn first_metric(metric: &Value, side: &str) -> Value {
    let mut made = Object::default();
    let kind = metric.get("type").cloned().unwrap_or_default();
    made.push("type".into(), kind);
    for source in [
        "object",
        "pods",
        "resource",
        "containerResource",
        "external",
    ] {
        if let Some(given) = metric.get(source) {
            made.push(source.into(), first_source(source, side, given));
        }
    }
    made.into()
}

fn first_source(source: &str, side: &str, given: &Value) -> Value {
    use Zero::{Omitted, Quantity};
    let is_target = side == "target";
    let mut made = Object::default();
    let mut put = |name: &str, path: &[&str], zero: Zero| {
        let found = given.at(path).filter(|value| !value.is_null()).cloned();
        match (found, zero) {
            (Some(value), _) => made.push(name.into(), value),
            (None, Omitted) => {}
            (None, Quantity) => made.push(name.into(), "0".into()),
        }
    };
    let (value, average, percent) = (
        [side, "value"],
        [side, "averageValue"],
        [side, "averageUtilization"],
    );
    let name = |target: &'static str, current: &'static str| match is_target {
        true => target,
        false => current,
    };
    match source {
        "object" => {
            put("target", &["describedObject"], Omitted);
            put("metricName", &["metric", "name"], Omitted);
            put(name("targetValue", "currentValue"), &value, Quantity);
            put("selector", &["metric", "selector"], Omitted);
            put("averageValue", &average, Omitted);
        }
        "pods" => {
            put("metricName", &["metric", "name"], Omitted);
            let field = name("targetAverageValue", "currentAverageValue");
            put(field, &average, Quantity);
            put("selector", &["metric", "selector"], Omitted);
        }
        "external" => {
            put("metricName", &["metric", "name"], Omitted);
            put("metricSelector", &["metric", "selector"], Omitted);
            let zero = if is_target { Omitted } else { Quantity };
            put(name("targetValue", "currentValue"), &value, zero);
            let field = name("targetAverageValue", "currentAverageValue");
            put(field, &average, Omitted);
        }
        _ => {
            put("name", &["name"], Omitted);
            let field = name("targetAverageUtilization", "currentAverageUtilization");
            put(field, &percent, Omitted);
            let field = name("targetAverageValue", "currentAverageValue");
            put(field, &average, if is_target { Omitted } else { Quantity });
            put("container", &["container"], Omitted);
        }
    }
    made.into()
}

/// The fields of a behaviour in the annotation, whose names are those of Go, and in version 2.
const RULES: [(&str, &str); 4] = [
    ("StabilizationWindowSeconds", "stabilizationWindowSeconds"),
    ("SelectPolicy", "selectPolicy"),
    ("Policies", "policies"),
    ("Tolerance", "tolerance"),
];
const POLICY: [(&str, &str); 3] = [
    ("Type", "type"),
    ("Value", "value"),
    ("PeriodSeconds", "periodSeconds"),
];
const DIRECTIONS: [(&str, &str); 2] = [("ScaleUp", "scaleUp"), ("ScaleDown", "scaleDown")];

/// Returns a behaviour as upstream's internal type is written: Go's names, nothing left out.
fn internal_behavior(behavior: &Value) -> Value {
    renamed(behavior, &DIRECTIONS, |_, rules| {
        renamed(rules, &RULES, |name, value| match value {
            Value::Array(policies) if name == "policies" => policies
                .iter()
                .map(|policy| renamed(policy, &POLICY, |_, value| value.clone()))
                .collect::<Vec<_>>()
                .into(),
            value => value.clone(),
        })
    })
}

fn renamed(value: &Value, names: &[(&str, &str)], inner: impl Fn(&str, &Value) -> Value) -> Value {
    if value.is_null() {
        return Value::Null;
    }
    let fields = names.iter().map(|(go, name)| {
        let inside = value.get(name).filter(|value| !value.is_null());
        (
            Text::from(*go),
            inside.map_or(Value::Null, |value| inner(name, value)),
        )
    });
    Object::from_unique(fields.collect()).into()
}

// Version 1 to version 2.

fn to_second(scaler: &mut Value) {
    let (annotations, notes) = take_annotations(scaler);
    put_annotations(scaler, annotations);
    let percent = scaler.remove_at(&["spec", "targetCPUUtilizationPercentage"]);
    let used = scaler.remove_at(&["status", "currentCPUUtilizationPercentage"]);
    let note = |name: &str| {
        let text = notes.iter().find(|(known, _)| known == name)?.1.as_str()?;
        Some(json::read(text.as_bytes()).ok()?.value)
    };

    let mut metrics: Vec<Value> = items(note(METRICS))
        .iter()
        .map(|metric| second_metric(metric, "target"))
        .collect();
    metrics.extend(percent.filter(|value| !value.is_null()).map(cpu_metric));
    if metrics.is_empty() {
        metrics.push(cpu_metric(CPU_PERCENT.into()));
    }
    scaler.set_at(&["spec", "metrics"], metrics.into());
    if let Some(behavior) = note(BEHAVIOR).and_then(|note| external_behavior(&note)) {
        scaler.set_at(&["spec", "behavior"], behavior);
    }
    let current = match note(CURRENT_METRICS) {
        Some(Value::Array(seen)) => {
            let seen = seen.iter().map(|metric| second_metric(metric, "current"));
            Some(seen.collect())
        }
        _ => used.filter(|value| !value.is_null()).map(|used| {
            let mut metric = cpu_metric(Value::Null);
            metric.remove_at(&["resource", "target"]);
            metric.set_at(&["resource", "current", "averageUtilization"], used);
            vec![metric]
        }),
    };
    if let Some(current) = current {
        scaler.set_at(&["status", "currentMetrics"], Value::Array(current));
    }
    if let Some(conditions @ Value::Array(_)) = note(CONDITIONS) {
        scaler.set_at(&["status", "conditions"], conditions);
    }
}

fn cpu_metric(percent: Value) -> Value {
    let mut metric = Value::object();
    metric.set_at(&["type"], "Resource".into());
    metric.set_at(&["resource", "name"], "cpu".into());
    metric.set_at(&["resource", "target", "type"], "Utilization".into());
    metric.set_at(&["resource", "target", "averageUtilization"], percent);
    metric
}

/// Returns a metric of an annotation as version 2 has it; `side` is `target` or `current`.
fn second_metric(metric: &Value, side: &str) -> Value {
    let mut made = Value::object();
    made.set_at(&["type"], metric.get("type").cloned().unwrap_or_default());
    for source in [
        "object",
        "pods",
        "resource",
        "containerResource",
        "external",
    ] {
        if let Some(given) = metric.get(source).filter(|given| !given.is_null()) {
            made.set_at(&[source], second_source(source, side, given));
        }
    }
    made
}

fn second_source(source: &str, side: &str, given: &Value) -> Value {
    let is_target = side == "target";
    let mut made = Value::object();
    let field = |target: &str, current: &str| {
        let name = if is_target { target } else { current };
        given.get(name).filter(|value| !value.is_null()).cloned()
    };
    let mut put = |path: &[&str], value: Option<Value>| {
        if let Some(value) = value {
            made.set_at(path, value);
        }
    };
    let mut value = field("targetValue", "currentValue");
    let average = match source {
        "object" => given.get("averageValue").cloned(),
        _ => field("targetAverageValue", "currentAverageValue"),
    };
    let percent = field("targetAverageUtilization", "currentAverageUtilization");
    let kind = match source {
        "object" if average.is_some() => {
            // Version 1 cannot leave the value out, so zero means that there is none.
            value = value.filter(|value| !is_target || !is_zero(value));
            "AverageValue"
        }
        "object" => "Value",
        "pods" => "AverageValue",
        "external" if value.is_none() => "AverageValue",
        "external" => "Value",
        _ if percent.is_none() => "AverageValue",
        _ => "Utilization",
    };
    if is_target {
        put(&["target", "type"], Some(kind.into()));
    }
    put(&[side, "value"], value);
    put(&[side, "averageValue"], average);
    put(&[side, "averageUtilization"], percent);
    match source {
        "resource" | "containerResource" => {
            put(&["name"], given.get("name").cloned());
            put(&["container"], given.get("container").cloned());
        }
        _ => {
            let selector = match source {
                "external" => "metricSelector",
                _ => "selector",
            };
            put(&["describedObject"], given.get("target").cloned());
            put(&["metric", "name"], given.get("metricName").cloned());
            put(&["metric", "selector"], given.get(selector).cloned());
        }
    }
    made
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Int(number) => *number == 0,
        Value::String(text) => api::Quantity::parse(text).is_ok_and(|known| known.is_zero()),
        _ => false,
    }
}

/// Returns the behaviour of an annotation as version 2 has it, unless it is empty.
fn external_behavior(behavior: &Value) -> Option<Value> {
    let rename = |value: &Value, names: &[(&str, &str)]| {
        let mut made = Value::object();
        for (go, name) in names {
            if let Some(inner) = value.get(go).filter(|inner| !inner.is_null()) {
                made.set_at(&[name], inner.clone());
            }
        }
        made
    };
    let mut made = rename(behavior, &DIRECTIONS);
    let directions = made.make_object();
    if directions.is_empty() {
        return None;
    }
    for (_, rules) in directions.iter_mut() {
        *rules = rename(rules, &RULES);
        let policies = rules.get_mut("policies").and_then(Value::as_array_mut);
        for policy in policies.into_iter().flatten() {
            *policy = rename(policy, &POLICY);
        }
    }
    Some(made)
}

// Annotations.

type Pairs = Vec<(Text, Value)>;

/// Takes the annotations out: those of people, and those that stand for fields.
fn take_annotations(scaler: &mut Value) -> (Pairs, Pairs) {
    match scaler.remove_at(&["metadata", "annotations"]) {
        Some(Value::Object(annotations)) => annotations
            .into_iter()
            .partition(|(name, _)| !ANNOTATIONS.contains(&name.as_str())),
        _ => (Vec::new(), Vec::new()),
    }
}

fn put_annotations(scaler: &mut Value, mut annotations: Pairs) {
    if annotations.is_empty() {
        return;
    }
    annotations.sort_by(|a, b| a.0.cmp(&b.0));
    let annotations = Object::from_unique(annotations);
    scaler.set_at(&["metadata", "annotations"], annotations.into());
}
