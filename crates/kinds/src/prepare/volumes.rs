//! What the server sets on volumes and claims.

use api::{Value, time};
use schema::Occasion;

/// Sets what a new claim begins with.
pub(super) fn begin_claim(claim: &mut Value) {
    drop_odd_source(claim);
    mirror_source(claim);
}

/// Sets what a claim keeps when it changes.
pub(super) fn update_claim(claim: &mut Value, old: &Value) {
    let has = |field: &str| old.at(&["spec", field]).is_some();
    if !has("dataSource") && !has("dataSourceRef") {
        drop_odd_source(claim);
    }
    mirror_source(claim);
}

/// Drops the old field of a source if it holds what was never allowed there, as upstream always did.
fn drop_odd_source(claim: &mut Value) {
    if claim.at(&["spec", "dataSourceRef"]).is_some() {
        return;
    }
    let Some(source) = claim.at(&["spec", "dataSource"]) else {
        return;
    };
    let group = source.str_at(&["apiGroup"]).unwrap_or_default();
    let kind = source.str_at(&["kind"]).unwrap_or_default();
    let is_known = matches!(
        (group, kind),
        ("", "PersistentVolumeClaim") | ("snapshot.storage.k8s.io", "VolumeSnapshot")
    );
    if !is_known {
        claim.remove_at(&["spec", "dataSource"]);
    }
}

/// Keeps the old and the new field of a source alike, where the old one can say it.
fn mirror_source(claim: &mut Value) {
    let of = |field: &str| claim.at(&["spec", field]).cloned();
    match (of("dataSource"), of("dataSourceRef")) {
        (Some(source), None) => claim.set_at(&["spec", "dataSourceRef"], source),
        (None, Some(mut source)) => {
            let namespace = source.remove_at(&["namespace"]);
            let is_own = namespace.is_none_or(|name| name.as_str().is_none_or(str::is_empty));
            if is_own {
                claim.set_at(&["spec", "dataSource"], source);
            }
        }
        _ => {}
    }
}

/// Says since when a volume is in its phase.
pub(super) fn stamp_phase(volume: &mut Value, old: &Value, occasion: Occasion<'_>) {
    let path = ["status", "lastPhaseTransitionTime"];
    let same_phase = volume.at(&["status", "phase"]) == old.at(&["status", "phase"]);
    let given = volume.at(&path);
    if same_phase && given.is_none() {
        if let Some(since) = old.at(&path).cloned() {
            volume.set_at(&path, since);
        }
    } else if !same_phase && (given.is_none() || given == old.at(&path)) {
        volume.set_at(&path, time::to_value(occasion.now));
    }
}
