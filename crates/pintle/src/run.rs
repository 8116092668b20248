//! The life of the process: open the state, bind, start, say so, wait for the signal, stop.

use std::{
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    path::PathBuf,
};

use base::Clock;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    arguments::ServeArguments,
    compose::{self, Parts, Running, Storage, Terms},
    console,
    failure::Failure,
    network::{self, Networking},
    state::DataDirectory,
};

/// What runs in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roles {
    /// Server, store and controllers.
    All,
    /// Server and store.
    ServerOnly,
}

/// Returns what `pintle version` prints.
#[must_use]
pub fn version_text() -> String {
    format!(
        "pintle {} (Kubernetes {})",
        env!("CARGO_PKG_VERSION"),
        compose::KUBERNETES_VERSION
    )
}

/// Serves until SIGTERM or Ctrl-C, then drains.
///
/// # Errors
/// Why it could not start or had to stop.
pub fn serve(arguments: &ServeArguments, roles: Roles) -> Result<(), Failure> {
    console::start_logging(&arguments.log);
    // The port first: when pintle runs already, that is what the user wants to hear.
    let listener = bind(&arguments.listen)?;
    let address = listener.local_addr().map_err(|source| Failure::Listen {
        address: arguments.listen.clone(),
        source,
    })?;
    let directory = DataDirectory::open(data_path(arguments)?)?;
    let clock = Clock::system();
    let identities = directory.identities(&[address.ip().to_string()], clock.wall())?;
    let url = url_of(address);
    directory.write_kubeconfig(&identities, &url)?;
    let storage = match arguments.in_memory {
        true => Storage::Memory,
        false => Storage::Embedded(directory.store_path()),
    };
    let tokens = arguments
        .token_auth_file
        .as_deref()
        .map(read_tokens)
        .transpose()?;
    let networking = Networking {
        ranges: network::ranges(&arguments.service_cluster_ip_range).map_err(Failure::Network)?,
        node_ports: network::ports(&arguments.service_node_port_range).map_err(Failure::Network)?,
        advertise: arguments.advertise_address,
    };
    let parts = Parts {
        listener,
        networking,
        identities,
        storage,
        tokens,
        controllers: match roles {
            Roles::All => arguments.controllers.clone(),
            Roles::ServerOnly => Vec::new(),
        },
        terms: Terms::default(),
        authorities: authorities(),
        patience: compose::DRAIN_PATIENCE,
        clock,
    };
    until_stopped(async |mut stop| {
        let running = compose::start(parts).await?;
        console::greet(&running, &directory, &url, arguments);
        stop.received().await;
        Running::stop(running).await;
        Ok(())
    })
}

/// Runs on all threads what ends after the signal it is given.
///
/// # Errors
/// Its own, or that there are no threads or signals.
pub(crate) fn until_stopped(
    run: impl AsyncFnOnce(StopSignal) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(base::stack::BYTES)
        .build()
        .map_err(|error| Failure::Server(format!("cannot start threads: {error}")))?;
    let ended = base::stack::deep(|| runtime.block_on(async { run(StopSignal::listen()?).await }));
    // Blocking helpers that still run have nothing left to do that matters.
    runtime.shutdown_background();
    ended
}

pub(crate) fn bind(listen: &str) -> Result<TcpListener, Failure> {
    let mut addresses = listen
        .to_socket_addrs()
        .map_err(|_| Failure::BadAddress(listen.to_owned()))?;
    let address: SocketAddr = addresses
        .next()
        .ok_or_else(|| Failure::BadAddress(listen.to_owned()))?;
    TcpListener::bind(address).map_err(|source| Failure::Listen {
        address: listen.to_owned(),
        source,
    })
}

/// Returns the URL under which clients on this machine reach the server.
pub(crate) fn url_of(address: SocketAddr) -> String {
    let reachable = match (address.ip().is_unspecified(), address.is_ipv4()) {
        (false, _) => address,
        (true, true) => SocketAddr::from(([127, 0, 0, 1], address.port())),
        (true, false) => SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, address.port())),
    };
    format!("https://{reachable}")
}

#[allow(
    clippy::disallowed_methods,
    reason = "the binary is the one place that reads the environment"
)]
fn data_path(arguments: &ServeArguments) -> Result<PathBuf, Failure> {
    if let Some(path) = &arguments.data {
        return Ok(path.clone());
    }
    // XDG base directories: a relative $XDG_DATA_HOME is to be ignored.
    let data_home = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    data_home
        .or_else(home)
        .map(|path| path.join("pintle"))
        .ok_or(Failure::NoDataDirectory)
}

fn read_tokens(path: &std::path::Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|source| Failure::File {
        action: "read",
        path: path.to_owned(),
        source,
    })
}

/// Where systems keep the certificates of who vouches for public servers, as Go looks for them.
const AUTHORITIES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Returns the certificates (PEM) of whom this machine believes; empty if it says nothing of it.
pub(crate) fn authorities() -> Vec<u8> {
    let mut found = AUTHORITIES.iter().map(std::fs::read);
    found.find_map(Result::ok).unwrap_or_default()
}

/// SIGTERM and Ctrl-C.
pub(crate) struct StopSignal {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl StopSignal {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::Server(format!("cannot await signals: {error}")))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Waits until the process is asked to stop.
    pub(crate) async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{bind, url_of};
    use crate::failure::Failure;

    #[test]
    fn a_taken_port_is_named() {
        let first = bind("127.0.0.1:0").expect("a free port");
        let address = first.local_addr().expect("it is bound").to_string();
        assert!(matches!(
            bind(&address),
            Err(Failure::Listen { address: named, .. }) if named == address
        ));
        assert!(matches!(bind("nonsense"), Err(Failure::BadAddress(_))));
    }

    #[test]
    fn clients_reach_a_server_that_listens_everywhere() {
        let check = |address: &str, expected: &str| {
            assert_eq!(url_of(address.parse().expect("an address")), expected);
        };
        check("127.0.0.1:6443", "https://127.0.0.1:6443");
        check("0.0.0.0:6443", "https://127.0.0.1:6443");
        check("[::]:6443", "https://[::1]:6443");
    }
}
