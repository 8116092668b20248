//! Patches: which are taken where, and what they make of an object.
//!
//! Server-side apply is no patch of an object but a wish of its own: see `write/managers.rs`.

use api::{
    Cause, GroupVersion, Status, Text, Value,
    json::{self, JsonError},
};
use schema::{
    DecodeError, Unknown,
    patch::{PatchError, json_patch, merge, strategic},
    strict_errors,
};

use crate::{
    Call,
    registry::Resource,
    request::{BodyType, PatchType, options::FieldValidation},
    write::body::{Expected, claim},
};

/// A patch, read once; it may be applied in several rounds.
pub(crate) struct Patch {
    kind: PatchType,
    value: Value,
    /// What strict reading says of the patch itself.
    strict: Vec<String>,
}

impl Patch {
    /// Reads the patch of a request.
    ///
    /// # Errors
    /// 415 for a type that this kind does not take, 400 for a patch that is not understood.
    pub(crate) fn read(call: &Call, resource: &Resource) -> Result<Self, Status> {
        let custom = resource.kind().traits.custom;
        let kind = match call.body_type {
            BodyType::Patch(PatchType::StrategicMerge) if custom => {
                return Err(unsupported(custom));
            }
            BodyType::Patch(kind) if kind != PatchType::Apply => kind,
            _ => return Err(unsupported(custom)),
        };
        let (parsed, number) = json::read_unbounded(&call.body)
            .map_err(|_| Status::bad_request("invalid JSON patch"))?;
        if let Some(JsonError::Number { text, .. }) = number {
            let unmarshal = format!("json: cannot unmarshal number {text} into Go");
            return Err(Status::bad_request(match kind {
                PatchType::Json => format!(
                    "error decoding patch: {unmarshal} struct field jsonPatchOp.value of type float64"
                ),
                PatchType::StrategicMerge => format!("{unmarshal} value of type float64"),
                PatchType::Merge | PatchType::Apply => {
                    format!("error decoding patch: {unmarshal} value of type float64")
                }
            }));
        }
        let mut strict = Vec::new();
        if call.options.field_validation != FieldValidation::Ignore {
            strict = strict_errors(&parsed.duplicates, &Unknown::ignore());
            if kind == PatchType::Json {
                strict = strict.iter().map(|e| format!("json patch {e}")).collect();
                strict.extend(json_patch::strict_errors(&parsed.value));
            }
        }
        // Upstream reads a map out of it only to find what is given twice, and then merges as before.
        if kind == PatchType::Merge && !matches!(parsed.value, Value::Object(_) | Value::Null) {
            return Err(Status::bad_request(format!(
                "error decoding patch: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
                parsed.value.go_type_name()
            )));
        }
        Ok(Self {
            kind,
            value: parsed.value,
            strict,
        })
    }

    /// Applies the patch to an object of this shape and brings the result into normal form.
    ///
    /// # Errors
    /// The patch's refusal; 422 if the result does not fit the shape.
    pub(crate) fn apply(
        &self,
        call: &mut Call,
        expected: &Expected<'_>,
        mut object: Value,
    ) -> Result<Value, Status> {
        let shape = expected.shape;
        let patch = || self.value.clone();
        match self.kind {
            PatchType::Json => json_patch::apply(&mut object, &self.value),
            PatchType::Merge => merge::apply(&mut object, patch()),
            PatchType::StrategicMerge => strategic::apply(shape, &mut object, patch()),
            PatchType::Apply => Err(PatchError::Broken("apply is no merge".to_owned())),
        }
        .map_err(|error| error.status())?;
        self.fit(call, expected, object)
    }

    fn fit(
        &self,
        call: &mut Call,
        expected: &Expected<'_>,
        mut object: Value,
    ) -> Result<Value, Status> {
        let validation = call.options.field_validation;
        let mut unknown = match validation {
            FieldValidation::Ignore => Unknown::ignore(),
            _ => Unknown::collect(),
        };
        crate::write::meta::keep_reset(&mut object);
        let shown = match self.kind {
            // Upstream prints its map of the patch, or the patched object.
            PatchType::StrategicMerge => None,
            PatchType::Merge => Some(sorted_by_merge(object.clone(), &self.value)),
            _ => {
                let mut object = object.clone();
                sort_by_steps(&mut object, &self.value);
                Some(object)
            }
        };
        let refuse = |why: String| {
            let mut text = Vec::new();
            match &shown {
                Some(object) => json::write(object, &mut text),
                None => text.extend_from_slice(api::quote::go_value(&self.value).as_bytes()),
            }
            let text = String::from_utf8_lossy(&text).into_owned();
            invalid(&text, &why)
        };
        if object.as_object().is_none() {
            return Err(refuse(format!(
                "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
                object.go_type_name()
            )));
        }
        if self.kind != PatchType::StrategicMerge
            && let Some(why) = misfit(&object, expected, call)
        {
            return Err(refuse(why));
        }
        schema::decode(expected.shape, &mut object, &mut unknown).map_err(|error| {
            refuse(match self.kind {
                PatchType::StrategicMerge => unrestored(&error),
                _ => error.to_string(),
            })
        })?;
        if validation == FieldValidation::Ignore {
            return Ok(object);
        }
        let mut errors = self.strict.clone();
        errors.extend(strict_errors(&[], &unknown));
        if errors.is_empty() {
            return Ok(object);
        }
        if validation == FieldValidation::Strict {
            return Err(refuse(format!(
                "strict decoding error: {}",
                errors.join(", ")
            )));
        }
        call.warnings.extend(errors);
        Ok(object)
    }
}

/// Returns what a merge has made of an object as upstream prints it: what was opened on the way
/// comes out with its fields sorted, the rest as it lay.
fn sorted_by_merge(object: Value, patch: &Value) -> Value {
    match (object, patch) {
        (Value::Object(fields), Value::Object(patch)) => {
            let mut fields: Vec<(Text, Value)> = fields
                .iter()
                .map(|(name, value)| {
                    let value = value.clone();
                    let value = match patch.get(name) {
                        Some(patch) => sorted_by_merge(value, patch),
                        None => value,
                    };
                    (Text::new(name), value)
                })
                .collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(fields.into_iter().collect())
        }
        (Value::Array(items), Value::Array(patch)) if items.len() == patch.len() => {
            let items = items.into_iter().zip(patch);
            let items = items.map(|(item, patch)| sorted_by_merge(item, patch));
            Value::Array(items.collect())
        }
        (object, _) => object,
    }
}

/// Sorts the fields of what the steps of a JSON patch open, as upstream prints them.
fn sort_by_steps(object: &mut Value, steps: &Value) {
    sort_fields(object);
    for step in steps.as_array().unwrap_or_default() {
        for pointer in ["path", "from"] {
            let Some(pointer) = step.str_at(&[pointer]) else {
                continue;
            };
            let mut names: Vec<String> = pointer.split('/').skip(1).map(unescaped).collect();
            names.pop();
            let mut at = Some(&mut *object);
            for name in &names {
                at = at.and_then(|value| match value {
                    Value::Array(items) => items.get_mut(name.parse::<usize>().ok()?),
                    other => other.at_mut(&[name]),
                });
                if let Some(opened) = at.as_deref_mut() {
                    sort_fields(opened);
                }
            }
        }
    }
}

fn unescaped(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

fn sort_fields(value: &mut Value) {
    if let Value::Object(fields) = value {
        let mut sorted: Vec<(Text, Value)> = fields
            .iter()
            .map(|(name, value)| (Text::new(name), value.clone()))
            .collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        *fields = sorted.into_iter().collect();
    }
}

/// Says why the result of a patch is no object of the kind any more, if it says so itself.
fn misfit(object: &Value, expected: &Expected<'_>, call: &Call) -> Option<String> {
    if expected.custom {
        return None;
    }
    let heads = match claim::Heads::of(object.as_object()?) {
        Ok(heads) => heads,
        Err(why) => {
            return Some(format!(
                "couldn't get version/kind; json parse error: {why}"
            ));
        }
    };
    let found = match heads.api_version {
        "" => expected.group_version.clone(),
        text => match GroupVersion::parse(text) {
            Some(found) => found,
            None => return Some(format!("unexpected GroupVersion string: {text}")),
        },
    };
    claim::misfit(&found, heads.kind, expected, &call.table)
}

/// Says that a value has the wrong type in the words of the converter that reads a patched map.
///
/// Source: k8s.io/apimachinery, pkg/runtime/converter.go.
fn unrestored(error: &DecodeError) -> String {
    let DecodeError::Type { found, wanted, .. } = error else {
        return error.to_string();
    };
    let kind = match found.split_once(' ').unwrap_or((found, "")) {
        ("array", _) => "slice",
        ("object", _) => "map",
        ("number", text) if text.contains(['.', 'e', 'E']) => "float64",
        ("number", _) => "int64",
        (other, _) => other,
    };
    match (kind, wanted.as_str()) {
        // What Go would convert, but not keep the meaning of.
        ("int64", "string") | ("float64", "int32" | "int64") => {
            return format!("cannot convert {kind} to {wanted}");
        }
        (_, "string" | "bool" | "int32" | "int64" | "float64") => {
            return format!("unrecognized type: {wanted}");
        }
        _ => {}
    }
    match wanted.as_str() {
        wanted if wanted.starts_with("[]") => format!("cannot restore slice from {kind}"),
        wanted if wanted.starts_with("map[") => format!("cannot restore map from {kind}"),
        _ => format!("cannot restore struct from: {kind}"),
    }
}

/// Returns the 422 of a patch whose result is no object of the kind; upstream names no kind in it.
fn invalid(shown: &str, why: &str) -> Status {
    let cause = Cause {
        reason: Text::const_new("FieldValueInvalid"),
        message: format!("Invalid value: {}: {why}", api::quote::quote(shown)),
        field: "patch".to_owned(),
    };
    Status::invalid("", "", "", vec![cause])
}

fn accepted(custom: bool) -> &'static str {
    if custom {
        "application/json-patch+json, application/merge-patch+json"
    } else {
        "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json"
    }
}

fn unsupported(custom: bool) -> Status {
    Status::unsupported_media_type(&format!(
        "{}, application/apply-patch+yaml",
        accepted(custom)
    ))
}
