//! Volumes, claims and their classes.
//!
//! Source: pkg/apis/core/v1/defaults.go, pkg/apis/storage/v1/defaults.go.

use schema::Occasion;

use super::{Fields, Given, Rule, Table};

const PENDING: Rule = Rule::Set("phase", Given::Text("Pending"));

pub(super) const TABLE: Table = &[
    ("core.v1.PersistentVolume", &[Rule::Call(volume)]),
    ("core.v1.PersistentVolumeSpec", &[Rule::Round("capacity")]),
    ("core.v1.PersistentVolumeStatus", &[PENDING]),
    (
        "core.v1.PersistentVolumeClaimSpec",
        &[Rule::Set("volumeMode", Given::Text("Filesystem"))],
    ),
    (
        "core.v1.PersistentVolumeClaimStatus",
        &[
            PENDING,
            Rule::Round("capacity"),
            Rule::Round("allocatedResources"),
        ],
    ),
    (
        "core.v1.VolumeResourceRequirements",
        &[Rule::Round("limits"), Rule::Round("requests")],
    ),
    (
        "storage.v1.StorageClass",
        &[
            Rule::Set("reclaimPolicy", Given::Text("Delete")),
            Rule::Set("volumeBindingMode", Given::Text("Immediate")),
        ],
    ),
    (
        "storage.v1.CSIDriverSpec",
        &[
            Rule::Set("attachRequired", Given::Flag(true)),
            Rule::Set("podInfoOnMount", Given::Flag(false)),
            Rule::Set("storageCapacity", Given::Flag(false)),
            Rule::Set("fsGroupPolicy", Given::Text("ReadWriteOnceWithFSType")),
            Rule::Set("volumeLifecycleModes", Given::Listed("Persistent")),
            Rule::Set("requiresRepublish", Given::Flag(false)),
            Rule::Set("seLinuxMount", Given::Flag(false)),
            Rule::Set("preventPodSchedulingIfMissing", Given::Flag(false)),
        ],
    ),
];

/// A volume's own, which the volume inside an attachment does not get.
fn volume(volume: &mut Fields<'_>, _: Occasion<'_>) {
    let Some(spec) = volume.get_mut("spec") else {
        return;
    };
    let spec = spec.make_object();
    for (name, value) in [
        ("persistentVolumeReclaimPolicy", "Retain"),
        ("volumeMode", "Filesystem"),
    ] {
        if !spec.contains(name) {
            spec.insert(name, value.into());
        }
    }
}
