//! The server as one value: what it was given, and the handles to it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use access::{Allow, Identify, World, identify::Certificates};
use api::Text;
use base::{Clock, Drain, Rng, Tasks};
use schema::openapi;

use crate::{
    answer::Page,
    audit::AuditIds,
    edge::Outbound,
    metrics::{Metrics, Source},
    mount::Mounts,
    pages::{
        discovery::Discovery,
        health::{Check, Health},
        index,
        openapi::OpenApi,
        version::Version,
    },
    queue::Queue,
    registry::ClusterId,
    serving::Serving,
};

/// What a server is made of.
pub struct Setup {
    /// Tells the time.
    pub clock: Clock,
    /// Its tasks; draining them ends the server.
    pub tasks: Tasks,
    /// Chance: audit ids.
    pub rng: Rng,
    /// What serves resources.
    pub serving: Arc<Serving>,
    /// Who are you, may you.
    pub access: Access,
    /// What `access` may know of the cluster.
    pub world: Arc<dyn World>,
    /// What `/version` says.
    pub version: Version,
    /// `HOST:PORT` under which clients find the server, as `/api` says it.
    pub address: Text,
    /// Checks of `/healthz`, `/livez` and `/readyz` beside those of the server itself.
    pub checks: Vec<Check>,
    /// Bounds.
    pub limits: Limits,
    /// Groups that discovery names before others, higher numbers first.
    pub group_priorities: Vec<(Text, i32)>,
    /// Documents at fixed paths: the issuer of service-account tokens and its keys.
    pub pages: Vec<(Text, Page)>,
    /// Further metrics.
    pub metrics: Vec<Source>,
    /// Services below objects.
    pub mounts: Mounts,
    /// How the server connects to nodes and to what runs there.
    pub outbound: Outbound,
    /// Descriptions of the built-in kinds for OpenAPI, packed with raw DEFLATE; empty for none.
    pub texts: &'static [u8],
}

/// What answers who someone is, and what they may do.
pub struct Access {
    /// Who vouches for client certificates.
    pub certificates: Certificates,
    /// Credentials to a user.
    pub identify: Identify,
    /// What a user may do.
    pub allow: Allow,
    /// Rules of admission that are left out.
    pub rules_off: Vec<access::admit::Rule>,
}

/// The bounds of a server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections that may be open at once. Each costs about 30 KB when idle over TLS.
    pub connections_max: usize,
    /// Reads in flight, watches not counted; more get 429.
    pub reads_max: usize,
    /// Writes in flight; more get 429.
    pub writes_max: usize,
    /// How long a request that is no watch may take.
    pub request_timeout: Duration,
}

/// Upstream's bounds; it has none on connections.
impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 50_000,
            reads_max: 400,
            writes_max: 200,
            request_timeout: Duration::from_secs(60),
        }
    }
}

/// A running server. Cheap to clone.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    clock: Clock,
    tasks: Tasks,
    serving: Arc<Serving>,
    access: Arc<Access>,
    world: Arc<dyn World>,
    version: Version,
    health: Health,
    limits: Limits,
    discovery: Discovery,
    openapi: OpenApi,
    pages: Vec<(Text, Page)>,
    mounts: Mounts,
    outbound: Outbound,
    audit_ids: AuditIds,
    queue: Queue,
    metrics: Metrics,
    started: Arc<AtomicBool>,
}

/// Returns the pages beside discovery that OpenAPI tells of.
fn documented(pages: &[(Text, Page)]) -> Vec<openapi::Page> {
    let of_issuer = [openapi::Page::Issuer, openapi::Page::Keys];
    let mut documented = vec![openapi::Page::Version];
    documented.extend(of_issuer.into_iter().filter(|page| {
        let path = format!("/{}", page.name());
        pages.iter().any(|(known, _)| *known == path)
    }));
    documented
}

impl Server {
    /// Returns a server. It serves in-process callers at once, and sockets when
    /// [`edge::listen`](crate::edge::listen) is given one.
    ///
    /// Until [`Server::set_started`] it is not ready, and what it does not know gets 503 instead
    /// of 404.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let mut rng = setup.rng;
        let started = Arc::new(AtomicBool::new(false));
        let mut checks = setup.checks;
        checks.extend(own_checks(&started, setup.tasks.drain_signal()));
        let openapi = OpenApi::new(
            setup.texts,
            setup.version.release(),
            documented(&setup.pages),
            setup.clock.clone(),
            setup.tasks.clone(),
        );
        let access = Arc::new(setup.access);
        setup
            .serving
            .set_terms(Arc::clone(&access), Arc::clone(&setup.world));
        Self(Arc::new(Inner {
            audit_ids: AuditIds::new(&mut rng),
            queue: Queue::new(setup.limits),
            metrics: Metrics::new(setup.metrics),
            discovery: Discovery::new(setup.group_priorities, setup.address),
            openapi,
            health: Health::new(checks),
            clock: setup.clock,
            tasks: setup.tasks,
            serving: setup.serving,
            access,
            world: setup.world,
            limits: setup.limits,
            version: setup.version,
            pages: setup.pages,
            mounts: setup.mounts,
            outbound: setup.outbound,
            started,
        }))
    }

    /// Says that everything that was there before is served: `/readyz` succeeds from now on.
    pub fn set_started(&self) {
        self.0.started.store(true, Ordering::Release);
    }

    pub(crate) fn is_started(&self) -> bool {
        self.0.started.load(Ordering::Acquire)
    }

    /// Returns the clock by which it serves.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    pub(crate) fn drain_signal(&self) -> Drain {
        self.0.tasks.drain_signal()
    }

    /// Returns what serves resources.
    #[must_use]
    pub fn serving(&self) -> &Arc<Serving> {
        &self.0.serving
    }

    pub(crate) fn access(&self) -> &Access {
        &self.0.access
    }

    pub(crate) fn world(&self) -> &dyn World {
        &*self.0.world
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn version(&self) -> &Version {
        &self.0.version
    }

    pub(crate) fn health(&self) -> &Health {
        &self.0.health
    }

    pub(crate) fn discovery(&self) -> &Discovery {
        &self.0.discovery
    }

    pub(crate) fn openapi(&self) -> &OpenApi {
        &self.0.openapi
    }

    pub(crate) fn outbound(&self) -> &Outbound {
        &self.0.outbound
    }

    pub(crate) fn mounts(&self) -> &Mounts {
        &self.0.mounts
    }

    pub(crate) fn audit_ids(&self) -> &AuditIds {
        &self.0.audit_ids
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.0.queue
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Returns the document at this path.
    pub(crate) fn fixed_page(&self, path: &str) -> Option<Page> {
        let found = self.0.pages.iter().find(|(known, _)| known == path);
        found.map(|(_, page)| page.clone())
    }

    /// Returns the page that names every path.
    pub(crate) fn index(&self) -> Page {
        let registry = self.0.serving.registry();
        let mut paths = self.0.discovery.paths(registry, ClusterId::ONLY);
        paths.extend(self.0.health.paths());
        paths.extend(self.0.pages.iter().map(|(path, _)| path.to_string()));
        paths.extend(["/metrics", "/openapi/v3", "/openapi/v3/", "/version"].map(str::to_owned));
        index::page(paths)
    }
}

/// What the server knows of its own health.
fn own_checks(started: &Arc<AtomicBool>, drain: Drain) -> [Check; 2] {
    let started = Arc::clone(started);
    [
        Check {
            name: "informer-sync",
            live: false,
            ready: true,
            probe: Arc::new(move || match started.load(Ordering::Acquire) {
                true => Ok(()),
                false => Err("what was stored is not served yet".to_owned()),
            }),
        },
        Check {
            name: "shutdown",
            live: false,
            ready: true,
            probe: Arc::new(move || match drain.is_requested() {
                true => Err("process is shutting down".to_owned()),
                false => Ok(()),
            }),
        },
    ]
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}
