//! The server as one value: what it was given, and the handles to it.

use std::{sync::Arc, time::Duration};

use base::{Clock, Drain, Rng, Tasks};

use crate::{
    audit::AuditIds,
    pages::{health::Health, version::Version},
    queue::Queue,
};

/// What a server is made of.
#[derive(Debug)]
pub struct Setup {
    /// Tells the time.
    pub clock: Clock,
    /// Its tasks; draining them ends the server.
    pub tasks: Tasks,
    /// Chance: audit ids, jitter of watches.
    pub rng: Rng,
    /// What `/version` says.
    pub version: Version,
    /// What `/healthz`, `/livez` and `/readyz` ask.
    pub health: Health,
    /// Bounds.
    pub limits: Limits,
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
#[derive(Clone, Debug)]
pub struct Server(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    tasks: Tasks,
    limits: Limits,
    version: Version,
    audit_ids: AuditIds,
    queue: Queue,
    health: Health,
}

impl Server {
    /// Returns a server. It serves in-process callers at once, and sockets when
    /// [`edge::listen`](crate::edge::listen) is given one.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let mut rng = setup.rng;
        Self(Arc::new(Inner {
            audit_ids: AuditIds::new(&mut rng),
            queue: Queue::new(setup.limits),
            health: setup.health,
            clock: setup.clock,
            tasks: setup.tasks,
            limits: setup.limits,
            version: setup.version,
        }))
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    pub(crate) fn drain_signal(&self) -> Drain {
        self.0.tasks.drain_signal()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn version(&self) -> &Version {
        &self.0.version
    }

    pub(crate) fn audit_ids(&self) -> &AuditIds {
        &self.0.audit_ids
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.0.queue
    }

    pub(crate) fn health(&self) -> &Health {
        &self.0.health
    }
}
