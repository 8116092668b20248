//! A part of an object that has a door of its own, as the definition of its kind says: through it
//! nothing else changes, and through no other door does it.

use api::{Text, Value};
use schema::View;

use super::{Writer, meta};
use crate::registry::Resource;

/// What of the metadata a write through the door of a part says: who owns what, and which object
/// in which version it means.
const KEPT: [&str; 3] = ["managedFields", "resourceVersion", "uid"];

/// Returns the paths that have doors of their own in the version at `place`.
pub(super) fn paths(resource: &Resource, place: usize) -> impl Iterator<Item = &[Text]> {
    let version = &resource.kind().versions[place];
    version
        .subresources
        .iter()
        .filter_map(|one| match &one.view {
            View::Part(path) => Some(path.as_slice()),
            _ => None,
        })
}

/// Gives `object` what `from` has under a path, which may be nothing.
pub(super) fn take(object: &mut Value, from: &Value, path: &[Text]) {
    let steps: Vec<&str> = path.iter().map(Text::as_str).collect();
    match from.at(&steps).cloned() {
        Some(value) => object.set_at(&steps, value),
        None => {
            object.remove_at(&steps);
        }
    }
}

/// Returns `old` with what `object` has under a path.
pub(super) fn only(object: &Value, old: &Value, path: &[Text]) -> Value {
    let mut narrow = old.clone();
    take(&mut narrow, object, path);
    for name in KEPT {
        let said = object.at(&["metadata", name]).cloned();
        meta::put(meta::of(&mut narrow), name, said);
    }
    narrow
}

/// Returns of a configuration to apply what may pass the door of a part.
pub(super) fn applied(given: &Value, path: &[Text]) -> Value {
    let mut narrow = Value::object();
    for name in ["apiVersion", "kind"] {
        meta::put(narrow.make_object(), name, given.get(name).cloned());
    }
    for name in ["name", "namespace"].iter().chain(&KEPT) {
        if let Some(said) = given.at(&["metadata", name]) {
            meta::of(&mut narrow).insert(name, said.clone());
        }
    }
    take(&mut narrow, given, path);
    narrow
}

impl Writer<'_> {
    /// Keeps of the old object the parts that have other doors than the one at `own`; without an
    /// old object there are none.
    pub(super) fn keep_parts(&self, object: &mut Value, old: Option<&Value>, own: &[Text]) {
        for path in paths(self.resource, self.working) {
            if path == own {
                continue;
            }
            take(object, old.unwrap_or(&Value::Null), path);
        }
    }
}

#[cfg(test)]
mod tests {
    use api::{Text, Value, json};

    use super::{applied, only};

    #[track_caller]
    fn check(found: &Value, expected: &str) {
        let mut out = Vec::new();
        json::write(found, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    fn read(text: &str) -> Value {
        json::read(text.as_bytes()).expect("it is JSON").value
    }

    #[test]
    fn only_the_part_passes() {
        let path = ["spec", "a"].map(Text::const_new);
        let old =
            read(r#"{"metadata":{"labels":{"x":"y"},"resourceVersion":"1"},"spec":{"a":1,"b":2}}"#);
        let new =
            r#"{"metadata":{"labels":{},"resourceVersion":"2","uid":"u"},"spec":{"a":3,"b":4}}"#;
        check(
            &only(&read(new), &old, &path),
            r#"{"metadata":{"labels":{"x":"y"},"resourceVersion":"2","uid":"u"},"spec":{"a":3,"b":2}}"#,
        );
        check(
            &only(&read(r#"{"spec":{"b":4}}"#), &old, &path),
            r#"{"metadata":{"labels":{"x":"y"}},"spec":{"b":2}}"#,
        );
        let given = r#"{"apiVersion":"g/v1","kind":"K","metadata":{"name":"n","labels":{"a":"b"}},"spec":{"a":3,"b":4},"x":1}"#;
        check(
            &applied(&read(given), &path),
            r#"{"apiVersion":"g/v1","kind":"K","metadata":{"name":"n"},"spec":{"a":3}}"#,
        );
        check(
            &applied(&read(r#"{"apiVersion":"g/v1"}"#), &path),
            r#"{"apiVersion":"g/v1"}"#,
        );
    }
}
