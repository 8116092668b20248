//! How the versions of a kind become one another, for the kinds whose fields differ.
//!
//! Only Events (core and `events.k8s.io`) and autoscalers (1 and 2) have such versions. Objects
//! come in normal form; what leaves is brought into normal form by the shape of its new version,
//! so the order of fields does not matter here.

pub(crate) mod autoscalers;
mod events;

use api::{GroupVersion, Value};

/// Turns an object into one of the version that is asked for.
pub(crate) type Convert = fn(&mut Value, &GroupVersion);

/// Returns the function that converts objects of a kind.
pub(crate) fn of(group: &str, kind: &str) -> Option<Convert> {
    match (group, kind) {
        ("" | "events.k8s.io", "Event") => Some(events::convert),
        ("autoscaling", "HorizontalPodAutoscaler") => Some(autoscalers::convert),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
