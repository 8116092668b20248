//! The body of a write: bytes to a tree in the normal form of what is expected.
//!
//! Source: k8s.io/apiserver, pkg/endpoints/handlers/{create,update,rest}.go (texts).

use api::{GroupVersion, Status, Value, json, quote::quote};
use schema::{Shape, Unknown, proto, strict_errors, strict_errors_in_order};

use crate::{
    Call,
    request::{BodyType, options::FieldValidation},
};

/// How much of a body that nobody understands is told.
const SUMMARY_BYTES: usize = 30;

/// What a body shall be.
pub(crate) struct Expected<'a> {
    /// Group and version.
    pub(crate) group_version: &'a GroupVersion,
    /// Kind.
    pub(crate) kind: &'a str,
    /// Fields.
    pub(crate) shape: &'a Shape,
    /// A custom resource: no protobuf, and the kind is a matter of validation.
    pub(crate) custom: bool,
}

/// Reads the body of a create or an update. Warnings are added to the call.
///
/// # Errors
/// 400 and 415 with upstream's texts.
pub(crate) fn read(call: &mut Call, expected: &Expected<'_>) -> Result<Value, Status> {
    match &call.body_type {
        BodyType::Protobuf if !expected.custom => read_protobuf(call, expected),
        BodyType::Json | BodyType::Yaml => {
            let (value, repeated) = parse(call, expected)?;
            check_type(&value, expected, &call.body)?;
            fit(call, value, repeated, expected)
        }
        _ => Err(unsupported(expected.custom)),
    }
}

/// Returns the 415 that names what a body may be.
fn unsupported(custom: bool) -> Status {
    Status::unsupported_media_type(if custom {
        "application/json, application/yaml"
    } else {
        "application/json, application/yaml, application/vnd.kubernetes.protobuf"
    })
}

fn read_protobuf(call: &Call, expected: &Expected<'_>) -> Result<Value, Status> {
    let envelope = proto::read_envelope(&call.body)
        .map_err(|error| unrecognized(expected, &error.to_string(), &call.body))?;
    let kind = if envelope.kind.is_empty() {
        expected.kind
    } else {
        &envelope.kind
    };
    let api_version = envelope.api_version.as_str();
    check_names(api_version, kind, expected)?;
    let mut value = proto::read_object(expected.shape, &envelope)
        .map_err(|error| cannot_be_handled(kind, expected, &error.to_string()))?;
    set_type(&mut value, expected);
    // What has no body on the wire is still written in JSON: one normal form for all.
    schema::decode(expected.shape, &mut value, &mut Unknown::ignore())
        .map_err(|error| cannot_be_handled(kind, expected, &error.to_string()))?;
    Ok(value)
}

/// What a body says twice.
pub(crate) enum Repeated {
    /// Paths of fields of JSON.
    Fields(Vec<String>),
    /// The sentence of the YAML reader.
    Keys(Option<String>),
}

/// Returns the tree, and what is given twice in it.
fn parse(call: &Call, expected: &Expected<'_>) -> Result<(Value, Repeated), Status> {
    if call.body_type == BodyType::Yaml {
        let parsed = api::yaml::read(&call.body)
            .map_err(|error| unrecognized(expected, &error.to_string(), &call.body))?;
        return Ok((parsed.value, Repeated::Keys(parsed.strict)));
    }
    let parsed = json::read(&call.body).map_err(|error| {
        let why = format!("couldn't get version/kind; json parse error: {error}");
        unrecognized(expected, &why, &call.body)
    })?;
    Ok((parsed.value, Repeated::Fields(parsed.duplicates)))
}

/// Checks what the object says it is.
fn check_type(value: &Value, expected: &Expected<'_>, body: &[u8]) -> Result<(), Status> {
    if value.as_object().is_none() {
        let why = format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}",
            value.type_name()
        );
        return Err(unrecognized(expected, &why, body));
    }
    let text = |name| value.str_at(&[name]).unwrap_or_default();
    check_names(text("apiVersion"), text("kind"), expected)
}

fn check_names(api_version: &str, kind: &str, expected: &Expected<'_>) -> Result<(), Status> {
    let found = if api_version.is_empty() {
        expected.group_version.clone()
    } else {
        GroupVersion::parse(api_version).ok_or_else(|| {
            let why = format!("unexpected GroupVersion string: {api_version}");
            Status::bad_request(why)
        })?
    };
    if found != *expected.group_version {
        return Err(Status::bad_request(format!(
            "the API version in the data ({found}) does not match the expected API version ({})",
            expected.group_version
        )));
    }
    if !kind.is_empty() && kind != expected.kind && !expected.custom {
        let version = &expected.group_version.version;
        let why = format!(
            "converting ({version}.{kind}) to ({version}.{}): unknown conversion",
            expected.kind
        );
        return Err(cannot_be_handled(kind, expected, &why));
    }
    Ok(())
}

/// Brings a tree into the normal form of what is expected, and tells about fields it does not know.
///
/// # Errors
/// 400 for values of the wrong type, and for unknown fields if the caller is strict.
pub(crate) fn fit(
    call: &mut Call,
    mut value: Value,
    repeated: Repeated,
    expected: &Expected<'_>,
) -> Result<Value, Status> {
    let validation = call.options.field_validation;
    let mut unknown = match validation {
        FieldValidation::Ignore => Unknown::ignore(),
        FieldValidation::Warn | FieldValidation::Strict => Unknown::collect(),
    };
    set_type(&mut value, expected);
    super::meta::keep_reset(&mut value);
    let kind = value.str_at(&["kind"]).unwrap_or_default().to_owned();
    schema::decode(expected.shape, &mut value, &mut unknown)
        .map_err(|error| cannot_be_handled(&kind, expected, &error.to_string()))?;
    if validation == FieldValidation::Ignore {
        return Ok(value);
    }
    let errors = match repeated {
        // Structs are told about as they are read; of custom resources what is given twice comes
        // first, because they are pruned after they are read.
        Repeated::Fields(fields)
            if !expected.custom && !fields.is_empty() && !unknown.paths().is_empty() =>
        {
            // Decoding took the unknown fields out of the tree; such bodies are rare.
            let parsed = json::read(&call.body).map_err(Status::internal)?;
            strict_errors_in_order(&parsed.value, &fields, &unknown)
        }
        Repeated::Fields(fields) => strict_errors(&fields, &unknown),
        Repeated::Keys(sentence) => {
            let mut errors: Vec<String> = sentence.into_iter().collect();
            errors.extend(strict_errors(&[], &unknown));
            errors
        }
    };
    if errors.is_empty() {
        return Ok(value);
    }
    if validation == FieldValidation::Strict {
        let why = format!("strict decoding error: {}", errors.join(", "));
        return Err(cannot_be_handled(&kind, expected, &why));
    }
    call.warnings
        .extend(errors.iter().flat_map(|error| warnings(error)));
    Ok(value)
}

/// Takes an error of the YAML reader apart into the sentences that are warnings.
fn warnings(error: &str) -> Vec<String> {
    match error.strip_prefix("yaml: unmarshal errors:\n") {
        Some(lines) => lines.lines().map(|line| line.trim().to_owned()).collect(),
        None => vec![error.to_owned()],
    }
}

/// Says what the object is where it does not say so itself.
fn set_type(value: &mut Value, expected: &Expected<'_>) {
    let object = value.make_object();
    for name in ["apiVersion", "kind"] {
        let missing = object
            .get(name)
            .and_then(Value::as_str)
            .is_none_or(str::is_empty);
        if missing {
            let text = match name {
                "kind" => expected.kind.to_owned(),
                _ => expected.group_version.to_string(),
            };
            object.insert(name, Value::string(text));
        }
    }
}

fn cannot_be_handled(kind: &str, expected: &Expected<'_>, why: &str) -> Status {
    Status::bad_request(format!(
        "{kind} in version {} cannot be handled as a {}: {why}",
        quote(&expected.group_version.version),
        expected.kind
    ))
}

fn unrecognized(expected: &Expected<'_>, why: &str, body: &[u8]) -> Status {
    Status::bad_request(format!(
        "the object provided is unrecognized (must be of type {}): {why} ({})",
        expected.kind,
        summary(body)
    ))
}

/// Returns the beginning of a body as upstream shows it.
fn summary(body: &[u8]) -> String {
    let Some(first) = body.first() else {
        return "<empty>".to_owned();
    };
    let cut = &body[..body.len().min(SUMMARY_BYTES)];
    let more = if body.len() > SUMMARY_BYTES {
        " ..."
    } else {
        ""
    };
    let shown = if *first == b'{' {
        String::from_utf8_lossy(cut).into_owned()
    } else {
        cut.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    shown + more
}
