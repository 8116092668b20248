//! A whole Pintle inside a test.
//!
//! [`Cluster::start`] puts together what `pintle up` does, on the memory store, a free port of
//! loopback and a directory that goes away with it. Tests of guests take [`Cluster::client`], which
//! calls the server without a socket; tests of clients take [`Cluster::kubeconfig`].
//!
//! Invariant: nothing that ships depends on this room.
//!
//! ```
//! # async fn example() {
//! let cluster = testkit::Cluster::start().await;
//! let namespace: kit::Partial = cluster.client().get("/api/v1/namespaces/default").await.unwrap();
//! assert_eq!(&*namespace.metadata.name, "default");
//! cluster.stop().await;
//! # }
//! ```

mod ask;

use std::path::PathBuf;

use base::Clock;
use kit::Client;
use pintle::{
    compose::{self, Parts, Running, Storage},
    network::Networking,
    state::DataDirectory,
};

pub use ask::Reply;

/// A whole Pintle that lives as long as a test.
pub struct Cluster {
    running: Running,
    directory: tempfile::TempDir,
    url: String,
}

/// Which controllers a test wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controllers {
    /// All of them, as `pintle up`.
    All,
    /// None, as `pintle server`.
    None,
}

impl Cluster {
    /// Starts a cluster with all controllers, ready to answer.
    ///
    /// # Panics
    /// When it cannot start: the test cannot go on.
    pub async fn start() -> Self {
        Self::start_with(Controllers::All).await
    }

    /// Starts a cluster with these controllers, ready to answer.
    ///
    /// # Panics
    /// When it cannot start: the test cannot go on.
    pub async fn start_with(controllers: Controllers) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let url = format!("https://{address}");
        let clock = Clock::system();
        let data = DataDirectory::open(directory.path().to_owned()).expect("it was just made");
        let identities = data
            .identities(&[], clock.wall())
            .expect("certificates can be made");
        data.write_kubeconfig(&identities, &url)
            .expect("the directory is writable");
        let controllers = match controllers {
            Controllers::All => vec!["*".to_owned()],
            Controllers::None => Vec::new(),
        };
        let running = compose::start(Parts {
            listener,
            networking: Networking::default(),
            identities,
            storage: Storage::Memory,
            tokens: None,
            terms: compose::Terms::default(),
            authorities: Vec::new(),
            controllers,
            patience: compose::DRAIN_PATIENCE,
            clock,
        })
        .await
        .expect("the cluster starts");
        Self {
            running,
            directory,
            url,
        }
    }

    /// Returns an administrator's client that calls the server in this process.
    #[must_use]
    pub fn client(&self) -> Client {
        self.running.client("kubernetes-admin", &["system:masters"])
    }

    /// Returns where the server serves.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the administrator's kubeconfig file.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join("admin.kubeconfig")
    }

    /// Stops everything.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}
