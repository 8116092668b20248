//! One step of a path inside an object: a field, or an item of a list told by its key, its value
//! or its place.
//!
//! Source of the facts: structured-merge-diff v6, fieldpath (order, spelling).

use std::{cmp::Ordering, fmt};

use api::{Text, Value, json, quote::quote};

/// How to get from a value to one of its parts.
#[derive(Clone, Debug)]
pub enum Element {
    /// A field of a struct or a key of a map: `f:name`.
    Field(Text),
    /// The item of a list whose fields have these values, sorted by name: `k:{"name":"a"}`.
    Key(Box<[(Text, Value)]>),
    /// The item of a set: `v:"a"`.
    Value(Value),
    /// The item at a place: `i:0`. The server never makes one; it may be read.
    Index(i64),
}

/// Why a text is no element.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElementError {
    /// The letter before the colon is not known; a later version may know it, so skip it.
    #[error("unknown path element type")]
    Unknown,
    /// The text is malformed.
    #[error("{0}")]
    Malformed(String),
}

impl Element {
    /// Reads the spelling inside `FieldsV1`.
    ///
    /// # Errors
    /// [`ElementError`]
    pub fn parse(text: &str) -> Result<Self, ElementError> {
        let malformed = |why: String| ElementError::Malformed(why);
        let Some((letter, rest)) = text.split_at_checked(2) else {
            return Err(malformed("key must be 2 characters long:".to_owned()));
        };
        let Some(letter) = letter.strip_suffix(':') else {
            return Err(malformed(format!("missing colon: {text}")));
        };
        match letter {
            "f" => Ok(Self::Field(Text::new(rest))),
            "v" => Ok(Self::Value(parse_json(rest)?)),
            "k" => match parse_json(rest)? {
                Value::Object(fields) => {
                    let mut fields = fields.fields().to_vec();
                    fields.sort_by(|a, b| a.0.cmp(&b.0));
                    Ok(Self::Key(fields.into_boxed_slice()))
                }
                _ => Err(malformed(format!("key is no object: {text}"))),
            },
            "i" => rest.parse().map(Self::Index).map_err(|_| {
                malformed(format!(
                    "strconv.Atoi: parsing {}: invalid syntax",
                    quote(rest)
                ))
            }),
            _ => Err(ElementError::Unknown),
        }
    }

    /// Returns the spelling inside `FieldsV1`.
    #[must_use]
    pub fn to_text(&self) -> Text {
        match self {
            Self::Field(name) => {
                let mut text = Text::with_capacity(name.len() + 2);
                text.push_str("f:");
                text.push_str(name);
                text
            }
            Self::Key(fields) => {
                let mut out = b"k:{".to_vec();
                for (place, (name, value)) in fields.iter().enumerate() {
                    if place > 0 {
                        out.push(b',');
                    }
                    json::write_string(name, &mut out);
                    out.push(b':');
                    json::write(value, &mut out);
                }
                out.push(b'}');
                Text::from_utf8_lossy(&out)
            }
            Self::Value(value) => {
                let mut out = b"v:".to_vec();
                json::write(value, &mut out);
                Text::from_utf8_lossy(&out)
            }
            Self::Index(place) => Text::from(format!("i:{place}")),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Field(_) => 0,
            Self::Key(_) => 1,
            Self::Value(_) => 2,
            Self::Index(_) => 3,
        }
    }
}

fn parse_json(text: &str) -> Result<Value, ElementError> {
    json::read(text.as_bytes())
        .map(|parsed| parsed.value)
        .map_err(|error| ElementError::Malformed(error.to_string()))
}

impl Ord for Element {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Field(a), Self::Field(b)) => a.as_str().cmp(b.as_str()),
            (Self::Key(a), Self::Key(b)) => order_keys(a, b),
            (Self::Value(a), Self::Value(b)) => order(a, b),
            (Self::Index(a), Self::Index(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Element {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Element {}

/// Prints the element as messages show it: `.spec`, `[name="a"]`, `[="a"]`, `[0]`.
impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Key(fields) => {
                f.write_str("[")?;
                for (place, (name, value)) in fields.iter().enumerate() {
                    let comma = if place > 0 { "," } else { "" };
                    write!(f, "{comma}{name}={}", shown(value))?;
                }
                f.write_str("]")
            }
            Self::Value(value) => write!(f, "[={}]", shown(value)),
            Self::Index(place) => write!(f, "[{place}]"),
        }
    }
}

/// Returns a value as paths show it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => api::quote::float(*number),
        Value::String(text) => quote(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(shown).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(object) => object
            .iter()
            .map(|(name, value)| format!("{name}={}", shown(value)))
            .collect(),
    }
}

fn order_keys(a: &[(Text, Value)], b: &[(Text, Value)]) -> Ordering {
    for (left, right) in a.iter().zip(b) {
        let found = left.0.as_str().cmp(right.0.as_str());
        let found = found.then_with(|| order(&left.1, &right.1));
        if found != Ordering::Equal {
            return found;
        }
    }
    a.len().cmp(&b.len())
}

/// Orders any two values: numbers, texts, booleans, lists, maps, null.
pub(super) fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Float(a), Value::Float(b)) => a.total_cmp(b),
        (Value::Float(a), Value::Int(b)) => a.total_cmp(&float(*b)),
        (Value::Int(a), Value::Float(b)) => float(*a).total_cmp(b),
        (Value::String(a), Value::String(b)) => a.as_str().cmp(b.as_str()),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => {
            let pairs = a.iter().zip(b).map(|(a, b)| order(a, b));
            let first = pairs.into_iter().find(|found| *found != Ordering::Equal);
            first.unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        (Value::Object(a), Value::Object(b)) => {
            let sorted = |object: &api::Object| {
                let mut fields = object.fields().to_vec();
                fields.sort_by(|a, b| a.0.cmp(&b.0));
                fields
            };
            order_keys(&sorted(a), &sorted(b))
        }
        _ => rank(a).cmp(&rank(b)),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Float(_) => 0,
        Value::Int(_) => 1,
        Value::String(_) => 2,
        Value::Bool(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
        Value::Null => 6,
    }
}

#[allow(clippy::cast_precision_loss, reason = "upstream compares so")]
fn float(number: i64) -> f64 {
    number as f64
}

/// Returns whether two values say the same: numbers by what they count, maps in any order.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.fields().iter().enumerate().all(|(place, (name, value))| {
                    // Two forms of one object mostly have their fields in one order.
                    match b.fields().get(place) {
                        Some((other, found)) if other == name => same(value, found),
                        _ => b.get(name).is_some_and(|found| same(value, found)),
                    }
                })
        }
        (Value::Float(_), Value::Int(_) | Value::Float(_)) | (Value::Int(_), Value::Float(_)) => {
            let number = |value: &Value| match value {
                Value::Float(number) => *number,
                Value::Int(number) => float(*number),
                _ => f64::NAN,
            };
            #[allow(clippy::float_cmp, reason = "upstream compares so")]
            let equal = number(a) == number(b);
            equal
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::{Element, ElementError};

    #[track_caller]
    fn check(text: &str, shown: &str, written: &str) {
        let element = Element::parse(text).expect("an element");
        assert_eq!(element.to_string(), shown);
        assert_eq!(element.to_text(), written);
    }

    #[test]
    fn reads_shows_and_writes() {
        check("f:a.b/c", ".a.b/c", "f:a.b/c");
        check("f:", ".", "f:");
        check(
            r#"k:{"protocol":"TCP", "port":80}"#,
            r#"[port=80,protocol="TCP"]"#,
            r#"k:{"port":80,"protocol":"TCP"}"#,
        );
        check(r#"v:"a<b""#, r#"[="a<b"]"#, r#"v:"a\u003cb""#);
        check("v:1.5", "[=1.5]", "v:1.5");
        check("v:true", "[=true]", "v:true");
        check("i:3", "[3]", "i:3");
    }

    #[test]
    fn refuses_what_is_malformed() {
        let refused = |text: &str| Element::parse(text).expect_err("no element").to_string();
        assert_eq!(Element::parse("x:a"), Err(ElementError::Unknown));
        assert_eq!(refused("f"), "key must be 2 characters long:");
        assert_eq!(refused("fa"), "missing colon: fa");
        assert_eq!(refused("ää"), "missing colon: ää");
        assert!(refused("i:a").starts_with("strconv.Atoi"));
        assert!(refused("k:[]").starts_with("key is no object"));
        assert_eq!(refused("v:{"), "unexpected end of JSON input");
    }

    #[test]
    fn elements_have_one_order() {
        let texts = [
            "f:a",
            "f:b",
            r#"k:{"a":1}"#,
            r#"k:{"a":1,"b":2}"#,
            r#"k:{"a":"1"}"#,
            r#"k:{"b":0}"#,
            "v:1",
            "v:1.5",
            "v:2",
            r#"v:"a""#,
            "v:false",
            "v:true",
            "v:[]",
            "v:[1]",
            "v:{}",
            "v:null",
            "i:1",
            "i:2",
        ];
        let elements = texts.map(|text| Element::parse(text).expect("an element"));
        for pair in elements.windows(2) {
            assert!(pair[0] < pair[1], "{} < {}", pair[0], pair[1]);
        }
    }
}
