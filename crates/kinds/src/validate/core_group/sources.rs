//! Where the bytes of a volume lie: one of many kinds, most of them of the past.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go
//! (`ValidatePersistentVolumeSpec` and what it calls), pkg/apis/core/types.go.

use api::{field::Error, names::validate};

use super::volumes;
use crate::validate::{Findings, Place, pods, texts};

/// Checks one kind of source.
type Rule = fn(&Place<'_>, &mut Findings);

/// The kinds in the order in which upstream looks at them: field, its name in two kinds of errors,
/// what is wrong with one.
const KINDS: &[(&str, &str, &str, Rule)] = &[
    (
        "hostPath",
        "hostPath",
        "hostPath",
        pods::volumes::host_path_source,
    ),
    (
        "gcePersistentDisk",
        "gcePersistentDisk",
        "persistentDisk",
        |place, found| {
            required(place, &["pdName"], found);
            partition(place, found);
        },
    ),
    (
        "awsElasticBlockStore",
        "awsElasticBlockStore",
        "awsElasticBlockStore",
        |place, found| {
            required(place, &["volumeID"], found);
            partition(place, found);
        },
    ),
    ("glusterfs", "glusterfs", "glusterfs", |place, found| {
        required(place, &["endpoints", "path"], found);
        let namespace = place.child("endpointsNamespace");
        match namespace.str() {
            None => {}
            Some("") => {
                let why = "if the endpointnamespace is set, it must be a valid namespace name";
                found.invalid(&namespace, why);
            }
            Some(_) => texts::label(&namespace, found),
        }
    }),
    ("flocker", "flocker", "flocker", flocker),
    ("nfs", "nfs", "nfs", |place, found| {
        required(place, &["server", "path"], found);
        let path = place.child("path");
        if !path.text().starts_with('/') {
            found.invalid_text(&path, "must be an absolute path");
        }
    }),
    ("rbd", "rbd", "rbd", |place, found| {
        if place.child("monitors").len() == 0 {
            found.required(&place.child("monitors"), "");
        }
        required(place, &["image"], found);
    }),
    ("quobyte", "quobyte", "quobyte", quobyte),
    ("cephfs", "cephFS", "cephfs", |place, found| {
        if place.child("monitors").len() == 0 {
            found.required(&place.child("monitors"), "");
        }
    }),
    ("iscsi", "iscsi", "iscsi", iscsi),
    ("cinder", "cinder", "cinder", |place, found| {
        required(place, &["volumeID"], found);
        secret(place, found);
    }),
    ("fc", "fc", "fc", fibre_channel),
    ("flexVolume", "flexVolume", "flexVolume", flex),
    ("azureFile", "azureFile", "azureFile", |place, found| {
        required(place, &["secretName", "shareName"], found);
        if place.child("secretNamespace").is_set() {
            required(place, &["secretNamespace"], found);
        }
    }),
    (
        "vsphereVolume",
        "vsphereVolume",
        "vsphereVolume",
        |place, found| {
            required(place, &["volumePath"], found);
        },
    ),
    (
        "photonPersistentDisk",
        "photonPersistentDisk",
        "photonPersistentDisk",
        |place, found| {
            required(place, &["pdID"], found);
        },
    ),
    (
        "portworxVolume",
        "portworxVolume",
        "portworxVolume",
        |place, found| {
            required(place, &["volumeID"], found);
        },
    ),
    ("azureDisk", "azureDisk", "azureDisk", azure_disk),
    ("scaleIO", "scaleIO", "scaleIO", |place, found| {
        required(place, &["gateway", "system", "volumeName"], found);
    }),
    ("local", "local", "local", |place, found| {
        if texts::require(&place.child("path"), "", found) {
            texts::no_backsteps(&place.child("path"), found);
        }
    }),
    ("storageos", "storageos", "storageos", |place, found| {
        texts::required_label(&place.child("volumeName"), found);
        let namespace = place.child("volumeNamespace");
        if !namespace.text().is_empty() {
            texts::label(&namespace, found);
        }
        secret(place, found);
    }),
    ("csi", "csi", "csi", |place, found| {
        volumes::driver(&place.child("driver"), found);
        required(place, &["volumeHandle"], found);
        for name in [
            "controllerPublishSecretRef",
            "controllerExpandSecretRef",
            "nodePublishSecretRef",
            "nodeExpandSecretRef",
        ] {
            volumes::secret(&place.child(name), found);
        }
    }),
];

/// Checks that a volume is of one kind, and well.
pub(super) fn check(spec: &Place<'_>, name: &str, has_affinity: bool, found: &mut Findings) {
    let mut count = 0;
    for (field, refused, path, rule) in KINDS {
        let source = spec.child(field);
        if !source.is_set() {
            continue;
        }
        count += 1;
        if count > 1 && *field != "flexVolume" {
            let path = spec.path().child(refused);
            let why = "may not specify more than 1 volume type";
            found.push(Error::forbidden(&path, why));
            continue;
        }
        let place = Place::new(source.value(), spec.path().child(path));
        if *field == "iscsi" {
            long_portal(&place, name, found);
        }
        rule(&place, found);
        if *field == "local" && !has_affinity {
            let why = "Local volume requires node affinity";
            found.required(&spec.child("nodeAffinity"), why);
        }
    }
    if count == 0 {
        found.required(spec, "must specify a volume type");
    }
}

/// Whether an absolute path leads to the root.
pub(super) fn is_root(path: &str) -> bool {
    let mut depth = 0_usize;
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." => depth = depth.saturating_sub(1),
            _ => depth += 1,
        }
    }
    depth == 0
}

fn required(place: &Place<'_>, names: &[&str], found: &mut Findings) {
    for name in names {
        texts::require(&place.child(name), "", found);
    }
}

fn secret(place: &Place<'_>, found: &mut Findings) {
    let secret = place.child("secretRef");
    if secret.is_set() {
        required(&secret, &["name", "namespace"], found);
    }
}

fn partition(place: &Place<'_>, found: &mut Findings) {
    let partition = place.child("partition");
    if !(0..=255).contains(&partition.int().unwrap_or(0)) {
        found.invalid(&partition, validate::range_error(1, 255));
    }
}

fn lun(place: &Place<'_>, found: &mut Findings) {
    let lun = place.child("lun");
    if !(0..=255).contains(&lun.int().unwrap_or(0)) {
        found.invalid(&lun, validate::range_error(0, 255));
    }
}

fn flocker(place: &Place<'_>, found: &mut Findings) {
    let (name, id) = (place.child("datasetName"), place.child("datasetUUID"));
    match (name.text(), id.text()) {
        ("", "") => found.required(place, "one of datasetName and datasetUUID is required"),
        ("", _) | (_, "") => {}
        _ => {
            let why = "datasetName and datasetUUID can not be specified simultaneously";
            found.push(Error::invalid(place.path(), "resource", why));
        }
    }
    if name.text().contains('/') {
        found.invalid(&name, "must not contain '/'");
    }
}

fn quobyte(place: &Place<'_>, found: &mut Findings) {
    const PAIRS: &str = "must be a host:port pair or multiple pairs separated by commas";
    let (registry, tenant) = (place.child("registry"), place.child("tenant"));
    if registry.text().is_empty() {
        found.required(&registry, PAIRS);
    } else if tenant.text().len() >= 65 {
        let why = "must be a UUID and may not exceed a length of 64 characters";
        found.required(&tenant, why);
    } else {
        for _ in registry.text().split(',').filter(|pair| !is_pair(pair)) {
            found.invalid(&registry, PAIRS);
        }
    }
    required(place, &["volume"], found);
}

/// Whether a text is a host and a port, as Go splits them.
fn is_pair(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_plain = |text: &str| !text.contains(['[', ']']);
    is_plain(port)
        && match inner {
            Some(inner) => is_plain(inner),
            None => is_plain(host) && !host.contains(':'),
        }
}

fn long_portal(place: &Place<'_>, name: &str, found: &mut Findings) {
    let (portal, initiator) = (place.child("targetPortal"), place.child("initiatorName"));
    if initiator.is_set() && name.len() + 1 + portal.text().len() > 64 {
        // After what is said of a missing portal, which cannot be too long.
        let path = place.path().child("targetportal");
        let why = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.";
        found.push(Error::invalid(&path, portal.text(), why));
    }
}

fn iscsi(place: &Place<'_>, found: &mut Findings) {
    required(place, &["targetPortal"], found);
    let name = place.child("iqn");
    if texts::require(&name, "", found) && !is_initiator(name.text()) {
        found.invalid(&name, "must be valid format");
    }
    lun(place, found);
    let secret = place.child("secretRef");
    let is_asked =
        place.child("chapAuthDiscovery").is_true() || place.child("chapAuthSession").is_true();
    if secret.is_set() {
        required(&secret, &["name"], found);
    } else if is_asked {
        found.required(&secret, "");
    }
    let initiator = place.child("initiatorName");
    if initiator.is_set() && !is_initiator(initiator.text()) {
        let path = place.path().child("initiatorname");
        found.push(Error::invalid(
            &path,
            initiator.text(),
            "must be valid format",
        ));
    }
}

/// Whether a text names an initiator: `iqn.2026-01.com.example:x`, or `eui.` or `naa.` and digits.
pub(in crate::validate) fn is_initiator(text: &str) -> bool {
    let is_code = |length: usize| {
        let mut letters = text[3..].chars();
        let dot = letters.next();
        let code = letters.as_str();
        dot.is_some() && code.len() == length && code.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    match text.get(..3) {
        Some("iqn") => text
            .match_indices("iqn.")
            .any(|(at, _)| is_dated(&text[at + 4..])),
        Some("eui") => is_code(16),
        Some("naa") => is_code(32),
        _ => false,
    }
}

/// `2026-01.com.example:x`
fn is_dated(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some((date, rest)) = bytes.split_at_checked(8) else {
        return false;
    };
    let is_date = date.iter().enumerate().all(|(at, byte)| match at {
        4 => *byte == b'-',
        7 => *byte == b'.',
        _ => byte.is_ascii_digit(),
    });
    let Some(colon) = rest.iter().position(|byte| *byte == b':') else {
        return false;
    };
    let (name, code) = (&rest[..colon], &rest[colon + 1..]);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    is_date
        && !name.is_empty()
        && name.iter().all(is_name)
        && !code.is_empty()
        && !code
            .iter()
            .any(|byte| b",;*&$|".contains(byte) || byte.is_ascii_whitespace())
}

fn fibre_channel(place: &Place<'_>, found: &mut Findings) {
    let (targets, ids) = (place.child("targetWWNs"), place.child("wwids"));
    match (targets.len(), ids.len()) {
        (0, 0) => {
            let why = "must specify either targetWWNs or wwids, but not both";
            found.required(&targets, why);
        }
        (0, _) | (_, 0) => {}
        _ => {
            let why = "targetWWNs and wwids can not be specified simultaneously";
            found.invalid(&targets, why);
        }
    }
    if targets.len() > 0 {
        if place.child("lun").is_set() {
            lun(place, found);
        } else {
            let why = "lun is required if targetWWNs is specified";
            found.required(&place.child("lun"), why);
        }
    }
}

fn flex(place: &Place<'_>, found: &mut Findings) {
    required(place, &["driver"], found);
    for (name, option) in place.child("options").entries() {
        let domain = name.split('/').next().unwrap_or_default();
        let domain = format!(".{}", domain.to_lowercase());
        if domain.ends_with(".kubernetes.io") || domain.ends_with(".k8s.io") {
            let why = "kubernetes.io and k8s.io namespaces are reserved";
            found.push(Error::invalid(option.path(), name, why));
        }
    }
}

fn azure_disk(place: &Place<'_>, found: &mut Findings) {
    const CACHING: &[&str] = &["None", "ReadOnly", "ReadWrite"];
    const KINDS: &[&str] = &["Dedicated", "Managed", "Shared"];
    const MANAGED: &str = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}";
    const BLOB: &str =
        "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd";
    required(place, &["diskName", "diskURI"], found);
    texts::optional_choice(&place.child("cachingMode"), CACHING, found);
    let (kind, address) = (place.child("kind"), place.child("diskURI"));
    texts::optional_choice(&kind, KINDS, found);
    match kind.str() {
        Some("Managed") if !address.text().starts_with("/subscriptions/") => {
            found.not_supported(&address, &[MANAGED]);
        }
        Some(other) if other != "Managed" && !address.text().starts_with("https://") => {
            found.not_supported(&address, &[BLOB]);
        }
        _ => {}
    }
}
