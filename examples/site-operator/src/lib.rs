//! A small operator: a `Site` is a page of text, served by a few web servers.
//!
//! For each Site it keeps a ConfigMap with the page and a Deployment that serves it, both owned by
//! the Site so that they go with it, and writes into the Site's status how many servers are ready.
//!
//! The whole of an operator is here: the type ([`site`]), the pure decision ([`plan`]) and the
//! carrying out ([`act`]). [`start`] puts them together. It runs against any Kubernetes; its test
//! runs it in a Pintle of its own, in a few milliseconds.

pub mod act;
pub mod plan;
pub mod site;

use base::{Clock, Rng, Tasks};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::ConfigMap};
use kit::{Cache, Change, Client, Key, Object, Queue, Resource, Scope, reconcile::Rounds};
use kube::ResourceExt;

pub use site::Site;

/// Rounds at once.
const WORKERS: usize = 4;

/// Starts the operator; it ends when the tasks drain.
pub async fn start(client: &Client, tasks: &Tasks, clock: &Clock, mut rng: Rng) -> Rounds {
    let sites: Cache<Site> = Cache::new(Resource::of::<Site>(Scope::Namespaced));
    let pages: Cache<ConfigMap> = Cache::new(Resource::of::<ConfigMap>(Scope::Namespaced));
    let servers: Cache<Deployment> = Cache::new(Resource::of::<Deployment>(Scope::Namespaced));
    let queue = Queue::new(clock.clone(), Rng::from_seed(rng.next_u64()));

    // Events only say which Site to look at; the round looks at everything itself.
    let wake = queue.clone();
    sites.on_change(move |change| {
        if let Change::Set { new, .. } = change {
            wake.add(new.key());
        }
    });
    wake_owner(&pages, &queue);
    wake_owner(&servers, &queue);

    sites.start(client, tasks, clock, Rng::from_seed(rng.next_u64()));
    pages.start(client, tasks, clock, Rng::from_seed(rng.next_u64()));
    servers.start(client, tasks, clock, Rng::from_seed(rng.next_u64()));
    sites.synced().await;
    pages.synced().await;
    servers.synced().await;

    let operator = act::Operator::new(client.kube(), sites, pages, servers);
    kit::reconcile::start(operator, queue, WORKERS, tasks, clock)
}

/// Wakes the Site that owns what has changed; both share the name.
fn wake_owner<T>(cache: &Cache<T>, queue: &Queue<Key>)
where
    T: kube::Resource + Send + Sync + 'static,
{
    let wake = queue.clone();
    cache.on_change(move |change| {
        let (Change::Set { new: object, .. } | Change::Gone(object)) = change else {
            return;
        };
        let owners = object.owner_references().iter();
        if owners.filter(|owner| owner.kind == site::KIND).count() > 0 {
            wake.add(object.key());
        }
    });
}
