//! What is wrong with which field, in upstream's words.
//!
//! A [`Path`] is a chain on the stack that costs nothing until it is printed; an [`Error`] prints it
//! once. `Vec<field::Error>` becomes the causes of a 422 by [`causes`].
//!
//! Source: k8s.io/apimachinery, pkg/util/validation/field.

use std::fmt;

use crate::{Cause, Text, Value, json, quote};

/// A field's place in an object: `spec.containers[0].name`, `metadata.labels[foo]`.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Root,
    Name(&'a str),
    Index(usize),
    Key(&'a str),
}

/// What kind of wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorType {
    /// A reference leads nowhere.
    NotFound,
    /// A value must be given.
    Required,
    /// A value is there already.
    Duplicate,
    /// A value is malformed or out of bounds.
    Invalid,
    /// A value is not one of the allowed ones.
    NotSupported,
    /// A value would be right under other conditions.
    Forbidden,
    /// A value is too long and is not printed.
    TooLong,
    /// A value is too short.
    TooShort,
    /// A list has too many items.
    TooMany,
    /// A list has too few items.
    TooFew,
    /// The fault is ours.
    Internal,
    /// A value has another type than the schema says.
    TypeInvalid,
}

/// One field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of wrong.
    pub kind: ErrorType,
    /// The printed path.
    pub field: String,
    /// The printed value, if the kind of error prints it.
    pub value: Option<String>,
    /// What would be right.
    pub detail: String,
}

/// A value as an error prints it: strings in quotes, numbers and booleans bare, the rest as JSON.
#[derive(Clone, Debug)]
pub struct Shown(Option<String>);

impl<'a> Path<'a> {
    /// The place of the whole object; prints as nothing.
    pub const ROOT: Path<'static> = Path {
        parent: None,
        step: Step::Root,
    };

    /// Returns the path of a field of the whole object.
    #[must_use]
    pub const fn new(name: &'a str) -> Self {
        Self {
            parent: None,
            step: Step::Name(name),
        }
    }

    /// Returns the path of the field `name` below this one.
    #[must_use]
    pub const fn child(&'a self, name: &'a str) -> Path<'a> {
        Path {
            parent: Some(self),
            step: Step::Name(name),
        }
    }

    /// Returns the path of an item of this list.
    #[must_use]
    pub const fn index(&'a self, index: usize) -> Path<'a> {
        Path {
            parent: Some(self),
            step: Step::Index(index),
        }
    }

    /// Returns the path of an entry of this map.
    #[must_use]
    pub const fn key(&'a self, key: &'a str) -> Path<'a> {
        Path {
            parent: Some(self),
            step: Step::Key(key),
        }
    }

    fn is_root(&self) -> bool {
        matches!(self.step, Step::Root)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Recursion is as deep as the code that built the chain, which lies on the same stack.
        let below = self.parent.filter(|parent| !parent.is_root());
        if let Some(parent) = below {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            // As upstream, which takes a field without a name for an index without one.
            Step::Name("") => f.write_str("[]"),
            Step::Name(name) if below.is_some() => write!(f, ".{name}"),
            Step::Name(name) => f.write_str(name),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) => write!(f, "[{key}]"),
        }
    }
}

impl ErrorType {
    /// Returns the reason of the cause on the wire.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotFound => "FieldValueNotFound",
            Self::Required => "FieldValueRequired",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooShort => "FieldValueTooShort",
            Self::TooMany => "FieldValueTooMany",
            Self::TooFew => "FieldValueTooFew",
            Self::Internal => "InternalError",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::NotFound => "Not found",
            Self::Required => "Required value",
            Self::Duplicate => "Duplicate value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooShort => "Too short",
            Self::TooMany => "Too many",
            Self::TooFew => "Too few",
            Self::Internal => "Internal error",
        }
    }

    /// Returns whether an error of this kind prints the value.
    const fn prints_value(self) -> bool {
        !matches!(
            self,
            Self::Required | Self::Forbidden | Self::TooLong | Self::TooShort | Self::Internal
        )
    }
}

impl Error {
    fn new(kind: ErrorType, path: &Path<'_>, shown: Shown, detail: impl Into<String>) -> Self {
        Self {
            kind,
            field: path.to_string(),
            value: shown.0.filter(|_| kind.prints_value()),
            detail: detail.into(),
        }
    }

    /// A value must be given.
    #[must_use]
    pub fn required(path: &Path<'_>, detail: impl Into<String>) -> Self {
        Self::new(ErrorType::Required, path, Shown(None), detail)
    }

    /// A value is malformed or out of bounds.
    #[must_use]
    pub fn invalid(path: &Path<'_>, value: impl Into<Shown>, detail: impl Into<String>) -> Self {
        Self::new(ErrorType::Invalid, path, value.into(), detail)
    }

    /// A value has another type than the schema says.
    #[must_use]
    pub fn type_invalid(
        path: &Path<'_>,
        value: impl Into<Shown>,
        detail: impl Into<String>,
    ) -> Self {
        Self::new(ErrorType::TypeInvalid, path, value.into(), detail)
    }

    /// A value is not one of `supported`, which are printed in the order given.
    #[must_use]
    pub fn not_supported(path: &Path<'_>, value: impl Into<Shown>, supported: &[&str]) -> Self {
        let quoted: Vec<String> = supported.iter().map(|one| quote::quote(one)).collect();
        let detail = if quoted.is_empty() {
            String::new()
        } else {
            format!("supported values: {}", quoted.join(", "))
        };
        Self::new(ErrorType::NotSupported, path, value.into(), detail)
    }

    /// A value is there already.
    #[must_use]
    pub fn duplicate(path: &Path<'_>, value: impl Into<Shown>) -> Self {
        Self::new(ErrorType::Duplicate, path, value.into(), "")
    }

    /// A reference leads nowhere.
    #[must_use]
    pub fn not_found(path: &Path<'_>, value: impl Into<Shown>) -> Self {
        Self::new(ErrorType::NotFound, path, value.into(), "")
    }

    /// A value would be right under other conditions.
    #[must_use]
    pub fn forbidden(path: &Path<'_>, detail: impl Into<String>) -> Self {
        Self::new(ErrorType::Forbidden, path, Shown(None), detail)
    }

    /// A value has more than `bytes_max` bytes.
    #[must_use]
    pub fn too_long(path: &Path<'_>, bytes_max: usize) -> Self {
        let detail = format!(
            "may not be more than {bytes_max} byte{}",
            plural(bytes_max, "s")
        );
        Self::new(ErrorType::TooLong, path, Shown(None), detail)
    }

    /// A value has more than `characters_max` characters.
    #[must_use]
    pub fn too_long_characters(path: &Path<'_>, characters_max: usize) -> Self {
        let detail = format!(
            "may not be more than {characters_max} character{}",
            plural(characters_max, "s")
        );
        Self::new(ErrorType::TooLong, path, Shown(None), detail)
    }

    /// A value has less than `characters_min` characters.
    #[must_use]
    pub fn too_short(path: &Path<'_>, characters_min: usize) -> Self {
        let detail = format!(
            "must be at least {characters_min} character{}",
            plural(characters_min, "s")
        );
        Self::new(ErrorType::TooShort, path, Shown(None), detail)
    }

    /// A list of `count` has more than `count_max` items.
    #[must_use]
    pub fn too_many(path: &Path<'_>, count: usize, count_max: usize) -> Self {
        let detail = format!(
            "must have at most {count_max} item{}",
            plural(count_max, "s")
        );
        Self::new(ErrorType::TooMany, path, Shown::from(count), detail)
    }

    /// A list of `count` has less than `count_min` items.
    #[must_use]
    pub fn too_few(path: &Path<'_>, count: usize, count_min: usize) -> Self {
        let detail = format!(
            "must have at least {count_min} item{}",
            plural(count_min, "s")
        );
        Self::new(ErrorType::TooFew, path, Shown::from(count), detail)
    }

    /// The fault is ours.
    #[must_use]
    pub fn internal(path: &Path<'_>, detail: impl Into<String>) -> Self {
        Self::new(ErrorType::Internal, path, Shown(None), detail)
    }

    /// Returns the text without the path, which is the message of the cause.
    #[must_use]
    pub fn body(&self) -> String {
        let mut body = String::from(self.kind.words());
        if let Some(value) = &self.value {
            body.push_str(": ");
            body.push_str(value);
        }
        if !self.detail.is_empty() {
            body.push_str(": ");
            body.push_str(&self.detail);
        }
        body
    }

    /// Returns the cause for a [`crate::Status`].
    #[must_use]
    pub fn cause(&self) -> Cause {
        Cause {
            reason: Text::const_new(self.kind.reason()),
            message: self.body(),
            field: self.field.clone(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.body())
    }
}

impl std::error::Error for Error {}

/// Returns the causes for [`crate::Status::invalid`].
#[must_use]
pub fn causes(errors: &[Error]) -> Vec<Cause> {
    errors.iter().map(Error::cause).collect()
}

/// Returns one text for several errors, as upstream's aggregate prints them: each text once.
#[must_use]
pub fn aggregate(errors: &[Error]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for error in errors {
        let text = error.to_string();
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    match texts.as_slice() {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}

fn plural(count: usize, ending: &'static str) -> &'static str {
    if count == 1 { "" } else { ending }
}

impl Shown {
    /// Prints no value at all.
    pub const OMITTED: Shown = Shown(None);

    /// Prints this text as it is; for what upstream prints by a `String` method.
    #[must_use]
    pub fn bare(text: impl Into<String>) -> Self {
        Self(Some(text.into()))
    }
}

impl From<&str> for Shown {
    fn from(text: &str) -> Self {
        Self(Some(quote::quote(text)))
    }
}

impl From<&String> for Shown {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&Text> for Shown {
    fn from(text: &Text) -> Self {
        Self::from(text.as_str())
    }
}

impl From<i64> for Shown {
    fn from(number: i64) -> Self {
        Self(Some(number.to_string()))
    }
}

impl From<usize> for Shown {
    fn from(number: usize) -> Self {
        Self(Some(number.to_string()))
    }
}

impl From<f64> for Shown {
    fn from(number: f64) -> Self {
        Self(Some(quote::float(number)))
    }
}

impl From<bool> for Shown {
    fn from(flag: bool) -> Self {
        Self(Some(flag.to_string()))
    }
}

impl From<&Value> for Shown {
    fn from(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::from(text),
            Value::Float(number) => Self::from(*number),
            other => {
                let mut out = Vec::new();
                json::write(other, &mut out);
                Self(Some(String::from_utf8_lossy(&out).into_owned()))
            }
        }
    }
}

impl From<&[&str]> for Shown {
    fn from(texts: &[&str]) -> Self {
        let items = texts.iter().map(|text| Value::from(*text)).collect();
        Self::from(&Value::Array(items))
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, Path, aggregate, causes};

    #[track_caller]
    fn check(error: &Error, expected: &str) {
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn prints_paths() {
        let spec = Path::new("spec");
        let containers = spec.child("containers");
        let first = containers.index(0);
        assert_eq!(first.child("name").to_string(), "spec.containers[0].name");
        let metadata = Path::ROOT.child("metadata");
        let labels = metadata.child("labels");
        assert_eq!(labels.key("foo").to_string(), "metadata.labels[foo]");
        assert_eq!(Path::ROOT.index(1).to_string(), "[1]");
        assert_eq!(Path::ROOT.to_string(), "");
        assert_eq!(Path::new("").to_string(), "[]");
    }

    #[test]
    fn says_what_upstream_says() {
        let path = Path::new("a");
        check(&Error::required(&path, ""), "a: Required value");
        check(&Error::required(&path, "x"), "a: Required value: x");
        check(
            &Error::invalid(&path, "b\"", "no"),
            r#"a: Invalid value: "b\"": no"#,
        );
        check(
            &Error::invalid(&path, 5_i64, "no"),
            "a: Invalid value: 5: no",
        );
        check(&Error::invalid(&path, 1.5, ""), "a: Invalid value: 1.5");
        check(
            &Error::invalid(&path, true, "no"),
            "a: Invalid value: true: no",
        );
        let value = crate::value!({"x": [1, "<"], "y": null});
        check(
            &Error::invalid(&path, &value, "no"),
            r#"a: Invalid value: {"x":[1,"\u003c"],"y":null}: no"#,
        );
        check(
            &Error::type_invalid(&path, "s", "must be of type integer"),
            r#"a: Invalid value: "s": must be of type integer"#,
        );
        check(
            &Error::not_supported(&path, "c", &["A", "B"]),
            r#"a: Unsupported value: "c": supported values: "A", "B""#,
        );
        check(&Error::duplicate(&path, "c"), r#"a: Duplicate value: "c""#);
        check(&Error::not_found(&path, "c"), r#"a: Not found: "c""#);
        check(&Error::forbidden(&path, "no"), "a: Forbidden: no");
        check(
            &Error::too_long(&path, 1),
            "a: Too long: may not be more than 1 byte",
        );
        check(
            &Error::too_long_characters(&path, 2),
            "a: Too long: may not be more than 2 characters",
        );
        check(
            &Error::too_short(&path, 2),
            "a: Too short: must be at least 2 characters",
        );
        check(
            &Error::too_many(&path, 3, 1),
            "a: Too many: 3: must have at most 1 item",
        );
        check(
            &Error::too_few(&path, 0, 2),
            "a: Too few: 0: must have at least 2 items",
        );
        check(&Error::internal(&path, "oh"), "a: Internal error: oh");
    }

    #[test]
    fn becomes_causes() {
        let errors = [
            Error::required(&Path::new("a"), ""),
            Error::required(&Path::new("a"), ""),
        ];
        let cause = causes(&errors).remove(0);
        assert_eq!(cause.reason, "FieldValueRequired");
        assert_eq!(cause.message, "Required value");
        assert_eq!(cause.field, "a");
        assert_eq!(aggregate(&errors), "a: Required value");
    }
}
