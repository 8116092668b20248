//! Label selectors: which objects a wish speaks of.

use serde::Deserialize;

use crate::object::{Labels, null_as_default};

/// A label selector as it stands in objects.
///
/// An empty one matches everything; callers for which that would be a mistake ask
/// [`Selector::is_empty`] first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Selector {
    match_labels: Labels,
    #[serde(deserialize_with = "null_as_default")]
    match_expressions: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Requirement {
    key: Box<str>,
    operator: Operator,
    #[serde(default, deserialize_with = "null_as_default")]
    values: Vec<Box<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    /// A word of a later version; a selector with it matches nothing.
    #[serde(other)]
    Unknown,
}

impl Selector {
    /// Returns a selector for objects that carry all of these labels.
    #[must_use]
    pub fn labels(labels: Labels) -> Self {
        Self {
            match_labels: labels,
            match_expressions: Vec::new(),
        }
    }

    /// Returns whether it asks for nothing and so matches everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// Returns whether an object with these labels is meant.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        labels.contains_all(&self.match_labels)
            && self.match_expressions.iter().all(|requirement| {
                let value = labels.get(&requirement.key);
                let listed = |value| requirement.values.iter().any(|held| &**held == value);
                match requirement.operator {
                    Operator::In => value.is_some_and(listed),
                    // As upstream: an object without the label is not in the set.
                    Operator::NotIn => !value.is_some_and(listed),
                    Operator::Exists => value.is_some(),
                    Operator::DoesNotExist => value.is_none(),
                    Operator::Unknown => false,
                }
            })
    }
}

#[cfg(test)]
mod tests {
    use super::Selector;

    #[track_caller]
    fn check(selector: &str, labels: &str, expected: bool) {
        let selector: Selector = serde_json::from_str(selector).unwrap();
        let labels = labels
            .split_whitespace()
            .map(|pair| pair.split_once('=').unwrap())
            .collect();
        assert_eq!(selector.matches(&labels), expected);
    }

    #[test]
    fn empty_matches_everything() {
        check("{}", "", true);
        check("{}", "a=1", true);
    }

    #[test]
    fn labels_must_all_be_there() {
        check(r#"{"matchLabels":{"a":"1","b":"2"}}"#, "a=1 b=2 c=3", true);
        check(r#"{"matchLabels":{"a":"1","b":"2"}}"#, "a=1 b=3", false);
        check(r#"{"matchLabels":{"a":"1"}}"#, "", false);
    }

    #[test]
    fn expressions_say_more() {
        let one = |operator: &str| {
            format!(
                r#"{{"matchExpressions":[{{"key":"a","operator":"{operator}","values":["1","2"]}}]}}"#
            )
        };
        check(&one("In"), "a=2", true);
        check(&one("In"), "a=3", false);
        check(&one("In"), "", false);
        check(&one("NotIn"), "a=2", false);
        check(&one("NotIn"), "a=3", true);
        check(&one("NotIn"), "", true);
        check(&one("Exists"), "a=9", true);
        check(&one("Exists"), "b=9", false);
        check(&one("DoesNotExist"), "a=9", false);
        check(&one("DoesNotExist"), "b=9", true);
        check(&one("Gt"), "a=9", false);
    }
}
