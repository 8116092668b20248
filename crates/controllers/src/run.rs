//! Starts the controllers on shared caches and says what wakes each of them.

use std::{collections::BTreeMap, sync::Arc};

use base::{Clock, Rng, Tasks};
use kit::{
    Cache, Change, Client, Controller, Index, Key, Object, Partial, Queue, Resource,
    events::Recorder,
    reconcile::{self, Rounds},
};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use crate::{
    catalog::{Catalog, Definition},
    claim::{self, Headed},
    clusterrole::{Aggregator, ClusterRole},
    departures::Departures,
    deployment::{Deployment, Strategy, act::Deployments},
    garbage::{
        act::Collector,
        graph::Work,
        monitor::{Monitors, Shared},
    },
    migration::{Migration, act::Migrator},
    namespace::{Namespace, act::Namespaces},
    pod::Pod,
    replicaset::{ReplicaSet, act::ReplicaSets},
    rootca::{self, Publisher},
    serviceaccount::{self, ServiceAccounts},
    switches::Name,
};

/// Rounds at once. Requests of one round already run together; these are for many objects.
const WORKERS: usize = 8;

/// Rounds of the garbage collector at once. Each is one request; more of them share one sync of
/// the store's log.
const COLLECTORS: usize = 64;

/// What the controllers are given.
pub struct Setup {
    /// Fills the caches they share; its user is [`SHARED_USER`](crate::switches::SHARED_USER).
    pub shared: Client,
    /// The way to the server of each that runs; its user is [`Name::user`]'s. One without a client
    /// does not run.
    pub clients: BTreeMap<Name, Client>,
    /// Where they run.
    pub tasks: Tasks,
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub rng: Rng,
    /// Root certificates as PEM.
    pub root_ca: Arc<str>,
}

/// The running controllers.
#[derive(Clone, Default)]
pub struct Running {
    rounds: Arc<Mutex<Vec<(&'static str, Rounds)>>>,
}

impl Running {
    /// Returns the controllers that have begun to work, and their rounds.
    #[must_use]
    pub fn rounds(&self) -> Vec<(&'static str, Rounds)> {
        self.rounds.lock().clone()
    }

    fn add(&self, name: &'static str, rounds: Rounds) {
        self.rounds.lock().push((name, rounds));
    }
}

/// Starts the controllers that are switched on. They end when the tasks drain.
#[must_use]
pub fn start(setup: Setup) -> Running {
    let mut starter = Starter {
        shared_client: setup.shared.clone().with_agent(AGENT),
        running: Running::default(),
        setup,
    };
    let caches = Caches::new();
    let deletion = starter.deletion(&caches);
    starter.owners(&caches);
    starter.tenants(&caches);
    starter.migrator(&caches);
    starter.caches(&caches, deletion);
    starter.running
}

/// Names the manager of the fields they write; upstream's, which clients see in managed fields.
const AGENT: &str = "kube-controller-manager";

/// What several controllers look at.
struct Caches {
    namespaces: Cache<Namespace>,
    pods: Cache<Pod>,
    pods_by_controller: Index,
    pods_by_namespace: Index,
    sets: Cache<ReplicaSet>,
    sets_by_controller: Index,
    sets_by_namespace: Index,
    deployments: Cache<Deployment>,
    deployments_by_namespace: Index,
    accounts: Cache<Partial>,
    roles: Cache<ClusterRole>,
    roles_aggregated: Index,
    published: Cache<rootca::Published>,
    definitions: Cache<Definition>,
    migrations: Cache<Migration>,
    migrations_by_target: Index,
}

fn by_namespace<T: Headed>(object: &T, found: &mut dyn FnMut(&str)) {
    found(&object.head().namespace);
}

impl Caches {
    fn new() -> Self {
        let pods = Cache::new(Pod::resource());
        let sets = Cache::new(ReplicaSet::resource());
        let deployments = Cache::new(Deployment::resource());
        let roles = Cache::new(ClusterRole::resource());
        let migrations = Cache::new(Migration::resource());
        Self {
            namespaces: Cache::new(Namespace::resource()),
            pods_by_controller: pods.index_by(claim::by_controller),
            pods_by_namespace: pods.index_by(by_namespace),
            pods,
            sets_by_controller: sets.index_by(claim::by_controller),
            sets_by_namespace: sets.index_by(by_namespace),
            sets,
            deployments_by_namespace: deployments.index_by(by_namespace),
            deployments,
            accounts: Cache::of_metadata(serviceaccount::resource()),
            roles_aggregated: roles.index_by(|role: &ClusterRole, found| {
                if role.is_aggregated() {
                    found("");
                }
            }),
            roles,
            published: rootca::cache(),
            definitions: Cache::new(Definition::resource()),
            migrations_by_target: migrations.index_by(|migration: &Migration, found| {
                found(&migration.spec.resource.qualified());
            }),
            migrations,
        }
    }
}

struct Starter {
    setup: Setup,
    shared_client: Client,
    running: Running,
}

/// What deletion needs once caches run.
struct Deletion {
    catalog: Option<Catalog>,
    collector: Option<(Client, Shared, Queue<Work>)>,
}

impl Starter {
    /// Returns the client of a controller that runs.
    fn client(&self, name: Name) -> Option<Client> {
        let client = self.setup.clients.get(&name)?;
        Some(client.clone().with_agent(AGENT))
    }

    fn has_any(&self, names: &[Name]) -> bool {
        names
            .iter()
            .any(|name| self.setup.clients.contains_key(name))
    }

    fn rng(&mut self) -> Rng {
        Rng::from_seed(self.setup.rng.next_u64())
    }

    fn queue<K: Clone + Eq + std::hash::Hash>(&mut self) -> Queue<K> {
        let rng = self.rng();
        Queue::new(self.setup.clock.clone(), rng)
    }

    fn recorder(&self, client: &Client, component: &'static str) -> Recorder {
        let (tasks, clock) = (&self.setup.tasks, &self.setup.clock);
        Recorder::start(component, client.clone(), tasks, clock)
    }

    /// Starts a controller's rounds once the caches it reads are complete.
    fn work<C: Controller>(&self, controller: C, queue: Queue<C::Key>, synced: Vec<Synced>) {
        let (tasks, clock) = (self.setup.tasks.clone(), self.setup.clock.clone());
        let (running, mut drain) = (self.running.clone(), tasks.drain_signal());
        self.setup.tasks.spawn("controller start", async move {
            for cache in synced {
                tokio::select! {
                    biased;
                    () = drain.requested() => return,
                    () = cache => {}
                }
            }
            let name = controller.name();
            let rounds = reconcile::start(controller, queue, WORKERS, &tasks, &clock);
            running.add(name, rounds);
        });
    }

    /// Starts namespace deletion, and prepares the garbage collector.
    fn deletion(&mut self, caches: &Caches) -> Deletion {
        let both = [Name::Namespace, Name::GarbageCollector];
        if !self.has_any(&both) {
            return Deletion {
                catalog: None,
                collector: None,
            };
        }
        let catalog = Catalog::new(self.shared_client.clone(), self.setup.clock.clone());
        let told = catalog.clone();
        caches
            .definitions
            .on_change(move |change| told.define(change));
        let queue: Queue<Key> = self.queue();
        let departures = Departures::new(queue.clone());
        if let Some(client) = self.client(Name::Namespace) {
            self.namespaces(client, caches, &catalog, &departures, queue);
        }
        let mut collector = None;
        if let Some(client) = self.client(Name::GarbageCollector) {
            let queue: Queue<Work> = self.queue();
            let recorder = self.recorder(&client, "garbage-collector-controller");
            let shared = Shared::new(queue.clone(), recorder, departures);
            collector = Some((client, shared, queue));
        }
        Deletion {
            catalog: Some(catalog),
            collector,
        }
    }

    fn namespaces(
        &mut self,
        client: Client,
        caches: &Caches,
        catalog: &Catalog,
        departures: &Departures,
        queue: Queue<Key>,
    ) {
        let wake = queue.clone();
        caches.namespaces.on_change(move |change| match change {
            Change::Set { new, .. } if new.metadata.is_leaving() => wake.add(new.key()),
            Change::Gone(last) => wake.add(last.key()),
            Change::Set { .. } | Change::Complete => {}
        });
        if !self.has_any(&[Name::GarbageCollector]) {
            let noted = departures.clone();
            caches.pods.on_change(move |change| {
                if let Change::Gone(last) = change {
                    noted.note(&last.metadata.namespace);
                }
            });
        }
        let controller = Namespaces {
            client,
            clock: self.setup.clock.clone(),
            catalog: catalog.clone(),
            namespaces: caches.namespaces.clone(),
            pods: caches.pods.clone(),
            pods_by_namespace: caches.pods_by_namespace,
            departures: departures.clone(),
        };
        self.work(controller, queue, vec![synced(&caches.namespaces)]);
    }

    /// Starts those that own pods.
    fn owners(&mut self, caches: &Caches) {
        if let Some(client) = self.client(Name::ReplicaSet) {
            let queue = self.queue();
            wake_replica_sets(caches, &queue);
            let controller = ReplicaSets {
                recorder: self.recorder(&client, "replicaset-controller"),
                client,
                clock: self.setup.clock.clone(),
                sets: caches.sets.clone(),
                sets_by_controller: caches.sets_by_controller,
                pods: caches.pods.clone(),
                pods_by_controller: caches.pods_by_controller,
            };
            self.work(
                controller,
                queue,
                vec![synced(&caches.sets), synced(&caches.pods)],
            );
        }
        if let Some(client) = self.client(Name::Deployment) {
            let queue = self.queue();
            wake_deployments(caches, &queue);
            let controller = Deployments {
                recorder: self.recorder(&client, "deployment-controller"),
                client,
                clock: self.setup.clock.clone(),
                deployments: caches.deployments.clone(),
                sets: caches.sets.clone(),
                sets_by_controller: caches.sets_by_controller,
                pods: caches.pods.clone(),
                pods_by_controller: caches.pods_by_controller,
            };
            let needed = vec![
                synced(&caches.deployments),
                synced(&caches.sets),
                synced(&caches.pods),
            ];
            self.work(controller, queue, needed);
        }
    }

    /// Starts those that furnish namespaces and roles.
    fn tenants(&mut self, caches: &Caches) {
        if let Some(client) = self.client(Name::ServiceAccount) {
            let queue: Queue<Key> = self.queue();
            wake_for_namespaces(caches, &queue);
            let wake = queue.clone();
            caches.accounts.on_change(move |change| {
                if let Change::Gone(last) = change
                    && &*last.metadata.name == serviceaccount::NAME
                {
                    wake.add(Key::new("", &last.metadata.namespace));
                }
            });
            let controller = ServiceAccounts {
                client,
                namespaces: caches.namespaces.clone(),
                accounts: caches.accounts.clone(),
            };
            let needed = vec![synced(&caches.namespaces), synced(&caches.accounts)];
            self.work(controller, queue, needed);
        }
        if let Some(client) = self.client(Name::RootCa) {
            let queue: Queue<Key> = self.queue();
            wake_for_namespaces(caches, &queue);
            let wake = queue.clone();
            caches.published.on_change(move |change| match change {
                Change::Set { new: object, .. } | Change::Gone(object) => {
                    wake.add(Key::new("", object.key().namespace()));
                }
                Change::Complete => {}
            });
            let controller = Publisher {
                client,
                namespaces: caches.namespaces.clone(),
                published: caches.published.clone(),
                root_ca: Arc::clone(&self.setup.root_ca),
            };
            let needed = vec![synced(&caches.namespaces), synced(&caches.published)];
            self.work(controller, queue, needed);
        }
        if let Some(client) = self.client(Name::ClusterRoleAggregation) {
            let queue: Queue<Key> = self.queue();
            let (wake, roles, aggregated) =
                (queue.clone(), caches.roles.clone(), caches.roles_aggregated);
            caches.roles.on_change(move |change| {
                // Before the first list is complete every role would wake all others.
                if roles.is_synced() || matches!(change, Change::Complete) {
                    for role in roles.find_unordered(aggregated, "") {
                        wake.add(role.key());
                    }
                }
            });
            let controller = Aggregator {
                client,
                roles: caches.roles.clone(),
            };
            self.work(controller, queue, vec![synced(&caches.roles)]);
        }
    }

    /// Starts who rewrites objects in the version that is stored now.
    fn migrator(&mut self, caches: &Caches) {
        let Some(client) = self.client(Name::StorageVersionMigrator) else {
            return;
        };
        let queue: Queue<Key> = self.queue();
        let (wake, migrations) = (queue.clone(), caches.migrations.clone());
        let by_target = caches.migrations_by_target;
        caches.migrations.on_change(move |change| {
            let (Change::Set { new: changed, .. } | Change::Gone(changed)) = change else {
                return;
            };
            // Of one resource one runs at a time: the next one may have waited for this.
            wake.add(changed.key());
            let target = changed.spec.resource.qualified();
            for other in migrations.find_unordered(by_target, &target) {
                wake.add(other.key());
            }
        });
        let controller = Migrator {
            client,
            clock: self.setup.clock.clone(),
            catalog: Catalog::new(self.shared_client.clone(), self.setup.clock.clone()),
            migrations: caches.migrations.clone(),
            by_target,
        };
        self.work(controller, queue, vec![synced(&caches.migrations)]);
    }

    /// Starts the caches that someone looks at, and the collector on top of them.
    fn caches(&mut self, caches: &Caches, deletion: Deletion) {
        use Name::{
            ClusterRoleAggregation, Deployment, GarbageCollector, Namespace, ReplicaSet, RootCa,
            ServiceAccount, StorageVersionMigrator,
        };
        let mut followed = Vec::new();
        let collector = deletion.collector.as_ref().map(|(_, shared, _)| shared);
        let owners = [ReplicaSet, Deployment, Namespace];
        self.cache(&caches.pods, &owners, collector, &mut followed);
        let owners = [ReplicaSet, Deployment];
        self.cache(&caches.sets, &owners, collector, &mut followed);
        self.cache(&caches.deployments, &[Deployment], collector, &mut followed);
        let tenants = [Namespace, ServiceAccount, RootCa];
        self.cache(&caches.namespaces, &tenants, collector, &mut followed);
        self.cache(
            &caches.accounts,
            &[ServiceAccount],
            collector,
            &mut followed,
        );
        let roles = [ClusterRoleAggregation];
        self.cache(&caches.roles, &roles, collector, &mut followed);
        let both = [Namespace, GarbageCollector];
        self.cache(&caches.definitions, &both, collector, &mut followed);
        if self.has_any(&[RootCa]) {
            self.start_cache(&caches.published);
        }
        if self.has_any(&[StorageVersionMigrator]) {
            self.start_cache(&caches.migrations);
        }
        let Some(catalog) = deletion.catalog else {
            return;
        };
        if let Some((client, shared, queue)) = deletion.collector {
            self.collector(client, shared, queue, &catalog, followed);
        }
        let rng = self.rng();
        let drain = self.setup.tasks.drain_signal();
        let running = catalog.run(drain, rng);
        self.setup.tasks.spawn("discovery", running);
    }

    fn cache<T: Object + DeserializeOwned + Headed>(
        &mut self,
        cache: &Cache<T>,
        users: &[Name],
        collector: Option<&Shared>,
        followed: &mut Vec<Resource>,
    ) {
        if !self.has_any(users) {
            return;
        }
        if let Some(collector) = collector {
            collector.follow(cache);
            followed.push(cache.resource().clone());
        }
        self.start_cache(cache);
    }

    fn start_cache<T: Object + DeserializeOwned>(&mut self, cache: &Cache<T>) {
        let rng = self.rng();
        let (tasks, clock) = (&self.setup.tasks, &self.setup.clock);
        cache.start(&self.shared_client, tasks, clock, rng);
    }

    fn collector(
        &mut self,
        client: Client,
        shared: Shared,
        queue: Queue<Work>,
        catalog: &Catalog,
        followed: Vec<Resource>,
    ) {
        let controller = Collector {
            client,
            shared: shared.clone(),
            catalog: catalog.clone(),
        };
        let monitors = Monitors {
            shared,
            catalog: catalog.clone(),
            client: self.shared_client.clone(),
            clock: self.setup.clock.clone(),
            rng: self.rng(),
            tasks: self.setup.tasks.clone(),
            followed,
        };
        let (tasks, clock) = (self.setup.tasks.clone(), self.setup.clock.clone());
        let (running, drain) = (self.running.clone(), tasks.drain_signal());
        let (ready, begin) = oneshot::channel();
        let watching = monitors.run(drain, ready);
        self.setup.tasks.spawn("metadata watches", watching);
        self.setup.tasks.spawn("controller start", async move {
            if begin.await.is_ok() {
                let name = controller.name();
                let rounds = reconcile::start(controller, queue, COLLECTORS, &tasks, &clock);
                running.add(name, rounds);
            }
        });
    }
}

/// A wait for a cache to be complete.
type Synced = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn synced<T: Object>(cache: &Cache<T>) -> Synced {
    let cache = cache.clone();
    Box::pin(async move { cache.synced().await })
}

/// Returns whether a change of a definition can change what the server serves.
fn wake_for_namespaces(caches: &Caches, queue: &Queue<Key>) {
    let wake = queue.clone();
    caches.namespaces.on_change(move |change| {
        if let Change::Set { old: None, new } = change {
            wake.add(new.key());
        }
    });
}

/// Gives the owner that manages an object, if it is of this kind, as a key.
fn controller_key(object: &impl Headed, kind: &str) -> Option<Key> {
    let head = object.head();
    let owner = head.controller().filter(|owner| &*owner.kind == kind)?;
    Some(Key::new(&head.namespace, &owner.name))
}

/// Wakes the owners that a change of a child concerns; `adopters` gives those that may want an
/// orphan.
fn wake_owners<T: Headed>(
    queue: &Queue<Key>,
    kind: &str,
    change: &Change<'_, T>,
    adopters: impl Fn(&T) -> Vec<Key>,
) {
    match change {
        Change::Set { old, new } => {
            let owner = controller_key(&***new, kind);
            let before = old.and_then(|old| controller_key(&**old, kind));
            if let Some(before) = before.filter(|before| Some(before) != owner.as_ref()) {
                queue.add(before);
            }
            let orphan = new.head().controller().is_none();
            match owner {
                Some(owner) => queue.add(owner),
                None if orphan => {
                    let changed = old.is_none_or(|old| {
                        let (old, new) = (old.head(), new.head());
                        old.labels != new.labels || old.controller() != new.controller()
                    });
                    if changed {
                        adopters(new).into_iter().for_each(|key| queue.add(key));
                    }
                }
                None => {}
            }
        }
        Change::Gone(last) => {
            if let Some(owner) = controller_key(&***last, kind) {
                queue.add(owner);
            }
        }
        Change::Complete => {}
    }
}

fn wake_replica_sets(caches: &Caches, queue: &Queue<Key>) {
    let wake = queue.clone();
    caches.sets.on_change(move |change| {
        if let Change::Set { new, .. } = change {
            wake.add(new.key());
        }
    });
    let (wake, sets, by_namespace) = (queue.clone(), caches.sets.clone(), caches.sets_by_namespace);
    caches.pods.on_change(move |change| {
        wake_owners(&wake, "ReplicaSet", change, |pod: &Pod| {
            let sets = sets.find_unordered(by_namespace, &pod.metadata.namespace);
            let mut wanting = sets.iter().filter(|set| {
                !set.selector.is_empty() && set.selector.matches(&pod.metadata.labels)
            });
            wanting.by_ref().map(|set| set.key()).collect()
        });
    });
}

fn wake_deployments(caches: &Caches, queue: &Queue<Key>) {
    let wake = queue.clone();
    caches.deployments.on_change(move |change| {
        if let Change::Set { new, .. } = change {
            wake.add(new.key());
        }
    });
    let (wake, deployments, by_namespace) = (
        queue.clone(),
        caches.deployments.clone(),
        caches.deployments_by_namespace,
    );
    caches.sets.on_change(move |change| {
        wake_owners(&wake, "Deployment", change, |set: &ReplicaSet| {
            let deployments = deployments.find_unordered(by_namespace, &set.metadata.namespace);
            let wanting = deployments.iter().filter(|deployment| {
                !deployment.selector.is_empty() && deployment.selector.matches(&set.metadata.labels)
            });
            wanting.map(|deployment| deployment.key()).collect()
        });
    });
    // A recreating rollout goes on when the last old pod is gone or over.
    let (wake, sets, deployments) = (
        queue.clone(),
        caches.sets.clone(),
        caches.deployments.clone(),
    );
    caches.pods.on_change(move |change| {
        let pod = match change {
            Change::Gone(last) => last,
            Change::Set { new, .. } if new.is_over() => new,
            Change::Set { .. } | Change::Complete => return,
        };
        let set = controller_key(&***pod, "ReplicaSet").and_then(|key| sets.get(&key));
        let key = set.and_then(|set| controller_key(&*set, "Deployment"));
        if let Some(key) = key
            && deployments.holds(&key, |held| held.strategy == Strategy::Recreate)
        {
            wake.add(key);
        }
    });
}
