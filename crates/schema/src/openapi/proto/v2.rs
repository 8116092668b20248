//! The messages of `openapi.v2`, as far as the document of an API server uses them.

use api::Value;

use super::{Form, Message, Others, REFERENCE, bytes, encode};

static SCHEMA_FORM: Form = Form::One(&SCHEMA);

pub(super) static DOCUMENT: Message = Message {
    fields: &[
        ("swagger", 1, Form::Text),
        ("info", 2, Form::One(&INFO)),
        ("host", 3, Form::Text),
        ("basePath", 4, Form::Text),
        ("schemes", 5, Form::Texts),
        ("consumes", 6, Form::Texts),
        ("produces", 7, Form::Texts),
        ("paths", 8, Form::One(&PATHS)),
        ("definitions", 9, Form::Map(&SCHEMA_FORM)),
        ("parameters", 10, Form::Map(&Form::ParameterV2)),
        ("security", 12, Form::Many(&SECURITY)),
        (
            "securityDefinitions",
            13,
            Form::Map(&Form::Within(2, &Form::One(&API_KEY))),
        ),
        ("externalDocs", 15, Form::One(&EXTERNAL_DOCS)),
    ],
    others: Others::Extensions(16),
};

static INFO: Message = Message {
    fields: &[
        ("title", 1, Form::Text),
        ("version", 2, Form::Text),
        ("description", 3, Form::Text),
        ("termsOfService", 4, Form::Text),
    ],
    others: Others::Extensions(7),
};

static EXTERNAL_DOCS: Message = Message {
    fields: &[("description", 1, Form::Text), ("url", 2, Form::Text)],
    others: Others::Extensions(3),
};

static PATHS: Message = Message {
    fields: &[],
    others: Others::Named(2, Form::One(&PATH_ITEM), 1),
};

static PATH_ITEM: Message = Message {
    fields: &[
        ("get", 2, Form::One(&OPERATION)),
        ("put", 3, Form::One(&OPERATION)),
        ("post", 4, Form::One(&OPERATION)),
        ("delete", 5, Form::One(&OPERATION)),
        ("options", 6, Form::One(&OPERATION)),
        ("head", 7, Form::One(&OPERATION)),
        ("patch", 8, Form::One(&OPERATION)),
        ("parameters", 9, Form::ParametersV2),
    ],
    others: Others::Extensions(10),
};

static OPERATION: Message = Message {
    fields: &[
        ("tags", 1, Form::Texts),
        ("summary", 2, Form::Text),
        ("description", 3, Form::Text),
        ("externalDocs", 4, Form::One(&EXTERNAL_DOCS)),
        ("operationId", 5, Form::Text),
        ("produces", 6, Form::Texts),
        ("consumes", 7, Form::Texts),
        ("parameters", 8, Form::ParametersV2),
        ("responses", 9, Form::One(&RESPONSES)),
        ("schemes", 10, Form::Texts),
        ("deprecated", 11, Form::Bool),
    ],
    others: Others::Extensions(13),
};

static RESPONSES: Message = Message {
    fields: &[],
    others: Others::Named(1, Form::Or(&RESPONSE, 1), 2),
};

static RESPONSE: Message = Message {
    fields: &[
        ("description", 1, Form::Text),
        ("schema", 2, Form::Within(1, &SCHEMA_FORM)),
    ],
    others: Others::Extensions(5),
};

/// A security requirement: lists of scopes by name.
static SECURITY: Message = Message {
    fields: &[],
    others: Others::Named(1, Form::Within(1, &Form::Texts), 1),
};

static API_KEY: Message = Message {
    fields: &[
        ("type", 1, Form::Text),
        ("name", 2, Form::Text),
        ("in", 3, Form::Text),
        ("description", 4, Form::Text),
    ],
    others: Others::Extensions(5),
};

static BODY: Message = Message {
    fields: &[
        ("description", 1, Form::Text),
        ("name", 2, Form::Text),
        ("in", 3, Form::Text),
        ("required", 4, Form::Bool),
        ("schema", 5, Form::One(&SCHEMA)),
    ],
    others: Others::Extensions(6),
};

/// Query parameters have one field more than those in paths and headers.
static IN_QUERY: Message = Message {
    fields: &[
        ("required", 1, Form::Bool),
        ("in", 2, Form::Text),
        ("description", 3, Form::Text),
        ("name", 4, Form::Text),
        ("allowEmptyValue", 5, Form::Bool),
        ("type", 6, Form::Text),
        ("format", 7, Form::Text),
        ("uniqueItems", 20, Form::Bool),
    ],
    others: Others::Extensions(23),
};

static IN_PATH: Message = Message {
    fields: &[
        ("required", 1, Form::Bool),
        ("in", 2, Form::Text),
        ("description", 3, Form::Text),
        ("name", 4, Form::Text),
        ("type", 5, Form::Text),
        ("format", 6, Form::Text),
        ("uniqueItems", 19, Form::Bool),
    ],
    others: Others::Extensions(22),
};

static SCHEMA: Message = Message {
    fields: &[
        ("$ref", 1, Form::Text),
        ("format", 2, Form::Text),
        ("title", 3, Form::Text),
        ("description", 4, Form::Text),
        ("default", 5, Form::Any),
        ("multipleOf", 6, Form::Double),
        ("maximum", 7, Form::Double),
        ("exclusiveMaximum", 8, Form::Bool),
        ("minimum", 9, Form::Double),
        ("exclusiveMinimum", 10, Form::Bool),
        ("maxLength", 11, Form::Int),
        ("minLength", 12, Form::Int),
        ("pattern", 13, Form::Text),
        ("maxItems", 14, Form::Int),
        ("minItems", 15, Form::Int),
        ("uniqueItems", 16, Form::Bool),
        ("maxProperties", 17, Form::Int),
        ("minProperties", 18, Form::Int),
        ("required", 19, Form::Texts),
        ("enum", 20, Form::Anys),
        ("additionalProperties", 21, Form::OrBool(&SCHEMA_FORM)),
        ("type", 22, Form::Within(1, &Form::TextOrTexts)),
        ("items", 23, Form::Within(1, &SCHEMA_FORM)),
        ("allOf", 24, Form::Many(&SCHEMA)),
        ("properties", 25, Form::Map(&SCHEMA_FORM)),
        ("discriminator", 26, Form::Text),
        ("readOnly", 27, Form::Bool),
        ("externalDocs", 29, Form::One(&EXTERNAL_DOCS)),
        ("example", 30, Form::Any),
    ],
    others: Others::Extensions(31),
};

/// Returns a parameter, or a reference to one.
pub(super) fn parameter_or_reference(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    if value.get("$ref").is_some() {
        bytes(2, &encode(&REFERENCE, value), &mut out);
    } else {
        bytes(1, &parameter(value), &mut out);
    }
    out
}

/// Returns a parameter: a body, or one of those that have types of their own.
pub(super) fn parameter(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    match value.str_at(&["in"]) {
        Some("body") => bytes(1, &encode(&BODY, value), &mut out),
        place => {
            let (at, message) = if place == Some("path") {
                (4, &IN_PATH)
            } else {
                (3, &IN_QUERY)
            };
            let mut one = Vec::new();
            bytes(at, &encode(message, value), &mut one);
            bytes(2, &one, &mut out);
        }
    }
    out
}
