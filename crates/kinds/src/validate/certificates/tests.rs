//! What is wrong with requests for certificates and their answers.

use crate::validate::check_table;

/// A request signed by its key, in PEM and base 64.
const REQUEST: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIR01HNENBUUF3RERFS01BZ0dBMVVFQXd3QmRUQlpNQk1HQnlxR1NNNDlBZ0VHQ0NxR1NNNDlBd0VIQTBJQQpCTGU3M1Y3dG9oMlc4bVk1L1A5aFZXQmlmMzdCekZMdzFyUHY2WHRJZWh2NE5lS1VzS3Bnd3FaaEx4bSt4VXFyCldzYUpwR00yUW93Q01yNzR1eEEyVWFPZ0FEQUtCZ2dxaGtqT1BRUURBZ05JQURCRkFpQlRJelN6VzVjRGdlcWsKeUpoT3RXZWdKUXRVMXp6Zmg3djBLUE8wcXJOSW1RSWhBSzFQMjBHdHFmd0hTQmVyN3FSVTNLVXZlbVB3SDVmdQpGNnY5TmpVZTFhajQKLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg==";

#[track_caller]
fn check(of: (&str, &str), object: &str, old: Option<&str>, expected: &[&str]) {
    check_table(("certificates.k8s.io", of.0, of.1), object, old, expected);
}

fn request(more: &str) -> String {
    format!(
        r#"{{"spec":{{"request":"{REQUEST}","signerName":"example.com/s","usages":["client auth"]}}{more}}}"#
    )
}

const CSR: &str = "CertificateSigningRequest";

#[test]
fn requests_are_signed_and_say_what_for() {
    check((CSR, ""), &request(""), None, &[]);
    check(
        (CSR, ""),
        r#"{"spec":{"request":"","signerName":"a","usages":["x","x"],"expirationSeconds":5}}"#,
        None,
        &[
            r#"spec.request: Invalid value: "": PEM block type must be CERTIFICATE REQUEST"#,
            r#"spec.usages[0]: Unsupported value: "x": supported values: "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping""#,
            r#"spec.usages[1]: Unsupported value: "x": supported values: "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping""#,
            r#"spec.usages[1]: Duplicate value: "x""#,
            r#"spec.signerName: Invalid value: "a": must be a fully qualified domain and path of the form 'example.com/signer-name'"#,
            "spec.expirationSeconds: Invalid value: 5: may not specify a duration less than 600 seconds (10 minutes)",
        ],
    );
}

#[test]
fn who_decides_comes_through_another_door() {
    let approved = request(r#","status":{"conditions":[{"type":"Approved","status":"True"}]}"#);
    let open = request("");
    check((CSR, "approval"), &approved, Some(&open), &[]);
    check(
        (CSR, "status"),
        &approved,
        Some(&open),
        &["status.conditions: Forbidden: updates may not add a condition of type \"Approved\""],
    );
    check(
        (CSR, "approval"),
        &open,
        Some(&approved),
        &["status.conditions: Forbidden: updates may not remove a condition of type \"Approved\""],
    );
    let both = request(
        r#","status":{"conditions":[{"type":"Approved","status":"True"},{"type":"Denied","status":"True"}]}"#,
    );
    check(
        (CSR, "approval"),
        &both,
        Some(&open),
        &[
            r#"status.conditions: Invalid value: "{conditions[{\"type\": \"Approved\"}], conditions[{\"type\": \"Denied\"}]}": must specify at most one of: `conditions[{"type": "Approved"}]`, `conditions[{"type": "Denied"}]`"#,
        ],
    );
}

#[test]
fn certificates_are_set_once_by_the_signer() {
    let with =
        |certificate: &str| request(&format!(r#","status":{{"certificate":"{certificate}"}}"#));
    check(
        (CSR, "status"),
        &with("YQ=="),
        Some(&request("")),
        &[
            r#"status.certificate: Invalid value: "<certificate data>": must contain at least one CERTIFICATE PEM block"#,
        ],
    );
    check(
        (CSR, "approval"),
        &with("YQ=="),
        Some(&with("Yg==")),
        &["status.certificate: Forbidden: updates may not set certificate content"],
    );
    check(
        (CSR, "status"),
        &with("YQ=="),
        Some(&with("Yg==")),
        &["status.certificate: Forbidden: updates may not modify existing certificate content"],
    );
}

#[test]
fn bundles_hold_anchors_and_are_named_after_signers() {
    check(
        ("ClusterTrustBundle", ""),
        r#"{"metadata":{"name":"x"},"spec":{"signerName":"example.com/s","trustBundle":"-----BEGIN X-----\n-----END X-----\n-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n"}}"#,
        None,
        &[
            r#"metadata.name: Invalid value: "x": ClusterTrustBundle for signerName example.com/s must be named with prefix example.com:s:"#,
            r#"spec.trustBundle: Invalid value: "<value omitted>": entry 0 has bad block type: X"#,
            r#"spec.trustBundle: Invalid value: "<value omitted>": entry 1 does not parse as X.509"#,
        ],
    );
    check(
        ("ClusterTrustBundle", ""),
        r#"{"metadata":{"name":"x"},"spec":{"trustBundle":""}}"#,
        None,
        &[
            r#"spec.trustBundle: Invalid value: "<value omitted>": at least one trust anchor must be provided"#,
        ],
    );
}

#[test]
fn pods_prove_that_they_have_the_key() {
    let spec = |keys: &str| {
        format!(
            r#"{{"spec":{{"signerName":"example.com/s","podName":"p","podUID":"u","serviceAccountName":"s","serviceAccountUID":"u","nodeName":"n","nodeUID":"u","maxExpirationSeconds":3600{keys}}}}}"#
        )
    };
    check(
        ("PodCertificateRequest", ""),
        &spec(""),
        None,
        &[
            "spec: Invalid value: exactly one of (stubPKCS10Request) or (pkixPublicKey, proofOfPossession) must be set",
        ],
    );
    check(
        ("PodCertificateRequest", ""),
        &spec(r#","stubPKCS10Request":"YQ==""#),
        None,
        &["spec.stubPKCS10Request: Invalid value: must be a valid PKCS#10 CSR"],
    );
}
