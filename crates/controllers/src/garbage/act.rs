//! Asks the server what the graph cannot know, and carries verdicts out.

use std::{collections::HashMap, fmt, sync::Arc};

use base::WallTime;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use kit::{After, Client, Controller, Error, Partial, Patch, Uid, watch::METADATA};
use serde::Deserialize;
use serde_json::json;

use super::{
    graph::{FOREGROUND, Found, Identity, ORPHAN, Policy, Verdict, Work},
    monitor::Shared,
};
use crate::catalog::{Catalog, Held};

/// Questions that may follow from answers in one round; two levels are all there are.
const ROUNDS_MAX: usize = 4;

/// Dependents that are let go at once.
const TOGETHER: usize = 32;

/// The garbage collector.
pub struct Collector {
    /// Its way to the server.
    pub client: Client,
    /// The graph.
    pub shared: Shared,
    /// What is served.
    pub catalog: Catalog,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempt(uid) => write!(f, "attempt {uid}"),
            Self::Orphan(uid) => write!(f, "orphan {uid}"),
        }
    }
}

impl Controller for Collector {
    type Key = Work;
    type Seen = Verdict;
    type Plan = ();

    fn name(&self) -> &'static str {
        "garbagecollector"
    }

    fn observe(&self, work: &Work) -> Option<Verdict> {
        let verdict = self
            .shared
            .read(|graph| graph.decide(work, &HashMap::new()));
        (verdict != Verdict::Leave).then_some(verdict)
    }

    fn plan(&self, _seen: &Verdict, _now: WallTime) {}

    async fn act(&self, work: &Work, mut verdict: Verdict, (): ()) -> Result<After, Error> {
        let mut answers = HashMap::new();
        for _ in 0..ROUNDS_MAX {
            let Verdict::Ask(owners) = &verdict else {
                break;
            };
            let held = self.catalog.held();
            for owner in owners {
                if !answers.contains_key(owner) {
                    answers.insert(owner.clone(), self.ask(&held, owner).await?);
                }
            }
            verdict = self.shared.read(|graph| graph.decide(work, &answers));
        }
        self.carry_out(work, verdict).await
    }
}

impl Collector {
    async fn carry_out(&self, work: &Work, verdict: Verdict) -> Result<After, Error> {
        match verdict {
            Verdict::Leave => {}
            Verdict::Ask(_) => {
                return Err(Error::not_yet("a quiet moment of its owners"));
            }
            Verdict::Later => {
                return Err(Error::not_yet("the object's own event"));
            }
            Verdict::NotThere(names) => {
                let (Work::Attempt(uid) | Work::Orphan(uid)) = work;
                self.shared.apply(|graph| graph.not_there(uid, &names));
            }
            Verdict::Look(works) => self.shared.apply(|_| super::graph::Outcome {
                work: works,
                invalid: Vec::new(),
            }),
            Verdict::Drop { object, owners } => self.drop_owners(&object, &owners).await?,
            Verdict::Delete {
                object,
                revision,
                policy,
                unblock,
            } => {
                if unblock {
                    // The change makes a new revision, so the deletion follows in the next round.
                    if self.unblock(&object).await? {
                        return Err(Error::Behind {
                            resource: object.kind.to_string(),
                        });
                    }
                }
                self.delete(&object, revision, policy).await?;
            }
            Verdict::Release { object, finalizer } => self.release(&object, finalizer).await?,
            Verdict::LetGo { object, dependents } => {
                let owner = std::slice::from_ref(&object.uid);
                let mut letting = Vec::with_capacity(dependents.len());
                for dependent in &dependents {
                    letting.push(self.drop_owners(dependent, owner));
                }
                let mut letting = stream::iter(letting).buffer_unordered(TOGETHER);
                let mut failed = None;
                while let Some(done) = letting.next().await {
                    if let Err(error) = done {
                        failed = Some(error);
                    }
                }
                if let Some(error) = failed {
                    return Err(error);
                }
                self.release(&object, ORPHAN).await?;
            }
        }
        Ok(After::Done)
    }

    /// Asks the server about an owner.
    async fn ask(&self, held: &Arc<Held>, owner: &Identity) -> Result<Found, Error> {
        let path = path(held, owner).inspect_err(|_| self.catalog.ask())?;
        let Some(path) = path else {
            return Ok(Found::Impossible);
        };
        match self.client.get_as::<Partial>(&path, METADATA).await {
            Ok(found) if found.metadata.uid == owner.uid => {
                let waits = found.metadata.is_leaving() && found.metadata.has_finalizer(FOREGROUND);
                Ok(if waits { Found::Waiting } else { Found::Exists })
            }
            Ok(_) => Ok(Found::Absent),
            Err(error) if error.is_not_found() => Ok(Found::Absent),
            Err(error) => Err(error),
        }
    }

    async fn delete(&self, object: &Identity, revision: u64, policy: Policy) -> Result<(), Error> {
        let policy = match policy {
            Policy::Background => "Background",
            Policy::Foreground => "Foreground",
            Policy::Orphan => "Orphan",
        };
        let options = format!(
            r#"{{"kind":"DeleteOptions","apiVersion":"v1","preconditions":{{"uid":"{}","resourceVersion":"{revision}"}},"propagationPolicy":"{policy}"}}"#,
            object.uid
        );
        let path = self.path(object)?;
        match self.client.delete(&path, Bytes::from(options)).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => {
                self.shared.apply(|graph| graph.gone(&object.uid));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Takes references to some owners off an object.
    async fn drop_owners(&self, object: &Identity, owners: &[Uid]) -> Result<(), Error> {
        self.edit(object, |metadata| {
            let kept: Vec<serde_json::Value> = metadata
                .owner_references
                .iter()
                .filter(|owner| {
                    let uid = owner["uid"].as_str().unwrap_or_default();
                    !owners.contains(&Uid::new(uid))
                })
                .cloned()
                .collect();
            let changed = kept.len() != metadata.owner_references.len();
            changed.then(|| json!({"ownerReferences": kept}))
        })
        .await
        .map(drop)
    }

    /// Makes an object's references block nobody; returns whether there was one that did.
    async fn unblock(&self, object: &Identity) -> Result<bool, Error> {
        self.edit(object, |metadata| {
            let mut owners = metadata.owner_references.clone();
            let mut changed = false;
            for owner in &mut owners {
                if owner["blockOwnerDeletion"] == true {
                    owner["blockOwnerDeletion"] = false.into();
                    changed = true;
                }
            }
            changed.then(|| json!({"ownerReferences": owners}))
        })
        .await
    }

    /// Takes a finalizer off an object.
    async fn release(&self, object: &Identity, finalizer: &str) -> Result<(), Error> {
        self.edit(object, |metadata| {
            let held = metadata.finalizers.iter();
            let kept: Vec<&String> = held.filter(|held| *held != finalizer).collect();
            let changed = kept.len() != metadata.finalizers.len();
            changed.then(|| json!({"finalizers": kept}))
        })
        .await
        .map(drop)
    }

    /// Reads an object's metadata, edits it and writes the edit if nothing changed meanwhile.
    ///
    /// The edit is written as a merge patch, which every kind understands.
    async fn edit(
        &self,
        object: &Identity,
        edit: impl FnOnce(&Editable) -> Option<serde_json::Value>,
    ) -> Result<bool, Error> {
        let path = self.path(object)?;
        let found: Document = match self.client.get_as(&path, METADATA).await {
            Ok(found) => found,
            Err(error) if error.is_not_found() => return Ok(false),
            Err(error) => return Err(error),
        };
        if found.metadata.uid != object.uid {
            return Ok(false);
        }
        let Some(mut patch) = edit(&found.metadata) else {
            return Ok(false);
        };
        patch["resourceVersion"] = found.metadata.resource_version.as_str().into();
        patch["uid"] = found.metadata.uid.to_string().into();
        let body = Bytes::from(json!({"metadata": patch}).to_string());
        match self
            .client
            .patch::<Partial>(&path, Patch::Merge, body)
            .await
        {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn path(&self, object: &Identity) -> Result<String, Error> {
        let path = path(&self.catalog.held(), object)?;
        path.ok_or_else(|| Error::other("a namespaced object without a namespace"))
    }
}

/// Returns the path of an object; `None` if it cannot exist.
fn path(held: &Held, object: &Identity) -> Result<Option<String>, Error> {
    let resource = held.resource(&object.api_version, &object.kind);
    let resource = resource.ok_or_else(|| {
        Error::not_yet(format!(
            "a resource for kind {} of {}",
            object.kind, object.api_version
        ))
    })?;
    if resource.scope == kit::Scope::Namespaced && object.namespace.is_empty() {
        return Ok(None);
    }
    Ok(Some(resource.path_to(&object.namespace, &object.name)))
}

#[derive(Deserialize)]
struct Document {
    metadata: Editable,
}

/// The part of metadata that the collector edits, as it was written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Editable {
    #[serde(default)]
    uid: Uid,
    #[serde(default)]
    resource_version: String,
    #[serde(default, deserialize_with = "kit::object::null_as_default")]
    owner_references: Vec<serde_json::Value>,
    #[serde(default, deserialize_with = "kit::object::null_as_default")]
    finalizers: Vec<String>,
}
