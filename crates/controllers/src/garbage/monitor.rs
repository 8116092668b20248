//! Keeps a metadata watch on every resource that can be deleted.
//!
//! What other controllers cache anyway is not watched twice: the graph listens to their caches.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use base::{Clock, Drain, Rng, Task, Tasks};
use kit::{
    Cache, Change, Client, Extent, Object, Partial, Queue, Resource, Uid,
    discovery::Served,
    events::{About, Recorder, Severity},
    watch::{Event, Watch},
};
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use super::graph::{Graph, Invalid, Kind, Outcome, Work};
use crate::{
    catalog::{Catalog, Place, Since},
    claim::Headed,
    departures::Departures,
};

/// How long the first look at a new set of resources is waited for; one that does not answer must
/// not hold up all others.
const SYNC_WITHIN: Duration = Duration::from_secs(30);

/// The graph and who is told of it. Cheap to clone.
#[derive(Clone)]
pub struct Shared(Arc<Inner>);

struct Inner {
    graph: Mutex<Graph>,
    queue: Queue<Work>,
    recorder: Recorder,
    departures: Departures,
}

impl Shared {
    /// Returns an empty graph.
    #[must_use]
    pub fn new(queue: Queue<Work>, recorder: Recorder, departures: Departures) -> Self {
        Self(Arc::new(Inner {
            graph: Mutex::new(Graph::default()),
            queue,
            recorder,
            departures,
        }))
    }

    /// Changes the graph and passes on what comes out of it.
    pub fn apply(&self, change: impl FnOnce(&mut Graph) -> Outcome) {
        let outcome = change(&mut self.0.graph.lock());
        for work in outcome.work {
            self.0.queue.add(work);
        }
        for invalid in &outcome.invalid {
            self.report(invalid);
        }
    }

    /// Reads the graph.
    pub fn read<R>(&self, read: impl FnOnce(&Graph) -> R) -> R {
        read(&self.0.graph.lock())
    }

    fn report(&self, invalid: &Invalid) {
        let (dependent, owner) = (&invalid.dependent, &invalid.owner);
        let about = About {
            api_version: dependent.api_version.to_string(),
            kind: dependent.kind.to_string(),
            name: dependent.name.to_string(),
            namespace: dependent.namespace.to_string(),
            uid: dependent.uid.clone(),
            resource_version: String::new(),
        };
        let text = format!(
            "ownerRef [{}/{}, namespace: {}, name: {}, uid: {}] does not exist in namespace {:?}",
            owner.api_version,
            owner.kind,
            dependent.namespace,
            owner.name,
            owner.uid,
            dependent.namespace
        );
        let reason = "OwnerRefInvalidNamespace";
        self.0.recorder.note(about, Severity::Warning, reason, text);
    }

    /// Listens to a cache that someone else needs.
    pub fn follow<T: Object + Headed>(&self, cache: &Cache<T>) {
        let kind = self.kind(cache.resource());
        let shared = self.clone();
        cache.on_change(move |change| match change {
            Change::Set { new, .. } => shared.apply(|graph| graph.observe(kind, new.head())),
            Change::Gone(last) => shared.leave(last.head()),
            Change::Complete => {}
        });
    }

    fn kind(&self, resource: &Resource) -> Kind {
        let scope = Some(resource.scope);
        let mut graph = self.0.graph.lock();
        graph.kind(&resource.api_version(), &resource.kind, scope)
    }

    fn leave(&self, head: &kit::Head) {
        self.apply(|graph| graph.gone(&head.uid));
        self.0.departures.note(&head.namespace);
    }
}

/// Starts and stops watches as discovery says.
pub struct Monitors {
    /// The graph.
    pub shared: Shared,
    /// What is served.
    pub catalog: Catalog,
    /// A way to the server that may watch everything.
    pub client: Client,
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub rng: Rng,
    /// Where watches run.
    pub tasks: Tasks,
    /// Resources that the graph hears of from caches.
    pub followed: Vec<Resource>,
}

/// What is watched.
type Watches = BTreeMap<Place, Monitor>;

struct Monitor {
    resource: Resource,
    task: Task<()>,
}

impl Monitors {
    /// Keeps the watches in step with discovery; says `ready` once the graph is complete.
    pub async fn run(mut self, mut drain: Drain, ready: oneshot::Sender<()>) {
        let mut changes = self.catalog.changes();
        let mut running = Watches::new();
        let unsynced = watch::Sender::new(0_usize);
        let mut ready = Some(ready);
        // Compared by value: the first answer may have come before we began to listen.
        let mut seen = 0;
        loop {
            tokio::select! {
                biased;
                () = drain.requested() => return,
                changed = changes.wait_for(|generation| *generation != seen) => {
                    if changed.is_err() {
                        return;
                    }
                }
            }
            let (now, since) = self.catalog.since(seen);
            seen = now;
            self.adjust(since, &mut running, &unsynced);
            let mut waiting = unsynced.subscribe();
            let synced = waiting.wait_for(|left| *left == 0);
            let clock = self.clock.clone();
            tokio::select! {
                biased;
                () = drain.requested() => return,
                _ = clock.timeout(SYNC_WITHIN, synced) => {}
            }
            if let Some(ready) = ready.take() {
                // Nobody waits when the rounds were ended first.
                let _ = ready.send(());
            }
        }
    }

    /// Keeps the watches in step with what changed, which may be everything.
    fn adjust(&mut self, since: Since, running: &mut Watches, unsynced: &watch::Sender<usize>) {
        let held = self.catalog.held();
        let places = match since {
            Since::These(places) => places,
            Since::Everything => {
                let served = held.preferred().map(|served| &served.resource);
                let all = served.map(|one| (Arc::clone(&one.group), Arc::clone(&one.plural)));
                let mut all: Vec<Place> = all.collect();
                all.extend(running.keys().cloned());
                all
            }
        };
        for place in places {
            let served = held.at(&place).filter(|served| self.is_watched(served));
            let wanted = served.map(|served| &served.resource);
            let known = running.get(&place);
            if known.map(|monitor| &monitor.resource) == wanted {
                continue;
            }
            if let Some(monitor) = running.remove(&place) {
                monitor.task.stop();
                if wanted.is_none() {
                    let kind = self.shared.kind(&monitor.resource);
                    self.shared.apply(|graph| graph.forget_kind(kind));
                }
            }
            if let Some(resource) = wanted {
                let task = self.start(resource, unsynced);
                let resource = resource.clone();
                running.insert(place, Monitor { resource, task });
            }
        }
    }

    fn is_watched(&self, served: &Served) -> bool {
        let resource = &served.resource;
        // Events come in masses, own nothing and expire by themselves.
        let ignored =
            &*resource.plural == "events" && matches!(&*resource.group, "" | "events.k8s.io");
        let followed = self
            .followed
            .iter()
            .any(|followed| followed.group == resource.group && followed.plural == resource.plural);
        !ignored && !followed && served.can(&["delete", "list", "watch"])
    }

    fn start(&mut self, resource: &Resource, unsynced: &watch::Sender<usize>) -> Task<()> {
        let watch: Watch<Partial> = Watch::new(
            self.client.clone(),
            resource.path(),
            String::new(),
            Extent::Metadata,
            self.clock.clone(),
            Rng::from_seed(self.rng.next_u64()),
        );
        unsynced.send_modify(|left| *left += 1);
        let unsynced = Unsynced(Some(unsynced.clone()));
        let kind = self.shared.kind(resource);
        // A server that joins or leaves changes what is served.
        let joins = &*resource.group == "apiregistration.k8s.io";
        let asked = joins.then(|| self.catalog.clone());
        let watching = watch_one(self.shared.clone(), kind, watch, unsynced, asked);
        let mut drain = self.tasks.drain_signal();
        self.tasks.spawn("metadata watch", async move {
            tokio::select! {
                biased;
                () = drain.requested() => {}
                () = watching => {}
            }
        })
    }
}

/// Counts one watch as not complete yet, until it is or ends.
struct Unsynced(Option<watch::Sender<usize>>);

impl Unsynced {
    fn done(&mut self) {
        if let Some(unsynced) = self.0.take() {
            unsynced.send_modify(|left| *left -= 1);
        }
    }
}

impl Drop for Unsynced {
    fn drop(&mut self) {
        self.done();
    }
}

async fn watch_one(
    shared: Shared,
    kind: Kind,
    mut watch: Watch<Partial>,
    mut unsynced: Unsynced,
    asked: Option<Catalog>,
) {
    let mut unconfirmed: HashSet<Uid> = HashSet::new();
    let mut listing = false;
    loop {
        let event = watch.next().await;
        if let (Some(catalog), false, Event::Seen(_) | Event::Gone(_)) = (&asked, listing, &event) {
            catalog.ask();
        }
        match event {
            Event::Begin => {
                listing = true;
                unconfirmed = shared.read(|graph| graph.of_kind(kind).cloned().collect());
            }
            Event::Seen(object) => {
                if listing {
                    unconfirmed.remove(&object.metadata.uid);
                }
                shared.apply(|graph| graph.observe(kind, &object.metadata));
            }
            Event::Gone(object) => shared.leave(&object.metadata),
            Event::Complete(_) => {
                listing = false;
                for uid in unconfirmed.drain() {
                    shared.apply(|graph| graph.gone(&uid));
                }
                unsynced.done();
            }
            Event::Progress(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use base::{Clock, Rng, Tasks};
    use bytes::Bytes;
    use http_body_util::Full;
    use kit::{Client, Queue, events::Recorder};
    use tokio::sync::oneshot;

    use super::{Monitors, Shared};
    use crate::{catalog::Catalog, departures::Departures};

    /// A seldom-lost race once kept the collector from ever beginning.
    #[tokio::test]
    async fn begins_when_discovery_was_there_first() {
        let client = Client::in_process(tower::service_fn(
            |request: http::Request<kube::client::Body>| async move {
                let body = if request.uri().path() == "/api" {
                    r#"{"items":[{"versions":[{"version":"v1","resources":[]}]}]}"#
                } else {
                    r#"{"items":[{"metadata":{"name":"x.io"},"versions":[{"version":"v1","resources":[
                        {"resource":"as","responseKind":{"kind":"A"},"scope":"Cluster","verbs":["list"]}]}]}]}"#
                };
                Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from(body))))
            },
        ));
        let (tasks, clock) = (Tasks::new(), Clock::system());
        let catalog = Catalog::new(client.clone(), clock.clone());
        catalog.refresh().await.unwrap();
        let queue = Queue::new(clock.clone(), Rng::from_seed(1));
        let departures = Departures::new(Queue::new(clock.clone(), Rng::from_seed(1)));
        let monitors = Monitors {
            shared: Shared::new(queue, Recorder::silent(), departures),
            catalog,
            client,
            clock: clock.clone(),
            rng: Rng::from_seed(1),
            tasks: tasks.clone(),
            followed: Vec::new(),
        };
        let (began, begins) = oneshot::channel();
        let running = monitors.run(tasks.drain_signal(), began);
        let task = tasks.spawn("monitors", running);
        let begun = clock.timeout(Duration::from_secs(10), begins).await;
        assert!(begun.is_ok_and(|begun| begun.is_ok()));
        tasks.drain(&clock, Duration::from_secs(10)).await;
        task.await.unwrap();
    }
}
