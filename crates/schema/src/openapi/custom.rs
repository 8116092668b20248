//! Definitions of custom resources, from the schemas in their CRDs.

use api::{Object, Text, Value};

use super::{
    GVK, Resource,
    definitions::{Definitions, object},
    group_version_kind, reference,
};
use crate::KindVersion;

pub(super) const API_VERSION: &str = "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources";
pub(super) const KIND: &str = "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";
const METADATA: &str = "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";
const LIST_METADATA: &str = "Standard list metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";
/// Of an object inside an object.
const EMBEDDED_API_VERSION: &str = "apiVersion defines the versioned schema of this representation of an object. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources";
const EMBEDDED_KIND: &str = "kind is a string value representing the type of this object. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";

pub(super) const KEEPS: &str = "x-kubernetes-preserve-unknown-fields";
pub(super) const EMBEDDED: &str = "x-kubernetes-embedded-resource";
const SELECTABLE: &str = "x-kubernetes-selectable-fields";

/// Defines a custom resource and its list; returns the name of the first.
pub(super) fn define(
    resource: &Resource<'_>,
    version: &KindVersion,
    definitions: &mut Definitions<'_>,
) -> Text {
    let group_version = &version.group_version;
    let names = &resource.kind.names;
    let name = name_of(&group_version.group, &group_version.version, &names.kind);
    let meta = definitions.object_meta();
    let selectable = selectable(version);
    let mut schema = match resource.schema {
        Some(schema @ Value::Object(fields)) if !fields.is_empty() => whole(schema, &meta),
        // Without a schema anything goes, and nothing is said of it.
        _ => Object::default(),
    };
    schema.insert("type", Value::from("object"));
    let gvk = group_version_kind(group_version, &names.kind);
    schema.insert(GVK, Value::Array(vec![gvk]));
    if let Some(selectable) = &selectable {
        schema.insert(SELECTABLE, selectable.clone());
    }
    schema.sort();
    definitions.add(name.clone(), Value::Object(schema));
    define_list(resource, version, &name, selectable, definitions);
    name
}

fn define_list(
    resource: &Resource<'_>,
    version: &KindVersion,
    name: &Text,
    selectable: Option<Value>,
    definitions: &mut Definitions<'_>,
) {
    let group_version = &version.group_version;
    let names = &resource.kind.names;
    let list = name_of(
        &group_version.group,
        &group_version.version,
        &names.list_kind,
    );
    let list_meta = definitions.meta_type("ListMeta");
    let items = object([
        (
            "description",
            Value::string(format!(
                "List of {}. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md",
                names.plural
            )),
        ),
        ("items", reference(name)),
        ("type", Value::from("array")),
    ]);
    let gvk = group_version_kind(group_version, &names.list_kind);
    let mut definition = object([
        (
            "description",
            Value::string(format!("{} is a list of {}", names.list_kind, names.kind)),
        ),
        (
            "properties",
            object([
                ("apiVersion", text(API_VERSION)),
                ("items", items),
                ("kind", text(KIND)),
                ("metadata", described(&list_meta, LIST_METADATA)),
            ]),
        ),
        ("required", Value::Array(vec![Value::from("items")])),
        ("type", Value::from("object")),
        (GVK, Value::Array(vec![gvk])),
    ]);
    if let (Some(selectable), Value::Object(definition)) = (selectable, &mut definition) {
        definition.push(Text::const_new(SELECTABLE), selectable);
    }
    definitions.add(list, definition);
}

/// Returns the schema of whole objects: that of the CRD, with what every object has.
fn whole(schema: &Value, meta: &str) -> Object {
    let Value::Object(mut schema) = published(schema, meta) else {
        return Object::default();
    };
    let properties = schema.entry("properties").make_object();
    properties.insert("apiVersion", text(API_VERSION));
    properties.insert("kind", text(KIND));
    properties.insert("metadata", described(meta, METADATA));
    properties.sort();
    schema
}

/// Returns a part of the schema as it is published: with both types of what may be a number or a
/// string, and with what every object has where a whole object lies inside.
pub(super) fn published(schema: &Value, meta: &str) -> Value {
    let Value::Object(fields) = schema else {
        return schema.clone();
    };
    let mut out = Object::with_capacity(fields.len() + 1);
    for (name, value) in fields.iter() {
        let value = match (name, value) {
            ("items" | "additionalProperties", part) => published(part, meta),
            ("properties", Value::Object(parts)) => {
                let parts = parts.iter();
                let mut parts: Object = parts
                    .map(|(name, part)| (Text::new(name), published(part, meta)))
                    .collect();
                parts.sort();
                Value::Object(parts)
            }
            (_, value) => value.clone(),
        };
        out.push(Text::new(name), value);
    }
    if flag(&out, "x-kubernetes-int-or-string") && !says_either(&out) {
        let either = either();
        if out.contains("anyOf") {
            let all_of = out.entry("allOf");
            if !matches!(all_of, Value::Array(_)) {
                *all_of = Value::Array(Vec::new());
            }
            if let Value::Array(all_of) = all_of {
                all_of.insert(0, object([("anyOf", either)]));
            }
        } else {
            out.push(Text::const_new("anyOf"), either);
        }
    }
    if flag(&out, EMBEDDED) {
        embed(&mut out, meta);
    }
    Value::Object(out)
}

/// Returns whether the two types are named already, in one of the forms that a CRD may use.
fn says_either(schema: &Object) -> bool {
    let either = either();
    let first = schema.get("allOf").and_then(Value::as_array);
    schema.get("anyOf") == Some(&either)
        || first
            .and_then(|all_of| all_of.first()?.get("anyOf"))
            .is_some_and(|any_of| *any_of == either)
}

fn either() -> Value {
    let branch = |name| object([("type", Value::from(name))]);
    Value::Array(vec![branch("integer"), branch("string")])
}

/// Adds what a whole object has.
fn embed(schema: &mut Object, meta: &str) {
    let properties = schema.entry("properties").make_object();
    properties.insert("apiVersion", text(EMBEDDED_API_VERSION));
    properties.insert("kind", text(EMBEDDED_KIND));
    properties.insert("metadata", described(meta, METADATA));
    properties.sort();
    let required = schema.entry("required");
    if !matches!(required, Value::Array(_)) {
        *required = Value::Array(Vec::new());
    }
    if let Value::Array(required) = required {
        for name in ["kind", "apiVersion"] {
            if !required.iter().any(|one| one.as_str() == Some(name)) {
                required.push(Value::from(name));
            }
        }
    }
}

pub(super) fn flag(schema: &Object, name: &str) -> bool {
    schema.get(name).and_then(Value::as_bool) == Some(true)
}

fn selectable(version: &KindVersion) -> Option<Value> {
    if version.selectable.is_empty() {
        return None;
    }
    let fields = version.selectable.iter();
    let fields = fields.map(|field| object([("fieldPath", Value::String(field.label.clone()))]));
    Some(Value::Array(fields.collect()))
}

fn text(description: &'static str) -> Value {
    object([
        ("description", Value::from(description)),
        ("type", Value::from("string")),
    ])
}

fn described(name: &str, description: &'static str) -> Value {
    object([
        ("allOf", Value::Array(vec![reference(name)])),
        ("description", Value::from(description)),
    ])
}

/// Returns the name of a custom resource's definition: `com.example.stable.v1.CronTab`.
pub(super) fn name_of(group: &str, version: &str, kind: &str) -> Text {
    let mut parts: Vec<&str> = group.split('.').rev().collect();
    parts.extend([version, kind]);
    Text::from(parts.join("."))
}
