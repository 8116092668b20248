//! Patches: which are taken where, and what they make of an object.
//!
//! Server-side apply is no patch of an object but a wish of its own: see `write/managers.rs`.

use api::{Cause, Status, Text, Value, json};
use schema::{
    Shape, Unknown,
    patch::{PatchError, json_patch, merge, strategic},
    strict_errors,
};

use crate::{
    Call,
    registry::Resource,
    request::{BodyType, PatchType, options::FieldValidation},
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
        let parsed =
            json::read(&call.body).map_err(|_| Status::bad_request("invalid JSON patch"))?;
        let mut strict = Vec::new();
        if call.options.field_validation != FieldValidation::Ignore {
            strict = strict_errors(&parsed.duplicates, &Unknown::ignore());
            if kind == PatchType::Json {
                strict = strict.iter().map(|e| format!("json patch {e}")).collect();
                strict.extend(json_patch::strict_errors(&parsed.value));
            }
        }
        if kind == PatchType::Merge && parsed.value.as_object().is_none() {
            return Err(Status::bad_request(format!(
                "error decoding patch: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
                parsed.value.type_name()
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
        shape: &Shape,
        mut object: Value,
    ) -> Result<Value, Status> {
        let patch = || self.value.clone();
        match self.kind {
            PatchType::Json => json_patch::apply(&mut object, &self.value),
            PatchType::Merge => merge::apply(&mut object, patch()),
            PatchType::StrategicMerge => strategic::apply(shape, &mut object, patch()),
            PatchType::Apply => Err(PatchError::Broken("apply is no merge".to_owned())),
        }
        .map_err(|error| error.status())?;
        self.fit(call, shape, object)
    }

    fn fit(&self, call: &mut Call, shape: &Shape, mut object: Value) -> Result<Value, Status> {
        let validation = call.options.field_validation;
        let mut unknown = match validation {
            FieldValidation::Ignore => Unknown::ignore(),
            _ => Unknown::collect(),
        };
        crate::write::meta::keep_reset(&mut object);
        let shown = match self.kind {
            // Upstream prints its map of the patch, or the patched object.
            PatchType::StrategicMerge => None,
            _ => Some(object.clone()),
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
                object.type_name()
            )));
        }
        schema::decode(shape, &mut object, &mut unknown)
            .map_err(|error| refuse(error.to_string()))?;
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
