//! Requests for certificates that pods make.

use api::{
    Value,
    field::{Error, Shown},
    time,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use x509_parser::{
    certification_request::X509CertificationRequest,
    prelude::{FromDer as _, SubjectPublicKeyInfo},
    public_key::PublicKey,
};

use super::{Findings, Place, Subject, pem, signers, wrong_signature};
use crate::validate::{conditions, gostruct, labels, tags, texts};

const UID_LEN_MAX: usize = 128;
const KEY_BYTES_MAX: usize = 10 * 1024;
const CHAIN_BYTES_MAX: usize = 100 * 1024;
const HOUR_SECONDS: i64 = 60 * 60;
const DAY_SECONDS: i64 = 24 * HOUR_SECONDS;
const UNVERIFIED: &str = "could not verify proof-of-possession signature";
const STRANGE_KEY: &str = "unknown public key type; supported types are Ed25519, ECDSA, and RSA";

pub(super) fn request(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let spec = root.child("spec");
    if subject.old.is_some() {
        if !tags::same(&spec, &old.child("spec")) {
            let shown = gostruct::shown(&spec, "PodCertificateRequestSpec");
            found.push(Error::invalid(spec.path(), shown, "field is immutable"));
        }
        return;
    }
    let signer = spec.child("signerName");
    signers::name(&signer, found);
    annotations(&spec.child("unverifiedUserAnnotations"), found);
    for (name, uid) in [
        ("podName", "podUID"),
        ("serviceAccountName", "serviceAccountUID"),
        ("nodeName", "nodeUID"),
    ] {
        texts::subdomain(&spec.child(name), found);
        let uid = spec.child(uid);
        if uid.text().is_empty() {
            found.invalid_text(&uid, "must not be empty");
        }
        texts::bytes_max(&uid, UID_LEN_MAX, found);
    }
    let seconds = spec.child("maxExpirationSeconds");
    let Some(given) = seconds.int() else {
        found.required(&seconds, "must be set");
        return;
    };
    let most = match signers::is_kubernetes(signer.text()) {
        true => DAY_SECONDS,
        false => 91 * DAY_SECONDS,
    };
    if !(HOUR_SECONDS..=most).contains(&given) {
        found.invalid(
            &seconds,
            format!("must be in the range [{HOUR_SECONDS}, {most}]"),
        );
    }
    let is_given = |name| !spec.child(name).text().is_empty();
    let keys = ["stubPKCS10Request", "pkixPublicKey", "proofOfPossession"].map(is_given);
    match keys {
        [true, false, false] => stub(&spec.child("stubPKCS10Request"), found),
        [false, true, true] => key(&spec, found),
        _ => {
            let detail = "exactly one of (stubPKCS10Request) or (pkixPublicKey, proofOfPossession) must be set";
            found.push(Error::invalid(spec.path(), Shown::OMITTED, detail));
        }
    }
}

fn annotations(map: &Place<'_>, found: &mut Findings) {
    let mut bytes = 0;
    for (key, value) in map.entries() {
        bytes += key.len() + value.text().len();
        let key = key.to_lowercase();
        if key.is_empty() {
            found.required(map, "");
            continue;
        }
        let before = found.len();
        labels::key_at(map.path(), &key, found);
        if found.len() == before && !key.contains('/') {
            let detail = "must be a domain-prefixed key (such as \"acme.io/foo\")";
            found.push(Error::invalid(map.path(), &key, detail));
        }
    }
    if bytes > api::meta::check::ANNOTATIONS_BYTES_MAX {
        let most = api::meta::check::ANNOTATIONS_BYTES_MAX;
        found.push(Error::too_long(map.path(), most));
    }
}

fn bytes(place: &Place<'_>) -> Vec<u8> {
    STANDARD.decode(place.text()).unwrap_or_default()
}

fn omitted(place: &Place<'_>, detail: &str, found: &mut Findings) {
    found.push(Error::invalid(place.path(), Shown::OMITTED, detail));
}

fn stub(place: &Place<'_>, found: &mut Findings) {
    let given = bytes(place);
    if given.len() > KEY_BYTES_MAX {
        found.push(Error::too_long(place.path(), KEY_BYTES_MAX));
        return;
    }
    let Ok((_, request)) = X509CertificationRequest::from_der(&given) else {
        omitted(place, "must be a valid PKCS#10 CSR", found);
        return;
    };
    let info = &request.certification_request_info.subject_pki;
    match wrong_key(info) {
        Some((Some(shown), detail)) => {
            let detail = detail.replace("P256 or P384", "P256, P384, or P521");
            found.push(Error::invalid(place.path(), &shown, detail));
        }
        Some((None, detail)) => omitted(place, detail, found),
        None if wrong_signature(&request).is_some() => omitted(place, "invalid signature", found),
        None => {}
    }
}

/// Says what is wrong with a key, and what of it is shown.
fn wrong_key(info: &SubjectPublicKeyInfo<'_>) -> Option<(Option<String>, &'static str)> {
    use x509_parser::oid_registry as oid;

    match info.parsed() {
        Ok(PublicKey::RSA(key)) => {
            let bits = key.key_size();
            let detail = "RSA keys must have modulus size 3072 or 4096";
            let is_well = matches!(bits, 3072 | 4096);
            (!is_well).then(|| (Some(format!("{bits}-bit modulus")), detail))
        }
        Ok(PublicKey::EC(_)) => {
            let curve = info.algorithm.parameters.as_ref();
            let curve = curve.and_then(|curve| curve.as_oid().ok());
            let known = [
                oid::OID_EC_P256,
                oid::OID_NIST_EC_P384,
                oid::OID_NIST_EC_P521,
            ];
            let is_well = curve.is_some_and(|curve| known.contains(&curve));
            let detail = "elliptic public keys must use curve P256 or P384";
            (!is_well).then(|| (Some(String::from("curve P-224")), detail))
        }
        _ if info.algorithm.algorithm == oid::OID_SIG_ED25519 => None,
        _ => Some((None, STRANGE_KEY)),
    }
}

fn key(spec: &Place<'_>, found: &mut Findings) {
    let (place, proof) = (spec.child("pkixPublicKey"), spec.child("proofOfPossession"));
    let (given, signature) = (bytes(&place), bytes(&proof));
    for (place, given) in [(&place, &given), (&proof, &signature)] {
        if given.len() > KEY_BYTES_MAX {
            found.push(Error::too_long(place.path(), KEY_BYTES_MAX));
            return;
        }
    }
    let Ok((_, info)) = SubjectPublicKeyInfo::from_der(&given) else {
        found.invalid(&place, "must be a valid PKIX-serialized public key");
        return;
    };
    match wrong_key(&info) {
        Some((Some(shown), detail)) => {
            found.push(Error::invalid(place.path(), &shown, detail));
        }
        Some((None, detail)) => found.invalid(&place, detail),
        None => {
            let uid = spec.child("podUID").text();
            if !proves(&info, uid.as_bytes(), &signature) {
                omitted(&proof, UNVERIFIED, found);
            }
        }
    }
}

/// Whether a signature of these bytes was made by the key; what we cannot check we believe.
fn proves(info: &SubjectPublicKeyInfo<'_>, signed: &[u8], signature: &[u8]) -> bool {
    use ring::signature as ring;
    use x509_parser::oid_registry as oid;

    let curve = info.algorithm.parameters.as_ref();
    let curve = curve.and_then(|curve| curve.as_oid().ok());
    let algorithm: &dyn ring::VerificationAlgorithm = match info.parsed() {
        Ok(PublicKey::RSA(_)) => &ring::RSA_PSS_2048_8192_SHA256,
        Ok(PublicKey::EC(_)) if curve.as_ref() == Some(&oid::OID_EC_P256) => {
            &ring::ECDSA_P256_SHA256_ASN1
        }
        Ok(PublicKey::EC(_)) if curve.as_ref() == Some(&oid::OID_NIST_EC_P384) => {
            &ring::ECDSA_P384_SHA256_ASN1
        }
        Ok(PublicKey::EC(_)) => return true,
        _ => &ring::ED25519,
    };
    let key = ring::UnparsedPublicKey::new(algorithm, &info.subject_public_key.data);
    key.verify(signed, signature).is_ok()
}

const ENDS: [&str; 3] = ["Issued", "Denied", "Failed"];

fn has(conditions: &Place<'_>, kind: &str) -> bool {
    conditions
        .list()
        .iter()
        .any(|one| one.str_at(&["type"]) == Some(kind) && one.str_at(&["status"]) == Some("True"))
}

pub(super) fn status(subject: &Subject<'_>, found: &mut Findings) {
    let (root, old) = (subject.root(), subject.old_root());
    let (status, old_status) = (root.child("status"), old.child("status"));
    let list = status.child("conditions");
    let mut known = 0;
    for (index, condition) in list.items().enumerate() {
        // The place of an item is a name of its own here, as upstream has it.
        let step = format!("[{index}]");
        let item = list.path().child(&step);
        let (kind, holds) = (condition.child("type"), condition.child("status"));
        if ENDS.contains(&kind.text()) {
            known += 1;
            if known > 1 {
                let detail = r#"There may be at most one condition with type "Issued", "Denied", or "Failed""#;
                found.push(Error::invalid(&item.child("type"), kind.text(), detail));
            }
            if holds.text() != "True" {
                let at = item.child("status");
                found.push(Error::not_supported(&at, holds.text(), &["True"]));
            }
        } else {
            let at = item.child("type");
            found.push(Error::not_supported(&at, kind.text(), &ENDS));
        }
    }
    conditions::check(&list, found);
    if !found.is_empty() {
        return;
    }
    let old_list = old_status.child("conditions");
    if ENDS.iter().any(|end| has(&old_list, end)) {
        if !tags::same(&status, &old_status) {
            let detail = "immutable after PodCertificateRequest is issued, denied, or failed";
            omitted(&status, detail, found);
        }
    } else if has(&list, "Denied") || has(&list, "Failed") {
        let object = status.value().and_then(Value::as_object);
        let mut others = object.into_iter().flat_map(api::Object::iter);
        if others.any(|(name, value)| name != "conditions" && !tags::is_blank(Some(value))) {
            let detail = "non-condition status fields must be empty when denying or failing the PodCertificateRequest";
            omitted(&status, detail, found);
        }
    } else if has(&list, "Issued") {
        issued(subject, &status, found);
    } else if !tags::same(&status, &old_status) {
        let detail =
            r#"status is immutable unless transitioning to "Issued", "Denied", or "Failed""#;
        omitted(&status, detail, found);
    }
}

fn issued(subject: &Subject<'_>, status: &Place<'_>, found: &mut Findings) {
    let chain = status.child("certificateChain");
    if chain.text().len() > CHAIN_BYTES_MAX {
        found.push(Error::too_long(chain.path(), CHAIN_BYTES_MAX));
        return;
    }
    let Some((leaf, rest)) = pem::decode(chain.text().as_bytes()) else {
        let detail = "issued certificate chain must contain at least one certificate";
        found.invalid_text(&chain, detail);
        return;
    };
    if leaf.kind != "CERTIFICATE" {
        let detail = "issued certificate chain must consist entirely of CERTIFICATE PEM blocks";
        found.invalid_text(&chain, detail);
        return;
    }
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(&leaf.bytes) else {
        let detail = "leaf certificate does not parse as valid X.509";
        found.invalid_text(&chain, detail);
        return;
    };
    let old = subject.old_root();
    let spec = old.child("spec");
    let wanted = wanted_key(&spec);
    if wanted.is_some_and(|wanted| wanted != certificate.public_key().raw) {
        let detail = "leaf certificate was not issued to the requested public key";
        found.invalid_text(&chain, detail);
        return;
    }
    let validity = certificate.validity();
    let (begins, ends) = (
        validity.not_before.timestamp(),
        validity.not_after.timestamp(),
    );
    if !times(subject, status, begins, ends, found) {
        return;
    }
    let mut rest = rest;
    while let Some((block, after)) = pem::decode(rest) {
        rest = after;
        let is_certificate = block.kind == "CERTIFICATE";
        if !is_certificate {
            let detail = "issued certificate chain must consist entirely of CERTFICATE PEM blocks";
            found.invalid_text(&chain, detail);
            return;
        }
        if x509_parser::parse_x509_certificate(&block.bytes).is_err() {
            let detail = "intermediate certificate does not parse as valid X.509";
            found.invalid_text(&chain, detail);
            return;
        }
    }
}

/// Returns the key that was asked for, as it is written.
fn wanted_key(spec: &Place<'_>) -> Option<Vec<u8>> {
    let request = bytes(&spec.child("stubPKCS10Request"));
    if request.is_empty() {
        return Some(bytes(&spec.child("pkixPublicKey")));
    }
    let (_, request) = X509CertificationRequest::from_der(&request).ok()?;
    Some(request.certification_request_info.subject_pki.raw.to_vec())
}

/// Checks what the status says of the time in which the certificate is good; says whether it is
/// right.
fn times(
    subject: &Subject<'_>,
    status: &Place<'_>,
    begins: i64,
    ends: i64,
    found: &mut Findings,
) -> bool {
    let before = found.len();
    let consistent = "must be present and consistent with the issued certificate";
    let fields = [
        ("notBefore", consistent),
        ("notAfter", consistent),
        (
            "beginRefreshAt",
            "must be present and in the range [notbefore+10min, notafter-10min]",
        ),
    ];
    for (field, detail) in fields {
        let place = status.child(field);
        if !place.is_set() {
            found.required(&place, detail);
        }
    }
    if found.len() > before {
        return false;
    }
    let [first, last, refresh] = fields.map(|(field, _)| {
        let place = status.child(field);
        time::parse(place.text()).map_or(0, |time| time.secs())
    });
    let spec = subject.object.at(&["spec", "maxExpirationSeconds"]);
    let most = spec.and_then(Value::as_int).unwrap_or(0);
    let now = subject.occasion.now.secs();
    let wrong = if first != begins {
        (
            "notBefore",
            "must be set to the NotBefore time encoded in the leaf certificate",
        )
    } else if (first - now).abs() >= 5 * 60 {
        (
            "notBefore",
            "must be set to within 5 minutes of kube-apiserver's current time",
        )
    } else if last != ends {
        (
            "notAfter",
            "must be set to the NotAfter time encoded in the leaf certificate",
        )
    } else if ends - begins < HOUR_SECONDS {
        let detail = "leaf certificate lifetime must be >= 1 hour";
        lifetime(status, ends - begins, detail, found);
        return false;
    } else if ends - begins > most {
        let detail =
            format!("leaf certificate lifetime must be <= spec.maxExpirationSeconds ({most})");
        lifetime(status, ends - begins, &detail, found);
        return false;
    } else if refresh < first + 10 * 60 {
        (
            "beginRefreshAt",
            "must be at least 10 minutes after status.notBefore",
        )
    } else if refresh > last - 10 * 60 {
        (
            "beginRefreshAt",
            "must be at least 10 minutes before status.notAfter",
        )
    } else {
        return true;
    };
    found.invalid(&status.child(wrong.0), wrong.1);
    false
}

/// Go prints a duration as its nanoseconds.
fn lifetime(status: &Place<'_>, seconds: i64, detail: &str, found: &mut Findings) {
    let chain = status.child("certificateChain");
    let nanos = seconds.saturating_mul(1_000_000_000);
    found.push(Error::invalid(chain.path(), nanos, detail));
}
