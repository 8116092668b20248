//! The rules of `metadata` that all kinds share, with upstream's sentences.
//!
//! Source: k8s.io/apimachinery, pkg/api/validation/objectmeta.go and meta/v1/validation.

use super::Meta;
use crate::{
    GroupVersion, Object, Value,
    field::{Error, Path, Shown},
    names::validate::{self, NameRule},
    quote::quote,
};

/// Most bytes that the annotations of one object may have together.
pub const ANNOTATIONS_BYTES_MAX: usize = 256 * 1024;
/// Most bytes of the subresource in an entry of `managedFields`.
const SUBRESOURCE_LEN_MAX: usize = 256;
/// Most bytes of a field manager's name.
const MANAGER_LEN_MAX: usize = 128;

const IMMUTABLE: &str = "field is immutable";

/// Whether objects of a kind lie in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// They do.
    Namespaced,
    /// They do not.
    Cluster,
}

/// Checks the metadata of an object that is created.
#[must_use]
pub fn create(object: &Value, scope: Scope, rule: NameRule, path: &Path<'_>) -> Vec<Error> {
    let meta = Meta::of(object);
    let mut errors = Vec::new();
    let generate_name = meta.generate_name();
    if !generate_name.is_empty() {
        let place = path.child("generateName");
        for sentence in rule.check_prefix(generate_name) {
            errors.push(Error::invalid(&place, generate_name, sentence));
        }
    }
    let place = path.child("name");
    if meta.name().is_empty() {
        errors.push(Error::required(&place, "name or generateName is required"));
    } else {
        for sentence in rule.check(meta.name()) {
            errors.push(Error::invalid(&place, meta.name(), sentence));
        }
    }
    check_namespace(&meta, scope, path, &mut errors);
    check_common(&meta, path, &mut errors);
    check_finalizers(&meta, path, &mut errors);
    errors
}

/// Checks the metadata of an object that is changed.
#[must_use]
pub fn update(object: &Value, old: &Value, path: &Path<'_>) -> Vec<Error> {
    let (meta, old) = (Meta::of(object), Meta::of(old));
    let mut errors = Vec::new();
    if old.is_leaving() {
        check_new_finalizers(&meta, &old, path, &mut errors);
    }
    if meta.resource_version().is_empty() {
        let place = path.child("resourceVersion");
        errors.push(Error::invalid(
            &place,
            "",
            "must be specified for an update",
        ));
    }
    let place = path.child("generation");
    if meta.generation() < old.generation() {
        errors.push(Error::invalid(
            &place,
            meta.generation(),
            "must not be decremented",
        ));
    }
    for name in ["name", "namespace", "uid"] {
        let text = |meta: &Meta<'_>| {
            meta.get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        if text(&meta) != text(&old) {
            errors.push(Error::invalid(&path.child(name), &text(&meta), IMMUTABLE));
        }
    }
    for name in [
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        let value = |meta: &Meta<'_>| meta.get(name).cloned().unwrap_or_default();
        if value(&meta) != value(&old) {
            errors.push(Error::invalid(&path.child(name), &value(&meta), IMMUTABLE));
        }
    }
    check_common(&meta, path, &mut errors);
    errors
}

fn check_namespace(meta: &Meta<'_>, scope: Scope, path: &Path<'_>, errors: &mut Vec<Error>) {
    let place = path.child("namespace");
    let namespace = meta.namespace();
    match scope {
        Scope::Namespaced if namespace.is_empty() => errors.push(Error::required(&place, "")),
        Scope::Namespaced => {
            for sentence in validate::dns1123_label(namespace) {
                errors.push(Error::invalid(&place, namespace, sentence));
            }
        }
        Scope::Cluster if namespace.is_empty() => {}
        Scope::Cluster => errors.push(Error::forbidden(&place, "not allowed on this type")),
    }
}

fn check_common(meta: &Meta<'_>, path: &Path<'_>, errors: &mut Vec<Error>) {
    let place = path.child("generation");
    if meta.generation() < 0 {
        let rule = "must be greater than or equal to 0";
        errors.push(Error::invalid(&place, meta.generation(), rule));
    }
    labels(meta.labels(), &path.child("labels"), errors);
    annotations(meta.annotations(), &path.child("annotations"), errors);
    check_owners(meta, &path.child("ownerReferences"), errors);
    check_managed_fields(meta, &path.child("managedFields"), errors);
}

/// Checks a set of labels.
pub fn labels<'a>(
    labels: impl Iterator<Item = (&'a str, &'a str)>,
    path: &Path<'_>,
    errors: &mut Vec<Error>,
) {
    for (key, value) in labels {
        for sentence in validate::qualified_name(key) {
            errors.push(Error::invalid(path, key, sentence));
        }
        for sentence in validate::label_value(value) {
            errors.push(Error::invalid(path, value, sentence));
        }
    }
}

/// Checks a set of annotations.
pub fn annotations<'a>(
    annotations: impl Iterator<Item = (&'a str, &'a str)>,
    path: &Path<'_>,
    errors: &mut Vec<Error>,
) {
    let mut bytes = 0;
    for (key, value) in annotations {
        bytes += key.len() + value.len();
        for sentence in validate::qualified_name(&key.to_lowercase()) {
            errors.push(Error::invalid(path, key, sentence));
        }
    }
    if bytes > ANNOTATIONS_BYTES_MAX {
        errors.push(Error::too_long(path, ANNOTATIONS_BYTES_MAX));
    }
}

fn check_owners(meta: &Meta<'_>, path: &Path<'_>, errors: &mut Vec<Error>) {
    let mut controller: Option<String> = None;
    for (index, owner) in meta.owner_references().enumerate() {
        let place = path.index(index);
        let child = place.child("apiVersion");
        let group_version = GroupVersion::parse(owner.api_version);
        if owner.api_version.is_empty() {
            errors.push(Error::required(&child, "must not be empty"));
        } else if group_version.is_none_or(|parsed| parsed.version.is_empty()) {
            let rule = "must be <group>/<version> or <version>";
            errors.push(Error::invalid(&child, owner.api_version, rule));
        }
        for (name, text) in [
            ("kind", owner.kind),
            ("name", owner.name),
            ("uid", owner.uid),
        ] {
            if text.is_empty() {
                errors.push(Error::required(&place.child(name), "must not be empty"));
            }
        }
        if owner.api_version == "v1" && owner.kind == "Event" {
            let rule = "/v1, Kind=Event is disallowed from being an owner";
            errors.push(Error::invalid(&place, &reference(meta, index), rule));
        }
        if !owner.controller {
            continue;
        }
        let name = format!("{}/{}", owner.kind, owner.name);
        match &controller {
            None => controller = Some(name),
            Some(first) => {
                let rule = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {name}"
                );
                let all = meta.get("ownerReferences").cloned().unwrap_or_default();
                errors.push(Error::invalid(path, &all, rule));
            }
        }
    }
}

fn reference(meta: &Meta<'_>, index: usize) -> Value {
    let items = meta.get("ownerReferences").and_then(Value::as_array);
    items
        .and_then(|items| items.get(index))
        .cloned()
        .unwrap_or_default()
}

fn check_finalizers(meta: &Meta<'_>, path: &Path<'_>, errors: &mut Vec<Error>) {
    let place = path.child("finalizers");
    for name in meta.finalizers() {
        for sentence in validate::qualified_name(name) {
            errors.push(Error::invalid(&place, name, sentence));
        }
    }
    if meta.has_finalizer("orphan") && meta.has_finalizer("foregroundDeletion") {
        let all = meta.get("finalizers").cloned().unwrap_or_default();
        let rule = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.push(Error::invalid(&place, &all, rule));
    }
}

fn check_new_finalizers(meta: &Meta<'_>, old: &Meta<'_>, path: &Path<'_>, errors: &mut Vec<Error>) {
    let mut added: Vec<&str> = meta
        .finalizers()
        .filter(|name| !old.has_finalizer(name))
        .collect();
    if added.is_empty() {
        return;
    }
    added.sort_unstable();
    added.dedup();
    let quoted: Vec<String> = added.into_iter().map(quote).collect();
    let rule = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
        quoted.join(", ")
    );
    errors.push(Error::forbidden(&path.child("finalizers"), rule));
}

fn check_managed_fields(meta: &Meta<'_>, path: &Path<'_>, errors: &mut Vec<Error>) {
    for (index, entry) in meta.managed_fields().iter().enumerate() {
        let place = path.index(index);
        let text = |name| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        let child = place.child("operation");
        match text("operation") {
            "" => errors.push(Error::required(&child, "must not be empty")),
            "Apply" | "Update" => {}
            other => errors.push(Error::not_supported(&child, other, &["Apply", "Update"])),
        }
        let fields_type = text("fieldsType");
        if !fields_type.is_empty() && fields_type != "FieldsV1" {
            let child = place.child("fieldsType");
            errors.push(Error::invalid(&child, fields_type, "must be `FieldsV1`"));
        }
        field_manager(text("manager"), &place.child("manager"), errors);
        if text("subresource").len() > SUBRESOURCE_LEN_MAX {
            errors.push(Error::too_long(
                &place.child("subresource"),
                SUBRESOURCE_LEN_MAX,
            ));
        }
    }
}

/// Checks the name of a field manager.
pub fn field_manager(name: &str, path: &Path<'_>, errors: &mut Vec<Error>) {
    if name.len() > MANAGER_LEN_MAX {
        errors.push(Error::too_long(path, MANAGER_LEN_MAX));
    }
    for (at, letter) in name.char_indices() {
        if !crate::quote::is_printable(letter) {
            let code = u32::from(letter);
            let rule = format!("invalid character U+{code:04X} (at position {at})");
            errors.push(Error::invalid(path, name, rule));
        }
    }
}

/// Checks a `LabelSelector` object, as kinds that have one do.
#[must_use]
pub fn label_selector(selector: &Value, path: &Path<'_>) -> Vec<Error> {
    let mut errors = Vec::new();
    let matched = selector.get("matchLabels").and_then(Value::as_object);
    let entries = matched.map(Object::fields).unwrap_or_default().iter();
    let place = path.child("matchLabels");
    labels(
        entries.map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default())),
        &place,
        &mut errors,
    );
    let expressions = selector.get("matchExpressions").and_then(Value::as_array);
    let list = path.child("matchExpressions");
    for (index, expression) in expressions.unwrap_or_default().iter().enumerate() {
        check_expression(expression, &list.index(index), &mut errors);
    }
    errors
}

fn check_expression(expression: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
    let text = |name| {
        expression
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let values = expression.get("values").and_then(Value::as_array);
    let values = values.unwrap_or_default();
    let place = path.child("values");
    match text("operator") {
        "In" | "NotIn" if values.is_empty() => {
            let rule = "must be specified when `operator` is 'In' or 'NotIn'";
            errors.push(Error::required(&place, rule));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let rule = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errors.push(Error::forbidden(&place, rule));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        other => {
            let child = path.child("operator");
            errors.push(Error::invalid(
                &child,
                other,
                "not a valid selector operator",
            ));
        }
    }
    let key = text("key");
    for sentence in validate::qualified_name(key) {
        errors.push(Error::invalid(&path.child("key"), key, sentence));
    }
    for (index, value) in values.iter().enumerate() {
        let value = value.as_str().unwrap_or_default();
        for sentence in validate::label_value(value) {
            errors.push(Error::invalid(
                &place.index(index),
                Shown::from(value),
                sentence,
            ));
        }
    }
}
