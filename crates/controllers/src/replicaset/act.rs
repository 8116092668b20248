//! Carries a replica set's plan out.

use std::{sync::Arc, time::Duration};

use base::{Clock, WallTime};
use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use kit::{
    After, Cache, Client, Controller, Error, Index, Key, Partial, Resource, Time,
    events::{About, Recorder, Severity},
};
use serde_json::{json, value::RawValue};

use super::{
    ReplicaSet, Status,
    plan::{Plan, Seen, Step, plan, status},
};
use crate::{claim, pod::Pod, template::Parts, write};

/// First batch of new pods; each batch that succeeds is followed by one of twice its size, so that
/// a set whose pods are refused does not ask five hundred times.
const BATCH_FIRST: usize = 1;

/// How long a round waits for the cache to show its own writes.
const ECHO_WITHIN: Duration = Duration::from_secs(30);

/// The replica set controller.
pub struct ReplicaSets {
    /// Its way to the server.
    pub client: Client,
    /// Time.
    pub clock: Clock,
    /// Where its notes go.
    pub recorder: Recorder,
    /// Replica sets.
    pub sets: Cache<ReplicaSet>,
    /// Replica sets by controller.
    pub sets_by_controller: Index,
    /// Pods.
    pub pods: Cache<Pod>,
    /// Pods by controller, and orphans by namespace.
    pub pods_by_controller: Index,
}

impl Controller for ReplicaSets {
    type Key = Key;
    type Seen = Seen;
    type Plan = Plan;

    fn name(&self) -> &'static str {
        "replicaset"
    }

    fn observe(&self, key: &Key) -> Option<Seen> {
        let set = self.sets.get(key)?;
        let head = &set.metadata;
        let owned = |uid: &kit::Uid| {
            self.pods
                .find_unordered(self.pods_by_controller, &uid.to_string())
        };
        let mut pods = owned(&head.uid);
        let orphans = claim::orphans_of(&head.namespace);
        pods.extend(self.pods.find_unordered(self.pods_by_controller, &orphans));
        let excess = usize::try_from(set.replicas).unwrap_or(0) < pods.len();
        let mut related = Vec::new();
        if excess {
            // Pods of this set and of its siblings count as neighbours on a node.
            match head.controller() {
                Some(parent) => {
                    let siblings = self
                        .sets
                        .find(self.sets_by_controller, &parent.uid.to_string());
                    for sibling in siblings {
                        related.extend(owned(&sibling.metadata.uid));
                    }
                }
                None => related.extend(owned(&head.uid)),
            }
        }
        Some(Seen { set, pods, related })
    }

    fn plan(&self, seen: &Seen, now: WallTime) -> Plan {
        plan(seen, Time::from_wall(now))
    }

    async fn act(&self, _key: &Key, seen: Seen, plan: Plan) -> Result<After, Error> {
        let set = &seen.set;
        let active = self.claim(set, &plan).await?;
        let acted = match &plan.step {
            Step::Nothing => Ok(()),
            Step::Create(count) => self.create(set, *count).await,
            Step::Delete(pods) => self.delete(set, pods).await,
        };
        let failed = acted.as_ref().err().map(Error::text);
        let now = Time::from_wall(self.clock.wall());
        let (status, next) = status(set, &active, plan.leaving, failed.as_deref(), now);
        if status != set.status {
            self.write_status(set, &status).await?;
        }
        acted?;
        Ok(next.map_or(After::Done, |at| {
            let secs = u64::try_from(at.secs - now.secs).unwrap_or(0);
            After::Again(Duration::from_secs(secs))
        }))
    }
}

impl ReplicaSets {
    /// Adopts and releases; returns the pods that count.
    async fn claim(&self, set: &ReplicaSet, plan: &Plan) -> Result<Vec<Arc<Pod>>, Error> {
        let mut active = plan.claims.keep.clone();
        let (sets, pods) = (self.sets.resource(), self.pods.resource());
        for pod in &plan.claims.release {
            claim::release(&self.client, &set.metadata, (pods, &pod.metadata)).await?;
        }
        if plan.claims.adopt.is_empty() {
            return Ok(active);
        }
        claim::may_adopt(&self.client, sets, &set.metadata).await?;
        for pod in &plan.claims.adopt {
            let adopting = claim::adopt(&self.client, (sets, &set.metadata), (pods, &pod.metadata));
            if adopting.await? {
                active.push(Arc::clone(pod));
            }
        }
        Ok(active)
    }

    async fn create(&self, set: &ReplicaSet, count: usize) -> Result<(), Error> {
        let path = self.pods.resource().path_in(&set.metadata.namespace);
        let body = new_pod(self.sets.resource(), set)?;
        let (mut left, mut batch) = (count, BATCH_FIRST);
        let mut latest = 0;
        let mut failed = None;
        while left > 0 && failed.is_none() {
            batch = batch.min(left);
            let mut creating: FuturesUnordered<_> = (0..batch)
                .map(|_| self.client.create::<Partial>(&path, body.clone()))
                .collect();
            while let Some(created) = creating.next().await {
                match created {
                    Ok(pod) => {
                        latest = latest.max(pod.metadata.resource_version);
                        let text = format!("Created pod: {}", pod.metadata.name);
                        self.note(set, Severity::Normal, "SuccessfulCreate", text);
                    }
                    // The namespace goes: every further try would fail and none is needed.
                    Err(error) if error.has_cause("NamespaceTerminating") => return Ok(()),
                    Err(error) => {
                        let text = format!("Error creating: {}", error.text());
                        self.note(set, Severity::Warning, "FailedCreate", text);
                        failed = Some(error);
                    }
                }
            }
            left -= batch;
            batch *= 2;
        }
        if latest > 0 {
            self.pods.reached(latest, &self.clock, ECHO_WITHIN).await?;
        }
        failed.map_or(Ok(()), Err)
    }

    async fn delete(&self, set: &ReplicaSet, pods: &[Arc<Pod>]) -> Result<(), Error> {
        let resource = self.pods.resource();
        let mut deleting: FuturesUnordered<_> = pods
            .iter()
            .map(|pod| async move {
                let head = &pod.metadata;
                let path = resource.path_to(&head.namespace, &head.name);
                let options = write::preconditions(&head.uid, None);
                (pod, self.client.delete(&path, options).await)
            })
            .collect();
        let mut gone = Vec::with_capacity(pods.len());
        let mut failed = None;
        while let Some((pod, deleted)) = deleting.next().await {
            match deleted {
                Ok(_) => {
                    gone.push(pod.metadata.key());
                    let text = format!("Deleted pod: {}", pod.metadata.name);
                    self.note(set, Severity::Normal, "SuccessfulDelete", text);
                }
                Err(error) if error.is_not_found() => {}
                Err(error) => {
                    let text = format!("Error deleting: {}", error.text());
                    self.note(set, Severity::Warning, "FailedDelete", text);
                    failed = Some(error);
                }
            }
        }
        let still = |pod: &Pod| !pod.metadata.is_leaving();
        self.pods
            .none_left(gone, &self.clock, ECHO_WITHIN, still)
            .await?;
        failed.map_or(Ok(()), Err)
    }

    async fn write_status(&self, set: &ReplicaSet, status: &Status) -> Result<(), Error> {
        let revision = write::status(
            &self.client,
            self.sets.resource(),
            &set.metadata,
            &[],
            status,
        )
        .await?;
        self.sets.reached(revision, &self.clock, ECHO_WITHIN).await
    }

    fn note(&self, set: &ReplicaSet, severity: Severity, reason: &str, text: String) {
        let about = About::object(self.sets.resource(), &set.metadata);
        self.recorder.note(about, severity, reason, text);
    }
}

/// Writes a new pod of a set; every pod of one round is the same text, since the server makes up
/// the names.
fn new_pod(sets: &Resource, set: &ReplicaSet) -> Result<Bytes, Error> {
    let decode = |source| Error::Decode {
        what: "a pod template",
        source,
    };
    let parts: Parts<'_> = serde_json::from_str(set.template.text()).map_err(decode)?;
    let head = &set.metadata;
    let mut metadata = serde_json::to_value(&parts.metadata).map_err(decode)?;
    metadata["generateName"] = format!("{}-", head.name).into();
    metadata["namespace"] = (*head.namespace).into();
    metadata["ownerReferences"] = json!([claim::controller_ref(sets, head)]);
    let spec = parts.spec.map_or("{}", RawValue::get);
    Ok(Bytes::from(format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{metadata},"spec":{spec}}}"#
    )))
}

#[cfg(test)]
mod tests {
    use super::{ReplicaSet, new_pod};

    #[test]
    fn a_pod_is_made_from_the_templates_bytes() {
        let set: ReplicaSet = serde_json::from_str(
            r#"{"metadata":{"name":"web","namespace":"n","uid":"u"},"spec":{"replicas":1,
                "template":{"metadata":{"labels":{"a":"1"},"creationTimestamp":null,"name":"no"},
                "spec":{"odd":  [1, 2.50]}}}}"#,
        )
        .unwrap();
        let body = new_pod(&ReplicaSet::resource(), &set).unwrap();
        assert_eq!(
            std::str::from_utf8(&body).unwrap(),
            r#"{"apiVersion":"v1","kind":"Pod","metadata":{"generateName":"web-","labels":{"a":"1"},"namespace":"n","ownerReferences":[{"apiVersion":"apps/v1","blockOwnerDeletion":true,"controller":true,"kind":"ReplicaSet","name":"web","uid":"u"}]},"spec":{"odd":  [1, 2.50]}}"#
        );
    }
}
