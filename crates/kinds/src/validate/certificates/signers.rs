//! Names of signers: `example.com/name`.
//!
//! Source: k8s.io/kubernetes v1.37.1, pkg/apis/core/validation/names.go.

use api::{field::Error, names::validate as names, quote::quote};

use super::{Findings, Place};

/// Longest domain of a signer.
const DOMAIN_LEN_MAX: usize = 253;
/// Longest name: a domain, a slash, a namespace, a dot and a name.
const NAME_LEN_MAX: usize = 571;

/// Whether a signer is one of Kubernetes' own.
pub(super) fn is_kubernetes(name: &str) -> bool {
    let domain = name.split('/').next().unwrap_or_default();
    domain == "kubernetes.io" || domain.ends_with(".kubernetes.io")
}

/// Checks the name of a signer.
pub(super) fn name(place: &Place<'_>, found: &mut Findings) {
    let text = place.text();
    if text.is_empty() {
        found.required(place, "");
        return;
    }
    let Some((domain, path)) = text.split_once('/').filter(|(_, path)| !path.contains('/')) else {
        let detail =
            "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        found.invalid(place, detail);
        return;
    };
    if domain.len() > DOMAIN_LEN_MAX {
        found.push(Error::too_long(place.path(), DOMAIN_LEN_MAX));
    }
    labels(place, domain, names::dns1123_label, found);
    if !domain.contains('.') {
        let detail = "should be a domain with at least two segments separated by dots";
        found.push(Error::invalid(place.path(), domain, detail));
    }
    labels(place, path, names::dns1123_subdomain, found);
    if text.len() > NAME_LEN_MAX {
        found.push(Error::too_long(place.path(), NAME_LEN_MAX));
    }
}

/// Says what is wrong with the first of the labels that is wrong.
fn labels(place: &Place<'_>, part: &str, rule: fn(&str) -> Vec<String>, found: &mut Findings) {
    let mut wrong = part.split('.').map(|label| (label, rule(label)));
    if let Some((label, details)) = wrong.find(|(_, details)| !details.is_empty()) {
        for detail in details {
            let detail = format!("validating label {}: {detail}", quote(label));
            found.push(Error::invalid(place.path(), part, detail));
        }
    }
}
