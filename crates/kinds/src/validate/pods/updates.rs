//! What may change of a pod, through each of its doors.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go.

use api::{
    Object, Quantity, Value,
    field::{Error, Path},
};

use super::{
    annotations::{self, MIRROR},
    containers, gostruct, metadata_again, metadata_and_spec,
    rules::Rules,
    scheduling,
};
use crate::{
    prepare::quality,
    validate::{
        Findings, Place, Subject, changes::IMMUTABLE, difference::difference, labels, numbers,
    },
};

const UPDATABLE: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// A pod before and after a change.
struct Change<'a> {
    root: Place<'a>,
    old: Place<'a>,
    rules: Rules,
}

impl<'a> Change<'a> {
    fn of(subject: &Subject<'a>) -> Self {
        let (root, old) = (subject.root(), subject.old_root());
        let rules = {
            let (spec, metadata) = (old.child("spec"), old.child("metadata"));
            Rules::pod().since(&spec, &metadata.child("annotations"))
        };
        Self { root, old, rules }
    }

    /// What holds of a pod whatever changes.
    fn common(&self, found: &mut Findings) {
        labels::finalizers(&self.root, found);
        metadata_again(&self.root, found);
        metadata_and_spec(&self.root, self.rules, found);
    }

    /// What may change of annotations.
    fn annotations(&self, found: &mut Findings) {
        let (metadata, old) = (self.root.child("metadata"), self.old.child("metadata"));
        let (new, old) = (metadata.child("annotations"), old.child("annotations"));
        annotations::changes(&new, &old, &self.root.child("spec"), self.rules, found);
    }

    fn is_mirror(&self) -> bool {
        let metadata = self.old.child("metadata");
        metadata.child("annotations").has(MIRROR)
    }
}

/// Checks a change of a pod itself.
pub(super) fn pod(subject: &Subject<'_>, found: &mut Findings) {
    let change = Change::of(subject);
    change.common(found);
    change.annotations(found);
    let (spec, old) = (change.root.child("spec"), change.old.child("spec"));
    for list in ["containers", "initContainers"] {
        let containers = spec.child(list);
        if containers.len() != old.list_of(list).len() {
            let why = "pod updates may not add or remove containers";
            return found.forbidden(&containers, why);
        }
        for container in containers.items() {
            if container.text_of("image").is_empty() {
                found.required(&container.child("image"), "");
            }
            containers::padded_image(&container, found);
        }
    }
    if deadline(&spec, &old, found) {
        return;
    }
    let tolerations = spec.child("tolerations");
    let before = old.list_of("tolerations");
    scheduling::added_tolerations(&tolerations, before, change.rules, found);
    gates(&spec, &old, found);
    if spec.value() == old.value() {
        return;
    }
    let (Some(new_value), Some(old_value)) = (spec.value(), old.value()) else {
        return;
    };
    let mut left = changed_otherwise(new_value, old_value);
    if !old.list_of("schedulingGates").is_empty() {
        gated(&spec, &old, &mut left, found);
    }
    if &left != old_value {
        let why = format!(
            "pod updates may not change fields other than {UPDATABLE}\n{}",
            difference(
                &gostruct::of(Some(old_value), "PodSpec"),
                &gostruct::of(Some(&left), "PodSpec")
            )
        );
        found.forbidden(&spec, &why);
    }
}

/// A deadline may be set and may come sooner. Says whether nothing else is to be looked at.
fn deadline(spec: &Place<'_>, old: &Place<'_>, found: &mut Findings) -> bool {
    let place = spec.child("activeDeadlineSeconds");
    let before = old.int_of("activeDeadlineSeconds");
    match (place.int(), before) {
        (Some(seconds), _) if !(0..=i64::from(i32::MAX)).contains(&seconds) => {
            numbers::within(&place, 0, i64::from(i32::MAX), found);
            true
        }
        (Some(seconds), Some(before)) if before < seconds => {
            found.invalid(&place, "must be less than or equal to previous value");
            true
        }
        (None, Some(_)) => {
            let why = "must not update from a positive integer to nil value";
            found.invalid(&place, why);
            false
        }
        _ => false,
    }
}

/// Gates are only opened.
fn gates(spec: &Place<'_>, old: &Place<'_>, found: &mut Findings) {
    let name = |gate: &Value| gate.str_at(&["name"]).unwrap_or_default().to_owned();
    let before: Vec<String> = old.list_of("schedulingGates").iter().map(name).collect();
    for gate in spec.child("schedulingGates").items() {
        let own = gate.text_of("name");
        if !before.iter().any(|before| before == own) {
            let why = format!("only deletion is allowed, but found new scheduling gate '{own}'");
            found.forbidden(&gate.child("name"), &why);
        }
    }
}

/// Returns the new spec with everything made what it was that may change.
fn changed_otherwise(new: &Value, old: &Value) -> Value {
    let mut left = new.clone();
    for list in ["containers", "initContainers"] {
        let before = old.get(list).and_then(Value::as_array).unwrap_or_default();
        let own = left.get_mut(list).and_then(Value::as_array_mut);
        for (own, before) in own.into_iter().flatten().zip(before) {
            keep(own, before, "image");
        }
    }
    for field in ["activeDeadlineSeconds", "schedulingGates", "tolerations"] {
        keep(&mut left, old, field);
    }
    const GRACE: &str = "terminationGracePeriodSeconds";
    let grace = |spec: &Value| spec.get(GRACE).and_then(Value::as_int);
    if grace(old).is_some_and(|grace| grace < 0) && grace(new) == Some(1) {
        keep(&mut left, old, GRACE);
    }
    left
}

/// Makes a field what it was, at the place where it stood.
fn keep(own: &mut Value, before: &Value, field: &str) {
    let Value::Object(object) = own else {
        return;
    };
    let Some(value) = before.get(field) else {
        object.remove(field);
        return;
    };
    if let Some(place) = object.get_mut(field) {
        *place = value.clone();
        return;
    }
    // Fields stand in the order of their struct: those of the old object that come before it do
    // so here.
    let order: Vec<&str> = before
        .as_object()
        .map(|before| before.iter().map(|(name, _)| name).collect())
        .unwrap_or_default();
    let own_place = order.iter().position(|name| *name == field);
    let fields = object.fields_mut();
    let is_before = |name: &str| order.iter().position(|known| *known == name) < own_place;
    let at = fields
        .iter()
        .rposition(|(name, _)| order.contains(&name.as_str()) && is_before(name))
        .map_or(0, |at| at + 1);
    fields.insert(at, (api::Text::new(field), value.clone()));
}

/// While a pod waits at its gates it may say more closely where it wants to run.
fn gated(spec: &Place<'_>, old: &Place<'_>, left: &mut Value, found: &mut Findings) {
    let (new_map, old_map) = (spec.child("nodeSelector"), old.child("nodeSelector"));
    if new_map.value() != old_map.value() {
        let old_map = old.child("nodeSelector");
        if !labels::covers(&new_map, &old_map) {
            let why = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
            found.invalid(&new_map, why);
        }
        keep(left, old.value().unwrap_or(&Value::Null), "nodeSelector");
    }
    let (affinity, old_affinity) = (spec.child("affinity"), old.child("affinity"));
    let (nodes, old_nodes) = (
        affinity.child("nodeAffinity"),
        old_affinity.child("nodeAffinity"),
    );
    if nodes.value() == old_nodes.value() {
        return;
    }
    node_affinity(&nodes, &old_nodes, found);
    let before = old.value().unwrap_or(&Value::Null);
    match (left.get_mut("affinity"), old_affinity.value()) {
        (None, _) => {
            if let Some(nodes) = old_nodes.value() {
                let mut made = Object::default();
                made.insert("nodeAffinity", nodes.clone());
                if old_affinity.len() == 1 {
                    keep(left, before, "affinity");
                } else {
                    left.set_at(&["affinity"], made.into());
                }
            }
        }
        (Some(own), None) if own.as_object().is_none_or(|own| own.len() == 1) => {
            left.remove_at(&["affinity"]);
        }
        (Some(own), Some(old)) => keep(own, old, "nodeAffinity"),
        (Some(own), None) => {
            own.remove_at(&["nodeAffinity"]);
        }
    }
}

fn node_affinity(nodes: &Place<'_>, old: &Place<'_>, found: &mut Findings) {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    if !old.has(REQUIRED) {
        return;
    }
    let (required, old) = (nodes.child(REQUIRED), old.child(REQUIRED));
    let terms = required.child("nodeSelectorTerms");
    let old_terms = old.list_of("nodeSelectorTerms");
    if !old_terms.is_empty() && old_terms.len() != terms.len() {
        let shown = gostruct::shown_list(&terms, "NodeSelectorTerm");
        let why = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
        return found.push(Error::invalid(terms.path(), shown, why));
    }
    for (term, old) in terms.items().zip(old_terms) {
        if !only_adds(&term, old) {
            let shown = gostruct::shown(&term, "NodeSelectorTerm");
            let why = "only additions are allowed (no mutations or deletions)";
            found.push(Error::invalid(term.path(), shown, why));
        }
    }
}

/// Whether a term begins with all that it had; one that had nothing, selects nothing.
fn only_adds(term: &Place<'_>, old: &Value) -> bool {
    let lists = ["matchExpressions", "matchFields"];
    let before = |list: &str| old.get(list).and_then(Value::as_array).unwrap_or_default();
    if lists.iter().all(|list| before(list).is_empty()) {
        return lists.iter().all(|list| term.list_of(list).is_empty());
    }
    lists
        .iter()
        .all(|list| term.list_of(list).starts_with(before(list)))
}

/// Checks the containers that are added to look into a pod.
pub(super) fn ephemeral_containers(subject: &Subject<'_>, found: &mut Findings) {
    let change = Change::of(subject);
    if change.is_mirror() {
        let why = "static pods do not support ephemeral containers";
        return found.push(Error::forbidden(&Path::new(""), why));
    }
    change.common(found);
    change.annotations(found);
    let (spec, old) = (change.root.child("spec"), change.old.child("spec"));
    let list = spec.child("ephemeralContainers");
    let name = |one: &Value| one.str_at(&["name"]).unwrap_or_default().to_owned();
    for before in old.list_of("ephemeralContainers") {
        let own = name(before);
        let quoted = api::quote::quote(&own);
        // Of several with a name the last counts.
        match list.list().iter().rev().find(|one| name(one) == own) {
            None => {
                let why = format!("existing ephemeral containers {quoted} may not be removed\n");
                found.forbidden(&list, &why);
            }
            Some(one) if one != before => {
                let why = format!(
                    "existing ephemeral containers {quoted} may not be changed\n{}",
                    difference(
                        &gostruct::of(Some(before), "EphemeralContainer"),
                        &gostruct::of(Some(one), "EphemeralContainer")
                    )
                );
                found.forbidden(&list, &why);
            }
            Some(_) => {}
        }
    }
}

/// Checks a change of what a pod's containers may use.
pub(super) fn resize(subject: &Subject<'_>, found: &mut Findings) {
    let change = Change::of(subject);
    let (spec, old) = (change.root.child("spec"), change.old.child("spec"));
    let refuse = |why: &str| Error::forbidden(&Path::new(""), why);
    if change.is_mirror() {
        return found.push(refuse("static pods cannot be resized"));
    }
    if old.child("os").text_of("name") == "windows" {
        return found.push(refuse("windows pods cannot be resized"));
    }
    change.common(found);
    let (Some(pod), Some(old_pod)) = (change.root.value(), change.old.value()) else {
        return;
    };
    let class = old_pod.str_at(&["status", "qosClass"]);
    if class.unwrap_or_else(|| quality(old_pod)) != quality(pod) {
        let class = pod.str_at(&["status", "qosClass"]).unwrap_or_default();
        let why = "Pod QOS Class may not change as a result of resizing";
        found.push(Error::invalid(spec.path(), class, why));
    }
    if !is_resizable(old_pod) {
        found.forbidden(&spec, "Pod running on node without support for resize");
    }
    let has_whole = |spec: &Place<'_>| {
        let whole = spec.child("resources");
        whole.child("requests").len() + whole.child("limits").len() > 0
    };
    if has_whole(&spec) || has_whole(&old) {
        whole(&spec, &old, found);
    }
    if !same_containers(&spec, &old, found) {
        return;
    }
    for (list, old_list) in [
        (spec.child("initContainers"), old.list_of("initContainers")),
        (spec.child("containers"), old.list_of("containers")),
    ] {
        for (container, before) in list.items().zip(old_list) {
            let resources = container.child("resources");
            let before = before.get("resources");
            not_removed(
                &resources,
                before,
                ["resource requests", "resource limits"],
                found,
            );
        }
    }
    others_stay(&spec, &old, found);
}

fn is_resizable(pod: &Value) -> bool {
    let statuses = pod
        .at(&["status", "containerStatuses"])
        .and_then(Value::as_array);
    let mut statuses = statuses.unwrap_or_default().iter();
    let running = statuses.find(|status| status.at(&["state", "running"]).is_some());
    running.is_none_or(|status| status.get("resources").is_some())
}

/// Requests and limits are not taken back.
fn not_removed(
    resources: &Place<'_>,
    before: Option<&Value>,
    called: [&str; 2],
    found: &mut Findings,
) {
    for (side, called) in ["requests", "limits"].into_iter().zip(called) {
        let list = resources.child(side);
        let before = before.and_then(|before| before.get(side)?.as_object());
        let mut names = before.into_iter().flat_map(|before| before.iter());
        if names.any(|(name, _)| !list.has(name)) {
            found.forbidden(&list, &format!("{called} cannot be removed"));
        }
    }
}

/// Checks the resources of the pod as a whole.
fn whole(spec: &Place<'_>, old: &Place<'_>, found: &mut Findings) {
    let resources = spec.child("resources");
    let before = old.get("resources");
    if before.is_some() && !resources.is_set() {
        return found.forbidden(&resources, "pod-level resources cannot be removed");
    }
    let called = ["pod-level resource requests", "pod-level resource limits"];
    not_removed(&resources, before, called, found);
    if !same_but_compute(resources.value(), before) {
        found.forbidden(
            spec,
            "only cpu and memory resources are mutable at pod-level",
        );
    }
}

/// Whether resources are what they were but for processors and memory.
fn same_but_compute(new: Option<&Value>, old: Option<&Value>) -> bool {
    let others = |resources: Option<&Value>, side: &str| -> Vec<(String, Option<Quantity>)> {
        let list = resources.and_then(|resources| resources.get(side)?.as_object());
        let list = list.into_iter().flat_map(|list| list.iter());
        let others = list.filter(|(name, _)| !matches!(*name, "cpu" | "memory"));
        others
            .map(|(name, amount)| (name.to_owned(), Quantity::from_value(amount).ok()))
            .collect()
    };
    let claims = |resources: Option<&Value>| resources.and_then(|one| one.get("claims")).cloned();
    claims(new) == claims(old)
        && ["requests", "limits"].into_iter().all(|side| {
            let (new, old) = (others(new, side), others(old, side));
            new.len() == old.len()
                && new.iter().all(|(name, amount)| {
                    old.iter().any(|(other, before)| {
                        let is_same = match (amount, before) {
                            (Some(amount), Some(before)) => amount.compare(before).is_eq(),
                            _ => false,
                        };
                        other == name && is_same
                    })
                })
        })
}

/// Containers are neither added nor removed, and stay in their order.
fn same_containers(spec: &Place<'_>, old: &Place<'_>, found: &mut Findings) -> bool {
    let before = found.len();
    for list in ["containers", "initContainers"] {
        let containers = spec.child(list);
        let old_list = old.list_of(list);
        if containers.len() != old_list.len() {
            let why = format!("{list} may not be added or removed on resize");
            found.forbidden(&containers, &why);
            continue;
        }
        for (container, old) in containers.items().zip(old_list) {
            if container.text_of("name") != old.str_at(&["name"]).unwrap_or_default() {
                let why = format!("{list} may not be renamed or reordered on resize");
                found.forbidden(&container.child("name"), &why);
            }
        }
    }
    found.len() == before
}

/// Nothing changes but processors and memory.
fn others_stay(spec: &Place<'_>, old: &Place<'_>, found: &mut Findings) {
    let is_same = |new: &Value, old: &Value| {
        let without = |value: &Value| {
            let mut value = value.clone();
            value.remove_at(&["resources"]);
            value
        };
        without(new) == without(old) && same_but_compute(new.get("resources"), old.get("resources"))
    };
    for (new, old) in spec
        .list_of("containers")
        .iter()
        .zip(old.list_of("containers"))
    {
        if !is_same(new, old) {
            found.forbidden(spec, "only cpu and memory resources are mutable");
        }
    }
    let list = spec.child("initContainers");
    let old_list = old.list_of("initContainers");
    for ((place, new), old) in list.items().zip(list.list()).zip(old_list) {
        if !is_same(new, old) {
            let why = "only cpu and memory resources for init or sidecar containers are mutable";
            found.forbidden(&place, why);
        }
        let policies = place.list_of("resizePolicy").iter();
        let mut restarts =
            policies.filter(|one| one.str_at(&["restartPolicy"]) == Some("RestartContainer"));
        if new != old && !containers::is_sidecar(new) && restarts.next().is_some() {
            let why = "non-sidecar init containers with a resize policy of RestartContainer cannot be resized";
            found.forbidden(&place, why);
        }
    }
    let volumes = spec.child("volumes");
    if volumes.list() != old.list_of("volumes") {
        let why = "volumes are immutable on resize when InPlacePodVerticalScalingMemoryBackedVolumes feature gate is disabled";
        found.forbidden(&volumes, why);
    }
}

/// What upstream says of a field that may not change; kept here for the status of pods.
pub(super) fn immutable_text(place: &Place<'_>, old: &str, found: &mut Findings) {
    if place.text() != old {
        found.invalid_text(place, IMMUTABLE);
    }
}
