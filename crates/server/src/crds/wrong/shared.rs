//! What versions may say alike, and how upstream's own form of them is printed.

use api::{Object, Text, Value};
use schema::structural::shown;

/// What versions may say alike, and where upstream then has it.
pub(super) const SHARED: [&str; 4] = [
    "schema",
    "subresources",
    "additionalPrinterColumns",
    "selectableFields",
];

/// Whether all versions say the same in a field.
pub(super) fn is_shared(versions: &[Value], field: &str) -> bool {
    let said = |version| said(version, field);
    let mut versions = versions.iter();
    let first = versions.next().and_then(said);
    versions.all(|version| said(version) == first)
}

fn said<'a>(version: &'a Value, field: &str) -> Option<&'a Value> {
    let is_empty = |said: &Value| {
        matches!(said, Value::Null) || said.as_array().is_some_and(<[Value]>::is_empty)
    };
    version.get(field).filter(|said| !is_empty(said))
}

/// Versions as upstream's own form has them: without what they share.
pub(super) fn shown_versions(versions: Option<&Value>) -> Value {
    let Some(versions) = versions.and_then(Value::as_array) else {
        return Value::Null;
    };
    let fields = [
        ("name", "Name", Value::from("")),
        ("served", "Served", Value::Bool(false)),
        ("storage", "Storage", Value::Bool(false)),
        ("deprecated", "Deprecated", Value::Bool(false)),
        ("deprecationWarning", "DeprecationWarning", Value::Null),
        ("schema", "Schema", Value::Null),
        ("subresources", "Subresources", Value::Null),
        (
            "additionalPrinterColumns",
            "AdditionalPrinterColumns",
            Value::Null,
        ),
        ("selectableFields", "SelectableFields", Value::Null),
    ];
    let shown = versions.iter().map(|version| {
        let fields = fields.iter().map(|(json, go, none)| {
            let is_shared = SHARED.contains(json) && is_shared(versions, json);
            let said = version.get(json).filter(|_| !is_shared);
            let said = said.map_or_else(|| none.clone(), |said| shown_field(json, said));
            (Text::from(*go), said)
        });
        Value::Object(Object::from_unique(fields.collect()))
    });
    Value::Array(shown.collect())
}

/// Shows a field of a version with Go's names.
fn shown_field(name: &str, said: &Value) -> Value {
    let object = |fields: Vec<(&'static str, Value)>| {
        let fields = fields
            .into_iter()
            .map(|(name, value)| (Text::from(name), value));
        Value::Object(Object::from_unique(fields.collect()))
    };
    let text = |value: &Value, name: &str| Value::string(value.str_at(&[name]).unwrap_or_default());
    let list = |make: &dyn Fn(&Value) -> Value| {
        let items = said.as_array().unwrap_or_default();
        Value::Array(items.iter().map(make).collect())
    };
    match name {
        "schema" => {
            let schema = said
                .get("openAPIV3Schema")
                .map_or(Value::Null, shown::schema);
            object(vec![("OpenAPIV3Schema", schema)])
        }
        "subresources" => {
            let scale = said.get("scale").map_or(Value::Null, |scale| {
                let selector = scale.get("labelSelectorPath").cloned().unwrap_or_default();
                object(vec![
                    ("SpecReplicasPath", text(scale, "specReplicasPath")),
                    ("StatusReplicasPath", text(scale, "statusReplicasPath")),
                    ("LabelSelectorPath", selector),
                ])
            });
            let status = said.get("status").cloned().unwrap_or_default();
            object(vec![("Status", status), ("Scale", scale)])
        }
        "additionalPrinterColumns" => list(&|column| {
            let priority = column.get("priority").cloned();
            object(vec![
                ("Name", text(column, "name")),
                ("Type", text(column, "type")),
                ("Format", text(column, "format")),
                ("Description", text(column, "description")),
                ("Priority", priority.unwrap_or(Value::Int(0))),
                ("JSONPath", text(column, "jsonPath")),
            ])
        }),
        "selectableFields" => list(&|field| object(vec![("JSONPath", text(field, "jsonPath"))])),
        _ => said.clone(),
    }
}
