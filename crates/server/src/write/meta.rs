//! What the server owns of an object's metadata.
//!
//! Source: k8s.io/apiserver, pkg/registry/rest/{create,update,meta}.go and
//! pkg/endpoints/handlers/rest.go.

use api::{Object, Status, Value, meta::Meta, time};
use base::WallTime;
use schema::{Generation, Kind, Scope};
use store::Revision;

/// Returns the fields of `metadata`, which is made if it is missing.
pub(crate) fn of(object: &mut Value) -> &mut Object {
    object.make_object().entry("metadata").make_object()
}

/// Returns a text of `metadata`, or nothing.
pub(crate) fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.str_at(&["metadata", name]).unwrap_or_default()
}

/// Removes what only the server says of a new object.
pub(crate) fn wipe(object: &mut Value) {
    let meta = of(object);
    for name in [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
    ] {
        meta.remove(name);
    }
}

/// Writes the wish to forget all managers in the form that normal form keeps: an empty list, which
/// upstream tells from none, becomes one empty entry.
pub(crate) fn keep_reset(object: &mut Value) {
    if let Some(Value::Array(entries)) = object.at_mut(&["metadata", "managedFields"])
        && entries.is_empty()
    {
        entries.push(Value::object());
    }
}

/// Says what the server says of a new object.
pub(crate) fn stamp(object: &mut Value, uid: &str, now: WallTime, generation: Generation) {
    let meta = of(object);
    meta.insert("uid", Value::from(uid));
    meta.insert("creationTimestamp", time::to_value(now));
    match generation {
        Generation::None => {}
        _ => {
            meta.insert("generation", Value::Int(1));
        }
    }
}

/// Says at which revision an object is, and keeps the order of its metadata.
pub(crate) fn number(object: &mut Value, revision: Revision, is_custom: bool) {
    // Source: k8s.io/apimachinery, pkg/apis/meta/v1/types.go (order of fields).
    const BEFORE: [&str; 5] = ["name", "generateName", "namespace", "selfLink", "uid"];
    let number = Value::string(revision.to_string());
    let meta = of(object);
    if is_custom {
        meta.insert("resourceVersion", number);
        meta.sort();
    } else {
        meta.insert_behind(&BEFORE, "resourceVersion", number);
    }
}

/// Makes the object's namespace that of the request.
///
/// # Errors
/// 400 if it names another.
pub(crate) fn settle_namespace(
    object: &mut Value,
    scope: Scope,
    requested: &str,
) -> Result<(), Status> {
    let wanted = match scope {
        Scope::Namespaced => requested,
        Scope::Cluster => "",
    };
    let found = text(object, "namespace");
    if found == wanted {
        return Ok(());
    }
    if wanted.is_empty() {
        of(object).remove("namespace");
        return Ok(());
    }
    if found.is_empty() {
        of(object).insert("namespace", Value::from(wanted));
        return Ok(());
    }
    Err(Status::bad_request(
        "the namespace of the provided object does not match the namespace sent on the request",
    ))
}

/// Checks that the object is the one the path names.
///
/// # Errors
/// 400 if it has another name.
pub(crate) fn check_name(object: &Value, name: &str) -> Result<(), Status> {
    let found = text(object, "name");
    if found.is_empty() {
        return Err(Status::bad_request(format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        )));
    }
    if found != name {
        return Err(Status::bad_request(format!(
            "the name of the object ({found}) does not match the name on the URL ({name})"
        )));
    }
    Ok(())
}

/// When repeated owners were noticed; the warning says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noticed {
    /// In the body.
    BeforeAdmission,
    /// After admission added them, or in a patch.
    AfterAdmission,
}

/// Removes owners that are named twice; returns the warning to send.
pub(crate) fn dedup_owners(object: &mut Value, noticed: Noticed) -> Option<String> {
    let owners = object
        .at_mut(&["metadata", "ownerReferences"])?
        .as_array_mut()?;
    if owners.len() < 2 {
        return None;
    }
    let mut kept: Vec<Value> = Vec::with_capacity(owners.len());
    let mut repeated = Vec::new();
    for owner in owners.drain(..) {
        if kept.contains(&owner) {
            repeated.push(owner.str_at(&["uid"]).unwrap_or_default().to_owned());
        } else {
            kept.push(owner);
        }
    }
    *owners = kept;
    if repeated.is_empty() {
        return None;
    }
    let when = match noticed {
        Noticed::BeforeAdmission => "",
        Noticed::AfterAdmission => " after mutating admission happens",
    };
    Some(format!(
        ".metadata.ownerReferences contains duplicate entries{when}; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {}",
        repeated.join(", ")
    ))
}

/// Keeps what an update may not change of the metadata.
pub(crate) fn keep(object: &mut Value, old: &Value) {
    let old_meta = old.get("metadata");
    let kept = |name: &str| old_meta.and_then(|meta| meta.get(name)).cloned();
    let meta = of(object);
    // uid: only if none was given; another one is refused by validation.
    if meta
        .get("uid")
        .and_then(Value::as_str)
        .is_none_or(str::is_empty)
    {
        put(meta, "uid", kept("uid"));
    }
    if let Some(created) = kept("creationTimestamp") {
        meta.insert("creationTimestamp", created);
    }
    if let Some(deleted) = kept("deletionTimestamp") {
        meta.insert("deletionTimestamp", deleted);
    }
    if !meta.contains("deletionGracePeriodSeconds") {
        put(
            meta,
            "deletionGracePeriodSeconds",
            kept("deletionGracePeriodSeconds"),
        );
    }
}

/// Sets or removes a field.
pub(crate) fn put(object: &mut Object, name: &str, value: Option<Value>) {
    match value {
        Some(value) => {
            object.insert(name, value);
        }
        None => {
            object.remove(name);
        }
    }
}

/// Counts the generation up if what the kind counts has changed.
///
/// Both objects are in normal form, so equal fields are equal trees.
pub(crate) fn count_generation(
    counted: Generation,
    has_status: bool,
    object: &mut Value,
    old: &Value,
) {
    let before = Meta::of(old).generation();
    let differs = |name: &str| object.at(&["metadata", name]) != old.at(&["metadata", name]);
    let moved = match counted {
        Generation::None | Generation::Constant => false,
        Generation::Spec => object.get("spec") != old.get("spec"),
        Generation::SpecAndAnnotations => {
            object.get("spec") != old.get("spec") || differs("annotations")
        }
        Generation::AllButStatus => !same_but_status(object, old, has_status),
        Generation::AllButStatusAndLabels => {
            !same_but_status(object, old, has_status) || differs("labels")
        }
    };
    let generation = before + i64::from(moved);
    if generation > 0 {
        of(object).insert("generation", Value::Int(generation));
    } else {
        of(object).remove("generation");
    }
}

fn same_but_status(object: &Value, old: &Value, has_status: bool) -> bool {
    let counts = |name: &str| {
        let is_status = has_status && name == "status";
        !is_status && !matches!(name, "metadata" | "apiVersion" | "kind")
    };
    let (Some(object), Some(old)) = (object.as_object(), old.as_object()) else {
        return object == old;
    };
    let new = object.iter().filter(|(name, _)| counts(name));
    new.eq(old.iter().filter(|(name, _)| counts(name)))
}

/// Returns whether the last hold on a leaving object is gone, so that the update deletes it.
pub(crate) fn is_released(kind: &Kind, object: &Value, old: &Value) -> bool {
    let (new_meta, old_meta) = (Meta::of(object), Meta::of(old));
    let held = new_meta.finalizers().len() > 0
        || (kind.traits.spec_finalizers && !spec_finalizers_gone(object));
    !held
        && old_meta.is_leaving()
        && old_meta
            .deletion_grace_seconds()
            .is_none_or(|seconds| seconds == 0)
}

/// Returns whether no finalizer is left in `spec`.
pub(crate) fn spec_finalizers_gone(object: &Value) -> bool {
    object
        .at(&["spec", "finalizers"])
        .and_then(Value::as_array)
        .is_none_or(<[Value]>::is_empty)
}
