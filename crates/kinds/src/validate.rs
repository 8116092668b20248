//! What is wrong with a built-in object beyond its shape.
//!
//! One file per group, each with its own `of`, which names the check of a kind behind one of its
//! doors (the object itself, or a subresource). A check is a function of a [`Subject`], which says
//! what it finds to [`Findings`]; on an update the old object is there and what may not change is
//! compared. Rules that several groups share stand in files named after what they are about.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/*/validation and the `+k8s:` rules of its types;
//! order and words of errors are upstream's. `conformance/differential/rules` holds the proof.

pub(crate) mod addresses;
mod admission;
mod apiregistration;
mod apps;
mod autoscaling;
mod batch;
mod certificates;
mod changes;
mod conditions;
mod coordination;
mod core_group;
mod difference;
mod discovery;
mod events;
mod flowcontrol;
mod gostruct;
mod labels;
mod networking;
mod node;
mod numbers;
mod place;
mod pods;
mod policy;
pub(crate) mod quantities;
mod rbac;
mod resource;
mod scheduling;
mod storage;
mod storagemigration;
mod tags;
mod texts;

pub(crate) use addresses::wrong as wrong_address;
pub(crate) use admission::STATIC_SUFFIX;
pub(crate) use core_group::decoded;
pub(crate) use place::{Findings, Place, Seen, Subject};

/// Checks one object.
pub(crate) type Check = fn(&Subject<'_>, &mut Findings);

/// Returns the check of a kind behind a door, which is empty for the object itself.
pub(crate) fn of(group: &str, kind: &str, door: &str) -> Option<Check> {
    match group {
        "" => pods::of(kind, door)
            .or_else(|| core_group::of(kind, door))
            .or_else(|| events::of(kind, door)),
        "admissionregistration.k8s.io" => admission::of(kind, door),
        "apiregistration.k8s.io" => apiregistration::of(kind, door),
        "apps" => apps::of(kind, door),
        "autoscaling" => autoscaling::of(kind, door),
        "batch" => batch::of(kind, door),
        "certificates.k8s.io" => certificates::of(kind, door),
        "coordination.k8s.io" => coordination::of(kind, door),
        "discovery.k8s.io" => discovery::of(kind, door),
        "events.k8s.io" => events::of(kind, door),
        "flowcontrol.apiserver.k8s.io" => flowcontrol::of(kind, door),
        "networking.k8s.io" => networking::of(kind, door),
        "node.k8s.io" => node::of(kind, door),
        "policy" => policy::of(kind, door),
        "rbac.authorization.k8s.io" => rbac::of(kind, door),
        "resource.k8s.io" => resource::of(kind, door),
        "scheduling.k8s.io" => scheduling::of(kind, door),
        "storage.k8s.io" => storage::of(kind, door),
        "storagemigration.k8s.io" => storagemigration::of(kind, door),
        _ => None,
    }
}

/// Holds what the check of a kind (group, kind, door) finds, printed, against what is expected.
#[cfg(test)]
#[track_caller]
fn check_table(of: (&str, &str, &str), object: &str, old: Option<&str>, expected: &[&str]) {
    use api::{GroupVersion, Value, json, time};

    let read = |text: &str| -> Value { json::read(text.as_bytes()).expect("it is JSON").value };
    let check = self::of(of.0, of.1, of.2).expect("it has a check");
    let (object, old) = (read(object), old.map(read));
    let subject = Subject {
        object: &object,
        old: old.as_ref(),
        occasion: schema::Occasion {
            now: time::parse("2026-01-01T00:00:00Z").expect("it is a time"),
            group_version: &GroupVersion::new(of.0, "v1"),
            asked: &GroupVersion::new(of.0, "v1"),
            subresource: of.2,
            asker: schema::Asker::NOBODY,
        },
    };
    let mut found = Findings::default();
    check(&subject, &mut found);
    let found: Vec<String> = found.errors().iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}
