//! The administrator's kubeconfig.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::Identities;

/// Returns a kubeconfig that makes kubectl an administrator of the server at `url`.
#[must_use]
pub fn render(identities: &Identities, url: &str) -> String {
    let ca = STANDARD.encode(&identities.ca);
    let certificate = STANDARD.encode(&identities.admin.certificate);
    let key = STANDARD.encode(&identities.admin.key);
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: pintle
  cluster:
    server: {url}
    certificate-authority-data: {ca}
users:
- name: admin
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
contexts:
- name: pintle
  context:
    cluster: pintle
    user: admin
current-context: pintle
"
    )
}
