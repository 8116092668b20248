//! What is wrong with the volumes of a pod.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go.

use api::{Value, field::Error, names::validate};

use super::{projected, rules::Rules};
use crate::validate::{Findings, Place, Seen, core_group, numbers, quantities, texts};

/// Modes of files: octal 0777.
const MODE_MAX: i64 = 0o777;

type Check = fn(&Place<'_>, &Source<'_>, &mut Findings);

/// The sources of volumes in the order in which upstream looks at them: the field, what the errors
/// call it if it is one too many, and the check.
const SOURCES: [(&str, &str, Check); 30] = [
    ("emptyDir", "emptyDir", empty_dir),
    ("hostPath", "hostPath", host_path),
    ("gitRepo", "gitRepo", git_repo),
    ("gcePersistentDisk", "gcePersistentDisk", gce_disk),
    ("awsElasticBlockStore", "awsElasticBlockStore", aws_disk),
    ("secret", "secret", secret),
    ("nfs", "nfs", nfs),
    ("iscsi", "iscsi", iscsi_of_pod),
    ("glusterfs", "glusterfs", glusterfs),
    ("flocker", "flocker", flocker),
    ("persistentVolumeClaim", "persistentVolumeClaim", claim),
    ("rbd", "rbd", rbd),
    ("cinder", "cinder", cinder),
    ("cephfs", "cephFS", ceph_fs),
    ("quobyte", "quobyte", quobyte),
    ("downwardAPI", "downwarAPI", projected::downward),
    ("fc", "fc", fibre_channel),
    ("flexVolume", "flexVolume", flex_volume),
    ("configMap", "configMap", config_map),
    ("azureFile", "azureFile", azure_file),
    ("vsphereVolume", "vsphereVolume", vsphere),
    ("photonPersistentDisk", "photonPersistentDisk", photon),
    ("portworxVolume", "portworxVolume", portworx),
    ("azureDisk", "azureDisk", azure_disk),
    ("storageos", "storageos", storage_os),
    ("projected", "projected", projected::projected),
    ("scaleIO", "scaleIO", scale_io),
    ("csi", "csi", csi),
    ("ephemeral", "ephemeral", ephemeral),
    ("image", "image", image),
];

/// What the check of a source knows besides the source.
pub(super) struct Source<'a> {
    /// The volume that has it.
    pub(super) volume: &'a Place<'a>,
    /// What is let pass.
    pub(super) rules: Rules,
    /// The pod's name; empty for templates.
    pub(super) pod_name: &'a str,
}

/// The volumes that are right, for those who mount them.
pub(super) struct Volumes<'a> {
    items: &'a [Value],
    /// Names of the right ones, where some are wrong.
    right: Option<Vec<&'a str>>,
}

impl<'a> Volumes<'a> {
    /// Returns the volume of this name, if it is right.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        if self
            .right
            .as_ref()
            .is_some_and(|right| !right.contains(&name))
        {
            return None;
        }
        let is_it = |one: &&Value| one.str_at(&["name"]).unwrap_or_default() == name;
        self.items.iter().find(is_it)
    }
}

/// Checks the volumes of a pod spec.
pub(super) fn volumes<'a>(
    volumes: &Place<'a>,
    rules: Rules,
    pod_name: &str,
    found: &mut Findings,
) -> Volumes<'a> {
    let mut names = Seen::new();
    let mut is_all_right = true;
    let mut right = Vec::new();
    for (at, volume) in volumes.items().enumerate() {
        let before = found.len();
        let source = Source {
            volume: &volume,
            rules,
            pod_name,
        };
        one_source(&volume, &source, found);
        let name = volume.child("name");
        texts::required_label(&name, found);
        let text = text_of(&volumes.list()[at], "name");
        if names.has(text) {
            found.duplicate(&name);
        }
        if found.len() == before {
            names.insert(text);
            if !is_all_right {
                right.push(text);
            }
        } else if is_all_right {
            is_all_right = false;
            right = volumes.list()[..at]
                .iter()
                .map(|one| text_of(one, "name"))
                .collect();
        }
        created_claim(&volume, volumes, pod_name, found);
    }
    Volumes {
        items: volumes.list(),
        right: (!is_all_right).then_some(right),
    }
}

fn text_of<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// A volume of a claim may not name one that is made for an ephemeral volume of the same pod.
fn created_claim(volume: &Place<'_>, volumes: &Place<'_>, pod_name: &str, found: &mut Findings) {
    let source = volume.child("persistentVolumeClaim");
    let claim = source.child("claimName");
    if pod_name.is_empty() || !claim.is_set() {
        return;
    }
    let own = claim.text().strip_prefix(pod_name);
    let Some(own) = own.and_then(|rest| rest.strip_prefix('-')) else {
        return;
    };
    let makes = |one: &Value| one.get("ephemeral").is_some() && text_of(one, "name") == own;
    if volumes.list().iter().any(makes) {
        let why = "must not reference a PVC that gets created for an ephemeral volume";
        found.invalid(&claim, why);
    }
}

/// A volume has one source.
fn one_source(volume: &Place<'_>, source: &Source<'_>, found: &mut Findings) {
    let fields = volume.value().and_then(Value::as_object);
    let fields = fields.map_or(0, |fields| {
        fields.iter().filter(|(name, _)| *name != "name").count()
    });
    if fields == 0 {
        return found.required(volume, "must specify a volume type");
    }
    let mut count = 0;
    for (field, called, check) in SOURCES {
        let place = volume.child(field);
        if !place.is_set() {
            continue;
        }
        if count > 0 {
            let place = volume.child(called);
            found.forbidden(&place, "may not specify more than 1 volume type");
            if field == "iscsi" {
                initiator_length(&volume.child(field), source, found);
            }
            continue;
        }
        count += 1;
        check(&place, source, found);
        if count == fields {
            return;
        }
    }
    if count == 0 {
        found.required(volume, "must specify a volume type");
    }
}

/// Fields that must be there, in order.
fn require(place: &Place<'_>, fields: &[&str], found: &mut Findings) {
    for field in fields {
        texts::require(&place.child(field), "", found);
    }
}

/// Checks the mode of files.
pub(super) fn mode(place: &Place<'_>, found: &mut Findings) {
    if place
        .int()
        .is_some_and(|mode| !(0..=MODE_MAX).contains(&mode))
    {
        let why = "must be a number between 0 and 0777 (octal), both inclusive";
        found.invalid(place, why);
    }
}

fn empty_dir(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    let limit = place.child("sizeLimit");
    if quantities::of(&limit).is_some_and(|limit| limit.sign() < 0) {
        found.forbidden(&limit, "SizeLimit field must be a valid resource quantity");
    }
}

fn host_path(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    host_path_source(place, found);
}

/// Checks a path of the host, which persistent volumes have too.
pub(crate) fn host_path_source(place: &Place<'_>, found: &mut Findings) {
    let path = place.child("path");
    if !texts::require(&path, "", found) {
        return;
    }
    texts::no_backsteps(&path, found);
    let kinds = [
        "",
        "BlockDevice",
        "CharDevice",
        "Directory",
        "DirectoryOrCreate",
        "File",
        "FileOrCreate",
        "Socket",
    ];
    texts::optional_choice(&place.child("type"), &kinds, found);
}

fn git_repo(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    require(place, &["repository"], found);
    texts::descending_path(&place.child("directory"), found);
}

fn gce_disk(_: &Place<'_>, source: &Source<'_>, found: &mut Findings) {
    // Upstream looks for the disk under one name and complains under another.
    let disk = source.volume.child("gcePersistentDisk");
    let called = source.volume.child("persistentDisk");
    let called = Place::new(disk.value(), *called.path());
    partitioned_disk(&called, "pdName", found);
}

fn aws_disk(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    partitioned_disk(place, "volumeID", found);
}

/// Checks a disk with partitions, which persistent volumes have too.
pub(crate) fn partitioned_disk(place: &Place<'_>, id: &str, found: &mut Findings) {
    texts::require(&place.child(id), "", found);
    let partition = place.child("partition");
    if partition
        .int()
        .is_some_and(|number| !(0..=255).contains(&number))
    {
        found.invalid(&partition, validate::range_error(1, 255));
    }
}

fn secret(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    require(place, &["secretName"], found);
    files(place, found);
}

fn config_map(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    require(place, &["name"], found);
    files(place, found);
}

fn files(place: &Place<'_>, found: &mut Findings) {
    mode(&place.child("defaultMode"), found);
    for item in place.child("items").items() {
        projected::key_to_path(&item, found);
    }
}

fn nfs(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    nfs_source(place, found);
}

/// Checks a share of NFS, which persistent volumes have too.
pub(crate) fn nfs_source(place: &Place<'_>, found: &mut Findings) {
    require(place, &["server", "path"], found);
    let path = place.child("path");
    if !path.text().starts_with('/') {
        found.invalid_text(&path, "must be an absolute path");
    }
}

fn iscsi_of_pod(place: &Place<'_>, source: &Source<'_>, found: &mut Findings) {
    iscsi_target(place, found);
    let is_authenticated =
        place.child("chapAuthDiscovery").is_true() || place.child("chapAuthSession").is_true();
    if is_authenticated && !place.has("secretRef") {
        found.required(&place.child("secretRef"), "");
    }
    let initiator = place.child("initiatorName");
    if let Some(name) = initiator.str() {
        let called = place.child("initiatorname");
        if let Some(why) = wrong_initiator(name) {
            found.push(Error::invalid(called.path(), name, why));
        }
    }
    initiator_length(place, source, found);
}

/// Checks the target of iSCSI, which persistent volumes have too.
pub(crate) fn iscsi_target(place: &Place<'_>, found: &mut Findings) {
    require(place, &["targetPortal"], found);
    let name = place.child("iqn");
    if texts::require(&name, "", found)
        && let Some(why) = wrong_initiator(name.text())
    {
        found.invalid(&name, why);
    }
    let lun = place.child("lun");
    numbers::within(&lun, 0, 255, found);
}

/// Returns what is wrong with a name of iSCSI.
pub(crate) fn wrong_initiator(name: &str) -> Option<&'static str> {
    let is_right = match name.get(..3) {
        Some("iqn") => is_qualified_name(name),
        Some("eui") => is_hexadecimal(name, 16),
        Some("naa") => is_hexadecimal(name, 32),
        _ => return Some("must be valid format starting with iqn, eui, or naa"),
    };
    (!is_right).then_some("must be valid format")
}

/// `^eui.[[:alnum:]]{16}$`, whose stop stands for any character.
fn is_hexadecimal(name: &str, digits: usize) -> bool {
    let mut rest = name.chars().skip(3);
    let any = rest.next();
    let rest: Vec<char> = rest.collect();
    any.is_some_and(|any| any != '\n')
        && rest.len() == digits
        && rest.iter().all(char::is_ascii_alphanumeric)
}

/// `iqn\.\d{4}-\d{2}\.([[:alnum:]-.]+)(:[^,;*&$|\s]+)$`, anywhere in the name.
fn is_qualified_name(name: &str) -> bool {
    let begins = name.match_indices("iqn.");
    begins.into_iter().any(|(at, _)| {
        let rest = &name[at + 4..];
        let bytes = rest.as_bytes();
        let is_date = bytes.len() > 8
            && bytes[..4].iter().all(u8::is_ascii_digit)
            && bytes[4] == b'-'
            && bytes[5..7].iter().all(u8::is_ascii_digit)
            && bytes[7] == b'.';
        if !is_date {
            return false;
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        let Some((authority, own)) = rest[8..].split_once(':') else {
            return false;
        };
        let is_banned = |letter: char| {
            matches!(letter, ',' | ';' | '*' | '&' | '$' | '|') || letter.is_ascii_whitespace()
        };
        !authority.is_empty()
            && authority.bytes().all(allowed)
            && !own.is_empty()
            && !own.contains(is_banned)
    })
}

/// The names of a volume and its target make a name of an initiator together.
fn initiator_length(place: &Place<'_>, source: &Source<'_>, found: &mut Findings) {
    let name = source.volume.child("name");
    let length = name.text().len() + 1 + place.text_of("targetPortal").len();
    if place.has("initiatorName") && length > 64 {
        let why = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.";
        found.invalid_text(&name, why);
    }
}

fn glusterfs(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    require(place, &["endpoints", "path"], found);
}

fn flocker(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    flocker_source(place, found);
}

/// Checks a data set of Flocker, which persistent volumes have too.
pub(crate) fn flocker_source(place: &Place<'_>, found: &mut Findings) {
    let (name, id) = (place.text_of("datasetName"), place.text_of("datasetUUID"));
    if name.is_empty() && id.is_empty() {
        found.required(place, "one of datasetName and datasetUUID is required");
    }
    if !name.is_empty() && !id.is_empty() {
        let why = "datasetName and datasetUUID can not be specified simultaneously";
        found.push(Error::invalid(place.path(), "resource", why));
    }
    if name.contains('/') {
        found.invalid(&place.child("datasetName"), "must not contain '/'");
    }
}

fn claim(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    require(place, &["claimName"], found);
}

fn list_and_text(place: &Place<'_>, list: &str, text: Option<&str>, found: &mut Findings) {
    let list = place.child(list);
    if list.len() == 0 {
        found.required(&list, "");
    }
    if let Some(text) = text {
        require(place, &[text], found);
    }
}

fn rbd(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    list_and_text(place, "monitors", Some("image"), found);
}

fn ceph_fs(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    list_and_text(place, "monitors", None, found);
}

fn cinder(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    require(place, &["volumeID"], found);
    named_secret(place, "secretRef", found);
}

/// A secret that is referred to has a name.
fn named_secret(place: &Place<'_>, field: &str, found: &mut Findings) {
    let secret = place.child(field);
    if secret.is_set() {
        require(&secret, &["name"], found);
    }
}

fn quobyte(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    quobyte_source(place, found);
}

/// Checks a volume of Quobyte, which persistent volumes have too.
pub(crate) fn quobyte_source(place: &Place<'_>, found: &mut Findings) {
    const PAIRS: &str = "must be a host:port pair or multiple pairs separated by commas";
    let registry = place.child("registry");
    if registry.text().is_empty() {
        found.required(&registry, PAIRS);
    } else if place.text_of("tenant").len() >= 65 {
        let why = "must be a UUID and may not exceed a length of 64 characters";
        found.required(&place.child("tenant"), why);
    } else {
        for pair in registry.text().split(',') {
            if !is_host_and_port(pair) {
                found.invalid(&registry, PAIRS);
            }
        }
    }
    require(place, &["volume"], found);
}

/// Whether Go's `net.SplitHostPort` takes this.
fn is_host_and_port(pair: &str) -> bool {
    let Some((host, port)) = pair.rsplit_once(':') else {
        return false;
    };
    if let Some(inner) = host.strip_prefix('[') {
        return inner
            .strip_suffix(']')
            .is_some_and(|inner| !inner.contains(['[', ']']))
            && !port.contains(['[', ']']);
    }
    !host.contains([':', '[', ']']) && !port.contains(['[', ']'])
}

fn fibre_channel(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    fibre_channel_source(place, found);
}

/// Checks a volume of Fibre Channel, which persistent volumes have too.
pub(crate) fn fibre_channel_source(place: &Place<'_>, found: &mut Findings) {
    let (names, ids) = (place.child("targetWWNs"), place.child("wwids"));
    if names.len() == 0 && ids.len() == 0 {
        let why = "must specify either targetWWNs or wwids, but not both";
        found.required(&names, why);
    }
    if names.len() > 0 && ids.len() > 0 {
        let why = "targetWWNs and wwids can not be specified simultaneously";
        found.invalid(&names, why);
    }
    if names.len() > 0 {
        let lun = place.child("lun");
        if !lun.is_set() {
            found.required(&lun, "lun is required if targetWWNs is specified");
        }
        numbers::within(&lun, 0, 255, found);
    }
}

fn flex_volume(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    flex_volume_source(place, found);
}

/// Checks a volume of a Flex driver, which persistent volumes have too.
pub(crate) fn flex_volume_source(place: &Place<'_>, found: &mut Findings) {
    require(place, &["driver"], found);
    for (key, option) in place.child("options").entries() {
        let domain = key.split_once('/').map_or(key, |(domain, _)| domain);
        let domain = format!(".{}", domain.to_lowercase());
        if domain.ends_with(".kubernetes.io") || domain.ends_with(".k8s.io") {
            let why = "kubernetes.io and k8s.io namespaces are reserved";
            found.push(Error::invalid(option.path(), key, why));
        }
    }
}

fn azure_file(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    require(place, &["secretName", "shareName"], found);
}

fn vsphere(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    require(place, &["volumePath"], found);
}

fn photon(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    require(place, &["pdID"], found);
}

fn portworx(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    require(place, &["volumeID"], found);
}

fn azure_disk(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    azure_disk_source(place, found);
}

/// Checks a disk of Azure, which persistent volumes have too.
pub(crate) fn azure_disk_source(place: &Place<'_>, found: &mut Findings) {
    require(place, &["diskName", "diskURI"], found);
    texts::optional_choice(
        &place.child("cachingMode"),
        &["None", "ReadOnly", "ReadWrite"],
        found,
    );
    texts::optional_choice(
        &place.child("kind"),
        &["Dedicated", "Managed", "Shared"],
        found,
    );
    let uri = place.child("diskURI");
    match place.child("kind").str() {
        Some("Managed") if !uri.text().starts_with("/subscriptions/") => {
            found.not_supported(&uri, &["/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"]);
        }
        Some(kind) if kind != "Managed" && !uri.text().starts_with("https://") => {
            found.not_supported(
                &uri,
                &["https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"],
            );
        }
        _ => {}
    }
}

fn storage_os(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    texts::required_label(&place.child("volumeName"), found);
    let namespace = place.child("volumeNamespace");
    if !namespace.text().is_empty() {
        texts::label(&namespace, found);
    }
    named_secret(place, "secretRef", found);
}

fn scale_io(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    require(place, &["gateway", "system", "volumeName"], found);
}

fn csi(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    driver_name(&place.child("driver"), found);
    let secret = place.child("nodePublishSecretRef");
    if !secret.is_set() {
        return;
    }
    let name = secret.child("name");
    if texts::require(&name, "", found) {
        // The path is upstream's: beside the reference, not in it.
        let beside = place.child("name");
        for sentence in validate::dns1123_subdomain(name.text()) {
            found.push(Error::invalid(beside.path(), name.text(), sentence));
        }
    }
}

/// Checks the name of a CSI driver.
pub(crate) fn driver_name(name: &Place<'_>, found: &mut Findings) {
    if !texts::require(name, "", found) {
        return;
    }
    texts::bytes_max(name, 63, found);
    let lower = name.text().to_lowercase();
    found.each_invalid(name, validate::dns1123_subdomain(&lower));
}

fn ephemeral(place: &Place<'_>, source: &Source<'_>, found: &mut Findings) {
    let template = place.child("volumeClaimTemplate");
    if template.is_set() {
        super::claim_template(&template, found);
        let spec = template.child("spec");
        core_group::claim_spec(&spec, core_group::ClaimRules::default(), found);
    } else {
        found.required(&template, "");
    }
    let name = source.volume.child("name");
    if source.pod_name.is_empty() || name.text().is_empty() {
        return;
    }
    let claim = format!("{}-{}", source.pod_name, name.text());
    for sentence in validate::dns1123_subdomain(&claim) {
        let why = format!("PVC name \"{claim}\": {sentence}");
        found.invalid(&name, why);
    }
}

fn image(place: &Place<'_>, source: &Source<'_>, found: &mut Findings) {
    if !source.rules.leave_empty_images() {
        require(place, &["reference"], found);
    }
    super::containers::pull_policy(&place.child("pullPolicy"), found);
}
