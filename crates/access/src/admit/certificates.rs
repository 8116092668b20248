//! Who may approve and sign certificate signing requests, and whom they may name.
//!
//! Source: k8s.io/kubernetes, plugin/pkg/admission/certificates.

use api::{Value, quote::quote};
use base64::{Engine, engine::general_purpose::STANDARD};
use x509_parser::prelude::*;

use super::{Around, Operation, Refusal, Request};
use crate::user::MASTERS;

const GROUP: &str = "certificates.k8s.io";
const RESOURCE: &str = "certificatesigningrequests";
const CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client";

pub(super) fn approve(
    request: &Request<'_>,
    old: Option<&Value>,
    around: &Around<'_>,
) -> Result<(), Refusal> {
    if !is_update_of(request, "approval") {
        return Ok(());
    }
    let Some(old) = old else {
        return Ok(());
    };
    let signer = signer_of(old);
    if may(request, "approve", signer, around) {
        return Ok(());
    }
    let why = format!(
        "user not permitted to approve requests with signerName {}",
        quote(signer)
    );
    Err(request.forbidden(old, why))
}

pub(super) fn sign(
    request: &Request<'_>,
    object: &Value,
    old: Option<&Value>,
    around: &Around<'_>,
) -> Result<(), Refusal> {
    if !is_update_of(request, "status") {
        return Ok(());
    }
    let Some(old) = old else {
        return Ok(());
    };
    let same = |name| object.at(&["status", name]) == old.at(&["status", name]);
    if same("certificate") && same("conditions") {
        return Ok(());
    }
    let signer = signer_of(old);
    if may(request, "sign", signer, around) {
        return Ok(());
    }
    let why = format!(
        "user not permitted to sign requests with signerName {}",
        quote(signer)
    );
    Err(request.forbidden(object, why))
}

pub(super) fn subject(request: &Request<'_>, object: &Value) -> Result<(), Refusal> {
    if !request.creates(GROUP, RESOURCE) || signer_of(object) != CLIENT_SIGNER {
        return Ok(());
    }
    let refuse = |why: String| Err(request.forbidden(object, why));
    let encoded = object.str_at(&["spec", "request"]).unwrap_or_default();
    let groups = match organizations(encoded) {
        Ok(groups) => groups,
        Err(why) => return refuse(format!("failed to parse CSR: {why}")),
    };
    if groups.iter().any(|group| group == MASTERS) {
        let why = format!("use of {CLIENT_SIGNER} signer with system:masters group is not allowed");
        return refuse(why);
    }
    Ok(())
}

/// Returns the organisations that a request names; it is PEM in base64.
fn organizations(encoded: &str) -> Result<Vec<String>, String> {
    let malformed = || "PEM block type must be CERTIFICATE REQUEST".to_owned();
    let pem = STANDARD
        .decode(encoded)
        .map_err(|error| error.to_string())?;
    let (_, pem) = parse_x509_pem(&pem).map_err(|_| malformed())?;
    if pem.label != "CERTIFICATE REQUEST" {
        return Err(malformed());
    }
    let parsed = X509CertificationRequest::from_der(&pem.contents);
    let (_, parsed) = parsed.map_err(|error| error.to_string())?;
    let subject = &parsed.certification_request_info.subject;
    let names = subject.iter_organization();
    let names = names.filter_map(|name| name.as_str().ok());
    Ok(names.map(ToOwned::to_owned).collect())
}

fn is_update_of(request: &Request<'_>, subresource: &str) -> bool {
    request.operation == Operation::Update
        && request.resource == RESOURCE
        && request.group == GROUP
        && request.subresource == subresource
}

fn signer_of(object: &Value) -> &str {
    object.str_at(&["spec", "signerName"]).unwrap_or_default()
}

/// Returns whether the user may do this for a signer, or for all signers of its domain.
fn may(request: &Request<'_>, verb: &str, signer: &str, around: &Around<'_>) -> bool {
    let domain = signer.split('/').next().unwrap_or_default();
    let wide = format!("{domain}/*");
    [signer, &wide].into_iter().any(|name| {
        let attributes = request.also(verb, GROUP, "signers").named(name);
        let decision = around.allow.decide(&attributes, around.world);
        decision.is_allowed()
    })
}
