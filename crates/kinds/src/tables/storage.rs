//! The group `storage.k8s.io`.

use schema::Cell;

use super::{Cells, NONE, Row, UNSET, plain, text, text_or};

pub(super) fn of(kind: &str) -> Option<Cells> {
    Some(match kind {
        "CSIDriver" => driver,
        "CSINode" => node,
        "CSIStorageCapacity" => plain,
        "StorageClass" => class,
        "VolumeAttachment" => attachment,
        "VolumeAttributesClass" => attributes_class,
        _ => return None,
    })
}

fn driver(row: Row<'_>) -> Vec<Cell> {
    let flag = |field: &str, open: bool| row.flag(&["spec", field]).unwrap_or(open);
    let requests = row.at(&["spec", "tokenRequests"]).map(|requests| {
        let audiences: Vec<&str> = requests
            .items(&[])
            .map(|request| request.text(&["audience"]))
            .collect();
        audiences.join(",")
    });
    vec![
        row.name(),
        flag("attachRequired", true).into(),
        flag("podInfoOnMount", false).into(),
        flag("storageCapacity", false).into(),
        text(requests.unwrap_or_else(|| UNSET.to_owned())),
        flag("requiresRepublish", false).into(),
        text_or(
            &row.texts(&["spec", "volumeLifecycleModes"]).join(","),
            NONE,
        ),
        row.age(),
    ]
}

fn node(row: Row<'_>) -> Vec<Cell> {
    let drivers = row.count(&["spec", "drivers"]);
    vec![row.name(), drivers.into(), row.age()]
}

/// Returns the cells of a storage class.
///
/// Upstream marks one class of a whole list as the default, the youngest that says so, and none
/// when a single class is read. A row knows only itself, so each class that says so is marked.
fn class(row: Row<'_>) -> Vec<Cell> {
    let mut name = row.text(&["metadata", "name"]).to_owned();
    let is_default = [
        "storageclass.kubernetes.io/is-default-class",
        "storageclass.beta.kubernetes.io/is-default-class",
    ]
    .into_iter()
    .any(|annotation| row.annotation(annotation) == "true");
    if is_default {
        name.push_str(" (default)");
    }
    let expansion = row.flag(&["allowVolumeExpansion"]).unwrap_or(false);
    vec![
        text(name),
        row.text(&["provisioner"]).into(),
        text_or(row.text(&["reclaimPolicy"]), "Delete"),
        text_or(row.text(&["volumeBindingMode"]), "Immediate"),
        expansion.into(),
        row.age(),
    ]
}

fn attachment(row: Row<'_>) -> Vec<Cell> {
    let attached = row.flag(&["status", "attached"]).unwrap_or(false);
    vec![
        row.name(),
        row.text(&["spec", "attacher"]).into(),
        row.text(&["spec", "source", "persistentVolumeName"]).into(),
        row.text(&["spec", "nodeName"]).into(),
        attached.into(),
        row.age(),
    ]
}

fn attributes_class(row: Row<'_>) -> Vec<Cell> {
    vec![row.name(), row.text(&["driverName"]).into(), row.age()]
}
