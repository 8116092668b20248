//! The metadata of any object, on create and on update.
//!
//! Source of the words: apimachinery's api/validation/objectmeta.go.

use api::{
    GroupVersion, Value,
    field::{Error, Path},
    meta::Meta,
    names::validate::{NameRule, dns1123_label, label_value, qualified_name},
    quote,
};

use crate::Scope;

/// How many bytes all annotations of an object may take together, keys included.
pub const ANNOTATIONS_BYTES_MAX: usize = 256 * 1024;

/// How many characters the name of a field manager may have.
const MANAGER_LENGTH_MAX: usize = 128;

/// How many characters the name of a subresource may have in managed fields.
const SUBRESOURCE_LENGTH_MAX: usize = 256;

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

/// Returns what is wrong with the metadata of a new object.
#[must_use]
pub fn create(object: &Value, scope: Scope, rule: NameRule) -> Vec<Error> {
    let path = Path::new("metadata");
    let mut errors = Vec::new();
    names(&Meta::of(object), scope, rule, &path, &mut errors);
    rest(&Meta::of(object), &path, &mut errors);
    finalizers(&Meta::of(object), &path, &mut errors);
    managed_fields(&Meta::of(object), &path, &mut errors);
    errors
}

/// Returns what is wrong with the metadata of an object inside another.
pub(super) fn embedded(metadata: &Value, rule: NameRule, path: &Path<'_>) -> Vec<Error> {
    let mut holder = api::Object::default();
    holder.push(api::Text::const_new("metadata"), metadata.clone());
    let holder = Value::Object(holder);
    let meta = Meta::of(&holder);
    let mut errors = Vec::new();
    let scope = if meta.namespace().is_empty() {
        Scope::Cluster
    } else {
        Scope::Namespaced
    };
    names(&meta, scope, rule, path, &mut errors);
    // An embedded object, such as a template, needs no name.
    errors.retain(|error| error.detail != "name or generateName is required");
    rest(&meta, path, &mut errors);
    finalizers(&meta, path, &mut errors);
    managed_fields(&meta, path, &mut errors);
    errors
}

fn names(meta: &Meta<'_>, scope: Scope, rule: NameRule, path: &Path<'_>, errors: &mut Vec<Error>) {
    let (name, prefix) = (meta.name(), meta.generate_name());
    if !prefix.is_empty() {
        let place = path.child("generateName");
        let texts = rule.check_prefix(prefix);
        errors.extend(
            texts
                .into_iter()
                .map(|text| Error::invalid(&place, prefix, text)),
        );
    }
    let place = path.child("name");
    if name.is_empty() {
        errors.push(Error::required(&place, "name or generateName is required"));
    } else {
        let texts = rule.check(name);
        errors.extend(
            texts
                .into_iter()
                .map(|text| Error::invalid(&place, name, text)),
        );
    }
    let (place, namespace) = (path.child("namespace"), meta.namespace());
    match (scope, namespace.is_empty()) {
        (Scope::Namespaced, true) => errors.push(Error::required(&place, "")),
        (Scope::Namespaced, false) => {
            let texts = dns1123_label(namespace);
            errors.extend(
                texts
                    .into_iter()
                    .map(|text| Error::invalid(&place, namespace, text)),
            );
        }
        (Scope::Cluster, true) => {}
        (Scope::Cluster, false) => {
            errors.push(Error::forbidden(&place, "not allowed on this type"))
        }
    }
}

/// Returns what is wrong with the metadata of an object that becomes another.
#[must_use]
pub fn update(object: &Value, old_object: &Value) -> Vec<Error> {
    let path = Path::new("metadata");
    let (meta, old) = (Meta::of(object), Meta::of(old_object));
    let mut errors = Vec::new();
    if old.is_leaving() {
        let mut extra: Vec<&str> = meta
            .finalizers()
            .filter(|name| !old.has_finalizer(name))
            .collect();
        extra.sort_unstable();
        extra.dedup();
        if !extra.is_empty() {
            let names: Vec<String> = extra.iter().map(|name| quote::quote(name)).collect();
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                names.join(", ")
            );
            errors.push(Error::forbidden(&path.child("finalizers"), detail));
        }
    }
    if meta.resource_version().is_empty() {
        let place = path.child("resourceVersion");
        errors.push(Error::invalid(
            &place,
            "",
            "must be specified for an update",
        ));
    }
    if meta.generation() < old.generation() {
        let place = path.child("generation");
        errors.push(Error::invalid(
            &place,
            meta.generation(),
            "must not be decremented",
        ));
    }
    let immutable = [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ];
    for name in immutable {
        let of = |meta: &Meta<'_>| meta.get(name).cloned().unwrap_or_default();
        let (new, before) = (of(&meta), of(&old));
        if new != before {
            let texts = matches!(name, "name" | "namespace" | "uid");
            let shown = if texts && new.is_null() {
                Value::from("")
            } else {
                new
            };
            errors.push(Error::invalid(
                &path.child(name),
                &shown,
                "field is immutable",
            ));
        }
    }
    rest(&meta, &path, &mut errors);
    managed_fields(&meta, &path, &mut errors);
    errors
}

/// Checks what is checked on create and on update.
fn rest(meta: &Meta<'_>, path: &Path<'_>, errors: &mut Vec<Error>) {
    if meta.generation() < 0 {
        let place = path.child("generation");
        let detail = "must be greater than or equal to 0";
        errors.push(Error::invalid(&place, meta.generation(), detail));
    }
    let labels = path.child("labels");
    for (name, value) in meta.labels() {
        let texts = qualified_name(name);
        errors.extend(
            texts
                .into_iter()
                .map(|text| Error::invalid(&labels, name, text)),
        );
        let texts = label_value(value);
        errors.extend(
            texts
                .into_iter()
                .map(|text| Error::invalid(&labels, value, text)),
        );
    }
    let annotations = path.child("annotations");
    let mut bytes = 0;
    for (name, value) in meta.annotations() {
        bytes += name.len() + value.len();
        let texts = qualified_name(&name.to_lowercase());
        errors.extend(
            texts
                .into_iter()
                .map(|text| Error::invalid(&annotations, name, text)),
        );
    }
    if bytes > ANNOTATIONS_BYTES_MAX {
        errors.push(Error::too_long(&annotations, ANNOTATIONS_BYTES_MAX));
    }
    owners(meta, path, errors);
}

fn owners(meta: &Meta<'_>, path: &Path<'_>, errors: &mut Vec<Error>) {
    let path = path.child("ownerReferences");
    let references = meta.get("ownerReferences");
    let mut controller: Option<String> = None;
    for (place, reference) in references
        .and_then(Value::as_array)
        .unwrap_or_default()
        .iter()
        .enumerate()
    {
        let here = path.index(place);
        let text = |name: &str| reference.str_at(&[name]).unwrap_or_default();
        let version = text("apiVersion");
        let parsed = GroupVersion::parse(version).filter(|parsed| !parsed.version.is_empty());
        if version.is_empty() {
            errors.push(Error::required(
                &here.child("apiVersion"),
                "must not be empty",
            ));
        } else if parsed.is_none() {
            let detail = "must be <group>/<version> or <version>";
            errors.push(Error::invalid(&here.child("apiVersion"), version, detail));
        }
        for name in ["kind", "name", "uid"] {
            if text(name).is_empty() {
                errors.push(Error::required(&here.child(name), "must not be empty"));
            }
        }
        if version == "v1" && text("kind") == "Event" {
            let detail = "/v1, Kind=Event is disallowed from being an owner";
            errors.push(Error::invalid(&here, reference, detail));
        }
        if reference.get("controller").and_then(Value::as_bool) == Some(true) {
            let current = format!("{}/{}", text("kind"), text("name"));
            match (&controller, references) {
                (Some(first), Some(all)) => errors.push(Error::invalid(
                    &path,
                    all,
                    format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {current}"
                    ),
                )),
                _ => controller = Some(current),
            }
        }
    }
}

fn finalizers(meta: &Meta<'_>, path: &Path<'_>, errors: &mut Vec<Error>) {
    let path = path.child("finalizers");
    for name in meta.finalizers() {
        let texts = qualified_name(name);
        errors.extend(
            texts
                .into_iter()
                .map(|text| Error::invalid(&path, name, text)),
        );
    }
    if meta.has_finalizer(ORPHAN)
        && meta.has_finalizer(FOREGROUND)
        && let Some(all) = meta.get("finalizers")
    {
        let detail = format!("finalizer {ORPHAN} and {FOREGROUND} cannot be both set");
        errors.push(Error::invalid(&path, all, detail));
    }
}

fn managed_fields(meta: &Meta<'_>, path: &Path<'_>, errors: &mut Vec<Error>) {
    let path = path.child("managedFields");
    for (place, entry) in meta.managed_fields().iter().enumerate() {
        let here = path.index(place);
        let text = |name: &str| entry.str_at(&[name]).unwrap_or_default();
        match text("operation") {
            "" => errors.push(Error::required(
                &here.child("operation"),
                "must not be empty",
            )),
            "Apply" | "Update" => {}
            other => errors.push(Error::not_supported(
                &here.child("operation"),
                other,
                &["Apply", "Update"],
            )),
        }
        let fields_type = text("fieldsType");
        if !fields_type.is_empty() && fields_type != "FieldsV1" {
            let detail = "must be `FieldsV1`";
            errors.push(Error::invalid(
                &here.child("fieldsType"),
                fields_type,
                detail,
            ));
        }
        errors.extend(manager(text("manager"), &here.child("manager")));
        if text("subresource").len() > SUBRESOURCE_LENGTH_MAX {
            errors.push(Error::too_long(
                &here.child("subresource"),
                SUBRESOURCE_LENGTH_MAX,
            ));
        }
    }
}

/// Returns what is wrong with the name of a field manager.
#[must_use]
pub fn manager(name: &str, path: &Path<'_>) -> Vec<Error> {
    let mut errors = Vec::new();
    if name.len() > MANAGER_LENGTH_MAX {
        errors.push(Error::too_long(path, MANAGER_LENGTH_MAX));
    }
    for (place, letter) in name.char_indices() {
        if !quote::is_printable(letter) {
            let code = u32::from(letter);
            let detail = format!("invalid character U+{code:04X} (at position {place})");
            errors.push(Error::invalid(path, name, detail));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::{create, update};
    use crate::Scope;
    use api::{Value, field::Error, json, names::validate::NameRule};

    fn read(text: &str) -> Value {
        let text = format!(r#"{{"metadata":{text}}}"#);
        json::read(text.as_bytes()).expect("it is JSON").value
    }

    fn print(errors: &[Error]) -> String {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        texts.join("; ")
    }

    #[test]
    fn of_new_objects() {
        let check = |text: &str, expected: &str| {
            let errors = create(&read(text), Scope::Namespaced, NameRule::Subdomain);
            assert_eq!(print(&errors), expected);
        };
        check(r#"{"name":"a","namespace":"b"}"#, "");
        check(
            r#"{"namespace":"b"}"#,
            "metadata.name: Required value: name or generateName is required",
        );
        check(r#"{"name":"a"}"#, "metadata.namespace: Required value");
        check(
            r#"{"name":"a","namespace":"b","generation":-1}"#,
            "metadata.generation: Invalid value: -1: must be greater than or equal to 0",
        );
        check(
            r#"{"name":"a","namespace":"b","finalizers":["orphan","foregroundDeletion"]}"#,
            r#"metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set"#,
        );
        check(
            r#"{"name":"a","namespace":"b","ownerReferences":[{"apiVersion":"a/b/c","kind":"K","name":"n","uid":"u"},{"apiVersion":"v1","kind":"Event"}]}"#,
            r#"metadata.ownerReferences[0].apiVersion: Invalid value: "a/b/c": must be <group>/<version> or <version>; metadata.ownerReferences[1].name: Required value: must not be empty; metadata.ownerReferences[1].uid: Required value: must not be empty; metadata.ownerReferences[1]: Invalid value: {"apiVersion":"v1","kind":"Event"}: /v1, Kind=Event is disallowed from being an owner"#,
        );
        check(
            r#"{"name":"a","namespace":"b","managedFields":[{"manager":"m","operation":"Guess","fieldsType":"x"}]}"#,
            r#"metadata.managedFields[0].operation: Unsupported value: "Guess": supported values: "Apply", "Update"; metadata.managedFields[0].fieldsType: Invalid value: "x": must be `FieldsV1`"#,
        );
        let big = "x".repeat(super::ANNOTATIONS_BYTES_MAX);
        check(
            &format!(r#"{{"name":"a","namespace":"b","annotations":{{"k":"{big}"}}}}"#),
            "metadata.annotations: Too long: may not be more than 262144 bytes",
        );
        let cluster = create(
            &read(r#"{"name":"a","namespace":"b"}"#),
            Scope::Cluster,
            NameRule::Any,
        );
        assert_eq!(
            print(&cluster),
            "metadata.namespace: Forbidden: not allowed on this type"
        );
    }

    #[test]
    fn of_changed_objects() {
        let check = |old: &str, new: &str, expected: &str| {
            assert_eq!(print(&update(&read(new), &read(old))), expected);
        };
        let old = r#"{"name":"a","uid":"u","resourceVersion":"1","generation":2}"#;
        check(old, old, "");
        check(
            old,
            r#"{"name":"b","generation":1}"#,
            r#"metadata.resourceVersion: Invalid value: "": must be specified for an update; metadata.generation: Invalid value: 1: must not be decremented; metadata.name: Invalid value: "b": field is immutable; metadata.uid: Invalid value: "": field is immutable"#,
        );
        check(
            r#"{"resourceVersion":"1","deletionTimestamp":"2026-01-01T00:00:00Z","finalizers":["a/b"]}"#,
            r#"{"resourceVersion":"1","deletionTimestamp":"2026-01-01T00:00:00Z","finalizers":["a/b","c/d"]}"#,
            r#"metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"c/d"}"#,
        );
    }
}
