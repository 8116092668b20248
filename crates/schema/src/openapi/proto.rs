//! OpenAPI documents in protobuf, in the messages of gnostic (`openapi.v2`, `openapi.v3`).
//!
//! A message is a table of its fields. JSON names that no field has are extensions, which gnostic
//! keeps as YAML text. As in every proto3 message, what is empty, zero or false is left out.

mod v2;
mod v3;

use api::{Object, Text, Value, json, yaml};

/// Returns a v2 document as `openapi.v2.Document`.
#[must_use]
pub fn write_v2(document: &Value) -> Vec<u8> {
    encode(&v2::DOCUMENT, document)
}

/// Returns a v3 document as `openapi.v3.Document`.
#[must_use]
pub fn write_v3(document: &Value) -> Vec<u8> {
    encode(&v3::DOCUMENT, document)
}

/// A message: its fields by JSON name and number, and where other names go.
struct Message {
    fields: &'static [(&'static str, u32, Form)],
    others: Others,
}

/// Where names go that no field has.
enum Others {
    /// Nowhere.
    Nowhere,
    /// Into a list of named YAML texts with this number, if they begin with `x-`.
    Extensions(u32),
    /// The same, and what does not begin with `x-` into a list of named values.
    Named(u32, Form, u32),
}

/// What a field holds.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Bool,
    Int,
    Double,
    /// A list of strings.
    Texts,
    /// Any value, as YAML.
    Any,
    /// A list of any values.
    Anys,
    /// A message.
    One(&'static Message),
    /// A list of messages.
    Many(&'static Message),
    /// A list of what `Or` holds.
    ManyOr(&'static Message, u32),
    /// The message in field 1, or a reference in field 2 if it is one; with the number of the
    /// message in it.
    Or(&'static Message, u32),
    /// A message with named values in field 1, each the message or a reference.
    Map(&'static Form),
    /// A message that holds this in its field of the number.
    Within(u32, &'static Form),
    /// A schema in field 1, or a truth in field 2.
    OrBool(&'static Form),
    /// A number in field 1, a truth in field 2, a string in field 3: what it is.
    Scalar,
    /// One string or several, as several.
    TextOrTexts,
    /// A list of parameters of v2, each of which is one of several messages.
    ParametersV2,
    /// One of these.
    ParameterV2,
}

static REFERENCE: Message = Message {
    fields: &[("$ref", 1, Form::Text)],
    others: Others::Nowhere,
};

fn encode(message: &Message, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let Value::Object(object) = value else {
        return out;
    };
    for (name, number, form) in message.fields {
        if let Some(value) = object.get(name) {
            field(*number, *form, value, &mut out);
        }
    }
    others(message, object, &mut out);
    out
}

fn others(message: &Message, object: &Object, out: &mut Vec<u8>) {
    let is_field = |name: &str| message.fields.iter().any(|(known, ..)| *known == name);
    let extensions = match message.others {
        Others::Nowhere => return,
        Others::Extensions(number) => number,
        Others::Named(number, form, extensions) => {
            for (name, value) in object.iter() {
                if !name.starts_with("x-") && !is_field(name) {
                    bytes(number, &named(name, form, value), out);
                }
            }
            extensions
        }
    };
    for (name, value) in object.iter() {
        if name.starts_with("x-") && !is_field(name) {
            bytes(extensions, &named(name, Form::Any, value), out);
        }
    }
}

/// Returns a message with a name in field 1 and a value in field 2.
fn named(name: &str, form: Form, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    bytes(1, name.as_bytes(), &mut out);
    field(2, form, value, &mut out);
    out
}

fn field(number: u32, form: Form, value: &Value, out: &mut Vec<u8>) {
    match form {
        Form::Text => text(number, value, out),
        Form::Bool => {
            if value.as_bool() == Some(true) {
                varint(u64::from(number) << 3, out);
                out.push(1);
            }
        }
        Form::Int => {
            if let Some(value) = value.as_int().filter(|value| *value != 0) {
                varint(u64::from(number) << 3, out);
                varint(value.cast_unsigned(), out);
            }
        }
        Form::Double => double(number, value, out),
        Form::Texts => {
            for one in value.as_array().unwrap_or_default() {
                bytes(number, one.as_str().unwrap_or_default().as_bytes(), out);
            }
        }
        Form::TextOrTexts => match value {
            Value::String(one) => bytes(number, one.as_bytes(), out),
            other => field(number, Form::Texts, other, out),
        },
        Form::Any => bytes(number, &any(value), out),
        Form::Anys => {
            for one in value.as_array().unwrap_or_default() {
                bytes(number, &any(one), out);
            }
        }
        Form::One(message) => bytes(number, &encode(message, value), out),
        Form::Many(message) => {
            for one in value.as_array().unwrap_or_default() {
                bytes(number, &encode(message, one), out);
            }
        }
        Form::Or(message, at) => bytes(number, &or_reference(message, at, value), out),
        Form::ManyOr(message, at) => {
            for one in value.as_array().unwrap_or_default() {
                bytes(number, &or_reference(message, at, one), out);
            }
        }
        Form::Map(inner) => {
            let mut all = Vec::new();
            for (name, value) in value.as_object().into_iter().flat_map(Object::iter) {
                bytes(1, &named(name, *inner, value), &mut all);
            }
            bytes(number, &all, out);
        }
        Form::Within(at, inner) => {
            let mut one = Vec::new();
            field(at, *inner, value, &mut one);
            bytes(number, &one, out);
        }
        Form::OrBool(inner) => {
            let mut one = Vec::new();
            match value {
                // One of several is written even if it is false.
                Value::Bool(value) => one.extend([2 << 3, u8::from(*value)]),
                value => field(1, *inner, value, &mut one),
            }
            bytes(number, &one, out);
        }
        Form::Scalar => bytes(number, &scalar(value), out),
        Form::ParametersV2 => {
            for one in value.as_array().unwrap_or_default() {
                bytes(number, &v2::parameter_or_reference(one), out);
            }
        }
        Form::ParameterV2 => bytes(number, &v2::parameter(value), out),
    }
}

fn or_reference(message: &Message, at: u32, value: &Value) -> Vec<u8> {
    let mut one = Vec::new();
    if value.get("$ref").is_some() {
        bytes(2, &encode(&REFERENCE, value), &mut one);
    } else {
        bytes(at, &encode(message, value), &mut one);
    }
    one
}

/// Returns a default; what is neither number, truth nor string is an empty message.
fn scalar(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    match value {
        #[allow(clippy::cast_precision_loss, reason = "the message has only doubles")]
        Value::Int(number) => {
            out.push((1 << 3) | 1);
            out.extend((*number as f64).to_le_bytes());
        }
        Value::Float(number) => {
            out.push((1 << 3) | 1);
            out.extend(number.to_le_bytes());
        }
        Value::Bool(value) => out.extend([2 << 3, u8::from(*value)]),
        Value::String(text) => bytes(3, text.as_bytes(), &mut out),
        _ => {}
    }
    out
}

fn any(value: &Value) -> Vec<u8> {
    let mut text = Vec::new();
    block(value, 0, &mut text);
    let mut out = Vec::with_capacity(text.len() + 4);
    bytes(2, &text, &mut out);
    out
}

/// The longest text that stands in YAML without quotes; longer ones would be broken into lines.
const PLAIN_LEN_MAX: usize = 60;

/// Writes YAML with fields in the order in which they stand, as gnostic does.
fn block(value: &Value, indent: usize, out: &mut Vec<u8>) {
    let pad = |place: usize, out: &mut Vec<u8>| {
        // The first line goes on behind what is there: nothing, or the dash of a list.
        if place > 0 {
            out.resize(out.len() + indent, b' ');
        }
    };
    match value {
        Value::Array(items) if !items.is_empty() => {
            for (place, item) in items.iter().enumerate() {
                pad(place, out);
                out.extend(b"- ");
                block(item, indent + 2, out);
            }
        }
        Value::Object(fields) if !fields.is_empty() => {
            for (place, (name, value)) in fields.iter().enumerate() {
                pad(place, out);
                line(&Value::from(name), out);
                out.push(b':');
                let inner = match value {
                    Value::Array(items) if !items.is_empty() => indent,
                    Value::Object(fields) if !fields.is_empty() => indent + 2,
                    _ => {
                        out.push(b' ');
                        line(value, out);
                        out.push(b'\n');
                        continue;
                    }
                };
                out.push(b'\n');
                out.resize(out.len() + inner, b' ');
                block(value, inner, out);
            }
        }
        scalar => {
            line(scalar, out);
            out.push(b'\n');
        }
    }
}

/// Writes a value that fits one line.
fn line(value: &Value, out: &mut Vec<u8>) {
    match value {
        // JSON's quotes are YAML's, too.
        Value::String(text) if text.len() > PLAIN_LEN_MAX || text.contains('\n') => {
            json::write(value, out);
        }
        value => {
            yaml::write(value, out);
            out.pop();
        }
    }
}

fn text(number: u32, value: &Value, out: &mut Vec<u8>) {
    let owned;
    let value = match value {
        Value::String(text) => text,
        // Type names may stand in a list of one.
        Value::Array(all) => match all.as_slice() {
            [Value::String(text)] => text,
            _ => return,
        },
        Value::Int(number) => {
            owned = Text::from(number.to_string());
            &owned
        }
        _ => return,
    };
    if !value.is_empty() {
        bytes(number, value.as_bytes(), out);
    }
}

fn double(number: u32, value: &Value, out: &mut Vec<u8>) {
    #[allow(clippy::cast_precision_loss, reason = "the message has only doubles")]
    let value = match value {
        Value::Int(value) => *value as f64,
        Value::Float(value) => *value,
        _ => return,
    };
    if value != 0.0 {
        varint((u64::from(number) << 3) | 1, out);
        out.extend(value.to_le_bytes());
    }
}

fn bytes(number: u32, value: &[u8], out: &mut Vec<u8>) {
    varint((u64::from(number) << 3) | 2, out);
    varint(value.len() as u64, out);
    out.extend(value);
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use api::{Value, json};
    use expect_test::{Expect, expect};

    use super::{write_v2, write_v3};

    fn read(text: &str) -> Value {
        json::read(text.as_bytes()).expect("it is JSON").value
    }

    /// Shows a message as its fields, those that look like messages too.
    fn show(bytes: &[u8]) -> String {
        let mut out = String::new();
        let mut rest = bytes;
        while let Some((tag, more)) = varint(rest) {
            let shown = match tag & 7 {
                0 => {
                    let (value, more) = varint(more).expect("a number follows");
                    rest = more;
                    value.to_string()
                }
                1 => {
                    let (eight, more) = more.split_at(8);
                    rest = more;
                    f64::from_le_bytes(eight.try_into().expect("eight bytes")).to_string()
                }
                _ => {
                    let (length, more) = varint(more).expect("a length follows");
                    let (part, more) = more.split_at(usize::try_from(length).expect("it is short"));
                    rest = more;
                    match std::str::from_utf8(part) {
                        Ok(text) if text.bytes().all(|byte| byte >= b' ' || byte == b'\n') => {
                            format!("{text:?}")
                        }
                        _ => format!("{{{}}}", show(part)),
                    }
                }
            };
            out.push_str(&format!("{}:{shown} ", tag >> 3));
        }
        out.trim_end().to_owned()
    }

    fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
        let mut number = 0;
        for (place, byte) in bytes.iter().enumerate() {
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Some((number, &bytes[place + 1..]));
            }
        }
        None
    }

    #[track_caller]
    fn check(write: fn(&Value) -> Vec<u8>, document: &str, expected: &Expect) {
        expected.assert_eq(&show(&write(&read(document))));
    }

    #[test]
    fn writes_schemas_of_v3() {
        check(
            write_v3,
            r##"{"components":{"schemas":{"a":{"type":"object","default":{},"minimum":0,"maximum":2,"maxLength":300,"uniqueItems":false,
                "properties":{"b":{"$ref":"#/c"}},"additionalProperties":false,"enum":["x"],"x-a":{"k":"v"}}}}}"##,
            &expect![[
                r##"5:{1:{1:{1:"a" 2:{1:{11:2 15:300 24:{2:"x\n"} 25:"object" 31:{1:{1:"b" 2:{2:{1:"#/c"}}}} 32:{2:0} 33:"" 36:{1:"x-a" 2:{2:"k: v\n"}}}}}}}"##
            ]],
        );
    }

    #[test]
    fn writes_extensions_in_their_order() {
        check(
            write_v3,
            r#"{"x-a":[{"z":"1","a":{"c":true,"b":["x",{}]}},"two\nlines"]}"#,
            &expect![[
                r#"9:{1:"x-a" 2:{2:"- z: \"1\"\n  a:\n    c: true\n    b:\n    - x\n    - {}\n- \"two\\nlines\"\n"}}"#
            ]],
        );
    }

    #[test]
    fn writes_operations_of_v3() {
        check(
            write_v3,
            r#"{"openapi":"3.0.0","paths":{"/a":{"get":{"tags":["t"],"responses":{"200":{"description":"OK"}},"x-kubernetes-action":"list"}}}}"#,
            &expect![[
                r#"1:"3.0.0" 4:{1:{1:"/a" 2:{4:{1:"t" 8:{2:{1:"200" 2:{1:{1:"OK"}}}} 13:{1:"x-kubernetes-action" 2:{2:"list\n"}}}}}}"#
            ]],
        );
    }

    #[test]
    fn writes_operations_of_v2() {
        check(
            write_v2,
            r##"{"swagger":"2.0","paths":{"/a":{"post":{"parameters":[{"in":"body","name":"body","schema":{"type":["string"]}},{"in":"query","name":"q","uniqueItems":true},{"in":"path","name":"p"},{"$ref":"#/parameters/r"}]}}},
                "parameters":{"r":{"in":"query","name":"r"}},"security":[{"BearerToken":[]}]}"##,
            &expect![[
                r##"1:"2.0" 8:{2:{1:"/a" 2:{4:{8:{1:{1:{2:"body" 3:"body" 5:{22:{1:"string"}}}}} 8:{1:{2:{3:{2:"query" 4:"q" 20:1}}}} 8:{1:{2:{4:{2:"path" 4:"p"}}}} 8:{2:{1:"#/parameters/r"}}}}}} 10:{1:{1:"r" 2:{2:{3:{2:"query" 4:"r"}}}}} 12:{1:{1:"BearerToken" 2:""}}"##
            ]],
        );
    }
}
