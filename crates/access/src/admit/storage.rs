//! What is in use is not deleted under its users, and grows only where that is allowed.
//!
//! Source: k8s.io/kubernetes, plugin/pkg/admission/storage.

use api::{Meta, Quantity, Value};

use super::{Around, Operation, Refusal, Request, list_at};
use crate::world::Resource;

const BETA_STORAGE: &str = "volume.beta.kubernetes.io/storage-class";

pub(super) fn protect(request: &Request<'_>, object: &mut Value) -> Result<(), Refusal> {
    let finalizer = if request.creates("", "persistentvolumes") {
        "kubernetes.io/pv-protection"
    } else if request.creates("", "persistentvolumeclaims") {
        "kubernetes.io/pvc-protection"
    } else if request.creates("storage.k8s.io", "volumeattributesclasses") {
        "kubernetes.io/vac-protection"
    } else {
        return Ok(());
    };
    if !Meta::of(object).has_finalizer(finalizer) {
        list_at(object, &["metadata", "finalizers"]).push(Value::from(finalizer));
    }
    Ok(())
}

pub(super) fn resize(
    request: &Request<'_>,
    object: &Value,
    old: Option<&Value>,
    around: &Around<'_>,
) -> Result<(), Refusal> {
    let updates = request.operation == Operation::Update;
    if !updates || !request.is_on("", "persistentvolumeclaims") {
        return Ok(());
    }
    let Some(old) = old else {
        return Ok(());
    };
    let size = |claim: &Value| {
        let value = claim.at(&["spec", "resources", "requests", "storage"]);
        value.and_then(|value| Quantity::from_value(value).ok())
    };
    let (before, after) = (size(old), size(object));
    let before = before.unwrap_or_else(Quantity::zero);
    if after.is_none_or(|after| after.compare(&before).is_le()) {
        return Ok(());
    }
    if old.str_at(&["status", "phase"]) != Some("Bound") {
        let why = "Only bound persistent volume claims can be expanded";
        return Err(request.forbidden(object, why));
    }
    let (class, class_before) = (class_of(object), class_of(old));
    let grows = class == class_before && !class.is_empty() && {
        let found = around.world.get(Resource::STORAGE_CLASSES, "", class);
        found.is_some_and(|bytes| {
            let flag = api::json::scan::find_field(&bytes, &["allowVolumeExpansion"]);
            flag.is_some_and(|place| &bytes[place] == b"true")
        })
    };
    if grows {
        return Ok(());
    }
    let why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
    Err(request.forbidden(object, why))
}

fn class_of(claim: &Value) -> &str {
    let annotated = Meta::of(claim).annotation(BETA_STORAGE);
    let named = || claim.str_at(&["spec", "storageClassName"]);
    annotated.or_else(named).unwrap_or_default()
}
