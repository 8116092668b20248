//! What the server serves, shared by the controllers that must know every resource.
//!
//! It is asked again when a definition of resources changes, and never by the clock, with one
//! exception: a definition that is established and not served yet is waited for.

use std::{collections::HashMap, sync::Arc, time::Duration};

use base::{Backoff, Clock, Drain, Rng};
use kit::{Cache, Client, Error, Head, Resource, Scope, discovery::Discovery};
use parking_lot::RwLock;
use serde::Deserialize;
use tokio::sync::{Notify, watch};

use crate::claim::headed;

/// How often a definition that is not served yet is looked for before it is given up; the next
/// change starts anew.
const TRIES_MAX: u32 = 20;

/// Least time between two answers to changes, so that five hundred definitions installed at once
/// are not five hundred discoveries. Who needs the truth at once calls [`Catalog::refresh`].
const PAUSE: Duration = Duration::from_millis(50);

/// Knows what is served. Cheap to clone.
#[derive(Clone)]
pub struct Catalog(Arc<Inner>);

struct Inner {
    client: Client,
    clock: Clock,
    held: RwLock<Arc<Held>>,
    generation: watch::Sender<u64>,
    asked: Notify,
}

/// What was found last.
#[derive(Default)]
pub struct Held {
    /// As discovered.
    pub discovery: Discovery,
    by_kind: HashMap<(String, String), Resource>,
}

impl Held {
    fn new(discovery: Discovery) -> Self {
        let mut by_kind = HashMap::new();
        for served in discovery.preferred() {
            let resource = &served.resource;
            // A group may serve views of one kind under several names; the first is the real one.
            by_kind
                .entry((resource.group.to_string(), resource.kind.to_string()))
                .or_insert_with(|| resource.clone());
        }
        Self { discovery, by_kind }
    }

    /// Returns the resource of a kind that an owner reference names.
    #[must_use]
    pub fn resource(&self, api_version: &str, kind: &str) -> Option<&Resource> {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        self.by_kind.get(&(group.to_owned(), kind.to_owned()))
    }
}

impl Catalog {
    /// Returns a catalog that has not asked yet.
    #[must_use]
    pub fn new(client: Client, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            client,
            clock,
            held: RwLock::default(),
            generation: watch::Sender::new(0),
            asked: Notify::new(),
        }))
    }

    /// Returns what was found last.
    #[must_use]
    pub fn held(&self) -> Arc<Held> {
        Arc::clone(&self.0.held.read())
    }

    /// Returns a receiver that is told when something else is served; 0 is before the first answer.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.generation.subscribe()
    }

    /// Asks the server now.
    ///
    /// # Errors
    /// As [`Discovery::load`].
    pub async fn refresh(&self) -> Result<Arc<Held>, Error> {
        let discovery = Discovery::load(&self.0.client).await?;
        let mut held = self.0.held.write();
        if held.discovery != discovery {
            *held = Arc::new(Held::new(discovery));
            self.0.generation.send_modify(|generation| *generation += 1);
        }
        Ok(Arc::clone(&held))
    }

    /// Has the server asked soon, by the running task.
    pub fn ask(&self) {
        self.0.asked.notify_one();
    }

    /// Asks the server once and then whenever [`Catalog::ask`] is called.
    pub async fn run(self, definitions: Cache<Definition>, mut drain: Drain, mut rng: Rng) {
        let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(5));
        let mut tries = 0;
        loop {
            let settled = match self.refresh().await {
                Ok(held) => definitions.all().iter().all(|each| each.is_served(&held)),
                Err(error) => {
                    tracing::warn!(error = %base::Chain(&error), "discovery failed and is tried again");
                    tries = 0;
                    false
                }
            };
            let again = if settled || tries >= TRIES_MAX {
                backoff.reset();
                tries = 0;
                None
            } else {
                tries += 1;
                Some(backoff.next_delay(&mut rng))
            };
            let rested = self.0.clock.now() + PAUSE;
            let asked = async {
                self.0.asked.notified().await;
                self.0.clock.sleep_until(rested).await;
            };
            tokio::select! {
                biased;
                () = drain.requested() => return,
                () = asked => {}
                () = async {
                    match again {
                        Some(delay) => self.0.clock.sleep(delay).await,
                        None => std::future::pending().await,
                    }
                } => {}
            }
        }
    }
}

/// What is remembered of a definition of custom resources.
#[derive(Debug, Deserialize)]
pub struct Definition {
    metadata: Head,
    #[serde(default)]
    spec: DefinitionSpec,
    #[serde(default)]
    status: DefinitionStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DefinitionSpec {
    group: Box<str>,
    names: DefinitionNames,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DefinitionNames {
    plural: Box<str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DefinitionStatus {
    #[serde(deserialize_with = "kit::object::null_as_default")]
    conditions: Vec<DefinitionCondition>,
}

#[derive(Debug, Deserialize)]
struct DefinitionCondition {
    #[serde(rename = "type")]
    kind: Box<str>,
    status: Box<str>,
}

impl Definition {
    /// Returns the resource of definitions.
    #[must_use]
    pub fn resource() -> Resource {
        Resource::new(
            "apiextensions.k8s.io",
            "v1",
            "customresourcedefinitions",
            "CustomResourceDefinition",
            Scope::Cluster,
        )
    }

    /// Returns whether the server has taken it up.
    #[must_use]
    pub fn is_established(&self) -> bool {
        let mut conditions = self.status.conditions.iter();
        conditions.any(|held| &*held.kind == "Established" && &*held.status == "True")
    }

    fn is_served(&self, held: &Held) -> bool {
        if !self.is_established() || self.metadata.is_leaving() {
            return true;
        }
        let mut served = held.discovery.served.iter();
        served.any(|served| {
            *served.resource.group == *self.spec.group
                && *served.resource.plural == *self.spec.names.plural
        })
    }
}

headed!(Definition);
