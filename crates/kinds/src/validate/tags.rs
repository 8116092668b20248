//! What upstream's `+k8s:` rules say of a field, and what they leave alone.
//!
//! These rules run after the hand-written ones, in the order of the fields, and their sentences are
//! drier. A part of an object that an update does not touch is not looked at: [`Change::is_kept`].
//!
//! Source: k8s.io/apimachinery v0.37.1, pkg/api/validate.

use api::{
    Value,
    field::{Error, Shown},
    names::validate as names,
};

use super::{Findings, Place, Subject};

/// A field as it would be written and, on an update, as it was.
#[derive(Clone, Copy)]
pub(crate) struct Change<'a> {
    /// As it would be written.
    pub(crate) now: Place<'a>,
    /// As it was; absent on create, and for items of lists that were not there.
    was: Option<Place<'a>>,
}

impl<'a> Change<'a> {
    /// Returns the whole object.
    pub(crate) fn of(subject: &Subject<'a>) -> Self {
        Self {
            now: subject.root(),
            was: subject.old.map(|_| subject.old_root()),
        }
    }

    /// Returns something that was not there before, or is looked at as if it had not been.
    pub(crate) fn new(now: Place<'a>) -> Self {
        Self { now, was: None }
    }

    /// Whether the field was set before.
    pub(crate) fn had(&self) -> bool {
        self.was.is_some_and(|was| was.is_set())
    }

    /// Returns the field of this name.
    pub(crate) fn child(&'a self, name: &'a str) -> Change<'a> {
        Change {
            now: self.now.child(name),
            was: self.was.as_ref().map(|was| was.child(name)),
        }
    }

    /// Returns the items of a list, each with the old item that has the same text in these fields.
    pub(crate) fn items(&'a self, keys: &'a [&'a str]) -> impl Iterator<Item = Change<'a>> {
        self.now.items().map(|now| {
            let is_it = |was: &Place<'_>| {
                let (now, was) = (now.value(), was.value());
                keys.iter()
                    .all(|key| text_in(now, key) == text_in(was, key))
            };
            let was = self.was.as_ref().filter(|_| !keys.is_empty());
            Change {
                now,
                was: was.and_then(|was| was.items().find(is_it)),
            }
        })
    }

    /// Whether an update leaves it as it was.
    pub(crate) fn is_kept(&self) -> bool {
        self.was.is_some_and(|was| same(&self.now, &was))
    }

    /// The field may not be empty.
    pub(crate) fn required(&self, found: &mut Findings) {
        if is_blank(self.now.value()) && !self.is_kept() {
            found.required(&self.now, "");
        }
    }

    /// The field never changes.
    pub(crate) fn immutable(&self, found: &mut Findings) {
        if self.was.is_some() && !self.is_kept() {
            let detail = "field is immutable";
            found.push(Error::invalid(self.now.path(), &Value::Null, detail));
        }
    }

    /// The field may be set only where another one allows it.
    pub(crate) fn forbidden(&self, found: &mut Findings) {
        if self.now.is_set() {
            found.forbidden(&self.now, "");
        }
    }

    /// The text has at most so many characters.
    pub(crate) fn length_max(&self, characters_max: usize, found: &mut Findings) {
        if self.now.text().chars().count() > characters_max && !self.is_kept() {
            let path = self.now.path();
            found.push(Error::too_long_characters(path, characters_max));
        }
    }

    /// The list has at most so many items.
    pub(crate) fn items_max(&self, count_max: usize, found: &mut Findings) {
        if self.now.len() > count_max && !self.is_kept() {
            let path = self.now.path();
            found.push(Error::too_many(path, self.now.len(), count_max));
        }
    }

    /// The number is not smaller.
    pub(crate) fn minimum(&self, least: i64, found: &mut Findings) {
        if self.now.int().is_some_and(|number| number < least) && !self.is_kept() {
            found.invalid(
                &self.now,
                format!("must be greater than or equal to {least}"),
            );
        }
    }

    /// The text is one of these.
    pub(crate) fn one_of(&self, known: &[&str], found: &mut Findings) {
        let is_known = self.now.str().is_none_or(|text| known.contains(&text));
        if !is_known && !self.is_kept() {
            found.not_supported(&self.now, known);
        }
    }

    /// Exactly one of these fields is set.
    pub(crate) fn exactly_one(&self, members: &[&str], found: &mut Findings) {
        let is_set = |place: &Place<'_>, name: &str| {
            let value = place.value().and_then(|value| value.get(name));
            value.is_some_and(|value| !value.is_null())
        };
        let kept = self.was.is_some_and(|was| {
            let mut members = members.iter();
            members.all(|name| is_set(&self.now, name) == is_set(&was, name))
        });
        if kept {
            return;
        }
        let count = members
            .iter()
            .filter(|name| is_set(&self.now, name))
            .count();
        if count == 1 {
            return;
        }
        let known: Vec<String> = members.iter().map(|name| format!("`{name}`")).collect();
        let known = known.join(", ");
        let given: Vec<&str> = members
            .iter()
            .copied()
            .filter(|name| is_set(&self.now, name))
            .collect();
        let (shown, detail) = match count {
            0 => (String::new(), format!("must specify one of: {known}")),
            _ => (
                format!("{{{}}}", given.join(", ")),
                format!("must specify exactly one of: {known}"),
            ),
        };
        found.push(Error::invalid(self.now.path(), Shown::from(&shown), detail));
    }
}

/// Returns what is wrong with a name by a rule of its text; these rules count bytes.
pub(crate) fn in_bytes(mut details: Vec<String>) -> Vec<String> {
    for detail in &mut details {
        if let Some(rest) = detail.strip_suffix(" characters") {
            *detail = format!("{rest} bytes");
        }
    }
    details
}

/// Returns what is wrong with a subdomain whose case does not matter.
pub(crate) fn caseless_subdomain(text: &str) -> Vec<String> {
    let mut details = in_bytes(names::dns1123_subdomain(&text.to_ascii_lowercase()));
    for detail in &mut details {
        if detail.starts_with("a lowercase") {
            *detail = String::from(CASELESS_RULE);
        }
    }
    details
}

const CASELESS_RULE: &str = r"an RFC 1123 subdomain must consist of alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'Example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

fn text_in<'a>(value: Option<&'a Value>, key: &str) -> &'a str {
    let inner = value.and_then(|value| value.get(key));
    inner.and_then(Value::as_str).unwrap_or_default()
}

/// Whether Go would hold the zero value.
pub(crate) fn is_blank(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false) | Value::Int(0)) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(object)) => object.is_empty(),
        Some(_) => false,
    }
}

/// Whether both hold the same; what is absent is the same as what is empty.
pub(crate) fn same(a: &Place<'_>, b: &Place<'_>) -> bool {
    same_value(a.value(), b.value())
}

fn same_value(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let inside = |a: &api::Object, b: &api::Object| {
                a.iter()
                    .all(|(name, value)| same_value(Some(value), b.get(name)))
            };
            inside(a, b) && inside(b, a)
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            let mut pairs = a.iter().zip(b);
            a.len() == b.len() && pairs.all(|(a, b)| same_value(Some(a), Some(b)))
        }
        (Some(a), Some(b)) => a == b,
        (a, b) => {
            let nothing = |value: Option<&Value>| {
                matches!(value, None | Some(Value::Null))
                    || !matches!(value, Some(Value::Bool(_) | Value::Int(_))) && is_blank(value)
            };
            nothing(a) && nothing(b)
        }
    }
}

#[cfg(test)]
mod tests {
    use api::{Value, field::Path, json};

    use super::{Change, same};
    use crate::validate::{Findings, Place};

    fn read(text: &str) -> Value {
        json::read(text.as_bytes()).expect("it is JSON").value
    }

    /// Every rule of one field, in a fixed order.
    #[track_caller]
    fn check(now: &str, was: Option<&str>, expected: &[&str]) {
        let (now, was) = (read(now), was.map(read));
        let whole = Change {
            now: Place::new(Some(&now), Path::ROOT),
            was: was.as_ref().map(|was| Place::new(Some(was), Path::ROOT)),
        };
        let mut found = Findings::default();
        let text = whole.child("text");
        text.required(&mut found);
        text.immutable(&mut found);
        text.length_max(3, &mut found);
        text.one_of(&["a", "b", ""], &mut found);
        let number = whole.child("number");
        number.minimum(1, &mut found);
        let list = whole.child("list");
        list.items_max(2, &mut found);
        for item in list.items(&["name"]) {
            item.child("value").immutable(&mut found);
        }
        whole.child("x").forbidden(&mut found);
        let one = whole.child("one");
        if one.now.is_set() {
            one.exactly_one(&["a", "b"], &mut found);
        }
        let found: Vec<String> = found.errors().iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn rules_speak_of_what_is_new() {
        check("{}", None, &["text: Required value"]);
        check("{}", Some("{}"), &[]);
        check(
            r#"{"text":"long","number":0,"list":[1,2,3],"x":{}}"#,
            None,
            &[
                "text: Too long: may not be more than 3 characters",
                r#"text: Unsupported value: "long": supported values: "a", "b", """#,
                "number: Invalid value: 0: must be greater than or equal to 1",
                "list: Too many: 3: must have at most 2 items",
                "x: Forbidden",
            ],
        );
    }

    #[test]
    fn what_was_there_may_stay() {
        let bad = r#"{"text":"long","number":0,"list":[1,2,3]}"#;
        check(bad, Some(bad), &[]);
        check(
            r#"{"text":"a","list":[{"name":"n","value":1},{"name":"m","value":2}]}"#,
            Some(r#"{"text":"b","list":[{"name":"n","value":3}]}"#),
            &[
                "text: Invalid value: null: field is immutable",
                "list[0].value: Invalid value: null: field is immutable",
            ],
        );
    }

    #[test]
    fn unions_count_their_members() {
        check(
            r#"{"text":"a","one":{"c":1}}"#,
            None,
            &[r#"one: Invalid value: "": must specify one of: `a`, `b`"#],
        );
        let two = r#"{"text":"a","one":{"a":1,"b":1}}"#;
        check(
            two,
            None,
            &[r#"one: Invalid value: "{a, b}": must specify exactly one of: `a`, `b`"#],
        );
        check(two, Some(two), &[]);
    }

    #[test]
    fn absent_and_empty_are_the_same() {
        let all = [
            (r#"{"a":[]}"#, "{}", true),
            (r#"{"a":{"b":""}}"#, r#"{"a":{}}"#, true),
            (r#"{"a":0}"#, "{}", false),
            (r#"{"a":1}"#, r#"{"a":2}"#, false),
        ];
        for (a, b, expected) in all {
            let (left, right) = (read(a), read(b));
            let (left, right) = (
                Place::new(Some(&left), Path::ROOT),
                Place::new(Some(&right), Path::ROOT),
            );
            assert_eq!(same(&left, &right), expected, "{a} {b}");
        }
    }
}
