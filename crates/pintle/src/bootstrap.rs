//! What every cluster begins with: namespaces, roles, flow control, priority classes.
//!
//! The objects come as values from the rooms that own them. [`plan`] says which are missing,
//! [`run`] asks the server for them like any client would, before the first client is told that
//! the server is ready. Started on an old directory it costs one list per resource.

use std::collections::{BTreeMap, BTreeSet};

use api::{Value, json, value};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use kit::Client;

/// Requests that wait for the store together, so that one sync covers many.
const TOGETHER_MAX: usize = 64;

/// The address of the `kubernetes` Service: the first of the default service range 10.96.0.0/12,
/// as kubeadm has it.
const SERVICE_ADDRESS: &str = "10.96.0.1";

/// Namespaces that upstream's server creates, in its order.
const NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// One object that a cluster begins with.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Path of its collection: `/api/v1/namespaces`.
    pub collection: String,
    /// The object.
    pub object: Value,
}

/// Objects of one stage may be created in any order; a later stage needs the earlier.
pub type Stage = Vec<Wanted>;

/// Why the cluster's first objects are not there.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// A request was refused or lost.
    #[error("cannot set up {path}")]
    Request {
        /// What was asked.
        path: String,
        /// What came back.
        #[source]
        source: kit::Error,
    },
    /// The server's own answer cannot be read.
    #[error("cannot read the list of {path}: {what}")]
    Answer {
        /// What was asked.
        path: String,
        /// What is wrong with it.
        what: String,
    },
}

/// Returns the objects, in stages: namespaces first, then what lies in them.
#[must_use]
pub fn wanted(data: Vec<Wanted>, front_proxy_ca: &str, client_ca: &str) -> [Stage; 2] {
    let namespaces = NAMESPACES
        .iter()
        .map(|name| Wanted {
            collection: "/api/v1/namespaces".to_owned(),
            object: value!({
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": (*name)}
            }),
        })
        .collect();
    let mut rest = data;
    rest.push(authentication_map(front_proxy_ca, client_ca));
    rest.push(kubernetes_service());
    [namespaces, rest]
}

/// What aggregated servers read to know whom to trust.
/// Source: k8s.io/apiserver, pkg/server/options/authentication.go.
fn authentication_map(front_proxy_ca: &str, client_ca: &str) -> Wanted {
    Wanted {
        collection: "/api/v1/namespaces/kube-system/configmaps".to_owned(),
        object: value!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "extension-apiserver-authentication",
                "namespace": "kube-system"
            },
            "data": {
                "client-ca-file": (client_ca),
                "requestheader-client-ca-file": (front_proxy_ca),
                "requestheader-allowed-names": "[\"front-proxy-client\"]",
                "requestheader-username-headers": "[\"X-Remote-User\"]",
                "requestheader-uid-headers": "[\"X-Remote-Uid\"]",
                "requestheader-group-headers": "[\"X-Remote-Group\"]",
                "requestheader-extra-headers-prefix": "[\"X-Remote-Extra-\"]"
            }
        }),
    }
}

fn kubernetes_service() -> Wanted {
    Wanted {
        collection: "/api/v1/namespaces/default/services".to_owned(),
        object: value!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "kubernetes",
                "namespace": "default",
                "labels": {"component": "apiserver", "provider": "kubernetes"}
            },
            "spec": {
                "type": "ClusterIP",
                "clusterIP": (SERVICE_ADDRESS),
                "clusterIPs": [(SERVICE_ADDRESS)],
                "ipFamilies": ["IPv4"],
                "ipFamilyPolicy": "SingleStack",
                "internalTrafficPolicy": "Cluster",
                "sessionAffinity": "None",
                "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]
            }
        }),
    }
}

/// Returns those of `stage` that are not among `seen` (names by collection path).
#[must_use]
pub fn plan<'a>(stage: &'a Stage, seen: &BTreeMap<String, BTreeSet<String>>) -> Vec<&'a Wanted> {
    stage
        .iter()
        .filter(|wanted| {
            let name = wanted.object.str_at(&["metadata", "name"]);
            let names = seen.get(&wanted.collection);
            !names.is_some_and(|names| names.contains(name.unwrap_or_default()))
        })
        .collect()
}

/// Creates what is missing, stage by stage.
///
/// # Errors
/// The first request that failed. What was created stays; the next start continues.
pub async fn run(client: &Client, stages: &[Stage]) -> Result<(), BootstrapError> {
    for stage in stages {
        let mut seen = BTreeMap::new();
        let collections: BTreeSet<&String> = stage.iter().map(|one| &one.collection).collect();
        for path in collections {
            seen.insert(path.clone(), names_in(client, path).await?);
        }
        let missing = plan(stage, &seen);
        stream::iter(missing)
            .map(|wanted| create(client, wanted))
            .buffer_unordered(TOGETHER_MAX)
            .try_collect::<()>()
            .await?;
    }
    Ok(())
}

async fn names_in(client: &Client, path: &str) -> Result<BTreeSet<String>, BootstrapError> {
    let request = http::Request::get(path).body(Bytes::new());
    let request = request.expect("a path of this file is a path");
    let answer = client
        .call(request)
        .await
        .map_err(|source| BootstrapError::Request {
            path: path.to_owned(),
            source,
        })?;
    let list = json::read(&answer).map_err(|error| BootstrapError::Answer {
        path: path.to_owned(),
        what: error.to_string(),
    })?;
    let items = list.value.get("items").and_then(Value::as_array);
    let names = items.unwrap_or_default().iter();
    Ok(names
        .filter_map(|item| item.str_at(&["metadata", "name"]))
        .map(str::to_owned)
        .collect())
}

async fn create(client: &Client, wanted: &Wanted) -> Result<(), BootstrapError> {
    let mut body = Vec::new();
    json::write(&wanted.object, &mut body);
    let request = http::Request::post(&wanted.collection)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Bytes::from(body))
        .expect("a path of this file is a path");
    match client.call(request).await {
        Ok(_) => Ok(()),
        // Another server on the same store was faster, which is as good.
        Err(kit::Error::Refused(status)) if status.code == 409 => Ok(()),
        Err(source) => Err(BootstrapError::Request {
            path: wanted.collection.clone(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::{plan, wanted};

    /// `seen` lists what is there as `collection name`.
    fn check(seen: &[(&str, &str)], expected: &[&str]) {
        let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (collection, name) in seen {
            let known = names.entry((*collection).to_owned()).or_default();
            known.insert((*name).to_owned());
        }
        let stages = wanted(Vec::new(), "front", "client");
        let missing: Vec<&str> = stages
            .iter()
            .flat_map(|stage| plan(stage, &names))
            .filter_map(|one| one.object.str_at(&["metadata", "name"]))
            .collect();
        assert_eq!(missing, expected);
    }

    #[test]
    fn an_empty_store_misses_everything() {
        let all = [
            "default",
            "kube-system",
            "kube-public",
            "kube-node-lease",
            "extension-apiserver-authentication",
            "kubernetes",
        ];
        check(&[], &all);
    }

    #[test]
    fn what_is_there_is_left_alone() {
        let namespaces = "/api/v1/namespaces";
        check(
            &[
                (namespaces, "default"),
                (namespaces, "kube-public"),
                (namespaces, "kube-node-lease"),
                ("/api/v1/namespaces/default/services", "kubernetes"),
                ("/api/v1/namespaces/kube-system/configmaps", "kubernetes"),
            ],
            &["kube-system", "extension-apiserver-authentication"],
        );
    }
}
