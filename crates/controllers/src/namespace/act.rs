//! Deletes what is in a namespace.
//!
//! Every resource that can be deleted is looked at, as discovery says at this moment: a kind defined
//! a moment ago counts as well. Pods go first and everything else waits for them. What stays (for
//! finalizers, or for the time that pods are given) is waited for: its removal wakes the next round.

use std::{collections::BTreeMap, time::Duration};

use base::{Clock, WallTime};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use kit::{
    After, Cache, Client, Controller, Error, Index, Key, Partial, Time, discovery::Served,
    watch::METADATA_LIST,
};
use serde::Deserialize;
use serde_json::json;

use super::{
    Namespace, Status,
    plan::{Report, Step, other_finalizers, plan, status},
};
use crate::{
    catalog::{Catalog, Held},
    claim::Headed,
    departures::Departures,
    pod::Pod,
    write,
};

/// Resources that are emptied at once.
const TOGETHER: usize = 8;

/// The namespace controller.
pub struct Namespaces {
    /// Its way to the server.
    pub client: Client,
    /// Time.
    pub clock: Clock,
    /// What is served.
    pub catalog: Catalog,
    /// Namespaces.
    pub namespaces: Cache<Namespace>,
    /// Pods, for the time they were given to end.
    pub pods: Cache<Pod>,
    /// Pods by namespace.
    pub pods_by_namespace: Index,
    /// Who wakes the next round.
    pub departures: Departures,
}

impl Controller for Namespaces {
    type Key = Key;
    type Seen = std::sync::Arc<Namespace>;
    type Plan = Step;

    fn name(&self) -> &'static str {
        "namespace"
    }

    fn observe(&self, key: &Key) -> Option<Self::Seen> {
        let namespace = self.namespaces.get(key);
        if namespace.is_none() {
            self.departures.end(key.name());
        }
        namespace
    }

    fn plan(&self, namespace: &Self::Seen, _now: WallTime) -> Step {
        plan(namespace)
    }

    async fn act(&self, key: &Key, seen: Self::Seen, step: Step) -> Result<After, Error> {
        if step == Step::Leave {
            return Ok(After::Done);
        }
        let name = key.name();
        let catalog = self.catalog.refresh();
        // Others may have written to it since; its own state decides.
        let path = self.namespaces.resource().path_to("", name);
        let (held, namespace) = match (catalog.await, self.client.get::<Namespace>(&path).await) {
            (_, Err(error)) if error.is_not_found() => return Ok(After::Done),
            (held, namespace) => (held?, namespace?),
        };
        if namespace.metadata.uid != seen.metadata.uid || plan(&namespace) == Step::Leave {
            return Ok(After::Done);
        }
        self.departures.wait(name);
        let report = self.empty(name, &held).await;
        if report.is_empty() {
            return self.finish(&path, &namespace).await;
        }
        let now = Time::from_wall(self.clock.wall());
        let after = status(&namespace.status, &report, now);
        if after != namespace.status {
            self.write_status(&namespace, &after).await?;
        }
        // The net below the events.
        Ok(After::Again(Duration::from_secs(report.patience_secs())))
    }
}

impl Namespaces {
    async fn empty(&self, name: &str, held: &Held) -> Report {
        let mut report = Report {
            undiscovered: held.failed.clone(),
            ..Report::default()
        };
        let deletable = held.preferred().filter(|served| {
            served.resource.scope == kit::Scope::Namespaced && served.can(&["delete"])
        });
        let (pods, others): (Vec<&Served>, Vec<&Served>) = deletable.partition(|served| {
            served.resource.group.is_empty() && &*served.resource.plural == "pods"
        });
        for pods in pods {
            let emptied = self.empty_one(name, pods).await;
            report.add(pods, emptied);
        }
        if !report.left.is_empty() {
            report.grace_secs = self.grace_secs(name);
            return report;
        }
        let mut emptying = Vec::with_capacity(others.len());
        for served in others {
            emptying.push(self.empty_named(name, served));
        }
        let mut emptying = stream::iter(emptying).buffer_unordered(TOGETHER);
        while let Some((served, emptied)) = emptying.next().await {
            report.add(served, emptied);
        }
        report
    }

    async fn empty_named<'a>(
        &self,
        name: &str,
        served: &'a Served,
    ) -> (&'a Served, Result<Vec<Left>, Error>) {
        (served, self.empty_one(name, served).await)
    }

    /// Deletes all objects of one resource and returns what is left.
    ///
    /// Most resources have no object in most namespaces, so a look at one page of one comes first.
    async fn empty_one(&self, name: &str, served: &Served) -> Result<Vec<Left>, Error> {
        let path = served.resource.path_in(name);
        if served.can(&["list"]) {
            let any: Result<List, Error> = self
                .client
                .get_as(&format!("{path}?limit=1"), METADATA_LIST)
                .await;
            match any {
                Ok(list) if list.items.is_empty() => return Ok(Vec::new()),
                Ok(_) => {}
                Err(error) if is_not_served(&error) => return Ok(Vec::new()),
                Err(error) => return Err(error),
            }
        }
        let options = Bytes::from_static(
            br#"{"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Background"}"#,
        );
        if served.can(&["deletecollection"]) {
            match self.client.delete(&path, options).await {
                Ok(_) => {}
                Err(error) if is_not_served(&error) => self.delete_each(name, served).await?,
                Err(error) => return Err(error),
            }
        } else {
            self.delete_each(name, served).await?;
        }
        self.left(&path, served).await
    }

    async fn delete_each(&self, name: &str, served: &Served) -> Result<(), Error> {
        let path = served.resource.path_in(name);
        for left in self.left(&path, served).await? {
            let path = served.resource.path_to(name, &left.metadata.name);
            let options = Bytes::from_static(br#"{"propagationPolicy":"Background"}"#);
            match self.client.delete(&path, options).await {
                Ok(_) => {}
                Err(error) if is_not_served(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn left(&self, path: &str, served: &Served) -> Result<Vec<Left>, Error> {
        if !served.can(&["list"]) {
            return Ok(Vec::new());
        }
        match self.client.get_as::<List>(path, METADATA_LIST).await {
            Ok(list) => Ok(list.items),
            Err(error) if is_not_served(&error) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Returns the longest time that pods of the namespace were given to end.
    fn grace_secs(&self, name: &str) -> u64 {
        let now = Time::from_wall(self.clock.wall());
        let pods = self.pods.find_unordered(self.pods_by_namespace, name);
        let left = pods.iter().filter(|pod| !pod.is_over()).filter_map(|pod| {
            let at = pod.head().deletion_timestamp?;
            u64::try_from(at.secs - now.secs).ok()
        });
        left.max().unwrap_or(0)
    }

    /// Takes our finalizer off; the namespace is gone if it was the last.
    async fn finish(&self, path: &str, namespace: &Namespace) -> Result<After, Error> {
        let head = &namespace.metadata;
        let body = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": *head.name,
                "uid": head.uid,
                "resourceVersion": head.resource_version.to_string(),
                "labels": head.labels,
                "annotations": head.annotations,
                "ownerReferences": head.owner_references,
                "finalizers": head.finalizers,
            },
            "spec": {"finalizers": other_finalizers(namespace)},
        });
        let finalize = format!("{path}/finalize");
        let body = write::text(&body)?;
        match self.client.replace::<Partial>(&finalize, body).await {
            Ok(_) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
        self.departures.end(&head.name);
        Ok(After::Done)
    }

    async fn write_status(&self, namespace: &Namespace, status: &Status) -> Result<(), Error> {
        let (resource, head) = (self.namespaces.resource(), &namespace.metadata);
        match write::status(&self.client, resource, head, &[], status).await {
            Err(error) if error.is_not_found() => Ok(()),
            other => other.map(drop),
        }
    }
}

impl Report {
    fn add(&mut self, served: &Served, emptied: Result<Vec<Left>, Error>) {
        let resource = &served.resource;
        let left = match emptied {
            Ok(left) => left,
            Err(error) => {
                self.failures.push(error.text());
                return;
            }
        };
        if left.is_empty() {
            return;
        }
        // With a dot even for the core group, as upstream prints it.
        let name = format!("{}.{}", resource.plural, resource.group);
        self.left.insert(name, left.len());
        let mut held: BTreeMap<&str, usize> = BTreeMap::new();
        for finalizer in left.iter().flat_map(|left| &left.metadata.finalizers) {
            *held.entry(finalizer).or_default() += 1;
        }
        for (finalizer, count) in held {
            *self.held.entry(finalizer.to_owned()).or_default() += count;
        }
    }
}

/// Returns whether a refusal means that there is nothing of this resource.
fn is_not_served(error: &Error) -> bool {
    error.is_not_found() || error.is("MethodNotAllowed")
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct List {
    #[serde(deserialize_with = "kit::object::null_as_default")]
    items: Vec<Left>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Left {
    metadata: LeftMeta,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LeftMeta {
    name: String,
    #[serde(deserialize_with = "kit::object::null_as_default")]
    finalizers: Vec<String>,
}
