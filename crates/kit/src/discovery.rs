//! What a server serves, in two requests.
//!
//! Aggregated discovery gives every group, version and resource in one document each for `/api` and
//! `/apis`. All servers since 1.27 have it.

use std::sync::Arc;

use http::HeaderValue;
use serde::Deserialize;

use crate::{
    error::Error,
    object::null_as_default,
    resource::{Resource, Scope},
    transport::Client,
};

const AGGREGATED: HeaderValue = HeaderValue::from_static(
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json",
);

/// A resource and what can be done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Its names.
    pub resource: Resource,
    /// Its verbs.
    pub verbs: Arc<[Box<str>]>,
    /// Whether the group prefers this version of it.
    pub preferred: bool,
}

impl Served {
    /// Returns whether all of these verbs can be used.
    #[must_use]
    pub fn can(&self, verbs: &[&str]) -> bool {
        verbs
            .iter()
            .all(|verb| self.verbs.iter().any(|held| **held == **verb))
    }
}

/// Everything a server serves, as far as it knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// Every resource in every version, in the server's order.
    pub served: Vec<Served>,
    /// Groups and versions whose server does not answer (`group/version`).
    pub failed: Vec<String>,
}

impl Discovery {
    /// Asks a server what it serves.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn load(client: &Client) -> Result<Self, Error> {
        let mut discovery = Self::default();
        for path in ["/api", "/apis"] {
            let groups: Groups = client.get_as(path, AGGREGATED).await?;
            for group in groups.items {
                discovery.add(group);
            }
        }
        Ok(discovery)
    }

    /// Gives every resource once, in the version its group prefers.
    pub fn preferred(&self) -> impl Iterator<Item = &Served> {
        self.served.iter().filter(|served| served.preferred)
    }

    fn add(&mut self, group: Group) {
        let name = group.metadata.name;
        let first = self.served.len();
        for version in group.versions {
            if version.freshness == "Stale" {
                self.failed.push(format!("{name}/{}", version.version));
            }
            for resource in version.resources {
                // An entry without a kind only carries subresources.
                let Some(kind) = resource.response_kind.filter(|kind| !kind.kind.is_empty()) else {
                    continue;
                };
                let scope = match &*resource.scope {
                    "Namespaced" => Scope::Namespaced,
                    _ => Scope::Cluster,
                };
                let held = self.served[first..].iter();
                // Versions come in the order of preference, so the first one wins.
                let preferred = !held
                    .into_iter()
                    .any(|held| *held.resource.plural == resource.resource);
                self.served.push(Served {
                    resource: Resource::new(
                        &name,
                        &version.version,
                        &resource.resource,
                        &kind.kind,
                        scope,
                    ),
                    verbs: resource.verbs.into(),
                    preferred,
                });
            }
        }
    }
}

#[derive(Deserialize)]
struct Groups {
    #[serde(default, deserialize_with = "null_as_default")]
    items: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    metadata: Name,
    #[serde(default, deserialize_with = "null_as_default")]
    versions: Vec<Version>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Name {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Version {
    version: String,
    #[serde(deserialize_with = "null_as_default")]
    resources: Vec<Entry>,
    freshness: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Entry {
    resource: String,
    response_kind: Option<Kind>,
    scope: String,
    #[serde(deserialize_with = "null_as_default")]
    verbs: Vec<Box<str>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Kind {
    kind: String,
}

#[cfg(test)]
mod tests {
    use super::Discovery;
    use crate::scripted::{Answer, Script};

    const CORE: &str = r#"{"kind":"APIGroupDiscoveryList","items":[{"metadata":{},"versions":[{"version":"v1",
        "resources":[{"resource":"pods","responseKind":{"group":"","version":"v1","kind":"Pod"},
        "scope":"Namespaced","verbs":["delete","list","watch"]}],"freshness":"Current"}]}]}"#;
    const GROUPS: &str = r#"{"items":[{"metadata":{"name":"x.io"},"versions":[
        {"version":"v2","resources":[{"resource":"as","responseKind":{"kind":"A"},"scope":"Cluster","verbs":["list"]},
            {"resource":"odd","scope":"Cluster","verbs":[]}]},
        {"version":"v1","resources":[{"resource":"as","responseKind":{"kind":"A"},"scope":"Cluster"},
            {"resource":"bs","responseKind":{"kind":"B"},"scope":"Namespaced"}]}]},
        {"metadata":{"name":"down.io"},"versions":[{"version":"v1","freshness":"Stale"}]}]}"#;

    #[tokio::test]
    async fn gives_every_resource_once_in_its_preferred_version() {
        let script = Script::new([Answer::ends(200, CORE), Answer::ends(200, GROUPS)]);
        let discovery = Discovery::load(&script.client()).await.unwrap();
        let preferred: Vec<String> = discovery
            .preferred()
            .map(|served| format!("{} {}", served.resource, served.resource.version))
            .collect();
        assert_eq!(preferred, ["pods v1", "as.x.io v2", "bs.x.io v1"]);
        assert_eq!(discovery.served.len(), 4);
        assert!(
            discovery.served[0].can(&["list", "watch"]) && !discovery.served[1].can(&["watch"])
        );
        assert_eq!(discovery.failed, ["down.io/v1"]);
    }

    #[tokio::test]
    async fn a_refusal_is_passed_on() {
        let script = Script::new([Answer::ends(403, r#"{"code":403,"reason":"Forbidden"}"#)]);
        let error = Discovery::load(&script.client()).await.unwrap_err();
        assert!(error.is("Forbidden"));
    }
}
