//! Questions that are asked by creating an object: may someone, who am I, whose token is this.
//!
//! Each is a pure function from the object to the answered object; nothing is stored.
//!
//! Source: k8s.io/kubernetes, pkg/registry/authorization and pkg/registry/authentication.

use api::{
    Meta, Object, Status, Text, Value,
    field::{self, Error, Path},
    names::validate,
    selector::{FieldSelector, LabelSelector, Operator, Requirement, escape_value},
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
    refuse(&errors)?;
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
    refuse(&errors)?;
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
            &shown_path(other),
            "disallowed on this kind of request",
        ));
    }
    refuse(&errors)?;
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
    let selector = |name| resource.get(name).unwrap_or(&Value::Null);
    let (fields, fields_left) = fields_of(selector("fieldSelector"));
    let (labels, labels_left) = labels_of(selector("labelSelector"));
    let told = [
        ("fieldSelector", fields_left),
        ("labelSelector", labels_left),
    ];
    let wrong: Vec<String> = told
        .into_iter()
        .filter_map(|(name, left)| {
            let how = match left {
                Left::Nothing => return None,
                Left::Something => "partially ignored",
                Left::All => "ignored",
            };
            Some(format!(
                "spec.resourceAttributes.{name} {how} due to parse error"
            ))
        })
        .collect();
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

/// How much of a selector could not be read, and counts as absent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    Something,
    All,
}

impl Left {
    fn of(asked: usize, read: usize) -> Self {
        match read {
            0 if asked > 0 => Self::All,
            read if read < asked => Self::Something,
            _ => Self::Nothing,
        }
    }
}

/// Reads a selector of fields: its requirements, or else its text.
fn fields_of(selector: &Value) -> (Option<FieldSelector>, Left) {
    let requirements = requirements_of(selector);
    if requirements.is_empty() {
        let raw = text_of(selector, "rawSelector");
        let parsed = FieldSelector::parse(raw).ok().filter(|_| !raw.is_empty());
        let left = Left::of(usize::from(!raw.is_empty()), usize::from(parsed.is_some()));
        return (parsed, left);
    }
    let one = |requirement: &Value| {
        let sign = match text_of(requirement, "operator") {
            "In" => "=",
            "NotIn" => "!=",
            _ => return None,
        };
        // Upstream compares a field with one value only.
        let [value] = texts_at(requirement, &["values"]).try_into().ok()?;
        let value: Text = value;
        let key = text_of(requirement, "key");
        Some(format!("{key}{sign}{}", escape_value(&value)))
    };
    let read: Vec<String> = requirements.iter().filter_map(one).collect();
    let left = Left::of(requirements.len(), read.len());
    let parsed = FieldSelector::parse(&read.join(","));
    (parsed.ok().filter(|_| !read.is_empty()), left)
}

/// Reads a selector of labels: its requirements, or else its text.
fn labels_of(selector: &Value) -> (Option<LabelSelector>, Left) {
    let requirements = requirements_of(selector);
    if requirements.is_empty() {
        let raw = text_of(selector, "rawSelector");
        let parsed = LabelSelector::parse(raw).ok().filter(|_| !raw.is_empty());
        let left = Left::of(usize::from(!raw.is_empty()), usize::from(parsed.is_some()));
        return (parsed, left);
    }
    let one = |requirement: &Value| {
        let operator = match text_of(requirement, "operator") {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            _ => return None,
        };
        let values = texts_at(requirement, &["values"]);
        Requirement::new(text_of(requirement, "key"), operator, values).ok()
    };
    let read: Vec<Requirement> = requirements.iter().filter_map(one).collect();
    let left = Left::of(requirements.len(), read.len());
    let selector = (!read.is_empty()).then(|| LabelSelector::of(read));
    (selector, left)
}

fn requirements_of(selector: &Value) -> &[Value] {
    let list = selector.get("requirements").and_then(Value::as_array);
    list.unwrap_or_default()
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

/// Refuses a question; upstream forgets to name its kind.
fn refuse(errors: &[Error]) -> Result<(), Status> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(Status::invalid(GROUP, "", "", field::causes(errors)))
}

fn check_attributes(review: &Value) -> Vec<Error> {
    let spec = Path::new("spec");
    let part = |name| review.at(&["spec", name]).filter(|value| !value.is_null());
    let mut errors = Vec::new();
    let (resource, path) = (part("resourceAttributes"), part("nonResourceAttributes"));
    if resource.is_some() == path.is_some() {
        let shown = path.map(shown_path).unwrap_or_default();
        errors.push(Error::invalid(&spec, &shown, ONE_OF));
    }
    let Some(resource) = resource else {
        return errors;
    };
    let parent = spec.child("resourceAttributes");
    for (name, of) in [
        ("fieldSelector", Selects::Fields),
        ("labelSelector", Selects::Labels),
    ] {
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
        let list = place.child("requirements");
        for (index, one) in requirements.unwrap_or_default().iter().enumerate() {
            check_requirement(one, &list.index(index), of, &mut errors);
        }
    }
    errors
}

/// Returns the attributes of a path as upstream shows them: by the names that Go has for them.
fn shown_path(path: &Value) -> Value {
    value!({"Path": (text_of(path, "path")), "Verb": (text_of(path, "verb"))})
}

/// Checks one requirement of a selector. Operators that nobody knows are let pass: whoever asks may
/// be newer than this server.
///
/// Source: k8s.io/apimachinery, pkg/apis/meta/v1/validation (`ValidateLabelSelectorRequirement`,
/// `ValidateFieldSelectorRequirement`).
fn check_requirement(requirement: &Value, place: &Path<'_>, of: Selects, errors: &mut Vec<Error>) {
    let (key, operator) = (
        text_of(requirement, "key"),
        text_of(requirement, "operator"),
    );
    let values = requirement.get("values").and_then(Value::as_array);
    let values = values.unwrap_or_default();
    let path = place.child("key");
    if of == Selects::Fields && key.is_empty() {
        errors.push(Error::required(&path, "must be specified"));
    }
    let list = place.child("values");
    match operator {
        "In" | "NotIn" if values.is_empty() => {
            let rule = "must be specified when `operator` is 'In' or 'NotIn'";
            errors.push(Error::required(&list, rule));
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            let rule = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errors.push(Error::forbidden(&list, rule));
        }
        _ => {}
    }
    if of == Selects::Labels {
        for why in validate::qualified_name(key) {
            errors.push(Error::invalid(&path, key, why));
        }
        for (place, value) in values.iter().enumerate() {
            let value = value.as_str().unwrap_or_default();
            for why in validate::label_value(value) {
                errors.push(Error::invalid(&list.index(place), value, why));
            }
        }
    }
}

/// What a selector selects by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Selects {
    Fields,
    Labels,
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
