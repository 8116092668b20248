//! What is wrong with volumes that are made of other objects: files of keys, the downward API,
//! projections.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/validation.go and names.go.

use api::{Value, field::Error, names::validate, quote::quote};

use super::{
    environment, gostruct,
    volumes::{Source, mode},
};
use crate::validate::{
    Findings, Place, Seen,
    labels::{self, SelectorRules},
    texts,
};

const CONFLICT: &str = "conflicting duplicate paths";

/// How many seconds a certificate of a signer of Kubernetes' own is valid at most: a day.
const OWN_EXPIRATION_MAX: i64 = 24 * 60 * 60;
/// How many seconds any other certificate is valid at most: 91 days.
const EXPIRATION_MAX: i64 = 91 * OWN_EXPIRATION_MAX;

/// Paths of a projected volume; each may stand once.
struct Paths<'a, 'b> {
    volume: &'b Place<'b>,
    seen: Seen<'a>,
}

impl<'a> Paths<'a, '_> {
    /// Takes a path in; one that is there already is an error, which shows this text.
    fn take(&mut self, path: &'a str, shown: &str, found: &mut Findings) {
        if !self.seen.insert(path) {
            found.push(Error::invalid(self.volume.path(), shown, CONFLICT));
        }
    }
}

/// Checks a key and the file that holds its value.
pub(super) fn key_to_path(item: &Place<'_>, found: &mut Findings) {
    texts::require(&item.child("key"), "", found);
    let path = item.child("path");
    texts::require(&path, "", found);
    texts::local_path(&path, found);
    mode(&item.child("mode"), found);
}

/// Checks a volume of the downward API.
pub(super) fn downward(place: &Place<'_>, _: &Source<'_>, found: &mut Findings) {
    mode(&place.child("defaultMode"), found);
    for item in place.list_of("items") {
        // Upstream does not say which file it is.
        downward_file(&Place::new(Some(item), *place.path()), found);
    }
}

fn downward_file(file: &Place<'_>, found: &mut Findings) {
    let path = file.child("path");
    texts::require(&path, "", found);
    texts::local_path(&path, found);
    let (field, resource) = (file.child("fieldRef"), file.child("resourceFieldRef"));
    if field.is_set() {
        environment::field_of_volume(&field, found);
        if resource.is_set() {
            let why = "fieldRef and resourceFieldRef can not be specified simultaneously";
            found.push(Error::invalid(file.path(), "resource", why));
        }
    } else if resource.is_set() {
        environment::resource_of_volume(&resource, found);
    } else {
        found.required(file, "one of fieldRef and resourceFieldRef is required");
    }
    mode(&file.child("mode"), found);
}

/// Checks a projected volume.
pub(super) fn projected(place: &Place<'_>, source: &Source<'_>, found: &mut Findings) {
    mode(&place.child("defaultMode"), found);
    let mut paths = Paths {
        volume: place,
        seen: Seen::new(),
    };
    let sources = place.child("sources");
    for one in sources.items() {
        let mut count = 0;
        for kind in ["secret", "configMap"] {
            let part = one.child(kind);
            if let Some(value) = one.get(kind) {
                count += 1;
                keys(&part, value, &mut paths, found);
            }
        }
        if let Some(value) = one.get("downwardAPI") {
            count += 1;
            let part = one.child("downwardAPI");
            for item in value
                .get("items")
                .and_then(Value::as_array)
                .unwrap_or_default()
            {
                downward_file(&Place::new(Some(item), *part.path()), found);
                let path = item.str_at(&["path"]).unwrap_or_default();
                if !path.is_empty() {
                    paths.take(path, path, found);
                }
            }
        }
        if one.has("serviceAccountToken") {
            count += 1;
            let is_any = source.rules.leave_token_paths();
            token(&one.child("serviceAccountToken"), place, is_any, found);
        }
        if let Some(value) = one.get("clusterTrustBundle") {
            count += 1;
            bundle(&one.child("clusterTrustBundle"), value, &mut paths, found);
        }
        if let Some(value) = one.get("podCertificate") {
            count += 1;
            certificate(&one.child("podCertificate"), value, &mut paths, found);
        }
        if count > 1 {
            found.forbidden(&one, "may not specify more than 1 volume type per source");
        }
    }
}

fn keys<'a>(part: &Place<'_>, value: &'a Value, paths: &mut Paths<'a, '_>, found: &mut Findings) {
    texts::require(&part.child("name"), "", found);
    let items = value.get("items").and_then(Value::as_array);
    for (item, value) in part.child("items").items().zip(items.unwrap_or_default()) {
        key_to_path(&item, found);
        let path = value.str_at(&["path"]).unwrap_or_default();
        if !path.is_empty() {
            paths.take(path, part.text_of("name"), found);
        }
    }
}

fn token(token: &Place<'_>, volume: &Place<'_>, is_any: bool, found: &mut Findings) {
    let expiration = token.child("expirationSeconds");
    match expiration.int() {
        None => found.required(&expiration, ""),
        Some(seconds) if seconds < 600 => {
            found.invalid(
                &expiration,
                "may not specify a duration less than 10 minutes",
            );
        }
        Some(seconds) if seconds > 1 << 32 => {
            let why = "may not specify a duration larger than 2^32 seconds";
            found.invalid(&expiration, why);
        }
        Some(_) => {}
    }
    // The path of the error is upstream's: that of the volume.
    let beside = volume.child("path");
    let path = Place::new(token.get("path"), *beside.path());
    if texts::require(&path, "", found) && !is_any {
        texts::local_path(&path, found);
    }
}

fn bundle<'a>(part: &Place<'_>, value: &'a Value, paths: &mut Paths<'a, '_>, found: &mut Findings) {
    let (name, signer) = (part.child("name"), part.child("signerName"));
    let selector = part.child("labelSelector");
    match (name.str(), signer.str()) {
        (Some(_), Some(_)) => {
            let why = "only one of name and signerName may be used";
            let shown = gostruct::shown(part, "ClusterTrustBundleProjection");
            found.push(Error::invalid(part.path(), shown, why));
        }
        (Some(text), None) => {
            if text.is_empty() {
                found.required(&name, "must be a valid object name");
            }
            for sentence in bundle_name(text) {
                found.invalid(
                    &name,
                    format!("not a valid clustertrustbundlename: {sentence}"),
                );
            }
            if selector.is_set() {
                let why = "labelSelector must be unset if name is specified";
                found.invalid(&selector, why);
            }
        }
        (None, Some(text)) => {
            if text.is_empty() {
                found.required(&signer, "must be a valid signer name");
            }
            signer_name(&signer, found);
            labels::selector(&selector, SelectorRules::Strict, found);
        }
        (None, None) => found.required(part, "either name or signerName must be specified"),
    }
    let path = part.child("path");
    texts::require(&path, "", found);
    texts::local_path(&path, found);
    let text = value.str_at(&["path"]).unwrap_or_default();
    paths.take(text, text, found);
}

/// Checks the name of a bundle of trust: that of its signer comes first, if it has one.
pub(crate) fn bundle_name(name: &str) -> Vec<String> {
    match name.rsplit_once(':') {
        None => validate::dns1123_subdomain(name),
        Some(("", _)) => {
            vec![
                "ClusterTrustBundle without signer name must not have \":\" in its name".to_owned(),
            ]
        }
        Some((_, own)) => validate::dns1123_subdomain(own),
    }
}

/// Checks the name of a signer of certificates.
pub(crate) fn signer_name(place: &Place<'_>, found: &mut Findings) {
    if !texts::require(place, "", found) {
        return;
    }
    let name = place.text();
    let parts: Vec<&str> = name.split('/').collect();
    let [domain, path] = parts[..] else {
        let why = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        return found.invalid(place, why);
    };
    if domain.len() > validate::SUBDOMAIN_LEN_MAX {
        found.push(Error::too_long(place.path(), validate::SUBDOMAIN_LEN_MAX));
    }
    each_label(place, domain, validate::dns1123_label, found);
    if !domain.contains('.') {
        let why = "should be a domain with at least two segments separated by dots";
        found.push(Error::invalid(place.path(), domain, why));
    }
    each_label(place, path, validate::dns1123_subdomain, found);
    let max = 2 * validate::SUBDOMAIN_LEN_MAX + validate::LABEL_LEN_MAX + 2;
    texts::bytes_max(place, max, found);
}

/// Checks the labels of a part of a name, up to the first that is wrong.
fn each_label(place: &Place<'_>, part: &str, rule: fn(&str) -> Vec<String>, found: &mut Findings) {
    let mut checked = part.split('.').map(|label| (label, rule(label)));
    let wrong = checked.find(|(_, errors)| !errors.is_empty());
    let (label, errors) = wrong.unwrap_or_default();
    for error in errors {
        let why = format!("validating label {}: {error}", quote(label));
        found.push(Error::invalid(place.path(), part, why));
    }
}

/// Whether a signer is one of Kubernetes' own.
pub(crate) fn is_own_signer(name: &str) -> bool {
    let host = name.split_once('/').map_or(name, |(host, _)| host);
    host == "kubernetes.io" || host.ends_with(".kubernetes.io")
}

const KEY_TYPES: [&str; 6] = [
    "RSA3072",
    "RSA4096",
    "ECDSAP256",
    "ECDSAP384",
    "ECDSAP521",
    "ED25519",
];

fn certificate<'a>(
    part: &Place<'_>,
    value: &'a Value,
    paths: &mut Paths<'a, '_>,
    found: &mut Findings,
) {
    let signer = part.child("signerName");
    signer_name(&signer, found);
    user_annotations(&part.child("userAnnotations"), found);
    texts::choice(&part.child("keyType"), &KEY_TYPES, found);
    let expiration = part.child("maxExpirationSeconds");
    if let Some(seconds) = expiration.int() {
        if seconds < 3600 {
            let why = "if provided, maxExpirationSeconds must be >= 3600";
            found.invalid(&expiration, why);
        }
        let max = if is_own_signer(signer.text()) {
            OWN_EXPIRATION_MAX
        } else {
            EXPIRATION_MAX
        };
        if seconds > max {
            let why = format!("if provided, maxExpirationSeconds must be <= {max}");
            found.invalid(&expiration, why);
        }
    }
    let mut is_written = false;
    for field in ["credentialBundlePath", "keyPath", "certificateChainPath"] {
        let text = value.str_at(&[field]).unwrap_or_default();
        if !text.is_empty() {
            is_written = true;
            texts::local_path(&part.child(field), found);
            paths.take(text, text, found);
        }
    }
    if !is_written {
        let why = "specify at least one of credentialBundlePath, keyPath, and certificateChainPath";
        found.required(part, why);
    }
}

/// Checks annotations that a certificate shall have: their keys have a domain.
fn user_annotations(annotations: &Place<'_>, found: &mut Findings) {
    let mut bytes = 0;
    for (key, value) in annotations.entries() {
        bytes += key.len() + value.text().len();
        let lower = key.to_lowercase();
        if lower.is_empty() {
            found.required(annotations, "");
            continue;
        }
        let sentences = validate::qualified_name(&lower);
        if sentences.is_empty() && !lower.contains('/') {
            let why = "must be a domain-prefixed key (such as \"acme.io/foo\")";
            found.push(Error::invalid(annotations.path(), lower.as_str(), why));
        }
        for sentence in sentences {
            found.push(Error::invalid(annotations.path(), lower.as_str(), sentence));
        }
    }
    let max = api::meta::check::ANNOTATIONS_BYTES_MAX;
    if bytes > max {
        found.push(Error::too_long(annotations.path(), max));
    }
}
