//! Bundles of certificates that are trusted.

use api::{field::Error, names::validate as names};

use super::{Findings, Subject, pem, signers};

const BYTES_MAX: usize = 1024 * 1024;
const OMITTED: &str = "<value omitted>";

pub(super) fn bundle(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (metadata, spec) = (root.child("metadata"), root.child("spec"));
    let signer = spec.child("signerName");
    let name = metadata.child("name");
    if !name.text().is_empty() {
        found.each_invalid_text(&name, wrong_name(name.text(), signer.text()));
    }
    if !signer.text().is_empty() {
        signers::name(&signer, found);
    }
    let old_spec = old.child("spec");
    let trust = spec.child("trustBundle");
    let is_kept = subject.old.is_some() && old_spec.child("trustBundle").text() == trust.text();
    if !is_kept {
        for error in wrong_bundle(trust.text()) {
            match error {
                None => found.push(Error::too_long(trust.path(), BYTES_MAX)),
                Some(detail) => found.push(Error::invalid(trust.path(), OMITTED, detail)),
            }
        }
    }
    if subject.old.is_some() && old_spec.child("signerName").text() != signer.text() {
        found.invalid_text(&signer, "field is immutable");
    }
}

fn wrong_name(name: &str, signer: &str) -> Vec<String> {
    if signer.is_empty() {
        if name.contains(':') {
            let detail = "ClusterTrustBundle without signer name must not have \":\" in its name";
            return vec![String::from(detail)];
        }
        return names::dns1123_subdomain(name);
    }
    let prefix = format!("{}:", signer.replace('/', ":"));
    match name.strip_prefix(&prefix) {
        Some(rest) => names::dns1123_subdomain(rest),
        None => vec![format!(
            "ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}"
        )],
    }
}

/// Says what is wrong with certificates in PEM; `None` is that they are too long.
fn wrong_bundle(text: &str) -> Vec<Option<String>> {
    if text.len() > BYTES_MAX {
        return vec![None];
    }
    let mut rest = text.as_bytes();
    let mut wrong = Vec::new();
    let mut anchors: Vec<(Vec<u8>, Vec<usize>)> = Vec::new();
    let mut index = 0;
    while let Some((block, after)) = pem::decode(rest) {
        rest = after;
        if let Some(detail) = wrong_anchor(&block) {
            wrong.push(Some(format!("entry {index} {detail}")));
        } else {
            let known = anchors.iter_mut().find(|(bytes, _)| *bytes == block.bytes);
            match known {
                Some((_, places)) => places.push(index),
                None => anchors.push((block.bytes, vec![index])),
            }
        }
        index += 1;
    }
    if !wrong.is_empty() {
        return wrong;
    }
    if anchors.is_empty() {
        let detail = "at least one trust anchor must be provided";
        return vec![Some(String::from(detail))];
    }
    let twice = anchors.iter().filter(|(_, places)| places.len() > 1);
    let twice = twice.map(|(_, places)| {
        let places: Vec<String> = places.iter().map(usize::to_string).collect();
        Some(format!(
            "duplicate trust anchor (indices [{}])",
            places.join(" ")
        ))
    });
    twice.collect()
}

fn wrong_anchor(block: &pem::Block) -> Option<String> {
    if block.kind != "CERTIFICATE" {
        return Some(format!("has bad block type: {}", block.kind));
    }
    if block.has_headers {
        return Some(String::from("has PEM block headers"));
    }
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(&block.bytes) else {
        return Some(String::from("does not parse as X.509"));
    };
    let basics = certificate.basic_constraints().ok().flatten();
    match basics {
        Some(basics) if basics.value.ca => None,
        _ => Some(String::from("does not have the CA bit set")),
    }
}
