//! What is wrong with volumes of the cluster.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go
//! (`ValidatePersistentVolume` and its updates), pkg/volume/validation/pv_validation.go,
//! pkg/api/persistentvolume/util.go.

use api::{
    Value,
    field::{Error, Path},
    names::validate,
};

use super::sources;
use crate::validate::{
    Findings, Place, Subject, changes, difference::difference, gostruct, labels, pods, quantities,
    texts,
};

/// How a volume is used.
pub(super) const MODES: &[&str] = &["Block", "Filesystem"];
const ACCESS: &[&str] = &[
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];
const RECLAIM: &[&str] = &["Delete", "Recycle", "Retain"];
const MOUNT_OPTIONS: &str = "volume.beta.kubernetes.io/mount-options";

/// Kinds of volumes that are mounted with options.
const WITH_OPTIONS: [&str; 13] = [
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "nfs",
    "rbd",
    "quobyte",
    "iscsi",
    "cinder",
    "cephfs",
    "azureFile",
    "vsphereVolume",
    "azureDisk",
    "photonPersistentDisk",
];

/// Labels of nodes that have other names now.
const RENAMED: [(&str, &str); 5] = [
    ("beta.kubernetes.io/arch", "kubernetes.io/arch"),
    ("beta.kubernetes.io/os", "kubernetes.io/os"),
    (
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
    ),
    (
        "failure-domain.beta.kubernetes.io/region",
        "topology.kubernetes.io/region",
    ),
    (
        "failure-domain.beta.kubernetes.io/zone",
        "topology.kubernetes.io/zone",
    ),
];

/// Checks a volume; on an update upstream checks it twice.
pub(super) fn volume(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let metadata = root.child("metadata");
    let name = metadata.child("name").text();
    let old = subject.old_root();
    let before = old.child("spec");
    spec(&root.child("spec"), &before, name, false, found);
    mount_options(&root, found);
    if subject.old.is_some() {
        spec(&root.child("spec"), &before, name, false, found);
        changed(subject, found);
    }
}

/// Checks what a volume is, and was before; `is_inline` if it stands in an attachment.
pub(in crate::validate) fn spec(
    spec: &Place<'_>,
    before: &Place<'_>,
    name: &str,
    is_inline: bool,
    found: &mut Findings,
) {
    const INLINE: &str = "may not be specified in the context of inline volumes";
    let (capacity, affinity) = (spec.child("capacity"), spec.child("nodeAffinity"));
    if is_inline {
        if spec.child("claimRef").is_set() {
            found.forbidden(&spec.child("claimRef"), INLINE);
        }
        if capacity.len() > 0 {
            found.forbidden(&capacity, INLINE);
        }
        if !spec.child("csi").is_set() {
            let why = "has to be specified in the context of inline volumes";
            found.required(&spec.child("csi"), why);
        }
    }
    let access = spec.child("accessModes");
    if access.len() == 0 {
        found.required(&access, "");
    }
    modes(&access, found);
    if !is_inline {
        amounts(&capacity, found);
    }
    let policy = spec.child("persistentVolumeReclaimPolicy");
    match (policy.text(), is_inline) {
        ("", _) | ("Retain", true) => {}
        (_, true) => {
            found.forbidden(
                &policy,
                "may only be Retain in the context of inline volumes",
            );
        }
        (text, false) if RECLAIM.contains(&text) => {}
        _ => found.not_supported(&policy, RECLAIM),
    }
    if affinity.is_set() {
        if is_inline {
            found.forbidden(&affinity, INLINE);
        } else {
            node_affinity(&affinity, &before.child("nodeAffinity"), found);
        }
    }
    sources::check(spec, name, affinity.is_set() && !is_inline, found);
    let path = spec.child("hostPath");
    let path = path.child("path").text();
    let is_root = path.starts_with('/') && sources::is_root(path);
    if is_root && policy.text() == "Recycle" {
        let why = "may not be 'recycle' for a hostPath mount of '/'";
        found.forbidden(&policy, why);
    }
    classes(spec, is_inline, found);
}

fn classes(spec: &Place<'_>, is_inline: bool, found: &mut Findings) {
    let (class, mode) = (spec.child("storageClassName"), spec.child("volumeMode"));
    if !class.text().is_empty() {
        if is_inline {
            let why = "may not be specified in the context of inline volumes";
            found.forbidden(&class, why);
        } else {
            texts::subdomain(&class, found);
        }
    }
    match (mode.str(), is_inline) {
        (None, _) | (Some("Filesystem"), true) => {}
        (_, true) => {
            let why =
                "may not specify volumeMode other than Filesystem in the context of inline volumes";
            found.forbidden(&mode, why);
        }
        (_, false) => texts::optional_choice(&mode, MODES, found),
    }
    let class = spec.child("volumeAttributesClassName");
    if class.is_set() {
        if texts::require(&class, "an empty string is disallowed", found) {
            texts::subdomain(&class, found);
        }
        if !spec.child("csi").is_set() {
            let why = "has to be specified when using volumeAttributesClassName";
            found.required(&spec.child("csi"), why);
        }
    }
}

/// Checks how a volume may be accessed.
pub(super) fn modes(modes: &Place<'_>, found: &mut Findings) {
    let (mut is_single, mut is_other) = (false, false);
    for mode in modes.items() {
        let text = mode.text();
        if !ACCESS.contains(&text) {
            // Upstream does not say which of them it is.
            found.push(Error::not_supported(modes.path(), text, ACCESS));
        } else if text == "ReadWriteOncePod" {
            is_single = true;
        } else {
            is_other = true;
        }
    }
    if is_single && is_other {
        let why = "may not use ReadWriteOncePod with other access modes";
        found.forbidden(modes, why);
    }
}

fn amounts(capacity: &Place<'_>, found: &mut Findings) {
    if capacity.len() == 0 {
        found.required(capacity, "");
    }
    if !capacity.key("storage").is_set() || capacity.len() > 1 {
        let shown = capacity.shown();
        found.push(Error::not_supported(capacity.path(), shown, &["storage"]));
    }
    for (_, amount) in capacity.entries() {
        basic(&amount, found);
        quantities::positive(&amount, found);
    }
}

/// Checks that an amount is none below zero; returns whether it is.
pub(super) fn basic(amount: &Place<'_>, found: &mut Findings) -> bool {
    let value = quantities::of(amount).map_or(0, |amount| amount.value());
    if value < 0 {
        let why = "must be a valid resource quantity";
        found.push(Error::invalid(amount.path(), value, why));
    }
    value >= 0
}

/// Checks which nodes reach a volume; values that are none of labels may stay.
fn node_affinity(affinity: &Place<'_>, before: &Place<'_>, found: &mut Findings) {
    let required = affinity.child("required");
    if !required.is_set() {
        return found.required(&required, "must specify required node constraints");
    }
    let before = before.child("required");
    let before = before.child("nodeSelectorTerms");
    let any_values = before.items().any(|term| labels::has_bad_value(&term));
    pods::scheduling::node_selector(&required, any_values, found);
}

/// Checks that a volume stays where it is; labels of nodes may be called by their new names.
fn same_nodes(affinity: &Place<'_>, before: &Place<'_>, found: &mut Findings) {
    if !before.is_set() {
        return;
    }
    let mut masked = affinity.value().cloned().unwrap_or_default();
    let old = before.value().cloned().unwrap_or_default();
    let terms = |value: &Value| -> Vec<Value> {
        let found = value.at(&["required", "nodeSelectorTerms"]);
        found.and_then(Value::as_array).unwrap_or_default().to_vec()
    };
    let old_terms = terms(&old);
    let new_terms = masked.at_mut(&["required", "nodeSelectorTerms"]);
    let new_terms = new_terms.and_then(Value::as_array_mut);
    for (new, old) in new_terms.into_iter().flatten().zip(&old_terms) {
        for list in ["matchExpressions", "matchFields"] {
            let new = new.at_mut(&[list]).and_then(Value::as_array_mut);
            let old = old.get(list).and_then(Value::as_array);
            let old = old.unwrap_or_default().iter();
            for (new, old) in new.into_iter().flatten().zip(old) {
                let text = |value: &Value| value.str_at(&["key"]).unwrap_or_default().to_owned();
                let (old, key) = (text(old), text(new));
                let known = RENAMED.iter().find(|(beta, _)| *beta == old);
                // Upstream takes no key at all for the new name of any other.
                if known.map_or("", |(_, now)| now) == key {
                    new.set_at(&["key"], Value::string(old));
                }
            }
        }
    }
    if masked != old {
        let shown = match affinity.is_set() {
            true => gostruct::of(affinity.value(), "VolumeNodeAffinity"),
            false => Value::Null,
        };
        let why = "field is immutable, except for updating from beta label to GA";
        found.push(Error::invalid(&Path::new("nodeAffinity"), &shown, why));
    }
}

fn mount_options(root: &Place<'_>, found: &mut Findings) {
    let (metadata, spec) = (root.child("metadata"), root.child("spec"));
    let annotations = metadata.child("annotations");
    let is_mounted = WITH_OPTIONS.iter().any(|kind| spec.child(kind).is_set());
    if annotations.key(MOUNT_OPTIONS).is_set() && !is_mounted {
        let path = annotations.path().child(MOUNT_OPTIONS);
        let why = "may not specify mount options for this volume type";
        found.push(Error::forbidden(&path, why));
    }
}

fn changed(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, old) = (root.child("spec"), old.child("spec"));
    let mut now = gostruct::of(spec.value(), "PersistentVolumeSource");
    let before = gostruct::of(old.value(), "PersistentVolumeSource");
    let expand = ["CSI", "ControllerExpandSecretRef"];
    let is_null = |value: &Value, path: &[&str]| value.at(path).is_none_or(Value::is_null);
    // The secret for expanding may be added later.
    if !is_null(&before, &expand[..1]) && !is_null(&now, &expand[..1]) && is_null(&before, &expand)
    {
        now.set_at(&expand, Value::Null);
    }
    if now != before {
        let path = spec.path().child("persistentvolumesource");
        let diff = difference(&before, &now);
        let why = format!("spec.persistentvolumesource is immutable after creation\n{diff}");
        found.push(Error::forbidden(&path, why));
    }
    let mode = spec.child("volumeMode");
    if !mode.is_same(&old.child("volumeMode")) {
        let path = Path::new("volumeMode");
        found.push(Error::invalid(&path, mode.shown(), changes::IMMUTABLE));
    }
    same_nodes(
        &spec.child("nodeAffinity"),
        &old.child("nodeAffinity"),
        found,
    );
    let class = spec.child("volumeAttributesClassName");
    if !class.is_set() && old.child("volumeAttributesClassName").is_set() {
        found.forbidden(&class, "update from non-nil value to nil is forbidden");
    }
}

/// Checks a reference to a secret of a volume.
pub(super) fn secret(secret: &Place<'_>, found: &mut Findings) {
    if !secret.is_set() {
        return;
    }
    texts::required_subdomain(&secret.child("name"), found);
    texts::required_label(&secret.child("namespace"), found);
}

/// Checks the name of a storage driver.
pub(in crate::validate) fn driver(driver: &Place<'_>, found: &mut Findings) {
    let text = driver.text();
    if !texts::require(driver, "", found) {
        return;
    }
    if text.len() > 63 {
        found.push(Error::too_long(driver.path(), 63));
    }
    found.each_invalid_text(driver, validate::dns1123_subdomain(&text.to_lowercase()));
}
