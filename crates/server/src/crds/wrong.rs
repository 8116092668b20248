//! What is wrong with a CustomResourceDefinition.
//!
//! What all versions say alike (schema, subresources, columns, selectable fields) is said of the
//! spec itself, as upstream's own form of a definition has it there.
//!
//! Source: k8s.io/apiextensions-apiserver, pkg/apis/apiextensions/validation/validation.go and
//! v1/conversion.go.

use api::{
    Object, Text, Value,
    field::{Error, Path},
    meta::Meta,
    names::validate::{dns1035_label, dns1123_subdomain},
};
use schema::{
    Shape,
    structural::{CheckOptions, check},
    webhook_client,
};

use super::{
    approval,
    definition::{flag, versions},
};

/// How many fields of a version may be selected by.
const SELECTABLE_MAX: usize = 8;

const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS: [&str; 8] = [
    "byte",
    "date",
    "date-time",
    "double",
    "float",
    "int32",
    "int64",
    "password",
];

/// What versions may say alike, and where upstream then has it.
const SHARED: [&str; 4] = [
    "schema",
    "subresources",
    "additionalPrinterColumns",
    "selectableFields",
];

/// Returns what is wrong with a definition.
pub(super) fn wrong(object: &Value, old: Option<&Value>, meta: &Shape) -> Vec<Error> {
    let mut errors = Vec::new();
    let nothing = Value::object();
    let spec = object.get("spec").unwrap_or(&nothing);
    let path = Path::new("spec");
    let group = spec.str_at(&["group"]).unwrap_or_default();
    let plural = spec.str_at(&["names", "plural"]).unwrap_or_default();
    let name = Meta::of(object).name();
    if old.is_none() && !name.is_empty() {
        let metadata = Path::new("metadata");
        let place = metadata.child("name");
        for rule in dns1123_subdomain(name) {
            errors.push(Error::invalid(&place, name, rule));
        }
    }
    if old.is_none() && !name.is_empty() && name != format!("{plural}.{group}") {
        let metadata = Path::new("metadata");
        let place = metadata.child("name");
        let why = r#"must be spec.names.plural+"."+spec.group"#;
        errors.push(Error::invalid(&place, name, why));
    }
    errors.extend(super::lifetime::wrong(object));
    errors.extend(super::computed::wrong(object, meta));
    let place = path.child("group");
    if group.is_empty() {
        errors.push(Error::required(&place, ""));
    } else if let rules @ [_, ..] = &*dns1123_subdomain(group) {
        errors.push(Error::invalid(&place, group, rules.join(",")));
    } else if !group.contains('.') {
        let why = "should be a domain with at least one dot";
        errors.push(Error::invalid(&place, group, why));
    }
    let place = path.child("scope");
    match spec.str_at(&["scope"]).unwrap_or_default() {
        "" => errors.push(Error::required(&place, "")),
        "Cluster" | "Namespaced" => {}
        other => errors.push(Error::not_supported(
            &place,
            other,
            &["Cluster", "Namespaced"],
        )),
    }
    let versions = versions(object);
    let shown = shown_versions(spec.get("versions"));
    wrong_versions(versions, &shown, &path, meta, &mut errors);
    wrong_names(spec, &path, &mut errors);
    if let Some(first) = versions.first() {
        let has_status = |version: &Value| version.at(&["subresources", "status"]).is_some();
        let options = if versions.iter().any(has_status) {
            CheckOptions::StatusSubresource
        } else {
            CheckOptions::Plain
        };
        let at = Part {
            version: first,
            schema_place: "validation",
            options,
        };
        for field in SHARED
            .into_iter()
            .filter(|field| is_shared(versions, field))
        {
            at.wrong(field, &path, meta, &mut errors);
        }
    }
    wrong_conversion(spec, old, &path, &mut errors);
    if let Some(old) = old {
        wrong_changes(spec, old, &path, &mut errors);
    }
    wrong_stored_versions(object, &mut errors);
    errors.extend(approval::wrong(object, old));
    errors.extend(wrong_unknowns(spec, old, &path));
    errors
}

/// Only what kept unknown fields already may go on to.
fn wrong_unknowns(spec: &Value, old: Option<&Value>, path: &Path<'_>) -> Option<Error> {
    let was = old
        .is_some_and(|old| old.at(&["spec", "preserveUnknownFields"]) == Some(&Value::Bool(true)));
    if was || !flag(spec, "preserveUnknownFields") {
        return None;
    }
    let place = path.child("preserveUnknownFields");
    let why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
    Some(Error::invalid(&place, true, why))
}

/// Whether all versions say the same in a field.
fn is_shared(versions: &[Value], field: &str) -> bool {
    let said = |version: &Value| -> Option<Value> {
        let said = version.get(field)?;
        let is_empty =
            matches!(said, Value::Null) || said.as_array().is_some_and(<[Value]>::is_empty);
        (!is_empty).then(|| said.clone())
    };
    let first = versions.first().and_then(said);
    versions.iter().all(|version| said(version) == first)
}

fn wrong_versions(
    versions: &[Value],
    shown: &Value,
    path: &Path<'_>,
    meta: &Shape,
    errors: &mut Vec<Error>,
) {
    let place = path.child("versions");
    let has_schema = |version: &Value| {
        let schema = version.at(&["schema", "openAPIV3Schema"]);
        schema.is_some_and(|schema| !schema.is_null())
    };
    for (at, version) in versions.iter().enumerate() {
        if !has_schema(version) {
            let place = place.index(at);
            let schema = place.child("schema");
            errors.push(Error::required(&schema.child("openAPIV3Schema"), ""));
        }
    }
    let mut names: Vec<&str> = Vec::new();
    let mut is_unique = true;
    for (at, version) in versions.iter().enumerate() {
        let place = place.index(at);
        let name = version.str_at(&["name"]).unwrap_or_default();
        is_unique &= !names.contains(&name);
        names.push(name);
        let rules = dns1035_label(name);
        if !rules.is_empty() {
            errors.push(Error::invalid(&place.child("name"), name, rules.join(",")));
        }
        wrong_warning(version, &place, errors);
        let has_status = version.at(&["subresources", "status"]).is_some();
        let at = Part {
            version,
            schema_place: "schema",
            options: if has_status {
                CheckOptions::StatusSubresource
            } else {
                CheckOptions::Plain
            },
        };
        for field in SHARED {
            if !is_shared(versions, field) {
                at.wrong(field, &place, meta, errors);
            }
        }
    }
    let mut all = |why: &str| {
        errors.push(Error::invalid(&place, shown, why));
    };
    if !is_unique {
        all("must contain unique version names");
    }
    if versions.iter().filter(|one| flag(one, "storage")).count() != 1 {
        all("must have exactly one version marked as storage version");
    }
    if let Some(first) = names.first().filter(|name| !name.is_empty()) {
        let rules = dns1035_label(first);
        if !rules.is_empty() {
            let place = path.child("version");
            errors.push(Error::invalid(&place, *first, rules.join(",")));
        }
    }
}

/// Versions as upstream's own form has them: without what they share.
fn shown_versions(versions: Option<&Value>) -> Value {
    let Some(versions) = versions.and_then(Value::as_array) else {
        return Value::Null;
    };
    let fields = [
        ("name", "Name", Value::from("")),
        ("served", "Served", Value::Bool(false)),
        ("storage", "Storage", Value::Bool(false)),
        ("deprecated", "Deprecated", Value::Bool(false)),
        ("deprecationWarning", "DeprecationWarning", Value::Null),
        ("schema", "Schema", Value::Null),
        ("subresources", "Subresources", Value::Null),
        (
            "additionalPrinterColumns",
            "AdditionalPrinterColumns",
            Value::Null,
        ),
        ("selectableFields", "SelectableFields", Value::Null),
    ];
    let shown = versions.iter().map(|version| {
        let fields = fields.iter().map(|(json, go, none)| {
            let is_shared = SHARED.contains(json) && is_shared(versions, json);
            let said = version.get(json).filter(|_| !is_shared);
            (Text::from(*go), said.unwrap_or(none).clone())
        });
        Value::Object(Object::from_unique(fields.collect()))
    });
    Value::Array(shown.collect())
}

fn wrong_warning(version: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
    let Some(warning) = version.get("deprecationWarning").and_then(Value::as_str) else {
        return;
    };
    let place = path.child("deprecationWarning");
    let mut wrong = |why: String| errors.push(Error::invalid(&place, warning, why));
    if !flag(version, "deprecated") {
        wrong(String::from("can only be set for deprecated versions"));
        return;
    }
    if warning.len() > 256 {
        wrong(String::from("must be <= 256 characters long"));
    }
    if warning.is_empty() {
        wrong(String::from("must not be an empty string"));
    }
    if let Some((at, _)) = warning.char_indices().find(|(_, c)| c.is_control()) {
        wrong(format!(
            "must only contain printable UTF-8 characters; non-printable character found at index {at}"
        ));
    }
}

/// A version, or what all versions say.
struct Part<'a> {
    version: &'a Value,
    /// What the schema's field is called here.
    schema_place: &'static str,
    options: CheckOptions,
}

impl Part<'_> {
    fn wrong(&self, field: &str, path: &Path<'_>, meta: &Shape, errors: &mut Vec<Error>) {
        let version = self.version;
        match field {
            "schema" => {
                let place = path.child(self.schema_place);
                let place = place.child("openAPIV3Schema");
                let schema = version.at(&["schema", "openAPIV3Schema"]);
                if let Some(schema) = schema.filter(|schema| !schema.is_null()) {
                    errors.extend(check(schema, &place, meta, self.options));
                }
            }
            "subresources" => wrong_scale(version, path, errors),
            "additionalPrinterColumns" => {
                let columns = version.get(field).and_then(Value::as_array);
                let place = path.child("additionalPrinterColumns");
                for (at, column) in columns.unwrap_or_default().iter().enumerate() {
                    wrong_column(column, &place.index(at), errors);
                }
            }
            _ => wrong_selectable(version, path, errors),
        }
    }
}

fn wrong_selectable(version: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
    let place = path.child("selectableFields");
    let fields = version.get("selectableFields").and_then(Value::as_array);
    let fields = fields.unwrap_or_default();
    let schema = version.at(&["schema", "openAPIV3Schema"]);
    let Some(schema) = schema.filter(|schema| !schema.is_null()) else {
        if !fields.is_empty() {
            let why = "may only be set when `version.schema.openAPIV3Schema` is not included";
            errors.push(Error::invalid(&place, "", why));
        }
        return;
    };
    let mut known: Vec<&str> = Vec::new();
    for (at, field) in fields.iter().enumerate() {
        let place = place.index(at);
        let place = place.child("jsonPath");
        let text = field.str_at(&["jsonPath"]).unwrap_or_default();
        if text.is_empty() {
            errors.push(Error::required(&place, ""));
            continue;
        }
        let kind = match selected(text, schema) {
            Ok(kind) => kind,
            Err(why) => {
                let why = format!("is an invalid path: {why}");
                errors.push(Error::invalid(&place, text, why));
                continue;
            }
        };
        if text.split('.').nth(1) == Some("metadata") {
            let why = "must not point to fields in metadata";
            errors.push(Error::invalid(&place, text, why));
        }
        if !matches!(kind, "string" | "boolean" | "integer") {
            let why = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.";
            errors.push(Error::invalid(&place, text, why));
        }
        if known.contains(&text) {
            errors.push(Error::duplicate(&place, text));
        } else {
            known.push(text);
        }
    }
    if known.len() > SELECTABLE_MAX {
        errors.push(Error::too_many(&place, known.len(), SELECTABLE_MAX));
    }
}

/// Returns the type of the field at the end of a path; lists are not gone into.
fn selected<'a>(path: &str, schema: &'a Value) -> Result<&'a str, String> {
    let Some(steps) = path.strip_prefix('.') else {
        if path.starts_with('[') {
            return Err(String::from("array notation is not allowed"));
        }
        let first = path.split(['.', '[', ']']).next().unwrap_or_default();
        return Err(format!("expected [ or . but got: {first}"));
    };
    let mut at = schema;
    for step in steps.split('.') {
        if step.contains('[') {
            return Err(String::from("array notation is not allowed"));
        }
        let property = at.at(&["properties", step]);
        let additional = at
            .get("additionalProperties")
            .filter(|_| at.get("properties").is_none());
        at = property
            .or(additional)
            .filter(|_| !step.is_empty())
            .ok_or("does not refer to a valid field")?;
    }
    Ok(at.str_at(&["type"]).unwrap_or_default())
}

fn wrong_scale(version: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
    let Some(scale) = version.at(&["subresources", "scale"]) else {
        return;
    };
    let place = path.child("subresources");
    let mut one = |name: &str, roots: &[&str], needed: bool, why: &str| {
        let field = format!("scale.{name}");
        let place = place.child(&field);
        let text = scale.str_at(&[name]).unwrap_or_default();
        if text.is_empty() {
            if needed {
                errors.push(Error::required(&place, ""));
            }
        } else if !wrong_path(text, &place, errors)
            && !roots.iter().any(|root| text.starts_with(root))
        {
            errors.push(Error::invalid(&place, text, why));
        }
    };
    one(
        "specReplicasPath",
        &[".spec."],
        true,
        "should be a json path under .spec",
    );
    one(
        "statusReplicasPath",
        &[".status."],
        true,
        "should be a json path under .status",
    );
    one(
        "labelSelectorPath",
        &[".spec.", ".status."],
        false,
        "should be a json path under either .spec or .status",
    );
}

fn wrong_column(column: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
    let text = |name: &str| column.str_at(&[name]).unwrap_or_default();
    if text("name").is_empty() {
        errors.push(Error::required(&path.child("name"), ""));
    }
    let kind = text("type");
    let why = format!("must be one of {}", COLUMN_TYPES.join(","));
    if kind.is_empty() {
        errors.push(Error::required(&path.child("type"), why));
    } else if !COLUMN_TYPES.contains(&kind) {
        errors.push(Error::invalid(&path.child("type"), kind, why));
    }
    let format = text("format");
    if !format.is_empty() && !COLUMN_FORMATS.contains(&format) {
        let mut sorted = COLUMN_FORMATS;
        sorted.sort_unstable();
        let why = format!("must be one of {}", sorted.join(","));
        errors.push(Error::invalid(&path.child("format"), format, why));
    }
    let place = path.child("JSONPath");
    match text("jsonPath") {
        "" => errors.push(Error::required(&place, "")),
        text => {
            wrong_path(text, &place, errors);
        }
    }
}

/// Checks a simple JSON path; tells whether it is wrong.
fn wrong_path(text: &str, place: &Path<'_>, errors: &mut Vec<Error>) -> bool {
    let is_wrong = !text.starts_with('.');
    if is_wrong {
        let why = "must be a simple json path starting with .";
        errors.push(Error::invalid(place, text, why));
    }
    is_wrong
}

fn wrong_names(spec: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
    const NAMES: [&str; 4] = ["plural", "singular", "kind", "listKind"];
    let place = path.child("names");
    let text = |name: &str| spec.str_at(&["names", name]).unwrap_or_default();
    for name in NAMES {
        if text(name).is_empty() {
            errors.push(Error::required(&place.child(name), ""));
        }
    }
    for name in NAMES.into_iter().filter(|name| !text(name).is_empty()) {
        let is_kind = name.ends_with("ind");
        let rules = if is_kind {
            dns1035_label(&text(name).to_lowercase())
        } else {
            dns1035_label(text(name))
        };
        if !rules.is_empty() {
            let why = if is_kind {
                format!(
                    "may have mixed case, but should otherwise match: {}",
                    rules.join(",")
                )
            } else {
                rules.join(",")
            };
            errors.push(Error::invalid(&place.child(name), text(name), why));
        }
    }
    wrong_list(spec, "shortNames", &place, errors);
    if !text("kind").is_empty() && text("listKind") == text("kind") {
        let why = "kind and listKind may not be the same";
        errors.push(Error::invalid(&place.child("listKind"), text("kind"), why));
    }
    wrong_list(spec, "categories", &place, errors);
}

fn wrong_list(spec: &Value, name: &str, path: &Path<'_>, errors: &mut Vec<Error>) {
    let list = path.child(name);
    let texts = spec.at(&["names", name]).and_then(Value::as_array);
    for (at, text) in texts.unwrap_or_default().iter().enumerate() {
        let text = text.as_str().unwrap_or_default();
        let rules = dns1035_label(text);
        if !rules.is_empty() {
            errors.push(Error::invalid(&list.index(at), text, rules.join(",")));
        }
    }
}

fn wrong_conversion(spec: &Value, old: Option<&Value>, path: &Path<'_>, errors: &mut Vec<Error>) {
    let Some(conversion) = spec.get("conversion").filter(|one| !one.is_null()) else {
        return;
    };
    let place = path.child("conversion");
    let webhook = conversion.get("webhook").filter(|hook| !hook.is_null());
    let strategy = conversion.str_at(&["strategy"]).unwrap_or_default();
    let place_strategy = place.child("strategy");
    match strategy {
        "" => errors.push(Error::required(&place_strategy, "")),
        "None" | "Webhook" => {}
        other => errors.push(Error::not_supported(
            &place_strategy,
            other,
            &["None", "Webhook"],
        )),
    }
    let client = webhook.and_then(|hook| hook.get("clientConfig"));
    let client = client.filter(|client| !client.is_null());
    let reviews = webhook.and_then(|hook| hook.get("conversionReviewVersions"));
    let reviews = reviews.and_then(Value::as_array).unwrap_or_default();
    let place_client = place.child("webhookClientConfig");
    let place = place.child("conversionReviewVersions");
    if strategy != "Webhook" {
        let why = "should not be set when strategy is not set to Webhook";
        if client.is_some() {
            errors.push(Error::forbidden(&place_client, why));
        }
        if !reviews.is_empty() {
            errors.push(Error::forbidden(&place, why));
        }
        return;
    }
    match client {
        None => {
            let why = "required when strategy is set to Webhook";
            errors.push(Error::required(&place_client, why));
        }
        Some(client) => errors.extend(webhook_client(client, &place_client)),
    }
    let path = ["spec", "conversion", "webhook", "conversionReviewVersions"];
    let were = old.and_then(|old| old.at(&path)).and_then(Value::as_array);
    wrong_reviews(reviews, were.unwrap_or_default(), &place, errors);
}

fn wrong_reviews(reviews: &[Value], were: &[Value], place: &Path<'_>, errors: &mut Vec<Error>) {
    let is_known = |one: &Value| matches!(one.as_str(), Some("v1" | "v1beta1"));
    if reviews.is_empty() {
        errors.push(Error::required(place, ""));
        return;
    }
    for (at, review) in reviews.iter().enumerate() {
        let place = place.index(at);
        let text = review.as_str().unwrap_or_default();
        if reviews[..at].contains(review) {
            errors.push(Error::invalid(&place, text, "duplicate version"));
            continue;
        }
        for rule in dns1035_label(text) {
            errors.push(Error::invalid(&place, text, rule));
        }
    }
    let was_known = were.is_empty() || were.iter().any(is_known);
    if was_known && !reviews.iter().any(is_known) {
        let why = "must include at least one of v1, v1beta1";
        errors.push(Error::invalid(place, &Value::Array(reviews.to_vec()), why));
    }
}

fn wrong_changes(spec: &Value, old: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
    let established = super::status::is_true(old, "Established");
    let mut fixed = |path: &Path<'_>, at: &[&str]| {
        let now = spec.at(at);
        if now != old.get("spec").and_then(|spec| spec.at(at)) {
            let text = now.and_then(Value::as_str).unwrap_or_default();
            errors.push(Error::invalid(path, text, "field is immutable"));
        }
    };
    let names = path.child("names");
    if established {
        fixed(&path.child("scope"), &["scope"]);
        fixed(&names.child("kind"), &["names", "kind"]);
    }
    fixed(&path.child("group"), &["group"]);
    fixed(&names.child("plural"), &["names", "plural"]);
}

fn wrong_stored_versions(object: &Value, errors: &mut Vec<Error>) {
    let path = Path::new("status");
    let place = path.child("storedVersions");
    let stored = object.at(&["status", "storedVersions"]);
    let stored = stored.and_then(Value::as_array).unwrap_or_default();
    if stored.is_empty() {
        let why = "must have at least one stored version";
        errors.push(Error::invalid(&place, &Value::Null, why));
    }
    // Each stored version is accounted for once.
    let mut names: Vec<&str> = stored.iter().filter_map(Value::as_str).collect();
    for version in versions(object) {
        let name = version.str_at(&["name"]).unwrap_or_default();
        let known = names.iter().position(|one| *one == name);
        if flag(version, "storage") && known.is_none() && !stored.is_empty() {
            let why = format!("must have the storage version {name}");
            errors.push(Error::invalid(&place, &Value::Array(stored.to_vec()), why));
        }
        if let Some(at) = known {
            names.remove(at);
        }
    }
    for (at, one) in stored.iter().enumerate() {
        let name = one.as_str().unwrap_or_default();
        if !versions(object)
            .iter()
            .any(|version| version.str_at(&["name"]) == Some(name))
        {
            let why = format!(
                "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
            );
            errors.push(Error::invalid(&place.index(at), name, why));
        }
    }
}
