//! Carries a migration out: a patch that changes nothing for every object, which writes those that
//! are stored in another version.

use std::{sync::Arc, time::Duration};

use base::{Clock, WallTime};
use futures_util::{StreamExt, stream};
use kit::{
    After, Cache, Client, Controller, Error, Index, Key, Patch, Time, discovery::Served,
    watch::METADATA_LIST,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Migration, Status,
    plan::{Progress, SUCCEEDED, Step, plan},
};
use crate::{catalog::Catalog, write};

/// Objects that are rewritten at once.
const TOGETHER: usize = 16;

/// Objects that are listed at once.
const PAGE: usize = 500;

/// How long a resource that is not served is waited for, counted from the migration's creation.
const PATIENCE_SECS: i64 = 60;

/// How often it is looked for meanwhile.
const PAUSE: Duration = Duration::from_secs(2);

/// What the server must be able to do with a resource.
const VERBS: [&str; 3] = ["update", "patch", "list"];

/// Under this name the condition of a definition is owned.
const MANAGER: &str = "migration-runner-controller";

/// How often a definition is read anew because someone else wrote to it.
const TRIES_MAX: usize = 5;

/// The migration controller.
pub struct Migrator {
    /// Its way to the server.
    pub client: Client,
    /// Time.
    pub clock: Clock,
    /// What is served.
    pub catalog: Catalog,
    /// Migrations.
    pub migrations: Cache<Migration>,
    /// Migrations by what they migrate.
    pub by_target: Index,
}

/// What was seen.
pub struct Seen {
    own: Arc<Migration>,
    of_same: Vec<Arc<Migration>>,
}

impl Controller for Migrator {
    type Key = Key;
    type Seen = Seen;
    type Plan = Step;

    fn name(&self) -> &'static str {
        "storage-version-migrator"
    }

    fn observe(&self, key: &Key) -> Option<Seen> {
        let own = self.migrations.get(key)?;
        let target = own.spec.resource.qualified();
        let of_same = self.migrations.find_unordered(self.by_target, &target);
        Some(Seen { own, of_same })
    }

    fn plan(&self, seen: &Seen, _now: WallTime) -> Step {
        plan(&seen.own, &seen.of_same)
    }

    async fn act(&self, _key: &Key, seen: Seen, step: Step) -> Result<After, Error> {
        let own = &*seen.own;
        let status = own.status.clone();
        match step {
            Step::Leave => Ok(After::Done),
            Step::Begin => {
                let name = &own.metadata.name;
                let message = format!("Migration {name} is running");
                self.tell_definition(own, |definition| {
                    condition(
                        "True",
                        "MigrationRunning",
                        &message,
                        definition,
                        &self.now(),
                    )
                })
                .await?;
                self.write(own, status.begun(self.now())).await
            }
            Step::Note => self.note(own).await,
            Step::Migrate => self.migrate(own).await,
            Step::End => {
                let succeeded = status.is(SUCCEEDED);
                self.tell_definition(own, |definition| end(succeeded, definition, &self.now()))
                    .await?;
                let ended = status.ended(own.metadata.generation, self.now());
                self.write(own, ended).await
            }
        }
    }
}

impl Migrator {
    fn now(&self) -> Time {
        Time::from_wall(self.clock.wall())
    }

    /// Replaces the status. Whoever wrote meanwhile wakes the next round.
    async fn write(&self, own: &Migration, status: Status) -> Result<After, Error> {
        if status == own.status {
            return Ok(After::Done);
        }
        let resource = Migration::resource();
        let head = &own.metadata;
        let body = json!({
            "apiVersion": resource.api_version(),
            "kind": &*resource.kind,
            "metadata": {
                "name": *head.name,
                "uid": head.uid,
                "resourceVersion": head.resource_version.to_string(),
            },
            "spec": own.spec,
            "status": status,
        });
        let path = format!("{}/status", resource.path_to("", &head.name));
        match self
            .client
            .replace::<Value>(&path, write::text(&body)?)
            .await
        {
            Ok(_) => Ok(After::Done),
            Err(error) if error.is_not_found() || error.is_conflict() => Ok(After::Done),
            Err(error) => Err(error),
        }
    }

    /// Finds the resource of a migration in the version its group prefers.
    async fn served(&self, own: &Migration) -> Result<Option<Served>, Error> {
        let held = self.catalog.refresh().await?;
        let target = &own.spec.resource;
        let mut preferred = held.preferred();
        let found = preferred.find(|served| {
            *served.resource.group == *target.group && *served.resource.plural == *target.resource
        });
        Ok(found.cloned())
    }

    /// Waits for a resource that may be served soon, or gives the migration up.
    async fn missing(&self, own: &Migration, why: &str) -> Result<After, Error> {
        let created = own.metadata.creation_timestamp.map_or(0, |time| time.secs);
        if self.now().secs < created + PATIENCE_SECS {
            return Ok(After::Again(PAUSE));
        }
        let failed = own.status.clone().failed(None, why, self.now());
        self.write(own, failed).await
    }

    /// Notes the newest revision: what is written later is written in the version stored now.
    async fn note(&self, own: &Migration) -> Result<After, Error> {
        let Some(served) = self.served(own).await? else {
            return self
                .missing(own, "resource does not exist in discovery")
                .await;
        };
        let mut status = own.status.clone();
        if !served.can(&VERBS) {
            let resource = &served.resource;
            let why = format!(
                "resource \"{}, Resource={}\" does not support discovery operations: [{}]",
                resource.api_version(),
                resource.plural,
                VERBS.join(" ")
            );
            return self.write(own, status.failed(None, &why, self.now())).await;
        }
        let list = self.page(&served, 1, "").await?;
        status.resource_version = list.metadata.resource_version;
        self.write(own, status).await
    }

    async fn page(&self, served: &Served, limit: usize, token: &str) -> Result<List, Error> {
        let mut path = format!("{}?limit={limit}", served.resource.path());
        if !token.is_empty() {
            path.push_str("&continue=");
            path.push_str(token);
        }
        self.client.get_as(&path, METADATA_LIST).await
    }

    /// Rewrites what is not newer than the noted revision.
    async fn migrate(&self, own: &Migration) -> Result<After, Error> {
        let Some(served) = self.served(own).await? else {
            let why = "migration encountered unhandled error: unable to obtain GVR from discovery";
            return self.missing(own, why).await;
        };
        let newest: u64 = own.status.resource_version.parse().unwrap_or(u64::MAX);
        let mut progress = Progress::default();
        let mut older = Vec::new();
        let mut token = String::new();
        loop {
            let list = self.page(&served, PAGE, &token).await?;
            progress.total += list.items.len();
            let items = list.items.into_iter().map(|item| item.metadata);
            older.extend(items.filter(|item| {
                let revision: Result<u64, _> = item.resource_version.parse();
                revision.is_ok_and(|revision| revision <= newest)
            }));
            token = list.metadata.token;
            if token.is_empty() {
                break;
            }
        }
        progress.left = older.len();
        let served = &served;
        let mut rewrites = stream::iter(older)
            .map(|item| async move { self.rewrite(served, &item).await })
            .buffer_unordered(TOGETHER);
        while let Some(outcome) = rewrites.next().await {
            match outcome {
                Ok(()) => progress.left -= 1,
                Err(error) if is_transient(&error) => {
                    progress.transient = Some(error.text());
                    let running = own.status.clone().running(Some(&progress), self.now());
                    self.write(own, running).await?;
                    return Err(error);
                }
                Err(error) => {
                    let status = own.status.clone();
                    let failed = status.failed(Some(&progress), &error.text(), self.now());
                    return self.write(own, failed).await;
                }
            }
        }
        let done = own.status.clone().succeeded(&progress, self.now());
        self.write(own, done).await
    }

    /// Has one object written in the version that is stored now.
    async fn rewrite(&self, served: &Served, item: &Item) -> Result<(), Error> {
        let resource = &served.resource;
        let body = json!({
            "apiVersion": resource.api_version(),
            "kind": &*resource.kind,
            "metadata": {"resourceVersion": item.resource_version},
        });
        let path = resource.path_to(&item.namespace, &item.name);
        let path = format!("{path}?fieldManager=storage-version-migrator-controller");
        let patched = self
            .client
            .patch::<Nothing>(&path, Patch::Merge, write::text(&body)?)
            .await;
        match patched {
            Ok(_) => Ok(()),
            // It was written since, or is gone: nothing is left of the older version.
            Err(error) if error.is_conflict() || error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Sets the condition of the definition of a custom resource, if there is one.
    async fn tell_definition(
        &self,
        own: &Migration,
        make: impl Fn(&Definition) -> Value,
    ) -> Result<(), Error> {
        let name = own.spec.resource.qualified();
        let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
        let mut tries = 0;
        loop {
            let definition = match self.client.get::<Definition>(&path).await {
                Ok(definition) => definition,
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) => return Err(error),
            };
            let body = json!({
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {
                    "name": name,
                    "resourceVersion": definition.metadata.resource_version,
                },
                "status": make(&definition),
            });
            let path = format!("{path}/status?fieldManager={MANAGER}&force=true");
            let applied = self
                .client
                .patch::<Nothing>(&path, Patch::Apply, write::text(&body)?)
                .await;
            match applied {
                Ok(_) => return Ok(()),
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) if error.is_conflict() && tries < TRIES_MAX => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

/// Returns the status that a definition is given at the end. Its older versions go only if it has
/// not changed since the migration began.
fn end(succeeded: bool, definition: &Definition, now: &Time) -> Value {
    let mut conditions = definition.status.conditions.iter();
    let is_unchanged = conditions.any(|one| {
        one.kind == "StorageMigrating" && one.observed_generation == definition.metadata.generation
    });
    let (reason, message) = match (succeeded, is_unchanged) {
        (true, true) => (
            "MigrationSucceeded",
            "The migration has succeeded and the stored versions have been updated",
        ),
        (true, false) => (
            "MigrationSucceeded",
            "The migration has succeeded but the stored versions have not been updated due to a generation mismatch",
        ),
        (false, _) => ("MigrationFailed", "The migration has failed"),
    };
    let mut status = condition("False", reason, message, definition, now);
    // Unlike upstream a migration that failed leaves them: its objects may lie in any of them.
    let stored = definition.spec.versions.iter().find(|one| one.storage);
    if let Some(stored) = stored.filter(|_| succeeded && is_unchanged) {
        status["storedVersions"] = json!([stored.name]);
    }
    status
}

fn condition(is: &str, reason: &str, message: &str, of: &Definition, now: &Time) -> Value {
    json!({"conditions": [{
        "type": "StorageMigrating",
        "status": is,
        "lastTransitionTime": now,
        "reason": reason,
        "message": message,
        "observedGeneration": of.metadata.generation,
    }]})
}

/// Returns whether the same request may succeed later.
fn is_transient(error: &Error) -> bool {
    match error.status() {
        // It did not come through.
        None => true,
        Some(status) => matches!(
            status.reason.as_str(),
            "ServerTimeout"
                | "TooManyRequests"
                | "ServiceUnavailable"
                | "InternalError"
                | "Timeout"
        ),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct List {
    metadata: ListMeta,
    #[serde(deserialize_with = "kit::object::null_as_default")]
    items: Vec<Listed>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ListMeta {
    resource_version: String,
    #[serde(rename = "continue")]
    token: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Listed {
    metadata: Item,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Item {
    name: String,
    namespace: String,
    resource_version: String,
}

/// An answer of which nothing is needed.
#[derive(Deserialize)]
struct Nothing {}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Definition {
    metadata: DefinitionMeta,
    spec: DefinitionSpec,
    status: DefinitionStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DefinitionMeta {
    generation: i64,
    resource_version: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DefinitionSpec {
    versions: Vec<DefinitionVersion>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DefinitionVersion {
    name: String,
    storage: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DefinitionStatus {
    #[serde(deserialize_with = "kit::object::null_as_default")]
    conditions: Vec<DefinitionCondition>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DefinitionCondition {
    #[serde(rename = "type")]
    kind: String,
    observed_generation: i64,
}
