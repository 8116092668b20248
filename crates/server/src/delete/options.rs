//! DeleteOptions: how an object shall leave, from a body or a query.

use api::{
    Cause, GroupVersion, Status, Text, Value,
    json::{self, JsonError},
    quote::quote,
    yaml::YamlError,
};
use schema::proto;

use crate::{Call, request::BodyType, write::body::claim};

/// What becomes of the objects that the deleted one owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// They are deleted afterwards.
    Background,
    /// They are deleted before.
    Foreground,
    /// They stay.
    Orphan,
}

/// How an object shall leave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeleteOptions {
    pub(crate) grace_seconds: Option<i64>,
    /// The object must have this uid.
    pub(crate) uid: Option<Text>,
    /// The object must be at this version.
    pub(crate) resource_version: Option<Text>,
    pub(crate) orphan_dependents: Option<bool>,
    pub(crate) propagation_policy: Option<Text>,
    pub(crate) dry_run: bool,
    dry_run_words: Vec<Text>,
}

impl DeleteOptions {
    /// Returns options that let an object leave only as it was at this revision.
    pub(crate) fn at(revision: store::Revision) -> Self {
        Self {
            resource_version: Some(Text::from(revision.to_string())),
            ..Self::default()
        }
    }

    /// Reads the options of a request: of its body if it has one, else of its query.
    ///
    /// # Errors
    /// 400 and 415 for a body that is not understood.
    pub(crate) fn read(call: &Call) -> Result<Self, Status> {
        if call.body.is_empty() {
            let options = &call.options;
            return Ok(Self {
                grace_seconds: options.grace_period_seconds,
                propagation_policy: options.propagation_policy.clone(),
                orphan_dependents: options.orphan_dependents,
                dry_run: options.dry_run,
                ..Self::default()
            });
        }
        match call.body_type {
            BodyType::Protobuf => Self::from_protobuf(&call.body),
            BodyType::Json => {
                let (parsed, _) = json::read_unbounded(&call.body)
                    .map_err(|error| Status::bad_request(no_type(&error)))?;
                Self::from_body(&parsed.value, Some(&call.body))
            }
            BodyType::Yaml => {
                let parsed = api::yaml::read(&call.body).map_err(|error| {
                    Status::bad_request(match error {
                        YamlError::Json(error) => no_type(&error),
                        error => error.to_string(),
                    })
                })?;
                Self::from_body(&parsed.value, None)
            }
            _ => Err(Status::unsupported_media_type(
                "application/json, application/yaml, application/vnd.kubernetes.protobuf",
            )),
        }
    }

    /// Reads options that are a body of their own.
    fn from_body(value: &Value, body: Option<&[u8]>) -> Result<Self, Status> {
        if value.is_null() {
            return Ok(Self::default());
        }
        if value.as_object().is_none() {
            return Err(Status::bad_request(format!(
                "couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}",
                value.go_type_name()
            )));
        }
        let object = value.as_object();
        let heads = object.map(claim::Heads::of).transpose();
        let heads = heads.map_err(|why| {
            Status::bad_request(format!(
                "couldn't get version/kind; json parse error: {why}"
            ))
        })?;
        if let Some(heads) = heads {
            check_type(heads.api_version, heads.kind)?;
        }
        Self::from_fields(value, body)
    }

    /// Reads options that stand in an object.
    ///
    /// # Errors
    /// 400 for what is not understood.
    pub(crate) fn from_value(value: &Value) -> Result<Self, Status> {
        Self::from_fields(value, None)
    }

    fn from_fields(value: &Value, body: Option<&[u8]>) -> Result<Self, Status> {
        let text = |path: &[&str]| value.str_at(path).map(Text::new);
        let wrong = |name: &str, found: &Value, wanted: &str| {
            let written = body.and_then(|body| json::written(body, &[json::Step::Name(name)]));
            let found = match (found, wanted, written) {
                (Value::Int(_) | Value::Float(_), "int64", Some(text)) => format!("number {text}"),
                (found, ..) => found.go_type_name().to_owned(),
            };
            Status::bad_request(format!(
                "json: cannot unmarshal {found} into Go struct field DeleteOptions.{name} of type {wanted}"
            ))
        };
        let grace_seconds = match value.get("gracePeriodSeconds") {
            None | Some(Value::Null) => None,
            Some(Value::Int(seconds)) => Some(*seconds),
            Some(found) => return Err(wrong("gracePeriodSeconds", found, "int64")),
        };
        let orphan_dependents = match value.get("orphanDependents") {
            None | Some(Value::Null) => None,
            Some(Value::Bool(flag)) => Some(*flag),
            Some(found) => return Err(wrong("orphanDependents", found, "bool")),
        };
        let policy = match value.get("propagationPolicy") {
            None | Some(Value::Null) => None,
            Some(Value::String(policy)) => Some(policy.clone()),
            Some(found) => {
                let wanted = "v1.DeletionPropagation";
                return Err(wrong("propagationPolicy", found, wanted));
            }
        };
        if let Some(found) = value.get("preconditions")
            && !matches!(found, Value::Object(_) | Value::Null)
        {
            return Err(wrong("preconditions", found, "v1.Preconditions"));
        }
        let words = match value.get("dryRun") {
            None | Some(Value::Null) => &[][..],
            Some(Value::Array(words)) => words,
            Some(found) => return Err(wrong("dryRun", found, "[]string")),
        };
        let words: Vec<Text> = words
            .iter()
            .filter_map(|word| word.as_str().map(Text::new))
            .collect();
        Ok(Self {
            grace_seconds,
            uid: text(&["preconditions", "uid"]),
            resource_version: text(&["preconditions", "resourceVersion"]),
            orphan_dependents,
            propagation_policy: policy,
            dry_run: !words.is_empty(),
            dry_run_words: words,
        })
    }

    /// Source: k8s.io/apimachinery, pkg/apis/meta/v1/generated.proto (`DeleteOptions`).
    fn from_protobuf(body: &[u8]) -> Result<Self, Status> {
        let bad = |why: &str| Status::bad_request(why);
        let envelope =
            proto::read_envelope(body).map_err(|error| Status::bad_request(error.to_string()))?;
        check_type(&envelope.api_version, &envelope.kind)?;
        let mut options = Self::default();
        let mut fields = Fields(envelope.raw);
        while let Some((number, field)) = fields.next().map_err(bad)? {
            match (number, field) {
                (1, Field::Number(seconds)) => options.grace_seconds = Some(seconds as i64),
                (2, Field::Bytes(bytes)) => {
                    let mut inner = Fields(bytes);
                    while let Some((number, field)) = inner.next().map_err(bad)? {
                        match (number, field) {
                            (1, Field::Bytes(uid)) => options.uid = Some(text(uid)),
                            (2, Field::Bytes(version)) => {
                                options.resource_version = Some(text(version));
                            }
                            _ => {}
                        }
                    }
                }
                (3, Field::Number(flag)) => options.orphan_dependents = Some(flag != 0),
                (4, Field::Bytes(policy)) => options.propagation_policy = Some(text(policy)),
                (5, Field::Bytes(word)) => {
                    options.dry_run = true;
                    options.dry_run_words.push(text(word));
                }
                _ => {}
            }
        }
        Ok(options)
    }

    /// Returns the policy asked for, in whichever way.
    pub(crate) fn policy(&self) -> Option<Policy> {
        if let Some(orphan) = self.orphan_dependents {
            return Some(if orphan {
                Policy::Orphan
            } else {
                Policy::Background
            });
        }
        match self.propagation_policy.as_deref() {
            Some("Orphan") => Some(Policy::Orphan),
            Some("Foreground") => Some(Policy::Foreground),
            Some("Background") => Some(Policy::Background),
            _ => None,
        }
    }

    /// Checks what contradicts itself or is unknown.
    ///
    /// # Errors
    /// 422 with upstream's texts.
    pub(crate) fn check(&self) -> Result<(), Status> {
        let mut causes = Vec::new();
        if let Some(policy) = &self.propagation_policy {
            let field = "propagationPolicy".to_owned();
            if self.orphan_dependents.is_some() {
                causes.push(Cause {
                    reason: Text::const_new("FieldValueInvalid"),
                    message: format!(
                        "Invalid value: {}: orphanDependents and deletionPropagation cannot be both set",
                        quote(policy)
                    ),
                    field: field.clone(),
                });
            }
            if !matches!(policy.as_str(), "Foreground" | "Background" | "Orphan") {
                causes.push(Cause {
                    reason: Text::const_new("FieldValueNotSupported"),
                    message: format!(
                        "Unsupported value: {}: supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
                        quote(policy)
                    ),
                    field,
                });
            }
        }
        for word in self.dry_run_words.iter().filter(|word| *word != "All") {
            causes.push(Cause {
                reason: Text::const_new("FieldValueNotSupported"),
                message: format!(
                    "Unsupported value: {}: supported values: \"All\"",
                    quote(word)
                ),
                field: "dryRun".to_owned(),
            });
        }
        if causes.is_empty() {
            return Ok(());
        }
        Err(Status::invalid("meta.k8s.io", "DeleteOptions", "", causes))
    }
}

/// Checks what options say they are; in which version does not matter.
fn check_type(api_version: &str, kind: &str) -> Result<(), Status> {
    let version = GroupVersion::parse(api_version).ok_or_else(|| {
        Status::bad_request(format!("unexpected GroupVersion string: {api_version}"))
    })?;
    if matches!(kind, "" | "DeleteOptions") {
        return Ok(());
    }
    Err(Status::bad_request(claim::not_registered(&version, kind)))
}

fn no_type(error: &JsonError) -> String {
    format!("couldn't get version/kind; json parse error: {error}")
}

fn text(bytes: &[u8]) -> Text {
    Text::from_utf8_lossy(bytes)
}

/// A protobuf message, field by field.
struct Fields<'a>(&'a [u8]);

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<(u64, Field<'a>)>, &'static str> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let field = match tag & 7 {
            0 => Field::Number(self.varint()?),
            1 => Field::Bytes(self.take(8)?),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| "unexpected EOF")?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Bytes(self.take(4)?),
            _ => return Err("proto: illegal wireType"),
        };
        Ok(Some((tag >> 3, field)))
    }

    fn varint(&mut self) -> Result<u64, &'static str> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (first, rest) = self.0.split_first().ok_or("unexpected EOF")?;
            self.0 = rest;
            value |= u64::from(first & 0x7f) << shift;
            if *first < 0x80 {
                return Ok(value);
            }
        }
        Err("proto: integer overflow")
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], &'static str> {
        if length > self.0.len() {
            return Err("unexpected EOF");
        }
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        Ok(taken)
    }
}

/// Reads any bytes as the protobuf body of a delete; for fuzzing.
pub fn fuzz(data: &[u8]) {
    if let Ok(options) = DeleteOptions::from_protobuf(data) {
        let _ = options.check();
    }
}

#[cfg(test)]
mod tests {
    use api::value;
    use schema::proto;

    use super::{DeleteOptions, Policy};

    #[test]
    fn reads_both_forms_alike() {
        let json = DeleteOptions::from_value(&value!({
            "kind": "DeleteOptions", "apiVersion": "v1",
            "gracePeriodSeconds": 7, "propagationPolicy": "Foreground", "dryRun": ["All"],
            "preconditions": {"uid": "u", "resourceVersion": "5"}
        }));
        let message = [
            &[8, 7, 0x12, 6, 0x0a, 1, b'u', 0x12, 1, b'5', 0x22, 10][..],
            b"Foreground",
            &[0x2a, 3],
            b"All",
        ]
        .concat();
        let enveloped = proto::envelope("v1", "DeleteOptions", &message);
        let proto = DeleteOptions::from_protobuf(&enveloped);
        assert_eq!(json, proto);
        let options = json.expect("it can be read");
        assert_eq!(options.policy(), Some(Policy::Foreground));
        assert_eq!(options.check(), Ok(()));
    }

    #[test]
    fn refuses_contradictions() {
        let options = DeleteOptions::from_value(&value!({
            "orphanDependents": true, "propagationPolicy": "Sometimes"
        }))
        .expect("it can be read");
        let status = options.check().expect_err("it contradicts itself");
        assert_eq!(status.code, 422);
        assert_eq!(
            status.message,
            r#"DeleteOptions.meta.k8s.io "" is invalid: [propagationPolicy: Invalid value: "Sometimes": orphanDependents and deletionPropagation cannot be both set, propagationPolicy: Unsupported value: "Sometimes": supported values: "Foreground", "Background", "Orphan", "nil"]"#
        );
    }
}
