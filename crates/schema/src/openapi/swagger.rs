//! The one document of OpenAPI v2, made of all those of v3.
//!
//! v2 cannot say everything: defaults, nullable values and alternatives are left out, and where
//! kubectl would refuse what the server takes, so are the parts of a schema. The rules are those of
//! k8s.io/apiextensions-apiserver, pkg/controller/openapi/v2.

use std::collections::BTreeMap;

use api::{Object, Text, Value};

use super::{
    GVK, Release,
    custom::{EMBEDDED, KEEPS, flag},
    definitions::object,
    paths::ANYTHING,
    written::{Part, parts, write_frame},
};

const REFERENCE_V3: &str = "#/components/schemas/";
const REFERENCE_V2: &str = "#/definitions/";

/// Media types in the order in which upstream lists them.
const TYPES: [&str; 12] = [
    "text/plain",
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/json;stream=watch",
    "application/vnd.kubernetes.protobuf;stream=watch",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "application/jwk-set+json",
    "*/*",
];

/// Gathers v3 documents into one of v2.
#[derive(Debug, Default)]
pub struct Swagger {
    definitions: BTreeMap<Text, Part>,
    paths: BTreeMap<Text, Part>,
}

impl Swagger {
    /// Adds what a v3 document says. A definition that several documents have is the same in all;
    /// the kinds that it stands for are put together.
    pub fn add(&mut self, document: Value) {
        self.take(document, Part::Tree);
    }

    /// As [`Swagger::add`], for one of many documents: what it says is written at once, which takes
    /// a tenth of the memory of its tree.
    pub fn add_written(&mut self, document: Value) {
        self.take(document, |value| Part::written(&value));
    }

    fn take(&mut self, document: Value, keep: impl Fn(Value) -> Part) {
        let (paths, schemas) = parts(document);
        for (path, item) in paths {
            self.paths.insert(path, keep(path_item(item)));
        }
        for (name, mut schema) in schemas {
            if let Some(known) = self.definitions.get_mut(&name) {
                known.change(|known| join_kinds(known, &mut schema));
                continue;
            }
            self.definitions.insert(name, keep(definition(schema)));
        }
    }

    /// Returns the v2 document as JSON.
    #[must_use]
    pub fn write(mut self, release: &Release) -> Vec<u8> {
        let paths = std::mem::take(&mut self.paths);
        let definitions = std::mem::take(&mut self.definitions);
        let frame = [("paths", &paths), ("definitions", &definitions)];
        let Value::Object(empty) = self.finish(release) else {
            return Vec::new();
        };
        write_frame(&empty, &frame)
    }

    /// Returns the v2 document.
    #[must_use]
    pub fn finish(self, release: &Release) -> Value {
        let token = object([
            ("description", Value::from("Bearer Token authentication")),
            ("type", Value::from("apiKey")),
            ("name", Value::from("authorization")),
            ("in", Value::from("header")),
        ]);
        let all = |all: BTreeMap<Text, Part>| {
            let all = all.into_iter().map(|(name, part)| (name, part.tree()));
            Value::Object(Object::from_unique(all.collect()))
        };
        object([
            ("swagger", Value::from("2.0")),
            (
                "info",
                object([
                    ("title", Value::from("Kubernetes")),
                    ("version", Value::String(release.0.clone())),
                ]),
            ),
            ("paths", all(self.paths)),
            ("definitions", all(self.definitions)),
            ("securityDefinitions", object([("BearerToken", token)])),
            (
                "security",
                Value::Array(vec![object([("BearerToken", Value::Array(Vec::new()))])]),
            ),
        ])
    }
}

/// Adds the kinds for which another document's definition stands.
fn join_kinds(known: &mut Value, more: &mut Value) {
    let (Some(Value::Array(known)), Some(Value::Array(more))) =
        (known.get_mut(GVK), more.get_mut(GVK))
    else {
        return;
    };
    for one in more.drain(..) {
        if !known.contains(&one) {
            known.push(one);
        }
    }
}

/// Returns a definition as v2 has it.
fn definition(schema: Value) -> Value {
    let Value::Object(mut schema) = schema else {
        return schema;
    };
    // A kind that takes what it does not know says nothing at all, or kubectl would refuse it.
    if flag(&schema, KEEPS) && schema.contains(GVK) {
        schema.retain(|name, _| {
            matches!(name, "type" | "x-kubernetes-selectable-fields") || name == GVK
        });
        return Value::Object(schema);
    }
    // Quantities and what may be a number or a string are strings here.
    let is_either = schema.contains("oneOf") && !schema.contains("type");
    let mut schema = lower(schema);
    if is_either && !schema.contains("properties") {
        schema.push(Text::const_new("type"), Value::from("string"));
    }
    Value::Object(schema)
}

fn lower_value(schema: Value) -> Value {
    match schema {
        Value::Object(schema) => Value::Object(lower(schema)),
        other => other,
    }
}

fn lower(mut schema: Object) -> Object {
    if let Some(reference) = only_reference(&mut schema) {
        schema.push(Text::const_new("$ref"), reference);
    }
    let keeps = flag(&schema, KEEPS);
    let nullable = flag(&schema, "nullable");
    for name in ["default", "nullable", "allOf", "anyOf", "oneOf", "not"] {
        schema.remove(name);
    }
    if nullable || keeps {
        schema.remove("items");
        schema.remove("properties");
    }
    let kind = schema
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if nullable || (kind == "array" && !schema.contains("items")) || (kind == "object" && keeps) {
        schema.remove("type");
    }
    if keeps && flag(&schema, EMBEDDED) {
        // They came with the parts that are not published.
        without(&mut schema, |name| matches!(name, "kind" | "apiVersion"));
    }
    let can_be_null = |part: &Value| part.get("nullable").and_then(Value::as_bool) == Some(true);
    if schema.get("additionalProperties").is_some_and(can_be_null) {
        schema.remove("required");
    }
    if let Some(Value::Object(parts)) = schema.get("properties") {
        let nullable = parts.iter().filter(|(_, part)| can_be_null(part));
        let nullable: Vec<Text> = nullable.map(|(name, _)| Text::new(name)).collect();
        without(&mut schema, |name| nullable.iter().any(|one| one == name));
    }
    for (name, value) in schema.iter_mut() {
        match (name, value) {
            ("items" | "additionalProperties", part @ Value::Object(_)) => {
                *part = lower_value(std::mem::take(part));
            }
            ("properties", Value::Object(parts)) => {
                for (_, part) in parts.iter_mut() {
                    *part = lower_value(std::mem::take(part));
                }
            }
            ("$ref", Value::String(target)) => rename(target),
            _ => {}
        }
    }
    schema
}

/// Takes out the reference beside which v3 says more.
fn only_reference(schema: &mut Object) -> Option<Value> {
    let Some(Value::Array(all_of)) = schema.get_mut("allOf") else {
        return None;
    };
    let [Value::Object(only)] = all_of.as_mut_slice() else {
        return None;
    };
    only.remove("$ref")
}

fn rename(target: &mut Text) {
    if let Some(name) = target.strip_prefix(REFERENCE_V3) {
        *target = Text::from(format!("{REFERENCE_V2}{name}"));
    }
}

/// Takes names out of what is required.
fn without(schema: &mut Object, goes: impl Fn(&str) -> bool) {
    let Some(Value::Array(required)) = schema.get_mut("required") else {
        return;
    };
    required.retain(|name| !name.as_str().is_some_and(&goes));
    if required.is_empty() {
        schema.remove("required");
    }
}

fn path_item(item: Value) -> Value {
    let Value::Object(mut item) = item else {
        return item;
    };
    for (name, value) in item.iter_mut() {
        let taken = std::mem::take(value);
        *value = match name {
            "parameters" => parameters(taken),
            _ => operation(taken),
        };
    }
    Value::Object(item)
}

fn operation(operation: Value) -> Value {
    let Value::Object(mut operation) = operation else {
        return operation;
    };
    let answers = operation.get("responses").and_then(|all| all.get("200"));
    let produces = types_of(answers.and_then(|answer| answer.get("content")));
    let mut own = match operation.remove("parameters") {
        Some(own) => parameters(own),
        None => Value::Array(Vec::new()),
    };
    let (consumes, body) = match operation.remove("requestBody") {
        Some(Value::Object(mut body)) => {
            let content = body.remove("content");
            let types = types_of(content.as_ref());
            let mut parameter =
                object([("name", Value::from("body")), ("in", Value::from("body"))]);
            if let Value::Object(parameter) = &mut parameter {
                if flag(&body, "required") {
                    parameter.push(Text::const_new("required"), Value::Bool(true));
                }
                if let Some(schema) = content.and_then(schema_of) {
                    parameter.push(Text::const_new("schema"), schema);
                }
            }
            (types, Some(parameter))
        }
        _ if operation.contains("x-kubernetes-action") && !is_custom(&produces) => {
            (ANYTHING.map(Text::const_new).to_vec(), None)
        }
        // Pages take what they give, except those about tokens.
        _ if produces.len() > 1 || is_version(&operation) => (produces.clone(), None),
        _ => (Vec::new(), None),
    };
    if let (Value::Array(own), Some(body)) = (&mut own, body) {
        own.insert(0, body);
    }
    if let Some(Value::Object(responses)) = operation.get_mut("responses") {
        for (_, response) in responses.iter_mut() {
            if let Value::Object(response) = response
                && let Some(schema) = response.remove("content").and_then(schema_of)
            {
                response.push(Text::const_new("schema"), schema);
            }
        }
    }
    let mut put = |name: &'static str, value: Value| {
        if !matches!(&value, Value::Array(all) if all.is_empty()) {
            operation.push(Text::const_new(name), value);
        }
    };
    put("parameters", own);
    put("consumes", texts(consumes));
    put("produces", texts(produces));
    put("schemes", Value::Array(vec![Value::from("https")]));
    Value::Object(operation)
}

fn is_version(operation: &Object) -> bool {
    operation.get("operationId").and_then(Value::as_str) == Some("getCodeVersion")
}

/// Returns whether these are the types of a custom resource.
fn is_custom(types: &[Text]) -> bool {
    types
        .iter()
        .all(|one| matches!(&**one, "application/json" | "application/yaml"))
}

fn texts(all: Vec<Text>) -> Value {
    Value::Array(all.into_iter().map(Value::String).collect())
}

fn types_of(content: Option<&Value>) -> Vec<Text> {
    let names = content.and_then(Value::as_object).into_iter();
    let names = names.flat_map(|content| content.iter().map(|(name, _)| Text::new(name)));
    let mut names: Vec<Text> = names.collect();
    let rank = |name: &Text| TYPES.iter().position(|one| name == one);
    names.sort_by_key(|name| rank(name).unwrap_or(TYPES.len()));
    names
}

/// Takes the schema out of a content; it is the same for all media types.
fn schema_of(content: Value) -> Option<Value> {
    let Value::Object(mut content) = content else {
        return None;
    };
    let (_, first) = content.fields_mut().first_mut()?;
    let Value::Object(first) = first else {
        return None;
    };
    first.remove("schema").map(lower_value)
}

/// Returns parameters as v2 has them, with the type beside the name.
fn parameters(all: Value) -> Value {
    let Value::Array(mut all) = all else {
        return all;
    };
    for one in &mut all {
        if let Value::Object(one) = one
            && let Some(Value::Object(mut schema)) = one.remove("schema")
        {
            for (name, value) in schema.fields_mut().drain(..) {
                one.push(name, value);
            }
        }
    }
    Value::Array(all)
}

#[cfg(test)]
mod tests {
    use api::{Value, json};

    use super::definition;

    #[track_caller]
    fn check(schema: &str, expected: &str) {
        let read = |text: &str| json::read(text.as_bytes()).expect("it is JSON").value;
        let sorted = |mut value: Value| {
            if let Value::Object(fields) = &mut value {
                fields.sort();
            }
            value
        };
        let mut out = Vec::new();
        json::write(&sorted(definition(read(schema))), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn says_less_where_kubectl_would_refuse() {
        check(
            r#"{"type":"string","nullable":true,"description":"d"}"#,
            r#"{"description":"d"}"#,
        );
        check(
            r#"{"required":["a","b"],"properties":{"a":{"nullable":true,"type":"array","items":{}}}}"#,
            r#"{"properties":{"a":{}},"required":["b"]}"#,
        );
        check(
            r#"{"type":"object","required":["a"],"additionalProperties":{"type":"string","nullable":true}}"#,
            r#"{"additionalProperties":{},"type":"object"}"#,
        );
        check(
            r#"{"type":"object","x-kubernetes-preserve-unknown-fields":true,"properties":{"a":{}}}"#,
            r#"{"x-kubernetes-preserve-unknown-fields":true}"#,
        );
        check(r#"{"type":"array"}"#, "{}");
    }

    #[test]
    fn says_nothing_of_kinds_that_keep_what_they_do_not_know() {
        check(
            r#"{"type":"object","description":"d","x-kubernetes-preserve-unknown-fields":true,"x-kubernetes-group-version-kind":[]}"#,
            r#"{"type":"object","x-kubernetes-group-version-kind":[]}"#,
        );
    }

    #[test]
    fn refers_without_detour() {
        check(
            r##"{"properties":{"a":{"description":"d","default":{},"allOf":[{"$ref":"#/components/schemas/x"}]}}}"##,
            r##"{"properties":{"a":{"description":"d","$ref":"#/definitions/x"}}}"##,
        );
        check(
            r#"{"format":"int-or-string","oneOf":[{"type":"integer"},{"type":"string"}]}"#,
            r#"{"format":"int-or-string","type":"string"}"#,
        );
    }
}
