//! What is wrong with conditions of the form that all newer kinds share (`metav1.Condition`).
//!
//! Source: k8s.io/apimachinery v0.37.1, pkg/apis/meta/v1/validation/validation.go.

use api::{
    field::{Error, Shown},
    names::validate as names,
};

use super::{Findings, Place};

const STATUSES: [&str; 3] = ["False", "True", "Unknown"];
const REASON_LEN_MAX: usize = 1024;
const MESSAGE_LEN_MAX: usize = 32 * 1024;

/// Checks a list of conditions.
pub(crate) fn check(list: &Place<'_>, found: &mut Findings) {
    for (index, condition) in list.items().enumerate() {
        let kind = condition.child("type");
        let mut earlier = list.list()[..index].iter();
        if earlier.any(|one| one.str_at(&["type"]).unwrap_or_default() == kind.text()) {
            let shown = Shown::from(kind.text());
            found.push(Error::duplicate(condition.path(), shown));
        }
        check_one(&condition, found);
    }
}

fn check_one(condition: &Place<'_>, found: &mut Findings) {
    let kind = condition.child("type");
    if kind.text().is_empty() {
        found.required(&kind, "is required");
    } else {
        found.each_invalid_text(&kind, names::qualified_name(kind.text()));
    }
    let status = condition.child("status");
    if status.text().is_empty() {
        found.required(&status, "");
    } else if !STATUSES.contains(&status.text()) {
        found.not_supported(&status, &STATUSES);
    }
    let generation = condition.child("observedGeneration");
    if generation.int().is_some_and(|number| number < 0) {
        found.invalid(&generation, "must be greater than or equal to zero");
    }
    let since = condition.child("lastTransitionTime");
    if !since.is_set() {
        found.required(&since, "");
    }
    let reason = condition.child("reason");
    if reason.text().is_empty() {
        found.required(&reason, "");
    } else {
        if !is_reason(reason.text()) {
            found.invalid(&reason, REASON_RULE);
        }
        if reason.text().len() > REASON_LEN_MAX {
            found.push(Error::too_long(reason.path(), REASON_LEN_MAX));
        }
    }
    let message = condition.child("message");
    if message.text().len() > MESSAGE_LEN_MAX {
        found.push(Error::too_long(message.path(), MESSAGE_LEN_MAX));
    }
}

/// What is said of a reason that is none.
pub(crate) const REASON_RULE: &str = "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')";

/// Whether a text may be the reason of a condition.
pub(crate) fn is_reason(text: &str) -> bool {
    let bytes = text.as_bytes();
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    bytes.first().is_some_and(u8::is_ascii_alphabetic)
        && bytes.last().is_some_and(word)
        && bytes
            .iter()
            .all(|byte| word(byte) || matches!(byte, b',' | b':'))
}

#[cfg(test)]
mod tests {
    use api::{field::Path, json};

    use super::check as check_list;
    use crate::validate::{Findings, Place};

    #[track_caller]
    fn check(list: &str, expected: &[&str]) {
        let list = json::read(list.as_bytes()).expect("it is JSON").value;
        let mut found = Findings::default();
        check_list(
            &Place::new(Some(&list), Path::new("conditions")),
            &mut found,
        );
        let found: Vec<String> = found.errors().iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn conditions_say_what_since_when_and_why() {
        let good = r#"{"type":"A","status":"True","reason":"R","lastTransitionTime":"2026-01-01T00:00:00Z"}"#;
        check(&format!("[{good}]"), &[]);
        check(
            &format!("[{good},{good}]"),
            &[r#"conditions[1]: Duplicate value: "A""#],
        );
        check(
            r#"[{"observedGeneration":-1}]"#,
            &[
                "conditions[0].type: Required value: is required",
                "conditions[0].status: Required value",
                "conditions[0].observedGeneration: Invalid value: -1: must be greater than or equal to zero",
                "conditions[0].lastTransitionTime: Required value",
                "conditions[0].reason: Required value",
            ],
        );
        let long = "x".repeat(33 * 1024);
        check(
            &format!(
                r#"[{{"type":"A","status":"x","reason":"{long}","message":"{long}","lastTransitionTime":"2026-01-01T00:00:00Z"}}]"#
            ),
            &[
                r#"conditions[0].status: Unsupported value: "x": supported values: "False", "True", "Unknown""#,
                "conditions[0].reason: Too long: may not be more than 1024 bytes",
                "conditions[0].message: Too long: may not be more than 32768 bytes",
            ],
        );
    }
}
