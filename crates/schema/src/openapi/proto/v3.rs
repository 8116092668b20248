//! The messages of `openapi.v3`, as far as the documents of an API server use them.

use super::{Form, Message, Others};

/// A schema or a reference to one.
static SCHEMA_OR: Form = Form::Or(&SCHEMA, 1);

pub(super) static DOCUMENT: Message = Message {
    fields: &[
        ("openapi", 1, Form::Text),
        ("info", 2, Form::One(&INFO)),
        ("paths", 4, Form::One(&PATHS)),
        ("components", 5, Form::One(&COMPONENTS)),
        ("externalDocs", 8, Form::One(&EXTERNAL_DOCS)),
    ],
    others: Others::Extensions(9),
};

static INFO: Message = Message {
    fields: &[
        ("title", 1, Form::Text),
        ("description", 2, Form::Text),
        ("termsOfService", 3, Form::Text),
        ("version", 6, Form::Text),
    ],
    others: Others::Extensions(7),
};

static EXTERNAL_DOCS: Message = Message {
    fields: &[("description", 1, Form::Text), ("url", 2, Form::Text)],
    others: Others::Extensions(3),
};

static PATHS: Message = Message {
    fields: &[],
    others: Others::Named(1, Form::One(&PATH_ITEM), 2),
};

static PATH_ITEM: Message = Message {
    fields: &[
        ("get", 4, Form::One(&OPERATION)),
        ("put", 5, Form::One(&OPERATION)),
        ("post", 6, Form::One(&OPERATION)),
        ("delete", 7, Form::One(&OPERATION)),
        ("options", 8, Form::One(&OPERATION)),
        ("head", 9, Form::One(&OPERATION)),
        ("patch", 10, Form::One(&OPERATION)),
        ("trace", 11, Form::One(&OPERATION)),
        ("parameters", 13, Form::ManyOr(&PARAMETER, 1)),
    ],
    others: Others::Extensions(14),
};

static OPERATION: Message = Message {
    fields: &[
        ("tags", 1, Form::Texts),
        ("summary", 2, Form::Text),
        ("description", 3, Form::Text),
        ("externalDocs", 4, Form::One(&EXTERNAL_DOCS)),
        ("operationId", 5, Form::Text),
        ("parameters", 6, Form::ManyOr(&PARAMETER, 1)),
        ("requestBody", 7, Form::Or(&REQUEST_BODY, 1)),
        ("responses", 8, Form::One(&RESPONSES)),
        ("deprecated", 10, Form::Bool),
    ],
    others: Others::Extensions(13),
};

static PARAMETER: Message = Message {
    fields: &[
        ("name", 1, Form::Text),
        ("in", 2, Form::Text),
        ("description", 3, Form::Text),
        ("required", 4, Form::Bool),
        ("schema", 10, Form::Or(&SCHEMA, 1)),
    ],
    others: Others::Extensions(14),
};

static REQUEST_BODY: Message = Message {
    fields: &[
        ("description", 1, Form::Text),
        ("content", 2, Form::Map(&MEDIA_TYPE_FORM)),
        ("required", 3, Form::Bool),
    ],
    others: Others::Extensions(4),
};

static MEDIA_TYPE_FORM: Form = Form::One(&MEDIA_TYPE);

static MEDIA_TYPE: Message = Message {
    fields: &[("schema", 1, Form::Or(&SCHEMA, 1))],
    others: Others::Extensions(5),
};

static RESPONSES: Message = Message {
    fields: &[("default", 1, Form::Or(&RESPONSE, 1))],
    others: Others::Named(2, Form::Or(&RESPONSE, 1), 3),
};

static RESPONSE: Message = Message {
    fields: &[
        ("description", 1, Form::Text),
        ("content", 3, Form::Map(&MEDIA_TYPE_FORM)),
    ],
    others: Others::Extensions(5),
};

static COMPONENTS: Message = Message {
    fields: &[
        ("schemas", 1, Form::Map(&SCHEMA_OR)),
        (
            "securitySchemes",
            7,
            Form::Map(&Form::Or(&SECURITY_SCHEME, 1)),
        ),
    ],
    others: Others::Extensions(10),
};

static SECURITY_SCHEME: Message = Message {
    fields: &[
        ("type", 1, Form::Text),
        ("description", 2, Form::Text),
        ("name", 3, Form::Text),
        ("in", 4, Form::Text),
        ("scheme", 5, Form::Text),
    ],
    others: Others::Extensions(9),
};

static SCHEMA: Message = Message {
    fields: &[
        ("nullable", 1, Form::Bool),
        ("readOnly", 3, Form::Bool),
        ("writeOnly", 4, Form::Bool),
        ("externalDocs", 6, Form::One(&EXTERNAL_DOCS)),
        ("example", 7, Form::Any),
        ("deprecated", 8, Form::Bool),
        ("title", 9, Form::Text),
        ("multipleOf", 10, Form::Double),
        ("maximum", 11, Form::Double),
        ("exclusiveMaximum", 12, Form::Bool),
        ("minimum", 13, Form::Double),
        ("exclusiveMinimum", 14, Form::Bool),
        ("maxLength", 15, Form::Int),
        ("minLength", 16, Form::Int),
        ("pattern", 17, Form::Text),
        ("maxItems", 18, Form::Int),
        ("minItems", 19, Form::Int),
        ("uniqueItems", 20, Form::Bool),
        ("maxProperties", 21, Form::Int),
        ("minProperties", 22, Form::Int),
        ("required", 23, Form::Texts),
        ("enum", 24, Form::Anys),
        ("type", 25, Form::Text),
        ("allOf", 26, Form::ManyOr(&SCHEMA, 1)),
        ("oneOf", 27, Form::ManyOr(&SCHEMA, 1)),
        ("anyOf", 28, Form::ManyOr(&SCHEMA, 1)),
        ("not", 29, Form::One(&SCHEMA)),
        ("items", 30, Form::Within(1, &SCHEMA_OR)),
        ("properties", 31, Form::Map(&SCHEMA_OR)),
        ("additionalProperties", 32, Form::OrBool(&SCHEMA_OR)),
        ("default", 33, Form::Scalar),
        ("description", 34, Form::Text),
        ("format", 35, Form::Text),
    ],
    others: Others::Extensions(36),
};
