//! Puts the rooms together, once. Read top down, it is the list of everything that runs.
//!
//! Invariant: nothing is decided here.

use std::{net::TcpListener, path::PathBuf, sync::Arc, time::Duration};

use access::{
    Allow, Identify, Mode, World,
    identify::{Certificates, ServiceAccounts, SigningKey, TokenFile},
};
use api::{Text, Value, json};
use base::{Clock, Moment, Rng, Tasks};
use kinds::Builtins;
use kit::Client;
use server::{Access, Limits, Server, Serving, Setup, User, answer::Page, edge, pages};
use store::{EmbeddedOptions, EmbeddedStore, MemoryStore, Store};

use crate::{
    bootstrap::{self, Kept, Wanted},
    failure::Failure,
    state::Identities,
};

/// The release whose API this is.
pub const KUBERNETES_VERSION: &str = "v1.37.1";

/// The issuer of service-account tokens, as kubeadm has it.
const SERVICE_ACCOUNT_ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// How long a stop waits for requests in flight. Watches end at once.
const DRAIN_PATIENCE: Duration = Duration::from_secs(10);

/// What the whole is made from.
pub struct Parts {
    /// Where to serve, bound already.
    pub listener: TcpListener,
    /// Keys and certificates.
    pub identities: Identities,
    /// Where objects lie.
    pub storage: Storage,
    /// The text of a file of static tokens.
    pub tokens: Option<String>,
    /// Controllers to run: `*`, names, `-name`; empty for none.
    pub controllers: Vec<String>,
    /// Tells the time.
    pub clock: Clock,
}

/// Where objects lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In this directory.
    Embedded(PathBuf),
    /// Nowhere after the process.
    Memory,
}

/// Everything that runs.
pub struct Running {
    server: Server,
    store: Arc<dyn Store>,
    tasks: Tasks,
    clock: Clock,
    controllers: Vec<&'static str>,
    started: Moment,
    ready: Moment,
}

/// Starts everything and returns when it answers.
///
/// # Errors
/// What could not be opened or bound.
pub async fn start(parts: Parts) -> Result<Running, Failure> {
    let clock = parts.clock;
    let started = clock.now();
    let tasks = Tasks::new();
    let mut rng = Rng::from_os();
    let store = open_store(&parts.storage, &clock, &mut rng)?;
    let builtins = kinds::load();
    let first_objects = first_objects(&builtins, &parts.identities);
    let serving = Arc::new(Serving::new(
        builtins.kinds,
        Arc::clone(&store),
        clock.clone(),
        tasks.clone(),
        Rng::from_seed(rng.next_u64()),
    ));
    let service_accounts = service_accounts(&parts.identities)?;
    let url = parts.listener.local_addr().map_err(socket_failure)?;
    let server = Server::new(Setup {
        clock: clock.clone(),
        tasks: tasks.clone(),
        rng: Rng::from_seed(rng.next_u64()),
        world: Arc::clone(&serving) as Arc<dyn World>,
        serving,
        access: access(&parts.identities, parts.tokens.as_deref(), &service_accounts)?,
        version: version(),
        checks: Vec::new(),
        limits: Limits::default(),
        group_priorities: group_priorities(&builtins.versions),
        pages: issuer_pages(&service_accounts, &format!("https://{url}")),
        metrics: Vec::new(),
        mounts: server::Mounts::default(),
    });
    bootstrap::run(
        &client_of(&server, "system:apiserver", &["system:masters"]),
        &first_objects,
    )
    .await
    .map_err(failure_of)?;
    server.set_started();
    serve(&server, &tasks, &parts.identities, parts.listener)?;
    let controllers = Vec::new();
    let ready = clock.now();
    Ok(Running {
        server,
        tasks,
        clock,
        controllers,
        started,
        ready,
    })
}

/// Opens the socket to clients.
fn serve(
    server: &Server,
    tasks: &Tasks,
    identities: &Identities,
    listener: TcpListener,
) -> Result<(), Failure> {
    let tls = edge::Tls::open(edge::TlsMaterial {
        certificates: identities.serving.certificate.as_bytes(),
        key: identities.serving.key.as_bytes(),
        client_ca: identities.ca.as_bytes(),
    })
    .map_err(failure_of)?;
    let listener = listener
        .set_nonblocking(true)
        .and_then(|()| tokio::net::TcpListener::from_std(listener))
        .map_err(socket_failure)?;
    let server = server.clone();
    tasks.spawn("listener", async move {
        if let Err(error) = edge::listen(server, listener, tls).await {
            tracing::error!(error = %base::Chain(&error), "no new connections are accepted");
        }
    });
    Ok(())
}

fn version() -> pages::version::Version {
    pages::version::Version {
        major: 1,
        minor: 37,
        git_version: api::Text::const_new(KUBERNETES_VERSION),
        git_commit: api::Text::default(),
        build_date: api::Text::default(),
        platform: api::Text::const_new("linux/amd64"),
    }
}

impl Running {
    /// Returns the server, for callers in the same process.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Returns a client of a caller in this process, who is this user in these groups.
    #[must_use]
    pub fn client(&self, name: &str, groups: &[&str]) -> Client {
        client_of(&self.server, name, groups)
    }

    /// Returns the names of the controllers that run.
    #[must_use]
    pub fn controllers(&self) -> &[&'static str] {
        &self.controllers
    }

    /// Returns how long the start took.
    #[must_use]
    pub fn start_duration(&self) -> Duration {
        self.ready.since(self.started)
    }

    /// Ends everything: connections are drained, then the store is closed.
    pub async fn stop(self) {
        let left = self.tasks.drain(&self.clock, DRAIN_PATIENCE).await;
        if left > 0 {
            tracing::warn!(tasks = left, "some tasks did not end in time");
        }
        if let Err(error) = self.store.close().await {
            tracing::error!(error = %base::Chain(&error), "the store did not close well");
        }
    }
}
