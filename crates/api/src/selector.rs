//! Label and field selectors: which objects a client asks for.
//!
//! A [`LabelSelector`] is read from a query's text or from an object's `matchLabels` and
//! `matchExpressions`; a [`FieldSelector`] from a query's text only. Both print canonically.
//!
//! Source: k8s.io/apimachinery, pkg/labels, pkg/fields and meta/v1 helpers.

mod fields;
mod labels;
mod lex;

pub use fields::{FieldRequirement, FieldSelector, FieldSelectorError, escape_value};
pub use labels::{LabelSelector, Operator, Requirement, SelectorError};

#[cfg(test)]
mod tests {
    use super::{FieldSelector, LabelSelector};
    use crate::{Value, value};

    #[test]
    fn matches_labels() {
        let check = |selector: &str, labels: Value, expected: bool| {
            let selector = LabelSelector::parse(selector).expect("a selector");
            assert_eq!(
                selector.matches_value(Some(&labels)),
                expected,
                "{selector}"
            );
        };
        check("", value!({}), true);
        check("a=b", value!({"a": "b"}), true);
        check("a=b", value!({}), false);
        check("a!=b", value!({}), true);
        check("a notin (b)", value!({"a": "b"}), false);
        check("a in (b,c)", value!({"a": "c"}), true);
        check("a", value!({"a": ""}), true);
        check("!a", value!({"a": ""}), false);
        check("a>1", value!({"a": "2"}), true);
        check("a>1", value!({"a": "x"}), false);
        check("a<1", value!({"a": "0"}), true);
        check("a<1", value!({}), false);
        check("a=b,c=d", value!({"a": "b"}), false);
        assert!(!LabelSelector::nothing().matches(|_| Some("")));
    }

    #[test]
    fn reads_selector_objects() {
        let check = |object: Value, expected: &str| {
            let printed = match LabelSelector::from_value(Some(&object)) {
                Ok(selector) if selector.is_nothing() => "nothing".to_owned(),
                Ok(selector) => selector.to_string(),
                Err(error) => error.to_string(),
            };
            assert_eq!(printed, expected);
        };
        check(Value::Null, "nothing");
        check(value!({}), "");
        check(
            value!({"matchLabels": {"b": "c"}, "matchExpressions": [
                {"key": "a", "operator": "In", "values": ["z", "y"]},
                {"key": "d", "operator": "DoesNotExist"}]}),
            "a in (y,z),b=c,!d",
        );
        check(
            value!({"matchExpressions": [{"key": "a", "operator": "Gt"}]}),
            r#""Gt" is not a valid label selector operator"#,
        );
        check(
            value!({"matchExpressions": [{"key": "a", "operator": "In"}]}),
            r#"values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty"#,
        );
    }

    #[test]
    fn knows_exact_values() {
        let selector = LabelSelector::parse("a=b,c in (d),e in (f,g),h").expect("a selector");
        let exact = |key| selector.exact(key);
        assert_eq!((exact("a"), exact("c")), (Some("b"), Some("d")));
        assert_eq!((exact("e"), exact("h"), exact("x")), (None, None, None));
        let selector = FieldSelector::parse("a=b,c!=d").expect("a selector");
        assert_eq!(
            (selector.exact("a"), selector.exact("c")),
            (Some("b"), None)
        );
        assert!(selector.matches(|field| if field == "a" { "b" } else { "" }));
        assert!(!selector.matches(|_| "d"));
        assert_eq!(FieldSelector::one("a", "b,").to_string(), r"a=b\,");
    }
}
