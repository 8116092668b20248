//! `Status`: how the API says no, in upstream's reasons, codes and words.
//!
//! The constructors are the only way to make one, so a refusal reads the same wherever it comes
//! from. The numeric code is part of the object; what is sent as the HTTP status is decided in
//! `server/src/respond.rs`.
//!
//! Source: k8s.io/apimachinery v0.37.1, pkg/api/errors/errors.go and meta/v1/types.go.

use std::fmt;

use crate::{Object, Text, Value, names::qualified};

/// Why a request was refused; the words are the wire form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are upstream's own words")]
pub enum Reason {
    Unknown,
    Unauthorized,
    Forbidden,
    NotFound,
    AlreadyExists,
    Conflict,
    Gone,
    Invalid,
    ServerTimeout,
    StoreReadError,
    Timeout,
    TooManyRequests,
    BadRequest,
    MethodNotAllowed,
    NotAcceptable,
    RequestEntityTooLarge,
    UnsupportedMediaType,
    InternalError,
    Expired,
    ServiceUnavailable,
}

/// One cause inside a refusal: usually one field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// `FieldValueInvalid`, `FieldManagerConflict`, `NamespaceTerminating`, …
    pub reason: Text,
    /// What is wrong, for people.
    pub message: String,
    /// Path of the field, if the cause is about one.
    pub field: String,
}

/// A refusal (or, for deletes, a success) as `meta/v1` `Status`.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// HTTP code that goes with it.
    pub code: u16,
    /// Machine-readable reason.
    pub reason: Reason,
    /// Text for people; clients match on parts of it.
    pub message: String,
    /// What it is about.
    pub details: Option<Box<Details>>,
    /// `metadata.continue` of a 410 on a paged list: a token that can still be used.
    pub continue_token: Option<String>,
}

/// What a [`Status`] is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// Name of the object.
    pub name: Text,
    /// API group.
    pub group: Text,
    /// The *resource* (upstream's field is called kind), or the kind where upstream says so.
    pub kind: Text,
    /// Uid of the object.
    pub uid: Text,
    /// Each thing that is wrong.
    pub causes: Vec<Cause>,
    /// How long to wait before the next try; 0 for no advice.
    pub retry_after_seconds: u32,
}

impl Reason {
    /// Returns the word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "NotFound",
            Self::AlreadyExists => "AlreadyExists",
            Self::Conflict => "Conflict",
            Self::Gone => "Gone",
            Self::Invalid => "Invalid",
            Self::ServerTimeout => "ServerTimeout",
            Self::StoreReadError => "StorageReadError",
            Self::Timeout => "Timeout",
            Self::TooManyRequests => "TooManyRequests",
            Self::BadRequest => "BadRequest",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::NotAcceptable => "NotAcceptable",
            Self::RequestEntityTooLarge => "RequestEntityTooLarge",
            Self::UnsupportedMediaType => "UnsupportedMediaType",
            Self::InternalError => "InternalError",
            Self::Expired => "Expired",
            Self::ServiceUnavailable => "ServiceUnavailable",
        }
    }
}

impl Status {
    /// Returns a refusal with this code, reason and text, and no details.
    #[must_use]
    pub fn new(code: u16, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: None,
            continue_token: None,
        }
    }

    fn about(mut self, group: &str, kind: &str, name: &str) -> Self {
        self.details = Some(Box::new(Details {
            name: Text::new(name),
            group: Text::new(group),
            kind: Text::new(kind),
            ..Details::default()
        }));
        self
    }

    /// Adds a cause.
    #[must_use]
    pub fn with_cause(mut self, cause: Cause) -> Self {
        self.details.get_or_insert_default().causes.push(cause);
        self
    }

    /// Adds advice when to try again.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.details.get_or_insert_default().retry_after_seconds = seconds;
        self
    }

    /// 404: no object of this name.
    #[must_use]
    pub fn not_found(group: &str, resource: &str, name: &str) -> Self {
        let message = format!("{} {name:?} not found", qualified(group, resource));
        Self::new(404, Reason::NotFound, message).about(group, resource, name)
    }

    /// 404: no such path.
    #[must_use]
    pub fn no_such_page() -> Self {
        Self::new(
            404,
            Reason::NotFound,
            "the server could not find the requested resource",
        )
        .with_details(Details::default())
    }

    /// 409: an object of this name is there already.
    #[must_use]
    pub fn already_exists(group: &str, resource: &str, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", qualified(group, resource));
        Self::new(409, Reason::AlreadyExists, message).about(group, resource, name)
    }

    /// 409: the object changed, or a precondition does not hold; `why` says which.
    #[must_use]
    pub fn conflict(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let resource_name = qualified(group, resource);
        let message = format!("Operation cannot be fulfilled on {resource_name} {name:?}: {why}");
        Self::new(409, Reason::Conflict, message).about(group, resource, name)
    }

    /// 403: the caller may not, or the object's state forbids it; `why` says which.
    #[must_use]
    pub fn forbidden(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let resource_name = qualified(group, resource);
        let message = if resource.is_empty() {
            format!("forbidden: {why}")
        } else if name.is_empty() {
            format!("{resource_name} is forbidden: {why}")
        } else {
            format!("{resource_name} {name:?} is forbidden: {why}")
        };
        Self::new(403, Reason::Forbidden, message).about(group, resource, name)
    }

    /// 401: nobody vouches for the caller.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(401, Reason::Unauthorized, "Unauthorized")
    }

    /// 400: the request cannot be understood.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, Reason::BadRequest, message)
    }

    /// 422: the object breaks rules; the message joins the causes as upstream does.
    ///
    /// `kind` is the kind, not the resource.
    #[must_use]
    pub fn invalid(group: &str, kind: &str, name: &str, causes: Vec<Cause>) -> Self {
        let mut texts: Vec<String> = Vec::new();
        for cause in &causes {
            let text = if cause.field.is_empty() {
                cause.message.clone()
            } else {
                format!("{}: {}", cause.field, cause.message)
            };
            // Upstream's aggregate prints a repeated text once.
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let joined = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let message = format!("{} {name:?} is invalid: {joined}", qualified(group, kind));
        let mut status = Self::new(422, Reason::Invalid, message).about(group, kind, name);
        status.details.get_or_insert_default().causes = causes;
        status
    }

    /// 405: the resource does not do this verb.
    #[must_use]
    pub fn method_not_supported(group: &str, resource: &str, verb: &str) -> Self {
        let resource_name = qualified(group, resource);
        let message = format!("{verb} is not supported on resources of kind {resource_name:?}");
        Self::new(405, Reason::MethodNotAllowed, message).about(group, resource, "")
    }

    /// 406: nothing the client accepts can be made.
    #[must_use]
    pub fn not_acceptable(supported: &str) -> Self {
        let message = format!("only the following media types are accepted: {supported}");
        Self::new(406, Reason::NotAcceptable, message)
    }

    /// 415: the body's media type is not understood.
    #[must_use]
    pub fn unsupported_media_type(supported: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {supported}"
        );
        Self::new(415, Reason::UnsupportedMediaType, message)
    }

    /// 413: the body is larger than `limit_bytes`.
    #[must_use]
    pub fn too_large(limit_bytes: usize) -> Self {
        let message = format!("Request entity too large: limit is {limit_bytes}");
        Self::new(413, Reason::RequestEntityTooLarge, message)
    }

    /// 410: the revision or token is too old.
    #[must_use]
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, Reason::Expired, message)
    }

    /// 504: it took too long.
    #[must_use]
    pub fn timeout(message: &str, retry_after_seconds: u32) -> Self {
        Self::new(504, Reason::Timeout, format!("Timeout: {message}"))
            .with_retry_after(retry_after_seconds)
    }

    /// 429: come back later.
    #[must_use]
    pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: u32) -> Self {
        Self::new(429, Reason::TooManyRequests, message).with_retry_after(retry_after_seconds)
    }

    /// 503: the part that would answer is not there now.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, Reason::ServiceUnavailable, message)
    }

    /// 500: our fault.
    #[must_use]
    pub fn internal(message: impl fmt::Display) -> Self {
        let text = message.to_string();
        let mut status = Self::new(
            500,
            Reason::InternalError,
            format!("Internal error occurred: {text}"),
        );
        status.details.get_or_insert_default().causes = vec![Cause {
            reason: Text::default(),
            message: text,
            field: String::new(),
        }];
        status
    }

    fn with_details(mut self, details: Details) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    /// Returns the `Status` object for the wire, fields in upstream's order.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut metadata = Object::default();
        if let Some(token) = &self.continue_token {
            metadata.push(Text::const_new("continue"), Value::string(token.as_str()));
        }
        let mut object = Object::with_capacity(8);
        let mut put = |name: &'static str, value: Value| {
            object.push(Text::const_new(name), value);
        };
        put("kind", Value::from("Status"));
        put("apiVersion", Value::from("v1"));
        put("metadata", Value::Object(metadata));
        let failed = self.code >= 400;
        put(
            "status",
            Value::from(if failed { "Failure" } else { "Success" }),
        );
        if !self.message.is_empty() {
            put("message", Value::string(self.message.as_str()));
        }
        if self.reason != Reason::Unknown {
            put("reason", Value::from(self.reason.as_str()));
        }
        if let Some(details) = &self.details {
            put("details", details.to_value());
        }
        if failed || self.code != 200 {
            put("code", Value::Int(i64::from(self.code)));
        }
        Value::Object(object)
    }
}

impl Details {
    fn to_value(&self) -> Value {
        let mut object = Object::default();
        let texts = [
            ("name", &self.name),
            ("group", &self.group),
            ("kind", &self.kind),
            ("uid", &self.uid),
        ];
        for (name, text) in texts {
            if !text.is_empty() {
                object.push(Text::const_new(name), Value::String(text.clone()));
            }
        }
        if !self.causes.is_empty() {
            let causes = self.causes.iter().map(Cause::to_value).collect();
            object.push(Text::const_new("causes"), Value::Array(causes));
        }
        if self.retry_after_seconds > 0 {
            let seconds = Value::Int(i64::from(self.retry_after_seconds));
            object.push(Text::const_new("retryAfterSeconds"), seconds);
        }
        Value::Object(object)
    }
}

impl Cause {
    fn to_value(&self) -> Value {
        let mut object = Object::default();
        let texts = [
            ("reason", self.reason.as_str()),
            ("message", &self.message),
            ("field", &self.field),
        ];
        for (name, text) in texts {
            if !text.is_empty() {
                object.push(Text::const_new(name), Value::from(text));
            }
        }
        Value::Object(object)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Status {}

#[cfg(test)]
mod tests {
    use super::{Cause, Status};
    use crate::Text;

    #[test]
    fn says_what_upstream_says() {
        assert_eq!(
            Status::not_found("apps", "deployments", "web").message,
            r#"deployments.apps "web" not found"#
        );
        assert_eq!(
            Status::forbidden("", "pods", "", "no").message,
            "pods is forbidden: no"
        );
        assert_eq!(
            Status::conflict("", "pods", "a", "changed").message,
            r#"Operation cannot be fulfilled on pods "a": changed"#
        );
    }

    #[test]
    fn joins_causes() {
        let cause = |field: &str| Cause {
            reason: Text::new("FieldValueRequired"),
            message: "Required value".to_owned(),
            field: field.to_owned(),
        };
        assert_eq!(
            Status::invalid("", "Pod", "a", vec![cause("x")]).message,
            r#"Pod "a" is invalid: x: Required value"#
        );
        assert_eq!(
            Status::invalid("", "Pod", "a", vec![cause("x"), cause("y")]).message,
            r#"Pod "a" is invalid: [x: Required value, y: Required value]"#
        );
    }

    #[test]
    fn writes_fields_in_order() {
        assert_eq!(
            format!("{:?}", Status::not_found("", "pods", "a").to_value()),
            r#"{"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "pods \"a\" not found", "reason": "NotFound", "details": {"name": "a", "kind": "pods"}, "code": 404}"#
        );
    }
}
