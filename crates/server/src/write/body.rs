//! The body of a write: bytes to a tree in the normal form of what is expected.
//!
//! Source: k8s.io/apiserver, pkg/endpoints/handlers/{create,update,rest}.go (texts).

pub(crate) mod claim;

use api::{
    GroupVersion, Status, Value,
    json::{self, JsonError},
    quote::quote,
    yaml::YamlError,
};
use schema::{DecodeError, Shape, Unknown, proto, strict_errors, strict_errors_in_order};

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
            let parsed = parse(call, expected)?;
            claim::check(&parsed.value, expected, call)?;
            fit(call, parsed, expected)
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
    // A version that cannot be read is as good as none here.
    let api_version = match GroupVersion::parse(&envelope.api_version) {
        Some(_) => envelope.api_version.as_str(),
        None => "",
    };
    claim::check_names(api_version, kind, expected, call)?;
    let version = &expected.group_version.version;
    let mut value = proto::read_object(expected.shape, &envelope)
        .map_err(|error| cannot_be_handled(kind, version, expected, &error.to_string()))?;
    set_type(&mut value, expected);
    Ok(value)
}

/// A body in JSON or YAML, as it was read.
pub(crate) struct Parsed {
    value: Value,
    repeated: Repeated,
    /// The first number that no float holds.
    number: Option<JsonError>,
}

/// What a body says twice.
enum Repeated {
    /// Paths of fields of JSON.
    Fields(Vec<String>),
    /// The sentence of the YAML reader.
    Keys(Option<String>),
}

fn parse(call: &Call, expected: &Expected<'_>) -> Result<Parsed, Status> {
    let refuse = |why: &str| unrecognized(expected, why, &call.body);
    let (mut value, repeated, number) = if call.body_type == BodyType::Yaml {
        let parsed = api::yaml::read(&call.body).map_err(|error| match error {
            YamlError::Json(error) => refuse(&no_type(&error)),
            error => refuse(&error.to_string()),
        })?;
        (parsed.value, Repeated::Keys(parsed.strict), None)
    } else {
        let read = json::read_unbounded(&call.body);
        let (parsed, number) = read.map_err(|error| refuse(&no_type(&error)))?;
        (parsed.value, Repeated::Fields(parsed.duplicates), number)
    };
    // Nothing is an object of which nothing is said.
    if value.is_null() && !expected.custom {
        value.make_object();
    }
    if let Some(error) = &number
        && expected.custom
    {
        let version = &expected.group_version.version;
        let why = error.to_string();
        return Err(cannot_be_handled(expected.kind, version, expected, &why));
    }
    Ok(Parsed {
        value,
        repeated,
        number,
    })
}

fn no_type(error: &JsonError) -> String {
    format!("couldn't get version/kind; json parse error: {error}")
}

/// Brings a tree into the normal form of what is expected, and tells about fields it does not know.
///
/// # Errors
/// 400 for values of the wrong type, and for unknown fields if the caller is strict.
fn fit(call: &mut Call, parsed: Parsed, expected: &Expected<'_>) -> Result<Value, Status> {
    let Parsed {
        mut value,
        repeated,
        number,
    } = parsed;
    let validation = call.options.field_validation;
    let mut unknown = match validation {
        FieldValidation::Ignore => Unknown::ignore(),
        FieldValidation::Warn | FieldValidation::Strict => Unknown::collect(),
    };
    set_type(&mut value, expected);
    super::meta::keep_reset(&mut value);
    let kind = value.str_at(&["kind"]).unwrap_or_default().to_owned();
    let refuse =
        |why: &str| cannot_be_handled(&kind, &expected.group_version.version, expected, why);
    decode(call, expected.shape, &mut value, &mut unknown)
        .map_err(|error| refuse(&error.to_string()))?;
    // A number too large matters only where it is kept.
    if let Some(error) = number
        && has_infinity(&value)
    {
        return Err(refuse(&error.to_string()));
    }
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
            let (parsed, _) = json::read_unbounded(&call.body).map_err(Status::internal)?;
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
        return Err(refuse(&why));
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

/// Decodes a tree; if the body is JSON, numbers are quoted from it.
fn decode(
    call: &Call,
    shape: &Shape,
    value: &mut Value,
    unknown: &mut Unknown,
) -> Result<(), DecodeError> {
    match call.body_type {
        BodyType::Json => schema::decode_body(shape, value, &call.body, unknown),
        _ => schema::decode(shape, value, unknown),
    }
}

fn has_infinity(value: &Value) -> bool {
    match value {
        Value::Float(number) => number.is_infinite(),
        Value::Array(items) => items.iter().any(has_infinity),
        Value::Object(object) => object.iter().any(|(_, value)| has_infinity(value)),
        _ => false,
    }
}

fn cannot_be_handled(kind: &str, version: &str, expected: &Expected<'_>, why: &str) -> Status {
    Status::bad_request(format!(
        "{kind} in version {} cannot be handled as a {}: {why}",
        quote(version),
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
