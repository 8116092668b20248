//! One operation, the parameters it takes, and the path on which it stands with others.

use std::collections::BTreeMap;

use api::{Object, Text, Value};

use super::{
    definitions::{Definitions, object},
    reference,
};
use crate::{Form, Scalar, Shape};

const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";

/// Parameters by place and name; that is the order in which they are written.
pub(super) type Parameters = BTreeMap<(Text, &'static str), Value>;

/// Names and types of query parameters.
pub(super) type Query = [(&'static str, &'static str)];

pub(super) const PRETTY: (&str, &str) = ("pretty", "string");
pub(super) const GET: [(&str, &str); 0] = [];
/// Upstream's builder of custom resources also names the version.
pub(super) const GET_CUSTOM: [(&str, &str); 1] = [("resourceVersion", "string")];
pub(super) const LIST: [(&str, &str); 11] = [
    ("allowWatchBookmarks", "boolean"),
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("shardSelector", "string"),
    ("timeoutSeconds", "integer"),
    ("watch", "boolean"),
];
pub(super) const WRITE: [(&str, &str); 3] = [
    ("dryRun", "string"),
    ("fieldManager", "string"),
    ("fieldValidation", "string"),
];
pub(super) const PATCH: [(&str, &str); 4] = [
    ("dryRun", "string"),
    ("fieldManager", "string"),
    ("fieldValidation", "string"),
    ("force", "boolean"),
];
pub(super) const DELETE: [(&str, &str); 5] = [
    ("dryRun", "string"),
    ("gracePeriodSeconds", "integer"),
    (
        "ignoreStoreReadErrorWithClusterBreakingPotential",
        "boolean",
    ),
    ("orphanDependents", "boolean"),
    ("propagationPolicy", "string"),
];
pub(super) const DELETE_MANY: [(&str, &str); 14] = [
    ("continue", "string"),
    ("dryRun", "string"),
    ("fieldSelector", "string"),
    ("gracePeriodSeconds", "integer"),
    (
        "ignoreStoreReadErrorWithClusterBreakingPotential",
        "boolean",
    ),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("orphanDependents", "boolean"),
    ("propagationPolicy", "string"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("shardSelector", "string"),
    ("timeoutSeconds", "integer"),
];

/// What an answer holds.
#[derive(Clone)]
pub(super) enum Answer {
    /// An object of this definition.
    Of(Text),
    /// Text.
    Text,
}

/// One operation.
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) tag: Text,
    pub(super) id: String,
    pub(super) description: String,
    /// `x-kubernetes-action`; pages have none.
    pub(super) action: Option<&'static str>,
    /// Group, version and kind, where there is one.
    pub(super) gvk: Option<Value>,
    pub(super) parameters: Parameters,
    /// Media types and the definition of the body, and whether there must be one.
    pub(super) body: Option<(&'static [&'static str], Text, bool)>,
    /// Codes of success besides 200.
    pub(super) codes: &'static [u16],
    pub(super) types: &'static [&'static str],
    pub(super) answer: Answer,
}

impl Operation {
    /// Returns the operation as it is written, with these parameters of its own.
    fn write(self, own: Vec<Value>) -> Value {
        let mut responses = Object::default();
        let mut answer = |code: &'static str, text: &'static str, has_content: bool| {
            let mut response = Object::default();
            if has_content {
                let content = content(self.types, &self.answer);
                response.push(Text::const_new("content"), content);
            }
            response.push(Text::const_new("description"), Value::from(text));
            responses.push(Text::const_new(code), Value::Object(response));
        };
        answer("200", "OK", true);
        for code in self.codes {
            match code {
                201 => answer("201", "Created", true),
                _ => answer("202", "Accepted", true),
            }
        }
        answer("401", "Unauthorized", false);
        let mut out = Object::default();
        let mut put = |name: &'static str, value: Value| out.push(Text::const_new(name), value);
        put("description", Value::string(self.description));
        put("operationId", Value::string(self.id));
        if !own.is_empty() {
            put("parameters", Value::Array(own));
        }
        if let Some((types, name, required)) = self.body {
            let mut body = Object::default();
            body.push(
                Text::const_new("content"),
                content(types, &Answer::Of(name)),
            );
            if required {
                body.push(Text::const_new("required"), Value::Bool(true));
            }
            put("requestBody", Value::Object(body));
        }
        put("responses", Value::Object(responses));
        put("tags", Value::Array(vec![Value::String(self.tag)]));
        if let Some(action) = self.action {
            put("x-kubernetes-action", Value::from(action));
        }
        if let Some(gvk) = self.gvk {
            put(super::GVK, gvk);
        }
        Value::Object(out)
    }
}

/// Writes the operations of one path; what all of them take stands beside them.
pub(super) fn item(operations: Vec<Operation>) -> Value {
    let mut shared: Parameters = operations
        .first()
        .map(|first| first.parameters.clone())
        .unwrap_or_default();
    shared.retain(|key, value| {
        let mut all = operations.iter();
        all.all(|operation| operation.parameters.get(key) == Some(value))
    });
    let mut out = Object::default();
    for mut operation in operations {
        operation
            .parameters
            .retain(|key, _| !shared.contains_key(key));
        let own = std::mem::take(&mut operation.parameters);
        let method = operation.method;
        let own = own.into_values().collect();
        out.push(Text::const_new(method), operation.write(own));
    }
    if !shared.is_empty() {
        let shared = shared.into_values().collect();
        out.push(Text::const_new("parameters"), Value::Array(shared));
    }
    out.sort();
    Value::Object(out)
}

fn content(types: &[&str], answer: &Answer) -> Value {
    let schema = || match answer {
        Answer::Of(name) => reference(name),
        Answer::Text => object([("type", Value::from("string"))]),
    };
    let one = |kind: &&str| (Text::new(kind), object([("schema", schema())]));
    let mut content: Object = types.iter().map(one).collect();
    content.sort();
    Value::Object(content)
}

/// Adds query parameters; what the options of a delete say of a name is said here too.
pub(super) fn query(into: &mut Parameters, names: &Query, definitions: &Definitions<'_>) {
    let about = definitions.about(DELETE_OPTIONS);
    for (name, kind) in names {
        add(into, name, "query", kind, about.field(name).as_deref());
    }
}

/// Adds the fields of an options object as query parameters.
pub(super) fn options(into: &mut Parameters, shape: &Shape) {
    let Form::Struct(fields) = &shape.node().form else {
        return;
    };
    for field in &fields.fields {
        let mut node = shape.part(field.shape);
        if let Form::List { item, .. } = &shape.table().node(field.shape).form {
            node = shape.part(*item);
        }
        let kind = match &node.node().form {
            Form::Scalar(Scalar::Bool) => "boolean",
            Form::Scalar(Scalar::Int32 | Scalar::Int64 | Scalar::Integer) => "integer",
            Form::Scalar(Scalar::String) => "string",
            // Neither times nor objects go into a query.
            _ => continue,
        };
        if !matches!(&*field.name, "kind" | "apiVersion") {
            add(into, &field.name, "query", kind, None);
        }
    }
}

/// Adds a parameter that is part of the path.
pub(super) fn in_path(into: &mut Parameters, name: &str, description: Option<&str>) {
    add(into, name, "path", "string", description);
}

fn add(
    into: &mut Parameters,
    name: &str,
    place: &'static str,
    kind: &'static str,
    description: Option<&str>,
) {
    let mut out = Object::default();
    let mut put = |name: &'static str, value: Value| out.push(Text::const_new(name), value);
    if let Some(description) = description {
        put("description", Value::from(description));
    }
    put("in", Value::from(place));
    put("name", Value::from(name));
    if place == "path" {
        put("required", Value::Bool(true));
    }
    put(
        "schema",
        object([
            ("type", Value::from(kind)),
            ("uniqueItems", Value::Bool(true)),
        ]),
    );
    into.insert((Text::new(name), place), Value::Object(out));
}
