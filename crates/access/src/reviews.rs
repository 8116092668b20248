//! Questions that are asked by creating an object: may someone, who am I, whose token is this.
//!
//! Each is a pure function from the object to the answered object; nothing is stored.
//!
//! Source: k8s.io/kubernetes, pkg/registry/authorization and pkg/registry/authentication.

use api::{
    Meta, Object, Status, Text, Value,
    field::{self, Error, Path},
    selector::{FieldSelector, LabelSelector},
    value,
};
use base::WallTime;

use crate::{
    User, World,
    allow::{Allow, Attributes, Decision},
    identify::Identify,
};

const GROUP: &str = "authorization.k8s.io";
const ONE_OF: &str = "exactly one of nonResourceAttributes or resourceAttributes must be specified";

/// Answers a `SelfSubjectAccessReview`: may `user`?
///
/// # Errors
/// 422 if the question is malformed.
pub fn self_subject_access(
    review: Value,
    user: &User,
    allow: &Allow,
    world: &dyn World,
) -> Result<Value, Status> {
    let mut errors = check_attributes(&review);
    check_metadata(&review, &[], &mut errors);
    refuse("SelfSubjectAccessReview", &errors)?;
    Ok(answer_access(review, user, allow, world))
}

/// Answers a `SubjectAccessReview`: may the user that it names?
///
/// # Errors
/// 422 if the question is malformed.
pub fn subject_access(review: Value, allow: &Allow, world: &dyn World) -> Result<Value, Status> {
    let mut errors = check_attributes(&review);
    check_subject(&review, &mut errors);
    check_metadata(&review, &[], &mut errors);
    refuse("SubjectAccessReview", &errors)?;
    let user = subject_of(&review);
    Ok(answer_access(review, &user, allow, world))
}

/// Answers a `LocalSubjectAccessReview` that was posted to `namespace`.
///
/// # Errors
/// 422 if the question is malformed, 400 if it is about another namespace.
pub fn local_subject_access(
    review: Value,
    namespace: &str,
    allow: &Allow,
    world: &dyn World,
) -> Result<Value, Status> {
    let mut errors = check_attributes(&review);
    check_subject(&review, &mut errors);
    check_metadata(&review, &["namespace"], &mut errors);
    let own = Meta::of(&review).namespace();
    let spec = Path::new("spec");
    if let Some(resource) = review.at(&["spec", "resourceAttributes"]) {
        let found = text_of(resource, "namespace");
        if found != own {
            let parent = spec.child("resourceAttributes");
            let path = parent.child("namespace");
            errors.push(Error::invalid(
                &path,
                found,
                "must match metadata.namespace",
            ));
        }
    }
    if let Some(other) = review.at(&["spec", "nonResourceAttributes"]) {
        let path = spec.child("nonResourceAttributes");
        errors.push(Error::invalid(
            &path,
            other,
            "disallowed on this kind of request",
        ));
    }
    refuse("LocalSubjectAccessReview", &errors)?;
    if namespace != own {
        return Err(Status::bad_request(format!(
            "spec.resourceAttributes.namespace must match namespace: {namespace}"
        )));
    }
    let user = subject_of(&review);
    Ok(answer_access(review, &user, allow, world))
}

/// Answers a `SelfSubjectRulesReview`: what may `user` do in a namespace?
///
/// # Errors
/// 400 if no namespace is given.
pub fn self_subject_rules(
    mut review: Value,
    user: &User,
    allow: &Allow,
    world: &dyn World,
) -> Result<Value, Status> {
    let namespace = review.str_at(&["spec", "namespace"]).unwrap_or_default();
    if namespace.is_empty() {
        return Err(Status::bad_request("no namespace on request"));
    }
    let (rules, missing) = allow.rbac().rules_for(user, namespace, world);
    let list = |texts: &[Text]| Value::Array(texts.iter().cloned().map(Value::String).collect());
    let mut resources = Vec::new();
    let mut paths = Vec::new();
    for rule in &rules {
        if !rule.resources.is_empty() {
            let mut entry = Object::default();
            entry.insert("verbs", list(&rule.verbs));
            entry.insert("apiGroups", list(&rule.groups));
            entry.insert("resources", list(&rule.resources));
            if !rule.names.is_empty() {
                entry.insert("resourceNames", list(&rule.names));
            }
            resources.push(Value::Object(entry));
        }
        if !rule.paths.is_empty() {
            let mut entry = Object::default();
            entry.insert("verbs", list(&rule.verbs));
            entry.insert("nonResourceURLs", list(&rule.paths));
            paths.push(Value::Object(entry));
        }
    }
    let mut status = Object::default();
    status.insert("resourceRules", Value::Array(resources));
    status.insert("nonResourceRules", Value::Array(paths));
    status.insert("incomplete", Value::Bool(false));
    if !missing.is_empty() {
        let text = match missing.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        status.insert("evaluationError", Value::string(text));
    }
    // Upstream answers without the question.
    review.set_at(&["spec"], value!({}));
    review.set_at(&["status"], Value::Object(status));
    Ok(review)
}

/// Answers a `SelfSubjectReview`: who am I?
#[must_use]
pub fn self_subject(mut review: Value, user: &User, now: WallTime) -> Value {
    let created = value!({"creationTimestamp": (api::time::to_value(now))});
    review.set_at(&["metadata"], created);
    review.set_at(&["status"], value!({"userInfo": (user.to_value())}));
    review
}

/// Answers a `TokenReview`: whose token is this?
///
/// # Errors
/// 400 if there is no token.
pub fn token(
    mut review: Value,
    identify: &Identify,
    world: &dyn World,
    now: WallTime,
) -> Result<Value, Status> {
    let token = review.str_at(&["spec", "token"]).unwrap_or_default();
    if token.is_empty() {
        return Err(Status::bad_request(
            "token is required for TokenReview in authentication",
        ));
    }
    let wanted = texts_at(&review, &["spec", "audiences"]);
    let mut status = Object::default();
    match identify.token_for(token, &wanted, world, now) {
        Ok(verified) => {
            status.insert("authenticated", Value::Bool(true));
            status.insert("user", verified.user.to_value());
            if !verified.audiences.is_empty() {
                let audiences = verified.audiences.into_iter().map(Value::String);
                status.insert("audiences", Value::Array(audiences.collect()));
            }
        }
        Err(why) => {
            status.insert("user", Value::object());
            status.insert("error", Value::string(why));
        }
    }
    review.set_at(&["status"], Value::Object(status));
    Ok(review)
}

fn answer_access(mut review: Value, user: &User, allow: &Allow, world: &dyn World) -> Value {
    let (decision, error) = decide(&review, user, allow, world);
    let mut status = Object::default();
    status.insert("allowed", Value::Bool(decision.is_allowed()));
    if matches!(decision, Decision::Deny(_)) {
        status.insert("denied", Value::Bool(true));
    }
    let reason = decision.reason().to_string();
    if !reason.is_empty() {
        status.insert("reason", Value::string(reason));
    }
    if let Some(error) = error {
        status.insert("evaluationError", Value::string(error));
    }
    review.set_at(&["status"], Value::Object(status));
    review
}

/// Decides, and tells which selector could not be read; such a one counts as absent.
fn decide(
    review: &Value,
    user: &User,
    allow: &Allow,
    world: &dyn World,
) -> (Decision, Option<String>) {
    let Some(resource) = review.at(&["spec", "resourceAttributes"]) else {
        let path = review.at(&["spec", "nonResourceAttributes"]);
        let text = |name| path.map(|path| text_of(path, name)).unwrap_or_default();
        let attributes = Attributes::path(user, text("verb"), text("path"));
        return (allow.decide(&attributes, world), None);
    };
    let text = |name| text_of(resource, name);
    let raw = |name| {
        resource
            .str_at(&[name, "rawSelector"])
            .filter(|raw| !raw.is_empty())
    };
    let mut wrong: Vec<&str> = Vec::new();
    let fields = raw("fieldSelector").and_then(|raw| {
        let parsed = FieldSelector::parse(raw).ok();
        if parsed.is_none() {
            wrong.push("spec.resourceAttributes.fieldSelector ignored due to parse error");
        }
        parsed
    });
    let labels = raw("labelSelector").and_then(|raw| {
        let parsed = LabelSelector::parse(raw).ok();
        if parsed.is_none() {
            wrong.push("spec.resourceAttributes.labelSelector ignored due to parse error");
        }
        parsed
    });
    let version = Some(text("version")).filter(|version| !version.is_empty());
    let attributes = Attributes {
        version: version.unwrap_or("*"),
        field_selector: fields.as_ref(),
        label_selector: labels.as_ref(),
        ..Attributes::resource(user, text("verb"), text("group"), text("resource"))
            .within(text("namespace"))
            .named(text("name"))
            .below(text("subresource"))
    };
    let decision = allow.decide(&attributes, world);
    let error = (!wrong.is_empty()).then(|| wrong.join("; "));
    (decision, error)
}

fn text_of<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn texts_at(value: &Value, path: &[&str]) -> Vec<Text> {
    let items = value.at(path).and_then(Value::as_array);
    let items = items.unwrap_or_default().iter();
    items.filter_map(Value::as_str).map(Text::new).collect()
}

/// Returns the user that a review names.
fn subject_of(review: &Value) -> User {
    let text = |name| Text::new(review.str_at(&["spec", name]).unwrap_or_default());
    let extra = review.at(&["spec", "extra"]).and_then(Value::as_object);
    let extra = extra.map(Object::fields).unwrap_or_default().iter();
    User {
        name: text("user"),
        uid: text("uid"),
        groups: texts_at(review, &["spec", "groups"]),
        extra: extra
            .map(|(key, values)| (Text::from(key.to_lowercase()), texts_at(values, &[])))
            .collect(),
    }
}

fn refuse(kind: &str, errors: &[Error]) -> Result<(), Status> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(Status::invalid(GROUP, kind, "", field::causes(errors)))
}

fn check_attributes(review: &Value) -> Vec<Error> {
    let spec = Path::new("spec");
    let part = |name| review.at(&["spec", name]).filter(|value| !value.is_null());
    let mut errors = Vec::new();
    let (resource, path) = (part("resourceAttributes"), part("nonResourceAttributes"));
    if resource.is_some() == path.is_some() {
        let shown = path.cloned().unwrap_or_default();
        errors.push(Error::invalid(&spec, &shown, ONE_OF));
    }
    let Some(resource) = resource else {
        return errors;
    };
    let parent = spec.child("resourceAttributes");
    for name in ["fieldSelector", "labelSelector"] {
        let Some(selector) = resource.get(name) else {
            continue;
        };
        let place = parent.child(name);
        let raw = text_of(selector, "rawSelector");
        let requirements = selector.get("requirements").and_then(Value::as_array);
        let has_requirements = requirements.is_some_and(|list| !list.is_empty());
        if !raw.is_empty() && has_requirements {
            let rule = "may not specified at the same time as requirements";
            errors.push(Error::invalid(&place.child("rawSelector"), raw, rule));
        }
        if raw.is_empty() && !has_requirements {
            let rule =
                format!("when {place} is specified, requirements or rawSelector is required");
            errors.push(Error::required(&place.child("requirements"), rule));
        }
    }
    errors
}

fn check_subject(review: &Value, errors: &mut Vec<Error>) {
    let user = review.str_at(&["spec", "user"]).unwrap_or_default();
    if user.is_empty() && texts_at(review, &["spec", "groups"]).is_empty() {
        let spec = Path::new("spec");
        let rule = "at least one of user or group must be specified";
        errors.push(Error::invalid(&spec.child("user"), user, rule));
    }
}

/// Checks that metadata says nothing but what is `allowed`.
fn check_metadata(review: &Value, allowed: &[&str], errors: &mut Vec<Error>) {
    let Some(Value::Object(metadata)) = review.get("metadata") else {
        return;
    };
    let says = |(name, value): &(&str, &Value)| {
        let empty = match value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Object(object) => object.is_empty(),
            Value::Array(items) => items.is_empty(),
            _ => false,
        };
        !empty && *name != "managedFields" && !allowed.contains(name)
    };
    if metadata.iter().any(|field| says(&field)) {
        let rule = if allowed.is_empty() {
            "must be empty"
        } else {
            "must be empty except for namespace"
        };
        let shown = Value::Object(metadata.clone());
        errors.push(Error::invalid(&Path::new("metadata"), &shown, rule));
    }
}
