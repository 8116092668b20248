//! The group `certificates.k8s.io`.

use schema::Cell;

use super::{
    Cells, NONE, Row,
    human::{human, labels},
    text, text_or,
};

pub(super) fn of(kind: &str) -> Option<Cells> {
    Some(match kind {
        "CertificateSigningRequest" => signing_request,
        "ClusterTrustBundle" => trust_bundle,
        "PodCertificateRequest" => pod_request,
        _ => return None,
    })
}

fn signing_request(row: Row<'_>) -> Vec<Cell> {
    let asked = row.at(&["spec", "expirationSeconds"]);
    let asked = asked.map(|seconds| human(seconds.int(&[]).saturating_mul(1_000_000)));
    let has = |kind: &str| row.condition(&["status", "conditions"], kind).is_some();
    let mut state = match (has("Denied"), has("Approved")) {
        (true, _) => "Denied",
        (false, true) => "Approved",
        (false, false) => "Pending",
    }
    .to_owned();
    if has("Failed") {
        state.push_str(",Failed");
    }
    if !row.text(&["status", "certificate"]).is_empty() {
        state.push_str(",Issued");
    }
    vec![
        row.name(),
        row.age(),
        text_or(row.text(&["spec", "signerName"]), NONE),
        row.text(&["spec", "username"]).into(),
        text(asked.unwrap_or_else(|| NONE.to_owned())),
        text(state),
    ]
}

fn trust_bundle(row: Row<'_>) -> Vec<Cell> {
    let signer = text_or(row.text(&["spec", "signerName"]), NONE);
    vec![row.name(), signer]
}

fn pod_request(row: Row<'_>) -> Vec<Cell> {
    // The states exclude each other; the last one stands.
    let state = row
        .items(&["status", "conditions"])
        .map(|condition| condition.text(&["type"]))
        .rfind(|kind| matches!(*kind, "Issued" | "Denied" | "Failed"));
    let annotations = row.pairs(&["spec", "unverifiedUserAnnotations"]);
    vec![
        row.name(),
        row.text(&["spec", "podName"]).into(),
        row.text(&["spec", "serviceAccountName"]).into(),
        row.text(&["spec", "nodeName"]).into(),
        row.text(&["spec", "signerName"]).into(),
        state.unwrap_or("Pending").into(),
        text(labels(&annotations)),
    ]
}
