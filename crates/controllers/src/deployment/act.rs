//! Carries a deployment's plan out.

use std::{sync::Arc, time::Duration};

use base::{Clock, WallTime};
use bytes::Bytes;
use kit::{
    After, Cache, Client, Controller, Error, Index, Key, Labels, Partial, Patch, Time,
    events::{About, Recorder, Severity},
};
use serde_json::json;

use super::{
    Deployment, Status, Strategy,
    plan::{self, Plan, Seen, Step, status::not_created},
};
use crate::{
    claim::{self, Claims, claim},
    pod::Pod,
    replicaset::ReplicaSet,
    write,
};

/// How long a round waits for the caches to show its own writes.
const ECHO_WITHIN: Duration = Duration::from_secs(30);

/// The deployment controller.
pub struct Deployments {
    /// Its way to the server.
    pub client: Client,
    /// Time.
    pub clock: Clock,
    /// Where its notes go.
    pub recorder: Recorder,
    /// Deployments.
    pub deployments: Cache<Deployment>,
    /// Replica sets.
    pub sets: Cache<ReplicaSet>,
    /// Replica sets by controller, and orphans by namespace.
    pub sets_by_controller: Index,
    /// Pods.
    pub pods: Cache<Pod>,
    /// Pods by controller.
    pub pods_by_controller: Index,
}

/// What a round saw, before replica sets are claimed.
pub struct Observed {
    seen: Seen,
    claims: Claims<ReplicaSet>,
}

impl Controller for Deployments {
    type Key = Key;
    type Seen = Observed;
    type Plan = Plan;

    fn name(&self) -> &'static str {
        "deployment"
    }

    fn observe(&self, key: &Key) -> Option<Observed> {
        let deployment = self.deployments.get(key)?;
        let head = &deployment.metadata;
        let mut sets = self
            .sets
            .find(self.sets_by_controller, &head.uid.to_string());
        let orphans = claim::orphans_of(&head.namespace);
        sets.extend(self.sets.find(self.sets_by_controller, &orphans));
        let claims = claim(head, &deployment.selector, &sets);
        let mut sets = claims.keep.clone();
        sets.extend(claims.adopt.iter().cloned());
        let mut pods: Vec<Arc<Pod>> = Vec::new();
        if deployment.strategy == Strategy::Recreate {
            for set in &sets {
                let uid = set.metadata.uid.to_string();
                pods.extend(self.pods.find(self.pods_by_controller, &uid));
            }
        }
        let seen = Seen {
            deployment,
            sets,
            pods,
        };
        Some(Observed { seen, claims })
    }

    fn plan(&self, observed: &Observed, now: WallTime) -> Plan {
        plan::plan(&observed.seen, Time::from_wall(now))
    }

    async fn act(&self, _key: &Key, observed: Observed, plan: Plan) -> Result<After, Error> {
        let deployment = &*observed.seen.deployment;
        if deployment.selector.is_empty() {
            let text = "This deployment is selecting all pods. A non-empty selector is required.";
            self.note(
                deployment,
                Severity::Warning,
                "SelectingAll",
                text.to_owned(),
            );
        }
        self.claim(deployment, &observed.claims).await?;
        let mut latest = 0;
        for step in &plan.steps {
            latest = latest.max(self.step(deployment, step).await?);
        }
        if let Some(status) = &plan.status {
            let revision = self
                .write_status(deployment, status, plan.revision.as_deref())
                .await?;
            self.deployments
                .reached(revision, &self.clock, ECHO_WITHIN)
                .await?;
        }
        self.sets.reached(latest, &self.clock, ECHO_WITHIN).await?;
        Ok(plan.again.map_or(After::Done, |at| {
            let wait = at.secs - Time::from_wall(self.clock.wall()).secs;
            // At least a second: the world is asked again, not in a circle.
            After::Again(Duration::from_secs(u64::try_from(wait).unwrap_or(0).max(1)))
        }))
    }
}

impl Deployments {
    async fn claim(
        &self,
        deployment: &Deployment,
        claims: &Claims<ReplicaSet>,
    ) -> Result<(), Error> {
        let head = &deployment.metadata;
        let (parents, children) = (self.deployments.resource(), self.sets.resource());
        for set in &claims.release {
            claim::release(&self.client, head, (children, &set.metadata)).await?;
        }
        if claims.adopt.is_empty() {
            return Ok(());
        }
        claim::may_adopt(&self.client, parents, head).await?;
        for set in &claims.adopt {
            claim::adopt(&self.client, (parents, head), (children, &set.metadata)).await?;
        }
        // What the plan reckoned with carries other revisions by now.
        Err(Error::Behind {
            resource: children.to_string(),
        })
    }

    /// Carries one step out and returns the revision it made.
    async fn step(&self, deployment: &Deployment, step: &Step) -> Result<u64, Error> {
        match step {
            Step::Create {
                name,
                hash,
                replicas,
                annotations,
            } => {
                let body = new_set(deployment, name, hash, *replicas, annotations)?;
                self.create(deployment, name, *replicas, body).await
            }
            Step::Change {
                name,
                seen,
                replicas,
                annotations,
                min_ready_secs,
            } => {
                let body = change(*seen, *replicas, annotations, *min_ready_secs);
                let path = self.path_to(deployment, name);
                let changed: Partial = self.client.patch(&path, Patch::Merge, body).await?;
                if let Some((old, new)) = replicas {
                    let way = if old < new { "up" } else { "down" };
                    let text = format!("Scaled {way} replica set {name} from {old} to {new}");
                    self.note(deployment, Severity::Normal, "ScalingReplicaSet", text);
                }
                Ok(changed.metadata.resource_version)
            }
            Step::Delete { name, uid } => {
                let options = write::preconditions(uid, None);
                let path = self.path_to(deployment, name);
                match self.client.delete(&path, options).await {
                    Ok(_) => {}
                    Err(error) if error.is_not_found() => {}
                    Err(error) => return Err(error),
                }
                Ok(0)
            }
        }
    }

    fn path_to(&self, deployment: &Deployment, set: &str) -> String {
        self.sets
            .resource()
            .path_to(&deployment.metadata.namespace, set)
    }

    async fn create(
        &self,
        deployment: &Deployment,
        name: &str,
        replicas: i32,
        body: Bytes,
    ) -> Result<u64, Error> {
        let path = self.sets.resource().path_in(&deployment.metadata.namespace);
        match self.client.create::<Partial>(&path, body).await {
            Ok(set) => {
                if replicas > 0 {
                    let text = format!("Scaled up replica set {name} from 0 to {replicas}");
                    self.note(deployment, Severity::Normal, "ScalingReplicaSet", text);
                }
                Ok(set.metadata.resource_version)
            }
            Err(error) if error.is_already_exists() => self.resolve(deployment, name, error).await,
            Err(error) if error.has_cause("NamespaceTerminating") => Err(error),
            Err(error) => {
                let text = format!(
                    "Failed to create new replica set {name:?}: {}",
                    error.text()
                );
                self.note(
                    deployment,
                    Severity::Warning,
                    "ReplicaSetCreateError",
                    text.clone(),
                );
                if deployment.deadline_secs.is_some() {
                    let now = Time::from_wall(self.clock.wall());
                    let status = not_created(&deployment.status, &text, now);
                    if status != deployment.status {
                        self.write_status(deployment, &status, None).await?;
                    }
                }
                Err(error)
            }
        }
    }

    /// Decides what a taken name means: our own set that the cache has not shown yet, or another
    /// template with the same hash, for which the collision count makes a new one.
    async fn resolve(
        &self,
        deployment: &Deployment,
        name: &str,
        error: Error,
    ) -> Result<u64, Error> {
        let set: ReplicaSet = self.client.get(&self.path_to(deployment, name)).await?;
        let owner = set.metadata.controller();
        let ours = owner.is_some_and(|owner| owner.uid == deployment.metadata.uid);
        if ours && set.template.fingerprint == deployment.template.fingerprint {
            return Ok(set.metadata.resource_version);
        }
        let mut status = deployment.status.clone();
        status.collision_count = Some(status.collision_count.unwrap_or(0) + 1);
        let revision = self.write_status(deployment, &status, None).await?;
        self.deployments
            .reached(revision, &self.clock, ECHO_WITHIN)
            .await?;
        Err(error)
    }

    async fn write_status(
        &self,
        deployment: &Deployment,
        status: &Status,
        revision: Option<&str>,
    ) -> Result<u64, Error> {
        let annotations: Vec<(&str, &str)> = revision
            .map(|revision| (plan::REVISION, revision))
            .into_iter()
            .collect();
        let resource = self.deployments.resource();
        let head = &deployment.metadata;
        write::status(&self.client, resource, head, &annotations, status).await
    }

    fn note(&self, deployment: &Deployment, severity: Severity, reason: &str, text: String) {
        let about = About::object(self.deployments.resource(), &deployment.metadata);
        self.recorder.note(about, severity, reason, text);
    }
}

/// Writes a new replica set.
fn new_set(
    deployment: &Deployment,
    name: &str,
    hash: &str,
    replicas: i32,
    annotations: &Labels,
) -> Result<Bytes, Error> {
    let head = &deployment.metadata;
    let template = plan::set_template(deployment, hash);
    write::text(&json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": *head.namespace,
            "labels": template["metadata"]["labels"],
            "annotations": annotations,
            "ownerReferences": [claim::controller_ref(&Deployment::resource(), head)],
        },
        "spec": {
            "replicas": replicas,
            "minReadySeconds": deployment.min_ready_secs,
            "selector": plan::set_selector(deployment, hash),
            "template": template,
        },
    }))
}

/// Writes a merge patch that changes a replica set if it is still as it was seen.
fn change(
    seen: u64,
    replicas: Option<(i32, i32)>,
    annotations: &[(String, String)],
    min_ready_secs: Option<i32>,
) -> Bytes {
    let mut patch = json!({"metadata": {"resourceVersion": seen.to_string()}});
    for (name, value) in annotations {
        patch["metadata"]["annotations"][name] = value.as_str().into();
    }
    if let Some((_, replicas)) = replicas {
        patch["spec"]["replicas"] = replicas.into();
    }
    if let Some(secs) = min_ready_secs {
        patch["spec"]["minReadySeconds"] = secs.into();
    }
    Bytes::from(patch.to_string())
}
