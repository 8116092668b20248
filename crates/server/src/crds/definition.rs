//! What a CustomResourceDefinition is beyond its data: defaults, what the server sets, what is wrong
//! with one.
//!
//! Source: k8s.io/apiextensions-apiserver, pkg/apis/apiextensions/{v1/defaults,validation/validation}.go
//! and pkg/registry/customresourcedefinition/strategy.go.

use std::sync::Arc;

use api::{
    Cause, Status, Value,
    field::{self, Error, Path},
    meta::Meta,
    names::validate::{dns1035_label, dns1123_subdomain},
    value,
};
use base::WallTime;
use schema::{
    Behavior, Cell, Occasion, Shape,
    columns::JsonPath,
    structural::{CheckOptions, check},
};

use super::approval;

/// How many fields of a version may be selected by.
const SELECTABLE_MAX: usize = 8;

const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS: [&str; 9] = [
    "byte",
    "date",
    "date-time",
    "double",
    "float",
    "int32",
    "int64",
    "password",
    "name",
];

/// The behaviour of CustomResourceDefinitions, around the one that came with the kind.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) inner: Arc<dyn Behavior>,
    /// Shape of the metadata of custom resources.
    pub(crate) meta: Shape,
}

impl Behavior for Definition {
    fn default(&self, occasion: Occasion<'_>, object: &mut Value) {
        self.inner.default(occasion, object);
        let Some(spec) = object.get_mut("spec") else {
            return;
        };
        let kind = spec
            .str_at(&["names", "kind"])
            .unwrap_or_default()
            .to_owned();
        let is_empty = |spec: &Value, name: &str| {
            spec.str_at(&["names", name]).is_none_or(str::is_empty) && !kind.is_empty()
        };
        if is_empty(spec, "singular") {
            spec.set_at(&["names", "singular"], Value::string(kind.to_lowercase()));
        }
        if is_empty(spec, "listKind") {
            spec.set_at(&["names", "listKind"], Value::string(format!("{kind}List")));
        }
        if spec.get("conversion").is_none_or(Value::is_null) {
            spec.set_at(&["conversion"], value!({"strategy": "None"}));
        }
        if let Some(service) = spec.at_mut(&["conversion", "webhook", "clientConfig", "service"])
            && service.get("port").is_none_or(Value::is_null)
        {
            service.set_at(&["port"], Value::Int(443));
        }
    }

    fn prepare(&self, occasion: Occasion<'_>, object: &mut Value, old: Option<&Value>) {
        if old.is_none() {
            object.make_object().remove("status");
        }
        self.inner.prepare(occasion, object, old);
        if !occasion.subresource.is_empty() {
            return;
        }
        let Some(stored) = storage_version(object).map(str::to_owned) else {
            return;
        };
        let status = object.make_object().entry("status").make_object();
        let known = status.entry("storedVersions");
        if !matches!(known, Value::Array(_)) {
            *known = Value::Array(Vec::new());
        }
        if let Value::Array(known) = known
            && !known.iter().any(|one| one.as_str() == Some(&stored))
        {
            known.push(Value::string(stored));
        }
    }

    fn validate(&self, occasion: Occasion<'_>, object: &Value, old: Option<&Value>) -> Vec<Cause> {
        let mut causes = self.inner.validate(occasion, object, old);
        // Through the status door the spec is the old one, which was good enough once.
        if occasion.subresource.is_empty() {
            causes.extend(field::causes(&wrong(object, old, &self.meta)));
        }
        causes
    }

    fn warn(&self, occasion: Occasion<'_>, object: &Value) -> Vec<String> {
        self.inner.warn(occasion, object)
    }

    fn table(&self, occasion: Occasion<'_>, object: &Value) -> Option<Vec<Cell>> {
        self.inner.table(occasion, object)
    }

    fn convert(&self, object: Value, to: &api::GroupVersion) -> Result<Value, Status> {
        self.inner.convert(object, to)
    }

    fn grace_seconds(&self, object: &Value, asked: Option<i64>) -> Option<i64> {
        self.inner.grace_seconds(object, asked)
    }
}

/// Returns the versions of a definition.
pub(crate) fn versions(object: &Value) -> &[Value] {
    let versions = object.at(&["spec", "versions"]);
    versions.and_then(Value::as_array).unwrap_or_default()
}

/// Returns the name of the stored version.
fn storage_version(object: &Value) -> Option<&str> {
    let mut versions = versions(object).iter();
    let stored = versions.find(|version| flag(version, "storage"))?;
    stored.str_at(&["name"])
}

pub(crate) fn flag(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool) == Some(true)
}

/// Marks a definition as leaving: its objects are deleted first.
pub(crate) fn hold(object: &mut Value, now: WallTime) {
    let has = Meta::of(object).has_finalizer(super::CLEANUP);
    let meta = crate::write::meta::of(object);
    if !meta.contains("deletionTimestamp") {
        meta.insert("deletionTimestamp", api::time::to_value(now));
    }
    if !has {
        let finalizers = meta.entry("finalizers");
        if !matches!(finalizers, Value::Array(_)) {
            *finalizers = Value::Array(Vec::new());
        }
        if let Value::Array(finalizers) = finalizers {
            finalizers.push(Value::from(super::CLEANUP));
        }
    }
    super::status::set(
        object,
        super::status::Condition {
            kind: "Terminating",
            is: super::status::Is::True,
            reason: "InstanceDeletionPending",
            message: "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon".to_owned(),
        },
        now,
    );
}

/// Returns what is wrong with a definition.
fn wrong(object: &Value, old: Option<&Value>, meta: &Shape) -> Vec<Error> {
    let mut errors = Vec::new();
    let Some(spec) = object.get("spec") else {
        return vec![Error::required(&Path::new("spec"), "")];
    };
    let path = Path::new("spec");
    let group = spec.str_at(&["group"]).unwrap_or_default();
    let plural = spec.str_at(&["names", "plural"]).unwrap_or_default();
    let name = Meta::of(object).name();
    if old.is_none() && name != format!("{plural}.{group}") {
        let metadata = Path::new("metadata");
        let place = metadata.child("name");
        let why = r#"must be spec.names.plural+"."+spec.group"#;
        errors.push(Error::invalid(&place, name, why));
    }
    errors.extend(super::lifetime::wrong(object));
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
    wrong_versions(object, &path, meta, &mut errors);
    wrong_names(spec, &path, &mut errors);
    wrong_conversion(spec, &path, &mut errors);
    if let Some(old) = old {
        wrong_changes(spec, old, &path, &mut errors);
    }
    wrong_stored_versions(object, &mut errors);
    errors.extend(approval::wrong(object, old));
    if flag(spec, "preserveUnknownFields") {
        let place = path.child("preserveUnknownFields");
        let why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        let was = old.is_some_and(|old| {
            old.at(&["spec", "preserveUnknownFields"]) == Some(&Value::Bool(true))
        });
        if !was {
            errors.push(Error::invalid(&place, true, why));
        }
    }
    errors
}

fn wrong_versions(object: &Value, path: &Path<'_>, meta: &Shape, errors: &mut Vec<Error>) {
    let versions = versions(object);
    let place = path.child("versions");
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
        wrong_version(version, &place, meta, errors);
    }
    if !is_unique {
        let why = "must contain unique version names";
        errors.push(Error::invalid(
            &place,
            &Value::Array(versions.to_vec()),
            why,
        ));
    }
    if versions.iter().filter(|one| flag(one, "storage")).count() != 1 {
        let why = "must have exactly one version marked as storage version";
        errors.push(Error::invalid(
            &place,
            &Value::Array(versions.to_vec()),
            why,
        ));
    }
}

fn wrong_version(version: &Value, path: &Path<'_>, meta: &Shape, errors: &mut Vec<Error>) {
    if let Some(warning) = version.get("deprecationWarning").and_then(Value::as_str) {
        let place = path.child("deprecationWarning");
        if !flag(version, "deprecated") {
            let why = "can only be set for deprecated versions";
            errors.push(Error::invalid(&place, warning, why));
        } else if warning.len() > 256 {
            errors.push(Error::invalid(
                &place,
                warning,
                "must be <= 256 characters long",
            ));
        } else if warning.is_empty() {
            errors.push(Error::invalid(
                &place,
                warning,
                "must not be an empty string",
            ));
        }
    }
    let place = path.child("schema");
    let place = place.child("openAPIV3Schema");
    let has_status = version.at(&["subresources", "status"]).is_some();
    match version.at(&["schema", "openAPIV3Schema"]) {
        None | Some(Value::Null) => errors.push(Error::required(&place, "")),
        Some(schema) => {
            let options = if has_status {
                CheckOptions::StatusSubresource
            } else {
                CheckOptions::Plain
            };
            errors.extend(check(schema, &place, meta, options));
        }
    }
    wrong_scale(version, path, errors);
    let columns = version.get("additionalPrinterColumns");
    let place = path.child("additionalPrinterColumns");
    let columns = columns.and_then(Value::as_array).unwrap_or_default();
    for (at, column) in columns.iter().enumerate() {
        wrong_column(column, &place.index(at), errors);
    }
    let place = path.child("selectableFields");
    let fields = version.get("selectableFields").and_then(Value::as_array);
    let fields = fields.unwrap_or_default();
    for (at, field) in fields.iter().enumerate() {
        let place = place.index(at);
        if field.str_at(&["jsonPath"]).is_none_or(str::is_empty) {
            errors.push(Error::required(&place.child("jsonPath"), ""));
        }
    }
    if fields.len() > SELECTABLE_MAX {
        errors.push(Error::too_many(&place, fields.len(), SELECTABLE_MAX));
    }
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
    let place = path.child("jsonPath");
    match text("jsonPath") {
        "" => errors.push(Error::required(&place, "")),
        text => {
            wrong_path(text, &place, errors);
        }
    }
}

/// Checks a simple JSON path; tells whether it is wrong.
fn wrong_path(text: &str, place: &Path<'_>, errors: &mut Vec<Error>) -> bool {
    let why = if !text.starts_with('.') {
        "must be a simple json path starting with .".to_owned()
    } else if let Err(error) = JsonPath::parse(text) {
        error.to_string()
    } else {
        return false;
    };
    errors.push(Error::invalid(place, text, why));
    true
}

fn wrong_names(spec: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
    let place = path.child("names");
    for (name, is_kind) in [
        ("plural", false),
        ("singular", false),
        ("kind", true),
        ("listKind", true),
    ] {
        let place = place.child(name);
        let text = spec.str_at(&["names", name]).unwrap_or_default();
        if text.is_empty() {
            errors.push(Error::required(&place, ""));
            continue;
        }
        let checked = if is_kind {
            text.to_lowercase()
        } else {
            text.to_owned()
        };
        let rules = dns1035_label(&checked);
        if !rules.is_empty() {
            let why = if is_kind {
                format!(
                    "may have mixed case, but should otherwise match: {}",
                    rules.join(",")
                )
            } else {
                rules.join(",")
            };
            errors.push(Error::invalid(&place, text, why));
        }
    }
    for name in ["shortNames", "categories"] {
        let list = place.child(name);
        let texts = spec.at(&["names", name]).and_then(Value::as_array);
        for (at, text) in texts.unwrap_or_default().iter().enumerate() {
            let text = text.as_str().unwrap_or_default();
            let rules = dns1035_label(text);
            if !rules.is_empty() {
                errors.push(Error::invalid(&list.index(at), text, rules.join(",")));
            }
        }
    }
    let kind = spec.str_at(&["names", "kind"]).unwrap_or_default();
    if !kind.is_empty() && spec.str_at(&["names", "listKind"]) == Some(kind) {
        let place = place.child("listKind");
        errors.push(Error::invalid(
            &place,
            kind,
            "kind and listKind may not be the same",
        ));
    }
}

fn wrong_conversion(spec: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
    let Some(conversion) = spec.get("conversion") else {
        return;
    };
    let place = path.child("conversion");
    let webhook = conversion.get("webhook").filter(|hook| !hook.is_null());
    match conversion.str_at(&["strategy"]).unwrap_or_default() {
        "" => errors.push(Error::required(&place.child("strategy"), "")),
        "None" => {
            if webhook.is_some() {
                let why = "should not be set when strategy is not set to Webhook";
                errors.push(Error::forbidden(&place.child("webhookClientConfig"), why));
            }
        }
        "Webhook" => {
            let client = webhook.and_then(|hook| hook.get("clientConfig"));
            let place_client = place.child("webhookClientConfig");
            match client {
                None => {
                    let why = "required when strategy is set to Webhook";
                    errors.push(Error::required(&place_client, why));
                }
                Some(client) => {
                    if client.get("url").is_some() == client.get("service").is_some() {
                        let why = "exactly one of url or service is required";
                        errors.push(Error::required(&place_client, why));
                    }
                }
            }
            let reviews = webhook.and_then(|hook| hook.get("conversionReviewVersions"));
            let reviews = reviews.and_then(Value::as_array).unwrap_or_default();
            let place = place.child("conversionReviewVersions");
            if reviews.is_empty() {
                errors.push(Error::required(&place, ""));
            } else if !reviews
                .iter()
                .any(|one| matches!(one.as_str(), Some("v1" | "v1beta1")))
            {
                let why = "must include at least one of v1, v1beta1";
                errors.push(Error::invalid(&place, &Value::Array(reviews.to_vec()), why));
            }
        }
        other => {
            let place = place.child("strategy");
            errors.push(Error::not_supported(&place, other, &["None", "Webhook"]));
        }
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
