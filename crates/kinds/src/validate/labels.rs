//! Labels, annotations and selectors of labels.
//!
//! Source: k8s.io/apimachinery v0.37.1, pkg/apis/meta/v1/validation and pkg/api/validation.

use api::{Value, field::Path, meta::check, names::validate, selector::LabelSelector};

use super::{Findings, Place};

/// Finalizers that need no domain before their name.
const FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// What a selector may hold that a new one may not.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum SelectorRules {
    /// Nothing: keys, operators and values are checked.
    #[default]
    Strict,
    /// Values that are no label values: they were stored before they were checked.
    AnyValues,
}

/// Checks the labels of a map.
pub(crate) fn labels(labels: &Place<'_>, found: &mut Findings) {
    for (key, value) in labels.entries() {
        key_at(labels.path(), key, found);
        let text = value.text();
        for sentence in validate::label_value(text) {
            found.push(api::field::Error::invalid(labels.path(), text, sentence));
        }
    }
}

/// Checks the annotations of a map: their keys, and how long they are together.
pub(crate) fn annotations(annotations: &Place<'_>, found: &mut Findings) {
    let mut bytes = 0;
    for (key, value) in annotations.entries() {
        bytes += key.len() + value.text().len();
        for sentence in validate::qualified_name(&key.to_lowercase()) {
            found.push(api::field::Error::invalid(
                annotations.path(),
                key,
                sentence,
            ));
        }
    }
    if bytes > check::ANNOTATIONS_BYTES_MAX {
        let error = api::field::Error::too_long(annotations.path(), check::ANNOTATIONS_BYTES_MAX);
        found.push(error);
    }
}

/// Checks the key of a label that stands in a field.
pub(crate) fn key(place: &Place<'_>, found: &mut Findings) {
    key_at(place.path(), place.text(), found);
}

/// Checks the key of a label; errors are about the field at `path`.
pub(crate) fn key_at(path: &Path<'_>, key: &str, found: &mut Findings) {
    for sentence in validate::qualified_name(key) {
        found.push(api::field::Error::invalid(path, key, sentence));
    }
}

/// Checks the value of a label that stands in a field.
pub(crate) fn value(place: &Place<'_>, found: &mut Findings) {
    found.each_invalid(place, validate::label_value(place.text()));
}

/// Checks a label selector; one that is absent is right.
pub(crate) fn selector(selector: &Place<'_>, rules: SelectorRules, found: &mut Findings) {
    if !selector.is_set() {
        return;
    }
    labels(&selector.child("matchLabels"), found);
    for expression in selector.child("matchExpressions").items() {
        requirement(&expression, rules, found);
    }
}

/// Checks one of the expressions of a label selector.
pub(crate) fn requirement(expression: &Place<'_>, rules: SelectorRules, found: &mut Findings) {
    let (operator, values) = (expression.child("operator"), expression.child("values"));
    match operator.text() {
        "In" | "NotIn" => {
            if values.len() == 0 {
                let why = "must be specified when `operator` is 'In' or 'NotIn'";
                found.required(&values, why);
            }
        }
        "Exists" | "DoesNotExist" => {
            if values.len() > 0 {
                let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                found.forbidden(&values, why);
            }
        }
        other => {
            let why = "not a valid selector operator";
            found.push(api::field::Error::invalid(operator.path(), other, why));
        }
    }
    key(&expression.child("key"), found);
    if rules == SelectorRules::Strict {
        for one in values.items() {
            value(&one, found);
        }
    }
}

/// Whether a selector holds a value that is no label value.
pub(crate) fn has_bad_value(selector: &Place<'_>) -> bool {
    let is_bad = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        !validate::label_value(text).is_empty()
    };
    let expressions = selector.child("matchExpressions");
    let mut values = expressions
        .list()
        .iter()
        .filter_map(|one| one.get("values"));
    values.any(|values| values.as_array().unwrap_or_default().iter().any(is_bad))
}

/// Returns what a selector object selects; `None` if it is none, which has been said before.
pub(crate) fn parse(selector: &Place<'_>) -> Option<LabelSelector> {
    LabelSelector::from_value(selector.value()).ok()
}

/// Whether a label selector is there and selects everything.
pub(crate) fn is_empty(selector: &Place<'_>) -> bool {
    selector.child("matchLabels").len() == 0 && selector.child("matchExpressions").len() == 0
}

/// Whether a map of labels has at least what another map asks for.
pub(crate) fn covers(labels: &Place<'_>, wanted: &Place<'_>) -> bool {
    wanted
        .entries()
        .all(|(name, value)| labels.key(name).value() == value.value())
}

/// Checks that finalizers of an object are known or have a domain, as the core group and the
/// groups that grew out of it do.
pub(crate) fn finalizers(root: &Place<'_>, found: &mut Findings) {
    let metadata = root.child("metadata");
    for finalizer in metadata.child("finalizers").items() {
        let name = finalizer.text();
        if !name.contains('/') && !FINALIZERS.contains(&name) {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            found.invalid(&finalizer, why);
        }
    }
}

#[cfg(test)]
mod tests {
    use api::{field::Path, json};

    use super::{Findings, Place, SelectorRules, annotations, finalizers, has_bad_value, selector};

    /// Checks an object of `selector`, `annotations` and `metadata`.
    #[track_caller]
    fn check(object: &str, rules: SelectorRules, expected: &[&str]) {
        let object = json::read(object.as_bytes()).expect("it is JSON").value;
        let root = Place::new(Some(&object), Path::ROOT);
        let mut found = Findings::default();
        selector(&root.child("selector"), rules, &mut found);
        annotations(&root.child("annotations"), &mut found);
        finalizers(&root, &mut found);
        let found: Vec<String> = found.errors().iter().map(ToString::to_string).collect();
        let heads: Vec<&str> = found
            .iter()
            .map(|text| text.split(" (").next().unwrap_or_default())
            .collect();
        assert_eq!(heads, expected);
    }

    const ODD: &str = r#"{"selector":{"matchLabels":{"a":"b c"},"matchExpressions":[
        {"key":"a","operator":"In"},{"key":"a","operator":"Exists","values":["b"]},
        {"key":"/","operator":"Gt","values":["-"]}]}}"#;

    #[test]
    fn selectors_are_of_labels() {
        check(
            r#"{"selector":{"matchLabels":{"a":"b"},"matchExpressions":[{"key":"a","operator":"In","values":["b"]}]}}"#,
            SelectorRules::Strict,
            &[],
        );
        let key = [
            r#"selector.matchExpressions[2].key: Invalid value: "/": prefix part must be non-empty"#,
            r#"selector.matchExpressions[2].key: Invalid value: "/": name part must be non-empty"#,
            r#"selector.matchExpressions[2].key: Invalid value: "/": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"#,
        ];
        let first = [
            r#"selector.matchLabels: Invalid value: "b c": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"#,
            "selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
            "selector.matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            r#"selector.matchExpressions[2].operator: Invalid value: "Gt": not a valid selector operator"#,
        ];
        let value = r#"selector.matchExpressions[2].values[0]: Invalid value: "-": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"#;
        let mut expected: Vec<&str> = first.into_iter().chain(key).collect();
        check(ODD, SelectorRules::AnyValues, &expected);
        expected.push(value);
        check(ODD, SelectorRules::Strict, &expected);
        let object = json::read(ODD.as_bytes()).expect("it is JSON").value;
        assert!(has_bad_value(&Place::new(
            object.get("selector"),
            Path::ROOT
        )));
    }

    #[test]
    fn annotations_and_finalizers_have_names() {
        check(
            r#"{"annotations":{"A.b/C":""},"metadata":{"finalizers":["orphan","a/b"]}}"#,
            SelectorRules::Strict,
            &[],
        );
        check(
            r#"{"annotations":{"/a":""},"metadata":{"finalizers":["a"]}}"#,
            SelectorRules::Strict,
            &[
                r#"annotations: Invalid value: "/a": prefix part must be non-empty"#,
                r#"metadata.finalizers[0]: Invalid value: "a": name is neither a standard finalizer name nor is it fully qualified"#,
            ],
        );
    }
}
