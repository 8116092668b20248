//! What is wrong with storage classes, CSI drivers and attachments.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/storage/validation/validation.go and the rules of
//! its types.

use api::{
    Value,
    field::{Error, Shown},
    meta::check,
    names::validate as names,
};

use super::{
    Check, Findings, Place, Subject, conditions, gostruct,
    tags::{Change, caseless_subdomain, same},
};

const PARAMETERS_BYTES_MAX: usize = 256 * 1024;
const PARAMETERS_COUNT_MAX: usize = 512;
const METADATA_BYTES_MAX: usize = 256 * 1024;
const ERROR_LEN_MAX: usize = 1024;
const NODE_ID_LEN_MAX: usize = 256;
const DRIVER_LEN_MAX: usize = 63;
const HEALTH_CONDITIONS_MAX: usize = 16;

const ACCESS_MODES: [&str; 4] = [
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];

/// Kinds of volumes besides CSI ones.
const SOURCES: [&str; 21] = [
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "glusterfs",
    "hostPath",
    "iscsi",
    "local",
    "nfs",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
];

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    match (kind, door) {
        ("StorageClass", "") => Some(class),
        ("VolumeAttributesClass", "") => Some(attributes_class),
        ("VolumeAttachment", "" | "status") => Some(attachment),
        ("CSIDriver", "") => Some(driver),
        ("CSINode", "") => Some(node),
        ("CSINode", "status") => Some(node_status),
        ("CSIStorageCapacity", "") => Some(capacity),
        _ => None,
    }
}

fn class(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let provisioner = root.child("provisioner");
    if !provisioner.text().is_empty() {
        lowercase_name(&provisioner, found);
    }
    parameters(&root.child("parameters"), found);
    let policy = root.child("reclaimPolicy");
    if !matches!(policy.text(), "" | "Delete" | "Retain") {
        found.not_supported(&policy, &["Delete", "Retain"]);
    }
    let mode = root.child("volumeBindingMode");
    if !mode.is_set() {
        found.required(&mode, "");
    } else if !matches!(mode.text(), "Immediate" | "WaitForFirstConsumer") {
        found.not_supported(&mode, &["Immediate", "WaitForFirstConsumer"]);
    }
    topologies(&root.child("allowedTopologies"), found);

    let whole = Change::of(subject);
    let name = whole.child("provisioner");
    if name.is_kept() && provisioner.text().is_empty() {
        found.required(&provisioner, "");
    }
    name.required(found);
    for field in [
        "provisioner",
        "parameters",
        "reclaimPolicy",
        "volumeBindingMode",
    ] {
        whole.child(field).immutable(found);
    }
}

fn attributes_class(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let fields = [
        ("driverName", "updates to driverName are forbidden."),
        ("parameters", "updates to parameters are forbidden."),
    ];
    for (name, detail) in fields {
        let place = root.child(name);
        if subject.old.is_some() && !same(&place, &old.child(name)) {
            found.forbidden(&place, detail);
        }
    }
    let driver = root.child("driverName");
    if driver.text().is_empty() {
        found.required(&driver, "");
    } else {
        lowercase_name(&driver, found);
    }
    let given = root.child("parameters");
    parameters(&given, found);
    if given.len() == 0 {
        found.required(&given, "must contain at least one key/value pair");
    }
}

/// The name of a provisioner is a qualified name, whatever its case; it is shown in lower case.
fn lowercase_name(place: &Place<'_>, found: &mut Findings) {
    let lower = place.text().to_ascii_lowercase();
    for detail in names::qualified_name(&lower) {
        found.push(Error::invalid(place.path(), &lower, detail));
    }
}

fn bytes_in(map: &Place<'_>) -> usize {
    map.entries()
        .map(|(key, value)| key.len() + value.text().len())
        .sum()
}

fn parameters(given: &Place<'_>, found: &mut Findings) {
    if given.len() > PARAMETERS_COUNT_MAX {
        found.push(Error::too_long(given.path(), PARAMETERS_COUNT_MAX));
        return;
    }
    if given.entries().any(|(key, _)| key.is_empty()) {
        found.push(Error::invalid(given.path(), "", "field can not be empty."));
    }
    if bytes_in(given) > PARAMETERS_BYTES_MAX {
        found.push(Error::too_long(given.path(), PARAMETERS_BYTES_MAX));
    }
}

fn topologies(list: &Place<'_>, found: &mut Findings) {
    for (index, term) in list.items().enumerate() {
        let expressions = term.child("matchLabelExpressions");
        for (at, expression) in expressions.items().enumerate() {
            let values = expression.child("values");
            if values.len() == 0 {
                found.required(&values, "");
            }
            for (at, value) in values.items().enumerate() {
                if values.list()[..at].contains(&values.list()[at]) {
                    found.duplicate(&value);
                }
            }
            let key = expression.child("key");
            found.each_invalid_text(&key, names::qualified_name(key.text()));
            let mut earlier = expressions.list()[..at].iter();
            if earlier.any(|one| one.str_at(&["key"]).unwrap_or_default() == key.text()) {
                found.push(Error::duplicate(key.path(), key.text()));
            }
        }
        let now = topology_keys(list.list().get(index));
        let earlier = list.list()[..index].iter();
        // A term that says nothing counts as said before, even if it is the first.
        if now.is_empty()
            || earlier
                .map(|term| topology_keys(Some(term)))
                .any(|term| term == now)
        {
            found.push(Error::duplicate(expressions.path(), ""));
        }
    }
}

/// What a term asks for, in an order of its own.
fn topology_keys(term: Option<&Value>) -> Vec<(&str, Vec<&str>)> {
    let expressions = term.and_then(|term| term.get("matchLabelExpressions"));
    let expressions = expressions.and_then(Value::as_array).unwrap_or_default();
    let mut keys: Vec<(&str, Vec<&str>)> = expressions
        .iter()
        .map(|one| {
            let values = one.get("values").and_then(Value::as_array);
            let values = values.unwrap_or_default().iter();
            let mut values: Vec<&str> = values.filter_map(Value::as_str).collect();
            values.sort_unstable();
            values.dedup();
            (one.str_at(&["key"]).unwrap_or_default(), values)
        })
        .collect();
    keys.sort();
    keys.dedup_by(|a, b| a.0 == b.0);
    keys
}

fn driver_name(place: &Place<'_>, found: &mut Findings) {
    if place.text().is_empty() {
        found.required(place, "");
        return;
    }
    if place.text().len() > DRIVER_LEN_MAX {
        found.push(Error::too_long(place.path(), DRIVER_LEN_MAX));
    }
    let lower = place.text().to_ascii_lowercase();
    found.each_invalid_text(place, names::dns1123_subdomain(&lower));
}

fn attachment(subject: &Subject<'_>, found: &mut Findings) {
    let (root, update) = (subject.root(), subject.old.is_some());
    let spec = root.child("spec");
    let attacher = spec.child("attacher");
    if update {
        driver_name(&attacher, found);
    }
    let source = spec.child("source");
    let (inline, volume) = (
        source.child("inlineVolumeSpec"),
        source.child("persistentVolumeName"),
    );
    let rule = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
    match (inline.is_set(), volume.is_set()) {
        (false, false) => found.required(&source, rule),
        (true, true) => found.forbidden(&source, rule),
        (false, true) if volume.text().is_empty() => {
            found.required(&volume, "must specify non empty persistentVolumeName");
        }
        (false, true) => {}
        (true, false) => inline_volume(&inline, found),
    }
    let node = spec.child("nodeName");
    found.each_invalid_text(&node, names::dns1123_subdomain(node.text()));
    attachment_status(&root.child("status"), found);
    if volume.is_set() {
        found.each_invalid_text(&volume, names::dns1123_subdomain(volume.text()));
    }

    let whole = Change::of(subject);
    let spec = whole.child("spec");
    spec.immutable(found);
    if !update {
        if attacher.text().is_empty() {
            found.required(&attacher, "");
            return;
        }
        found.each_invalid_text(&attacher, caseless_subdomain(attacher.text()));
        spec.child("attacher").length_max(DRIVER_LEN_MAX, found);
    }
}

/// A volume that has no object of its own: only CSI ones may have none.
fn inline_volume(spec: &Place<'_>, found: &mut Findings) {
    let apart = "may not be specified in the context of inline volumes";
    for name in ["claimRef", "capacity"] {
        let place = spec.child(name);
        if place.is_set() && (name == "claimRef" || place.len() > 0) {
            found.forbidden(&place, apart);
        }
    }
    let csi = spec.child("csi");
    if !csi.is_set() {
        found.required(&csi, "has to be specified in the context of inline volumes");
    }
    let modes = spec.child("accessModes");
    if modes.len() == 0 {
        found.required(&modes, "");
    }
    for mode in modes.items() {
        if !ACCESS_MODES.contains(&mode.text()) {
            let shown = Shown::from(mode.text());
            found.push(Error::not_supported(modes.path(), shown, &ACCESS_MODES));
        }
    }
    let is_single = |mode: &Value| mode.as_str() == Some("ReadWriteOncePod");
    let is_known = |mode: &Value| ACCESS_MODES.contains(&mode.as_str().unwrap_or_default());
    let all = modes.list();
    if all.iter().any(is_single) && all.iter().any(|mode| is_known(mode) && !is_single(mode)) {
        let detail = "may not use ReadWriteOncePod with other access modes";
        found.forbidden(&modes, detail);
    }
    let policy = spec.child("persistentVolumeReclaimPolicy");
    if !matches!(policy.text(), "" | "Retain") {
        let detail = "may only be Retain in the context of inline volumes";
        found.forbidden(&policy, detail);
    }
    let affinity = spec.child("nodeAffinity");
    if affinity.is_set() {
        found.forbidden(&affinity, apart);
    }
    if csi.is_set() {
        inline_driver(&csi, found);
    } else if !SOURCES.iter().any(|name| spec.child(name).is_set()) {
        found.required(spec, "must specify a volume type");
    }
    let class = spec.child("storageClassName");
    if !class.text().is_empty() {
        found.forbidden(&class, apart);
    }
    let mode = spec.child("volumeMode");
    if mode.is_set() && !matches!(mode.text(), "Filesystem") {
        let detail =
            "may not specify volumeMode other than Filesystem in the context of inline volumes";
        found.forbidden(&mode, detail);
    }
}

fn inline_driver(csi: &Place<'_>, found: &mut Findings) {
    driver_name(&csi.child("driver"), found);
    let handle = csi.child("volumeHandle");
    if handle.text().is_empty() {
        found.required(&handle, "");
    }
    for name in [
        "controllerPublishSecretRef",
        "controllerExpandSecretRef",
        "nodePublishSecretRef",
        "nodeExpandSecretRef",
    ] {
        let secret = csi.child(name);
        if !secret.is_set() {
            continue;
        }
        for (name, rule) in [
            ("name", names::dns1123_subdomain as fn(&str) -> Vec<String>),
            ("namespace", names::dns1123_label),
        ] {
            let place = secret.child(name);
            if place.text().is_empty() {
                found.required(&place, "");
            } else {
                found.each_invalid_text(&place, rule(place.text()));
            }
        }
    }
}

fn attachment_status(status: &Place<'_>, found: &mut Findings) {
    let metadata = status.child("attachmentMetadata");
    if bytes_in(&metadata) > METADATA_BYTES_MAX {
        found.push(Error::too_long(metadata.path(), METADATA_BYTES_MAX));
    }
    for name in ["attachError", "detachError"] {
        let error = status.child(name);
        let message = error.child("message");
        if message.text().len() > ERROR_LEN_MAX {
            found.push(Error::too_long(message.path(), ERROR_LEN_MAX));
        }
        let code = error.child("errorCode");
        if code.int().is_some_and(|code| code < 0) {
            found.invalid(&code, names::range_error(0, i64::from(i32::MAX)));
        }
    }
}

fn driver(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, old_spec) = (root.child("spec"), old.child("spec"));
    // The path of the first is upstream's slip.
    for (field, shown) in [
        ("attachRequired", "attachedRequired"),
        ("podInfoOnMount", "podInfoOnMount"),
        ("storageCapacity", "storageCapacity"),
    ] {
        if !spec.child(field).is_set() {
            found.required(&spec.child(shown), "");
        }
    }
    let policy = spec.child("fsGroupPolicy");
    let policies = ["File", "None", "ReadWriteOnceWithFSType"];
    if policy.is_set() && !policies.contains(&policy.text()) {
        found.not_supported(&policy, &policies);
    }
    token_requests(&spec.child("tokenRequests"), found);
    let modes = spec.child("volumeLifecycleModes");
    for mode in modes.items() {
        let known = ["Persistent", "Ephemeral"];
        if !known.contains(&mode.text()) {
            let shown = Shown::from(mode.text());
            found.push(Error::not_supported(modes.path(), shown, &known));
        }
    }
    let mount = spec.child("seLinuxMount");
    if !mount.is_set() {
        found.required(&mount, "");
    }
    let period = spec.child("nodeAllocatableUpdatePeriodSeconds");
    if period.int().is_some_and(|seconds| seconds < 10) {
        found.invalid(&period, "must be greater than or equal to 10 seconds");
    }
    let secrets = spec.child("serviceAccountTokenInSecrets");
    if secrets.is_set() && spec.child("tokenRequests").len() == 0 {
        let detail = "serviceAccountTokenInSecrets is set but no tokenRequests are specified";
        found.invalid(&secrets, detail);
    }
    let prevent = spec.child("preventPodSchedulingIfMissing");
    if !prevent.is_set() {
        found.required(&prevent, "");
    }
    if subject.old.is_none() {
        return;
    }
    for (field, shown) in [
        ("attachRequired", "attachedRequired"),
        ("volumeLifecycleModes", "volumeLifecycleModes"),
    ] {
        let place = spec.child(field);
        if !same(&place, &old_spec.child(field)) {
            let at = spec.child(shown);
            found.push(Error::invalid(
                at.path(),
                place.shown(),
                "field is immutable",
            ));
        }
    }
}

fn token_requests(list: &Place<'_>, found: &mut Findings) {
    for (index, request) in list.items().enumerate() {
        let audience = request.child("audience");
        let mut earlier = list.list()[..index].iter();
        if earlier.any(|one| one.str_at(&["audience"]).unwrap_or_default() == audience.text()) {
            found.push(Error::duplicate(audience.path(), audience.text()));
            continue;
        }
        let seconds = request.child("expirationSeconds");
        match seconds.int() {
            Some(given) if given < 600 => {
                found.invalid(&seconds, "may not specify a duration less than 10 minutes");
            }
            Some(given) if given > 1 << 32 => {
                let detail = "may not specify a duration larger than 2^32 seconds";
                found.invalid(&seconds, detail);
            }
            _ => {}
        }
    }
}

fn node(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, old_spec) = (root.child("spec"), old.child("spec"));
    let drivers = spec.child("drivers");
    for (index, driver) in drivers.items().enumerate() {
        node_driver(&driver, found);
        let name = driver.child("name");
        let mut earlier = drivers.list()[..index].iter();
        if earlier.any(|one| one.str_at(&["name"]).unwrap_or_default() == name.text()) {
            found.push(Error::duplicate(name.path(), name.text()));
        }
        topology(&driver, found);
    }
    for was in old_spec.child("drivers").items() {
        for now in drivers.items() {
            let changed = ["nodeID", "topologyKeys"]
                .iter()
                .any(|field| !same(&now.child(field), &was.child(field)));
            if now.child("name").text() == was.child("name").text() && changed {
                let shown = gostruct::shown(&now, "CSINodeDriver");
                let detail = "field is immutable";
                found.push(Error::invalid(drivers.path(), shown, detail));
            }
        }
    }
}

fn node_driver(driver: &Place<'_>, found: &mut Findings) {
    driver_name(&driver.child("name"), found);
    let id = driver.child("nodeID");
    if id.text().is_empty() {
        found.required(&id, "");
    }
    if id.text().len() > NODE_ID_LEN_MAX {
        found.invalid(&id, format!("must be {NODE_ID_LEN_MAX} characters or less"));
    }
    let allocatable = driver.child("allocatable");
    let count = allocatable.child("count");
    if count.int().is_some_and(|count| count < 0) {
        found.invalid(&count, "must be greater than or equal to 0");
    }
}

/// The keys of a driver's topology; errors stand at the driver.
fn topology(driver: &Place<'_>, found: &mut Findings) {
    let keys = driver.child("topologyKeys");
    for (index, key) in keys.items().enumerate() {
        if key.text().is_empty() {
            found.required(driver, "");
        }
        if keys.list()[..index].contains(&keys.list()[index]) {
            found.push(Error::duplicate(driver.path(), key.text()));
        }
        for detail in names::qualified_name(key.text()) {
            found.push(Error::invalid(driver.path(), key.text(), detail));
        }
    }
}

fn node_status(subject: &Subject<'_>, found: &mut Findings) {
    let root = subject.root();
    let status = root.child("status");
    let list = status.child("storageHealth");
    for (index, health) in list.items().enumerate() {
        let name = health.child("name");
        let mut earlier = list.list()[..index].iter();
        if earlier.any(|one| one.str_at(&["name"]).unwrap_or_default() == name.text()) {
            found.push(Error::duplicate(health.path(), name.text()));
        }
        driver_name(&name, found);
        let all = health.child("healthConditions");
        if all.len() > HEALTH_CONDITIONS_MAX {
            let error = Error::too_many(all.path(), all.len(), HEALTH_CONDITIONS_MAX);
            found.push(error);
            continue;
        }
        for condition in all.items() {
            health_condition(&condition, found);
        }
    }
}

fn health_condition(condition: &Place<'_>, found: &mut Findings) {
    let status = condition.child("status");
    let statuses = ["StorageDegraded", "StorageUnreachable"];
    if !statuses.contains(&status.text()) {
        found.not_supported(&status, &statuses);
    }
    let reason = condition.child("reason");
    if reason.text().is_empty() {
        found.required(&reason, "");
    } else {
        if !conditions::is_reason(reason.text()) {
            found.invalid(&reason, conditions::REASON_RULE);
        }
        if reason.text().len() > 256 {
            found.push(Error::too_long(reason.path(), 256));
        }
    }
    let message = condition.child("message");
    if message.text().len() > 1024 {
        found.push(Error::too_long(message.path(), 1024));
    }
    let access = condition.child("accessMode");
    if access.is_set() && !ACCESS_MODES.contains(&access.text()) {
        found.not_supported(&access, &ACCESS_MODES);
    }
    let mode = condition.child("volumeMode");
    if mode.is_set() && !matches!(mode.text(), "Filesystem" | "Block") {
        found.not_supported(&mode, &["Filesystem", "Block"]);
    }
}

fn capacity(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let topology = root.child("nodeTopology");
    if let Some(selector) = topology.value() {
        let old = old.child("nodeTopology");
        let was_bad = old
            .value()
            .is_some_and(|selector| !check::label_selector(selector, old.path()).is_empty());
        for error in check::label_selector(selector, topology.path()) {
            // Values that were bad before may stay bad.
            if !(was_bad && error.field.contains(".values[")) {
                found.push(error);
            }
        }
    }
    let class = root.child("storageClassName");
    found.each_invalid_text(&class, names::dns1123_subdomain(class.text()));
    let size = root.child("capacity");
    if size.text().starts_with('-') {
        found.invalid(&size, "must be greater than or equal to 0");
    }
    if subject.old.is_some() {
        for name in ["nodeTopology", "storageClassName"] {
            let place = root.child(name);
            if !same(&place, &old.child(name)) {
                found.invalid(&place, "field is immutable");
            }
        }
    }
}
