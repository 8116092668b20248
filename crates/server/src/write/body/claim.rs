//! What a body says it is, against what it shall be.
//!
//! Source: k8s.io/apimachinery, pkg/runtime/serializer/json/{json,meta}.go and pkg/runtime/error.go.

use api::{GroupVersion, Object, Status, Value};

use super::{Expected, cannot_be_handled, unrecognized};
use crate::{
    Call,
    registry::{ClusterId, Table},
};

/// What upstream calls the table of its kinds: the place in its sources where that is made. It
/// stands in sentences that clients may know.
pub(crate) const SCHEME: &str = "pkg/runtime/scheme.go:111";

/// Kinds that upstream knows in every group and version.
const META_KINDS: [&str; 7] = [
    "CreateOptions",
    "DeleteOptions",
    "GetOptions",
    "ListOptions",
    "PatchOptions",
    "UpdateOptions",
    "WatchEvent",
];

/// Checks what a tree says it is.
///
/// # Errors
/// 400 for what is no object, and for one that is none of the expected.
pub(super) fn check(value: &Value, expected: &Expected<'_>, call: &Call) -> Result<(), Status> {
    let Some(object) = value.as_object() else {
        if value.is_null() {
            return Err(unrecognized(expected, &no_kind(&call.body), &call.body));
        }
        let why = format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}",
            value.go_type_name()
        );
        return Err(unrecognized(expected, &why, &call.body));
    };
    let heads = Heads::of(object).map_err(|why| {
        let why = format!("couldn't get version/kind; json parse error: {why}");
        unrecognized(expected, &why, &call.body)
    })?;
    check_names(heads.api_version, heads.kind, expected, call)?;
    if expected.custom && heads.kind.is_empty() {
        return Err(unrecognized(expected, &no_kind(&call.body), &call.body));
    }
    Ok(())
}

/// What an object says of version and kind, whichever letters of the names it writes large.
pub(crate) struct Heads<'a> {
    pub(crate) api_version: &'a str,
    pub(crate) kind: &'a str,
}

impl<'a> Heads<'a> {
    /// Finds them in an object.
    ///
    /// # Errors
    /// Go's sentence about the first that is no text.
    pub(crate) fn of(object: &'a Object) -> Result<Self, String> {
        let (mut api_version, mut kind) = ("", "");
        for (name, value) in object.iter() {
            let (known, place) = match name.len() {
                4 if name.eq_ignore_ascii_case("kind") => ("kind", &mut kind),
                10 if name.eq_ignore_ascii_case("apiVersion") => ("apiVersion", &mut api_version),
                _ => continue,
            };
            match value {
                Value::String(text) => *place = text,
                Value::Null => {}
                other => {
                    return Err(format!(
                        "json: cannot unmarshal {} into Go struct field .{known} of type string",
                        other.go_type_name()
                    ));
                }
            }
        }
        Ok(Self { api_version, kind })
    }
}

/// Says that a custom resource does not say its kind, in the words of upstream's reader of objects
/// without a type.
fn no_kind(body: &[u8]) -> String {
    let body = String::from_utf8_lossy(body);
    format!("Object 'Kind' is missing in '{body}'")
}

/// Checks version and kind; empty ones are as expected.
///
/// # Errors
/// 400 with upstream's texts.
pub(super) fn check_names(
    api_version: &str,
    kind: &str,
    expected: &Expected<'_>,
    call: &Call,
) -> Result<(), Status> {
    let found = match api_version {
        "" => expected.group_version.clone(),
        text => GroupVersion::parse(text).ok_or_else(|| {
            let why = format!("unexpected GroupVersion string: {text}");
            unrecognized(expected, &why, &call.body)
        })?,
    };
    if !expected.custom
        && let Some(why) = misfit(&found, kind, expected, &call.table)
    {
        return Err(cannot_be_handled(kind, &found.version, expected, &why));
    }
    if found != *expected.group_version {
        return Err(Status::bad_request(format!(
            "the API version in the data ({found}) does not match the expected API version ({})",
            expected.group_version
        )));
    }
    Ok(())
}

/// Says why an object of this version and kind cannot be made one of the expected kind.
///
/// Another version of the kind can; whether it may is not said here.
pub(crate) fn misfit(
    found: &GroupVersion,
    kind: &str,
    expected: &Expected<'_>,
    table: &Table,
) -> Option<String> {
    let is_kind = kind.is_empty() || kind == expected.kind;
    if is_kind && found == expected.group_version {
        return None;
    }
    let kind = if kind.is_empty() { expected.kind } else { kind };
    if !is_registered(found, kind, table) {
        return Some(not_registered(found, kind));
    }
    if is_kind && found.group == expected.group_version.group {
        return None;
    }
    Some(format!(
        "converting ({}.{kind}) to ({}.{}): unknown conversion",
        found.version,
        internal_package(&expected.group_version.group),
        expected.kind
    ))
}

/// Says that nobody knows this kind.
pub(crate) fn not_registered(version: &GroupVersion, kind: &str) -> String {
    format!(
        "no kind {} is registered for version {} in scheme {}",
        api::quote::quote(kind),
        api::quote::quote(&version.to_string()),
        api::quote::quote(SCHEME)
    )
}

fn is_registered(found: &GroupVersion, kind: &str, table: &Table) -> bool {
    let Some(group) = table.group(ClusterId::ONLY, &found.group) else {
        return false;
    };
    let mut versions = group.versions.iter();
    let version = versions.find(|version| version.group_version == *found);
    let Some(version) = version else {
        return false;
    };
    if META_KINDS.contains(&kind) {
        return true;
    }
    let mut resources = version.resources.values();
    resources.any(|resource| {
        let own = resource.kind();
        let subresources = &resource.version().subresources;
        !own.traits.custom
            && (own.names.kind == kind
                || own.names.list_kind == kind
                || subresources
                    .iter()
                    .any(|sub| sub.kind == kind && sub.group_version == *found))
    })
}

/// Returns the package in which upstream keeps its own form of a group's kinds.
fn internal_package(group: &str) -> &str {
    match group {
        "" | "events.k8s.io" => "core",
        "internal.apiserver.k8s.io" => "apiserverinternal",
        group => group.split('.').next().unwrap_or(group),
    }
}
