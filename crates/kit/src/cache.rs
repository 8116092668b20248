//! A shared, indexed picture of one resource.
//!
//! A [`Cache`] is made, told who wants to know of changes, and started. It keeps what its type `T`
//! keeps: a whole typed object, or a projection that is read straight from the event's bytes and
//! costs a fraction. Many controllers share one cache; each reads it like a map.
//!
//! Invariant: a listener sees the changes of one object in their order, after the cache holds them.
//!
//! ```no_run
//! # async fn example(client: kit::Client, tasks: base::Tasks, clock: base::Clock) {
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kit::{Cache, Change, Key, Resource, Scope};
//!
//! let configs: Cache<ConfigMap> = Cache::new(Resource::of::<ConfigMap>(Scope::Namespaced));
//! configs.on_change(|change| if let Change::Set { new, .. } = change {
//!     println!("{} is there", new.metadata.name.as_deref().unwrap_or_default());
//! });
//! configs.start(&client, &tasks, &clock, base::Rng::from_os());
//! configs.synced().await;
//! let root = configs.get(&Key::new("default", "kube-root-ca.crt"));
//! # }
//! ```

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use base::{Clock, Rng, Tasks};
use parking_lot::{Mutex, RwLock};
use serde::de::DeserializeOwned;
use tokio::sync::watch as signal;

use crate::{
    error::Error,
    object::{Key, Object},
    resource::Resource,
    transport::Client,
    watch::{Event, Extent, Watch},
};

/// What a listener is told.
#[derive(Debug)]
pub enum Change<'a, T> {
    /// The object is there and looks like `new`.
    Set {
        /// What the cache held before.
        old: Option<&'a Arc<T>>,
        /// What it holds now.
        new: &'a Arc<T>,
    },
    /// The object is gone; this was its last state.
    Gone(&'a Arc<T>),
    /// The cache is complete for the first time or again.
    Complete,
}

/// Gives the values under which an object is found in one index.
pub type IndexBy<T> = fn(&T, &mut dyn FnMut(&str));

/// Names one index of a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Index(usize);

type Listener<T> = Box<dyn Fn(&Change<'_, T>) + Send + Sync>;

/// A shared picture of one resource. Cheap to clone.
pub struct Cache<T>(Arc<Inner<T>>);

struct Inner<T> {
    resource: Resource,
    path: String,
    query: String,
    extent: Extent,
    /// Held while a change is applied and told, so that a new listener misses none.
    applying: Mutex<()>,
    state: RwLock<State<T>>,
    listeners: RwLock<Vec<Listener<T>>>,
    position: signal::Sender<Position>,
    events: AtomicU64,
}

/// The keys of the objects under each value.
type Entries = HashMap<Box<str>, HashSet<Key>>;

struct State<T> {
    objects: HashMap<Key, Arc<T>>,
    indexes: Vec<(IndexBy<T>, Entries)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Position {
    complete: bool,
    revision: u64,
    /// Counts every change, for those who wait for any.
    changes: u64,
}

impl<T> Clone for Cache<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Object> Cache<T> {
    /// Returns an empty cache of all objects of a resource.
    #[must_use]
    pub fn new(resource: Resource) -> Self {
        let path = resource.path();
        Self::narrowed(resource, path, "", Extent::Whole)
    }

    /// Returns an empty cache that asks the server for metadata only; `T` must be content with it.
    #[must_use]
    pub fn of_metadata(resource: Resource) -> Self {
        let path = resource.path();
        Self::narrowed(resource, path, "", Extent::Metadata)
    }

    /// Returns an empty cache of the objects that a query selects
    /// (`fieldSelector=…&labelSelector=…`, escaped as in a URL) under a collection's path.
    #[must_use]
    pub fn narrowed(resource: Resource, path: String, query: &str, extent: Extent) -> Self {
        Self(Arc::new(Inner {
            resource,
            path,
            query: query.to_owned(),
            extent,
            applying: Mutex::new(()),
            state: RwLock::new(State {
                objects: HashMap::new(),
                indexes: Vec::new(),
            }),
            listeners: RwLock::new(Vec::new()),
            position: signal::Sender::new(Position::default()),
            events: AtomicU64::new(0),
        }))
    }

    /// Adds an index. Objects that are there already are in it at once.
    pub fn index_by(&self, by: IndexBy<T>) -> Index {
        let mut state = self.0.state.write();
        let mut index: HashMap<Box<str>, HashSet<Key>> = HashMap::new();
        for (key, object) in &state.objects {
            by(object, &mut |value| {
                index.entry(value.into()).or_default().insert(key.clone());
            });
        }
        state.indexes.push((by, index));
        Index(state.indexes.len() - 1)
    }

    /// Adds a listener. It is told of every object that is there, and then of every change.
    ///
    /// It runs on the cache's task, so it is to be quick: put a key into a queue, note a mark.
    pub fn on_change(&self, listener: impl Fn(&Change<'_, T>) + Send + Sync + 'static) {
        let _applying = self.0.applying.lock();
        let held: Vec<Arc<T>> = self.0.state.read().objects.values().cloned().collect();
        for new in &held {
            listener(&Change::Set { old: None, new });
        }
        if self.0.position.borrow().complete {
            listener(&Change::Complete);
        }
        self.0.listeners.write().push(Box::new(listener));
    }

    /// Returns the resource that is cached.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.0.resource
    }

    /// Returns an object.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Arc<T>> {
        self.0.state.read().objects.get(key).cloned()
    }

    /// Returns whether the cache holds what `test` accepts under a key, without taking it out.
    #[must_use]
    pub fn holds(&self, key: &Key, test: impl FnOnce(&T) -> bool) -> bool {
        let state = self.0.state.read();
        state.objects.get(key).is_some_and(|object| test(object))
    }

    /// Returns the objects that an index holds under a value, in the order of their keys.
    #[must_use]
    pub fn find(&self, index: Index, value: &str) -> Vec<Arc<T>> {
        let mut found = self.find_unordered(index, value);
        found.sort_by_cached_key(|object| object.key());
        found
    }

    /// Returns the objects that an index holds under a value, in no order.
    #[must_use]
    pub fn find_unordered(&self, index: Index, value: &str) -> Vec<Arc<T>> {
        let state = self.0.state.read();
        let Some(keys) = state
            .indexes
            .get(index.0)
            .and_then(|(_, map)| map.get(value))
        else {
            return Vec::new();
        };
        keys.iter()
            .filter_map(|key| state.objects.get(key).cloned())
            .collect()
    }

    /// Returns whether an index holds anything under a value.
    #[must_use]
    pub fn has(&self, index: Index, value: &str) -> bool {
        let state = self.0.state.read();
        let map = state.indexes.get(index.0);
        map.is_some_and(|(_, map)| map.contains_key(value))
    }

    /// Returns all objects in the order of their keys.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<T>> {
        let mut all: Vec<Arc<T>> = self.0.state.read().objects.values().cloned().collect();
        all.sort_by_cached_key(|object| object.key());
        all
    }

    /// Returns the number of objects.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.state.read().objects.len()
    }

    /// Returns whether there is no object.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many events have come.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.0.events.load(Ordering::Relaxed)
    }

    /// Returns whether the cache has been complete.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.0.position.borrow().complete
    }

    /// Waits until the cache has been complete. Dropping the future loses nothing.
    pub async fn synced(&self) {
        let mut position = self.0.position.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = position.wait_for(|position| position.complete).await;
    }

    /// Waits until the cache has seen a revision of its own resource, at most `patience`.
    ///
    /// Whoever writes an object of this resource and then waits for the written revision reads his
    /// own write in the next round; no bookkeeping of expectations is needed.
    ///
    /// # Errors
    /// [`Error::Behind`] when the time ran out.
    pub async fn reached(
        &self,
        revision: u64,
        clock: &Clock,
        patience: Duration,
    ) -> Result<(), Error> {
        let mut position = self.0.position.subscribe();
        if position.borrow().revision >= revision {
            return Ok(());
        }
        let waiting = position.wait_for(|position| position.revision >= revision);
        match clock.timeout(patience, waiting).await {
            Ok(_) => Ok(()),
            Err(_) => Err(self.behind()),
        }
    }

    /// Waits until no object under these keys passes `test`, at most `patience`.
    ///
    /// # Errors
    /// [`Error::Behind`] when the time ran out.
    pub async fn none_left(
        &self,
        mut keys: Vec<Key>,
        clock: &Clock,
        patience: Duration,
        test: impl Fn(&T) -> bool,
    ) -> Result<(), Error> {
        let mut position = self.0.position.subscribe();
        let waiting = async {
            loop {
                position.mark_unchanged();
                // The last key is looked at first, and the others only when it is gone, so that
                // waiting for many costs one look per change.
                while keys.pop_if(|key| !self.holds(key, &test)).is_some() {}
                if keys.is_empty() || position.changed().await.is_err() {
                    return;
                }
            }
        };
        match clock.timeout(patience, waiting).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.behind()),
        }
    }

    fn behind(&self) -> Error {
        Error::Behind {
            resource: self.0.resource.to_string(),
        }
    }

    /// Puts an object in and tells the listeners.
    fn set(&self, object: T) {
        let _applying = self.0.applying.lock();
        let new = Arc::new(object);
        let (key, revision) = (new.key(), new.revision());
        let old = {
            let mut state = self.0.state.write();
            let State { objects, indexes } = &mut *state;
            let old = objects.insert(key.clone(), Arc::clone(&new));
            for (by, map) in indexes {
                move_key(*by, map, &key, old.as_deref(), Some(&new));
            }
            old
        };
        self.tell(&Change::Set {
            old: old.as_ref(),
            new: &new,
        });
        self.advance(revision);
    }

    /// Takes an object out and tells the listeners.
    fn remove(&self, key: &Key, last: Option<T>, revision: u64) {
        let _applying = self.0.applying.lock();
        let old = {
            let mut state = self.0.state.write();
            let State { objects, indexes } = &mut *state;
            let old = objects.remove(key);
            for (by, map) in indexes {
                move_key(*by, map, key, old.as_deref(), None);
            }
            old
        };
        if let Some(old) = old {
            let last = last.map_or(old, Arc::new);
            self.tell(&Change::Gone(&last));
        }
        self.advance(revision);
    }

    fn tell(&self, change: &Change<'_, T>) {
        for listener in self.0.listeners.read().iter() {
            listener(change);
        }
    }

    fn advance(&self, revision: u64) {
        self.0.position.send_modify(|position| {
            position.revision = position.revision.max(revision);
            position.changes += 1;
        });
    }

    fn complete(&self, revision: u64) {
        let _applying = self.0.applying.lock();
        self.tell(&Change::Complete);
        self.0.position.send_modify(|position| {
            position.revision = position.revision.max(revision);
            position.complete = true;
            position.changes += 1;
        });
    }
}

/// Moves one object's key in one index from its old values to its new ones.
fn move_key<T>(
    by: IndexBy<T>,
    map: &mut HashMap<Box<str>, HashSet<Key>>,
    key: &Key,
    old: Option<&T>,
    new: Option<&T>,
) {
    if let Some(old) = old {
        by(old, &mut |value| {
            if let Some(keys) = map.get_mut(value) {
                keys.remove(key);
                if keys.is_empty() {
                    map.remove(value);
                }
            }
        });
    }
    if let Some(new) = new {
        by(new, &mut |value| match map.get_mut(value) {
            Some(keys) => {
                keys.insert(key.clone());
            }
            None => {
                map.insert(value.into(), HashSet::from([key.clone()]));
            }
        });
    }
}

impl<T: Object + DeserializeOwned> Cache<T> {
    /// Starts to follow the server, until the tasks drain.
    pub fn start(&self, client: &Client, tasks: &Tasks, clock: &Clock, rng: Rng) {
        self.start_projected(client, tasks, clock, rng, Some);
    }
}

impl<T: Object> Cache<T> {
    /// Starts to follow the server, keeping of each object what `project` gives; `None` keeps
    /// nothing of it.
    pub fn start_projected<K: Object + DeserializeOwned>(
        &self,
        client: &Client,
        tasks: &Tasks,
        clock: &Clock,
        rng: Rng,
        project: fn(K) -> Option<T>,
    ) {
        let watch: Watch<K> = Watch::new(
            client.clone(),
            self.0.path.clone(),
            self.0.query.clone(),
            self.0.extent,
            clock.clone(),
            rng,
        );
        let (cache, drain) = (self.clone(), tasks.drain_signal());
        tasks.spawn("cache", cache.follow(watch, drain, project));
    }

    async fn follow<K: Object + DeserializeOwned>(
        self,
        mut watch: Watch<K>,
        mut drain: base::Drain,
        project: fn(K) -> Option<T>,
    ) {
        // Keys that a new list has not confirmed yet; empty outside of a repeated list.
        let mut unconfirmed: HashSet<Key> = HashSet::new();
        let mut listing = false;
        loop {
            let event = tokio::select! {
                biased;
                () = drain.requested() => return,
                event = watch.next() => event,
            };
            self.0.events.fetch_add(1, Ordering::Relaxed);
            match event {
                Event::Begin => {
                    listing = true;
                    unconfirmed = self.0.state.read().objects.keys().cloned().collect();
                }
                Event::Seen(object) => {
                    let (key, revision) = (object.key(), object.revision());
                    if listing {
                        unconfirmed.remove(&key);
                    }
                    match project(object) {
                        Some(object) => self.set(object),
                        None => self.remove(&key, None, revision),
                    }
                }
                Event::Gone(object) => {
                    let (key, revision) = (object.key(), object.revision());
                    self.remove(&key, project(object), revision);
                }
                Event::Complete(revision) => {
                    listing = false;
                    for key in unconfirmed.drain() {
                        self.remove(&key, None, 0);
                    }
                    self.complete(revision);
                }
                Event::Progress(revision) => self.advance(revision),
            }
        }
    }
}

#[cfg(test)]
#[path = "cache/tests.rs"]
mod tests;
