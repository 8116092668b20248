//! What is wrong with pods, and with everything that pods are made of.
//!
//! A pod's spec is checked in [`spec`], from there its parts each in a file of their own; what may
//! change of a pod stands in `updates`, what a kubelet may say in `status`. Templates of pods stand
//! in many kinds: their checks begin at [`template`].
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go and
//! pkg/registry/core/pod/strategy.go.

mod annotations;
mod containers;
pub(super) mod controllers;
mod environment;
mod mounts;
mod probes;
pub(super) mod projected;
mod resources;
mod rules;
pub(super) mod scheduling;
mod security;
mod spec;
mod status;
mod updates;
pub(super) mod volumes;
mod windows;

use api::{
    meta::check::{self, Scope},
    names::validate::NameRule,
};

use rules::Rules;

use super::{Check, Findings, Place, Subject, gostruct, labels, numbers};

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    Some(match (kind, door) {
        ("Pod", "") => pod,
        ("Pod", "status") => status::check,
        ("Pod", "ephemeralcontainers") => updates::ephemeral_containers,
        ("Pod", "resize") => updates::resize,
        ("PodTemplate", "") => pod_template,
        ("ReplicationController", "" | "scale") => controllers::controller,
        ("ReplicationController", "status") => controllers::status,
        _ => return None,
    })
}

fn pod(subject: &Subject<'_>, found: &mut Findings) {
    if subject.old.is_some() {
        return updates::pod(subject, found);
    }
    let root = subject.root();
    labels::finalizers(&root, found);
    metadata_and_spec(&root, Rules::pod(), found);
    let spec = root.child("spec");
    let added = spec.child("ephemeralContainers");
    if added.len() > 0 {
        found.forbidden(&added, "cannot be set on create");
    }
    let node = spec.child("nodeName");
    if !node.text().is_empty() && !spec.list_of("schedulingGates").is_empty() {
        let why = "cannot be set until all schedulingGates have been cleared";
        found.forbidden(&node, why);
    }
    let metadata = root.child("metadata");
    annotations::profiles(&metadata.child("annotations"), &spec, found);
}

/// What holds of a pod whenever it is written, besides what holds of all metadata.
fn metadata_and_spec(root: &Place<'_>, rules: Rules, found: &mut Findings) {
    let (metadata, spec) = (root.child("metadata"), root.child("spec"));
    let annotations = metadata.child("annotations");
    annotations::annotations(&annotations, &spec, rules, found);
    spec::check(&spec, rules, Some(&metadata), found);
    if spec.text_of("serviceAccountName").is_empty() {
        for volume in spec.child("volumes").items() {
            let projected = volume.child("projected");
            for source in projected.child("sources").items() {
                let token = source.child("serviceAccountToken");
                if token.is_set() {
                    let why = "must not be specified when serviceAccountName is not set";
                    found.forbidden(&token, why);
                }
            }
        }
    }
    numbers::non_negative(&spec.child("terminationGracePeriodSeconds"), found);
    for list in ["containers", "initContainers"] {
        for container in spec.child(list).items() {
            containers::padded_image(&container, found);
        }
    }
}

/// The metadata of an object are checked as those of a new one, besides as those of a changed one.
pub(super) fn metadata_again(root: &Place<'_>, found: &mut Findings) {
    let metadata = root.child("metadata");
    if let Some(object) = root.value() {
        let errors = check::create(
            object,
            Scope::Namespaced,
            NameRule::Subdomain,
            metadata.path(),
        );
        for error in errors {
            found.push(error);
        }
    }
    labels::finalizers(root, found);
}

/// Checks what pods of a runtime class cost beyond their containers.
pub(super) fn overhead(place: &Place<'_>, found: &mut Findings) {
    resources::overhead(place, Rules::template(), found);
}

/// Checks which taints pods of a runtime class tolerate.
pub(super) fn tolerations(list: &Place<'_>, found: &mut Findings) {
    scheduling::tolerations(list, Rules::template(), found);
}

fn pod_template(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    labels::finalizers(&root, found);
    template(&root.child("template"), &old.child("template"), found);
}

/// Checks a template of pods, which changes from an old one where there is one.
pub(super) fn template(template: &Place<'_>, old: &Place<'_>, found: &mut Findings) {
    let spec = template.child("spec");
    template_metadata(template, old, found);
    spec::check(&spec, template_rules(old), None, found);
    let metadata = template.child("metadata");
    annotations::profiles(&metadata.child("annotations"), &spec, found);
    let added = spec.child("ephemeralContainers");
    if added.len() > 0 {
        found.forbidden(&added, "ephemeral containers not allowed in pod template");
    }
}

fn template_rules(old: &Place<'_>) -> Rules {
    let metadata = old.child("metadata");
    Rules::template().since(&old.child("spec"), &metadata.child("annotations"))
}

/// Checks the labels and annotations of a template.
pub(super) fn template_metadata(template: &Place<'_>, old: &Place<'_>, found: &mut Findings) {
    let (spec, metadata) = (template.child("spec"), template.child("metadata"));
    // The paths of these errors are upstream's: those of the template, not of its metadata.
    let beside =
        |field: &'static str| Place::new(metadata.get(field), template.path().child(field));
    labels::labels(&beside("labels"), found);
    labels::annotations(&beside("annotations"), found);
    annotations::annotations(&beside("annotations"), &spec, template_rules(old), found);
}

/// Checks the template of a claim in an ephemeral volume.
fn claim_template(template: &Place<'_>, found: &mut Findings) {
    let metadata = template.child("metadata");
    labels::annotations(&metadata.child("annotations"), found);
    labels::labels(&metadata.child("labels"), found);
    let fields = metadata.value().and_then(api::Value::as_object);
    for (field, value) in fields.into_iter().flat_map(api::Object::iter) {
        if !matches!(field, "annotations" | "labels") && !value.is_null() {
            found.forbidden(&metadata.child(field), "cannot be set");
        }
    }
}
