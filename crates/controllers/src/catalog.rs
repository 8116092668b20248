//! What the server serves, shared by the controllers that must know every resource.
//!
//! The server is asked once, and again when a server joins or leaves. What definitions of custom
//! resources add and take away is read from the definitions themselves: one of them among
//! thousands costs what one costs, and nobody is asked.
//!
//! Who cannot wait for a definition's event calls [`Catalog::refresh`].

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, LazyLock},
    time::Duration,
};

use base::{Backoff, Clock, Drain, Rng};
use kit::{
    Change, Client, Error, Head, Key, Object, Resource, Scope,
    discovery::{Discovery, Served},
    resource::preference,
};
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::sync::{Notify, watch};

use crate::claim::headed;

/// Least time between two answers to changes, so that many servers that join at once are not as
/// many discoveries.
const PAUSE: Duration = Duration::from_millis(50);

/// How many changes are remembered for those who were told of them and have not looked yet; who is
/// further behind looks at everything.
const CHANGES_MAX: usize = 4_096;

/// How often discovery is repeated because a definition changed meanwhile.
const TRIES_MAX: usize = 3;

/// What can be done with custom resources.
static VERBS: LazyLock<Arc<[Box<str>]>> = LazyLock::new(|| {
    let verbs = [
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "create",
        "update",
        "watch",
    ];
    verbs.into_iter().map(Box::from).collect()
});

/// Knows what is served. Cheap to clone.
#[derive(Clone)]
pub struct Catalog(Arc<Inner>);

struct Inner {
    client: Client,
    clock: Clock,
    state: Mutex<State>,
    generation: watch::Sender<u64>,
    asked: Notify,
}

#[derive(Default)]
struct State {
    held: Arc<Held>,
    /// What each definition adds.
    defined: HashMap<Key, Arc<[Served]>>,
    /// Counts the definitions that came, changed or went.
    definitions: u64,
    /// What changed lately, oldest first, with the generation that it made.
    changes: VecDeque<(u64, Place)>,
    /// Everything later than this generation is in `changes`.
    since: u64,
    generation: u64,
}

/// Group and plural of a resource.
pub type Place = (Arc<str>, Arc<str>);

/// What changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Since {
    /// Perhaps everything.
    Everything,
    /// These, each perhaps more than once.
    These(Vec<Place>),
}

/// What is served.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Held {
    groups: BTreeMap<Arc<str>, Group>,
    /// Groups and versions whose server does not answer (`group/version`).
    pub failed: Vec<String>,
}

/// The resources of one group.
#[derive(Clone, Default, PartialEq, Eq)]
struct Group {
    /// By plural, in every version, in the order of preference.
    resources: BTreeMap<Arc<str>, Arc<[Served]>>,
    /// The plural of each kind.
    kinds: BTreeMap<Arc<str>, Arc<str>>,
}

impl Held {
    fn new(discovery: Discovery) -> Self {
        let mut held = Self {
            failed: discovery.failed,
            ..Self::default()
        };
        let mut all: Vec<(Place, Vec<Served>)> = Vec::new();
        let mut places: HashMap<Place, usize> = HashMap::new();
        for served in discovery.served {
            let place = place(&served.resource);
            let at = *places.entry(place.clone()).or_insert_with(|| {
                all.push((place, Vec::new()));
                all.len() - 1
            });
            all[at].1.push(served);
        }
        for (_, served) in all {
            held.put(&Arc::from(served));
        }
        held
    }

    /// Returns the resource of a kind that an owner reference names.
    #[must_use]
    pub fn resource(&self, api_version: &str, kind: &str) -> Option<&Resource> {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let group = self.groups.get(group)?;
        let served = group.resources.get(group.kinds.get(kind)?)?;
        served
            .iter()
            .find(|one| one.preferred)
            .map(|one| &one.resource)
    }

    /// Gives every resource once, in the version its group prefers.
    pub fn preferred(&self) -> impl Iterator<Item = &Served> {
        let groups = self.groups.values();
        let all = groups.flat_map(|group| group.resources.values());
        all.flat_map(|served| served.iter().find(|one| one.preferred))
    }

    /// Returns the resource at a place in the version its group prefers.
    #[must_use]
    pub fn at(&self, place: &Place) -> Option<&Served> {
        let served = self.groups.get(&place.0)?.resources.get(&place.1)?;
        served.iter().find(|one| one.preferred)
    }

    fn put(&mut self, served: &Arc<[Served]>) {
        let Some(resource) = served.first().map(|one| &one.resource) else {
            return;
        };
        let group = self.groups.entry(Arc::clone(&resource.group)).or_default();
        // A group may serve views of one kind under several names; the first is the real one.
        let kind = group.kinds.entry(Arc::clone(&resource.kind));
        kind.or_insert_with(|| Arc::clone(&resource.plural));
        let plural = Arc::clone(&resource.plural);
        group.resources.insert(plural, Arc::clone(served));
    }

    fn remove(&mut self, served: &[Served]) {
        let Some(resource) = served.first().map(|one| &one.resource) else {
            return;
        };
        let Some(group) = self.groups.get_mut(&resource.group) else {
            return;
        };
        group.resources.remove(&resource.plural);
        if group.kinds.get(&resource.kind) == Some(&resource.plural) {
            group.kinds.remove(&resource.kind);
        }
        if group.resources.is_empty() {
            self.groups.remove(&resource.group);
        }
    }
}

fn place(resource: &Resource) -> Place {
    (Arc::clone(&resource.group), Arc::clone(&resource.plural))
}

impl State {
    /// Notes that what is at these places changed.
    fn note(&mut self, places: impl IntoIterator<Item = Place>) {
        self.generation += 1;
        for place in places {
            self.changes.push_back((self.generation, place));
        }
        while self.changes.len() > CHANGES_MAX {
            let oldest = self.changes.pop_front();
            self.since = oldest.map_or(self.generation, |(generation, _)| generation);
        }
    }

    /// Notes that anything may have changed.
    fn note_all(&mut self) {
        self.generation += 1;
        self.changes.clear();
        self.since = self.generation;
    }
}

impl Catalog {
    /// Returns a catalog that has not asked yet.
    #[must_use]
    pub fn new(client: Client, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            client,
            clock,
            state: Mutex::default(),
            generation: watch::Sender::new(0),
            asked: Notify::new(),
        }))
    }

    /// Returns what is known to be served.
    #[must_use]
    pub fn held(&self) -> Arc<Held> {
        Arc::clone(&self.0.state.lock().held)
    }

    /// Returns a receiver that is told when something else is served; 0 is before the first answer.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.generation.subscribe()
    }

    /// Returns what changed after a generation, and the generation of now.
    #[must_use]
    pub fn since(&self, seen: u64) -> (u64, Since) {
        let state = self.0.state.lock();
        if seen < state.since {
            return (state.generation, Since::Everything);
        }
        let from = state
            .changes
            .partition_point(|(generation, _)| *generation <= seen);
        let places = state.changes.range(from..).map(|(_, place)| place.clone());
        (state.generation, Since::These(places.collect()))
    }

    /// Asks the server now.
    ///
    /// # Errors
    /// As [`Discovery::load`].
    pub async fn refresh(&self) -> Result<Arc<Held>, Error> {
        let mut tries = 0;
        loop {
            let before = self.0.state.lock().definitions;
            let mut held = Held::new(Discovery::load(&self.0.client).await?);
            let mut state = self.0.state.lock();
            tries += 1;
            if state.definitions != before {
                // What was found may be from before a definition came or went.
                if tries < TRIES_MAX {
                    continue;
                }
                self.ask();
            }
            for served in state.defined.values() {
                let known = served.first().map(|one| held.at(&place(&one.resource)));
                if known.is_some_and(|known| known.is_none()) {
                    held.put(served);
                }
            }
            if state.generation == 0 || *state.held != held {
                state.held = Arc::new(held);
                state.note_all();
                let generation = state.generation;
                self.0.generation.send_replace(generation);
            }
            return Ok(Arc::clone(&state.held));
        }
    }

    /// Takes in what happened to a definition.
    pub fn define(&self, change: &Change<'_, Definition>) {
        let (key, served) = match change {
            Change::Set { new, .. } => (new.key(), new.served()),
            Change::Gone(last) => (last.key(), Arc::from([])),
            Change::Complete => return,
        };
        let mut state = self.0.state.lock();
        let known = state.defined.get(&key);
        if known.map(|known| &**known).unwrap_or_default() == &*served {
            return;
        }
        state.definitions += 1;
        let old = match served.is_empty() {
            true => state.defined.remove(&key),
            false => state.defined.insert(key, Arc::clone(&served)),
        };
        if state.generation == 0 {
            // Discovery, which is still to come, tells everything.
            return;
        }
        let mut places: Vec<Place> = Vec::new();
        let held = Arc::make_mut(&mut state.held);
        if let Some(old) = &old {
            held.remove(old);
            places.extend(old.first().map(|one| place(&one.resource)));
        }
        held.put(&served);
        places.extend(served.first().map(|one| place(&one.resource)));
        state.note(places);
        let generation = state.generation;
        self.0.generation.send_replace(generation);
    }

    /// Has the server asked soon, by the running task.
    pub fn ask(&self) {
        self.0.asked.notify_one();
    }

    /// Asks the server once and then whenever [`Catalog::ask`] is called.
    pub async fn run(self, mut drain: Drain, mut rng: Rng) {
        let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(5));
        loop {
            let again = match self.refresh().await {
                Ok(_) => {
                    backoff.reset();
                    None
                }
                Err(error) => {
                    tracing::warn!(error = %base::Chain(&error), "discovery failed and is tried again");
                    Some(backoff.next_delay(&mut rng))
                }
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
    scope: Box<str>,
    #[serde(deserialize_with = "kit::object::null_as_default")]
    versions: Vec<DefinitionVersion>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DefinitionVersion {
    name: Box<str>,
    served: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DefinitionNames {
    plural: Box<str>,
    kind: Box<str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DefinitionStatus {
    #[serde(deserialize_with = "kit::object::null_as_default")]
    accepted_names: DefinitionNames,
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

    /// Returns what the definition adds to what is served, in the order of preference.
    fn served(&self) -> Arc<[Served]> {
        if !self.is_established() {
            return Arc::from([]);
        }
        let scope = match &*self.spec.scope {
            "Namespaced" => Scope::Namespaced,
            _ => Scope::Cluster,
        };
        let versions = self.spec.versions.iter().filter(|version| version.served);
        let mut versions: Vec<&str> = versions.map(|version| &*version.name).collect();
        versions.sort_by_key(|version| std::cmp::Reverse(preference(version)));
        let names = &self.status.accepted_names;
        let mut resource = Resource::new(&self.spec.group, "", &names.plural, &names.kind, scope);
        let served = versions.into_iter().enumerate().map(|(place, version)| {
            resource.version = Arc::from(version);
            Served {
                resource: resource.clone(),
                verbs: Arc::clone(&VERBS),
                preferred: place == 0,
            }
        });
        served.collect()
    }
}

headed!(Definition);

#[cfg(test)]
mod tests;
