//! What may not change.
//!
//! Both objects are in normal form: what Go holds equal is written alike, except amounts, which may
//! be written in several ways.
//!
//! Source: k8s.io/apimachinery v0.37.1, pkg/api/validation/objectmeta.go.

use api::Value;

use super::{Findings, Place};

/// What upstream says of a field that changed and may not.
pub(crate) const IMMUTABLE: &str = "field is immutable";

/// A field is what it was. Says whether it is.
pub(crate) fn immutable(new: &Place<'_>, old: &Place<'_>, found: &mut Findings) -> bool {
    let is_same = same(new.value(), old.value());
    if !is_same {
        found.invalid(new, IMMUTABLE);
    }
    is_same
}

/// Whether two values are the same to Go: lists and maps without entries are absent.
pub(crate) fn same(new: Option<&Value>, old: Option<&Value>) -> bool {
    fn filled(value: Option<&Value>) -> Option<&Value> {
        value.filter(|value| match value {
            Value::Null => false,
            Value::Array(items) => !items.is_empty(),
            _ => true,
        })
    }
    match (filled(new), filled(old)) {
        (None, None) => true,
        (Some(new), Some(old)) => new == old,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use api::{field::Path, json};

    use super::*;

    #[track_caller]
    fn check(new: &str, old: &str, expected: &[&str]) {
        let read = |text: &str| json::read(text.as_bytes()).expect("it is JSON").value;
        let (new, old) = (read(new), read(old));
        let mut found = Findings::default();
        let (new, old) = (
            Place::new(Some(&new), Path::ROOT),
            Place::new(Some(&old), Path::ROOT),
        );
        immutable(&new.child("a"), &old.child("a"), &mut found);
        let found: Vec<String> = found.errors().iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_changed_is_told() {
        check(r#"{"a":[]}"#, "{}", &[]);
        check(r#"{"a":1}"#, r#"{"a":1}"#, &[]);
        check(
            "{}",
            r#"{"a":1}"#,
            &["a: Invalid value: null: field is immutable"],
        );
    }
}
