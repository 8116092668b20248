//! What is wrong with the volumes that a container mounts.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go.

use api::{
    Value,
    field::{Error, Path},
};

use super::volumes::Volumes;
use crate::validate::{Findings, Place, Seen, texts};

/// Whether an item of a list has this text in this field.
fn has(list: &[Value], field: &str, text: &str) -> bool {
    let is_it = |one: &Value| one.str_at(&[field]).unwrap_or_default() == text;
    list.iter().any(is_it)
}

/// Whether the last item of each name has this path. Upstream keeps one path per name.
fn has_path(list: &[Value], field: &str, path: &str) -> bool {
    let is_last = |at: usize, one: &Value| {
        let name = one.str_at(&["name"]).unwrap_or_default();
        !has(&list[at + 1..], "name", name)
    };
    let mut all = list.iter().enumerate();
    all.any(|(at, one)| one.str_at(&[field]).unwrap_or_default() == path && is_last(at, one))
}

/// Checks where a container mounts volumes as files.
pub(super) fn mounts(container: &Place<'_>, volumes: &Volumes<'_>, found: &mut Findings) {
    let devices = container.list_of("volumeDevices");
    let list = container.child("volumeMounts");
    let mut paths = Seen::new();
    for (mount, value) in list.items().zip(list.list()) {
        let (name, path) = (mount.child("name"), mount.child("mountPath"));
        texts::require(&name, "", found);
        if volumes.get(name.text()).is_none() {
            found.push(Error::not_found(name.path(), name.text()));
        }
        texts::require(&path, "", found);
        if !paths.insert(value.str_at(&["mountPath"]).unwrap_or_default()) {
            found.invalid_text(&path, "must be unique");
        }
        if !devices.is_empty() {
            if has(devices, "name", name.text()) {
                found.invalid_text(&name, "must not already exist in volumeDevices");
            }
            if has_path(devices, "devicePath", path.text()) {
                let why = "must not already exist as a path in volumeDevices";
                found.invalid_text(&path, why);
            }
        }
        sub_paths(&mount, list.path(), found);
        propagation(container, &mount, list.path(), found);
        recursion(&mount, list.path(), found);
    }
}

/// The paths of errors in a mount are upstream's: those of the list, not of the mount.
fn beside<'a>(mount: &Place<'a>, list: &'a Path<'a>, field: &'a str) -> Place<'a> {
    Place::new(mount.get(field), list.child(field))
}

fn sub_paths(mount: &Place<'_>, list: &Path<'_>, found: &mut Findings) {
    let sub_path = beside(mount, list, "subPath");
    if !sub_path.text().is_empty() {
        texts::descending_path(&sub_path, found);
    }
    let expression = beside(mount, list, "subPathExpr");
    if !expression.text().is_empty() {
        if !sub_path.text().is_empty() {
            let why = "subPathExpr and subPath are mutually exclusive";
            found.invalid(&mount.child("subPathExpr"), why);
        }
        texts::descending_path(&expression, found);
    }
}

fn propagation(container: &Place<'_>, mount: &Place<'_>, list: &Path<'_>, found: &mut Findings) {
    let place = beside(mount, list, "mountPropagation");
    if !place.is_set() {
        return;
    }
    texts::choice(&place, &["Bidirectional", "HostToContainer", "None"], found);
    let context = container.child("securityContext");
    if place.text() == "Bidirectional" && context.flag_of("privileged") != Some(true) {
        let why = "Bidirectional mount propagation is available only to privileged containers";
        found.forbidden(&place, why);
    }
}

fn recursion(mount: &Place<'_>, list: &Path<'_>, found: &mut Findings) {
    let place = beside(mount, list, "recursiveReadOnly");
    match place.str() {
        None | Some("Disabled") => {}
        Some("Enabled" | "IfPossible") => {
            if mount.flag_of("readOnly") != Some(true) {
                found.forbidden(&place, "may only be specified when readOnly is true");
            }
            if mount.has("mountPropagation") && mount.text_of("mountPropagation") != "None" {
                let why = "may only be specified when mountPropagation is None or not specified";
                found.forbidden(&place, why);
            }
        }
        Some(_) => found.not_supported(&place, &["Disabled", "Enabled", "IfPossible"]),
    }
}

/// Checks where a container has volumes as devices.
pub(super) fn devices(container: &Place<'_>, volumes: &Volumes<'_>, found: &mut Findings) {
    let mounts = container.list_of("volumeMounts");
    let list = container.child("volumeDevices");
    let (mut names, mut paths) = (Seen::new(), Seen::new());
    for (device, value) in list.items().zip(list.list()) {
        let (name, path) = (device.child("name"), device.child("devicePath"));
        let volume = volumes.get(name.text());
        texts::require(&name, "", found);
        if names.has(name.text()) {
            found.invalid_text(&name, "must be unique");
        }
        let is_claim = |volume: &Value| {
            ["persistentVolumeClaim", "ephemeral"]
                .iter()
                .any(|source| volume.get(source).is_some())
        };
        match volume {
            None => found.push(Error::not_found(name.path(), name.text())),
            Some(volume) if !is_claim(volume) => {
                let why = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
                found.invalid_text(&name, why);
            }
            Some(_) => {}
        }
        texts::require(&path, "", found);
        if paths.has(path.text()) {
            found.invalid_text(&path, "must be unique");
        }
        if path.text().split('/').any(|step| step == "..") {
            found.invalid_text(&path, "can not contain backsteps ('..')");
        } else {
            paths.insert(value.str_at(&["devicePath"]).unwrap_or_default());
        }
        if has(mounts, "name", name.text()) {
            found.invalid_text(&name, "must not already exist in volumeMounts");
        }
        if has_path(mounts, "mountPath", path.text()) {
            found.invalid_text(&path, "must not already exist as a path in volumeMounts");
        }
        let text = value.str_at(&["name"]).unwrap_or_default();
        if !text.is_empty() {
            names.insert(text);
        }
    }
}
