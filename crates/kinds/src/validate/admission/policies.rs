//! Admission policies and what binds them.

use api::{
    Value,
    field::{Error, Shown},
    names::validate as names,
};

use super::{
    FAILURE_POLICIES, Findings, MATCH_POLICIES, Place, REINVOCATION_POLICIES, SelectorRules,
    Subject, match_conditions, object_name, rule, selector, static_name,
};
use crate::validate::{
    conditions, gostruct,
    tags::{Change, same},
    texts,
};

const REASONS: [&str; 3] = ["Forbidden", "Invalid", "RequestEntityTooLarge"];
const ACTIONS: [&str; 3] = ["Audit", "Deny", "Warn"];
/// Deletions cannot be changed.
const MUTATING_OPERATIONS: [&str; 4] = ["*", "CONNECT", "CREATE", "UPDATE"];
const ANNOTATIONS_MAX: usize = 20;
const ANNOTATION_LEN_MAX: usize = 5 * 1024;

const CEL_WORDS: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// What a policy does to objects.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Validating,
    Mutating,
}

/// What both kinds of policies begin with.
fn head(subject: &Subject<'_>, effect: Effect, found: &mut Findings) {
    let root = subject.root();
    let spec = root.child("spec");
    let failure = spec.child("failurePolicy");
    if failure.is_set() {
        texts::choice(&failure, &FAILURE_POLICIES, found);
    } else {
        found.required(&failure, "");
    }
    let kind = spec.child("paramKind");
    if kind.is_set() {
        param_kind(&kind, found);
    }
    let constraints = spec.child("matchConstraints");
    if constraints.is_set() {
        match_resources(&constraints, found);
        let rules = constraints.child("resourceRules");
        if rules.len() == 0 {
            found.required(&rules, "");
        }
        if effect == Effect::Mutating {
            mutating_operations(&rules, found);
        }
    } else {
        found.required(&constraints, "");
    }
    let old = subject.old_root();
    let old_spec = old.child("spec");
    let is_kept = |field| same(&spec.child(field), &old_spec.child(field));
    let kept = subject.old.is_some() && is_kept("paramKind") && is_kept("matchConditions");
    if !kept {
        match_conditions(&spec.child("matchConditions"), found);
    }
    for variable in spec.child("variables").items() {
        self::variable(&variable, found);
    }
}

pub(super) fn validating(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let spec = root.child("spec");
    head(subject, Effect::Validating, found);
    let (validations, annotations) = (spec.child("validations"), spec.child("auditAnnotations"));
    if validations.len() == 0 && annotations.len() == 0 {
        let detail = "validations or auditAnnotations must contain at least one item";
        found.required(&validations, detail);
        found.required(&annotations, detail);
    }
    for validation in validations.items() {
        self::validation(&validation, found);
    }
    if annotations.len() > ANNOTATIONS_MAX {
        let detail = format!("must not have more than {ANNOTATIONS_MAX} auditAnnotations");
        let shown = annotations
            .items()
            .map(|one| gostruct::of(one.value(), "AuditAnnotation"));
        let shown = Shown::from(&Value::Array(shown.collect()));
        found.push(Error::invalid(annotations.path(), shown, detail));
    }
    let metadata = root.child("metadata");
    let name = metadata.child("name").text();
    for (index, annotation) in annotations.items().enumerate() {
        audit_annotation(&annotation, name, found);
        let key = annotation.child("key");
        let mut earlier = annotations.list()[..index].iter();
        if earlier.any(|one| one.str_at(&["key"]).unwrap_or_default() == key.text()) {
            found.push(Error::duplicate(key.path(), key.text()));
        }
    }
    static_name(subject, found);
}

fn param_kind(place: &Place<'_>, found: &mut Findings) {
    let version = place.child("apiVersion");
    let text = version.text();
    if texts::require(&version, "", found) {
        let (group, name) = match text.split_once('/') {
            _ if text == "/" => ("", ""),
            Some((group, name)) => (group, name),
            None => ("", text),
        };
        let mut wrong = |shown: &str, detail: String| {
            found.push(Error::invalid(version.path(), shown, detail));
        };
        if name.contains('/') {
            wrong(text, format!("unexpected GroupVersion string: {text}"));
        } else {
            let details = names::dns1123_subdomain(group);
            if !group.is_empty() && !details.is_empty() {
                wrong(group, details.join(","));
            }
            let details = names::dns1035_label(name);
            if name.is_empty() {
                wrong(text, String::from("version must be specified"));
            } else if !details.is_empty() {
                wrong(name, details.join(","));
            }
        }
    }
    let kind = place.child("kind");
    if texts::require(&kind, "", found) {
        let details = names::dns1035_label(&kind.text().to_lowercase());
        if !details.is_empty() {
            let intro = "may have mixed case, but should otherwise match: ";
            found.invalid(&kind, format!("{intro}{}", details.join(",")));
        }
    }
}

fn match_resources(place: &Place<'_>, found: &mut Findings) {
    let policy = place.child("matchPolicy");
    if policy.is_set() {
        texts::choice(&policy, &MATCH_POLICIES, found);
    } else {
        found.required(&policy, "");
    }
    for field in ["namespaceSelector", "objectSelector"] {
        let selector = place.child(field);
        if !selector.is_set() {
            found.required(&selector, "");
        }
        self::selector(&selector, SelectorRules::Strict, found);
    }
    for field in ["resourceRules", "excludeResourceRules"] {
        for rule in place.child(field).items() {
            let names = rule.child("resourceNames");
            for (index, name) in names.items().enumerate() {
                object_name(&name, found);
                if names.list()[..index].contains(&names.list()[index]) {
                    found.duplicate(&name);
                }
            }
            self::rule(&rule, found);
        }
    }
}

/// Errors about operations of any rule stand at the list of rules.
fn mutating_operations(rules: &Place<'_>, found: &mut Findings) {
    for rule in rules.list() {
        let operations = rule.get("operations").and_then(Value::as_array);
        for operation in operations.unwrap_or_default() {
            let text = operation.as_str().unwrap_or_default();
            if !MUTATING_OPERATIONS.contains(&text) {
                let at = rules.path().child("operations");
                let error = Error::not_supported(&at, text, &MUTATING_OPERATIONS);
                found.push(error);
            }
        }
    }
}

fn variable(variable: &Place<'_>, found: &mut Findings) {
    let name = variable.child("name");
    if name.text().trim().is_empty() {
        found.required(&name, "name is not specified");
    } else if !is_identifier(name.text()) {
        found.invalid(&name, "must be a valid CEL identifier");
    }
    let expression = variable.child("expression");
    if expression.text().trim().is_empty() {
        found.required(&expression, "expression is not specified");
    }
}

fn is_identifier(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    text.bytes().next().is_some_and(letter)
        && text
            .bytes()
            .all(|byte| letter(byte) || byte.is_ascii_digit())
        && !CEL_WORDS.contains(&text)
}

fn validation(validation: &Place<'_>, found: &mut Findings) {
    let expression = validation.child("expression");
    if expression.text().trim().is_empty() {
        found.required(&expression, "expression is not specified");
    }
    for field in ["messageExpression", "message"] {
        let place = validation.child(field);
        let text = place.text().trim();
        if !place.text().is_empty() && text.is_empty() {
            found.invalid(&place, "must be non-empty if specified");
        } else if field == "message" && text.contains(['\n', '\r']) {
            found.invalid(&place, "must not contain line breaks");
        }
    }
    texts::optional_choice(&validation.child("reason"), &REASONS, found);
}

fn audit_annotation(annotation: &Place<'_>, name: &str, found: &mut Findings) {
    let key = annotation.child("key");
    if name.is_empty() {
        found.invalid_text(&key, "requires metadata.name be non-empty");
    } else {
        let full = format!("{name}/{}", key.text());
        for detail in names::qualified_name(&full) {
            found.push(Error::invalid(key.path(), &full, detail));
        }
    }
    let expression = annotation.child("valueExpression");
    let text = expression.text().trim();
    if text.is_empty() {
        found.required(&expression, "valueExpression is not specified");
    } else if text.len() > ANNOTATION_LEN_MAX {
        let detail = format!("must not exceed {ANNOTATION_LEN_MAX} bytes in length");
        found.required(&expression, &detail);
    }
}

pub(super) fn mutating(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let spec = root.child("spec");
    head(subject, Effect::Mutating, found);
    let mutations = spec.child("mutations");
    if mutations.len() == 0 {
        found.required(&mutations, "mutations must contain at least one item");
    }
    for mutation in mutations.items() {
        self::mutation(&mutation, found);
    }
    let again = spec.child("reinvocationPolicy");
    texts::required_choice(&again, &REINVOCATION_POLICIES, found);
    static_name(subject, found);
}

/// The ways to change an object: their names, and the fields that say how.
const PATCHES: [(&str, &str); 2] = [
    ("ApplyConfiguration", "applyConfiguration"),
    ("JSONPatch", "jsonPatch"),
];

fn mutation(mutation: &Place<'_>, found: &mut Findings) {
    let kind = mutation.child("patchType");
    if !texts::require(&kind, "", found) {
        return;
    }
    if !texts::choice(&kind, &["ApplyConfiguration", "JSONPatch"], found) {
        return;
    }
    for (known, field) in PATCHES {
        let place = mutation.child(field);
        if known != kind.text() {
            continue;
        }
        if place.is_set() {
            let expression = place.child("expression");
            if expression.text().trim().is_empty() {
                found.required(&expression, "");
            }
        } else {
            let detail = format!("must be specified when patchType is {known}");
            found.required(&place, &detail);
        }
    }
    for (known, field) in PATCHES {
        let place = mutation.child(field);
        if known != kind.text() && place.is_set() {
            let shown = format!("{{{field}}}");
            let detail = format!("must not be specified when patchType is {}", kind.text());
            found.push(Error::invalid(place.path(), &shown, detail));
        }
    }
}

/// What both kinds of bindings begin with; who asks says whether the policy's name must be there.
fn binding(spec: &Place<'_>, found: &mut Findings) {
    let name = spec.child("policyName");
    if !name.text().is_empty() {
        texts::subdomain(&name, found);
    }
    let reference = spec.child("paramRef");
    if reference.is_set() {
        param_ref(&reference, found);
    }
    let resources = spec.child("matchResources");
    if resources.is_set() {
        match_resources(&resources, found);
    }
}

fn param_ref(reference: &Place<'_>, found: &mut Findings) {
    let (name, selector) = (reference.child("name"), reference.child("selector"));
    let is_named = !name.text().is_empty();
    let both = "name and selector are mutually exclusive";
    if is_named {
        object_name(&name, found);
        if selector.is_set() {
            found.forbidden(&name, both);
        }
    }
    if selector.is_set() {
        self::selector(&selector, SelectorRules::Strict, found);
        if is_named {
            found.forbidden(&selector, both);
        }
    } else if !is_named {
        let detail = "one of name or selector must be specified";
        found.required(reference, detail);
    }
    let action = reference.child("parameterNotFoundAction");
    texts::required_choice(&action, &["Deny", "Allow"], found);
}

pub(super) fn mutating_binding(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let spec = root.child("spec");
    texts::require(&spec.child("policyName"), "", found);
    binding(&spec, found);
    let resources = spec.child("matchResources");
    mutating_operations(&resources.child("resourceRules"), found);
    static_name(subject, found);
}

pub(super) fn validating_binding(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let spec = root.child("spec");
    binding(&spec, found);
    let actions = spec.child("validationActions");
    for (index, action) in actions.items().enumerate() {
        texts::choice(&action, &ACTIONS, found);
        if actions.list()[..index].contains(&actions.list()[index]) {
            found.duplicate(&action);
        }
    }
    let has = |text| super::has(&actions, text);
    if has("Deny") && has("Warn") {
        let detail = "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)";
        found.invalid(&actions, detail);
    }
    static_name(subject, found);
    let whole = Change::of(subject);
    let spec = whole.child("spec");
    spec.child("policyName").required(found);
    spec.child("validationActions").required(found);
}

pub(super) fn status(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let status = root.child("status");
    let checking = status.child("typeChecking");
    for warning in checking.child("expressionWarnings").items() {
        texts::require(&warning.child("warning"), "", found);
        let field = warning.child("fieldRef");
        if field.text().trim().is_empty() {
            found.required(&field, "");
        }
    }
    conditions::check(&status.child("conditions"), found);
}
