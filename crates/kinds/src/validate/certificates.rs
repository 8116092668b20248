//! What is wrong with requests for certificates, and with bundles of those that are trusted.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/certificates/validation/validation.go and the rules
//! of its types.

mod bundles;
mod pem;
mod pods;
mod signers;

use api::{
    Value,
    field::{Error, Shown},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use x509_parser::{certification_request::X509CertificationRequest, prelude::FromDer as _};

use super::{Check, Findings, Place, Subject, tags::same};

const SECONDS_MIN: i64 = 600;

const USAGES: [&str; 23] = [
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

const LEGACY_SIGNER: &str = "kubernetes.io/legacy-unknown";

/// Returns the check of a kind behind a door.
pub(super) fn of(kind: &str, door: &str) -> Option<Check> {
    match (kind, door) {
        ("CertificateSigningRequest", "" | "status" | "approval") => Some(request),
        ("ClusterTrustBundle", "") => Some(bundles::bundle),
        ("PodCertificateRequest", "") => Some(pods::request),
        ("PodCertificateRequest", "status") => Some(pods::status),
        _ => None,
    }
}

fn request(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (spec, old_spec) = (root.child("spec"), old.child("spec"));
    let body = spec.child("request");
    if let Some(detail) = wrong_request(body.text()) {
        found.invalid(&body, detail);
    }
    usages(&spec.child("usages"), &old_spec.child("usages"), found);
    let signer = spec.child("signerName");
    let was_legacy = old_spec.child("signerName").text() == LEGACY_SIGNER;
    if signer.text() == LEGACY_SIGNER && !was_legacy {
        let detail = "the legacy signerName is not allowed via this API version";
        found.invalid(&signer, detail);
    } else {
        signers::name(&signer, found);
    }
    let seconds = spec.child("expirationSeconds");
    if seconds.int().is_some_and(|given| given < SECONDS_MIN) {
        let detail = "may not specify a duration less than 600 seconds (10 minutes)";
        found.invalid(&seconds, detail);
    }
    let (status, old_status) = (root.child("status"), old.child("status"));
    let (list, old_list) = (status.child("conditions"), old_status.child("conditions"));
    conditions(&list, &old_list, found);
    certificate(subject, &status, &old_status, found);
    if subject.old.is_some() {
        decisions(subject.occasion.subresource, &list, &old_list, found);
        let place = status.child("certificate");
        let was = old_status.child("certificate");
        let set = (subject.occasion.subresource == "status", was.text());
        match set {
            _ if place.text() == was.text() => {}
            (false, _) => found.forbidden(&place, "updates may not set certificate content"),
            (true, "") => {}
            (true, _) => {
                let detail = "updates may not modify existing certificate content";
                found.forbidden(&place, detail);
            }
        }
    }
    both_decided(&list, &old_list, subject.old.is_some(), found);
}

/// Says why bytes in base 64 are no signed request in PEM.
fn wrong_request(text: &str) -> Option<String> {
    let bytes = STANDARD.decode(text).unwrap_or_default();
    let (block, _) = match pem::decode(&bytes) {
        Some((block, rest)) if block.kind == "CERTIFICATE REQUEST" => (block, rest),
        _ => {
            let detail = "PEM block type must be CERTIFICATE REQUEST";
            return Some(String::from(detail));
        }
    };
    let Ok((_, request)) = X509CertificationRequest::from_der(&block.bytes) else {
        return Some(String::from("asn1: syntax error: data truncated"));
    };
    wrong_signature(&request).map(String::from)
}

/// Says that a request was not signed by its key. What we cannot check we believe.
fn wrong_signature(request: &X509CertificationRequest<'_>) -> Option<&'static str> {
    use x509_parser::{error::X509Error, oid_registry as oid};

    match request.verify_signature() {
        Ok(()) | Err(X509Error::SignatureUnsupportedAlgorithm) => None,
        Err(_) => {
            let algorithm = &request.signature_algorithm.algorithm;
            let ecdsa = [
                oid::OID_SIG_ECDSA_WITH_SHA256,
                oid::OID_SIG_ECDSA_WITH_SHA384,
                oid::OID_SIG_ECDSA_WITH_SHA512,
            ];
            Some(if ecdsa.contains(algorithm) {
                "x509: ECDSA verification failure"
            } else if *algorithm == oid::OID_SIG_ED25519 {
                "x509: Ed25519 verification failure"
            } else {
                "crypto/rsa: verification error"
            })
        }
    }
}

fn has_twice(list: &[Value]) -> bool {
    let mut places = list.iter().enumerate();
    places.any(|(index, one)| list[..index].contains(one))
}

fn usages(usages: &Place<'_>, old: &Place<'_>, found: &mut Findings) {
    let known = |usage: &Value| USAGES.contains(&usage.as_str().unwrap_or_default());
    if usages.len() == 0 {
        found.required(usages, "");
    }
    if old.list().iter().all(known) {
        for usage in usages
            .items()
            .filter(|usage| !USAGES.contains(&usage.text()))
        {
            found.not_supported(&usage, &USAGES);
        }
    }
    if !has_twice(old.list()) {
        for (index, usage) in usages.items().enumerate() {
            if usages.list()[..index].contains(&usages.list()[index]) {
                found.duplicate(&usage);
            }
        }
    }
}

fn kind(condition: &Value) -> &str {
    condition.str_at(&["type"]).unwrap_or_default()
}

fn conditions(list: &Place<'_>, old: &Place<'_>, found: &mut Findings) {
    let had_empty = old.list().iter().any(|one| kind(one).is_empty());
    let mut places = old.list().iter().enumerate();
    let had_twice = places.any(|(index, one)| {
        let mut earlier = old.list()[..index].iter();
        earlier.any(|before| kind(before) == kind(one))
    });
    for (index, condition) in list.items().enumerate() {
        let name = condition.child("type");
        if name.text().is_empty() && !had_empty {
            found.required(&name, "");
        }
        let allowed: &[&str] = match name.text() {
            "Approved" | "Denied" | "Failed" => &["True"],
            _ => &["False", "True", "Unknown"],
        };
        let status = condition.child("status");
        if status.text().is_empty() {
            found.required(&status, "");
        } else if !allowed.contains(&status.text()) {
            found.not_supported(&status, allowed);
        }
        let mut earlier = list.list()[..index].iter();
        if !had_twice && earlier.any(|one| kind(one) == name.text()) {
            found.push(Error::duplicate(name.path(), name.text()));
        }
    }
}

/// A request is not approved and denied; the rules of its type say so last.
fn both_decided(list: &Place<'_>, old: &Place<'_>, is_update: bool, found: &mut Findings) {
    let has = |list: &Place<'_>, wanted: &str| list.list().iter().any(|one| kind(one) == wanted);
    let both = ["Approved", "Denied"];
    let mut pairs = both.iter();
    let is_kept = is_update && pairs.all(|one| has(list, one) == has(old, one));
    if !is_kept && both.iter().all(|one| has(list, one)) {
        let shown = both.map(|one| format!(r#"conditions[{{"type": "{one}"}}]"#));
        let detail = shown.each_ref().map(|one| format!("`{one}`")).join(", ");
        let shown = Shown::from(&format!("{{{}}}", shown.join(", ")));
        let detail = format!("must specify at most one of: {detail}");
        found.push(Error::invalid(list.path(), shown, detail));
    }
}

fn certificate(subject: &Subject<'_>, status: &Place<'_>, old: &Place<'_>, found: &mut Findings) {
    let (place, was) = (status.child("certificate"), old.child("certificate"));
    let tolerated = subject.old.is_some()
        && (place.text() == was.text() || wrong_certificates(was.text()).is_some());
    if let Some(detail) = wrong_certificates(place.text())
        && !tolerated
    {
        let shown = "<certificate data>";
        found.push(Error::invalid(place.path(), shown, detail));
    }
}

/// Says why bytes in base 64 are no certificates in PEM.
fn wrong_certificates(text: &str) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    let bytes = STANDARD.decode(text).unwrap_or_default();
    let mut rest = bytes.as_slice();
    let mut count = 0;
    while let Some((block, after)) = pem::decode(rest) {
        rest = after;
        if block.kind != "CERTIFICATE" {
            let found = api::quote::quote(&block.kind);
            return Some(format!(
                "only CERTIFICATE PEM blocks are allowed, found {found}"
            ));
        }
        if block.has_headers {
            return Some(String::from("no PEM block headers are permitted"));
        }
        count += 1;
        if x509_parser::parse_x509_certificate(&block.bytes).is_err() {
            return Some(String::from("x509: malformed certificate"));
        }
    }
    let none = "must contain at least one CERTIFICATE PEM block";
    (count == 0).then(|| String::from(none))
}

/// Whether a request is approved is said through its own subresource, which has its own rights.
fn decisions(door: &str, list: &Place<'_>, old: &Place<'_>, found: &mut Findings) {
    let of_kind = |list: &Place<'_>, wanted: &str| -> Vec<Value> {
        let all = list.list().iter().filter(|one| kind(one) == wanted);
        all.cloned().collect()
    };
    for wanted in ["Approved", "Denied", "Failed"] {
        if of_kind(list, wanted).len() < of_kind(old, wanted).len() {
            let detail = format!("updates may not remove a condition of type \"{wanted}\"");
            found.forbidden(list, &detail);
        }
    }
    if door == "approval" {
        return;
    }
    for wanted in ["Approved", "Denied"] {
        let (now, was) = (of_kind(list, wanted), of_kind(old, wanted));
        if now.len() > was.len() {
            let detail = format!("updates may not add a condition of type \"{wanted}\"");
            found.forbidden(list, &detail);
        } else if now.len() == was.len() {
            let (now, was) = (Value::Array(now), Value::Array(was));
            let place = |value| Place::new(Some(value), *list.path());
            if !same(&place(&now), &place(&was)) {
                let detail = format!("updates may not modify a condition of type \"{wanted}\"");
                found.forbidden(list, &detail);
            }
        }
    }
}

#[cfg(test)]
mod tests;
