//! What can be said of rules in CEL without reading them.

use api::{
    Value,
    field::{Error, Path},
};

use super::branches;
use crate::cel::rules::leads_to_field;

const REASONS: [&str; 4] = [
    "FieldValueDuplicate",
    "FieldValueForbidden",
    "FieldValueInvalid",
    "FieldValueRequired",
];

/// Says what is wrong with the rules of a schema before they are read.
pub(super) fn wrong(schema: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
    let list = path.child("x-kubernetes-validations");
    for (place, rule) in branches(schema, "x-kubernetes-validations")
        .iter()
        .enumerate()
    {
        let here = list.index(place);
        let text = |name: &str| rule.str_at(&[name]).unwrap_or_default();
        let breaks = |text: &str| text.contains(['\n', '\r']);
        let message_place = here.child("message");
        let (rule_text, message) = (text("rule").trim(), text("message"));
        if rule_text.is_empty() {
            errors.push(Error::required(
                &here.child("rule"),
                "rule is not specified",
            ));
        } else if !message.is_empty() && message.trim().is_empty() {
            errors.push(Error::invalid(
                &message_place,
                message,
                "must be non-empty if specified",
            ));
        } else if breaks(message.trim()) {
            errors.push(Error::invalid(
                &message_place,
                message,
                "must not contain line breaks",
            ));
        } else if breaks(rule_text) && message.trim().is_empty() {
            let detail = "message must be specified if rule contains line breaks";
            errors.push(Error::required(&message_place, detail));
        }
        let expression = text("messageExpression");
        if !expression.is_empty() && expression.trim().is_empty() {
            let detail = "messageExpression must be non-empty if specified";
            errors.push(Error::required(&here.child("messageExpression"), detail));
        }
        let reason = text("reason");
        if rule.get("reason").is_some() && !REASONS.contains(&reason) {
            errors.push(Error::not_supported(
                &here.child("reason"),
                reason,
                &REASONS,
            ));
        }
        let field_path = text("fieldPath");
        if !field_path.is_empty() && field_path.trim().is_empty() {
            let place = here.child("fieldPath");
            errors.push(Error::invalid(
                &place,
                field_path,
                "must be non-empty if specified",
            ));
        }
        if breaks(field_path) {
            let place = here.child("fieldPath");
            errors.push(Error::invalid(
                &place,
                field_path,
                "must not contain line breaks",
            ));
        }
        if !field_path.is_empty() && !leads_to_field(schema, field_path) {
            let place = here.child("fieldPath");
            errors.push(Error::invalid(&place, field_path, "must be a valid path"));
        }
    }
}
