//! Definitions of custom resources, from the schemas in their CRDs.

use api::{Object, Text, Value};

use super::{
    Resource,
    definitions::{Definitions, object},
    reference,
};
use crate::KindVersion;

const API_VERSION: &str = "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources";
const KIND: &str = "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";

/// Defines a custom resource and its list; returns the name of the first.
pub(super) fn define(
    resource: &Resource<'_>,
    version: &KindVersion,
    definitions: &mut Definitions,
) -> Text {
    let group_version = &version.group_version;
    let names = &resource.kind.names;
    let name = name_of(&group_version.group, &group_version.version, &names.kind);
    let meta = definitions.object_meta();
    let mut schema = match resource.schema {
        Some(Value::Object(schema)) => schema.clone(),
        _ => Object::default(),
    };
    if schema.is_empty() {
        // Without a schema anything goes.
        let keeps = Text::const_new("x-kubernetes-preserve-unknown-fields");
        schema.push(keeps, Value::Bool(true));
    }
    schema.insert("type", Value::from("object"));
    let text = |description: &'static str| {
        object([
            ("description", Value::from(description)),
            ("type", Value::from("string")),
        ])
    };
    let properties = schema.entry("properties").make_object();
    properties.insert("apiVersion", text(API_VERSION));
    properties.insert("kind", text(KIND));
    let all_of = Value::Array(vec![reference(&meta)]);
    let described = Value::from(
        "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
    );
    properties.insert(
        "metadata",
        object([("allOf", all_of), ("description", described)]),
    );
    properties.sort();
    schema.sort();
    definitions.add(name.clone(), Value::Object(schema));
    definitions.mark(&name, group_version, &names.kind);

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
        ("items", reference(&name)),
        ("type", Value::from("array")),
    ]);
    let list_metadata = object([
        ("allOf", Value::Array(vec![reference(&list_meta)])),
        (
            "description",
            Value::from(
                "Standard list metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds",
            ),
        ),
    ]);
    let definition = object([
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
                ("metadata", list_metadata),
            ]),
        ),
        ("required", Value::Array(vec![Value::from("items")])),
        ("type", Value::from("object")),
    ]);
    definitions.add(list.clone(), definition);
    definitions.mark(&list, group_version, &names.list_kind);
    name
}

/// Returns the name of a custom resource's definition: `com.example.stable.v1.CronTab`.
pub(super) fn name_of(group: &str, version: &str, kind: &str) -> Text {
    let mut parts: Vec<&str> = group.split('.').rev().collect();
    parts.extend([version, kind]);
    Text::from(parts.join("."))
}
