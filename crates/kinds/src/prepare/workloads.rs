//! What the server sets on jobs and daemon sets.

use api::{Object, Value};

/// Where a daemon set counts the changes of its template.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// Lets a job select its own pods by its uid, unless it has a selector of its own choice.
pub(super) fn select_own_pods(job: &mut Value) {
    if job.at(&["spec", "manualSelector"]) == Some(&Value::Bool(true)) {
        return;
    }
    let of = |field: &str| {
        let text = job.str_at(&["metadata", field]);
        Value::from(text.unwrap_or_default())
    };
    let (name, uid) = (of("name"), of("uid"));
    let Some(spec) = job.get_mut("spec") else {
        return;
    };
    let labels = [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ];
    add_missing(spec, &["template", "metadata", "labels"], &labels);
    add_missing(spec, &["selector", "matchLabels"], &labels[..1]);
}

/// A job without labels takes those of its pods. Upstream does so when it reads the job back.
pub(super) fn take_labels(job: &mut Value) {
    let own = ["metadata", "labels"];
    let has_own = job.at(&own).and_then(Value::as_object);
    if has_own.is_some_and(|labels| !labels.is_empty()) {
        return;
    }
    let of_pods = job.at(&["spec", "template", "metadata", "labels"]);
    if let Some(labels) = of_pods.cloned() {
        job.set_at(&own, labels);
    }
}

/// Adds entries to the map at a path.
fn add_missing(value: &mut Value, path: &[&str], entries: &[(&str, &Value)]) {
    let mut map = match value.remove_at(path) {
        Some(Value::Object(map)) => map,
        _ => Object::default(),
    };
    for (name, value) in entries {
        if !map.contains(name) {
            map.insert(name, Value::clone(value));
        }
    }
    map.sort();
    value.set_at(path, map.into());
}

/// Counts the changes of a daemon set's template, in an annotation that clients may only begin.
pub(super) fn number_template(set: &mut Value, old: Option<&Value>) {
    let of = |set: &Value| {
        let text = set.str_at(&["metadata", "annotations", TEMPLATE_GENERATION]);
        text.and_then(|text| text.parse::<i64>().ok()).unwrap_or(0)
    };
    let template = |set: &Value| set.at(&["spec", "template"]).cloned();
    let number = match old {
        None => of(set).max(1),
        Some(old) if template(old) == template(set) => of(old),
        Some(old) => of(old).saturating_add(1),
    };
    let path = ["metadata", "annotations", TEMPLATE_GENERATION];
    set.set_at(&path, Value::string(number.to_string()));
    let annotations = set.at_mut(&path[..2]).and_then(Value::as_object_mut);
    if let Some(annotations) = annotations {
        annotations.sort();
    }
}
