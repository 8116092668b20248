//! What is wrong with a CustomResourceDefinition.
//!
//! What all versions say alike (schema, subresources, columns, selectable fields) is said of the
//! spec itself, as upstream's own form of a definition has it there.
//!
//! Source: k8s.io/apiextensions-apiserver, pkg/apis/apiextensions/validation/validation.go and
//! v1/conversion.go.

mod conversion;
mod part;
mod shared;

use api::{
    Value,
    field::{Error, Path},
    meta::Meta,
    names::validate::{dns1035_label, dns1123_subdomain},
    quote::is_printable,
};
use schema::{
    Shape,
    structural::{Before, StatusDoor, shown},
};

use super::{
    approval,
    definition::{flag, versions},
};
use conversion::wrong_conversion;
use part::{Part, Whose};
use shared::{SHARED, is_shared, shown_versions};

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
    errors.extend(super::subresources::wrong(object, meta));
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
    let update = old.map(|old| Update::of(old, meta));
    wrong_schemas(spec, update.as_ref(), &path, &mut errors);
    let judge = Judge {
        meta,
        update: update.as_ref(),
    };
    wrong_versions(spec.get("versions"), &path, judge, &mut errors);
    wrong_names(spec, &path, &mut errors);
    if let Some(first) = versions.first() {
        let at = Part {
            version: first,
            whose: Whose::All,
            status: status_door(versions),
        };
        for field in SHARED
            .into_iter()
            .filter(|field| is_shared(versions, field))
        {
            at.wrong(field, &path, judge, &mut errors);
        }
    }
    let strategy = spec.str_at(&["conversion", "strategy"]).unwrap_or("None");
    if strategy != "None" && flag(spec, "preserveUnknownFields") {
        let place = path.child("conversion");
        let why = "must be None if spec.preserveUnknownFields is true";
        errors.push(Error::invalid(&place.child("strategy"), strategy, why));
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

/// A definition before it is changed.
struct Update<'a> {
    old: &'a Value,
    before: Before,
}

impl<'a> Update<'a> {
    fn of(old: &'a Value, meta: &Shape) -> Self {
        let schemas = versions(old).iter().filter_map(schema_of);
        let schemas: Vec<&Value> = schemas.collect();
        Self {
            old,
            before: Before::of(&schemas, keeps_unknown(old), meta),
        }
    }

    /// Returns the version of this name as it was.
    fn version(&self, name: &str) -> Option<&'a Value> {
        let mut versions = versions(self.old).iter();
        versions.find(|version| version.str_at(&["name"]) == Some(name))
    }
}

/// What a part of a definition is judged by.
#[derive(Clone, Copy)]
struct Judge<'a> {
    meta: &'a Shape,
    update: Option<&'a Update<'a>>,
}

fn schema_of(version: &Value) -> Option<&Value> {
    let schema = version.at(&["schema", "openAPIV3Schema"])?;
    (!schema.is_null()).then_some(schema)
}

fn keeps_unknown(object: &Value) -> bool {
    object.at(&["spec", "preserveUnknownFields"]) == Some(&Value::Bool(true))
}

fn status_door(versions: &[Value]) -> StatusDoor {
    let has_status = |version: &Value| version.at(&["subresources", "status"]).is_some();
    if versions.iter().any(has_status) {
        StatusDoor::Present
    } else {
        StatusDoor::Absent
    }
}

/// Each version needs a schema; only those that were stored without may stay so, while nothing is
/// pruned by them.
fn wrong_schemas(
    spec: &Value,
    update: Option<&Update<'_>>,
    path: &Path<'_>,
    errors: &mut Vec<Error>,
) {
    let place = path.child("versions");
    let versions = spec.get("versions").and_then(Value::as_array);
    let keeps = flag(spec, "preserveUnknownFields");
    let was_complete = update.is_none_or(|update| {
        self::versions(update.old)
            .iter()
            .all(|one| schema_of(one).is_some())
    });
    for (at, version) in versions.unwrap_or_default().iter().enumerate() {
        if schema_of(version).is_some() {
            continue;
        }
        let place = place.index(at);
        let schema = place.child("schema");
        let schema = schema.child("openAPIV3Schema");
        if was_complete {
            errors.push(Error::required(&schema, ""));
        } else if !keeps && flag(version, "served") {
            let why = "because otherwise all fields are pruned";
            errors.push(Error::required(&schema, why));
        }
    }
    let has_defaults = |version: &Value| schema_of(version).is_some_and(|one| defaults(one, 0));
    if keeps && versions.unwrap_or_default().iter().any(has_defaults) {
        let why = "must be false in order to use defaults in the schema";
        errors.push(Error::invalid(
            &path.child("preserveUnknownFields"),
            true,
            why,
        ));
    }
}

/// Whether a schema declares a default anywhere.
fn defaults(schema: &Value, depth: usize) -> bool {
    const DEPTH_MAX: usize = 1_000;
    let below = |inner: &Value| defaults(inner, depth + 1);
    let all = |name: &str| schema.get(name).and_then(Value::as_object);
    let list = |name: &str| {
        schema
            .get(name)
            .and_then(Value::as_array)
            .unwrap_or_default()
    };
    depth <= DEPTH_MAX
        && (schema.get("default").is_some_and(|one| !one.is_null())
            || (all("properties").into_iter()).any(|all| all.iter().any(|(_, one)| below(one)))
            || ["items", "additionalProperties", "not"]
                .iter()
                .any(|name| schema.get(name).is_some_and(below))
            || ["allOf", "anyOf", "oneOf"]
                .iter()
                .any(|name| list(name).iter().any(below)))
}

/// Only what kept unknown fields already may go on to.
fn wrong_unknowns(spec: &Value, old: Option<&Value>, path: &Path<'_>) -> Option<Error> {
    if old.is_some_and(keeps_unknown) || !flag(spec, "preserveUnknownFields") {
        return None;
    }
    let place = path.child("preserveUnknownFields");
    let why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
    Some(Error::invalid(&place, true, why))
}

fn wrong_versions(
    given: Option<&Value>,
    path: &Path<'_>,
    judge: Judge<'_>,
    errors: &mut Vec<Error>,
) {
    let versions = given.and_then(Value::as_array).unwrap_or_default();
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
        wrong_warning(version, &place, errors);
        let at = Part {
            version,
            whose: Whose::One,
            status: status_door(std::slice::from_ref(version)),
        };
        for field in SHARED {
            if !is_shared(versions, field) {
                at.wrong(field, &place, judge, errors);
            }
        }
    }
    let mut all = |why: &str| {
        errors.push(Error::invalid(
            &place,
            shown::go_json(&shown_versions(given)),
            why,
        ));
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

fn wrong_warning(version: &Value, path: &Path<'_>, errors: &mut Vec<Error>) {
    let Some(warning) = version.get("deprecationWarning").and_then(Value::as_str) else {
        return;
    };
    let place = path.child("deprecationWarning");
    let shown = Value::string(warning);
    let mut wrong = |why: String| errors.push(Error::invalid(&place, shown::go_json(&shown), why));
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
    if let Some((at, _)) = warning.char_indices().find(|(_, c)| !is_printable(*c)) {
        wrong(format!(
            "must only contain printable UTF-8 characters; non-printable character found at index {at}"
        ));
    }
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
