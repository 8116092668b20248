//! Publishes the cluster's root certificates in every namespace.
//!
//! The ConfigMap `kube-root-ca.crt` is created, created again when it is deleted, and put right when
//! someone edits it.

use std::{collections::BTreeMap, sync::Arc};

use base::WallTime;
use kit::{
    After, Cache, Client, Controller, Error, Extent, Head, Key, Object, Partial, Resource, Scope,
};
use serde::Deserialize;
use serde_json::json;

use crate::{namespace::Namespace, write};

/// Name of the ConfigMap.
pub const NAME: &str = "kube-root-ca.crt";

const ANNOTATION: &str = "kubernetes.io/description";

/// Upstream's words, which people find in their namespaces.
const DESCRIPTION: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when \
                           using internal endpoints such as the internal service IP or \
                           kubernetes.default.svc. No other usage is guaranteed across \
                           distributions of Kubernetes clusters.";

/// A ConfigMap with its texts.
#[derive(Debug, Deserialize)]
pub struct Published {
    metadata: Head,
    #[serde(default, deserialize_with = "kit::object::null_as_default")]
    data: BTreeMap<Box<str>, Box<str>>,
}

impl Object for Published {
    fn key(&self) -> Key {
        self.metadata.key()
    }

    fn revision(&self) -> u64 {
        self.metadata.resource_version
    }
}

/// The publisher. Its keys are namespaces.
pub struct Publisher {
    /// Its way to the server.
    pub client: Client,
    /// Namespaces.
    pub namespaces: Cache<Namespace>,
    /// The published ConfigMaps.
    pub published: Cache<Published>,
    /// The certificates, as PEM.
    pub root_ca: Arc<str>,
}

/// What was seen of one namespace.
pub struct Seen {
    namespace: Arc<Namespace>,
    published: Option<Arc<Published>>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Leave,
    /// Create the ConfigMap.
    Create,
    /// Put it right.
    Correct,
}

/// Returns a cache of the published ConfigMaps and of no others.
#[must_use]
pub fn cache() -> Cache<Published> {
    let resource = Resource::new("", "v1", "configmaps", "ConfigMap", Scope::Namespaced);
    let path = resource.path();
    let query = format!("fieldSelector=metadata.name%3D{NAME}");
    Cache::narrowed(resource, path, &query, Extent::Whole)
}

/// Decides; a namespace that leaves gets nothing new.
#[must_use]
pub fn plan(leaving: bool, published: Option<&Published>, root_ca: &str) -> Step {
    match published {
        _ if leaving => Step::Leave,
        None => Step::Create,
        Some(published) => {
            let data = &published.data;
            let right =
                data.len() == 1 && data.get("ca.crt").is_some_and(|text| **text == *root_ca);
            let described = published.metadata.annotations.get(ANNOTATION);
            if right && described.is_some_and(|text| !text.is_empty()) {
                Step::Leave
            } else {
                Step::Correct
            }
        }
    }
}

impl Controller for Publisher {
    type Key = Key;
    type Seen = Seen;
    type Plan = Step;

    fn name(&self) -> &'static str {
        "root-ca-cert-publisher"
    }

    fn observe(&self, key: &Key) -> Option<Seen> {
        Some(Seen {
            namespace: self.namespaces.get(key)?,
            published: self.published.get(&Key::new(key.name(), NAME)),
        })
    }

    fn plan(&self, seen: &Seen, _now: WallTime) -> Step {
        let leaving = seen.namespace.metadata.is_leaving();
        plan(leaving, seen.published.as_deref(), &self.root_ca)
    }

    async fn act(&self, key: &Key, seen: Seen, step: Step) -> Result<After, Error> {
        let resource = self.published.resource();
        let written = match step {
            Step::Leave => return Ok(After::Done),
            Step::Create => {
                let body = write::text(&json!({
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": NAME, "annotations": {ANNOTATION: DESCRIPTION}},
                    "data": {"ca.crt": *self.root_ca},
                }))?;
                self.client
                    .create::<Partial>(&resource.path_in(key.name()), body)
                    .await
            }
            Step::Correct => {
                let body = self.correction(seen.published.as_deref())?;
                self.client
                    .replace::<Partial>(&resource.path_to(key.name(), NAME), body)
                    .await
            }
        };
        match written {
            Ok(_) => Ok(After::Done),
            // The namespace goes, is gone already, or the cache will show what is there.
            Err(error)
                if error.has_cause("NamespaceTerminating")
                    || error.is_not_found()
                    || error.is_already_exists() =>
            {
                Ok(After::Done)
            }
            Err(error) => Err(error),
        }
    }
}

impl Publisher {
    /// Writes the whole ConfigMap as it is to be; the publisher's role may update and not patch.
    fn correction(&self, published: Option<&Published>) -> Result<bytes::Bytes, Error> {
        let Some(published) = published else {
            return Err(Error::other("nothing is there to be put right"));
        };
        let head = &published.metadata;
        write::text(&json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": NAME,
                "namespace": *head.namespace,
                "uid": head.uid,
                "resourceVersion": head.resource_version.to_string(),
                "labels": head.labels,
                "annotations": head.annotations.with(ANNOTATION, DESCRIPTION),
                "ownerReferences": head.owner_references,
                "finalizers": head.finalizers,
            },
            "data": {"ca.crt": *self.root_ca},
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{Published, Step, plan};

    #[track_caller]
    fn check(leaving: bool, published: Option<serde_json::Value>, expected: Step) {
        let published: Option<Published> =
            published.map(|json| serde_json::from_value(json).unwrap());
        assert_eq!(plan(leaving, published.as_ref(), "PEM"), expected);
    }

    fn config(data: serde_json::Value, description: &str) -> serde_json::Value {
        serde_json::json!({"metadata": {"annotations": {"kubernetes.io/description": description}},
                           "data": data})
    }

    #[test]
    fn creates_what_is_missing() {
        check(false, None, Step::Create);
        check(true, None, Step::Leave);
    }

    #[test]
    fn puts_edits_right() {
        let data = || serde_json::json!({"ca.crt": "PEM"});
        check(false, Some(config(data(), "any text")), Step::Leave);
        check(false, Some(config(data(), "")), Step::Correct);
        check(
            false,
            Some(config(serde_json::json!({"ca.crt": "other"}), "x")),
            Step::Correct,
        );
        check(
            false,
            Some(config(
                serde_json::json!({"ca.crt": "PEM", "more": "x"}),
                "x",
            )),
            Step::Correct,
        );
        check(
            false,
            Some(serde_json::json!({"metadata": {}})),
            Step::Correct,
        );
        check(true, Some(config(serde_json::json!({}), "")), Step::Leave);
    }
}
