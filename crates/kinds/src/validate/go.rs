//! How upstream prints its internal structs in errors: as JSON with the names of Go fields, all of
//! them, in their order.

use api::{Object, Text, Value, field::Shown};

use super::Place;

/// What Go holds in a field.
pub(crate) enum Go {
    /// A text; empty if absent.
    Text,
    /// A number; zero if absent.
    Number,
    /// False if absent.
    Flag,
    /// Anything that prints as it stands; `null` if absent.
    Any,
    /// A struct.
    Struct(&'static Fields),
    /// A pointer to a struct; `null` if absent.
    Pointer(&'static Fields),
    /// A list of structs; `null` if absent.
    List(&'static Fields),
}

/// The fields of a struct: name in JSON, name in Go, what it holds.
pub(crate) type Fields = [(&'static str, &'static str, Go)];

/// Returns a struct as errors show it.
pub(crate) fn shown(place: &Place<'_>, fields: &'static Fields) -> Shown {
    Shown::from(&object(place.value(), fields))
}

/// Returns a struct as it stands in what errors show.
pub(crate) fn value(place: &Place<'_>, fields: &'static Fields) -> Value {
    object(place.value(), fields)
}

fn object(value: Option<&Value>, fields: &'static Fields) -> Value {
    let all = fields.iter().map(|(json, go, class)| {
        let inner = value.and_then(|value| value.get(json));
        let inner = inner.filter(|inner| !inner.is_null());
        (Text::from(*go), field(inner, class))
    });
    Value::Object(Object::from_unique(all.collect()))
}

fn field(value: Option<&Value>, class: &Go) -> Value {
    match (value, class) {
        (_, Go::Struct(fields)) => object(value, fields),
        (Some(_), Go::Pointer(fields)) => object(value, fields),
        (Some(list), Go::List(fields)) => {
            let items = list.as_array().unwrap_or_default().iter();
            Value::Array(items.map(|item| object(Some(item), fields)).collect())
        }
        (Some(value), _) => value.clone(),
        (None, Go::Text) => Value::string(""),
        (None, Go::Number) => Value::Int(0),
        (None, Go::Flag) => Value::Bool(false),
        (None, Go::Any | Go::Pointer(_) | Go::List(_)) => Value::Null,
    }
}
