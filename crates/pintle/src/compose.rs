//! Puts the rooms together, once. Read top down, it is the list of everything that runs.
//!
//! Invariant: nothing is decided here.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use access::{
    Allow, Identify, Mode,
    admit::Rule,
    identify::{Certificates, ServiceAccounts, SigningKey, TokenFile, VerifyingKey},
};
use api::{Text, Value, json};
use base::{Clock, Moment, Rng, Tasks};
use controllers::Switches;
use kinds::services::Services;
use kit::Client;
use schema::Kind;
use server::{
    Access, Limits, LiveWorld, Server, Serving, Setup, User,
    answer::Page,
    edge::{self, Outbound},
    mount, pages,
    services::Service,
};
use store::{EmbeddedOptions, EmbeddedStore, MemoryStore, Store};

use crate::{
    bootstrap::{self, Kept, Wanted},
    failure::Failure,
    network::Networking,
    state::{Identities, Pair},
    telemetry,
};

/// The release whose API this is.
pub const KUBERNETES_VERSION: &str = "v1.37.1";

/// The issuer of service-account tokens, as kubeadm has it.
const SERVICE_ACCOUNT_ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// How long a stop waits for requests in flight. Watches end at once.
pub const DRAIN_PATIENCE: Duration = Duration::from_secs(10);

/// What the whole is made from.
pub struct Parts {
    /// Where to serve, bound already.
    pub listener: TcpListener,
    /// What Services get, and where the cluster finds the server.
    pub networking: Networking,
    /// Keys and certificates.
    pub identities: Identities,
    /// Where objects lie.
    pub storage: Storage,
    /// The text of a file of static tokens.
    pub tokens: Option<String>,
    /// Who else is believed, and what is allowed.
    pub terms: Terms,
    /// Certificates (PEM) of who vouches for webhooks that name nobody.
    pub authorities: Vec<u8>,
    /// Controllers to run: `*`, names, `-name`; empty for none.
    pub controllers: Vec<String>,
    /// How long a stop waits for requests in flight.
    pub patience: Duration,
    /// Tells the time.
    pub clock: Clock,
}

/// Who is believed beside the holders of certificates and static tokens, and what is allowed.
pub struct Terms {
    /// The issuer of service-account tokens.
    pub issuer: String,
    /// For whom these tokens are; none means the issuer.
    pub audiences: Vec<Text>,
    /// Keys that verify these tokens beside the one that signs them.
    pub verifying: Vec<VerifyingKey>,
    /// Whoever shows nothing; none if that is not allowed.
    pub anonymous: Option<User>,
    /// What decides, in order.
    pub modes: Vec<Mode>,
    /// Admission rules that are left out.
    pub rules_off: Vec<Rule>,
    /// How long events stay after they were last written.
    pub event_life: Duration,
}

/// A cluster of Pintle's own.
impl Default for Terms {
    fn default() -> Self {
        Self {
            issuer: SERVICE_ACCOUNT_ISSUER.to_owned(),
            audiences: Vec::new(),
            verifying: Vec::new(),
            anonymous: Some(User::anonymous()),
            modes: vec![Mode::Rbac],
            rules_off: Vec::new(),
            event_life: kinds::EVENT_LIFE,
        }
    }
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
    patience: Duration,
    controllers: Vec<&'static str>,
    started: Moment,
    ready: Moment,
}

/// Starts everything and returns when it answers.
///
/// # Errors
/// What could not be opened or bound.
pub async fn start(parts: Parts) -> Result<Running, Failure> {
    let clock = parts.clock.clone();
    let started = clock.now();
    let tasks = Tasks::new();
    let mut rng = Rng::from_os();
    let store = open_store(&parts.storage, &clock, &mut rng)?;
    let builtins = kinds::load().with_event_life(parts.terms.event_life);
    let address = parts.listener.local_addr().map_err(socket_failure)?;
    let first_objects = first_objects(&builtins.kinds, &parts, address);
    let services = Services::new(
        parts.networking.ranges.clone(),
        parts.networking.node_ports.clone(),
    );
    let serving = Serving::new(
        builtins.kinds,
        Arc::clone(&store),
        clock.clone(),
        tasks.clone(),
        Rng::from_seed(rng.next_u64()),
    );
    let service_accounts = service_accounts(&parts.identities, &parts.terms)?;
    let offered = Service::all(kinds::offers::all(), &service_accounts);
    let serving = serving
        .sharing(Arc::new(services))
        .offering(offered)
        .calling(kinds::ways::service_call(), parts.authorities);
    let serving = Arc::new(serving);
    let world = LiveWorld::open(&serving).await.map_err(failure_of)?;
    let directory = match &parts.storage {
        Storage::Embedded(path) => Some(path.clone()),
        Storage::Memory => None,
    };
    let metrics = telemetry::metrics(&serving, directory, clock.wall());
    let server = Server::new(Setup {
        clock: clock.clone(),
        tasks: tasks.clone(),
        rng: Rng::from_seed(rng.next_u64()),
        serving,
        world: Arc::new(world),
        access: believed(
            &parts.identities,
            parts.tokens.as_deref(),
            parts.terms,
            &service_accounts,
        )?,
        version: version(),
        address: advertised(&parts.networking, address),
        checks: telemetry::checks(&store),
        limits: Limits::default(),
        group_priorities: group_priorities(&builtins.versions),
        pages: issuer_pages(&service_accounts, &format!("https://{address}")),
        metrics,
        mounts: mount::Mounts::default(),
        outbound: outbound(&parts.identities)?,
        texts: texts::PACKED,
    });
    server.serving().open().await.map_err(failure_of)?;
    make_first_objects(&server, &first_objects, &parts.networking).await?;
    server.set_started();
    serve(&server, &tasks, &parts.identities, parts.listener)?;
    let controllers = start_controllers(
        &parts.controllers,
        &server,
        &tasks,
        &parts.identities,
        &clock,
    )?;
    let ready = clock.now();
    Ok(Running {
        server,
        store,
        tasks,
        clock,
        patience: parts.patience,
        controllers,
        started,
        ready,
    })
}

/// Makes what every cluster begins with, as far as it is missing.
async fn make_first_objects(
    server: &Server,
    first_objects: &[bootstrap::Stage; 2],
    networking: &Networking,
) -> Result<(), Failure> {
    let client = client_of(server, "system:apiserver", &["system:masters"]);
    bootstrap::run(&client, first_objects)
        .await
        .map_err(failure_of)?;
    let range = networking.range_object();
    bootstrap::ready_range(&client, &range, server.clock().wall())
        .await
        .map_err(failure_of)
}

fn open_store(storage: &Storage, clock: &Clock, rng: &mut Rng) -> Result<Arc<dyn Store>, Failure> {
    match storage {
        Storage::Memory => Ok(Arc::new(MemoryStore::new(clock.clone()))),
        Storage::Embedded(path) => {
            let rng = Rng::from_seed(rng.next_u64());
            let opened = EmbeddedStore::open(path, clock, rng, EmbeddedOptions::default());
            let store = opened.map_err(|source| Failure::Store {
                path: path.clone(),
                source,
            })?;
            Ok(Arc::new(store))
        }
    }
}

/// Returns how nodes are connected to.
fn outbound(identities: &Identities) -> Result<Outbound, Failure> {
    let Pair { certificate, key } = &identities.kubelet_client;
    Outbound::new(certificate.as_bytes(), key.as_bytes()).map_err(failure_of)
}

/// Returns who is believed: certificates of our CA, static tokens, tokens of service accounts.
fn believed(
    identities: &Identities,
    tokens: Option<&str>,
    terms: Terms,
    service_accounts: &Arc<ServiceAccounts>,
) -> Result<Access, Failure> {
    let mut identify = Identify::new(Some(Arc::clone(service_accounts)));
    identify.anonymous = terms.anonymous.map(Arc::new);
    if let Some(text) = tokens {
        identify.tokens = TokenFile::read(text).map_err(failure_of)?;
    }
    let certificates = match identities.client_ca.as_str() {
        "" => Certificates::default(),
        bundle => Certificates::read(bundle.as_bytes()).map_err(failure_of)?,
    };
    Ok(Access {
        certificates,
        identify,
        allow: Allow::new(terms.modes),
        rules_off: terms.rules_off,
    })
}

fn service_accounts(
    identities: &Identities,
    terms: &Terms,
) -> Result<Arc<ServiceAccounts>, Failure> {
    let key = SigningKey::from_pem(&identities.service_accounts_key).map_err(failure_of)?;
    Ok(Arc::new(ServiceAccounts::new(
        &terms.issuer,
        terms.audiences.clone(),
        key,
        terms.verifying.clone(),
    )))
}

/// Returns the documents by which others verify tokens of service accounts.
fn issuer_pages(service_accounts: &ServiceAccounts, url: &str) -> Vec<(Text, Page)> {
    let page = |value: &Value| {
        let mut bytes = Vec::new();
        json::write(value, &mut bytes);
        Page::json(bytes)
    };
    vec![
        (
            Text::const_new("/openid/v1/jwks"),
            page(&service_accounts.key_set()),
        ),
        (
            Text::const_new("/.well-known/openid-configuration"),
            page(&service_accounts.discovery(url)),
        ),
    ]
}

/// Returns what `/api` says of where the server is found.
fn advertised(networking: &Networking, listens: SocketAddr) -> Text {
    let address = networking.advertised(listens).unwrap_or(listens.ip());
    Text::from(SocketAddr::new(address, listens.port()).to_string())
}

fn group_priorities(versions: &[kinds::Version]) -> Vec<(Text, i32)> {
    versions
        .iter()
        .map(|version| (version.group_version.group.clone(), version.group_priority))
        .collect()
}

fn failure_of(error: impl std::error::Error + 'static) -> Failure {
    Failure::Server(base::Chain(&error).to_string())
}

fn socket_failure(error: std::io::Error) -> Failure {
    Failure::Server(format!("cannot serve the socket: {error}"))
}

/// Returns the data of the rooms that know what a cluster begins with.
fn first_objects(builtins: &[Kind], parts: &Parts, address: SocketAddr) -> [bootstrap::Stage; 2] {
    let texts = [
        kinds::BOOTSTRAP_FLOW_CONTROL,
        kinds::BOOTSTRAP_PRIORITY_CLASSES,
    ];
    let given = texts.iter().flat_map(|text| {
        let list = json::read(text.as_bytes()).expect("the rooms' data is JSON");
        list.value.as_array().unwrap_or_default().to_vec()
    });
    let roles = access::bootstrap::objects().into_iter();
    let endpoints = parts.networking.endpoints(address).into_iter();
    let wanted = |(object, kept)| {
        let collection = collection_of(builtins, &object)?;
        Some(Wanted {
            collection,
            object,
            kept,
        })
    };
    let objects = given
        .chain([parts.networking.service(address)])
        .map(|object| (object, Kept::AsFound))
        .chain(roles.map(|object| (object, Kept::Reconciled)))
        .chain(endpoints.map(|object| (object, Kept::Exact)))
        .filter_map(wanted);
    let range = wanted((parts.networking.range_object(), Kept::AsFound));
    let identities = &parts.identities;
    let cas = (
        identities.front_proxy_ca.as_str(),
        identities.client_ca.as_str(),
    );
    bootstrap::wanted(range, objects.collect(), cas)
}

/// Returns the path of the collection an object belongs to.
fn collection_of(builtins: &[Kind], object: &Value) -> Option<String> {
    let group_version = api::GroupVersion::parse(object.str_at(&["apiVersion"])?)?;
    let kind_name = object.str_at(&["kind"])?;
    let kind = builtins
        .iter()
        .find(|kind| kind.names.kind == kind_name && kind.version(&group_version).is_some())?;
    let root = match group_version.group.is_empty() {
        true => "/api",
        false => "/apis",
    };
    let plural = &kind.names.plural;
    Some(match object.str_at(&["metadata", "namespace"]) {
        Some(namespace) => format!("{root}/{group_version}/namespaces/{namespace}/{plural}"),
        None => format!("{root}/{group_version}/{plural}"),
    })
}

/// Starts the controllers on the server of this process, each as the user upstream gives it.
///
/// Returns their names.
fn start_controllers(
    words: &[String],
    server: &Server,
    tasks: &Tasks,
    identities: &Identities,
    clock: &Clock,
) -> Result<Vec<&'static str>, Failure> {
    let words = words.iter().map(String::as_str);
    let switches = Switches::parse(words).map_err(Failure::Controllers)?;
    let names = switches.names();
    let _running = controllers::start(controllers::Setup {
        shared: guest(server, controllers::switches::SHARED_USER),
        clients: switches
            .iter()
            .map(|name| (name, guest(server, &name.user())))
            .collect(),
        tasks: tasks.clone(),
        clock: clock.clone(),
        rng: Rng::from_os(),
        root_ca: identities.ca.as_str().into(),
    });
    Ok(names)
}

/// Returns the client of a guest, whose name may be that of a service account.
fn guest(server: &Server, name: &str) -> Client {
    match access::user::split_service_account(name) {
        Some((namespace, name)) => {
            Client::in_process(server.in_process(User::service_account(namespace, name)))
        }
        None => client_of(server, name, &[]),
    }
}

/// Returns a client of a caller in this process.
fn client_of(server: &Server, name: &str, groups: &[&str]) -> Client {
    let user = groups
        .iter()
        .fold(User::named(name), |user, group| user.with_group(group));
    Client::in_process(server.in_process(user.authenticated()))
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
        client_ca: identities.client_ca.as_bytes(),
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
        let left = self.tasks.drain(&self.clock, self.patience).await;
        if left > 0 {
            tracing::warn!(tasks = left, "some tasks did not end in time");
        }
        if let Err(error) = self.store.close().await {
            tracing::error!(error = %base::Chain(&error), "the store did not close well");
        }
    }
}
