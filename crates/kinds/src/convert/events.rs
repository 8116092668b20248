//! Events: the same facts under two sets of names.

use api::{GroupVersion, Text, Value};

/// Names in the core group, and in `events.k8s.io`.
const NAMES: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

pub(super) fn convert(event: &mut Value, to: &GroupVersion) {
    let to_core = to.group.is_empty();
    let fields = event.make_object();
    for (name, _) in fields.fields_mut() {
        let renamed = NAMES.iter().find_map(|(core, other)| match to_core {
            true if name == other => Some(core),
            false if name == core => Some(other),
            _ => None,
        });
        if let Some(renamed) = renamed {
            *name = Text::from(*renamed);
        }
    }
    event.set_at(&["apiVersion"], Value::string(to.to_string()));
}
