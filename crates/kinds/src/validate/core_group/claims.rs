//! What is wrong with claims of volumes.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go
//! (`ValidatePersistentVolumeClaim` and its updates), pkg/api/persistentvolumeclaim/util.go.

use api::{
    Quantity, Value,
    field::{Error, Path, Shown},
    names::validate,
};

use super::volumes;
use crate::validate::{
    Findings, Place, Subject, changes,
    difference::difference,
    gostruct,
    labels::{self, SelectorRules},
    quantities, texts,
};

const CLASS: &str = "volume.beta.kubernetes.io/storage-class";
const RESIZING: &[&str] = &[
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
];

/// What a claim may hold that a new one may not, because it stands there already.
#[derive(Clone, Copy, Default)]
pub(in crate::validate) struct Rules {
    pub(in crate::validate) selector: SelectorRules,
    /// Groups of sources were stored before they were checked.
    pub(in crate::validate) any_group: bool,
}

/// Checks a claim.
pub(super) fn claim(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (now, before) = (root.child("spec"), old.child("spec"));
    let mut rules = Rules::default();
    if subject.old.is_some() {
        let has_group = |name: &str| before.child(name).child("apiGroup").is_set();
        rules.any_group = has_group("dataSource") || has_group("dataSourceRef");
        let mut odd = Findings::default();
        labels::selector(&before.child("selector"), SelectorRules::Strict, &mut odd);
        if !odd.is_empty() {
            rules.selector = SelectorRules::AnyValues;
        }
    }
    spec(&now, rules, found);
    if subject.old.is_some() {
        changed(subject, found);
    }
}

/// Checks what a claim, or the template of one, asks for.
pub(in crate::validate) fn spec(spec: &Place<'_>, rules: Rules, found: &mut Findings) {
    let modes = spec.child("accessModes");
    if modes.len() == 0 {
        found.required(&modes, "at least 1 access mode is required");
    }
    labels::selector(&spec.child("selector"), rules.selector, found);
    volumes::modes(&modes, found);
    let resources = spec.child("resources");
    let requests = resources.child("requests");
    let amount = Place::new(
        requests
            .value()
            .and_then(|requests| requests.get("storage")),
        resources.path().key("storage"),
    );
    let before = found.len();
    if !amount.is_set() {
        found.required(&amount, "");
    } else {
        quantities::positive(&amount, found);
        if found.len() == before {
            quantities::amount_of("storage", &amount, found);
        }
    }
    let class = spec.child("storageClassName");
    if !class.text().is_empty() {
        texts::subdomain(&class, found);
    }
    texts::optional_choice(&spec.child("volumeMode"), volumes::MODES, found);
    sources(spec, rules, found);
    let class = spec.child("volumeAttributesClassName");
    if !class.text().is_empty() {
        texts::subdomain(&class, found);
    }
}

fn sources(spec: &Place<'_>, rules: Rules, found: &mut Findings) {
    let (source, reference) = (spec.child("dataSource"), spec.child("dataSourceRef"));
    for place in [&source, &reference] {
        if place.is_set() {
            data_source(place, rules, found);
        }
    }
    let namespace = reference.child("namespace");
    if !namespace.text().is_empty() {
        texts::label(&namespace, found);
    }
    let mut refuse = |why: &str| {
        // Upstream shows a path where the value should stand.
        found.push(Error::invalid(spec.path(), Shown::bare("{}"), why));
    };
    if !namespace.text().is_empty() {
        if source.is_set() {
            refuse("may not be specified when dataSourceRef.namespace is specified");
        }
    } else if source.is_set() && reference.is_set() {
        let same = |name| source.child(name).is_same(&reference.child(name));
        if !["apiGroup", "kind", "name"].into_iter().all(same) {
            refuse("must match dataSourceRef");
        }
    }
}

fn data_source(source: &Place<'_>, rules: Rules, found: &mut Findings) {
    texts::require(&source.child("name"), "", found);
    texts::require(&source.child("kind"), "", found);
    let (group, kind) = (source.child("apiGroup"), source.child("kind").text());
    if group.text().is_empty() {
        if kind != "PersistentVolumeClaim" {
            let why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
            found.push(Error::invalid(source.path(), kind, why));
        }
    } else if !rules.any_group {
        texts::subdomain(&group, found);
    }
}

fn changed(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, old_spec) = (root.child("spec"), old.child("spec"));
    let annotation = |root: &Place<'_>| -> Option<String> {
        let text = root.value()?.str_at(&["metadata", "annotations", CLASS])?;
        Some(text.to_owned())
    };
    let (class_now, class_before) = (annotation(&root), annotation(&old));
    let is_bound = root.child("status").child("phase").text() == "Bound";
    let mut now = gostruct::of(spec.value(), "PersistentVolumeClaimSpec");
    let mut before = gostruct::of(old_spec.value(), "PersistentVolumeClaimSpec");
    let copy = |from: &Value, to: &mut Value, path: &[&str]| match from.at(path) {
        Some(value) => to.set_at(path, value.clone()),
        None => drop(to.remove_at(path)),
    };
    if old_spec.child("volumeName").text().is_empty() {
        copy(&now, &mut before, &["VolumeName"]);
    }
    let (class, old_class) = (
        spec.child("storageClassName"),
        old_spec.child("storageClassName"),
    );
    let (is_given, was_given) = (class.is_set(), old_class.is_set());
    let from_annotation = !was_given
        && is_given
        && class_before.as_deref() == Some(class.text())
        && (class_now.is_none() || class_now == class_before);
    if from_annotation {
        now.set_at(&["StorageClassName"], Value::Null);
    } else {
        if class_now != class_before {
            let metadata = Path::new("metadata");
            let annotations = metadata.child("annotations");
            let shown = class_now.as_deref().unwrap_or_default();
            found.push(Error::invalid(
                &annotations.child(CLASS),
                shown,
                changes::IMMUTABLE,
            ));
        }
        let is_first = class_before
            .as_deref()
            .is_none_or(|one| one == class.text());
        if is_given && !was_given && is_first {
            copy(&before, &mut now, &["StorageClassName"]);
        }
    }
    if is_bound {
        if now
            .at(&["Resources", "Requests"])
            .is_some_and(|requests| !requests.is_null())
        {
            let size = before.at(&["Resources", "Requests", "storage"]);
            let size = size.cloned().unwrap_or_else(|| "0".into());
            now.set_at(&["Resources", "Requests", "storage"], size);
        }
        copy(&before, &mut now, &["VolumeAttributesClassName"]);
    }
    if now != before {
        let diff = difference(&before, &now);
        let why = format!(
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n{diff}"
        );
        found.push(Error::forbidden(spec.path(), why));
    }
    shrunk(&spec, &old_spec, &old, found);
    let mode = spec.child("volumeMode");
    if !mode.is_same(&old_spec.child("volumeMode")) {
        let path = Path::new("volumeMode");
        found.push(Error::invalid(&path, mode.shown(), changes::IMMUTABLE));
    }
    attributes(&spec, &old_spec, &old, found);
}

/// A claim shrinks only as long as nothing that large was given.
fn shrunk(spec: &Place<'_>, old_spec: &Place<'_>, old: &Place<'_>, found: &mut Findings) {
    let size = |value: Option<&Value>, path: &[&str]| {
        let amount = value.and_then(|value| value.at(path));
        let amount = amount.and_then(|amount| Quantity::from_value(amount).ok());
        amount.unwrap_or_else(Quantity::zero)
    };
    let path = ["resources", "requests", "storage"];
    let (now, before) = (size(spec.value(), &path), size(old_spec.value(), &path));
    let given = size(old.value(), &["status", "capacity", "storage"]);
    if now.compare(&before).is_lt() && now.compare(&given).is_le() {
        let resources = spec.child("resources");
        let requests = resources.child("requests");
        let why = "field can not be less than status.capacity";
        found.forbidden(&requests.child("storage"), why);
    }
}

fn attributes(spec: &Place<'_>, old_spec: &Place<'_>, old: &Place<'_>, found: &mut Findings) {
    let class = spec.child("volumeAttributesClassName");
    let status = old.child("status");
    let is_used = status.child("currentVolumeAttributesClassName").is_set();
    if class.is_same(&old_spec.child("volumeAttributesClassName")) || !is_used {
        return;
    }
    let what = match class.str() {
        None => "nil",
        Some("") => "empty string",
        Some(_) => return,
    };
    let why = format!(
        "update to {what} is forbidden when status.currentVolumeAttributesClassName is not nil"
    );
    found.forbidden(&class, &why);
}

/// Checks what is said of a claim's volume.
pub(super) fn status(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let (spec, status) = (root.child("spec"), root.child("status"));
    if spec.child("accessModes").len() == 0 {
        let spec = Path::new("Spec");
        found.push(Error::required(&spec.child("accessModes"), ""));
    }
    for (_, amount) in status.child("capacity").entries() {
        volumes::basic(&amount, found);
    }
    let health = status.child("healthStatus");
    for condition in health.child("healthConditions").items() {
        let reason = condition.child("reason");
        if !reason.text().is_empty() && !is_reason(reason.text()) {
            let rule = "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_'";
            let examples = [
                "my_name",
                "MY_NAME",
                "MyName",
                "ReasonA,ReasonB",
                "ReasonA:ReasonB",
            ];
            let form = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?";
            found.invalid(&reason, validate::regex_error(rule, form, &examples));
        }
    }
    let statuses = status.child("allocatedResourceStatuses");
    for (name, state) in statuses.entries() {
        resource_name(statuses.path(), name, found);
        if !RESIZING.contains(&state.text()) {
            found.push(Error::not_supported(statuses.path(), name, RESIZING));
        }
    }
    let allocated = status.child("allocatedResources");
    for (name, amount) in allocated.entries() {
        if resource_name(allocated.path(), name, found) && volumes::basic(&amount, found) {
            quantities::amount_of("storage", &amount, found);
        }
    }
}

fn is_reason(reason: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = reason.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphabetic)
        && bytes.last().is_some_and(|byte| is_word(*byte))
        && bytes
            .iter()
            .all(|byte| is_word(*byte) || matches!(byte, b',' | b':'))
}

fn resource_name(path: &Path<'_>, name: &str, found: &mut Findings) -> bool {
    let before = found.len();
    for why in validate::qualified_name(name) {
        found.push(Error::invalid(path, name, why));
    }
    if found.len() == before && quantities::is_native(name) && name != "storage" {
        found.push(Error::not_supported(path, name, &["storage"]));
    }
    found.len() == before
}
